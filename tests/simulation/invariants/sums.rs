//! Money is neither made nor lost: every book adds up, and its balances are those of a second, much simpler count that
//! knows only what was executed.

use std::collections::BTreeMap;

use netbanking::ledger::{AccountNumber, Action, Book, Done, Executed, OperationKind, Outcome, PixKey};
use netbanking::protocol::ids::{BankId, Position};

use super::{Verdict, must};

const NAME: &str = "sums";

#[derive(Debug, Default)]
pub(crate) struct Sums {
    /// In centavos.
    balances: BTreeMap<(BankId, AccountNumber), i64>,
    keys: BTreeMap<PixKey, (BankId, AccountNumber)>,
}

impl Sums {
    /// A wish has taken effect, or was refused and leaves nothing.
    pub(crate) fn fulfilled(&mut self, action: &Action, executed: &Executed) {
        let Outcome::Done(done) = &executed.outcome else { return };
        match (action, done) {
            (Action::CreateAccount(opening), Done::AccountCreated { number, key }) => {
                self.balances.insert((key.bank(), *number), opening.value_init.get().get());
                self.keys.insert(key.clone(), (key.bank(), *number));
            }
            (Action::Operations(package), Done::PackageExecuted) => {
                for operation in package.operations() {
                    let account = (operation.bank, operation.account);
                    match &operation.kind {
                        OperationKind::Deposit { value } => self.add(account, value.get().get()),
                        OperationKind::Withdraw { value } => self.add(account, -value.get().get()),
                        OperationKind::Transfer { value, pix } => {
                            self.add(account, -value.get().get());
                            if let Some(payee) = self.keys.get(pix).copied() {
                                self.add(payee, value.get().get());
                            }
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn add(&mut self, account: (BankId, AccountNumber), centavos: i64) {
        *self.balances.entry(account).or_default() += centavos;
    }

    /// Counts a bank's book again; `end` is how far the common order goes.
    pub(crate) fn audit(&self, bank: BankId, book: &Book, end: Position) -> Verdict {
        book.verify().or_else(|what| must(false, NAME, || format!("bank {bank}: {what}")))?;
        if book.position() != end {
            return Ok(());
        }
        must(book.accounts().len() == self.balances.len(), NAME, || {
            format!("bank {bank} has {} accounts, and {} were opened", book.accounts().len(), self.balances.len())
        })?;
        for account in book.accounts() {
            let counted = self.balances.get(&(account.bank, account.number));
            must(counted == Some(&account.balance.get()), NAME, || {
                let (number, of, balance) = (account.number, account.bank, account.balance);
                format!("bank {bank} has {balance} on account {number} of bank {of}, counted were {counted:?} centavos")
            })?;
        }
        Ok(())
    }
}
