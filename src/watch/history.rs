//! The history: takes facts in and remembers, for each event, what happened to it and when.

use std::collections::{BTreeMap, BTreeSet};

use super::pace::Pace;
use super::timeline::Timeline;
use super::{BankState, Fact, Micros, Seen, Timed, Vitals};
use crate::ids::{Ballot, BankId, BankSet, Position};
use crate::protocol::notice::Notice;
use crate::protocol::order_key::OrderKey;
use crate::protocol::vector_clock::VectorClock;

/// The most events that are remembered; the earliest in the order are forgotten first.
pub(crate) const EVENTS_MAX: usize = 1_024;
/// The most changes of one bank's clock or position that are remembered: there are a few per event.
const CHANGES_MAX: usize = 2 * EVENTS_MAX;
/// The most changes of views, states and notices that are remembered: they are rare.
const RARE_CHANGES_MAX: usize = 256;
/// How many records of the banks' health are kept: one per second for ten minutes.
const VITALS_MAX: usize = 600;

/// What happened to one event, as this node saw it.
#[derive(Clone, Debug)]
pub(super) struct Tracked {
    pub(super) seen: Seen,
    /// When it was stamped here, or came from its sender.
    pub(super) first: Micros,
    /// When it was taken in, that is, when everything before it was here too.
    pub(super) taken: Option<Micros>,
    /// This bank's clock before it took the event in, or stamped it, and after.
    pub(super) clocks: Option<(VectorClock, VectorClock)>,
    /// Per bank, when its acknowledgement was believed; for this bank, when it was on disk.
    pub(super) acknowledged: Vec<Option<Micros>>,
    /// When it was executed, through which position, and how many of its requests were done.
    pub(super) executed: Option<(Micros, Position, u32)>,
    /// When all members agreed on its result; known for own events only.
    pub(super) agreed: Option<Micros>,
    /// When a view began without it, so that it never existed.
    pub(super) void: Option<Micros>,
}

impl Tracked {
    fn new(seen: Seen, first: Micros, banks: usize) -> Self {
        Tracked {
            seen,
            first,
            taken: None,
            clocks: None,
            acknowledged: vec![None; banks],
            executed: None,
            agreed: None,
            void: None,
        }
    }

    /// Every moment at which it came to look different. What others have executed, and that all
    /// agree, is told in its story only.
    pub(super) fn moments(&self) -> impl Iterator<Item = Micros> + '_ {
        let executed = self.executed.map(|(at, ..)| at);
        let once = [Some(self.first), self.taken, executed, self.void];
        once.into_iter().chain(self.acknowledged.iter().copied()).flatten()
    }
}

/// Everything that is remembered.
#[derive(Debug)]
pub struct History {
    pub(super) me: BankId,
    pub(super) banks: usize,
    pub(super) events: BTreeMap<OrderKey, Tracked>,
    /// Events that are waiting. An executed event was acknowledged by all before.
    open: BTreeSet<OrderKey>,
    /// The view in force with its members; `None` while there is none.
    pub(super) views: Timeline<Option<(Ballot, BankSet)>>,
    /// What has been taken in.
    pub(super) held: Timeline<VectorClock>,
    /// Per bank, its durable clock.
    pub(super) durable: Vec<Timeline<VectorClock>>,
    /// Per bank, what it has executed through.
    pub(super) positions: Vec<Timeline<Position>>,
    pub(super) states: Timeline<Vec<BankState>>,
    pub(super) vitals: Timeline<Vec<Vitals>>,
    pub(super) notices: Timeline<Notice>,
    pub(super) pace: Pace,
    /// How many facts were dropped.
    pub(super) lost: u64,
    revision: u64,
}

impl History {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(me: BankId, banks: usize, position: Position) -> Self {
        let mut positions: Vec<_> = (0..banks).map(|_| Timeline::new(CHANGES_MAX)).collect();
        positions[me.index()].push(0, position);
        History {
            me,
            banks,
            events: BTreeMap::new(),
            open: BTreeSet::new(),
            views: Timeline::new(RARE_CHANGES_MAX),
            held: Timeline::new(CHANGES_MAX),
            durable: (0..banks).map(|_| Timeline::new(CHANGES_MAX)).collect(),
            positions,
            states: Timeline::new(RARE_CHANGES_MAX),
            vitals: Timeline::new(VITALS_MAX),
            notices: Timeline::new(RARE_CHANGES_MAX),
            pace: Pace::default(),
            lost: 0,
            revision: 0,
        }
    }

    /// Counts the facts taken in: as long as it is the same, a snapshot of the current state
    /// differs only in its time.
    #[must_use]
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// What is known of every bank now.
    #[must_use]
    pub fn states(&self) -> Option<&[BankState]> {
        self.states.last().map(Vec::as_slice)
    }

    /// The bank whose history it is.
    #[must_use]
    pub fn me(&self) -> BankId {
        self.me
    }

    /// The current health of every bank.
    #[must_use]
    pub(crate) fn vitals(&self) -> Option<&[Vitals]> {
        self.vitals.last().map(Vec::as_slice)
    }

    /// Takes facts in. Those of one part come in their order; parts may be given one after the
    /// other.
    pub(crate) fn absorb(&mut self, mut facts: Vec<Timed>) {
        facts.sort_by_key(|timed| timed.at);
        for Timed { at, fact } in facts {
            self.revision += 1;
            self.take(at, fact);
        }
    }

    fn take(&mut self, at: Micros, fact: Fact) {
        match fact {
            Fact::Stamped(seen) => self.stamped(at, seen),
            Fact::Received(seen) => {
                // An event that is sent again although it was taken in long ago is not news.
                let is_news = |seen: &Seen| {
                    self.held.last().is_none_or(|held| held.get(seen.key.sender) < seen.counter())
                };
                if self.fits(&seen) && is_news(&seen) {
                    self.track(at, seen);
                }
            }
            Fact::Taken(clock) => self.taken(at, clock),
            Fact::Durable(bank, clock) => self.durable(at, bank, clock),
            Fact::Frozen => self.views.push(at, None),
            Fact::Installed { view, members, clock, position, flush } => {
                self.installed(at, (view, members), clock, flush);
                members.iter().for_each(|bank| self.peer_executed(at, bank, position));
            }
            Fact::Executed { seen, position, done } => {
                self.pace.executed(at, seen.requests);
                self.executed(at, seen, position, done);
            }
            // Others had executed it before: it says nothing about the current pace.
            Fact::Recovered { seen, position, done } => self.executed(at, seen, position, done),
            Fact::Restored { through, position } => self.restored(at, through, position),
            Fact::PeerExecuted(bank, position) => self.peer_executed(at, bank, position),
            Fact::Agreed(counter) => self.agreed(at, counter),
            Fact::Banks(states) => self.states.push(at, states),
            Fact::Vitals(vitals) => self.vitals.push(at, vitals),
            Fact::Notice(notice) => self.notices.push(at, notice),
            Fact::Lost(count) => self.lost(at, count),
        }
    }

    /// Members of the view in force, or of the last one.
    fn members(&self) -> BankSet {
        let mut views = self.views.iter().rev();
        views.find_map(|(_, view)| *view).map(|(_, members)| members).unwrap_or_default()
    }

    /// The same at a moment.
    pub(super) fn members_at(&self, moment: Micros) -> BankSet {
        let mut views = self.views.iter().rev().filter(|(at, _)| *at <= moment);
        views.find_map(|(_, view)| *view).map(|(_, members)| members).unwrap_or_default()
    }

    /// Whether it speaks of the banks that there are: what came may have been refused.
    fn fits(&self, seen: &Seen) -> bool {
        seen.timestamp.len() == self.banks && seen.key.sender.index() < self.banks
    }

    fn track(&mut self, at: Micros, seen: Seen) -> Option<&mut Tracked> {
        if !self.fits(&seen) {
            return None;
        }
        let key = seen.key;
        if !self.events.contains_key(&key) {
            let mut tracked = Tracked::new(seen, at, self.banks);
            for bank in self.members().iter().filter(|bank| bank.index() < self.banks) {
                // An acknowledgement may come before the event that it covers.
                let rows = self.durable[bank.index()].iter();
                let first =
                    rows.rev().take_while(|(_, row)| row.covers(&tracked.seen.timestamp)).last();
                tracked.acknowledged[bank.index()] = first.map(|(since, _)| *since);
            }
            self.events.insert(key, tracked);
            self.open.insert(key);
            while self.events.len() > EVENTS_MAX {
                let forgotten = self.events.pop_first();
                forgotten.map(|(key, _)| self.open.remove(&key));
            }
        }
        self.events.get_mut(&key)
    }

    fn stamped(&mut self, at: Micros, seen: Seen) {
        let before = self.held_now();
        let mut held = before.clone();
        held.merge(&seen.timestamp);
        self.held.push(at, held.clone());
        if let Some(tracked) = self.track(at, seen) {
            tracked.taken = Some(at);
            tracked.clocks = Some((before, held));
        }
    }

    fn held_now(&self) -> VectorClock {
        self.held.last().cloned().unwrap_or_else(|| VectorClock::zero(self.banks))
    }

    fn taken(&mut self, at: Micros, clock: VectorClock) {
        // Several events may be taken in at once: in their order, each with the clock that the one
        // before has left.
        let mut held = self.held_now();
        for key in &self.open {
            let Some(tracked) = self.events.get_mut(key) else { continue };
            let counted = tracked.seen.counter() <= clock.get(tracked.seen.key.sender);
            if counted && tracked.taken.is_none() {
                let before = held.clone();
                held.merge(&tracked.seen.timestamp);
                tracked.taken = Some(at);
                tracked.clocks = Some((before, held.clone()));
            }
        }
        self.held.push(at, clock);
    }

    fn durable(&mut self, at: Micros, bank: BankId, clock: VectorClock) {
        if self.members().contains(bank) {
            for key in &self.open {
                let Some(tracked) = self.events.get_mut(key) else { continue };
                let acknowledged = &mut tracked.acknowledged[bank.index()];
                if acknowledged.is_none() && clock.covers(&tracked.seen.timestamp) {
                    *acknowledged = Some(at);
                }
            }
        }
        self.durable[bank.index()].push(at, clock);
    }

    fn installed(
        &mut self,
        at: Micros,
        view: (Ballot, BankSet),
        clock: VectorClock,
        flush: Vec<Seen>,
    ) {
        self.views.push(at, Some(view));
        let flushed: BTreeSet<_> = flush.iter().map(|seen| seen.key).collect();
        for seen in flush {
            if let Some(tracked) = self.track(at, seen) {
                tracked.taken.get_or_insert(at);
            }
        }
        for key in std::mem::take(&mut self.open) {
            let Some(tracked) = self.events.get_mut(&key) else { continue };
            if flushed.contains(&key) || key.view >= view.0 {
                self.open.insert(key);
            } else if tracked.executed.is_none() {
                tracked.void = Some(at);
            }
        }
        let banks = self.banks;
        for bank in view.1.iter().filter(|bank| bank.index() < banks) {
            self.durable(at, bank, clock.clone());
        }
        self.held.push(at, clock);
    }

    fn executed(&mut self, at: Micros, seen: Seen, position: Position, done: u32) {
        self.positions[self.me.index()].push(at, position);
        let key = seen.key;
        if let Some(tracked) = self.track(at, seen) {
            tracked.taken.get_or_insert(at);
            tracked.executed = Some((at, position, done));
            // This bank may have heard first of a view that began without it.
            tracked.void = None;
        }
        self.open.remove(&key);
    }

    /// Events that waited were either executed or never existed; a snapshot does not say which, so
    /// they are forgotten.
    fn restored(&mut self, at: Micros, through: OrderKey, position: Position) {
        self.positions[self.me.index()].push(at, position);
        self.events.retain(|key, tracked| *key > through || tracked.executed.is_some());
        self.open.retain(|key| *key > through);
    }

    fn peer_executed(&mut self, at: Micros, bank: BankId, position: Position) {
        let is_news =
            |positions: &Timeline<Position>| positions.last().is_none_or(|last| *last < position);
        if let Some(positions) =
            self.positions.get_mut(bank.index()).filter(|positions| is_news(positions))
        {
            positions.push(at, position);
        }
    }

    /// For each peer known by this moment to have executed an event, since when that was known.
    pub(super) fn confirmed(&self, tracked: &Tracked, moment: Micros) -> Vec<(BankId, Micros)> {
        let Some((executed, position, _)) = tracked.executed.filter(|(at, ..)| *at <= moment)
        else {
            return Vec::new();
        };
        let peers = BankId::all(self.banks).filter(|bank| *bank != self.me);
        let confirmed = peers.filter_map(|bank| {
            let since = self.positions[bank.index()].since(|through| *through >= position)?;
            // A faster peer reported it before this bank knew which position the event has.
            Some((bank, since.max(executed)))
        });
        confirmed.filter(|(_, since)| *since <= moment).collect()
    }

    fn agreed(&mut self, at: Micros, counter: u64) {
        let mut latencies = Vec::new();
        for tracked in self.events.values_mut().rev() {
            if tracked.seen.key.sender != self.me
                || tracked.seen.counter() > counter
                || tracked.executed.is_none()
            {
                continue;
            }
            if tracked.agreed.is_some() {
                break;
            }
            tracked.agreed = Some(at);
            latencies.push(at.saturating_sub(tracked.first));
        }
        latencies.into_iter().for_each(|latency| self.pace.agreed(at, latency));
    }

    /// Events that waited may have been executed unnoticed: they are forgotten rather than shown as
    /// waiting for ever.
    fn lost(&mut self, at: Micros, count: u64) {
        self.lost += count;
        self.events.retain(|_, tracked| tracked.executed.is_some() || tracked.first > at);
        let events = &self.events;
        self.open.retain(|key| events.contains_key(key));
    }
}
