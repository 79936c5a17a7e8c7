//! Pix of days to come: once, or every week or month, each executed on its day from 6:00 on,
//! exactly once.
//!
//! A schedule is part of the ledger. When one of its days has come, the bank of its account asks
//! for it by the schedule's number and the day, and asks again as long as the ledger says that it
//! is due. Whoever asks, and however often: the ledger runs each day of a schedule once, in their
//! order. A day that nobody could ask for is made up for as soon as somebody can.

use serde::{Deserialize, Serialize};

use super::account::AccountNumber;
use super::calendar::Date;
use super::money::Amount;
use super::note::Note;
use super::pix::PixKey;
use crate::ids::{BankId, Position};

/// The most schedules of a customer, those included that have ended with a refusal nobody has
/// looked at.
pub(crate) const SCHEDULES_MAX: usize = 50;
/// The furthest first day, counted from today.
pub(crate) const DAYS_AHEAD_MAX: i64 = 2 * 366;
/// The most days of one schedule.
pub(crate) const TIMES_MAX: u16 = 120;
/// The latest first day, as days since 1970-01-01: after the year 9999, with which time ends.
pub(crate) const DAYS_MAX: i64 = 3_000_000;
/// Days of a week.
const WEEK: i64 = 7;

/// A day of the calendar, as days since 1970-01-01. Written as that number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Day(i64);

impl Day {
    /// The day of a date.
    #[must_use]
    pub fn of(date: Date) -> Day {
        Day(date.days_since_1970())
    }

    /// The day at a moment in Unix milliseconds, where clocks are so many seconds ahead of UTC.
    #[must_use]
    pub fn at(unix_ms: i64, offset_s: i32) -> Day {
        Day::of(Date::at(unix_ms.saturating_add(i64::from(offset_s) * 1_000)))
    }

    /// So many days after 1970-01-01.
    #[must_use]
    pub const fn new(days: i64) -> Day {
        Day(days)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Its date.
    #[must_use]
    pub fn date(self) -> Date {
        Date::from_days(self.0)
    }
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Every {
    /// Every day.
    Day,
    /// On the same day of every week.
    Week,
    /// On the same day of every month; on its last one where there is no such day.
    Month,
}

/// A Pix to be paid later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// The bank of the account that pays.
    pub bank: BankId,
    /// The account that pays.
    pub account: AccountNumber,
    /// How much.
    pub value: Amount,
    /// To whom.
    pub pix: PixKey,
    /// What the payer says.
    #[serde(default)]
    pub note: Note,
    /// The first day.
    pub first: Day,
    /// How often, if more than once.
    pub every: Every,
    /// How many times.
    pub times: u16,
}

impl Planned {
    /// The day of a time, counted from 0; `None` after the last one.
    #[must_use]
    pub(crate) fn day(&self, time: u16) -> Option<Day> {
        if time >= self.times {
            return None;
        }
        let times = i64::from(time);
        Some(match self.every {
            Every::Day => Day(self.first.0 + times),
            Every::Week => Day(self.first.0 + WEEK * times),
            Every::Month => Day::of(self.first.date().months_later(times)),
        })
    }
}

/// What a customer wants of the Pix of days to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ScheduleChange {
    /// A new one.
    Make(Box<Planned>),
    /// There is to be no further one.
    Cancel {
        /// Which: the position of the request that made it.
        number: Position,
    },
}

/// The day of a schedule has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Due {
    /// Which schedule.
    pub number: Position,
    /// Which day.
    pub day: Day,
}
