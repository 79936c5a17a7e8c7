//! Money as customers see it, `R$ 1.234,56`, and as banks' answers contain it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::brazilian::{AT_A_TERMINAL, reais};
use crate::ledger::{Centavos, Reais};

/// A sum that prints as `R$ 1.234,56`, and as `-R$ 0,05` where money leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Brl(pub(super) Centavos);

impl fmt::Display for Brl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&reais(self.0.get(), AT_A_TERMINAL))
    }
}

/// What many accounts hold together, which may be more than one of them can; in centavos.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Total(pub(super) i128);

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&reais(self.0, AT_A_TERMINAL))
    }
}

impl Serialize for Total {
    /// As banks' answers write money.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Reais(Centavos::wide(self.0)).serialize(serializer)
    }
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
    use super::*;

    #[test]
    fn sums_are_printed_with_points_and_a_comma() {
        let examples = [
            (0, "R$ 0,00"),
            (-5, "-R$ 0,05"),
            (123_456, "R$ 1.234,56"),
            (i64::MIN, "-R$ 92.233.720.368.547.758,08"),
        ];
        for (centavos, text) in examples {
            assert_eq!(Brl(Centavos::new(centavos)).to_string(), text);
        }
    }

    #[test]
    fn a_total_is_more_than_one_account_can_hold() {
        let total = Total(2 * i128::from(i64::MAX));
        assert_eq!(total.to_string(), "R$ 184.467.440.737.095.516,14");
        let json = |total| serde_json::to_string(&Total(total)).unwrap();
        assert_eq!(json(2 * i128::from(i64::MAX)), "184467440737095516.14");
        assert_eq!((json(53_000).as_str(), json(45_055).as_str()), ("530.0", "450.55"));
    }

    #[test]
    fn a_banks_number_is_read_without_a_float() {
        let answered: Vec<Answered> =
            serde_json::from_str("[450.55, 92233720368547758.07, -0.05]").unwrap();
        assert_eq!(
            answered.iter().map(|money| money.0.get()).collect::<Vec<_>>(),
            [45_055, i128::from(i64::MAX), -5]
        );
        assert!(serde_json::from_str::<Answered>("1e2").is_err());
    }
}
