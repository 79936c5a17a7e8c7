//! How high a round may be. A round is promised on disk and can never be taken back, so one bank
//! must not be able to use up all numbers; but a view change must always be possible, also for a
//! bank that was away through many of them.
//!
//! A bank promises a round at most [`AHEAD_MAX`] above its *mark*. The mark follows what it has
//! promised and what banks that it hears say that they have, by at most [`STEP`] a tick, whatever
//! they say: at that speed the numbers last for a hundred thousand years. As all hear of each
//! other's promises, their marks stay close together, and a coordinator, which goes at most
//! [`PROPOSED_MAX`] above its own, stays within the bounds of the others. `docs/protocol.md` shows
//! why nobody is locked out.

use crate::protocol::possible::ROUND_MAX;

/// How far above the mark a round may be: four million view changes that a bank has missed.
pub(super) const AHEAD_MAX: u64 = 1 << 22;
/// The mark begins to move when something is further above it than this,
const MOVES_FROM: u64 = AHEAD_MAX / 2;
/// and by at most so much in a tick.
const STEP: u64 = 1 << 16;
/// How far above its mark a coordinator goes at most: the marks of the others may lag behind.
const PROPOSED_MAX: u64 = AHEAD_MAX / 4 * 3;

/// The bound on rounds at one bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Rounds {
    mark: u64,
}

impl Rounds {
    /// A bank that has promised this round, according to its disk.
    pub(super) fn new(promised: u64) -> Self {
        Rounds { mark: promised.min(ROUND_MAX) }
    }

    /// Whether a round may be promised.
    pub(super) fn allow(self, round: u64) -> bool {
        round <= (self.mark + AHEAD_MAX).min(ROUND_MAX)
    }

    /// The highest round above which this bank makes a ballot.
    pub(super) fn proposed_above(self) -> u64 {
        (self.mark + PROPOSED_MAX).min(ROUND_MAX - 1)
    }

    /// A tick has passed, and this is the highest round that this bank has promised or that others
    /// say they have.
    pub(super) fn follow(&mut self, highest: u64) {
        let goal = highest.min(ROUND_MAX).saturating_sub(MOVES_FROM);
        if goal > self.mark {
            self.mark = goal.min(self.mark + STEP);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_far_above_the_mark_is_not_allowed_and_the_mark_follows_it_step_by_step() {
        let mut rounds = Rounds::new(7);
        assert!(rounds.allow(7 + AHEAD_MAX) && !rounds.allow(8 + AHEAD_MAX));
        rounds.follow(7 + MOVES_FROM);
        assert_eq!(rounds, Rounds::new(7), "small numbers move nothing");
        let away = 7 + 100 * AHEAD_MAX;
        let ticks = (0..).take_while(|_| {
            rounds.follow(away);
            !rounds.allow(away + 1)
        });
        assert!((6_000..7_000).contains(&ticks.count()), "half a thousand million in ten minutes");
    }

    #[test]
    fn whatever_is_said_the_numbers_last() {
        let mut rounds = Rounds::new(0);
        (0..1_000).for_each(|_| rounds.follow(u64::MAX));
        assert_eq!(rounds.mark, 1_000 * STEP);
        let years = ROUND_MAX / STEP / 10 / 60 / 60 / 24 / 365;
        assert!(years > 100_000, "{years}");
        let mut last = Rounds::new(u64::MAX);
        last.follow(u64::MAX);
        assert!(last.allow(ROUND_MAX) && !last.allow(ROUND_MAX + 1));
    }
}
