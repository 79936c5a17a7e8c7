//! Days and times of day in UTC, computed from Unix milliseconds.
//!
//! The algorithm is `civil_from_days` of Howard Hinnant, 'chrono-Compatible Low-Level Date
//! Algorithms' (<https://howardhinnant.github.io/date_algorithms.html>): the proleptic Gregorian
//! calendar in eras of 400 years that begin on 1 March, so that the leap day is the last of its
//! year. No time zones and no leap seconds.

use std::fmt;

/// Milliseconds in a day.
const DAY_MS: i64 = 86_400_000;
/// Days in 400 Gregorian years.
const ERA_DAYS: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;

/// A day of the Gregorian calendar; prints `2026-11-23`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// Astronomical year: 0 is 1 BC.
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

impl Date {
    /// The day at a moment in Unix milliseconds, UTC.
    #[must_use]
    pub fn at(unix_ms: i64) -> Self {
        Date::from_days(unix_ms.div_euclid(DAY_MS))
    }

    /// How many days after 1970-01-01; Hinnant's `days_from_civil`.
    #[must_use]
    pub(crate) fn days_since_1970(self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let month_from_march = (i64::from(self.month) + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(self.day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * ERA_DAYS + day_of_era - EPOCH_DAYS
    }

    /// The same day so many months later, or the last day of a month that has no such day.
    #[must_use]
    pub(crate) fn months_later(self, months: i64) -> Date {
        let month = self.year * 12 + i64::from(self.month) - 1 + months;
        let first_of = |month: i64| {
            let number = u8::try_from(month.rem_euclid(12) + 1).expect("a year has 12 months");
            Date { year: month.div_euclid(12), month: number, day: 1 }
        };
        let (first, next) = (first_of(month), first_of(month + 1));
        let days = next.days_since_1970() - first.days_since_1970();
        let day = i64::from(self.day).min(days);
        Date { day: u8::try_from(day).expect("a month has 31 days at most"), ..first }
    }

    /// The day this many days after 1970-01-01.
    #[must_use]
    pub(crate) fn from_days(days_since_epoch: i64) -> Self {
        let days = days_since_epoch + EPOCH_DAYS;
        let era = days.div_euclid(ERA_DAYS);
        let day_of_era = days.rem_euclid(ERA_DAYS);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        // January and February belong to the year that began the March before.
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        let small =
            |number: i64| u8::try_from(number).expect("a month is at most 12, a day at most 31");
        Date { year, month: small(month), day: small(day) }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// A time of day in whole seconds; prints `14:03:22`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay {
    /// Seconds since midnight.
    seconds: i64,
}

impl TimeOfDay {
    /// The time of day at a moment in Unix milliseconds, UTC; rounded down to the whole second.
    #[must_use]
    pub fn at(unix_ms: i64) -> Self {
        TimeOfDay { seconds: unix_ms.rem_euclid(DAY_MS) / 1_000 }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:02}:{:02}:{:02}",
            self.seconds / 3_600,
            self.seconds / 60 % 60,
            self.seconds % 60
        )
    }
}

/// A moment in Unix milliseconds, UTC; prints `2026-11-23T14:03:22.999Z`, whatever the year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub i64);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Moment(unix_ms) = *self;
        write!(
            f,
            "{}T{}.{:03}Z",
            Date::at(unix_ms),
            TimeOfDay::at(unix_ms),
            unix_ms.rem_euclid(1_000)
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(unix_ms: i64) -> String {
        format!("{} {}", Date::at(unix_ms), TimeOfDay::at(unix_ms))
    }

    #[test]
    fn known_moments_have_their_known_dates() {
        let examples = [
            (0, "1970-01-01 00:00:00"),
            (1_795_442_602_999, "2026-11-23 14:03:22"),
            (951_782_400_000, "2000-02-29 00:00:00"),
            (4_107_542_399_000, "2100-02-28 23:59:59"),
            (4_107_542_400_000, "2100-03-01 00:00:00"),
        ];
        for (unix_ms, expected) in examples {
            assert_eq!(text(unix_ms), expected);
        }
    }

    #[test]
    fn moments_before_1970_count_backwards() {
        assert_eq!(text(-1), "1969-12-31 23:59:59");
        assert_eq!(text(-11_676_096_000_000), "1600-01-01 00:00:00");
        assert_eq!(text(-62_167_219_200_000), "0000-01-01 00:00:00");
    }

    #[test]
    fn the_ends_of_the_range_have_dates_too() {
        assert_eq!(Date::at(i64::MAX).year, 292_278_994);
        assert_eq!(Date::at(i64::MIN).year, -292_275_055);
        assert_eq!(Moment(i64::MAX).to_string(), "292278994-08-17T07:12:55.807Z");
        assert_eq!(Moment(-1).to_string(), "1969-12-31T23:59:59.999Z");
        assert_eq!(Moment(253_402_300_800_000).to_string(), "10000-01-01T00:00:00.000Z");
    }

    #[test]
    fn the_same_day_of_later_months_is_their_last_one_where_they_are_shorter() {
        let day = |year, month, day| Date { year, month, day };
        for (from, months, to) in [
            (day(2026, 11, 27), 1, day(2026, 12, 27)),
            (day(2026, 11, 30), 3, day(2027, 2, 28)),
            (day(2026, 11, 30), 4, day(2027, 3, 30)),
            (day(2027, 12, 31), 2, day(2028, 2, 29)),
            (day(2026, 1, 31), 12 * 74 + 1, day(2100, 2, 28)),
            (day(2026, 1, 31), 0, day(2026, 1, 31)),
        ] {
            assert_eq!(from.months_later(months), to);
        }
    }

    proptest! {
        #[test]
        fn a_day_is_found_again_from_its_date(days in -1_000_000_i64..4_000_000) {
            prop_assert_eq!(Date::from_days(days).days_since_1970(), days);
        }

        #[test]
        fn the_next_day_is_the_next_date(days in -1_000_000_i64..4_000_000) {
            let (today, tomorrow) = (Date::from_days(days), Date::from_days(days + 1));
            prop_assert!(today < tomorrow);
            prop_assert!(tomorrow.day == today.day + 1 || tomorrow.day == 1);
        }
    }
}
