//! The consortium's civil time: the days and hours by which customers live.
//!
//! The ledger keeps moments in UTC milliseconds. Here a moment becomes what a clock on the wall
//! showed, and a day becomes the moments at which it began and ended, in the zone that `nodes.json`
//! names. The rules of the zones are part of this program and not of the machine it runs on, so
//! that all banks show the same day for the same moment.

use std::fmt;

use jiff::Timestamp;
use jiff::civil;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::ledger::calendar::{Date, TimeOfDay};

/// The zone of a consortium that names none.
pub(crate) const ZONE_DEFAULT: &str = "America/Sao_Paulo";

const HOUR_S: i64 = 3_600;
const MINUTE_S: i64 = 60;

/// A time zone with its rules, past and future. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// The zone of this name in the IANA database, such as `America/Manaus`, in any letter case.
    #[must_use]
    pub fn named(name: &str) -> Option<Zone> {
        let zone = TimeZoneDatabase::bundled().get(name).ok()?;
        // The database also knows a zone for 'nobody can say where'.
        zone.iana_name().is_some().then_some(Zone(zone))
    }

    /// Its name in the database.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The day at a moment.
    #[must_use]
    pub fn date(&self, unix_ms: i64) -> Date {
        Date::at(self.local_ms(unix_ms))
    }

    /// What a clock showed at a moment.
    #[must_use]
    pub fn time(&self, unix_ms: i64) -> TimeOfDay {
        TimeOfDay::at(self.local_ms(unix_ms))
    }

    /// `2026-11-30T22:30:00-03:00`: day, time and offset at a moment, as RFC 3339 writes them.
    #[must_use]
    pub fn written(&self, unix_ms: i64) -> String {
        let offset_s = self.offset_s(unix_ms);
        let (sign, offset) = (if offset_s < 0 { '-' } else { '+' }, offset_s.abs());
        let (hours, minutes) = (offset / HOUR_S, offset / MINUTE_S % 60);
        let (date, time) = (self.date(unix_ms), self.time(unix_ms));
        format!("{date}T{time}{sign}{hours:02}:{minutes:02}")
    }

    /// How many seconds the zone's clocks were ahead of UTC at a moment.
    #[must_use]
    pub(crate) fn offset_s(&self, unix_ms: i64) -> i64 {
        let moment = Timestamp::from_millisecond(unix_ms).unwrap_or(if unix_ms < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        });
        self.0.to_offset(moment).seconds().into()
    }

    /// The first moment of a day. A day that begins with clocks being put forward begins when they
    /// have been.
    #[must_use]
    pub(crate) fn start_of(&self, day: Date) -> i64 {
        self.first_moment(civil_date(day))
    }

    /// The first moment after a day.
    #[must_use]
    pub fn end_of(&self, day: Date) -> i64 {
        self.first_moment(civil_date(day).and_then(|date| date.tomorrow().ok()))
    }

    /// Days that are too late for the calendar begin after everything else.
    fn first_moment(&self, date: Option<civil::Date>) -> i64 {
        let moment = date.and_then(|date| self.0.to_timestamp(date.at(0, 0, 0, 0)).ok());
        moment.map_or(i64::MAX, Timestamp::as_millisecond)
    }

    fn local_ms(&self, unix_ms: i64) -> i64 {
        unix_ms.saturating_add(self.offset_s(unix_ms) * 1_000)
    }
}

fn civil_date(day: Date) -> Option<civil::Date> {
    let (month, of_month) = (i8::try_from(day.month).ok()?, i8::try_from(day.day).ok()?);
    civil::Date::new(i16::try_from(day.year).ok()?, month, of_month).ok()
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    /// 1 December 2026, 01:30 UTC.
    const LATE_ON_30_NOVEMBER: i64 = 1_796_088_600_000;

    fn sao_paulo() -> Zone {
        Zone::named(ZONE_DEFAULT).unwrap()
    }

    fn day(year: i64, month: u8, day: u8) -> Date {
        Date { year, month, day }
    }

    #[test]
    fn a_late_evening_belongs_to_its_own_day_and_month() {
        assert_eq!(Date::at(LATE_ON_30_NOVEMBER), day(2026, 12, 1));
        let zone = sao_paulo();
        assert_eq!(zone.date(LATE_ON_30_NOVEMBER), day(2026, 11, 30));
        assert_eq!(zone.time(LATE_ON_30_NOVEMBER).to_string(), "22:30:00");
        assert_eq!(zone.written(LATE_ON_30_NOVEMBER), "2026-11-30T22:30:00-03:00");
        let november = zone.start_of(day(2026, 11, 1))..zone.end_of(day(2026, 11, 30));
        assert!(november.contains(&LATE_ON_30_NOVEMBER));
        assert_eq!(november.end - LATE_ON_30_NOVEMBER, HOUR_MS + HOUR_MS / 2);
    }

    #[test]
    fn a_day_on_which_clocks_changed_is_shorter_or_longer() {
        let zone = sao_paulo();
        let hours = |day| (zone.end_of(day) - zone.start_of(day)) / HOUR_MS;
        // In 2018 summer time began at midnight, so that this day had no first hour.
        assert_eq!(hours(day(2018, 11, 4)), 23);
        assert_eq!(zone.time(zone.start_of(day(2018, 11, 4))).to_string(), "01:00:00");
        assert_eq!(hours(day(2019, 2, 16)), 25);
        assert_eq!(hours(day(2026, 2, 16)), 24);
    }

    #[test]
    fn days_follow_one_another_without_gap_or_overlap() {
        for name in [ZONE_DEFAULT, "UTC", "America/Noronha", "Asia/Kathmandu", "Pacific/Apia"] {
            let zone = Zone::named(name).unwrap();
            let mut at = 1_260_000_000_000_i64;
            while at < 1_360_000_000_000 {
                let today = zone.date(at);
                let (start, end) = (zone.start_of(today), zone.end_of(today));
                assert!((start..end).contains(&at), "{name} {today}");
                assert_ne!(zone.date(end), today, "{name}");
                assert_eq!(zone.date(end - 1), today, "{name}");
                at = end;
            }
        }
    }

    #[test]
    fn moments_and_days_beyond_the_calendar_are_shown_and_never_wrap_around() {
        let zone = sao_paulo();
        assert_eq!(zone.date(i64::MAX).year, 292_278_994);
        assert_eq!(zone.date(i64::MIN).year, -292_275_055);
        assert_eq!(zone.end_of(day(9999, 12, 31)), i64::MAX);
        assert!(zone.start_of(day(0, 1, 1)) < zone.start_of(day(1, 1, 1)));
    }

    #[test]
    fn a_zone_is_found_by_its_name_only() {
        assert_eq!(Zone::named("america/sao_paulo").unwrap().name(), ZONE_DEFAULT);
        for name in ["", "-03", "Brasil", "America", "../etc/passwd", "Etc/Unknown"] {
            assert_eq!(Zone::named(name), None, "{name:?}");
        }
        let kathmandu = Zone::named("Asia/Kathmandu").unwrap();
        assert!(kathmandu.written(0).ends_with("+05:30"), "{}", kathmandu.written(0));
    }
}
