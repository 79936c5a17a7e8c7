//! What a bank does for an attempt of a coordinator: promise and freeze, fetch what it lacks,
//! write, start.

use std::collections::BTreeMap;

use super::{MemberStatus, Phase, PreparePlan, ROUND_MAX, Stopped, View, ViewMessage, WireHeld};
use crate::ids::{Ballot, BankId, BankSet, ChainHash, Position};
use crate::protocol::effect::{ClockInput, Effect, HeartbeatInput, JournalInput};
use crate::protocol::event::Held;
use crate::protocol::execution::Executions;
use crate::protocol::notice::Notice;
use crate::protocol::order_key::OrderKey;
use crate::protocol::peer_state::{Cause, PeerState};
use crate::protocol::view::{Fates, Frozen, Installed};

/// Most events asked of one bank in one message.
pub(super) const FETCH_EVENTS_MAX: usize = 256;
/// Bytes of events after which the answer to that ends.
pub(super) const FETCH_BYTES_MAX: usize = 2 * 1024 * 1024;

impl View {
    pub(super) fn stop(&mut self, from: BankId, ballot: Ballot, out: &mut Vec<Effect>) {
        if ballot < self.promised || ballot.coordinator != from || ballot.round > ROUND_MAX {
            return self.refuse(from, ballot, out);
        }
        if ballot > self.promised {
            self.promise(ballot, out);
        } else if matches!(self.phase, Phase::Promised | Phase::Outside) && !self.replaying {
            self.phase = Phase::Promised;
            self.answer_stop(out);
        }
    }

    fn refuse(&mut self, from: BankId, refused: Ballot, out: &mut Vec<Effect>) {
        let promised = self.promised;
        self.send(from, ViewMessage::Refused { refused, promised }, out);
    }

    /// Promises to obey nothing below a ballot any more, and stops acting in the view in force.
    pub(super) fn promise(&mut self, ballot: Ballot, out: &mut Vec<Effect>) {
        if self.replaying {
            self.stop_later = self.stop_later.max(Some(ballot));
            return;
        }
        out.push(Effect::Notice(Notice::Stopping(ballot)));
        self.promised = ballot;
        self.idle = 0;
        match self.phase {
            Phase::Active => {
                self.phase = Phase::Freezing;
                out.push(Effect::Clock(ClockInput::Freeze(ballot)));
            }
            // The parts are freezing already; the promise is written once their state is known.
            Phase::Freezing => {}
            _ => self.write_promise(out),
        }
    }

    fn write_promise(&mut self, out: &mut Vec<Effect>) {
        self.phase = Phase::Promising;
        self.state.ballot = self.promised;
        out.push(Effect::Journal(JournalInput::Promise(self.state.clone())));
    }

    /// The promise is on disk, and with a first freeze the node's parts have told what they hold.
    pub(super) fn frozen(&mut self, frozen: Frozen, out: &mut Vec<Effect>) {
        let overtaken = frozen.ballot != self.promised;
        if self.phase == Phase::Freezing {
            self.state = frozen;
            self.fates = Fates {
                executed: self.state.executed.as_ref().map(|done| done.last),
                ..Fates::default()
            };
            if overtaken {
                return self.write_promise(out);
            }
        } else if overtaken || self.phase != Phase::Promising {
            return;
        }
        self.phase = Phase::Promised;
        self.idle = 0;
        if self.promised.coordinator == self.me {
            self.coordinate_stop_others(out);
        }
        self.answer_stop(out);
    }

    fn answer_stop(&mut self, out: &mut Vec<Effect>) {
        let stopped = Stopped {
            ballot: self.promised,
            prepared: self.prepared,
            voter: self.is_voter(),
            counted: self.counted,
            rescue: self.rescue,
            position: self.state.position,
            hash: self.state.hash,
            executed: self.state.executed.clone(),
            held: self.state.held.iter().map(|held| held.event.order_key()).collect(),
            clock: self.state.clock.clone(),
        };
        self.send(self.promised.coordinator, ViewMessage::Stopped(stopped), out);
    }

    /// Another bank has proof that this disk once had more.
    pub(super) fn forgotten(&mut self, from: BankId, ballot: Ballot, out: &mut Vec<Effect>) {
        if ballot == self.promised && ballot.coordinator == from && !self.learner {
            self.learner = true;
            out.push(Effect::Journal(JournalInput::Forgotten));
            out.push(Effect::Notice(Notice::Forgotten(from)));
        }
    }

    pub(super) fn prepare(&mut self, from: BankId, plan: PreparePlan, out: &mut Vec<Effect>) {
        let fits = plan.fits(self.banks) && plan.members.contains(self.me);
        if plan.ballot != self.promised || plan.ballot.coordinator != from || !fits {
            return self.refuse(from, plan.ballot, out);
        }
        match self.phase {
            // This bank may have acted in the view before it was restarted, and would begin it
            // again with old counters and without the events that it acknowledged since. It comes
            // in by a later view.
            Phase::Promised | Phase::Outside if plan.ballot == self.prepared => {
                self.refuse(from, plan.ballot, out)
            }
            // What was executed here after the answer is not in the plan: the coordinator must ask
            // again.
            Phase::Promised | Phase::Outside if plan.position < self.state.position => {
                self.refuse(from, plan.ballot, out);
            }
            Phase::Promised | Phase::Outside => {
                self.phase = Phase::Fetching;
                self.idle = 0;
                self.progress = 0;
                self.turn = 0;
                self.not_begun = self.not_begun.union(plan.members);
                self.plan = plan;
                self.fetched.clear();
                self.fetch(out);
            }
            Phase::Fetching | Phase::Writing => {
                let (ballot, progress) = (self.promised, self.progress);
                self.send(from, ViewMessage::Working { ballot, progress }, out);
            }
            Phase::Ready | Phase::Active => {
                self.idle = 0;
                self.send(from, ViewMessage::Ready(self.promised), out);
            }
            _ => {}
        }
    }

    /// Asks for what is missing; when nothing is, writes the prepared view.
    pub(super) fn fetch(&mut self, out: &mut Vec<Effect>) {
        if self.phase != Phase::Fetching || self.replaying {
            return;
        }
        let ballot = self.promised;
        if self.state.position < self.plan.position {
            return self.ask_for_plan(out);
        }
        if self.state.position > self.plan.position {
            // The source has gone on in a later view and has sent what was executed there: this
            // plan begins nothing.
            self.phase = Phase::Outside;
            return self.refuse(ballot.coordinator, ballot, out);
        }
        if (self.state.position, self.state.hash) != (self.plan.position, self.plan.hash) {
            return self.diverged(self.plan.source, self.plan.position, out);
        }
        let missing = self.missing_events();
        if missing.is_empty() {
            return self.write_prepared(out);
        }
        self.wait_for_answer();
        for (holder, keys) in missing {
            self.send(holder, ViewMessage::FetchEvents { ballot, keys }, out);
        }
    }

    fn missing_events(&self) -> BTreeMap<BankId, Vec<OrderKey>> {
        let mut missing: BTreeMap<BankId, Vec<OrderKey>> = BTreeMap::new();
        let have: BTreeMap<_, _> =
            self.state.held.iter().map(|held| (held.event.order_key(), ())).collect();
        for (key, holder) in &self.plan.events {
            // Any member may hold it, and all do in the end; who does not answer is passed over.
            let holder = (0..self.turn)
                .fold(*holder, |holder, _| self.next_in_plan(holder).unwrap_or(holder));
            let asked = missing.entry(holder).or_default();
            if !have.contains_key(key)
                && !self.fetched.contains_key(key)
                && asked.len() < FETCH_EVENTS_MAX
            {
                asked.push(*key);
            }
        }
        missing.retain(|_, keys| !keys.is_empty());
        missing
    }

    /// Events of the flush that a member lacks, as many as fit into one message: it asks again for
    /// the rest.
    pub(super) fn held_among(&self, keys: &[OrderKey]) -> Vec<WireHeld> {
        let mut bytes = 0;
        let held = self.state.held.iter().chain(self.fetched.values());
        let wanted = held.filter(|held| keys.contains(&held.event.order_key()));
        let fitting = wanted.take_while(|held| {
            let fits = bytes < FETCH_BYTES_MAX;
            bytes += held.event.wire().get().len();
            fits
        });
        fitting.cloned().map(WireHeld).collect()
    }

    pub(super) fn events(&mut self, ballot: Ballot, events: Vec<WireHeld>, out: &mut Vec<Effect>) {
        if ballot != self.promised || self.phase != Phase::Fetching {
            return;
        }
        let before = self.fetched.len();
        for WireHeld(held) in events {
            let key = held.event.order_key();
            if self.plan.events.iter().any(|(planned, _)| *planned == key) {
                self.fetched.insert(key, held);
            }
        }
        // An answer that brought nothing is asked for again in a while, not at once.
        if self.fetched.len() > before {
            self.answered();
            self.went_on();
            self.fetch(out);
        }
    }

    /// Fetched events, or a snapshot, were executed and are on disk.
    pub(super) fn replayed(
        &mut self,
        position: Position,
        hash: ChainHash,
        executed: Executions,
        out: &mut Vec<Effect>,
    ) {
        self.replaying = false;
        // What lies below and was not executed never existed: a later view left it behind.
        self.state.held.retain(|held| held.event.order_key() > executed.last);
        (self.state.position, self.state.hash) = (position, hash);
        // Others have told this, also what a snapshot says of itself: it proves nothing.
        self.state.executed = Some(executed.as_unverified());
        if let Some(ballot) = self.stop_later.take() {
            return if ballot > self.promised {
                self.promise(ballot, out)
            };
        }
        match self.phase {
            Phase::Fetching => {
                self.went_on();
                self.fetch(out);
            }
            _ => self.caught_up_further(out),
        }
    }

    fn write_prepared(&mut self, out: &mut Vec<Effect>) {
        let planned: BTreeMap<_, _> = self.plan.events.iter().copied().collect();
        let fetched: Vec<Held> = std::mem::take(&mut self.fetched).into_values().collect();
        let (mut flush, dropped) = std::mem::take(&mut self.state.held)
            .into_iter()
            .partition::<Vec<_>, _>(|held| planned.contains_key(&held.event.order_key()));
        flush.extend(fetched.iter().cloned());
        flush.sort_by_key(|held| held.event.order_key());
        assert_eq!(flush.len(), planned.len(), "nothing of the plan is missing");
        self.state.held = flush;
        self.state.clock = self.plan.clock.clone();
        // A plan may be made of answers that are out of date, and never begin: then it says nothing
        // of the promises that were lost with a disk.
        let learner = !self.is_voter() && !self.plan.founding;
        self.prepared = self.plan.ballot;
        self.counted = if learner { self.counted } else { self.banks };
        self.learner = learner;
        self.rescue = false;
        self.phase = Phase::Writing;
        self.went_on();
        let dropped = dropped.iter().map(|held| held.event.order_key()).collect();
        out.push(Effect::Journal(JournalInput::Prepare {
            prepared: self.plan.clone(),
            fetched,
            dropped,
            learner,
        }));
    }

    pub(super) fn prepared_on_disk(&mut self, ballot: Ballot, out: &mut Vec<Effect>) {
        if self.phase == Phase::Writing && ballot == self.promised {
            self.phase = Phase::Ready;
            self.idle = 0;
            self.send(ballot.coordinator, ViewMessage::Ready(ballot), out);
        }
    }

    pub(super) fn start(&mut self, ballot: Ballot, out: &mut Vec<Effect>) {
        if self.phase != Phase::Ready || ballot != self.promised {
            return;
        }
        self.phase = Phase::Active;
        self.idle = 0;
        self.counted = self.banks;
        if std::mem::take(&mut self.learner) {
            out.push(Effect::Journal(JournalInput::Counts));
        }
        let members = self.plan.members;
        let left_out = std::mem::take(&mut self.not_begun).difference(members);
        self.bar(left_out);
        self.fruitless = 0;
        self.tell_who_came_and_went(members, out);
        for (bank, peer) in BankId::all(self.banks).zip(&mut self.peers) {
            peer.trusted = members.contains(bank)
                && matches!(peer.state, PeerState::Up | PeerState::Returning);
        }
        out.push(Effect::Heartbeat(HeartbeatInput::Began(members)));
        for bank in BankId::all(self.banks) {
            let status = if self.hears(bank) {
                MemberStatus::Here
            } else {
                MemberStatus::Away(Cause::Unheard)
            };
            self.statuses[bank.index()] = status;
        }
        let flush = std::mem::take(&mut self.state.held);
        let fates = std::mem::take(&mut self.fates);
        self.last_in_force = self.plan.ballot;
        out.push(Effect::Clock(ClockInput::Install(Installed {
            plan: self.plan.clone(),
            flush,
            fates,
        })));
    }

    fn tell_who_came_and_went(&mut self, members: BankSet, out: &mut Vec<Effect>) {
        let before = std::mem::replace(&mut self.members_before, members);
        for bank in before.difference(members).iter() {
            let cause = match (self.peers[bank.index()].state, self.statuses[bank.index()]) {
                (_, MemberStatus::Away(cause)) | (PeerState::Down(cause), _) => Some(cause),
                _ => None,
            };
            out.push(Effect::Notice(Notice::Left(bank, cause)));
        }
        if !before.is_empty() {
            let came = members.difference(before);
            out.extend(came.iter().map(|bank| Effect::Notice(Notice::Joined(bank))));
        }
    }
}
