//! The vector clock: per bank, how many of its events are held without a gap.
//!
//! Source: the requirement's chapter 'Relógio Vetorial'; C. Fidge, 'Timestamps in Message-Passing
//! Systems That Preserve the Partial Ordering' (1988); F. Mattern, 'Virtual Time and Global States
//! of Distributed Systems' (1989). Unlike in those papers, only events raise it, not deliveries, so
//! that a component says exactly how many events of a bank are held.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::bounded::at_most;
use crate::ids::{BANKS_MAX, BankId};

/// One counter per bank. Partially ordered: `partial_cmp` answers `None` for concurrent clocks.
///
/// ```
/// use netbanking::ids::BankId;
/// use netbanking::protocol::vector_clock::VectorClock;
///
/// let mut ours = VectorClock::zero(3);
/// ours.count(BankId(0));
/// let theirs = VectorClock::from(vec![0, 2, 0]);
/// assert_eq!(ours.partial_cmp(&theirs), None, "neither has heard of the other");
/// ours.merge(&theirs);
/// assert_eq!((ours.to_string().as_str(), ours.sum()), ("[1,2,0]", 3));
/// assert!(ours > theirs && ours.covers(&theirs));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct VectorClock(Vec<u64>);

impl VectorClock {
    /// The clock of a consortium of `banks` in which nothing has happened.
    #[must_use]
    pub fn zero(banks: usize) -> Self {
        VectorClock(vec![0; banks])
    }

    /// How many banks it counts for.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // No consortium is empty.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The counter of one bank.
    #[must_use]
    pub fn get(&self, bank: BankId) -> u64 {
        self.0[bank.index()]
    }

    /// Counts one more event of `bank` and returns its counter.
    pub fn count(&mut self, bank: BankId) -> u64 {
        let counter = &mut self.0[bank.index()];
        *counter += 1;
        *counter
    }

    /// Makes the counter of `bank` at least this.
    pub(crate) fn raise(&mut self, bank: BankId, counter: u64) {
        let mine = &mut self.0[bank.index()];
        *mine = counter.max(*mine);
    }

    /// Takes, per bank, the smaller of both counters.
    pub(crate) fn lower_to(&mut self, other: &VectorClock) {
        debug_assert_eq!(self.len(), other.len());
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine = (*mine).min(*theirs);
        }
    }

    /// Takes, per bank, the larger of both counters; a bank that one clock does not know has
    /// counted nothing there.
    pub fn merge(&mut self, other: &VectorClock) {
        if self.len() < other.len() {
            self.0.resize(other.len(), 0);
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine = (*mine).max(*theirs);
        }
    }

    /// Whether every component is at least the other's.
    #[must_use]
    pub fn covers(&self, other: &VectorClock) -> bool {
        debug_assert_eq!(self.len(), other.len());
        self.0.iter().zip(&other.0).all(|(mine, theirs)| mine >= theirs)
    }

    /// The same where either clock may be from before the consortium grew, when it counted fewer
    /// banks: a bank that it does not know has counted nothing.
    #[must_use]
    pub(crate) fn covers_any(&self, other: &VectorClock) -> bool {
        let mine = |index: usize| self.0.get(index).copied().unwrap_or_default();
        other.0.iter().enumerate().all(|(index, theirs)| mine(index) >= *theirs)
    }

    /// Sum of all components: grows with every event that is held.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.0.iter().fold(0, |sum, counter| sum.saturating_add(*counter))
    }

    /// The counters by bank number.
    pub fn iter(&self) -> impl Iterator<Item = (BankId, u64)> + '_ {
        BankId::all(self.len()).zip(self.0.iter().copied())
    }
}

impl From<Vec<u64>> for VectorClock {
    fn from(counters: Vec<u64>) -> Self {
        VectorClock(counters)
    }
}

impl fmt::Display for VectorClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (index, counter) in self.0.iter().enumerate() {
            write!(f, "{}{counter}", if index == 0 { "" } else { "," })?;
        }
        f.write_str("]")
    }
}

impl PartialOrd for VectorClock {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self.covers(other), other.covers(self)) {
            (true, true) => Some(Ordering::Equal),
            (true, false) => Some(Ordering::Greater),
            (false, true) => Some(Ordering::Less),
            (false, false) => None,
        }
    }
}

impl<'de> Deserialize<'de> for VectorClock {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        at_most::<_, _, BANKS_MAX>(deserializer).map(VectorClock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(counters: [u64; 3]) -> VectorClock {
        counters.to_vec().into()
    }

    #[test]
    fn concurrent_clocks_are_not_comparable() {
        assert_eq!(clock([1, 0, 0]).partial_cmp(&clock([0, 1, 0])), None);
        assert_eq!(clock([1, 0, 0]).partial_cmp(&clock([1, 1, 0])), Some(Ordering::Less));
        assert_eq!(clock([1, 2, 3]).partial_cmp(&clock([1, 2, 3])), Some(Ordering::Equal));
    }

    #[test]
    fn merging_takes_the_larger_of_each_component() {
        let mut merged = clock([5, 0, 2]);
        merged.merge(&clock([1, 3, 2]));
        assert_eq!(merged, clock([5, 3, 2]));
        assert_eq!(merged.sum(), 10);
    }

    #[test]
    fn a_clock_of_more_banks_than_there_can_be_is_refused() {
        assert!(serde_json::from_str::<VectorClock>(&format!("{:?}", [0; BANKS_MAX + 1])).is_err());
        assert!(serde_json::from_str::<VectorClock>("[-1]").is_err());
    }
}
