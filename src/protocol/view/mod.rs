//! The view: which banks act together, and how they change over without losing or doubling anything.
//!
//! Source: the seed's two phases, stop the network and release it, made safe in the manner of L. Lamport's Paxos
//! (promises to ballots) and of the flush in virtual synchrony (K. Birman, T. Joseph, 1987):
//!
//! ```text
//! coordinator  STOP ──▶ all   promise and freeze, both on disk      ──▶ STOPPED what I executed and hold
//!              PREPARE ──▶    fetch what is missing of P and U; fsync ──▶ READY
//!              START ──▶      execute U, set clock and matrix to F, go on
//! ```
//!
//! While no view is in force here, `state` is the authority on what the node holds; while one is, its parts are.
//! In this version all banks of `nodes.json` must be present, and the lowest-numbered one coordinates.

mod coordinator;
mod message;

use std::collections::{BTreeMap, VecDeque};

pub use message::{PreparePlan, Stopped, ViewMessage, WireEntry, WireHeld};

use self::coordinator::Coordination;
use super::effect::{
    ClockInput, Effect, Frozen, Installed, JournalEntry, JournalInput, LedgerInput, Millis, Notice, PeerInput,
    PeerReport, ViewInput,
};
use super::event::Held;
use super::ids::{Ballot, BankId, BankSet, ChainHash, Position};
use super::order_key::OrderKey;

/// How often an unanswered message of the view change is said again, in milliseconds.
pub const RESEND_MS: Millis = 300;
/// How long a member may report another view before it is counted as away, in milliseconds: its report may be older
/// than the view.
pub const DOUBT_MS: Millis = 3_000;
/// Highest round that is promised: a broken peer must not use up all numbers.
pub const ROUND_MAX: u64 = 1 << 62;
/// Most events asked of one bank in one message.
pub const FETCH_EVENTS_MAX: usize = 256;
/// Bytes of events after which the answer to that ends.
pub const FETCH_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Where this node stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// In no view; waits for a `STOP`.
    Outside,
    /// The node's parts are freezing for the promised ballot.
    Freezing,
    /// The promise is on its way to the disk.
    Promising,
    /// Promised and answered.
    Promised,
    /// Fetching what the plan names and this bank lacks.
    Fetching,
    /// The plan is on its way to the disk.
    Writing,
    /// Everything is on disk; waits for `START`.
    Ready,
    /// The view is in force.
    Active,
    /// This copy of the ledger is not to be trusted: writes have ended for good.
    Diverged,
}

/// What is known of a member of the view in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Here,
    /// Reports another view, since then.
    Doubtful(Millis),
    Away,
}

/// One node's part in views.
#[derive(Debug)]
pub struct View {
    me: BankId,
    banks: usize,
    promised: Ballot,
    /// The last prepared view.
    prepared: Ballot,
    phase: Phase,
    /// What the node holds, while no view is in force here.
    state: Frozen,
    /// The plan that is being fetched, written, ready or in force.
    plan: PreparePlan,
    /// Events of the plan that were fetched.
    fetched: BTreeMap<OrderKey, Held>,
    /// Fetched journal entries are being executed.
    replaying: bool,
    /// A `STOP` that came while entries were being executed.
    stop_later: Option<Ballot>,
    last_asked: Millis,
    reports: Vec<Option<PeerReport>>,
    standings: Vec<Standing>,
    /// Whether the clock was last told that all members are here.
    reachable: bool,
    coordination: Option<Coordination>,
    /// Highest round heard of in a refusal.
    round_seen: u64,
    /// Messages to itself, handled before anything else.
    inbox: VecDeque<ViewMessage>,
}

impl View {
    /// A node that has just started, with what its disk holds.
    #[must_use]
    pub fn new(me: BankId, banks: usize, promised: Ballot, prepared: Ballot, state: Frozen) -> Self {
        View {
            me,
            banks,
            promised,
            prepared,
            phase: Phase::Outside,
            state,
            plan: PreparePlan::default(),
            fetched: BTreeMap::new(),
            replaying: false,
            stop_later: None,
            last_asked: 0,
            reports: vec![None; banks],
            standings: vec![Standing::Away; banks],
            reachable: false,
            coordination: None,
            round_seen: 0,
            inbox: VecDeque::new(),
        }
    }

    /// Where the node stands.
    #[must_use]
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// The view in force, if any, with its members.
    #[must_use]
    pub fn active(&self) -> Option<(Ballot, BankSet)> {
        (self.phase == Phase::Active).then_some((self.plan.ballot, self.plan.members))
    }

    /// Whether the node takes writes: a view is in force and all its members answer.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Active && self.reachable
    }

    /// Whether a peer answers.
    #[must_use]
    pub fn hears(&self, bank: BankId) -> bool {
        bank == self.me || self.reports[bank.index()].is_some()
    }

    /// What this node says of itself to others.
    #[must_use]
    pub fn report(&self) -> PeerReport {
        PeerReport { active: self.active().map(|(ballot, _)| ballot), promised: self.promised }
    }

    /// Takes one input; see [`ViewInput`].
    pub fn handle(&mut self, input: ViewInput, now: Millis, out: &mut Vec<Effect>) {
        if self.phase == Phase::Diverged {
            return;
        }
        match input {
            ViewInput::Message(from, message) => self.message(from, message, now, out),
            ViewInput::Peer { bank, report } => self.peer(bank, report, now, out),
            ViewInput::Frozen(frozen) => self.frozen(frozen, out),
            ViewInput::Replayed { position, hash, last } => self.replayed(position, hash, last, now, out),
            ViewInput::Prepared(ballot) => self.prepared_on_disk(ballot, out),
            ViewInput::JournalRead { to, ballot, entries } => {
                let entries = entries.iter().map(WireEntry::from).collect();
                self.send(to, ViewMessage::JournalPiece { ballot, entries }, out);
            }
            ViewInput::Diverged { with, position } => self.diverged(with, position, out),
            ViewInput::Tick => self.tick(now, out),
        }
        while let Some(message) = self.inbox.pop_front() {
            self.message(self.me, message, now, out);
        }
        self.tell_reachable(now, out);
    }

    fn send(&mut self, to: BankId, message: ViewMessage, out: &mut Vec<Effect>) {
        if to == self.me {
            self.inbox.push_back(message);
        } else {
            out.push(Effect::Peer(to, PeerInput::View(message)));
        }
    }

    fn message(&mut self, from: BankId, message: ViewMessage, now: Millis, out: &mut Vec<Effect>) {
        match message {
            ViewMessage::Stop(ballot) => self.stop(from, ballot, out),
            ViewMessage::Stopped(stopped) => self.coordinate_stopped(from, stopped, now, out),
            ViewMessage::Refused(promised) => self.coordinate_refused(promised),
            ViewMessage::Prepare(plan) => self.prepare(from, plan, now, out),
            ViewMessage::Ready(ballot) => self.coordinate_ready(from, ballot, now, out),
            ViewMessage::Working(ballot) => self.coordinate_working(ballot, now),
            ViewMessage::Start(ballot) => self.start(ballot, out),
            ViewMessage::FetchJournal { ballot, after } if ballot == self.promised => {
                out.push(Effect::Journal(JournalInput::Read { to: from, ballot, after }));
            }
            ViewMessage::FetchEvents { ballot, keys } if ballot == self.promised => {
                let events = self.held_among(&keys);
                self.send(from, ViewMessage::Events { ballot, events }, out);
            }
            ViewMessage::JournalPiece { ballot, entries } => self.journal_piece(ballot, entries, out),
            ViewMessage::Events { ballot, events } => self.events(ballot, events, now, out),
            ViewMessage::FetchJournal { .. } | ViewMessage::FetchEvents { .. } => {}
        }
    }

    /// Events of the flush that a member lacks, as many as fit into one message: it asks again for the rest.
    fn held_among(&self, keys: &[OrderKey]) -> Vec<WireHeld> {
        let mut bytes = 0;
        let wanted = self.state.held.iter().filter(|held| keys.contains(&held.event.order_key()));
        let fitting = wanted.take_while(|held| {
            let fits = bytes < FETCH_BYTES_MAX;
            bytes += held.event.wire().get().len();
            fits
        });
        fitting.map(WireHeld::from).collect()
    }

    fn stop(&mut self, from: BankId, ballot: Ballot, out: &mut Vec<Effect>) {
        if ballot < self.promised || ballot.coordinator != from || ballot.round > ROUND_MAX {
            let promised = self.promised;
            return self.send(from, ViewMessage::Refused(promised), out);
        }
        if ballot == self.promised {
            if self.phase == Phase::Promised {
                self.answer_stop(out);
            }
            return;
        }
        if self.replaying {
            self.stop_later = Some(ballot);
            return;
        }
        out.push(Effect::Notice(Notice::Stopping(ballot)));
        self.promised = ballot;
        if self.phase == Phase::Active {
            self.phase = Phase::Freezing;
            out.push(Effect::Clock(ClockInput::Freeze(ballot)));
        } else if self.phase == Phase::Freezing {
            // The parts are frozen already or will be; the promise is written once their state is known.
        } else {
            self.phase = Phase::Promising;
            self.state.ballot = ballot;
            out.push(Effect::Journal(JournalInput::Promise(self.state.clone())));
        }
    }

    /// The promise is on disk, and with a first freeze the node's parts have told what they hold.
    fn frozen(&mut self, frozen: Frozen, out: &mut Vec<Effect>) {
        let overtaken = frozen.ballot != self.promised;
        if self.phase == Phase::Freezing {
            self.state = frozen;
            if overtaken {
                self.phase = Phase::Promising;
                self.state.ballot = self.promised;
                out.push(Effect::Journal(JournalInput::Promise(self.state.clone())));
                return;
            }
        } else if overtaken || self.phase != Phase::Promising {
            return;
        }
        self.phase = Phase::Promised;
        if self.promised.coordinator == self.me {
            self.coordinate_stop_others(out);
        }
        self.answer_stop(out);
    }

    fn answer_stop(&mut self, out: &mut Vec<Effect>) {
        let stopped = Stopped {
            ballot: self.promised,
            prepared: self.prepared,
            position: self.state.position,
            hash: self.state.hash,
            last: self.state.last,
            held: self.state.held.iter().map(|held| held.event.order_key()).collect(),
            clock: self.state.clock.clone(),
        };
        self.send(self.promised.coordinator, ViewMessage::Stopped(stopped), out);
    }

    fn prepare(&mut self, from: BankId, plan: PreparePlan, now: Millis, out: &mut Vec<Effect>) {
        let fits = plan.fits(self.banks) && plan.members.contains(self.me);
        if plan.ballot != self.promised || plan.ballot.coordinator != from || !fits {
            let promised = self.promised;
            return self.send(from, ViewMessage::Refused(promised), out);
        }
        match self.phase {
            Phase::Promised => {
                if self.state.position < plan.position {
                    out.push(Effect::Notice(Notice::CatchingUp(self.state.position, plan.position)));
                }
                self.phase = Phase::Fetching;
                self.plan = plan;
                self.fetched.clear();
                self.fetch(now, out);
            }
            Phase::Fetching | Phase::Writing => self.send(from, ViewMessage::Working(self.promised), out),
            Phase::Ready => self.send(from, ViewMessage::Ready(self.promised), out),
            _ => {}
        }
    }

    /// Asks for what is missing; when nothing is, writes the prepared view.
    fn fetch(&mut self, now: Millis, out: &mut Vec<Effect>) {
        if self.phase != Phase::Fetching || self.replaying {
            return;
        }
        self.last_asked = now;
        let ballot = self.promised;
        if self.state.position < self.plan.position {
            let after = self.state.position;
            return self.send(self.plan.source, ViewMessage::FetchJournal { ballot, after }, out);
        }
        if (self.state.position, self.state.hash) != (self.plan.position, self.plan.hash) {
            return self.diverged(self.plan.source, self.plan.position, out);
        }
        let missing = self.missing_events();
        if missing.is_empty() {
            return self.write_prepared(out);
        }
        for (holder, keys) in missing {
            self.send(holder, ViewMessage::FetchEvents { ballot, keys }, out);
        }
    }

    fn missing_events(&self) -> BTreeMap<BankId, Vec<OrderKey>> {
        let mut missing: BTreeMap<BankId, Vec<OrderKey>> = BTreeMap::new();
        let have: BTreeMap<_, _> = self.state.held.iter().map(|held| (held.event.order_key(), ())).collect();
        for (key, holder) in &self.plan.events {
            let asked = missing.entry(*holder).or_default();
            if !have.contains_key(key) && !self.fetched.contains_key(key) && asked.len() < FETCH_EVENTS_MAX {
                asked.push(*key);
            }
        }
        missing.retain(|_, keys| !keys.is_empty());
        missing
    }

    fn journal_piece(&mut self, ballot: Ballot, entries: Vec<WireEntry>, out: &mut Vec<Effect>) {
        if ballot != self.promised || self.phase != Phase::Fetching || self.replaying {
            return;
        }
        let Ok(entries) = entries.into_iter().map(WireEntry::read).collect::<Result<Vec<JournalEntry>, _>>() else {
            return;
        };
        let starts_here =
            |entry: &JournalEntry| entry.position.0 == self.state.position.0 + entry.held.event.requests.len() as u64;
        // A piece asked for twice may come twice.
        if entries.first().is_some_and(starts_here) {
            self.replaying = true;
            out.push(Effect::Ledger(LedgerInput::Replay(entries)));
        }
    }

    fn replayed(&mut self, position: Position, hash: ChainHash, last: OrderKey, now: Millis, out: &mut Vec<Effect>) {
        self.replaying = false;
        (self.state.position, self.state.hash, self.state.last) = (position, hash, Some(last));
        self.state.held.retain(|held| held.event.order_key() > last);
        match self.stop_later.take() {
            Some(ballot) => self.stop(ballot.coordinator, ballot, out),
            None => self.fetch(now, out),
        }
    }

    fn events(&mut self, ballot: Ballot, events: Vec<WireHeld>, now: Millis, out: &mut Vec<Effect>) {
        if ballot != self.promised || self.phase != Phase::Fetching {
            return;
        }
        let before = self.fetched.len();
        for held in events.into_iter().filter_map(|wire| wire.read().ok()) {
            let key = held.event.order_key();
            if self.plan.events.iter().any(|(planned, _)| *planned == key) {
                self.fetched.insert(key, held);
            }
        }
        // An answer that brought nothing is asked for again in a while, not at once.
        if self.fetched.len() > before {
            self.fetch(now, out);
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
        self.prepared = self.plan.ballot;
        self.phase = Phase::Writing;
        let dropped = dropped.iter().map(|held| held.event.order_key()).collect();
        out.push(Effect::Journal(JournalInput::Prepare { prepared: self.plan.clone(), fetched, dropped }));
    }

    fn prepared_on_disk(&mut self, ballot: Ballot, out: &mut Vec<Effect>) {
        if self.phase == Phase::Writing && ballot == self.promised {
            self.phase = Phase::Ready;
            self.send(ballot.coordinator, ViewMessage::Ready(ballot), out);
        }
    }

    fn start(&mut self, ballot: Ballot, out: &mut Vec<Effect>) {
        if self.phase != Phase::Ready || ballot != self.promised {
            return;
        }
        self.phase = Phase::Active;
        let standing = |bank| if self.hears(bank) { Standing::Here } else { Standing::Away };
        self.standings = BankId::all(self.banks).map(standing).collect();
        // Told once it is known, below.
        self.reachable = false;
        let flush = std::mem::take(&mut self.state.held);
        out.push(Effect::Clock(ClockInput::Install(Installed { plan: self.plan.clone(), flush })));
    }

    fn peer(&mut self, bank: BankId, report: Option<PeerReport>, now: Millis, out: &mut Vec<Effect>) {
        let before = std::mem::replace(&mut self.reports[bank.index()], report);
        match (before.is_some(), report.is_some()) {
            (false, true) => out.push(Effect::Notice(Notice::PeerUp(bank))),
            (true, false) => out.push(Effect::Notice(Notice::PeerDown(bank))),
            _ => {}
        }
        let Some((ballot, _)) = self.active() else { return };
        let standing = &mut self.standings[bank.index()];
        *standing = match (report, *standing) {
            (None, _) => Standing::Away,
            (Some(report), _) if report.active == Some(ballot) => Standing::Here,
            (Some(_), Standing::Here) => Standing::Doubtful(now),
            (Some(_), standing) => standing,
        };
    }

    fn tell_reachable(&mut self, now: Millis, out: &mut Vec<Effect>) {
        let Some((ballot, members)) = self.active() else {
            self.reachable = false;
            return;
        };
        for standing in &mut self.standings {
            if matches!(standing, Standing::Doubtful(since) if now.saturating_sub(*since) >= DOUBT_MS) {
                *standing = Standing::Away;
            }
        }
        let reachable = !members.iter().any(|bank| self.standings[bank.index()] == Standing::Away);
        if reachable != self.reachable {
            self.reachable = reachable;
            out.push(Effect::Clock(ClockInput::Reachable(reachable)));
            out.push(Effect::Notice(if reachable { Notice::Ready(ballot, members) } else { Notice::NotReady }));
        }
    }

    fn diverged(&mut self, with: BankId, position: Position, out: &mut Vec<Effect>) {
        self.phase = Phase::Diverged;
        self.reachable = false;
        self.coordination = None;
        out.push(Effect::Clock(ClockInput::Freeze(self.promised)));
        out.push(Effect::Notice(Notice::Diverged(with, position)));
    }

    fn tick(&mut self, now: Millis, out: &mut Vec<Effect>) {
        if self.phase == Phase::Fetching && now.saturating_sub(self.last_asked) >= RESEND_MS {
            self.fetch(now, out);
        }
        self.coordinate(now, out);
    }
}

#[cfg(test)]
mod tests;
