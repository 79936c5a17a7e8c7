//! The third phase: all is well, and then a gray fault sets in and stays. Customers go on asking
//! the banks that are well, as fast as they are answered; within a bounded time they must be
//! answered again, and go on being answered.

use netbanking::ids::BankId;

use super::gray::Lasting;
use super::mending::Mending;
use super::world::World;

const MS: u64 = 1_000;
const SECOND: u64 = 1_000_000;
/// How often a third phase follows: one takes three times as long as the other two.
const CHANCE_PER_MILLE: u64 = 100;
/// How long the third phase is observed.
const LASTS_US: u64 = 45 * SECOND;
/// The time within which, after the fault has set in, the others must be answered again.
const BORNE_US: u64 = 10 * SECOND;
/// Longest stop after that: the ill bank was let in again, on probation.
const AGAIN_US: u64 = 5 * SECOND;
/// The most stops of this kind, and the longest time for all of them together.
const STOPS_MAX: usize = 4;
const STOPPED_MAX_US: u64 = 10 * SECOND;
/// The shortest and the longest time for which a customer waits.
const HASTE_US: (u64, u64) = (40 * MS, 400 * MS);
/// A longer time than this without an answer to anybody is a stop.
const STOP_US: u64 = 1_000 * MS;

/// How the others fare.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ordeal {
    began_us: u64,
    /// When one of their customers was last answered.
    answered_us: u64,
    /// How often a view had begun before.
    installed: u64,
    /// When each time without an answer began, counted from the beginning, and how long it was.
    stops: Vec<(u64, u64)>,
}

impl Ordeal {
    fn is_answered(&mut self, now_us: u64) {
        let stopped_us = now_us - self.answered_us;
        if stopped_us > STOP_US {
            self.stops.push((self.answered_us.saturating_sub(self.began_us), stopped_us));
        }
        self.answered_us = now_us;
    }
}

impl World {
    /// All is well; returns the next phase.
    pub(crate) fn rest(&mut self) -> Mending {
        if self.lasting != Lasting::Nothing || !self.random.per_mille(CHANCE_PER_MILLE) {
            return Mending::Done;
        }
        // A heartbeat that was lost before may be noticed only now.
        let until_us = self.now_us + (self.scenario.patience.failure_after + 1_000) * MS;
        Mending::Resting { until_us }
    }

    /// Lets a gray fault set in, if all are still well; returns the next phase.
    pub(crate) fn begin_ordeal(&mut self) -> Mending {
        if !self.all_are_members() || !self.fall_ill() {
            return Mending::Done;
        }
        self.tally.ordeals[self.lasting.kind()] += 1;
        let now_us = self.now_us;
        self.ordeal = Some(Ordeal {
            began_us: now_us,
            answered_us: now_us,
            installed: self.tally.installed,
            stops: Vec::new(),
        });
        self.open_banks = self.core().iter().collect();
        (0..self.customers.len()).for_each(|number| self.ask_on(number));
        Mending::Enduring { since_us: now_us }
    }

    /// A bank has answered a customer with the outcome of what they asked for.
    pub(crate) fn note_answer(&mut self, bank: BankId) {
        let now_us = self.now_us;
        if self.open_banks.contains(&bank)
            && let Some(ordeal) = &mut self.ordeal
        {
            ordeal.is_answered(now_us);
        }
    }

    /// How long a customer waits for an answer, or before asking again: all are in a hurry now, so
    /// that it shows when nobody is answered.
    pub(crate) fn in_haste(&self, wait_us: u64) -> u64 {
        if self.ordeal.is_some() { wait_us.clamp(HASTE_US.0, HASTE_US.1) } else { wait_us }
    }

    /// Looks how the others fare.
    pub(crate) fn look_at_ordeal(&mut self) {
        let now_us = self.now_us;
        let Some(ordeal) = &self.ordeal else { return };
        let (passed_us, silent_us) = (now_us - ordeal.began_us, now_us - ordeal.answered_us);
        // Where the ill bank is needed, everything goes as slowly as that bank does.
        let is_needed = matches!(self.lasting, Lasting::SlowAndNeeded { .. });
        let bound_us =
            if is_needed || passed_us - silent_us < BORNE_US { BORNE_US } else { AGAIN_US };
        assert!(
            silent_us < bound_us,
            "{:?} stops the others: {}",
            self.lasting,
            self.where_they_stand()
        );
        if passed_us >= LASTS_US {
            self.judge_ordeal();
            self.mending = Mending::Done;
        }
    }

    /// A bank that is let in again on probation may stop the others again, but ever more rarely.
    fn judge_ordeal(&mut self) {
        let Some(ordeal) = self.ordeal.take() else { return };
        if let Lasting::SlowAndNeeded { bank } = self.lasting {
            let views = self.tally.installed - ordeal.installed;
            assert!(
                views == 0,
                "bank {bank} is slow, and the view was changed {views} times though it is needed"
            );
            return;
        }
        let again = || ordeal.stops.iter().filter(|(at_us, _)| *at_us >= BORNE_US);
        let long_us: u64 = again().map(|(_, long_us)| long_us).sum();
        assert!(
            again().count() <= STOPS_MAX && long_us <= STOPPED_MAX_US,
            "{:?} stops the others again and again: {:?}",
            self.lasting,
            ordeal.stops
        );
        let first_us = ordeal
            .stops
            .iter()
            .filter(|(at_us, _)| *at_us < BORNE_US)
            .map(|(_, long_us)| *long_us)
            .max();
        self.tally.stopped_max_us = first_us.unwrap_or_default();
        self.tally.stopped_again += again().count() as u64;
    }
}
