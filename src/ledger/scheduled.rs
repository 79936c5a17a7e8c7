//! A Pix of days to come as the ledger keeps it, and what became of its latest day.

use serde::{Deserialize, Serialize};

use super::customer::UserName;
use super::outcome::Refusal;
use super::schedule::{DAYS_MAX, Day, Planned, TIMES_MAX};
use crate::ids::Position;

/// What became of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Run {
    pub(crate) day: Day,
    /// When, in Unix milliseconds.
    pub(crate) at_ms: i64,
    /// Why nothing was paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<Refusal>,
}

/// A schedule under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Schedule {
    /// The position of the request that made it.
    pub(crate) number: Position,
    /// Whose it is.
    pub(crate) by: UserName,
    /// Who was found by the key when it was planned. Nobody else is paid, whoever has the key then.
    pub(crate) payee: UserName,
    pub(crate) planned: Planned,
    /// Whether the password was given for it, so that its days do not need it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) confirmed: bool,
    /// How many of its days have been run.
    pub(crate) done: u16,
    /// The latest of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<Run>,
}

impl Schedule {
    /// The next day; `None` if it has ended.
    #[must_use]
    pub(crate) fn next(&self) -> Option<Day> {
        self.planned.day(self.done)
    }

    /// Whether nothing was paid on the latest of its days.
    #[must_use]
    pub(crate) fn has_failed(&self) -> bool {
        self.last.as_ref().is_some_and(|run| run.failed.is_some())
    }

    /// Whether nobody needs it any more: it has ended, and well.
    #[must_use]
    pub(super) fn is_over(&self) -> bool {
        self.next().is_none() && !self.has_failed()
    }

    /// Whether a book can have it.
    #[must_use]
    pub(super) fn is_sound(&self) -> bool {
        let Planned { times, first, .. } = self.planned;
        (0..=DAYS_MAX).contains(&first.get())
            && (1..=TIMES_MAX).contains(&times)
            && self.done <= times
            && (self.done > 0) == self.last.is_some()
            && !self.is_over()
    }
}
