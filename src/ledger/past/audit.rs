//! Whether the past adds up to the present.

use super::{PastEntry, Trail};
use crate::ledger::book::Book;
use crate::ledger::money::Centavos;
use crate::ledger::statement::EntryKind;

/// Follows all entries from the first to the last and checks that every balance follows from the
/// one before, none was ever negative, and every link leads where it should; then compares the
/// result with a book.
#[derive(Clone, Debug, Default)]
pub struct Auditor {
    entries: u64,
    /// By account, in opening order.
    accounts: Vec<(Trail, Centavos)>,
    /// By account, what came in as cash, in centavos.
    cash: Vec<i128>,
}

impl Auditor {
    /// The next entry.
    ///
    /// # Errors
    /// What does not hold, for the log.
    pub fn take(&mut self, past: &PastEntry) -> Result<(), String> {
        let at = |what: &str| format!("entry {}: {what}", past.number);
        self.entries += 1;
        if past.number.0 != self.entries {
            return Err(at("is not the next one"));
        }
        let opens = past.entry.kind == EntryKind::Opening;
        let place = past.account as usize;
        if opens != (place == self.accounts.len()) || place > self.accounts.len() {
            return Err(at("the statement does not begin with a single opening"));
        }
        if opens {
            self.accounts.push((Trail::default(), Centavos::ZERO));
            self.cash.push(0);
        }
        let (trail, balance) = &mut self.accounts[place];
        if trail.extend(past.number) != (past.index, past.links) {
            return Err(at("its links are not those of its account"));
        }
        let after = past.entry.balance_after;
        if balance.checked_add(past.entry.value) != Some(after) {
            return Err(at("does not follow from the one before"));
        }
        if after < Centavos::ZERO {
            return Err(at("the balance is negative"));
        }
        *balance = after;
        if past.entry.kind.is_cash() {
            self.cash[place] += i128::from(past.entry.value.get());
        }
        Ok(())
    }

    /// Whether a book is what these entries lead to.
    ///
    /// # Errors
    /// What does not hold, for the log.
    pub fn compare(&self, book: &Book) -> Result<(), String> {
        if self.entries != book.entries().0 || self.accounts.len() != book.accounts().count() {
            return Err(format!(
                "the past has {} entries of {} accounts, and the ledger {} of {}",
                self.entries,
                self.accounts.len(),
                book.entries(),
                book.accounts().count()
            ));
        }
        let mut cash = vec![0; book.banks()];
        for ((account, (trail, balance)), paid_in) in
            book.accounts().zip(&self.accounts).zip(&self.cash)
        {
            if (account.trail, account.balance) != (*trail, *balance) {
                let (number, bank) = (account.number, account.bank);
                return Err(format!("account {number} at bank {bank} differs from its entries"));
            }
            cash[account.bank.index()] -= paid_in;
        }
        if cash == book.cash() {
            Ok(())
        } else {
            Err("the cash of a bank is not the other side of what was paid in and out".into())
        }
    }
}
