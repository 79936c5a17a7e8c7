//! What a bank does for a coordinator's attempt: promise and freeze, fetch what it lacks, write,
//! start.

use std::collections::BTreeMap;

use super::View;
use super::message::{PreparePlan, Stopped, ViewMessage, WireHeld};
use super::peer::MemberStatus;
use super::phase::{Complete, Interim, Lack, Phase, PhaseName, Stage};
use super::ticks::Headway;
use super::turn::{Frozen, Installed};
use crate::ids::{Ballot, BankId, BankSet, ChainHash, Position};
use crate::protocol::effect::{ClockInput, Effect, HeartbeatInput, JournalInput};
use crate::protocol::execution::Executions;
use crate::protocol::notice::Notice;
use crate::protocol::order_key::OrderKey;
use crate::protocol::peer_state::Cause;
use crate::protocol::possible::Impossible;

impl View {
    pub(super) fn stop(&mut self, from: BankId, ballot: Ballot, out: &mut Vec<Effect>) {
        if !self.may_promise(ballot) {
            self.names_round(from, ballot.round);
            self.complain(from, Impossible::Round, out);
            return self.refuse(from, ballot, out);
        }
        if ballot < self.disk.promised || ballot.coordinator != from {
            return self.refuse(from, ballot, out);
        }
        if ballot > self.disk.promised {
            return self.promise(ballot, out);
        }
        if self.is_free_for_a_plan() && !self.phase.is_replaying() {
            self.phase.enter(Stage::Promised);
            self.answer_stop(out);
        }
    }

    fn refuse(&mut self, from: BankId, refused: Ballot, out: &mut Vec<Effect>) {
        let promised = self.disk.promised;
        self.send(from, ViewMessage::Refused { refused, promised }, out);
    }

    /// Promises no longer to obey anything below a ballot, and stops acting in the view in force.
    pub(super) fn promise(&mut self, ballot: Ballot, out: &mut Vec<Effect>) {
        let interim = self.phase.interim_mut();
        if interim.is_some_and(|interim| interim.stop_waits(ballot)) {
            return;
        }
        out.push(Effect::Notice(Notice::Stopping(ballot)));
        self.disk.promised = ballot;
        self.headway.step();
        match self.phase {
            Phase::Active(_) => {
                self.phase = Phase::Freezing;
                out.push(Effect::Clock(ClockInput::Freeze(ballot)));
            }
            // The parts are freezing already; the promise is written once their state is known.
            Phase::Freezing | Phase::Diverged => {}
            Phase::Between(_) => self.write_promise(out),
        }
    }

    fn write_promise(&mut self, out: &mut Vec<Effect>) {
        self.phase.enter(Stage::Promising);
        if let Some(interim) = self.phase.interim_mut() {
            interim.state.ballot = self.disk.promised;
            out.push(Effect::Journal(JournalInput::Promise(interim.state.clone())));
        }
    }

    /// The promise is on disk, and if the node has just frozen, its parts have reported what they
    /// hold.
    pub(super) fn frozen(&mut self, frozen: Frozen, out: &mut Vec<Effect>) {
        let is_latest = frozen.ballot == self.disk.promised;
        match self.phase() {
            PhaseName::Freezing => {
                self.phase = Phase::Between(Box::new(Interim::frozen(frozen)));
                if !is_latest {
                    self.write_promise(out);
                }
            }
            PhaseName::Promising => {}
            _ => return,
        }
        if is_latest {
            self.promised_on_disk(out);
        }
    }

    fn promised_on_disk(&mut self, out: &mut Vec<Effect>) {
        self.phase.enter(Stage::Promised);
        self.headway.step();
        if self.disk.promised.coordinator == self.me {
            self.coordinate_stop_others(out);
        }
        self.answer_stop(out);
    }

    fn answer_stop(&mut self, out: &mut Vec<Effect>) {
        let Some(Interim { state, .. }) = self.phase.interim() else { return };
        let stopped = Stopped {
            ballot: self.disk.promised,
            prepared: self.disk.prepared,
            voter: self.is_voter(),
            acted: self.knows_its_disk(),
            counted: self.disk.counted,
            rescue: self.disk.rescue,
            position: state.position,
            hash: state.hash,
            executed: state.executed.clone(),
            held: state.held.iter().map(|held| held.event.order_key()).collect(),
            clock: state.clock.clone(),
        };
        self.send(self.disk.promised.coordinator, ViewMessage::Stopped(stopped), out);
    }

    /// Another bank has proof that this disk once had more.
    pub(super) fn forgotten(&mut self, from: BankId, ballot: Ballot, out: &mut Vec<Effect>) {
        if !self.is_obeyed(from, ballot) || self.disk.learner {
            return;
        }
        if self.knows_its_disk() {
            return self.complain(from, Impossible::Loss, out);
        }
        self.disk.learner = true;
        out.push(Effect::Journal(JournalInput::Forgotten));
        out.push(Effect::Notice(Notice::Forgotten(from)));
    }

    /// Whether this process itself has acted in the view that the disk prepared last. Then it knows
    /// what it acknowledged there, whatever others say: a disk loses things between two processes.
    fn knows_its_disk(&self) -> bool {
        self.last_in_force.is_some_and(|(view, _)| view == self.disk.prepared)
    }

    /// Whether a bank is the coordinator of the ballot promised last, and speaks for it.
    fn is_obeyed(&self, from: BankId, ballot: Ballot) -> bool {
        ballot == self.disk.promised && ballot.coordinator == from
    }

    pub(super) fn prepare(&mut self, from: BankId, plan: PreparePlan, out: &mut Vec<Effect>) {
        let ballot = plan.ballot;
        if !self.is_obeyed(from, ballot) {
            return self.refuse(from, ballot, out);
        }
        if !self.may_begin(&plan) {
            self.complain(from, Impossible::Plan, out);
            return self.refuse(from, ballot, out);
        }
        match self.phase() {
            _ if self.is_free_for_a_plan() => match self.can_begin(&plan) {
                true => self.begin_fetching(plan, out),
                false => self.refuse(from, ballot, out),
            },
            PhaseName::Fetching | PhaseName::Writing => {
                let progress = self.headway.progress;
                self.send(from, ViewMessage::Working { ballot, progress }, out);
            }
            PhaseName::Ready | PhaseName::Active => {
                self.headway.step();
                self.send(from, ViewMessage::Ready(ballot), out);
            }
            _ => {}
        }
    }

    /// Whether the node waits for a coordinator's plan, and is not working on one yet.
    fn is_free_for_a_plan(&self) -> bool {
        matches!(self.phase(), PhaseName::Promised | PhaseName::Outside)
    }

    fn can_begin(&self, plan: &PreparePlan) -> bool {
        // This bank may have acted in the view before it was restarted, and would begin it again
        // with old counters and without the events that it acknowledged since. It comes back in
        // with a later view.
        let was_prepared = plan.ballot == self.disk.prepared;
        // What was executed here after this bank's answer is not in the plan: the coordinator must
        // ask again.
        let covers = |interim: &Interim| interim.state.position <= plan.position;
        !was_prepared && self.phase.interim().is_some_and(covers)
    }

    fn begin_fetching(&mut self, mut plan: PreparePlan, out: &mut Vec<Effect>) {
        plan.signed_from = self.signed_from(&plan);
        if let Some(interim) = self.phase.interim_mut() {
            interim.begin_fetching(plan);
            self.headway = Headway::default();
            self.fetch(out);
        }
    }

    /// Asks for what is missing; when nothing is, writes the prepared view.
    pub(super) fn fetch(&mut self, out: &mut Vec<Effect>) {
        let me = self.me;
        let Some(interim) = self.phase.interim_mut() else { return };
        match interim.lack(me) {
            None => {}
            Some(Lack::Journal) => self.ask_for_plan(out),
            Some(Lack::Events(missing)) => self.ask_for_events(missing, out),
            Some(Lack::Nothing) => self.write_prepared(out),
            Some(Lack::Overtaken) => {
                interim.go_outside();
                let ballot = self.disk.promised;
                self.refuse(ballot.coordinator, ballot, out);
            }
            Some(Lack::Impossible) => {
                interim.go_outside();
                let ballot = self.disk.promised;
                self.complain(ballot.coordinator, Impossible::Plan, out);
                self.refuse(ballot.coordinator, ballot, out);
            }
        }
    }

    fn ask_for_events(&mut self, of: BTreeMap<BankId, Vec<OrderKey>>, out: &mut Vec<Effect>) {
        self.transfer.wait_for_answer();
        let ballot = self.disk.promised;
        for (holder, keys) in of {
            self.send(holder, ViewMessage::FetchEvents { ballot, keys }, out);
        }
    }

    /// A member asks for events of the flush.
    pub(super) fn give_events(
        &mut self,
        to: BankId,
        ballot: Ballot,
        keys: &[OrderKey],
        out: &mut Vec<Effect>,
    ) {
        if ballot == self.disk.promised {
            let held_among = |interim: &Interim| interim.held_among(keys);
            let events = self.phase.interim().map(held_among).unwrap_or_default();
            self.send(to, ViewMessage::Events { ballot, events }, out);
        }
    }

    pub(super) fn events(
        &mut self,
        from: BankId,
        ballot: Ballot,
        events: Vec<WireHeld>,
        out: &mut Vec<Effect>,
    ) {
        if ballot != self.disk.promised {
            return;
        }
        let events = self.genuine(from, events, out);
        // After an answer that brought nothing new, the events are asked for again in a while, not
        // at once.
        let interim = self.phase.interim_mut();
        if interim.is_some_and(|interim| interim.take(events)) {
            self.transfer.answered();
            self.headway.go_on();
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
        let Some(interim) = self.phase.interim_mut() else { return };
        interim.replayed(position, hash, executed);
        if let Some(ballot) = interim.end_replay() {
            self.stop_now(ballot, out);
        } else if self.phase() == PhaseName::Fetching {
            self.headway.go_on();
            self.fetch(out);
        } else {
            self.caught_up_further(out);
        }
    }

    /// Handles a `STOP` that had to wait.
    pub(super) fn stop_now(&mut self, ballot: Ballot, out: &mut Vec<Effect>) {
        if ballot > self.disk.promised {
            self.promise(ballot, out);
        }
    }

    fn write_prepared(&mut self, out: &mut Vec<Effect>) {
        let complete = self.phase.interim_mut().and_then(Interim::begin_writing);
        let Some(Complete { plan, fetched, dropped }) = complete else { return };
        self.disk.prepare(&plan, self.banks);
        self.headway.go_on();
        out.push(Effect::Journal(JournalInput::Prepare {
            prepared: plan,
            fetched,
            dropped,
            learner: self.disk.learner,
        }));
    }

    pub(super) fn prepared_on_disk(&mut self, ballot: Ballot, out: &mut Vec<Effect>) {
        if ballot != self.disk.promised {
            return;
        }
        if self.phase.interim_mut().is_some_and(Interim::written) {
            self.headway.step();
            self.send(ballot.coordinator, ViewMessage::Ready(ballot), out);
        }
    }

    pub(super) fn start(&mut self, ballot: Ballot, out: &mut Vec<Effect>) {
        if ballot != self.disk.promised {
            return;
        }
        let Some((plan, interim)) = self.phase.begin() else { return };
        self.headway.step();
        if self.disk.begin(self.banks) {
            out.push(Effect::Journal(JournalInput::Counts));
        }
        let Interim { state, fates, not_begun, .. } = interim;
        self.bar(not_begun.difference(plan.members));
        self.coordination.fruitless = 0;
        self.tell_who_came_and_went(plan.members, out);
        self.last_in_force = Some((plan.ballot, plan.members));
        self.begin_with(plan.members);
        out.push(Effect::Heartbeat(HeartbeatInput::Began(plan.members)));
        out.push(Effect::Clock(ClockInput::Install(Installed { plan, flush: state.held, fates })));
    }

    /// Resets what is known of the other banks for a view of these members.
    fn begin_with(&mut self, members: BankSet) {
        for bank in BankId::all(self.banks) {
            self.peers[bank.index()].begin(members.contains(bank));
        }
        let heard = self.heard();
        for bank in BankId::all(self.banks) {
            self.peers[bank.index()].status = match heard.contains(bank) {
                true => MemberStatus::Here,
                false => MemberStatus::Away(Cause::Unheard),
            };
        }
    }

    fn tell_who_came_and_went(&self, members: BankSet, out: &mut Vec<Effect>) {
        let Some((_, before)) = self.last_in_force else { return };
        for bank in before.difference(members).iter() {
            let cause = self.peers[bank.index()].why_it_left();
            out.push(Effect::Notice(Notice::Left(bank, cause)));
        }
        let came = members.difference(before);
        out.extend(came.iter().map(|bank| Effect::Notice(Notice::Joined(bank))));
    }
}
