//! Money as pages and downloads show it.

use crate::brazilian::{self, ON_PAGES};
use crate::ledger::Centavos;

/// `R$ 1.234,56`; negative sums with a minus sign before them. The blank does not break.
pub(super) fn reais(sum: Centavos) -> String {
    reais_wide(i128::from(sum.get()))
}

/// The same for a sum over many accounts.
pub(super) fn reais_wide(centavos: i128) -> String {
    brazilian::reais(centavos, ON_PAGES)
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
        assert_eq!(plain_reais(Centavos::new(-123_456)), "-1234,56");
    }
}
