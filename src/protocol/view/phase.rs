//! Where a node stands, and what exists only there.
//!
//! | in | what happens | and then |
//! |---|---|---|
//! | `Active` | `STOP` | `Freezing`, then `Promised` |
//! | `Promised`, `Outside` | `PREPARE` | `Fetching`, `Writing`, then `Ready` |
//! | `Ready` | `START`, or a bank acts in the view | `Active` |
//! | any between two views | `STOP` for a higher ballot | `Promising`, then `Promised` |
//! | `Promised`, `Fetching`, `Ready` | members act without this bank | `Outside` |
//! | any | this copy of the ledger differs from most | `Diverged`, for good |

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::message::{FETCH_EVENTS_MAX, PreparePlan, WireHeld};
use super::turn::{Fates, Frozen};
use crate::ids::{Ballot, BankId, BankSet, ChainHash, Position};
use crate::protocol::event::Held;
use crate::protocol::execution::Executions;
use crate::protocol::order_key::OrderKey;

/// Bytes of events after which the answer to such a message ends.
const FETCH_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The name of where a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseName {
    /// In no view; catches up with one, or waits for a `STOP`.
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
    /// This copy of the ledger is not to be trusted: this bank takes part in nothing any more.
    Diverged,
}

/// Where a node stands. While a view is in force, the node's parts know what the node holds;
/// between two views it is known here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// A view is in force, which began like this.
    Active(PreparePlan),
    /// It is not any more, and the parts have yet to tell what they hold.
    Freezing,
    /// No view is in force.
    Between(Box<Interim>),
    /// This copy of the ledger differs from most.
    Diverged,
}

/// What a node has between two views.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Interim {
    /// What it has executed, and the events held beyond: on disk.
    pub(super) state: Frozen,
    /// Events that were fetched for a plan and are not on this disk yet. Other banks that lack them
    /// may still get them from here.
    fetched: BTreeMap<OrderKey, Held>,
    /// What became of this bank's own events in the view before.
    pub(super) fates: Fates,
    /// Members of the plans that were fetched and have not begun.
    pub(super) not_begun: BankSet,
    pub(super) stage: Stage,
}

/// How far a node has come from one view to the next; [`PhaseName`] says what each stage is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    Outside { replay: Option<Replay> },
    Promising,
    Promised,
    Fetching(Fetching),
    Writing(PreparePlan),
    Ready(PreparePlan),
}

/// Fetching what a plan names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fetching {
    pub(super) plan: PreparePlan,
    /// How many times banks other than those that the plan names were asked for its events.
    turn: u16,
    replay: Option<Replay>,
}

/// Fetched journal entries, or a snapshot, are being executed. Until they are on disk the node
/// cannot tell what it holds, so it promises nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Replay {
    /// A `STOP` that came in the meantime, to be obeyed afterwards.
    stop_later: Option<Ballot>,
}

/// What a node lacks of the plan that it fetches.
pub(super) enum Lack {
    /// Executed journal.
    Journal,
    /// These events, and whom to ask for them.
    Events(BTreeMap<BankId, Vec<OrderKey>>),
    Nothing,
    /// It has more than the plan says: the source has gone on in a later view, and has sent what
    /// was executed there. No view begins with this plan any more.
    Overtaken,
    /// The plan does not go on from what this node has executed. The coordinator, which knows what
    /// every member has, makes no such plan.
    Impossible,
}

/// A plan of which nothing is missing any more.
pub(super) struct Complete {
    pub(super) plan: PreparePlan,
    /// Its events that are not on this disk yet.
    pub(super) fetched: Vec<Held>,
    /// Events on this disk that the plan leaves behind.
    pub(super) dropped: Vec<OrderKey>,
}

impl Phase {
    pub(super) fn name(&self) -> PhaseName {
        match self {
            Phase::Active(_) => PhaseName::Active,
            Phase::Freezing => PhaseName::Freezing,
            Phase::Diverged => PhaseName::Diverged,
            Phase::Between(interim) => match &interim.stage {
                Stage::Outside { .. } => PhaseName::Outside,
                Stage::Promising => PhaseName::Promising,
                Stage::Promised => PhaseName::Promised,
                Stage::Fetching(_) => PhaseName::Fetching,
                Stage::Writing(_) => PhaseName::Writing,
                Stage::Ready(_) => PhaseName::Ready,
            },
        }
    }

    /// What the node has, if no view is in force.
    pub(super) fn interim(&self) -> Option<&Interim> {
        match self {
            Phase::Between(interim) => Some(interim),
            _ => None,
        }
    }

    pub(super) fn interim_mut(&mut self) -> Option<&mut Interim> {
        match self {
            Phase::Between(interim) => Some(interim),
            _ => None,
        }
    }

    /// Goes on to a stage between two views.
    pub(super) fn enter(&mut self, stage: Stage) {
        if let Phase::Between(interim) = self {
            interim.stage = stage;
        }
    }

    /// What is being fetched for a plan.
    pub(super) fn fetching(&self) -> Option<&Fetching> {
        match &self.interim()?.stage {
            Stage::Fetching(fetching) => Some(fetching),
            _ => None,
        }
    }

    pub(super) fn fetching_mut(&mut self) -> Option<&mut Fetching> {
        match &mut self.interim_mut()?.stage {
            Stage::Fetching(fetching) => Some(fetching),
            _ => None,
        }
    }

    pub(super) fn is_replaying(&self) -> bool {
        self.interim().is_some_and(|interim| interim.replay().is_some())
    }

    /// Whether fetched journal or a snapshot can be executed now.
    pub(super) fn can_replay(&self) -> bool {
        let is_at = matches!(self.name(), PhaseName::Outside | PhaseName::Fetching);
        is_at && !self.is_replaying()
    }

    /// The prepared view is in force from now on. Returns its plan, and what the node had until
    /// now; `None` if no prepared view was ready.
    pub(super) fn begin(&mut self) -> Option<(PreparePlan, Interim)> {
        let plan = match &self.interim()?.stage {
            Stage::Ready(plan) => plan.clone(),
            _ => return None,
        };
        match std::mem::replace(self, Phase::Active(plan.clone())) {
            Phase::Between(interim) => Some((plan, *interim)),
            _ => None,
        }
    }
}

impl Interim {
    /// The phase of a node that has just started.
    pub(super) fn outside(state: Frozen) -> Self {
        Interim::new(state, Fates::default(), Stage::Outside { replay: None })
    }

    /// The phase of a node whose parts have frozen.
    pub(super) fn frozen(state: Frozen) -> Self {
        let executed = state.executed.as_ref().map(|done| done.last);
        Interim::new(state, Fates { executed, ..Fates::default() }, Stage::Promising)
    }

    fn new(state: Frozen, fates: Fates, stage: Stage) -> Self {
        Interim { state, fetched: BTreeMap::new(), fates, not_begun: BankSet::default(), stage }
    }

    fn replay(&self) -> Option<&Replay> {
        match &self.stage {
            Stage::Outside { replay } | Stage::Fetching(Fetching { replay, .. }) => replay.as_ref(),
            _ => None,
        }
    }

    fn replay_place(&mut self) -> Option<&mut Option<Replay>> {
        match &mut self.stage {
            Stage::Outside { replay } | Stage::Fetching(Fetching { replay, .. }) => Some(replay),
            _ => None,
        }
    }

    /// Entries or a snapshot have gone to the ledger.
    pub(super) fn begin_replay(&mut self) {
        if let Some(replay) = self.replay_place() {
            *replay = Some(Replay::default());
        }
    }

    /// The ledger has answered. Returns the `STOP` that came in the meantime, if any.
    pub(super) fn end_replay(&mut self) -> Option<Ballot> {
        self.replay_place()?.take()?.stop_later
    }

    /// A `STOP` has come. Returns whether it has to wait until what is being executed is on disk.
    pub(super) fn stop_waits(&mut self, ballot: Ballot) -> bool {
        let Some(replay) = self.replay_place().and_then(Option::as_mut) else { return false };
        replay.stop_later = replay.stop_later.max(Some(ballot));
        true
    }

    /// Fetched events, or a snapshot, were executed and are on disk.
    pub(super) fn replayed(&mut self, position: Position, hash: ChainHash, executed: Executions) {
        // Held events below this that were not executed never existed: a later view left them out.
        self.state.held.retain(|held| held.event.order_key() > executed.last);
        (self.state.position, self.state.hash) = (position, hash);
        // This comes from others, as does what a snapshot says about itself: it proves nothing.
        self.state.executed = Some(executed.as_unverified());
    }

    /// Waits for whatever comes next, and catches up if others act.
    pub(super) fn go_outside(&mut self) {
        let replay = self.replay_place().and_then(Option::take);
        self.stage = Stage::Outside { replay };
    }

    pub(super) fn begin_fetching(&mut self, plan: PreparePlan) {
        self.not_begun = self.not_begun.union(plan.members);
        self.fetched.clear();
        let replay = self.replay_place().and_then(Option::take);
        self.stage = Stage::Fetching(Fetching { plan, turn: 0, replay });
    }

    /// What is missing from the plan being fetched; `None` when no plan is being fetched, or while
    /// something is being executed.
    pub(super) fn lack(&self, me: BankId) -> Option<Lack> {
        let Stage::Fetching(fetching @ Fetching { plan, replay: None, .. }) = &self.stage else {
            return None;
        };
        Some(match self.state.position.cmp(&plan.position) {
            Ordering::Less => Lack::Journal,
            Ordering::Greater => Lack::Overtaken,
            Ordering::Equal if !self.is_continued_by(plan) => Lack::Impossible,
            Ordering::Equal => match self.missing_events(fetching, me) {
                missing if !missing.is_empty() => Lack::Events(missing),
                _ if self.are_covered_by(plan) => Lack::Nothing,
                _ => Lack::Impossible,
            },
        })
    }

    /// Whether a plan goes on from what was executed here: keys only grow.
    fn is_continued_by(&self, plan: &PreparePlan) -> bool {
        let last = self.state.executed.as_ref().map(|done| done.last);
        let is_above = |last: OrderKey| {
            last.view < plan.ballot && plan.events.first().is_none_or(|(key, _)| last < *key)
        };
        self.state.hash == plan.hash && last.is_none_or(is_above)
    }

    /// Whether a plan's clock covers its events.
    fn are_covered_by(&self, plan: &PreparePlan) -> bool {
        let planned: BTreeSet<_> = plan.events.iter().map(|(key, _)| *key).collect();
        let all = self.state.held.iter().chain(self.fetched.values());
        all.filter(|held| planned.contains(&held.event.order_key()))
            .all(|held| plan.clock.covers_any(&held.event.timestamp))
    }

    fn missing_events(&self, fetching: &Fetching, me: BankId) -> BTreeMap<BankId, Vec<OrderKey>> {
        let mut missing: BTreeMap<BankId, Vec<OrderKey>> = BTreeMap::new();
        let held: BTreeSet<_> = self.state.held.iter().map(|held| held.event.order_key()).collect();
        let is_here = |key: &OrderKey| held.contains(key) || self.fetched.contains_key(key);
        for (key, holder) in fetching.plan.events.iter().filter(|(key, _)| !is_here(key)) {
            let asked = missing.entry(fetching.whom_to_ask(*holder, me)).or_default();
            if asked.len() < FETCH_EVENTS_MAX {
                asked.push(*key);
            }
        }
        missing
    }

    /// Takes in those of these events that the plan names. Returns whether any of them had been
    /// missing.
    pub(super) fn take(&mut self, events: Vec<WireHeld>) -> bool {
        let Stage::Fetching(Fetching { plan, .. }) = &self.stage else { return false };
        let before = self.fetched.len();
        let here: BTreeSet<_> = self.state.held.iter().map(|held| held.event.order_key()).collect();
        for WireHeld(held) in events {
            let key = held.event.order_key();
            // Nobody was asked for events that are here already; a bank that sends them all the
            // same adds nothing.
            if !here.contains(&key) && plan.events.iter().any(|(planned, _)| *planned == key) {
                self.fetched.insert(key, held);
            }
        }
        self.fetched.len() > before
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

    /// Nothing of the plan is missing: it goes to disk, and with it the events to execute first.
    pub(super) fn begin_writing(&mut self) -> Option<Complete> {
        let Stage::Fetching(Fetching { plan, .. }) = &mut self.stage else { return None };
        let plan = std::mem::take(plan);
        let planned: BTreeSet<_> = plan.events.iter().map(|(key, _)| *key).collect();
        let fetched: Vec<Held> = std::mem::take(&mut self.fetched).into_values().collect();
        let (mut flush, dropped) = std::mem::take(&mut self.state.held)
            .into_iter()
            .partition::<Vec<_>, _>(|held| planned.contains(&held.event.order_key()));
        flush.extend(fetched.iter().cloned());
        flush.sort_by_key(|held| held.event.order_key());
        assert_eq!(flush.len(), planned.len(), "nothing of the plan is missing");
        self.state.held = flush;
        self.state.clock = plan.clock.clone();
        self.stage = Stage::Writing(plan.clone());
        let dropped = dropped.iter().map(|held| held.event.order_key()).collect();
        Some(Complete { plan, fetched, dropped })
    }

    /// The plan is on disk. Returns whether it was on its way there.
    pub(super) fn written(&mut self) -> bool {
        let Stage::Writing(plan) = &mut self.stage else { return false };
        self.stage = Stage::Ready(std::mem::take(plan));
        true
    }
}

impl Fetching {
    /// From now on, what is missing is asked for from other banks.
    pub(super) fn ask_others(&mut self) {
        self.turn = self.turn.wrapping_add(1);
    }

    /// Any member may hold an event of the plan, and all do in the end; a bank that does not answer
    /// is passed over.
    fn whom_to_ask(&self, holder: BankId, me: BankId) -> BankId {
        (0..self.turn).fold(holder, |holder, _| self.next_source(holder, me).unwrap_or(holder))
    }

    /// The next bank that may have what the plan names: all members do in the end, the coordinator
    /// among them.
    pub(super) fn next_source(&self, before: BankId, me: BankId) -> Option<BankId> {
        let mut all = self.plan.members.with(self.plan.source);
        all.remove(me);
        all.iter().find(|bank| *bank > before).or(all.first())
    }
}
