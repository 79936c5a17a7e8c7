//! How long rounds take, from the stamp of an own event until all members agree on it: where most
//! of that is distance, a request must not wait for a whole one.
//!
//! Among near members the next event leaves when the last is answered, and what gathers meanwhile
//! shares it. Where one member is far away, requests that just missed an event would wait for two
//! round trips in all. A busy machine or disk makes many rounds long, but distance makes all of
//! them long: so the shortest of the last rounds decides.
//!
//! While other members send events, too, nothing leaves earlier: an event of a far member that did
//! not know of this bank's comes before it in the order, must first be everywhere itself, and the
//! more events there are, the more often one is in the way (measured: `docs/benchmarks.md`).

use std::collections::VecDeque;

use super::time::Millis;

/// How many rounds are remembered.
const REMEMBERED: usize = 32;
/// From how long a shortest round on the members count as far apart, in milliseconds.
pub(crate) const FAR_MS: Millis = 20;
/// The part of a shortest round that a request waits for its event at most, where it counts.
pub(crate) const PART: Millis = 8;

/// The last rounds.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    last: VecDeque<Millis>,
    /// When an event of another member came last.
    others_at: Option<Millis>,
}

impl Rounds {
    /// An own event has been agreed on, so long after its stamp.
    pub(crate) fn add(&mut self, took: Millis) {
        if self.last.len() == REMEMBERED {
            self.last.pop_front();
        }
        self.last.push_back(took);
    }

    /// An event of another member has come.
    pub(crate) fn other(&mut self, now: Millis) {
        self.others_at = Some(now);
    }

    /// Other members, other distances.
    pub(crate) fn forget(&mut self) {
        *self = Rounds::default();
    }

    /// When the next event may leave, whatever is in flight, if the last one left at `left_at`.
    /// `None` among near members.
    #[must_use]
    pub(crate) fn further_at(&self, left_at: Millis) -> Option<Millis> {
        let shortest = self.last.iter().copied().min().filter(|shortest| *shortest >= FAR_MS)?;
        let alone_at = self.others_at.map_or(0, |others_at| others_at + shortest);
        Some(alone_at.max(left_at + shortest / PART))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_every_round_is_long_are_the_members_far_apart() {
        let mut rounds = Rounds::default();
        assert_eq!(rounds.further_at(1_000), None);
        rounds.add(300);
        assert_eq!(rounds.further_at(1_000), Some(1_037));
        rounds.add(2);
        for _ in 1..REMEMBERED {
            rounds.add(80);
            assert_eq!(rounds.further_at(1_000), None, "a load, or an ill disk");
        }
        rounds.add(80);
        assert_eq!(rounds.further_at(1_000), Some(1_010));
        rounds.other(950);
        assert_eq!(rounds.further_at(1_000), Some(1_030), "another member is silent for a round");
        rounds.forget();
        assert_eq!(rounds.further_at(1_000), None);
    }
}
