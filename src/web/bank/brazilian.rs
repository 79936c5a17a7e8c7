//! Money and dates as Brazilians write them: `R$ 1.234,56` and `23/11/2026`.

use crate::ledger::calendar::Date;
use crate::ledger::{Amount, Centavos};

/// `R$ 1.234,56`; negative sums with a minus sign before them. The blank does not break.
pub(super) fn reais(sum: Centavos) -> String {
    reais_wide(i128::from(sum.get()))
}

/// The same for a sum of many.
pub(super) fn reais_wide(centavos: i128) -> String {
    let sign = if centavos < 0 { "−" } else { "" };
    let magnitude = centavos.unsigned_abs();
    let digits = (magnitude / 100).to_string();
    let mut whole = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            whole.push('.');
        }
        whole.push(digit);
    }
    format!("{sign}R$\u{a0}{whole},{:02}", magnitude % 100)
}

/// What a customer typed as an amount: `1.234,56`, `1234,5`, `R$ 80`, or with a point as calculators have it, `80.50`.
pub(super) fn parse_amount(text: &str) -> Result<Amount, &'static str> {
    const FORM: &str = "O valor deve ter a forma 1.234,56";
    let text = text.trim().trim_start_matches("R$").trim();
    let (whole, decimals) = match text.split_once(',') {
        Some((whole, decimals)) => (ungrouped(whole).ok_or(FORM)?, decimals),
        None => match ungrouped(text) {
            Some(whole) => (whole, ""),
            None => {
                let (whole, decimals) = text.split_once('.').ok_or(FORM)?;
                (whole.to_owned(), decimals)
            }
        },
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || decimals.len() > 2 || !digits(&whole) || !digits(decimals) || text.ends_with([',', '.']) {
        return Err(FORM);
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let number = if decimals.is_empty() { whole.to_owned() } else { format!("{whole}.{decimals}") };
    Amount::parse_json(&number).map_err(|_| "O valor deve ser maior que zero e caber numa conta")
}

/// Digits without the points between groups of three; `None` where points stand elsewhere.
fn ungrouped(text: &str) -> Option<String> {
    let mut groups = text.split('.');
    let first = groups.next()?;
    let rest: Vec<_> = groups.collect();
    let grouped = rest.is_empty() || (1..=3).contains(&first.len());
    (grouped && rest.iter().all(|group| group.len() == 3)).then(|| first.to_owned() + &rest.concat())
}

/// `1234,56`, as spreadsheets read it.
pub(super) fn plain_reais(sum: Centavos) -> String {
    sum.to_string().replace('.', ",")
}

/// `23/11/2026`
pub(super) fn date(date: Date) -> String {
    format!("{:02}/{:02}/{:04}", date.day, date.month, date.year)
}

/// A date from a date field, `2026-11-23`, or as it is written, `23/11/2026`.
pub(super) fn parse_date(text: &str) -> Result<Date, &'static str> {
    const FORM: &str = "A data deve ter a forma 23/11/2026";
    let iso: Vec<_> = text.trim().split('-').collect();
    let written: Vec<_> = text.trim().split('/').collect();
    let (year, month, day) = match (iso.as_slice(), written.as_slice()) {
        ([year, month, day], _) | (_, [day, month, year]) => (*year, *month, *day),
        _ => return Err(FORM),
    };
    let number = |text: &str, digits: usize| {
        let fits = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
        if fits { text.parse::<u16>().map_err(|_| FORM) } else { Err(FORM) }
    };
    let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u16::from(leap),
        _ => return Err(FORM),
    };
    if !(1..=days).contains(&day) {
        return Err(FORM);
    }
    let small = |number: u16| u8::try_from(number).map_err(|_| FORM);
    Ok(Date { year: i64::from(year), month: small(month)?, day: small(day)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_grouped_and_has_a_comma() {
        for (centavos, text) in [
            (0, "R$\u{a0}0,00"),
            (5, "R$\u{a0}0,05"),
            (123_456, "R$\u{a0}1.234,56"),
            (-99_999, "−R$\u{a0}999,99"),
            (100_000_000_000, "R$\u{a0}1.000.000.000,00"),
            (i64::MIN, "−R$\u{a0}92.233.720.368.547.758,08"),
        ] {
            assert_eq!(reais(Centavos::new(centavos)), text);
        }
    }

    #[test]
    fn amounts_are_read_as_people_type_them() {
        for (text, centavos) in [
            ("1.234,56", 123_456),
            ("1234,56", 123_456),
            ("1234,5", 123_450),
            ("R$ 80", 8_000),
            (" 0,01 ", 1),
            ("1.234", 123_400),
            ("80.50", 8_050),
            ("80.5", 8_050),
            ("007,10", 710),
            ("1.000.000,00", 100_000_000),
        ] {
            assert_eq!(parse_amount(text).map(|amount| amount.get().get()), Ok(centavos), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "",
            ",",
            "1,",
            "1.",
            ",5",
            "0",
            "0,00",
            "-1",
            "1,234",
            "1.23,4",
            "12.34.56",
            "1e3",
            "١",
            "1 2",
            "1,2,3",
            ".5",
            "1234.567.890,0",
            "99999999999999999999",
            "R$",
        ] {
            assert!(parse_amount(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn dates_are_read_in_both_forms_and_only_if_they_exist() {
        let expected = Date { year: 2026, month: 11, day: 23 };
        assert_eq!(parse_date("2026-11-23"), Ok(expected));
        assert_eq!(parse_date(" 23/11/2026 "), Ok(expected));
        assert_eq!(date(expected), "23/11/2026");
        assert!(parse_date("2024-02-29").is_ok());
        for text in
            ["", "2026-02-29", "2026-13-01", "2026-00-10", "2026-11-00", "31/04/2026", "1/1/2026", "2026-11", "a-b-c"]
        {
            assert!(parse_date(text).is_err(), "{text:?}");
        }
    }
}
