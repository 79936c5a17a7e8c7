//! Money as Brazilians write it, `R$ 1.234,56`, and as banks answer it; whole centavos all the way.

use std::fmt;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::ledger::money::BadMoney;
use crate::ledger::{Amount, Centavos};

/// Digits between two points.
const GROUP: usize = 3;

/// A sum that prints as `R$ 1.234,56`, and as `-R$ 0,05` where money leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Brl(pub(super) Centavos);

impl fmt::Display for Brl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.get().unsigned_abs();
        let whole = (magnitude / 100).to_string();
        let mut grouped = String::new();
        for (place, digit) in whole.chars().enumerate() {
            if place > 0 && (whole.len() - place).is_multiple_of(GROUP) {
                grouped.push('.');
            }
            grouped.push(digit);
        }
        let sign = if self.0.get() < 0 { "-" } else { "" };
        f.pad(&format!("{sign}R$ {grouped},{:02}", magnitude % 100))
    }
}

/// What is no amount as Brazilians write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadAmount {
    /// Not of the form `1.234,56`.
    Form,
    /// Zero.
    NotPositive,
    /// More than can be counted.
    TooLarge,
}

/// Reads an amount such as `100`, `1.234,5` or `R$ 1.234,56`. A point only ever separates thousands: `12.50` is
/// refused instead of guessed at.
pub(super) fn parse_amount(text: &str) -> Result<Amount, BadAmount> {
    let text = text.trim();
    let text = text.strip_prefix("R$").unwrap_or(text).trim_start();
    let (whole, decimals) = text.split_once(',').unwrap_or((text, "0"));
    let number = format!("{}.{decimals}", without_points(whole).ok_or(BadAmount::Form)?);
    Amount::parse_json(&number).map_err(|error| match error {
        BadMoney::NotPositive => BadAmount::NotPositive,
        BadMoney::TooLarge => BadAmount::TooLarge,
        _ => BadAmount::Form,
    })
}

/// The digits of whole reais, as JSON wants them; `None` unless the points stand where thousands end.
fn without_points(whole: &str) -> Option<String> {
    let groups: Vec<_> = whole.split('.').collect();
    let digits = groups.iter().all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()));
    let grouped = groups.len() == 1 || groups[0].len() <= GROUP && groups[1..].iter().all(|group| group.len() == GROUP);
    if !digits || !grouped {
        return None;
    }
    let number = groups.concat();
    let significant = number.trim_start_matches('0');
    Some(if significant.is_empty() { "0".to_owned() } else { significant.to_owned() })
}

/// Money in a bank's answer: a JSON number in reais.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answered(pub(super) Centavos);

impl<'de> Deserialize<'de> for Answered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Centavos::parse_json(raw.get()).map(Answered).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Result<i64, BadAmount> {
        parse_amount(text).map(|amount| amount.get().get())
    }

    #[test]
    fn sums_are_printed_with_points_and_a_comma() {
        let examples = [
            (0, "R$ 0,00"),
            (5, "R$ 0,05"),
            (-5, "-R$ 0,05"),
            (99_999, "R$ 999,99"),
            (123_456, "R$ 1.234,56"),
            (-100_000_000, "-R$ 1.000.000,00"),
            (i64::MIN, "-R$ 92.233.720.368.547.758,08"),
        ];
        for (centavos, text) in examples {
            assert_eq!(Brl(Centavos::new(centavos)).to_string(), text);
        }
    }

    #[test]
    fn amounts_are_read_as_people_write_them() {
        let examples =
            [("1", 100), ("1,5", 150), ("0,05", 5), ("1.234,56", 123_456), ("R$ 50,00", 5_000), (" R$1.000 ", 100_000)];
        for (text, centavos) in examples {
            assert_eq!(parsed(text), Ok(centavos), "{text:?}");
        }
    }

    #[test]
    fn what_could_be_meant_in_two_ways_is_refused() {
        for text in
            ["12.50", "1.23", "1234.567", "1,234.56", "", ",5", "5,", "1,234", "-1", "+1", "1e2", "1.", ".5", "a"]
        {
            assert_eq!(parsed(text), Err(BadAmount::Form), "{text:?}");
        }
        assert_eq!(parsed("0,00"), Err(BadAmount::NotPositive));
        assert_eq!(parsed(&"9".repeat(30)), Err(BadAmount::TooLarge));
    }

    #[test]
    fn a_banks_number_is_read_without_a_float() {
        let answered: Vec<Answered> = serde_json::from_str("[450.55, 92233720368547758.07, -0.05]").unwrap();
        assert_eq!(answered.iter().map(|money| money.0.get()).collect::<Vec<_>>(), [45_055, i64::MAX, -5]);
        assert!(serde_json::from_str::<Answered>("1e2").is_err());
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(centavos in 1..=i64::MAX) {
            prop_assert_eq!(parsed(&Brl(Centavos::new(centavos)).to_string()), Ok(centavos));
        }
    }
}
