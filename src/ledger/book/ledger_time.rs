//! Ledger time: the time that entries are dated with and that keys age by, the same at every bank.
//!
//! An event carries consortium time. Its date is that time, but never below the *floor*, which only
//! rises. An event that lies at most [`STEP_MAX_MS`] above the floor raises it by itself. One that
//! lies further above is either the first after a quiet period or comes from a wrong clock, and one
//! bank's word is not enough to tell which: it is dated with its own time, the floor stays, and the
//! jump is *pending* until the next event from another bank. If that one is as late, the floor
//! follows; if not, the jump is forgotten. So no single bank can run away with ledger time, and
//! after a quiet week a second bank with the same time is enough to confirm it. Where only one bank
//! sends events nobody confirms, and every event keeps its own date.
//!
//! Keys grow old by *age*, not by time: an event adds as much as it lies above the date before it,
//! but at most [`AGE_STEP_MAX_MS`]. A clock that jumps adds a minute at most, however far it goes.
//!
//! Events of journals that are older than consortium time have no header; for them ledger time is
//! the latest time that a request has named, and age is the same as time.

use serde::{Deserialize, Serialize};

use crate::ids::BankId;
use crate::ids::request::AT_MS_MAX;

/// How far above the floor an event may lie and still raise it by itself, in milliseconds: one
/// minute.
pub(crate) const STEP_MAX_MS: i64 = 60_000;
/// The most that one event adds to the age of all keys, in milliseconds: one minute.
pub(crate) const AGE_STEP_MAX_MS: i64 = 60_000;

/// A time that one bank has named and nobody else has confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Jump {
    sender: BankId,
    at_ms: i64,
}

/// Floor, pending jump and age. All times lie between 0 and [`AT_MS_MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LedgerTime {
    floor_ms: i64,
    pending: Option<Jump>,
    age_ms: i64,
}

impl LedgerTime {
    /// Takes the time of an event with a header; returns the event's date.
    pub(super) fn take(&mut self, sender: BankId, at_ms: i64) -> i64 {
        let at_ms = at_ms.clamp(0, AT_MS_MAX);
        if let Some(jump) = self.pending.take_if(|jump| jump.sender != sender)
            && at_ms + STEP_MAX_MS >= jump.at_ms
        {
            self.raise(jump.at_ms);
        }
        if at_ms <= self.floor_ms + STEP_MAX_MS {
            self.pending = None;
            self.raise(at_ms);
            return self.floor_ms;
        }
        let date_ms = match self.pending {
            // The same bank goes on; a short step back only means a new estimate.
            Some(before) if at_ms + STEP_MAX_MS >= before.at_ms => {
                let date_ms = at_ms.max(before.at_ms);
                self.grow_old(date_ms - before.at_ms);
                date_ms
            }
            _ => at_ms,
        };
        self.pending = Some(Jump { sender, at_ms: date_ms });
        date_ms
    }

    /// Takes the time that a request without a header names, if it can be read; returns its date.
    pub(super) fn take_undated(&mut self, at_ms: Option<i64>) -> i64 {
        let later = at_ms.map_or(self.floor_ms, |at_ms| at_ms.clamp(self.floor_ms, AT_MS_MAX));
        self.age_ms = self.age_ms.saturating_add(later - self.floor_ms);
        self.floor_ms = later;
        later
    }

    fn raise(&mut self, to_ms: i64) {
        let by_ms = (to_ms - self.floor_ms).max(0);
        self.floor_ms += by_ms;
        self.grow_old(by_ms);
    }

    fn grow_old(&mut self, by_ms: i64) {
        self.age_ms = self.age_ms.saturating_add(by_ms.min(AGE_STEP_MAX_MS));
    }

    /// The floor, below which no date lies.
    pub(super) fn floor_ms(&self) -> i64 {
        self.floor_ms
    }

    /// How old the ledger has become; decides when keys are forgotten.
    pub(super) fn age_ms(&self) -> i64 {
        self.age_ms
    }

    /// The latest date: the floor's, or that of the jump which nobody has confirmed yet.
    pub(super) fn latest_ms(&self) -> i64 {
        self.pending.map_or(self.floor_ms, |jump| jump.at_ms)
    }

    /// What a snapshot contains in addition to the floor: nothing for a ledger that is older than
    /// consortium time.
    pub(super) fn beside_floor(&self) -> (Option<Jump>, Option<i64>) {
        (self.pending, Some(self.age_ms).filter(|age_ms| *age_ms != self.floor_ms))
    }

    /// Reads back what a snapshot has.
    pub(super) fn restored(
        floor_ms: i64,
        pending: Option<Jump>,
        age_ms: Option<i64>,
    ) -> Option<Self> {
        let time = LedgerTime { floor_ms, pending, age_ms: age_ms.unwrap_or(floor_ms) };
        let is_sound = (0..=AT_MS_MAX).contains(&floor_ms)
            && time.age_ms >= 0
            && pending.is_none_or(|jump| (0..=AT_MS_MAX).contains(&jump.at_ms));
        is_sound.then_some(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_795_442_602_000;
    const DAY_MS: i64 = 86_400_000;
    const YEARS_MS: i64 = 64 * 365 * DAY_MS;

    /// A ledger whose floor two banks have agreed on.
    fn with_a_floor() -> LedgerTime {
        let mut time = LedgerTime::default();
        time.take(BankId(0), NOW_MS);
        time.take(BankId(1), NOW_MS);
        assert_eq!(time.floor_ms(), NOW_MS);
        time
    }

    #[test]
    fn the_first_event_has_its_own_date_and_the_second_bank_raises_the_floor() {
        let mut time = LedgerTime::default();
        assert_eq!(time.take(BankId(0), NOW_MS), NOW_MS);
        assert_eq!((time.floor_ms(), time.latest_ms()), (0, NOW_MS));
        assert_eq!(time.take(BankId(1), NOW_MS - 2), NOW_MS, "what is confirmed is not undercut");
        assert_eq!(time.floor_ms(), NOW_MS);
    }

    #[test]
    fn dates_never_lie_below_the_floor_and_small_steps_raise_it() {
        let mut time = with_a_floor();
        assert_eq!(time.take(BankId(2), NOW_MS + 700), NOW_MS + 700);
        assert_eq!(time.take(BankId(0), NOW_MS - YEARS_MS), NOW_MS + 700);
        assert_eq!(time.take(BankId(0), NOW_MS + STEP_MAX_MS), NOW_MS + STEP_MAX_MS);
    }

    #[test]
    fn a_clock_that_is_years_ahead_neither_moves_the_floor_nor_makes_keys_old() {
        for ahead_ms in [3_600_000, 25 * 3_600_000, YEARS_MS, i64::MAX - NOW_MS] {
            let mut time = with_a_floor();
            let age_ms = time.age_ms();
            for second in 1..=600 {
                time.take(BankId(2), NOW_MS + ahead_ms);
                let at_ms = NOW_MS + second * 1_000;
                assert_eq!(
                    time.take(BankId(second as u16 % 2), at_ms),
                    at_ms,
                    "the others' dates are right"
                );
            }
            assert_eq!(time.floor_ms(), NOW_MS + 600_000);
            assert_eq!(time.age_ms() - age_ms, 600_000);
        }
    }

    #[test]
    fn one_event_adds_at_most_a_minute_of_age_however_far_it_jumps_even_if_confirmed() {
        let mut time = with_a_floor();
        let age_ms = time.age_ms();
        time.take(BankId(2), NOW_MS + YEARS_MS);
        assert_eq!(time.age_ms(), age_ms);
        time.take(BankId(1), NOW_MS + YEARS_MS);
        assert_eq!((time.floor_ms(), time.age_ms()), (NOW_MS + YEARS_MS, age_ms + AGE_STEP_MAX_MS));
    }

    #[test]
    fn after_a_quiet_week_dates_are_right_at_once_and_the_floor_follows_the_second_bank() {
        let mut time = with_a_floor();
        let week_ms = NOW_MS + 7 * DAY_MS;
        assert_eq!(time.take(BankId(1), week_ms), week_ms);
        assert_eq!(time.take(BankId(1), week_ms + 900), week_ms + 900);
        assert_eq!(time.take(BankId(1), week_ms + 400), week_ms + 900, "no step back");
        assert_eq!(time.floor_ms(), NOW_MS);
        assert_eq!(time.take(BankId(0), week_ms + 1_000), week_ms + 1_000);
        assert_eq!(time.floor_ms(), week_ms + 1_000);
    }

    #[test]
    fn a_wrong_clock_cannot_confirm_more_than_the_right_one_has_said() {
        let mut time = with_a_floor();
        let week_ms = NOW_MS + 7 * DAY_MS;
        time.take(BankId(1), week_ms);
        time.take(BankId(2), NOW_MS + YEARS_MS);
        assert_eq!(time.floor_ms(), week_ms);
        assert_eq!(time.take(BankId(0), week_ms + 5), week_ms + 5);
    }

    #[test]
    fn a_bank_alone_dates_its_events_itself_and_its_keys_grow_old() {
        let mut time = LedgerTime::default();
        time.take(BankId(0), NOW_MS);
        for second in 1..=100 {
            assert_eq!(time.take(BankId(0), NOW_MS + second * 1_000), NOW_MS + second * 1_000);
        }
        assert_eq!(time.age_ms(), 100_000);
        assert_eq!(time.take(BankId(0), NOW_MS + YEARS_MS), NOW_MS + YEARS_MS);
        assert_eq!(
            time.take(BankId(0), NOW_MS + 101_000),
            NOW_MS + 101_000,
            "and once the clock is right, so are they"
        );
    }

    #[test]
    fn without_a_header_time_is_the_latest_named_so_far_and_age_equals_time() {
        let mut time = LedgerTime::default();
        for (at_ms, date_ms) in
            [(Some(5), 5), (Some(3), 5), (None, 5), (Some(i64::MIN), 5), (Some(NOW_MS), NOW_MS)]
        {
            assert_eq!(time.take_undated(at_ms), date_ms);
            assert_eq!((time.age_ms(), time.beside_floor()), (date_ms, (None, None)));
        }
    }

    #[test]
    fn a_snapshots_ledger_time_is_read_back_and_nonsense_is_refused() {
        let mut time = with_a_floor();
        time.take(BankId(2), NOW_MS + DAY_MS);
        let (pending, age_ms) = time.beside_floor();
        assert_eq!(LedgerTime::restored(time.floor_ms(), pending, age_ms), Some(time));
        assert_eq!(LedgerTime::restored(-1, None, None), None);
        assert_eq!(LedgerTime::restored(0, None, Some(-1)), None);
        assert_eq!(
            LedgerTime::restored(0, Some(Jump { sender: BankId(0), at_ms: i64::MAX }), None),
            None
        );
    }
}
