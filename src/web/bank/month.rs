//! Months of a statement, one after the other.

use super::texts;
use crate::brazilian::parse_date;
use crate::ledger::calendar::Date;

/// A month of a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Month {
    year: i64,
    month: u8,
}

impl Month {
    /// The month of a day.
    pub(super) fn of(day: Date) -> Month {
        Month { year: day.year, month: day.month }
    }

    /// Reads `2026-11`.
    pub(super) fn parse(text: &str) -> Option<Month> {
        parse_date(&format!("{text}-01")).map(Month::of)
    }

    /// Its first day.
    pub(super) fn first(self) -> Date {
        Date { year: self.year, month: self.month, day: 1 }
    }

    /// Its last day.
    pub(super) fn last(self) -> Date {
        let last = match self.month {
            4 | 6 | 9 | 11 => 30,
            2 if self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0) => 29,
            2 => 28,
            _ => 31,
        };
        Date { day: last, ..self.first() }
    }

    fn before(self) -> Month {
        match self.month {
            1 => Month { year: self.year - 1, month: 12 },
            month => Month { month: month - 1, ..self },
        }
    }

    fn after(self) -> Month {
        match self.month {
            12 => Month { year: self.year + 1, month: 1 },
            month => Month { month: month + 1, ..self },
        }
    }
}

/// A way to a month, or to the whole statement.
pub(super) struct MonthLink {
    pub(super) label: String,
    /// The part of the address after its question mark.
    pub(super) query: String,
    pub(super) is_shown: bool,
}

/// The months next to the one that is shown, or the latest ones, as far as the statement reaches
/// from its first month on; and the whole.
pub(super) fn months(shown: Option<Month>, first: Month, now: Month) -> Vec<MonthLink> {
    let middle = shown.filter(|shown| *shown < now).unwrap_or(now.before());
    let link = |month: Month| MonthLink {
        label: texts::month(month.month, month.year),
        query: format!("mes={:04}-{:02}", month.year, month.month),
        is_shown: shown == Some(month),
    };
    let months = [middle.before(), middle, middle.after()].into_iter();
    let mut links: Vec<_> =
        months.filter(|month| (first..=now).contains(month)).map(link).collect();
    let (label, query) = (texts::WHOLE_STATEMENT.to_owned(), String::new());
    links.push(MonthLink { label, query, is_shown: false });
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_ends_with_its_last_day() {
        for (month, last) in [
            ("2026-11", "2026-11-30"),
            ("2026-12", "2026-12-31"),
            ("2028-02", "2028-02-29"),
            ("2100-02", "2100-02-28"),
        ] {
            assert_eq!(Month::parse(month).unwrap().last().to_string(), last);
        }
        for text in ["", "2026", "2026-13", "2026-11-02", "x"] {
            assert_eq!(Month::parse(text), None, "{text}");
        }
    }

    #[test]
    fn months_lead_to_those_next_to_them_within_the_statement() {
        let now = Month::parse("2027-01").unwrap();
        let first = Month::parse("2026-10").unwrap();
        let labels = |shown: &str| {
            let links = months(Month::parse(shown), first, now);
            links.into_iter().map(|link| (link.query, link.is_shown)).collect::<Vec<_>>()
        };
        let expected = |months: [&str; 3], shown: usize| {
            let links = months.iter().enumerate();
            let mut links: Vec<_> =
                links.map(|(at, month)| (format!("mes={month}"), at == shown)).collect();
            links.push((String::new(), false));
            links
        };
        assert_eq!(labels(""), expected(["2026-11", "2026-12", "2027-01"], 9));
        assert_eq!(labels("2027-01"), expected(["2026-11", "2026-12", "2027-01"], 2));
        assert_eq!(labels("2026-11"), expected(["2026-10", "2026-11", "2026-12"], 1));
        let shown = labels("2026-10");
        assert_eq!(shown[0], ("mes=2026-10".into(), true), "nothing came before");
        assert_eq!(labels("2020-01"), [(String::new(), false)]);
    }
}
