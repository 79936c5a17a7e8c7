//! What pages and terminal have in common: money and dates as Brazilians write them, `1.234,56` and
//! `23/11/2026`, always in whole centavos, and the names of things. For people only: between
//! programs money is a JSON number ([`crate::ledger::Reais`]).

use crate::ledger::calendar::Date;
use crate::ledger::money::BadMoney;
use crate::ledger::{Amount, EntryKind, Limit, PixType};

/// Number of digits between two points.
const GROUP: usize = 3;

/// Why a text is not an amount as Brazilians write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadAmount {
    /// Not of the form `1.234,56`.
    Form,
    /// Nobody can tell where its centavos begin, as in `1,050` and `0.500`.
    Ambiguous,
    /// Zero.
    NotPositive,
    /// More than can be counted.
    TooLarge,
}

/// How a sum is typeset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    minus: &'static str,
    /// Between currency and digits.
    blank: &'static str,
}

/// On pages: a true minus sign, and a blank that does not break.
pub(crate) const ON_PAGES: Look = Look { minus: "−", blank: "\u{a0}" };
/// At a terminal: characters that its keyboard has, so that one can search for them.
pub(crate) const AT_A_TERMINAL: Look = Look { minus: "-", blank: " " };

/// `R$ 1.234,56` for this many centavos; negative sums with a minus sign before them.
pub(crate) fn reais(centavos: i128, look: Look) -> String {
    let sign = if centavos < 0 { look.minus } else { "" };
    format!("{sign}R${}{}", look.blank, grouped(centavos.unsigned_abs()))
}

/// `1.234,56`
fn grouped(centavos: u128) -> String {
    let digits = (centavos / 100).to_string();
    let mut whole = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(GROUP) {
            whole.push('.');
        }
        whole.push(digit);
    }
    format!("{whole},{:02}", centavos % 100)
}

/// Reads an amount such as `100`, `1.234,5` or `R$ 1.234,56`. One or two digits after a single
/// point are centavos, as calculators write them: `10.50`. Three are the rest of thousands: `1.050`
/// is R$ 1.050,00.
///
/// # Errors
/// [`BadAmount`]
pub(crate) fn parse_amount(text: &str) -> Result<Amount, BadAmount> {
    let text = text.trim();
    let text = text.strip_prefix("R$").unwrap_or(text).trim_start();
    let (whole, decimals) = match (text.split_once(','), text.split_once('.')) {
        (Some((whole, decimals)), _) if decimals.len() == GROUP && is_group(whole) => {
            return Err(if is_digits(decimals) { BadAmount::Ambiguous } else { BadAmount::Form });
        }
        (Some(parts), _) => parts,
        (None, Some((whole, decimals))) if (1..GROUP).contains(&decimals.len()) => {
            (Some(whole).filter(|whole| is_digits(whole)).ok_or(BadAmount::Form)?, decimals)
        }
        (None, _) => (text, "0"),
    };
    let number = format!("{}.{decimals}", without_points(whole)?);
    Amount::parse_json(&number).map_err(|error| match error {
        BadMoney::NotPositive => BadAmount::NotPositive,
        BadMoney::TooLarge => BadAmount::TooLarge,
        _ => BadAmount::Form,
    })
}

/// Reads a limit: an amount, or zero.
///
/// # Errors
/// [`BadAmount`]
pub(crate) fn parse_limit(text: &str) -> Result<Limit, BadAmount> {
    let limit = match parse_amount(text) {
        Ok(amount) => Limit::try_from(i64::from(amount)),
        Err(BadAmount::NotPositive) => Limit::try_from(0),
        Err(bad) => return Err(bad),
    };
    limit.map_err(|_| BadAmount::Form)
}

/// The digits of whole reais, as JSON wants them, if the points separate thousands.
fn without_points(whole: &str) -> Result<String, BadAmount> {
    let groups: Vec<_> = whole.split('.').collect();
    let grouped = groups.len() == 1
        || is_group(groups[0]) && groups[1..].iter().all(|group| group.len() == GROUP);
    if !groups.iter().all(|group| is_digits(group)) || !grouped {
        return Err(BadAmount::Form);
    }
    if groups.len() > 1 && groups[0].starts_with('0') {
        return Err(BadAmount::Ambiguous);
    }
    let number = groups.concat();
    let significant = number.trim_start_matches('0');
    Ok(if significant.is_empty() { "0".to_owned() } else { significant.to_owned() })
}

/// Whether a text can be the first digits before a point or comma that separates thousands.
fn is_group(text: &str) -> bool {
    is_digits(text) && text.len() <= GROUP
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `23/11/2026`
pub(crate) fn date(date: Date) -> String {
    format!("{:02}/{:02}/{:04}", date.day, date.month, date.year)
}

/// A date from a date field, `2026-11-23`, or as it is written, `23/11/2026`; `None` for anything
/// else and for days that do not exist.
pub(crate) fn parse_date(text: &str) -> Option<Date> {
    let iso: Vec<_> = text.trim().split('-').collect();
    let written: Vec<_> = text.trim().split('/').collect();
    let (year, month, day) = match (iso.as_slice(), written.as_slice()) {
        ([year, month, day], _) | (_, [day, month, year]) => (*year, *month, *day),
        _ => return None,
    };
    let number = |text: &str, digits: usize| {
        let fits = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
        if fits { text.parse::<u16>().ok() } else { None }
    };
    let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u16::from(leap),
        _ => return None,
    };
    if !(1..=days).contains(&day) {
        return None;
    }
    Some(Date {
        year: i64::from(year),
        month: u8::try_from(month).ok()?,
        day: u8::try_from(day).ok()?,
    })
}

/// A line of a statement.
pub(crate) fn entry_kind(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Opening => "Abertura",
        EntryKind::Deposit => "Depósito",
        EntryKind::Withdraw => "Saque",
        EntryKind::Transfer => "Pix enviado",
        EntryKind::Receive => "Pix recebido",
    }
}

/// A line of a statement that may be a refund.
pub(crate) fn entry_title(kind: EntryKind, is_refund: bool) -> &'static str {
    match kind {
        EntryKind::Transfer if is_refund => "Devolução enviada",
        EntryKind::Receive if is_refund => "Devolução recebida",
        kind => entry_kind(kind),
    }
}

/// A kind of Pix key.
pub(crate) fn pix_type(kind: PixType) -> &'static str {
    match kind {
        PixType::Cpf => "CPF",
        PixType::Cnpj => "CNPJ",
        PixType::UserName => "Nome de usuário",
        PixType::NumConta => "Número da conta",
        PixType::Random => "Aleatória",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Result<i64, BadAmount> {
        parse_amount(text).map(i64::from)
    }

    #[test]
    fn money_is_grouped_and_has_a_comma() {
        for (centavos, text) in [
            (0, "0,00"),
            (5, "0,05"),
            (99_999, "999,99"),
            (123_456, "1.234,56"),
            (100_000_000_000, "1.000.000.000,00"),
            (u128::from(i64::MIN.unsigned_abs()), "92.233.720.368.547.758,08"),
        ] {
            assert_eq!(grouped(centavos), text);
        }
    }

    #[test]
    fn amounts_are_read_as_people_write_them() {
        let examples = [
            ("1", 100),
            ("1,5", 150),
            ("0,05", 5),
            ("1.234,56", 123_456),
            ("R$ 50,00", 5_000),
            (" R$1.000 ", 100_000),
        ];
        for (text, centavos) in examples {
            assert_eq!(parsed(text), Ok(centavos), "{text:?}");
        }
    }

    #[test]
    fn a_point_before_centavos_is_understood_and_before_thousands_too() {
        for (text, centavos) in [
            ("10.50", 1_050),
            ("10.5", 1_050),
            ("1050.50", 105_050),
            ("0.05", 5),
            ("1.050", 105_000),
            ("R$ 12.345.678", 1_234_567_800),
        ] {
            assert_eq!(parsed(text), Ok(centavos), "{text:?}");
        }
    }

    #[test]
    fn ambiguous_amounts_are_refused() {
        for text in ["1,050", "123,456", "0.500", "00.123", "0.123,50"] {
            assert_eq!(parsed(text), Err(BadAmount::Ambiguous), "{text:?}");
        }
        for text in [
            "1234.567", "1,234.56", "1.234.56", "10.50.", "1.2.3", "", ",5", "5,", "-1", "+1",
            "1e2", "1.", ".5", "a", "1.a", "1,abc", "١", "1 2", "R$",
        ] {
            assert_eq!(parsed(text), Err(BadAmount::Form), "{text:?}");
        }
        assert_eq!(parsed("0,00"), Err(BadAmount::NotPositive));
        assert_eq!(parsed(&"9".repeat(30)), Err(BadAmount::TooLarge));
    }

    #[test]
    fn dates_are_read_in_both_forms_and_only_if_they_exist() {
        let expected = Date { year: 2026, month: 11, day: 23 };
        assert_eq!(parse_date("2026-11-23"), Some(expected));
        assert_eq!(parse_date(" 23/11/2026 "), Some(expected));
        assert_eq!(date(expected), "23/11/2026");
        assert!(parse_date("2024-02-29").is_some());
        for text in [
            "",
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-11-00",
            "31/04/2026",
            "1/1/2026",
            "2026-11",
            "a-b-c",
        ] {
            assert!(parse_date(text).is_none(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(centavos in 1..=i64::MAX) {
            prop_assert_eq!(parsed(&grouped(centavos.unsigned_abs().into())), Ok(centavos));
        }
    }
}
