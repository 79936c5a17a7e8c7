//! Money as pages and downloads show it.

use std::fmt;

use crate::brazilian::{self, ON_PAGES};
use crate::ledger::Centavos;

/// `R$ 1.234,56`; negative sums with a minus sign before them. The blank does not break.
pub(super) fn reais(sum: Centavos) -> String {
    reais_wide(sum.get())
}

/// The same, with a plus sign where money came in.
pub(super) fn signed_reais(sum: Centavos) -> String {
    let sign = if sum > Centavos::ZERO { "+" } else { "" };
    format!("{sign}{}", reais(sum))
}

/// The same for a sum over many accounts.
pub(super) fn reais_wide(centavos: i128) -> String {
    brazilian::reais(centavos, ON_PAGES)
}

/// A sum that is written as [`reais`] does where it is shown: not on the ledger's thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct InReais(pub(super) Centavos);

impl fmt::Display for InReais {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&reais(self.0))
    }
}

/// `1234,56`, as spreadsheets read it.
pub(super) fn plain_reais(sum: Centavos) -> String {
    sum.to_string().replace('.', ",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_shown_with_the_sign_before_the_currency() {
        for (centavos, text) in
            [(0, "R$\u{a0}0,00"), (123_456, "R$\u{a0}1.234,56"), (-99_999, "−R$\u{a0}999,99")]
        {
            assert_eq!(reais(Centavos::new(centavos)), text);
        }
        assert_eq!(signed_reais(Centavos::new(5)), "+R$\u{a0}0,05");
        assert_eq!(signed_reais(Centavos::new(-5)), "−R$\u{a0}0,05");
        assert_eq!(plain_reais(Centavos::new(-123_456)), "-1234,56");
    }
}
