//! One bank: the node's own [`View`], and a small version of what surrounds it.
//!
//! Clock, buffer and ledger are one here: they act in a view, or they are frozen. The journal
//! gathers writes and does all of them in one step, as group commit does; a crash before that loses
//! them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use netbanking::ids::{Ballot, BankId, ChainHash, Position};
use netbanking::protocol::effect::{
    ClockInput, Effect, JournalInput, LedgerInput, PeerInput, ViewInput,
};
use netbanking::protocol::event::Held;
use netbanking::protocol::execution::{Executions, JournalEntry};
use netbanking::protocol::order_key::OrderKey;
use netbanking::protocol::peer_state::{Cause, PeerState};
use netbanking::protocol::report::PeerReport;
use netbanking::protocol::vector_clock::VectorClock;
use netbanking::protocol::view::{Frozen, OnDisk, PhaseName, PreparePlan, View, ViewMessage};

pub(crate) const BANKS: usize = 3;

/// What outlives a crash.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Disk {
    pub(crate) promised: Ballot,
    pub(crate) prepared: PreparePlan,
    pub(crate) learner: bool,
    pub(crate) fresh: bool,
    /// Whether it has lost something that it once had.
    pub(crate) damaged: bool,
    /// Every event, executed or not.
    pub(crate) events: BTreeMap<OrderKey, Held>,
    /// Those that are known to be executed, in order.
    pub(crate) executed: Vec<OrderKey>,
}

impl Disk {
    pub(crate) fn blank() -> Self {
        let prepared = PreparePlan::default();
        let (promised, events, executed) = (Ballot::default(), BTreeMap::new(), Vec::new());
        Disk { promised, prepared, learner: false, fresh: false, damaged: false, events, executed }
    }

    fn log(&self) -> Vec<Held> {
        self.executed.iter().map(|key| self.events[key].clone()).collect()
    }

    /// What a node finds when it starts; see `recover` in `actors/node.rs`.
    fn recover(&self) -> OnDisk {
        let log = self.log();
        let last = self.executed.last();
        let held = self
            .events
            .values()
            .filter(|held| last.is_none_or(|last| held.event.order_key() > *last));
        let mut clock = self.prepared.clock.clone();
        clock.merge(&VectorClock::zero(BANKS));
        let of_last_view =
            self.events.values().filter(|held| held.event.view == self.prepared.ballot);
        of_last_view.for_each(|held| clock.merge(&held.event.timestamp));
        OnDisk {
            promised: self.promised,
            prepared: self.prepared.clone(),
            learner: self.learner,
            fresh: self.fresh,
            rescue: false,
            arriving: None,
            signed_from: None,
            state: Frozen { clock, ..frozen(self.promised, &log, held.cloned().collect()) },
        }
    }
}

/// Something that the journal has been told to do and has not done yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Write {
    Executed(OrderKey),
    Replayed(Vec<Held>),
    Promise(Frozen),
    Prepare { prepared: PreparePlan, fetched: Vec<Held>, dropped: Vec<OrderKey>, learner: bool },
    Counts,
    Forgotten,
    Read { to: BankId, after: Position },
}

/// What a step of a bank lets the world see.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) said: Vec<(BankId, ViewMessage)>,
    pub(crate) started: Vec<PreparePlan>,
    /// Index in the bank's log, and the event.
    pub(crate) executed: Vec<(usize, OrderKey)>,
    pub(crate) broken: Option<&'static str>,
}

impl Seen {
    pub(crate) fn is_nothing(&self) -> bool {
        let Seen { said, started, executed, broken } = self;
        said.is_empty() && started.is_empty() && executed.is_empty() && broken.is_none()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bank {
    me: BankId,
    /// `None` while the process does not run.
    view: Option<View>,
    pub(crate) disk: Disk,
    journal: Vec<Write>,
    /// The view in which clock, buffer and ledger act.
    acting: Option<PreparePlan>,
    /// Events of that view that are here, on disk, and not executed, in key order.
    held: Vec<Held>,
    /// The clock that covers them.
    clock: VectorClock,
    /// What the ledger has executed.
    log: Vec<Held>,
}

impl Bank {
    /// A bank whose process does not run.
    pub(crate) fn stopped(me: BankId, disk: Disk) -> Self {
        let (journal, held, log) = (Vec::new(), Vec::new(), Vec::new());
        Bank {
            me,
            view: None,
            disk,
            journal,
            acting: None,
            held,
            clock: VectorClock::zero(BANKS),
            log,
        }
    }

    pub(crate) fn runs(&self) -> bool {
        self.view.is_some()
    }

    pub(crate) fn view(&self) -> &View {
        self.view.as_ref().expect("only banks that run are asked")
    }

    pub(crate) fn report(&self) -> PeerReport {
        self.view().report()
    }

    pub(crate) fn acting(&self) -> Option<&PreparePlan> {
        self.acting.as_ref()
    }

    pub(crate) fn log(&self) -> impl Iterator<Item = OrderKey> {
        self.log.iter().map(|held| held.event.order_key())
    }

    pub(crate) fn has_to_write(&self) -> bool {
        self.journal.iter().any(|write| !matches!(write, Write::Executed(_)))
    }

    pub(crate) fn has_unwritten_marks(&self) -> bool {
        matches!(self.journal.first(), Some(Write::Executed(_)))
    }

    /// What the bank is doing.
    pub(crate) fn doing(&self) -> impl PartialEq + use<> {
        (self.view().phase(), self.view().report().promised, self.journal.len())
    }

    pub(crate) fn start(&mut self) {
        self.view = Some(View::new(self.me, BANKS, self.disk.recover()));
        self.log = self.disk.log();
    }

    /// The process ends. Marks of execution are written when the disk has time, so they may or may
    /// not be there.
    pub(crate) fn crash(&mut self, marks_written: bool) {
        if marks_written {
            let marks: Vec<_> = self
                .journal
                .iter()
                .map_while(|write| if let Write::Executed(key) = write { Some(*key) } else { None })
                .collect();
            self.disk.executed.extend(marks);
        }
        *self = Bank::stopped(self.me, self.disk.clone());
    }

    pub(crate) fn holds(&self, key: OrderKey) -> bool {
        self.disk.events.contains_key(&key)
    }

    /// Whether the bank can take the event in now: it acts in the event's view, and has everything
    /// that the event follows.
    pub(crate) fn awaits(&self, held: &Held) -> bool {
        let event = &held.event;
        let next = |(bank, counter): (BankId, u64)| {
            if bank == event.sender {
                counter == self.clock.get(bank) + 1
            } else {
                counter <= self.clock.get(bank)
            }
        };
        self.acting.as_ref().is_some_and(|plan| plan.ballot == event.view)
            && event.timestamp.iter().all(next)
    }

    /// Takes an event in and writes it.
    pub(crate) fn take(&mut self, held: &Held) {
        self.clock.merge(&held.event.timestamp);
        self.held.push(held.clone());
        self.held.sort_by_key(|held| held.event.order_key());
        self.disk.events.insert(held.event.order_key(), held.clone());
    }

    /// The event that would be executed next in the view in force.
    pub(crate) fn first_held(&self) -> Option<&Held> {
        self.held.first().filter(|_| self.acting.is_some())
    }

    pub(crate) fn execute_first(&mut self, seen: &mut Seen) {
        let held = self.held.remove(0);
        self.execute(held, seen);
    }

    fn execute(&mut self, held: Held, seen: &mut Seen) {
        let key = held.event.order_key();
        if self.log.last().is_some_and(|last| last.event.order_key() >= key) {
            seen.broken = Some("keys only grow");
        }
        seen.executed.push((self.log.len(), key));
        self.log.push(held);
        self.journal.push(Write::Executed(key));
    }

    /// Takes what the heartbeat says about another bank; `None` when that bank is not heard.
    pub(crate) fn hear(&mut self, bank: BankId, report: Option<PeerReport>, seen: &mut Seen) {
        let state = if report.is_some() { PeerState::Up } else { PeerState::Down(Cause::Lost) };
        if self.view().peer(bank) != (state, report) {
            self.give(ViewInput::Peer { bank, state, report }, seen);
        }
    }

    pub(crate) fn give(&mut self, input: ViewInput, seen: &mut Seen) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let mut out = Vec::new();
            self.view
                .as_mut()
                .expect("only banks that run are told anything")
                .handle(input, &mut out);
            for effect in out {
                inputs.extend(self.carry_out(effect, seen));
            }
        }
        if self.view().phase() == PhaseName::Diverged {
            seen.broken = Some("no copy of the ledger differs here");
        }
    }

    fn carry_out(&mut self, effect: Effect, seen: &mut Seen) -> Option<ViewInput> {
        match effect {
            Effect::Peer(to, PeerInput::View(message)) => seen.said.push((to, message)),
            Effect::Clock(ClockInput::Freeze(ballot)) => {
                // What is held is on disk already, and the promise is written after it.
                let held = std::mem::take(&mut self.held);
                let clock = self.clock.clone();
                self.acting = None;
                self.journal
                    .push(Write::Promise(Frozen { clock, ..frozen(ballot, &self.log, held) }));
            }
            Effect::Clock(ClockInput::Install(installed)) => {
                self.clock = installed.plan.clock.clone();
                self.held.clear();
                installed.flush.into_iter().for_each(|held| self.execute(held, seen));
                self.acting = Some(installed.plan.clone());
                seen.started.push(installed.plan);
            }
            Effect::Ledger(LedgerInput::Replay(entries)) => return self.replay(entries, seen),
            Effect::Journal(JournalInput::Read { to, after, .. }) if !self.has_to_write() => {
                return Some(self.read(to, after));
            }
            Effect::Journal(input) => self.journal.push(match input {
                JournalInput::Promise(frozen) => Write::Promise(frozen),
                JournalInput::Prepare { prepared, fetched, dropped, learner } => {
                    Write::Prepare { prepared, fetched, dropped, learner }
                }
                JournalInput::Counts => Write::Counts,
                JournalInput::Read { to, after, .. } => Write::Read { to, after },
                JournalInput::Forgotten => {
                    if !self.disk.damaged {
                        seen.broken =
                            Some("an intact disk is not taken for one that has forgotten");
                    }
                    Write::Forgotten
                }
                other => unreachable!("there are no snapshots here: {other:?}"),
            }),
            _ => {}
        }
        None
    }

    fn replay(&mut self, entries: Vec<JournalEntry>, seen: &mut Seen) -> Option<ViewInput> {
        let mut replayed = Vec::new();
        for JournalEntry { held, position, hash } in entries {
            let index = self.log.len();
            let key = held.event.order_key();
            let grows = self.log.last().is_none_or(|last| last.event.order_key() < key);
            self.log.push(held.clone());
            replayed.push(held);
            if !grows || (self.position(), hash_of(&self.log)) != (position, hash) {
                return Some(ViewInput::Diverged { with: self.me, position });
            }
            seen.executed.push((index, key));
        }
        self.journal.push(Write::Replayed(replayed));
        None
    }

    fn position(&self) -> Position {
        Position(self.log.len() as u64)
    }

    /// Writes everything that the journal has gathered to disk, and then tells the view.
    pub(crate) fn write(&mut self, seen: &mut Seen) {
        let mut answers = Vec::new();
        let mut reads = Vec::new();
        for write in std::mem::take(&mut self.journal) {
            answers.extend(match write {
                Write::Executed(key) => {
                    self.disk.executed.push(key);
                    None
                }
                Write::Replayed(entries) => {
                    for held in entries {
                        let key = held.event.order_key();
                        self.disk.events.insert(key, held);
                        self.disk.executed.push(key);
                    }
                    let Frozen { position, hash, executed, .. } =
                        frozen(self.disk.promised, &self.disk.log(), vec![]);
                    executed.map(|executed| ViewInput::Replayed { position, hash, executed })
                }
                Write::Promise(frozen) => {
                    if frozen.ballot < self.disk.promised {
                        seen.broken = Some("a promise on disk never goes back");
                    }
                    self.disk.promised = frozen.ballot;
                    Some(ViewInput::Frozen(frozen))
                }
                Write::Prepare { prepared, fetched, dropped, learner } => {
                    self.disk.fresh = learner && (self.disk.fresh || !self.disk.learner);
                    self.disk.learner = learner;
                    Some(self.write_prepared(prepared, fetched, &dropped, seen))
                }
                Write::Counts => {
                    (self.disk.learner, self.disk.fresh) = (false, false);
                    None
                }
                Write::Forgotten => {
                    (self.disk.learner, self.disk.fresh) = (true, false);
                    None
                }
                Write::Read { to, after } => {
                    reads.push((to, after));
                    None
                }
            });
        }
        answers.into_iter().for_each(|answer| self.give(answer, seen));
        for (to, after) in reads {
            let read = self.read(to, after);
            self.give(read, seen);
        }
    }

    fn write_prepared(
        &mut self,
        prepared: PreparePlan,
        fetched: Vec<Held>,
        dropped: &[OrderKey],
        seen: &mut Seen,
    ) -> ViewInput {
        let disk = &mut self.disk;
        if prepared.ballot != disk.promised || prepared.ballot < disk.prepared.ballot {
            seen.broken =
                Some("a view is prepared under its own promise, and later than the last one");
        }
        let ballot = prepared.ballot;
        dropped.iter().for_each(|key| {
            disk.events.remove(key);
        });
        disk.events.extend(fetched.into_iter().map(|held| (held.event.order_key(), held)));
        disk.prepared = prepared;
        ViewInput::Prepared(ballot)
    }

    /// Reading comes after writing, so marks of execution that were gathered are there by then.
    fn read(&mut self, to: BankId, after: Position) -> ViewInput {
        for write in std::mem::take(&mut self.journal) {
            match write {
                Write::Executed(key) => self.disk.executed.push(key),
                other => self.journal.push(other),
            }
        }
        let log = self.disk.log();
        let entry = |index: usize| JournalEntry {
            held: log[index].clone(),
            position: Position(index as u64 + 1),
            hash: hash_of(&log[..=index]),
        };
        let from = usize::try_from(after.0).expect("a journal of a few events");
        let hash_before = (from <= log.len()).then(|| hash_of(&log[..from]));
        let entries = (from..log.len()).map(entry).collect();
        ViewInput::JournalRead { to, after, entries, hash_before, starts_after: Position(0) }
    }
}

fn hash_of(log: &[Held]) -> ChainHash {
    let mut hash = ChainHash::default();
    if !log.is_empty() {
        let mut hasher = DefaultHasher::new();
        log.hash(&mut hasher);
        hash.0[..8].copy_from_slice(&hasher.finish().to_be_bytes());
    }
    hash
}

/// What is held beyond an executed log; the caller sets the clock.
fn frozen(ballot: Ballot, log: &[Held], held: Vec<Held>) -> Frozen {
    let mut executed: Option<Executions> = None;
    log.iter().for_each(|held| Executions::count(&mut executed, held));
    let (position, hash) = (Position(log.len() as u64), hash_of(log));
    Frozen { ballot, held, clock: VectorClock::zero(BANKS), position, hash, executed }
}
