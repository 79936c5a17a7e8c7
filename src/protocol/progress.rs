//! Which member alone keeps the others waiting, and for how long so far.
//!
//! Silence shows which member is dead; a half-dead one is revealed by everybody else having gone
//! further. Every tick this takes, per member, a sample of what *all others* have; the *lag* of a
//! member is the age of the oldest sample that it does not have itself. So only a member that is
//! the single one missing has a lag. The lag grows while that member stands still, also shows when
//! it limps or is always a second behind although it keeps moving, and is zero while nobody waits.
//! What two members lack is nobody's lag: there is no telling which of them held up the other.
//!
//! What is compared is a clock per member, of its durable events; execution is a clock with a
//! single component.

use std::collections::VecDeque;
use std::fmt;

use serde::Serialize;

use super::time::Millis;
use super::vector_clock::VectorClock;
use crate::ids::{Ballot, BankId, BankSet};

/// How often samples are taken, in milliseconds.
pub const TICK_MS: Millis = 100;
/// The most samples kept of one member. Members wait for each other after a few events, so there
/// are seldom many; the oldest are kept, as they tell the lag.
const SAMPLES_MAX: usize = 128;

/// What the others wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// To have an event on disk.
    Durable,
    /// To have executed it.
    Executed,
}

/// For the log.
impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Durable => "write",
            Stage::Executed => "execute",
        })
    }
}

/// Which members keep the others of a view waiting at one stage, and for how long so far.
#[derive(Clone, Debug)]
pub struct Lags {
    /// The view in force.
    pub view: Ballot,
    /// Its members.
    pub members: BankSet,
    /// What they wait for.
    pub stage: Stage,
    /// Per bank, in milliseconds.
    pub behind: Vec<Millis>,
}

/// The samples of all members.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    now: Millis,
    /// Per bank, what all others had and it did not, and since when; in order.
    samples: Vec<VecDeque<(Millis, VectorClock)>>,
}

impl Progress {
    /// Nobody is behind.
    #[must_use]
    pub(crate) fn new(banks: usize) -> Self {
        Progress { now: 0, samples: vec![VecDeque::new(); banks] }
    }

    /// Forgets everything: another view begins.
    pub(crate) fn begin(&mut self) {
        self.samples.iter_mut().for_each(VecDeque::clear);
    }

    /// Another [`TICK_MS`] has passed; `rows` is what each bank has. Returns the lag of each, in
    /// milliseconds.
    pub(crate) fn tick(&mut self, members: BankSet, rows: &[VectorClock]) -> Vec<Millis> {
        self.now += TICK_MS;
        let lowest = Lowest::of(members, rows);
        BankId::all(rows.len()).map(|bank| self.lag(bank, &lowest, members, rows)).collect()
    }

    fn lag(
        &mut self,
        bank: BankId,
        lowest: &Lowest,
        members: BankSet,
        rows: &[VectorClock],
    ) -> Millis {
        let (samples, row) = (&mut self.samples[bank.index()], &rows[bank.index()]);
        if !members.contains(bank) || members.len() < 2 {
            samples.clear();
            return 0;
        }
        while samples.front().is_some_and(|(_, sample)| row.covers(sample)) {
            samples.pop_front();
        }
        let others_have = lowest.without(bank);
        if !row.covers(&others_have) && samples.back().is_none_or(|(_, last)| *last != others_have)
        {
            if samples.len() == SAMPLES_MAX {
                samples.pop_back();
            }
            samples.push_back((self.now, others_have));
        }
        samples.front().map_or(0, |(since, _)| self.now - since)
    }
}

/// Per component, the lowest counter that any member has, which member that is, and the lowest of
/// the others.
struct Lowest(Vec<(u64, BankId, u64)>);

impl Lowest {
    fn of(members: BankSet, rows: &[VectorClock]) -> Self {
        let components = rows.first().map_or(0, VectorClock::len);
        let mut lowest = vec![(u64::MAX, BankId(0), u64::MAX); components];
        for bank in members.iter() {
            for ((first, who, second), (_, counter)) in
                lowest.iter_mut().zip(rows[bank.index()].iter())
            {
                if counter < *first {
                    (*second, *first, *who) = (*first, counter, bank);
                } else {
                    *second = counter.min(*second);
                }
            }
        }
        Lowest(lowest)
    }

    /// What all members but one have.
    fn without(&self, bank: BankId) -> VectorClock {
        let counter =
            |(first, who, second): &(u64, BankId, u64)| if *who == bank { *second } else { *first };
        self.0.iter().map(counter).collect::<Vec<_>>().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: [[u64; 3]; 3]) -> Vec<VectorClock> {
        rows.map(|row| row.to_vec().into()).into()
    }

    /// Ticks `times` times with these rows; returns the last lags.
    fn tick(progress: &mut Progress, times: u64, clocks: [[u64; 3]; 3]) -> Vec<Millis> {
        (0..times).map(|_| progress.tick(BankSet::all(3), &rows(clocks))).last().unwrap()
    }

    #[test]
    fn the_lag_of_a_bank_that_alone_stands_still_grows_until_it_has_caught_up() {
        let mut progress = Progress::new(3);
        assert_eq!(tick(&mut progress, 10, [[0; 3]; 3]), [0, 0, 0], "nobody waits");
        assert_eq!(tick(&mut progress, 11, [[1, 0, 0], [1, 0, 0], [0, 0, 0]]), [0, 0, 1_000]);
        assert_eq!(tick(&mut progress, 1, [[1, 0, 0]; 3]), [0, 0, 0]);
    }

    #[test]
    fn a_bank_always_half_a_second_behind_has_a_lag_although_it_keeps_moving() {
        let mut progress = Progress::new(3);
        let lags = |now: u64| {
            let (new, old) = (now, now.saturating_sub(5));
            [[new, 0, 0], [new, 0, 0], [old, 0, 0]]
        };
        for now in 1..10 {
            tick(&mut progress, 1, lags(now));
        }
        for now in 10..100 {
            assert_eq!(tick(&mut progress, 1, lags(now)), [0, 0, 400]);
        }
    }

    #[test]
    fn what_two_members_lack_is_the_lag_of_neither() {
        let mut progress = Progress::new(3);
        assert_eq!(tick(&mut progress, 50, [[5, 0, 0], [0, 0, 0], [0, 0, 0]]), [0, 0, 0]);
        assert_eq!(tick(&mut progress, 11, [[5, 0, 0], [5, 0, 0], [0, 0, 0]]), [0, 0, 1_000]);
    }

    #[test]
    fn this_banks_own_row_counts_like_any_other() {
        let mut progress = Progress::new(3);
        assert_eq!(tick(&mut progress, 11, [[0, 0, 0], [0, 3, 0], [0, 3, 0]]), [1_000, 0, 0]);
    }

    #[test]
    fn banks_outside_keep_nobody_waiting_and_samples_are_bounded() {
        let mut progress = Progress::new(3);
        let two = BankSet::all(3).difference(BankSet::default().with(BankId(2)));
        for now in 1..10_000 {
            let lags = progress.tick(two, &rows([[now, 0, 0], [0, 0, 0], [0, 0, 0]]));
            assert_eq!(lags, [0, (now - 1) * TICK_MS, 0], "of two, the other is alone");
        }
        assert!(progress.samples.iter().all(|samples| samples.len() <= SAMPLES_MAX));
    }
}
