//! The coordinator's part as data: an attempt at a view and which step it has come to, and what
//! remains of the attempts before.

use std::collections::BTreeMap;

use super::message::PreparePlan;
use super::plan::Answers;
use super::ticks::{Headway, Ticks, count, count_down};
use crate::ids::{Ballot, BankId, BankSet};

/// After how many ticks an unanswered message of the view change is sent again.
const RESEND: Ticks = 3;
/// How long a step of an attempt may stand still before the coordinator gives up and tries a higher
/// ballot.
pub(super) const PATIENCE: Ticks = 50;
/// How long the coordinator waits for grants.
const ASK_WITHIN: Ticks = 10;
/// The longest wait once another bank is heard.
const PAUSE_FOR_NEWS: Ticks = 2;
/// The longest wait after attempts that all found too few intact disks.
pub(super) const FRUITLESS_PAUSE_MAX: Ticks = 100;

/// What a bank does as a coordinator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Coordination {
    pub(super) attempt: Option<Attempt>,
    /// For how many ticks a view change has been wanted here.
    pub(super) wanting: Ticks,
    /// Ticks to wait before the next attempt.
    pub(super) pause: Ticks,
    /// How many attempts in succession found too few intact disks.
    pub(super) fruitless: u16,
}

impl Coordination {
    /// Another bank is heard: it may be the one that was missing.
    pub(super) fn hope(&mut self) {
        (self.fruitless, self.pause) = (0, self.pause.min(PAUSE_FOR_NEWS));
    }

    /// An attempt found too few intact disks. Only another bank's disk, or a person, can help:
    /// asking again and again merely wears the disks out.
    pub(super) fn was_fruitless(&mut self) {
        self.fruitless = (self.fruitless + 1).min(16);
        self.pause = self.pause.max((2 << self.fruitless.min(8)).min(FRUITLESS_PAUSE_MAX));
    }

    pub(super) fn enter(&mut self, ballot: Ballot, step: Step, age: Ticks) {
        self.attempt = Some(Attempt { ballot, step, idle: 0, since_said: 0, age });
    }

    /// The attempt, if it is at this ballot.
    pub(super) fn at(&mut self, ballot: Ballot) -> Option<&mut Attempt> {
        self.attempt.as_mut().filter(|attempt| attempt.ballot == ballot)
    }

    pub(super) fn tick(&mut self) {
        count_down(&mut self.pause);
    }
}

/// One attempt at a view.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Attempt {
    pub(super) ballot: Ballot,
    pub(super) step: Step,
    /// Ticks since it last made any progress.
    pub(super) idle: Ticks,
    /// Ticks since the step's message was last sent.
    since_said: Ticks,
    /// Ticks since the banks were stopped.
    pub(super) age: Ticks,
}

/// Which step an attempt has come to, and what it waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// Asking whether others see the fault too.
    Asking { granted: BankSet },
    /// Stopping the banks invited.
    Stopping { invited: BankSet, answers: Answers },
    /// Waiting until all members have the plan on disk.
    Preparing(Preparing),
    /// Telling the members that the view is in force.
    Starting { members: BankSet },
}

/// A plan that the members are fetching and writing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Preparing {
    pub(super) plan: PreparePlan,
    /// Members that have it on disk.
    pub(super) ready: BankSet,
    /// Members that were not in the last view.
    pub(super) joiners: BankSet,
    /// How far each bank has come.
    pub(super) headway: Vec<Headway>,
}

impl Step {
    /// The first step after `WOULD STOP`.
    pub(super) fn stopping(invited: BankSet) -> Self {
        Step::Stopping { invited, answers: BTreeMap::new() }
    }
}

impl Preparing {
    pub(super) fn unready(&self) -> BankSet {
        self.plan.members.difference(self.ready)
    }
}

impl Attempt {
    /// The banks that were stopped for it, or that are to be members, once that is known.
    pub(super) fn taking_part(&self) -> Option<BankSet> {
        match &self.step {
            Step::Asking { .. } => None,
            Step::Stopping { invited, .. } => Some(*invited),
            Step::Preparing(preparing) => Some(preparing.plan.members),
            Step::Starting { members } => Some(*members),
        }
    }

    /// Time has passed, and the coordinator's own progress with a plan is `own_progress`.
    pub(super) fn tick(&mut self, me: BankId, own_progress: u32) {
        for ticks in [&mut self.idle, &mut self.age, &mut self.since_said] {
            count(ticks);
        }
        if let Step::Preparing(preparing) = &mut self.step {
            preparing.headway.iter_mut().for_each(|headway| count(&mut headway.idle));
            preparing.headway[me.index()].hear(own_progress);
        }
    }

    /// Whether the step's message is due again; if so, it counts as sent now.
    pub(super) fn is_to_be_said_again(&mut self) -> bool {
        let is_due = self.since_said >= RESEND;
        if is_due {
            self.since_said = 0;
        }
        is_due
    }

    /// Whether the step has stood still for too long. While a plan is prepared, members are judged
    /// one by one instead.
    pub(super) fn has_stood_still(&self) -> bool {
        match &self.step {
            Step::Asking { .. } => self.idle >= ASK_WITHIN,
            Step::Stopping { .. } | Step::Starting { .. } => self.idle >= PATIENCE,
            Step::Preparing(_) => false,
        }
    }
}
