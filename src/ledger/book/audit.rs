//! Counting everything again: a bank does this after it has rebuilt its ledger, and tests do it
//! after every request.
//!
//! Nothing here trusts a sum that was kept along the way.

use super::change::AccountSlot;
use super::{BankId, Book};
use crate::ledger::account::Account;
use crate::ledger::money::{self, Centavos};
use crate::ledger::statement::EntryKind;

impl Book {
    /// The sum of every entry and of every bank's cash, in centavos: always 0.
    #[must_use]
    pub fn sum_of_all_entries(&self) -> i128 {
        let entries = self
            .accounts
            .iter()
            .map(|account| money::sum(account.statement.iter().map(|entry| entry.value)));
        entries.chain(self.cash.iter().copied()).sum()
    }

    /// Checks that every balance follows from its statement, no balance was ever negative, every
    /// bank's cash is the other side of its openings, deposits and withdrawals, and every account
    /// is found by its number, key and holders.
    ///
    /// # Errors
    /// What does not hold, for the log.
    pub fn verify(&self) -> Result<(), String> {
        for (index, account) in self.accounts.iter().enumerate() {
            let at =
                |what: &str| format!("account {} at bank {}: {what}", account.number, account.bank);
            verify_statement(account).map_err(at)?;
            self.verify_indexes(AccountSlot::new(index), account).map_err(at)?;
        }
        for bank in BankId::all(self.banks()) {
            self.verify_cash(bank)?;
        }
        match self.sum_of_all_entries() {
            0 => Ok(()),
            sum => Err(format!("the sum of all entries is {sum} centavos, and not zero")),
        }
    }

    fn verify_indexes(&self, slot: AccountSlot, account: &Account) -> Result<(), &'static str> {
        if self.numbers.get(&(account.bank, account.number)) != Some(&slot) {
            return Err("is not found by its number");
        }
        if self.keys.get(&account.key) != Some(&slot) {
            return Err("is not found by its Pix key");
        }
        let lists = |holder| {
            self.customers.get(holder).is_some_and(|record| record.accounts.contains(&slot))
        };
        if account.holders.iter().all(lists) {
            Ok(())
        } else {
            Err("is missing with one of its holders")
        }
    }

    fn verify_cash(&self, bank: BankId) -> Result<(), String> {
        let entries = self
            .accounts
            .iter()
            .filter(|account| account.bank == bank)
            .flat_map(|account| &account.statement);
        let paid_in =
            money::sum(entries.filter(|entry| entry.kind.is_cash()).map(|entry| entry.value));
        match self.cash[bank.index()] {
            cash if cash == -paid_in => Ok(()),
            cash => {
                Err(format!("the cash of bank {bank} is {cash} centavos, and not {}", -paid_in))
            }
        }
    }
}

/// Checks that the statement leads from nothing to the balance.
fn verify_statement(account: &Account) -> Result<(), &'static str> {
    let mut balance = Centavos::ZERO;
    for (index, entry) in account.statement.iter().enumerate() {
        if (entry.kind == EntryKind::Opening) != (index == 0) {
            return Err("the statement does not begin with a single opening");
        }
        if balance.checked_add(entry.value) != Some(entry.balance_after) {
            return Err("an entry does not follow from the one before");
        }
        if entry.balance_after < Centavos::ZERO {
            return Err("a balance is negative");
        }
        balance = entry.balance_after;
    }
    match account.statement.is_empty() {
        true => Err("the statement is empty"),
        false if balance != account.balance => {
            Err("the balance differs from the sum of the statement")
        }
        false => Ok(()),
    }
}
