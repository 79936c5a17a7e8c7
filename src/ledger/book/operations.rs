//! The rules for packages: all operations in document order, or none.
//!
//! A draft runs the operations on the balances they touch and collects the entries; the book sees them only if the last
//! operation succeeded too. The first that fails names the reason.

use std::collections::BTreeMap;

use super::change::{AccountSlot, Posting};
use super::{Book, Change, Turn};
use crate::ledger::account::AccountNumber;
use crate::ledger::customer::UserName;
use crate::ledger::money::{Amount, Centavos};
use crate::ledger::outcome::Refusal;
use crate::ledger::package::{Operation, OperationKind, Package};
use crate::ledger::pix::PixKey;
use crate::ledger::statement::{Entry, EntryKind};
use crate::protocol::ids::BankId;

impl Book {
    pub(super) fn decide_package(&self, turn: &Turn<'_>, package: &Package) -> Result<Change, Refusal> {
        let mut draft = Draft::new(self, turn, package)?;
        for operation in package.operations() {
            draft.run(operation)?;
        }
        Ok(Change::Posted(draft.postings))
    }
}

/// A package under way.
struct Draft<'a> {
    book: &'a Book,
    turn: &'a Turn<'a>,
    /// Who asks; `None` where the event says that customers are not named, and everybody may do everything.
    by: Option<&'a UserName>,
    /// The touched balances as they stand now.
    balances: BTreeMap<AccountSlot, Centavos>,
    postings: Vec<Posting>,
}

/// One entry to be.
struct Leg<'a> {
    slot: AccountSlot,
    kind: EntryKind,
    value: Centavos,
    made_by: &'a UserName,
    pix: Option<&'a PixKey>,
}

impl<'a> Draft<'a> {
    fn new(book: &'a Book, turn: &'a Turn<'a>, package: &Package) -> Result<Self, Refusal> {
        // The customer's own copy of the name, which all their entries share.
        let by = match &turn.request.by {
            Some(user_name) => Some(&book.known_customer(user_name)?.user_name),
            None if turn.open => None,
            None => return Err(Refusal::NoCustomer),
        };
        // Most are transfers, with two entries each.
        let postings = Vec::with_capacity(2 * package.operations().len());
        Ok(Draft { book, turn, by, balances: BTreeMap::new(), postings })
    }

    fn run(&mut self, operation: &Operation) -> Result<(), Refusal> {
        let slot = self.account(operation.bank, operation.account)?;
        let made_by = self.by.unwrap_or(self.book[slot].opener());
        match &operation.kind {
            OperationKind::Deposit { value } => {
                self.post(Leg { slot, kind: EntryKind::Deposit, value: value.get(), made_by, pix: None })
            }
            OperationKind::Withdraw { value } => {
                self.check_holder(slot)?;
                self.post(Leg { slot, kind: EntryKind::Withdraw, value: value.negated(), made_by, pix: None })
            }
            OperationKind::Transfer { value, pix } => {
                self.check_holder(slot)?;
                self.transfer(slot, made_by, *value, pix)
            }
        }
    }

    fn transfer(&mut self, from: AccountSlot, made_by: &UserName, value: Amount, pix: &PixKey) -> Result<(), Refusal> {
        let to = self.payee(pix)?;
        if from == to {
            let account = &self.book[from];
            return Err(Refusal::SameAccount { bank: account.bank, account: account.number });
        }
        // The account's own copy of the key, which all entries share.
        let pix = Some(&self.book[to].key);
        self.post(Leg { slot: from, kind: EntryKind::Transfer, value: value.negated(), made_by, pix })?;
        self.post(Leg { slot: to, kind: EntryKind::Receive, value: value.get(), made_by, pix })
    }

    fn account(&self, bank: BankId, account: AccountNumber) -> Result<AccountSlot, Refusal> {
        self.book.check_online(bank, self.turn.members)?;
        self.book.numbers.get(&(bank, account)).copied().ok_or(Refusal::UnknownAccount { bank, account })
    }

    fn payee(&self, pix: &PixKey) -> Result<AccountSlot, Refusal> {
        self.book.check_online(pix.bank(), self.turn.members)?;
        self.book.keys.get(pix).copied().ok_or_else(|| Refusal::UnknownPixKey(pix.clone()))
    }

    /// Refuses a debit by a customer who does not hold the account.
    fn check_holder(&self, slot: AccountSlot) -> Result<(), Refusal> {
        let account = &self.book[slot];
        match self.by {
            Some(user_name) if !account.is_held_by(user_name) => {
                Err(Refusal::NotHolder { bank: account.bank, account: account.number, user_name: user_name.clone() })
            }
            _ => Ok(()),
        }
    }

    fn post(&mut self, leg: Leg<'_>) -> Result<(), Refusal> {
        let account = &self.book[leg.slot];
        let (bank, number) = (account.bank, account.number);
        let balance = self.balances.entry(leg.slot).or_insert(account.balance);
        let balance_after = balance.checked_add(leg.value).ok_or(Refusal::BalanceTooLarge { bank, account: number })?;
        if balance_after < Centavos::ZERO {
            return Err(Refusal::InsufficientBalance { bank, account: number, balance: *balance });
        }
        *balance = balance_after;
        let entry = Entry {
            kind: leg.kind,
            value: leg.value,
            balance_after,
            at_ms: self.turn.at_ms,
            made_by: leg.made_by.clone(),
            bank_sender: self.turn.sender,
            id: self.turn.request.id.clone(),
            position: self.turn.position,
            pix: leg.pix.cloned(),
        };
        self.postings.push(Posting { slot: leg.slot, bank, account: number, entry });
        Ok(())
    }
}
