//! An attempt of a coordinator at a view, and which step it has come to.

use super::plan::Answers;
use super::{PreparePlan, Ticks};
use crate::ids::{Ballot, BankSet};

/// One attempt at a view.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Coordination {
    pub(super) ballot: Ballot,
    pub(super) step: Step,
    /// Ticks since something last went forward.
    pub(super) idle: Ticks,
    /// Ticks since the step's message was last said.
    pub(super) since_said: Ticks,
    /// Ticks since the banks were stopped.
    pub(super) age: Ticks,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// Asking whether others see the fault too.
    Asking { granted: BankSet },
    /// Stopping the banks invited.
    Stopping { invited: BankSet, answers: Answers },
    /// Waiting until all members have the plan on disk.
    Preparing { plan: PreparePlan, ready: BankSet, joiners: BankSet, moves: Vec<Moves> },
    /// Telling the members that the view is in force.
    Starting { members: BankSet },
}

/// How far a member has come with the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Moves {
    pub(super) progress: u32,
    /// Ticks since it last went forward.
    pub(super) idle: Ticks,
}

impl Moves {
    pub(super) fn hear(&mut self, progress: u32) {
        if progress > self.progress {
            *self = Moves { progress, idle: 0 };
        }
    }
}
