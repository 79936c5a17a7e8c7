//! A line of the balance over time, as SVG paths: steps, because a balance does not change until
//! something happens.

use super::money::{reais, reais_wide};
use crate::brazilian::date;
use crate::civil::Zone;
use crate::ledger::{Centavos, Entry};

/// About how many points are drawn, if there are as many entries.
pub(super) const POINTS: u64 = 240;
/// Size of the drawing area in SVG units.
pub(super) const WIDTH: i64 = 600;
pub(super) const HEIGHT: i64 = 140;

/// What the page draws and says about it.
pub(super) struct Chart {
    /// The line.
    pub(super) line: String,
    /// The same with the area below it.
    pub(super) area: String,
    /// What stands at the axis, from the top of the drawing down to nothing.
    pub(super) axis: [String; 3],
    pub(super) lowest: String,
    pub(super) highest: String,
    pub(super) first_day: String,
    pub(super) last_day: String,
    pub(super) last: String,
}

/// When the balance was what, in Unix milliseconds and in order.
pub(super) type Points = Vec<(i64, Centavos)>;

/// The line through these points, if there are at least two.
pub(super) fn chart(points: &Points, zone: &Zone) -> Option<Chart> {
    let [(first_ms, _), .., (last_ms, last)] = points[..] else { return None };
    let balances = || points.iter().map(|(_, balance)| *balance);
    let (lowest, highest) = (balances().min()?, balances().max()?);
    let top = round_above(highest);
    let span_ms = i128::from(last_ms - first_ms).max(1);
    let x = |at_ms: i64| i128::from(at_ms - first_ms) * i128::from(WIDTH) / span_ms;
    // A balance is never below zero, and is drawn above it as high as it is.
    let y = |balance: Centavos| i128::from(HEIGHT) - balance.get() * i128::from(HEIGHT) / top;
    let mut line = format!("M0 {}", y(points[0].1));
    for (at_ms, balance) in &points[1..] {
        line += &format!("H{}V{}", x(*at_ms), y(*balance));
    }
    line += &format!("H{WIDTH}");
    Some(Chart {
        area: format!("{line}V{HEIGHT}H0Z"),
        line,
        axis: [top, top / 2, 0].map(reais_wide),
        lowest: reais(lowest),
        highest: reais(highest),
        first_day: date(zone.date(first_ms)),
        last_day: date(zone.date(last_ms)),
        last: reais(last),
    })
}

/// The smallest of R$ 1, 2, 5, 10, 20, 50, … that is not less than this; in centavos.
fn round_above(balance: Centavos) -> i128 {
    let mut step = 100;
    loop {
        for round in [step, 2 * step, 5 * step] {
            if round >= balance.get() {
                return round;
            }
        }
        step *= 10;
    }
}

/// What is drawn of these entries.
pub(super) fn points(entries: &[Entry]) -> Points {
    entries.iter().map(|entry| (entry.at_ms, entry.balance_after)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{BankId, EventId, Position};
    use crate::ledger::{Details, EntryKind, UserName};

    fn entry(at_ms: i64, balance: impl Into<i128>) -> Entry {
        Entry {
            kind: EntryKind::Deposit,
            value: Centavos::new(1),
            balance_after: Centavos::wide(balance.into()),
            at_ms,
            made_by: UserName::parse("ana").unwrap(),
            bank_sender: BankId(0),
            id: EventId::new(BankId(0), "x"),
            position: Position(1),
            pix: None,
            details: Details::default(),
        }
    }

    fn drawn(entries: &[Entry]) -> Option<Chart> {
        chart(&points(entries), &Zone::named("America/Sao_Paulo").unwrap())
    }

    #[test]
    fn a_balance_goes_in_steps_from_left_to_right() {
        let chart = drawn(&[entry(0, 100), entry(500, 300), entry(1_000, 200)]).unwrap();
        assert_eq!(chart.line, "M0 112H300V56H600V84H600", "from nothing up to R$ 5,00");
        assert_eq!(
            chart.axis.map(|sum| sum.replace('\u{a0}', " ")),
            ["R$ 5,00", "R$ 2,50", "R$ 0,00"]
        );
        assert_eq!(
            (chart.lowest.as_str(), chart.highest.as_str()),
            ("R$\u{a0}1,00", "R$\u{a0}3,00")
        );
    }

    #[test]
    fn extremes_are_drawn_without_overflow() {
        assert!(drawn(&[]).is_none() && drawn(&[entry(0, 1)]).is_none());
        assert_eq!(drawn(&[entry(7, 50), entry(7, 50)]).unwrap().line, "M0 70H0V70H600");
        let extreme = drawn(&[entry(0, 0), entry(i64::MAX, i64::MAX)]).unwrap();
        assert_eq!(extreme.line, "M0 140H600V11H600");
    }
}
