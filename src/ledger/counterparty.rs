//! Who is on the other side of an entry, as the statement of this side may name them: an account,
//! its bank, and a customer's name with most of their document masked.
//!
//! Nothing of this is in the entry but the account's place: names, documents and numbers never
//! change, so the book has them.

use super::account::AccountNumber;
use super::book::Book;
use super::customer::{Customer, TypePerson};
use super::statement::{Entry, EntryKind};
use crate::ids::BankId;

/// The other side of a Pix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counterparty {
    /// Who sent the money; of a Pix that was sent, who opened the account that got it.
    pub(crate) name: String,
    /// Only its middle digits.
    pub(crate) document: String,
    /// A person or a company.
    pub(crate) type_person: TypePerson,
    /// Their account; entries of older releases do not say from where money came.
    pub(crate) account: Option<(BankId, AccountNumber)>,
}

impl Counterparty {
    pub(crate) fn of(customer: &Customer, account: Option<(BankId, AccountNumber)>) -> Self {
        Counterparty {
            name: customer.name.to_string(),
            document: customer.num_cadastro.masked(),
            type_person: customer.type_person(),
            account,
        }
    }
}

impl Book {
    /// Who is on the other side of an entry; `None` where it is the bank's cash.
    #[must_use]
    pub(crate) fn counterparty(&self, entry: &Entry) -> Option<Counterparty> {
        let other = entry.details.other.and_then(|place| self.account_at(place));
        match entry.kind {
            EntryKind::Opening | EntryKind::Deposit | EntryKind::Withdraw => None,
            EntryKind::Transfer => {
                let account = match other {
                    Some(account) => account,
                    None => self.pix(entry.pix.as_ref()?)?.0,
                };
                let customer = self.customer(account.opener())?;
                Some(Counterparty::of(customer, Some((account.bank, account.number))))
            }
            EntryKind::Receive => {
                let account = other.map(|account| (account.bank, account.number));
                Some(Counterparty::of(self.customer(&entry.made_by)?, account))
            }
        }
    }
}
