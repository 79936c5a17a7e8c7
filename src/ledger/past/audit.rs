//! Whether the past adds up to the present.

use super::{PastEntry, Trail};
use crate::ledger::money::Centavos;
use crate::ledger::statement::EntryKind;

/// Follows all entries from the first to the last and checks that every balance follows from the
/// one before, none was ever negative, and every link leads where it should;
/// [`Book::agrees_with`](crate::ledger::Book::agrees_with) then compares the result.
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
            self.cash[place] += past.entry.value.get();
        }
        Ok(())
    }

    /// How many entries were taken.
    pub(in crate::ledger) fn entries(&self) -> u64 {
        self.entries
    }

    /// By account, in opening order: the trail and the balance that its entries lead to, and what
    /// came in as cash, in centavos.
    pub(in crate::ledger) fn accounts(
        &self,
    ) -> impl ExactSizeIterator<Item = (&Trail, Centavos, i128)> {
        let cash = self.cash.iter();
        self.accounts.iter().zip(cash).map(|((trail, balance), cash)| (trail, *balance, *cash))
    }
}
