//! How entries are counted.

use serde::{Deserialize, Serialize};

/// The place of an entry among all entries of the consortium, from 1. Within a request, entries are
/// numbered by account, in opening order, and then as they were made.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct EntryNumber(pub u64);

impl EntryNumber {
    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        EntryNumber(self.0 + 1)
    }

    /// Whether it is none: zero stands for 'there is no such entry'.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == EntryNumber(0)
    }
}

impl std::fmt::Display for EntryNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
