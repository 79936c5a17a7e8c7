//! The past: every entry that was ever made, numbered from 1 in the common order.
//!
//! The book does not keep it. It hands each entry over once, with links to earlier entries of the
//! same account, and remembers of each account only its [`Trail`], which has a fixed size. So
//! memory does not grow with what has happened, writing the past down is appending to its end, and
//! all banks write the same.
//!
//! The links make a skip list: from any entry, any earlier one of the same account is a few dozen
//! steps away, however long the account's past is; see [`walk`].

mod audit;
mod late_audit;
#[cfg(test)]
mod tests;
pub mod walk;

use serde::{Deserialize, Serialize};

pub use self::audit::Auditor;
pub use self::late_audit::LateAuditor;
pub use super::entry_number::EntryNumber;
use super::statement::Entry;

/// An entry and where the account's earlier ones are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastEntry {
    /// Its number.
    pub number: EntryNumber,
    /// The account's place in the order of openings.
    pub account: u32,
    /// Its place in the account's statement, from 0.
    pub index: u64,
    /// Its links.
    pub links: Links,
    /// What happened.
    pub entry: Entry,
}

/// Earlier entries of the same account; none for the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// The one before.
    pub before: EntryNumber,
    /// The one at [`skipped_to`].
    pub skip: EntryNumber,
}

/// How many entries a step of the lowest level skips, and how many steps of one level make a step
/// of the next.
const STRIDE: u64 = 64;
/// The highest level: its steps skip `STRIDE` to this power.
const LEVELS: usize = 3;

/// The index that the skip of the entry at `index` leads to: the multiple of 64 before it, or, if
/// it is at a multiple of a power of 64 itself, the one before that. `None` for the first entry.
fn skipped_to(index: u64) -> Option<u64> {
    match level(index) {
        0 => Some(index - index % STRIDE),
        level => index.checked_sub(STRIDE.pow(level)),
    }
}

/// How often `index` can be divided by 64, at most [`LEVELS`] times.
fn level(index: u64) -> u32 {
    (1..=LEVELS as u32)
        .take_while(|level| index.is_multiple_of(STRIDE.pow(*level)))
        .last()
        .unwrap_or(0)
}

/// Whose entries are to be read, and where they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountTrail {
    /// The account's place in the order of openings.
    pub account: u32,
    /// Its trail.
    pub trail: Trail,
}

/// What is remembered of an account's past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trail {
    /// How many entries there are.
    count: u64,
    /// The last of them.
    last: EntryNumber,
    /// By level from 1, the last one whose index is a multiple of 64 to the power of the level.
    marks: [EntryNumber; LEVELS],
}

impl Trail {
    /// How many entries the account has.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The last of them; none for an account that is just being opened.
    #[must_use]
    pub fn last(&self) -> EntryNumber {
        self.last
    }

    /// One more entry; returns its index and its links.
    pub(super) fn extend(&mut self, number: EntryNumber) -> (u64, Links) {
        let index = self.count;
        let level = level(index) as usize;
        let links = Links { before: self.last, skip: self.marks[level.max(1) - 1] };
        (self.count, self.last) = (index + 1, number);
        self.marks[..level].fill(number);
        (index, links)
    }

    /// Whether it can be that of an account of a consortium with so many entries.
    pub(super) fn is_sound(&self, entries: EntryNumber) -> bool {
        let in_order = self.marks.is_sorted_by(|low, high| low >= high);
        self.count > 0
            && self.count <= self.last.0
            && self.last <= entries
            && self.marks[0] <= self.last
            && in_order
            && !self.marks[LEVELS - 1].is_none()
    }
}
