//! How much a customer lets leave by Pix and withdrawals in a day, from 6:00 to 20:00, and in a
//! night, from 20:00 to 6:00; over all of their accounts at all banks.
//!
//! A limit is lowered at once. A raised one counts from a day later: whoever has somebody's
//! password cannot raise it and empty the accounts in the same hour. What goes to an account that
//! the customer alone holds does not count, nor does giving back a Pix.
//!
//! The hour is that of the consortium's time zone at the date of the request. The ledger knows no
//! zones, whose rules change with laws: the bank that was asked writes into the request by how much
//! the zone's clocks were ahead of UTC.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::money::{BadMoney, Centavos};
use super::schedule::Day;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// The hour at which the day begins and the night ends,
const DAY_BEGINS: i64 = 6;
/// and the other way round.
const NIGHT_BEGINS: i64 = 20;
/// How long after it was asked for a raised limit counts, in milliseconds.
pub(crate) const RAISE_WAIT_MS: i64 = DAY_MS;
/// The most that a zone's clocks are ahead of UTC or behind it, in seconds; none ever was so far.
pub(crate) const OFFSET_MAX_S: i32 = 26 * 3_600;
/// How many days and nights are remembered of a customer: the present one, the one before it, where
/// dates of two banks differ by a moment, and one that a wrong clock may have named.
const PERIODS_MAX: usize = 3;

/// Day or night.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartOfDay {
    /// From 6:00 to 20:00.
    Day,
    /// From 20:00 to 6:00 of the next day.
    Night,
}

impl PartOfDay {
    /// The one at a moment in Unix milliseconds, where clocks are so many seconds ahead of UTC.
    #[must_use]
    pub(crate) fn at(unix_ms: i64, offset_s: i32) -> PartOfDay {
        Period::at(unix_ms, offset_s).part()
    }
}

/// A day or a night: twice its number of days since 1970-01-01, and one more for the night.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Period(i64);

impl Period {
    /// The one at a moment in Unix milliseconds, where clocks are so many seconds ahead of UTC.
    #[must_use]
    pub(crate) fn at(unix_ms: i64, offset_s: i32) -> Period {
        let local_ms = unix_ms.saturating_add(i64::from(offset_s) * 1_000);
        let since_day_ms = local_ms.saturating_sub(DAY_BEGINS * HOUR_MS);
        let is_night = since_day_ms.rem_euclid(DAY_MS) >= (NIGHT_BEGINS - DAY_BEGINS) * HOUR_MS;
        Period(2 * since_day_ms.div_euclid(DAY_MS) + i64::from(is_night))
    }

    /// Day or night.
    #[must_use]
    pub(crate) fn part(self) -> PartOfDay {
        if self.0.rem_euclid(2) == 0 { PartOfDay::Day } else { PartOfDay::Night }
    }

    /// The civil day on which it begins.
    #[must_use]
    pub(crate) fn day(self) -> Day {
        Day::new(self.0.div_euclid(2))
    }

    /// For the chain.
    pub(super) fn number(self) -> i64 {
        self.0
    }
}

/// The most that may leave: no money at all, or any amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Limit(i64);

impl Limit {
    /// Takes a sum as a limit.
    ///
    /// # Errors
    /// [`BadMoney::Negative`] below zero, [`BadMoney::TooLarge`] for what an amount cannot be.
    pub fn parse(sum: Centavos) -> Result<Limit, BadMoney> {
        match i64::try_from(sum.get()) {
            Ok(centavos) => Limit::try_from(centavos),
            Err(_) if sum > Centavos::ZERO => Err(BadMoney::TooLarge),
            Err(_) => Err(BadMoney::Negative),
        }
    }

    /// The sum.
    #[must_use]
    pub fn get(self) -> Centavos {
        Centavos::new(self.0)
    }
}

impl TryFrom<i64> for Limit {
    type Error = BadMoney;

    fn try_from(centavos: i64) -> Result<Limit, BadMoney> {
        if centavos >= 0 { Ok(Limit(centavos)) } else { Err(BadMoney::Negative) }
    }
}

impl From<Limit> for i64 {
    fn from(limit: Limit) -> i64 {
        limit.0
    }
}

/// What is to become of a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Wish {
    /// It stays as it is.
    #[default]
    Keep,
    /// There is none any more.
    Unlimited,
    /// It is this one.
    Most(Limit),
}

/// New limits. Whose they are, the request says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsChange {
    /// From 6:00 to 20:00.
    pub day: Wish,
    /// From 20:00 to 6:00.
    pub night: Wish,
    /// What leaves in a day or a night without the password being given again. The bank that is
    /// asked sees to it that it is given for this too, so that it counts at once.
    #[serde(default, skip_serializing_if = "Wish::keeps")]
    pub confirm: Wish,
}

impl Wish {
    /// Whether nothing is to change.
    fn keeps(&self) -> bool {
        *self == Wish::Keep
    }
}

/// A limit that is going to be higher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Raise {
    /// `None` for no limit.
    pub(crate) to: Option<Limit>,
    /// From which date on, in Unix milliseconds.
    pub(crate) from_ms: i64,
}

/// One of the two limits: what counts now, and what counts later. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ceiling {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    now: Option<Limit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<Raise>,
}

impl Ceiling {
    /// What counts at a date.
    #[must_use]
    pub(crate) fn at(self, at_ms: i64) -> Option<Limit> {
        match self.next {
            Some(raise) if raise.from_ms <= at_ms => raise.to,
            _ => self.now,
        }
    }

    /// What waits at a date.
    #[must_use]
    pub(crate) fn waiting(self, at_ms: i64) -> Option<Raise> {
        self.next.filter(|raise| raise.from_ms > at_ms)
    }

    /// What counts and what is going to; of old raises the ones that count by now too. For the
    /// chain.
    pub(super) fn limits(self) -> [Option<Limit>; 2] {
        [self.now, self.next.and_then(|raise| raise.to)]
    }

    /// From which date on the second one counts, if there is a second one. For the chain.
    pub(super) fn next_from_ms(self) -> Option<i64> {
        self.next.map(|raise| raise.from_ms)
    }

    /// What a wish makes of it. Who wishes again what waits already does not wait longer.
    fn wished(self, wish: Wish, at_ms: i64) -> Ceiling {
        let to = match wish {
            Wish::Keep => return self,
            Wish::Unlimited => None,
            Wish::Most(limit) => Some(limit),
        };
        let (now, waiting) = (self.at(at_ms), self.waiting(at_ms));
        let next = match height(to).cmp(&height(now)) {
            Ordering::Greater => {
                let from_ms = at_ms.saturating_add(RAISE_WAIT_MS);
                waiting.filter(|raise| raise.to == to).or(Some(Raise { to, from_ms }))
            }
            _ => None,
        };
        Ceiling { now: if next.is_some() { now } else { to }, next }
    }
}

/// For comparing: no limit is the highest.
fn height(limit: Option<Limit>) -> (bool, Option<Limit>) {
    (limit.is_none(), limit)
}

/// A customer's limits; none where they have set none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    day: Ceiling,
    night: Ceiling,
    /// What may leave in a day or a night without the password being given again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirm: Option<Limit>,
}

impl Limits {
    /// That of the day or of the night.
    #[must_use]
    pub(crate) fn of(&self, part: PartOfDay) -> Ceiling {
        match part {
            PartOfDay::Day => self.day,
            PartOfDay::Night => self.night,
        }
    }

    /// What a change at a date makes of them.
    #[must_use]
    pub(crate) fn changed(self, change: &LimitsChange, at_ms: i64) -> Limits {
        Limits {
            day: self.day.wished(change.day, at_ms),
            night: self.night.wished(change.night, at_ms),
            confirm: match change.confirm {
                Wish::Keep => self.confirm,
                Wish::Unlimited => None,
                Wish::Most(limit) => Some(limit),
            },
        }
    }

    /// Above which sum of a day or a night the password is to be given again.
    #[must_use]
    pub(crate) fn confirm(&self) -> Option<Limit> {
        self.confirm
    }

    /// Whether one of them is going to be raised.
    #[must_use]
    pub(crate) fn is_waiting(&self, at_ms: i64) -> bool {
        [self.day, self.night].iter().any(|ceiling| ceiling.waiting(at_ms).is_some())
    }

    /// Whether they limit nothing, and never will.
    #[must_use]
    pub(super) fn are_none(&self) -> bool {
        *self == Limits::default()
    }
}

/// A customer's limit of the day or of the night, as it is shown to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// What counts now; `None` for no limit.
    pub(crate) most: Option<Centavos>,
    /// What counts later.
    pub(crate) next: Option<Raise>,
}

/// What left in a day or a night.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Spent(Period, Centavos);

/// What left in the last days and nights, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Spendings(Box<[Spent]>);

impl Spendings {
    /// What left in a day or a night.
    #[must_use]
    pub(crate) fn sum(&self, period: Period) -> Centavos {
        let known = self.0.iter().find(|Spent(other, _)| *other == period);
        known.map_or(Centavos::ZERO, |Spent(_, sum)| *sum)
    }

    /// Whether nothing left.
    #[must_use]
    pub(super) fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Replaces the sum of a day or a night; of older ones only the latest are kept.
    pub(super) fn keep(&mut self, period: Period, sum: Centavos) {
        if let Some(Spent(_, known)) = self.0.iter_mut().find(|Spent(other, _)| *other == period) {
            *known = sum;
            return;
        }
        let mut all = self.0.to_vec();
        all.push(Spent(period, sum));
        all.sort_by_key(|Spent(period, _)| *period);
        all.drain(..all.len().saturating_sub(PERIODS_MAX));
        self.0 = all.into();
    }

    /// Whether a book can have them.
    #[must_use]
    pub(super) fn are_sound(&self) -> bool {
        self.0.len() <= PERIODS_MAX
            && self.0.iter().all(|Spent(_, sum)| *sum > Centavos::ZERO)
            && self.0.is_sorted_by(|Spent(one, _), Spent(other, _)| one < other)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Midnight in São Paulo between the 22nd and the 23rd of November 2026.
    const MIDNIGHT_MS: i64 = 1_795_402_800_000;
    const SAO_PAULO_S: i32 = -3 * 3_600;

    fn at(hour: i64) -> Period {
        Period::at(MIDNIGHT_MS + hour * HOUR_MS, SAO_PAULO_S)
    }

    fn most(centavos: i64) -> Wish {
        Wish::Most(Limit(centavos))
    }

    #[test]
    fn a_night_goes_on_until_six_and_belongs_to_no_other() {
        for hour in 6..20 {
            assert_eq!((at(hour), at(hour).part()), (at(6), PartOfDay::Day), "{hour}");
        }
        for hour in 20..30 {
            assert_eq!((at(hour), at(hour).part()), (at(20), PartOfDay::Night), "{hour}");
        }
        assert!(at(5) < at(6) && at(19) < at(20) && at(29) < at(30));
        assert_eq!(Period::at(MIDNIGHT_MS + 6 * HOUR_MS - 1, SAO_PAULO_S), at(0));
        // Clocks that are put forward in the night do not begin another.
        assert_eq!(Period::at(MIDNIGHT_MS + HOUR_MS, SAO_PAULO_S + 3_600), at(-1));
    }

    #[test]
    fn a_lower_limit_counts_at_once_and_a_higher_one_a_day_later() {
        let ceiling = Ceiling::default().wished(most(500), 0);
        assert_eq!((ceiling.at(0), ceiling.waiting(0)), (Some(Limit(500)), None));
        let raised = ceiling.wished(most(900), 10);
        let from_ms = RAISE_WAIT_MS + 10;
        assert_eq!(raised.at(from_ms - 1), Some(Limit(500)));
        assert_eq!(raised.at(from_ms), Some(Limit(900)));
        assert_eq!(raised.waiting(20), Some(Raise { to: Some(Limit(900)), from_ms }));
        // Asked for again, it comes no later; asked for otherwise, it does.
        assert_eq!(raised.wished(most(900), 20), raised);
        assert_eq!(raised.wished(Wish::Keep, 20), raised);
        assert_eq!(raised.wished(most(901), 20).at(from_ms), Some(Limit(500)));
        // What is lower ends the waiting.
        assert_eq!(raised.wished(most(0), 20), Ceiling { now: Some(Limit(0)), next: None });
        let none = raised.wished(Wish::Unlimited, from_ms);
        assert_eq!((none.at(from_ms), none.at(from_ms + RAISE_WAIT_MS)), (Some(Limit(900)), None));
    }

    proptest! {
        /// Whatever is wished and when, what counts is never above everything that counted or was
        /// wished a day before.
        #[test]
        fn nothing_is_raised_within_a_day(
            wishes in proptest::collection::vec((0..3 * RAISE_WAIT_MS, prop_oneof![
                Just(Wish::Keep), Just(Wish::Unlimited), (0..5_i64).prop_map(most)
            ]), 1..12),
        ) {
            let (mut now_ms, mut ceiling) = (0, Ceiling::default().wished(most(0), 0));
            let mut wished: Vec<(i64, Option<Limit>)> = vec![(-RAISE_WAIT_MS, Some(Limit(0)))];
            for (after_ms, wish) in wishes {
                now_ms += after_ms / 3;
                let before = ceiling.at(now_ms);
                ceiling = ceiling.wished(wish, now_ms);
                prop_assert!(height(ceiling.at(now_ms)) <= height(before));
                match wish {
                    Wish::Keep => {}
                    Wish::Unlimited => wished.push((now_ms, None)),
                    Wish::Most(limit) => wished.push((now_ms, Some(limit))),
                }
                let old = wished.iter().filter(|(at_ms, _)| at_ms + RAISE_WAIT_MS <= now_ms);
                let most = old.map(|(_, limit)| height(*limit)).max();
                prop_assert!(Some(height(ceiling.at(now_ms))) <= most);
            }
        }
    }

    #[test]
    fn the_latest_days_and_nights_are_remembered() {
        let mut spendings = Spendings::default();
        let sum = Centavos::new;
        spendings.keep(Period(10), sum(1));
        spendings.keep(Period(11), sum(2));
        spendings.keep(Period(10), sum(3));
        let sums = |of: &Spendings, periods: &[i64]| {
            periods.iter().map(|period| of.sum(Period(*period)).get()).collect::<Vec<_>>()
        };
        assert_eq!(sums(&spendings, &[10, 11, 12]), [3, 2, 0]);
        // A clock that is years ahead takes nothing away.
        let mut wrong = spendings.clone();
        wrong.keep(Period(12), sum(5));
        assert_eq!(sums(&wrong, &[10, 11, 12]), [3, 2, 5]);
        spendings.keep(Period(9_000), sum(4));
        spendings.keep(Period(12), sum(5));
        spendings.keep(Period(13), sum(6));
        assert_eq!(sums(&spendings, &[12, 13, 9_000]), [5, 6, 4]);
        assert!(
            spendings.are_sound() && !Spendings(Box::new([Spent(Period(1), sum(0))])).are_sound()
        );
    }
}
