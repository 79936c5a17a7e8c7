//! The state of everything at a moment: what the page draws.

use serde::Serialize;

use super::history::{History, Tracked};
use super::waits::Wait;
use super::{Micros, Seen, Vitals};
use crate::ids::{BankId, BankSet, EventId, Position};
use crate::protocol::notice::Notice;
use crate::protocol::peer_state::PeerState;
use crate::protocol::vector_clock::VectorClock;

/// The most events in a snapshot that are no longer waiting: as many as fit on a screen.
pub(crate) const EVENTS_SHOWN_MAX: usize = 36;
/// The most notices in a snapshot.
const NOTICES_SHOWN_MAX: usize = 8;

/// The consortium at a moment, as this bank saw it.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    /// The moment.
    pub at: Micros,
    /// This bank.
    pub me: BankId,
    /// The view in force.
    pub view: Option<ViewNow>,
    /// Every bank by number.
    pub banks: Vec<BankNow>,
    /// What this bank holds without a gap: its vector clock.
    pub clock: VectorClock,
    /// Requests executed per second.
    pub rate: u64,
    /// Median and 99th percentile of the time from this bank's stamp to the agreement of all.
    pub latency: Option<(Micros, Micros)>,
    /// The last events in the common order, and all that are waiting.
    pub events: Vec<EventNow>,
    /// What the log was told lately.
    pub notices: Vec<(Micros, Notice)>,
    /// When the last thing before this moment happened.
    pub previous: Option<Micros>,
    /// When the first thing after it happened, if it has.
    pub next: Option<Micros>,
    /// Facts that this bank had no time to keep.
    pub lost: u64,
}

/// A view in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ViewNow {
    /// Its name.
    pub name: String,
    /// Its members.
    pub members: BankSet,
}

/// A bank at a moment.
#[derive(Clone, Debug, Serialize)]
pub struct BankNow {
    /// Its number.
    pub bank: BankId,
    /// Whether it is a member of the view in force.
    pub member: bool,
    /// Whether it answers, and if not, why.
    #[serde(flatten)]
    pub state: PeerState,
    /// Whether its wall clock is too far off consortium time.
    pub clock_off: bool,
    /// Whom it hears.
    pub hears: BankSet,
    /// Its health.
    pub vitals: Vitals,
    /// What it is known to have on disk.
    pub durable: Option<VectorClock>,
    /// What it is known to have executed through.
    pub position: Option<Position>,
    /// How many of the events shown it is known to hold but not to have executed.
    pub buffered: usize,
}

/// An event at a moment.
#[derive(Clone, Debug, Serialize)]
pub struct EventNow {
    /// Its name.
    pub id: EventId,
    /// Who sent it.
    pub sender: BankId,
    /// Its number among those of its sender.
    pub counter: u64,
    /// Its stamp.
    pub timestamp: VectorClock,
    /// Sum of the stamp: within a view, the first thing that decides the order.
    pub sum: u64,
    /// The view it was sent in.
    pub view: String,
    /// How many requests it carries.
    pub requests: u32,
    /// Column of the diagram: one to the right of every event shown that its sender knew of.
    pub column: u32,
    /// Whether some event shown is concurrent with it.
    pub concurrent: bool,
    /// When it was stamped here, or came from its sender.
    pub first: Micros,
    /// When it was taken in.
    pub taken: Option<Micros>,
    /// This bank's clock before it took the event in, or stamped it, and after.
    pub clocks: Option<(VectorClock, VectorClock)>,
    /// Who has acknowledged it, and when that was known here.
    pub acknowledged: Vec<(BankId, Micros)>,
    /// Its execution.
    pub executed: Option<Execution>,
    /// Which peers have executed it, and when that was known here.
    pub confirmed: Vec<(BankId, Micros)>,
    /// When all agreed on it.
    pub agreed: Option<Micros>,
    /// When it was found never to have existed.
    pub void: Option<Micros>,
    /// What comes right before it in the order, and why.
    pub after: Option<After>,
    /// Why it waits.
    pub waits: Vec<Wait>,
}

/// An execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Execution {
    /// When.
    pub at: Micros,
    /// Position of the event's last request.
    pub position: Position,
    /// How many of its requests were done.
    pub done: u32,
}

/// Why an event comes after another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct After {
    /// The event right before it.
    pub id: EventId,
    /// What decided between the two.
    pub by: By,
    /// Whether neither knew of the other.
    pub concurrent: bool,
}

/// What decides between two events, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// A later view.
    View,
    /// A larger sum of the stamp.
    Sum,
    /// The larger number of the sender.
    Bank,
}

impl After {
    fn new(seen: &Seen, before: &Seen) -> Self {
        let by = if seen.key.view != before.key.view {
            By::View
        } else if seen.key.sum != before.key.sum {
            By::Sum
        } else {
            By::Bank
        };
        After { id: before.id.clone(), by, concurrent: seen.is_concurrent_with(before) }
    }
}

impl History {
    /// The state of everything at a moment.
    #[must_use]
    pub fn snapshot(&self, moment: Micros) -> Snapshot {
        let view = self.views.at(moment).copied().flatten();
        let shown = self.shown(moment);
        let (previous, next) = self.moments_beside(moment);
        let notices: Vec<_> =
            self.notices.iter().rev().filter(|(at, _)| *at <= moment).cloned().collect();
        Snapshot {
            at: moment,
            me: self.me,
            view: view.map(|(name, members)| ViewNow { name: name.to_string(), members }),
            banks: self.banks_at(
                moment,
                view.map(|(_, members)| members).unwrap_or_default(),
                &shown,
            ),
            clock: self.held.at(moment).cloned().unwrap_or_else(|| VectorClock::zero(self.banks)),
            rate: self.pace.rate(moment),
            latency: self.pace.latency(moment),
            events: self.events_at(moment, &shown),
            notices: notices.into_iter().take(NOTICES_SHOWN_MAX).collect(),
            previous,
            next,
            lost: self.lost,
        }
    }

    /// The last events in the order, and all that are waiting.
    fn shown(&self, moment: Micros) -> Vec<&Tracked> {
        let mut over = 0;
        let here = self.events.values().rev().filter(|tracked| tracked.first <= moment);
        let mut shown: Vec<_> = here
            .filter(|tracked| {
                let is_over =
                    tracked.executed.is_some_and(|(at, ..)| at <= moment) || tracked.void.is_some();
                over += usize::from(is_over);
                !is_over || over <= EVENTS_SHOWN_MAX
            })
            .collect();
        shown.reverse();
        shown
    }

    fn banks_at(&self, moment: Micros, members: BankSet, shown: &[&Tracked]) -> Vec<BankNow> {
        let by_then = |when: Option<Micros>| when.is_some_and(|at| at <= moment);
        let states = self.states.at(moment);
        let of_the_last_view = self.members_at(moment);
        let vitals = self.vitals.at(moment);
        let bank_at = |bank: BankId| {
            let index = bank.index();
            let state = states.and_then(|states| states.get(index));
            let position = self.positions[index].at(moment).copied();
            let holds = |tracked: &&&Tracked| {
                let holds =
                    if bank == self.me { tracked.taken } else { tracked.acknowledged[index] };
                let has_executed = tracked
                    .executed
                    .is_some_and(|(at, of, _)| at <= moment && position >= Some(of));
                by_then(holds) && !has_executed && !by_then(tracked.void)
            };
            let vitals = vitals.and_then(|vitals| vitals.get(index)).copied().unwrap_or_default();
            BankNow {
                bank,
                member: members.contains(bank),
                state: state.map(|state| state.state).unwrap_or_default(),
                clock_off: state.is_some_and(|state| state.clock_off),
                hears: state.map(|state| state.hears).unwrap_or_default(),
                vitals,
                // Nobody knows what the disk of a bank outside still has.
                durable: self.durable[index]
                    .at(moment)
                    .filter(|_| of_the_last_view.contains(bank))
                    .cloned(),
                position,
                buffered: shown.iter().filter(holds).count(),
            }
        };
        BankId::all(self.banks).map(bank_at).collect()
    }

    fn events_at(&self, moment: Micros, shown: &[&Tracked]) -> Vec<EventNow> {
        let mut columns: Vec<u32> = Vec::with_capacity(shown.len());
        let mut before: Option<&Seen> = None;
        let mut events = Vec::with_capacity(shown.len());
        for tracked in shown {
            let seen = &tracked.seen;
            let known = columns.iter().zip(shown).filter(|(_, other)| seen.knows(&other.seen));
            columns.push(known.map(|(column, _)| column + 1).max().unwrap_or_default());
            let by_then = |when: &Option<Micros>| when.filter(|at| *at <= moment);
            let per_bank = |when: &[Option<Micros>]| -> Vec<_> {
                BankId::all(when.len())
                    .zip(when)
                    .filter_map(|(bank, when)| by_then(when).map(|at| (bank, at)))
                    .collect()
            };
            let executed = tracked.executed.filter(|(at, ..)| *at <= moment);
            let void = by_then(&tracked.void);
            events.push(EventNow {
                id: seen.id.clone(),
                sender: seen.key.sender,
                counter: seen.counter(),
                timestamp: seen.timestamp.clone(),
                sum: seen.key.sum,
                view: seen.key.view.to_string(),
                requests: seen.requests,
                column: columns.last().copied().unwrap_or_default(),
                concurrent: shown.iter().any(|other| seen.is_concurrent_with(&other.seen)),
                first: tracked.first,
                taken: by_then(&tracked.taken),
                clocks: by_then(&tracked.taken).and_then(|_| tracked.clocks.clone()),
                acknowledged: per_bank(&tracked.acknowledged),
                executed: executed.map(|(at, position, done)| Execution { at, position, done }),
                confirmed: self.confirmed(tracked, moment),
                agreed: by_then(&tracked.agreed),
                void,
                after: before.map(|before| After::new(seen, before)),
                waits: self.waits(tracked, moment),
            });
            if void.is_none() {
                before = Some(seen);
            }
        }
        events
    }

    /// When the last thing before a moment happened that changes the picture, and the first after
    /// it.
    fn moments_beside(&self, moment: Micros) -> (Option<Micros>, Option<Micros>) {
        let views = self.views.iter().map(|(at, _)| *at);
        let (mut previous, mut next) = (None, None);
        for at in self.events.values().flat_map(Tracked::moments).chain(views) {
            if at < moment {
                previous = previous.max(Some(at));
            } else if at > moment {
                next = Some(next.map_or(at, |next: Micros| next.min(at)));
            }
        }
        (previous, next)
    }
}
