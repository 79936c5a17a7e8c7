//! Counting everything again: a bank does this when it has restored its ledger, and tests do it
//! after every request.
//!
//! Nothing here trusts a sum that was kept along the way. That every balance follows from its
//! entries is for [`Auditor`] to check, which reads the past.

use super::Book;
use super::change::AccountSlot;
use crate::ledger::account::Account;
use crate::ledger::money::Centavos;
use crate::ledger::past::{Auditor, LateAuditor};

fn at(account: &Account, why: &str) -> String {
    format!("account {} at bank {}: {why}", account.number, account.bank)
}

impl Book {
    /// The sum of every balance and of every bank's cash, in centavos: always 0.
    #[must_use]
    pub fn sum_of_balances_and_cash(&self) -> i128 {
        self.total() + self.cash.iter().sum::<i128>()
    }

    /// Checks that the book adds up, and that every account is found by its number, key and
    /// holders.
    ///
    /// # Errors
    /// What does not hold, for the log.
    pub fn verify(&self) -> Result<(), String> {
        let more: usize = self.accounts.iter().map(|account| account.more_keys.len()).sum();
        if more != self.by_more_keys.len() {
            return Err("a Pix key leads to an account that does not have it".into());
        }
        for (index, account) in self.accounts.iter().enumerate() {
            self.find_again(AccountSlot::new(index), account).map_err(|why| at(account, why))?;
        }
        self.adds_up()
    }

    /// Checks that no balance is negative, what all accounts hold came in as cash, and the entries
    /// of all accounts are all there are.
    ///
    /// # Errors
    /// What does not hold, for the log.
    pub(super) fn adds_up(&self) -> Result<(), String> {
        for account in self.accounts.iter() {
            self.check_standing(account).map_err(|why| at(account, why))?;
        }
        let entries: u128 =
            self.accounts.iter().map(|account| u128::from(account.trail.count())).sum();
        if entries != u128::from(self.entries.0) {
            return Err(format!("the accounts have {entries} entries, and not {}", self.entries));
        }
        let cash = self.cash.iter().try_fold(0_i128, |sum, cash| sum.checked_add(*cash));
        match cash.and_then(|cash| self.total().checked_add(cash)) {
            Some(0) => Ok(()),
            Some(sum) => {
                Err(format!("balances and cash add up to {sum} centavos, and not to zero"))
            }
            None => Err("the cash of the banks cannot be added up".into()),
        }
    }

    fn check_standing(&self, account: &Account) -> Result<(), &'static str> {
        if account.balance < Centavos::ZERO {
            return Err("its balance is negative");
        }
        if account.is_closed()
            && (account.balance != Centavos::ZERO || account.keys().next().is_some())
        {
            return Err("it is closed, and not empty");
        }
        if !account.trail.is_sound(self.entries) {
            return Err("the trail of its entries leads nowhere");
        }
        // So the balances of all accounts can be added up, and added to.
        if account.balance.get() > i128::from(account.trail.count()) * i128::from(i64::MAX) {
            return Err("its balance is more than its entries can have brought");
        }
        Ok(())
    }

    fn find_again(&self, slot: AccountSlot, account: &Account) -> Result<(), &'static str> {
        if self.slot(account.bank, account.number) != Some(slot) {
            return Err("is not found by its number");
        }
        if !account.keys().all(|key| self.slot_by_key(key) == Some(slot)) {
            return Err("is not found by one of its Pix keys");
        }
        let lists =
            |holder| self.record(holder).is_some_and(|record| record.accounts.contains(&slot));
        if account.holders.iter().all(lists) {
            Ok(())
        } else {
            Err("is missing with one of its holders")
        }
    }

    /// Whether the book is what the entries that an auditor has followed lead to.
    ///
    /// # Errors
    /// What does not hold, for the log.
    pub fn agrees_with(&self, audited: &Auditor) -> Result<(), String> {
        let (entries, accounts) = (audited.entries(), audited.accounts());
        if (entries, accounts.len()) != (self.entries.0, self.accounts.len()) {
            return Err(format!(
                "the past has {entries} entries of {} accounts, and the ledger {} of {}",
                accounts.len(),
                self.entries,
                self.accounts.len()
            ));
        }
        let mut cash = vec![0; self.cash.len()];
        for (account, (trail, balance, paid_in)) in self.accounts.iter().zip(accounts) {
            if (account.trail, account.balance) != (*trail, balance) {
                let (number, bank) = (account.number, account.bank);
                return Err(format!("account {number} at bank {bank} differs from its entries"));
            }
            cash[account.bank.index()] -= paid_in;
        }
        if cash == self.cash {
            Ok(())
        } else {
            Err("the cash of a bank is not the other side of what was paid in and out".into())
        }
    }

    /// Whether the book is what the entries lead to that an auditor of the newer ones has followed.
    /// Of an account without any of them, only that it has none is checked.
    ///
    /// # Errors
    /// What does not hold, for the log.
    pub(crate) fn agrees_after(&self, audited: &LateAuditor) -> Result<(), String> {
        if audited.last() != self.entries.0 {
            let last = audited.last();
            return Err(format!("the past has {last} entries, and the ledger {}", self.entries));
        }
        let mut seen = 0;
        for (place, account) in (0..).zip(self.accounts.iter()) {
            let agrees = match audited.led(place) {
                Some(led) => {
                    seen += 1;
                    let trail = (account.trail.count(), account.trail.last());
                    (trail, account.balance) == ((led.count, led.last), led.balance)
                }
                None => account.trail.last() <= audited.unseen(),
            };
            if !agrees {
                return Err(at(account, "differs from its entries"));
            }
        }
        match seen == audited.accounts() {
            true => Ok(()),
            false => Err("there are entries of accounts that the ledger does not have".into()),
        }
    }
}
