//! Money: whole centavos, exact from the first digit read to the last one printed.
//!
//! What moves, an [`Amount`], fits into an `i64`; what stands in an account, [`Centavos`], is an
//! `i128`, and wider than any sum of amounts: 2⁶⁴ entries of less than 2⁶³ centavos each. So
//! nothing is ever refused because an account is full, which would tell strangers what is in it.
//!
//! There is no floating point here and no way through `serde_json::Value`, which would make one: a
//! JSON number is read from its digits as they stand in the text. A sum that cannot be held exactly
//! is refused, never rounded.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Decimals of a real; one unit of [`Centavos`] is the last of them.
const DECIMALS: usize = 2;
/// Centavos in one real.
const CENTAVOS_PER_REAL: u128 = 100;

/// A sum of money in centavos; negative where money leaves. Between banks it is written as it is, a
/// whole number.
///
/// ```
/// use netbanking::ledger::Centavos;
/// use netbanking::ledger::money::BadMoney;
///
/// let price = Centavos::parse_json("450.55").unwrap();
/// assert_eq!((price.get(), price.to_string().as_str()), (45_055, "450.55"));
/// assert_eq!(Centavos::parse_json("0.001"), Err(BadMoney::TooManyDecimals), "nothing is ever rounded");
/// assert!(Centavos::new(i64::MAX).checked_add(price).is_some(), "balances are wider than amounts");
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Centavos(i128);

impl Centavos {
    /// No money.
    pub const ZERO: Centavos = Centavos(0);

    /// A sum of this many centavos.
    #[must_use]
    pub const fn new(centavos: i64) -> Self {
        Centavos(centavos as i128)
    }

    /// The same for more centavos than an amount can have.
    #[must_use]
    pub const fn wide(centavos: i128) -> Self {
        Centavos(centavos)
    }

    /// How many centavos.
    #[must_use]
    pub const fn get(self) -> i128 {
        self.0
    }

    /// Reads a JSON number of reais, such as `450.55`, digit by digit.
    ///
    /// # Errors
    /// [`BadMoney`] for anything that is not a JSON number, has an exponent or more than two
    /// decimals (zeros too), or does not fit.
    pub fn parse_json(token: &str) -> Result<Self, BadMoney> {
        let (negative, unsigned) = match token.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, token),
        };
        let (whole, decimals) = split_number(unsigned)?;
        let padding = std::iter::repeat_n(b'0', DECIMALS - decimals.len());
        let mut magnitude: i128 = 0;
        for digit in whole.bytes().chain(decimals.bytes()).chain(padding) {
            let shifted = magnitude.checked_mul(10).ok_or(BadMoney::TooLarge)?;
            magnitude = shifted.checked_add(i128::from(digit - b'0')).ok_or(BadMoney::TooLarge)?;
        }
        Ok(Centavos(if negative { -magnitude } else { magnitude }))
    }

    /// The sum, unless it does not fit.
    #[must_use]
    pub fn checked_add(self, other: Centavos) -> Option<Centavos> {
        self.0.checked_add(other.0).map(Centavos)
    }

    /// The difference, unless it does not fit.
    #[must_use]
    pub fn checked_sub(self, other: Centavos) -> Option<Centavos> {
        self.0.checked_sub(other.0).map(Centavos)
    }

    /// Sign, whole reais and the centavos beyond them.
    fn parts(self) -> (&'static str, u128, u128) {
        let magnitude = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        (sign, magnitude / CENTAVOS_PER_REAL, magnitude % CENTAVOS_PER_REAL)
    }
}

/// Checks JSON's grammar for a number without its sign and splits it at the point.
fn split_number(unsigned: &str) -> Result<(&str, &str), BadMoney> {
    let all_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
        }
        None => (unsigned, None),
    };
    let (whole, decimals) = match mantissa.split_once('.') {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (mantissa, None),
    };
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    if !all_digits(whole)
        || leading_zero
        || !decimals.is_none_or(all_digits)
        || !exponent.is_none_or(all_digits)
    {
        return Err(BadMoney::NotANumber);
    }
    if exponent.is_some() {
        return Err(BadMoney::Exponent);
    }
    let decimals = decimals.unwrap_or_default();
    if decimals.len() > DECIMALS { Err(BadMoney::TooManyDecimals) } else { Ok((whole, decimals)) }
}

impl fmt::Display for Centavos {
    /// Reais with two decimals: `80.00`, `-0.05`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, reais, centavos) = self.parts();
        write!(f, "{sign}{reais}.{centavos:02}")
    }
}

/// Money as the REST answers write it: a JSON number in reais with as few decimals as are exact, at
/// least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reais(pub Centavos);

impl fmt::Display for Reais {
    /// `530.0`, `450.55`, `-0.05`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, reais, centavos) = self.0.parts();
        if centavos.is_multiple_of(10) {
            write!(f, "{sign}{reais}.{}", centavos / 10)
        } else {
            write!(f, "{sign}{reais}.{centavos:02}")
        }
    }
}

impl Serialize for Reais {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number = RawValue::from_string(self.to_string())
            .expect("digits around a point are a JSON number");
        number.serialize(serializer)
    }
}

/// What is paid, drawn or opened with: strictly positive, and less than 2⁶³ centavos. Inside events
/// it is an integer of centavos.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Amount(i64);

impl Amount {
    /// Takes a sum as an amount.
    ///
    /// # Errors
    /// [`BadMoney::NotPositive`] for zero and below, [`BadMoney::TooLarge`] for what an `i64` does
    /// not hold.
    pub fn parse(sum: Centavos) -> Result<Self, BadMoney> {
        match i64::try_from(sum.0) {
            Ok(centavos) => Amount::try_from(centavos),
            Err(_) if sum > Centavos::ZERO => Err(BadMoney::TooLarge),
            Err(_) => Err(BadMoney::NotPositive),
        }
    }

    /// Reads a JSON number of reais as an amount.
    ///
    /// # Errors
    /// As [`Centavos::parse_json`] and [`Amount::parse`].
    pub fn parse_json(token: &str) -> Result<Self, BadMoney> {
        Centavos::parse_json(token).and_then(Amount::parse)
    }

    /// The sum.
    #[must_use]
    pub fn get(self) -> Centavos {
        Centavos::new(self.0)
    }

    /// The sum as money that leaves.
    #[must_use]
    pub(crate) fn negated(self) -> Centavos {
        Centavos(-i128::from(self.0))
    }
}

impl TryFrom<i64> for Amount {
    type Error = BadMoney;

    fn try_from(centavos: i64) -> Result<Self, BadMoney> {
        if centavos > 0 { Ok(Amount(centavos)) } else { Err(BadMoney::NotPositive) }
    }
}

impl From<Amount> for i64 {
    fn from(amount: Amount) -> i64 {
        amount.0
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// Adds up what accounts hold, in centavos. It fits whatever the number of accounts: everything
/// that they hold came in by some entry.
#[must_use]
pub fn sum(sums: impl IntoIterator<Item = Centavos>) -> i128 {
    sums.into_iter().map(|sum| sum.0).sum()
}

/// Why a text is not a sum of money, or not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadMoney {
    /// Not a JSON number.
    NotANumber,
    /// `1e3`.
    Exponent,
    /// `0.001`, and `1.000` too: a person who writes that may mean a thousand.
    TooManyDecimals,
    /// An amount beyond an `i64` of centavos, any other sum beyond an `i128`.
    TooLarge,
    /// Zero or less where an amount is asked for.
    NotPositive,
    /// Less than zero where a limit is asked for.
    Negative,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(token: &str) -> Result<i128, BadMoney> {
        Centavos::parse_json(token).map(Centavos::get)
    }

    #[test]
    fn a_number_of_reais_is_read_exactly() {
        let examples = [
            ("500.0", 50_000),
            ("450.55", 45_055),
            ("7", 700),
            ("0.1", 10),
            ("-0.05", -5),
            ("0", 0),
        ];
        for (token, centavos) in examples {
            assert_eq!(parsed(token), Ok(centavos), "{token}");
        }
    }

    #[test]
    fn negative_zero_is_zero() {
        assert_eq!(parsed("-0"), Ok(0));
        assert_eq!(parsed("-0.00"), Ok(0));
    }

    #[test]
    fn what_is_not_a_json_number_is_refused() {
        let tokens = [
            "", "-", ".", "1.", ".5", "+1", "--1", "00", "07", "1 ", "1,5", "\"1\"", "NaN", "null",
            "e3", "1e", "١", "1.5.0", "1_0",
        ];
        for token in tokens {
            assert_eq!(parsed(token), Err(BadMoney::NotANumber), "{token:?}");
        }
    }

    #[test]
    fn an_exponent_is_refused_even_where_it_would_be_exact() {
        for token in ["1e2", "1E2", "1.5e+1", "100e-2", "1.000e1"] {
            assert_eq!(parsed(token), Err(BadMoney::Exponent), "{token:?}");
        }
    }

    #[test]
    fn a_third_decimal_is_refused_even_if_it_is_zero() {
        assert_eq!(parsed("0.001"), Err(BadMoney::TooManyDecimals));
        assert_eq!(parsed("1.000"), Err(BadMoney::TooManyDecimals));
    }

    #[test]
    fn the_whole_range_is_read_and_nothing_beyond_it() {
        let most = Centavos::wide(i128::MAX).to_string();
        assert_eq!(parsed(&most), Ok(i128::MAX));
        assert_eq!(parsed(&format!("-{most}")), Ok(-i128::MAX));
        assert_eq!(parsed("1701411834604692317316873037158841057.28"), Err(BadMoney::TooLarge));
        assert_eq!(parsed(&"9".repeat(400)), Err(BadMoney::TooLarge));
    }

    #[test]
    fn an_amount_is_narrower_than_a_balance() {
        let amount = |token| Amount::parse_json(token).map(i64::from);
        assert_eq!(amount("92233720368547758.07"), Ok(i64::MAX));
        assert_eq!(amount("92233720368547758.08"), Err(BadMoney::TooLarge));
        assert_eq!(amount("-92233720368547758.09"), Err(BadMoney::NotPositive));
    }

    #[test]
    fn money_is_printed_with_two_decimals() {
        let examples = [(8_000, "80.00"), (-5, "-0.05"), (0, "0.00"), (123_456, "1234.56")];
        for (centavos, text) in examples {
            assert_eq!(Centavos::new(centavos).to_string(), text);
        }
    }

    #[test]
    fn answers_write_money_as_the_requirement_does() {
        let examples = [
            (53_000, "530.0"),
            (45_055, "450.55"),
            (5_050, "50.5"),
            (-5, "-0.05"),
            (0, "0.0"),
            (5, "0.05"),
        ];
        for (centavos, text) in examples {
            assert_eq!(serde_json::to_string(&Reais(Centavos::new(centavos))).unwrap(), text);
        }
    }

    #[test]
    fn an_amount_is_more_than_zero_inside_an_event_too() {
        assert_eq!(Amount::parse_json("0.0"), Err(BadMoney::NotPositive));
        assert_eq!(Amount::parse_json("-1"), Err(BadMoney::NotPositive));
        assert_eq!(Amount::parse_json("0.01").map(Amount::get), Ok(Centavos::new(1)));
        assert!(serde_json::from_str::<Amount>("0").is_err());
        assert!(serde_json::from_str::<Amount>("-7").is_err());
        assert!(serde_json::from_str::<Amount>("1.5").is_err());
        let amount: Amount = serde_json::from_str("7").unwrap();
        assert_eq!(serde_json::to_string(&amount).unwrap(), "7");
    }

    #[test]
    fn arithmetic_that_overflows_returns_nothing() {
        let (least, most, one) =
            (Centavos::wide(i128::MIN), Centavos::wide(i128::MAX), Centavos::new(1));
        assert_eq!((most.checked_add(one), least.checked_sub(one)), (None, None));
        assert_eq!(one.checked_sub(one), Some(Centavos::ZERO));
        assert_eq!(sum([Centavos::new(i64::MAX); 2]), 2 * i128::from(i64::MAX));
    }

    proptest! {
        #[test]
        fn both_printed_forms_are_read_back_exactly(centavos in -i128::MAX..) {
            let money = Centavos::wide(centavos);
            prop_assert_eq!(Centavos::parse_json(&money.to_string()), Ok(money));
            let json = serde_json::to_string(&Reais(money)).unwrap();
            prop_assert_eq!(Centavos::parse_json(&json), Ok(money));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[-+0-9.eE]{0,60}") {
            let _ = Centavos::parse_json(&text);
        }

        #[test]
        fn every_amount_that_is_read_is_also_a_json_number(text in "[-+0-9.eE]{0,12}") {
            if Centavos::parse_json(&text).is_ok() {
                prop_assert!(serde_json::from_str::<Box<RawValue>>(&text).is_ok());
            }
        }
    }
}
