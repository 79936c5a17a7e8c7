//! An account as the requirement lists it, where a customer's accounts are listed.

use crate::ledger::{Account, AccountNumber, PixKey, Reais};

/// An account as the requirement lists it: `[num, balance, key]`.
pub(super) type AccountLine = (AccountNumber, Reais, PixKey);

/// One account in a list.
pub(super) fn line(account: &Account) -> AccountLine {
    (account.number, Reais(account.balance), account.key.clone())
}
