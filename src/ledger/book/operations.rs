//! The rules for packages: all operations in document order, or none.
//!
//! A draft runs the operations on the balances they touch and yields the entries to be written; the
//! book sees them only if the last operation succeeded too. The first operation that fails gives
//! the reason. The preview on the web page is the same draft without entries: see `trial`.

use std::collections::BTreeMap;

use super::change::{AccountSlot, Posting};
use super::outlay::Outlay;
use super::{Book, Change, Refused, Turn};
use crate::ids::{BankId, BankSet};
use crate::ledger::account::{Account, AccountNumber};
use crate::ledger::customer::UserName;
use crate::ledger::money::{Amount, Centavos};
use crate::ledger::note::Note;
use crate::ledger::outcome::Refusal;
use crate::ledger::package::{Operation, OperationKind, Package};
use crate::ledger::pix::PixKey;
use crate::ledger::statement::{Details, Entry, EntryKind};

impl Book {
    pub(super) fn decide_package(
        &self,
        turn: &Turn<'_>,
        package: &Package,
    ) -> Result<Change, Refused> {
        let by = self.asker(turn)?;
        // Most are transfers, with two entries each.
        let mut postings = Vec::with_capacity(2 * package.operations().len());
        let mut draft = Draft::new(self, turn.members, by, turn.request.own);
        let limited = by.zip(turn.request.offset_s);
        draft.outlay = limited.and_then(|(by, offset_s)| self.outlay(by, turn.at_ms, offset_s));
        if turn.request.confirmed {
            draft.outlay = draft.outlay.map(|outlay| outlay.asking_above(None));
        }
        for (index, operation) in package.operations().iter().enumerate() {
            draft
                .run(operation, &mut |leg| postings.push(turn.posting(&self[leg.slot], leg)))
                .map_err(|refusal| Refused { refusal, operation: Some(index) })?;
        }
        let outlay = draft.outlay.filter(|outlay| outlay.has_grown);
        Ok(Change::Posted { postings, outlay })
    }

    /// Who asks: the customer's own copy of the name, which all their entries share. `None` where
    /// the event says that customers are not named, and everybody may do everything.
    pub(super) fn asker(&self, turn: &Turn<'_>) -> Result<Option<&UserName>, Refusal> {
        match &turn.request.by {
            Some(user_name) => Ok(Some(&self.known_customer(user_name)?.user_name)),
            None if turn.open => Ok(None),
            None => Err(Refusal::NoCustomer),
        }
    }
}

impl Turn<'_> {
    pub(super) fn posting(&self, account: &Account, leg: Leg<'_>) -> Posting {
        let entry = Entry {
            kind: leg.kind,
            value: leg.value,
            balance_after: leg.balance_after,
            at_ms: self.at_ms,
            made_by: leg.made_by.clone(),
            bank_sender: self.sender,
            id: self.request.id.clone(),
            position: self.position,
            pix: leg.pix,
            details: leg.details,
        };
        Posting { slot: leg.slot, bank: account.bank, account: account.number, entry }
    }
}

/// A package under way: the book, and the balances that it has touched.
pub(super) struct Draft<'a> {
    book: &'a Book,
    /// The banks that execute it.
    members: BankSet,
    /// Who asks; `None` where the event says that customers are not named, and everybody may do
    /// everything.
    by: Option<&'a UserName>,
    /// Whether they may touch only accounts that they hold, apart from paying by key.
    own: bool,
    /// The touched balances as they stand now.
    balances: BTreeMap<AccountSlot, Centavos>,
    /// What they let leave, where that is counted.
    pub(super) outlay: Option<Outlay>,
}

/// One entry to be.
pub(super) struct Leg<'a> {
    pub(super) slot: AccountSlot,
    kind: EntryKind,
    value: Centavos,
    pub(super) balance_after: Centavos,
    made_by: &'a UserName,
    pix: Option<PixKey>,
    details: Details,
}

/// What is done with each leg.
type Posted<'p, 'a> = &'p mut dyn FnMut(Leg<'a>);

impl<'a> Draft<'a> {
    pub(super) fn new(
        book: &'a Book,
        members: BankSet,
        by: Option<&'a UserName>,
        own: bool,
    ) -> Self {
        Draft { book, members, by, own, balances: BTreeMap::new(), outlay: None }
    }

    /// The touched balances as they stand now.
    pub(super) fn balances(&self) -> impl Iterator<Item = (&'a Account, Centavos)> {
        self.balances.iter().map(|(slot, balance)| (&self.book[*slot], *balance))
    }

    /// Runs one operation: one leg, or two for a transfer, the payer's first.
    pub(super) fn run(
        &mut self,
        operation: &Operation,
        posted: Posted<'_, 'a>,
    ) -> Result<(), Refusal> {
        let slot = self.account(operation.bank, operation.account)?;
        let made_by = self.by.unwrap_or(self.book[slot].opener());
        let leg = |kind, value| Leg {
            slot,
            kind,
            value,
            balance_after: Centavos::ZERO,
            made_by,
            pix: None,
            details: Details::default(),
        };
        let sent_by =
            |sender: &Option<AccountNumber>| Details { sender: *sender, ..Details::default() };
        match &operation.kind {
            OperationKind::Deposit { value, sender } => {
                let details = sent_by(sender);
                self.post(Leg { details, ..leg(EntryKind::Deposit, value.get()) }, posted)
            }
            OperationKind::Withdraw { value, sender } => {
                self.check_holder(slot)?;
                self.let_leave(*value)?;
                let details = sent_by(sender);
                self.post(Leg { details, ..leg(EntryKind::Withdraw, value.negated()) }, posted)
            }
            OperationKind::Transfer { value, pix, note } => {
                self.check_holder(slot)?;
                let to = self.payee(pix, note.is_some())?;
                if slot == to {
                    let account = &self.book[slot];
                    return Err(Refusal::SameAccount {
                        bank: account.bank,
                        account: account.number,
                    });
                }
                if !self.stays_with_payer(to) {
                    self.let_leave(*value)?;
                }
                // The account's own copy of the key, which all entries share; a payer who named
                // the account does not learn its key.
                let named = AccountNumber::named_by(pix).is_some();
                let pix = if named { pix } else { self.book[to].own_copy(pix) };
                let details = |other: AccountSlot| noted(note.as_ref(), other);
                self.pay((slot, to), *value, made_by, pix, &details, posted)
            }
        }
    }

    /// Counts what leaves against the limit of who asks.
    fn let_leave(&mut self, value: Amount) -> Result<(), Refusal> {
        self.outlay.as_mut().map_or(Ok(()), |outlay| outlay.add(value))
    }

    /// Whether only who asks can take money out of an account.
    fn stays_with_payer(&self, slot: AccountSlot) -> bool {
        self.by.is_some_and(|by| self.book[slot].holders.iter().all(|holder| holder == by))
    }

    /// Moves money from one account to another. What the entries say besides depends on who is on
    /// their other side.
    pub(super) fn pay(
        &mut self,
        (from, to): (AccountSlot, AccountSlot),
        value: Amount,
        made_by: &'a UserName,
        pix: &PixKey,
        details: &dyn Fn(AccountSlot) -> Details,
        posted: Posted<'_, 'a>,
    ) -> Result<(), Refusal> {
        let leg = |slot, other, kind, value| Leg {
            slot,
            kind,
            value,
            balance_after: Centavos::ZERO,
            made_by,
            pix: Some(pix.clone()),
            details: details(other),
        };
        self.post(leg(from, to, EntryKind::Transfer, value.negated()), posted)?;
        self.post(leg(to, from, EntryKind::Receive, value.get()), posted)
    }

    pub(super) fn account(
        &self,
        bank: BankId,
        account: AccountNumber,
    ) -> Result<AccountSlot, Refusal> {
        self.book.check_online(bank, self.members)?;
        let slot = self.book.slot(bank, account);
        let slot = match self.by.filter(|_| self.own) {
            // Whether somebody else has an account of this number is not told.
            Some(by) => slot
                .filter(|slot| self.book[*slot].is_held_by(by))
                .ok_or_else(|| Refusal::NotHolder { bank, account, user_name: by.clone() }),
            None => slot.ok_or(Refusal::UnknownAccount { bank, account }),
        }?;
        self.book.check_open(slot)
    }

    /// Older releases knew of no accounts as payees, and what they refused stays refused.
    fn payee(&self, pix: &PixKey, may_be_account: bool) -> Result<AccountSlot, Refusal> {
        self.book.check_online(pix.bank(), self.members)?;
        let slot = match may_be_account {
            true => self.book.slot_paid_by(pix),
            // What is closed has no keys.
            false => self.book.slot_by_key(pix),
        };
        slot.ok_or_else(|| Refusal::UnknownPixKey(pix.clone()))
    }

    /// Refuses a debit by a customer who does not hold the account.
    fn check_holder(&self, slot: AccountSlot) -> Result<(), Refusal> {
        let account = &self.book[slot];
        match self.by {
            Some(user_name) if !account.is_held_by(user_name) => Err(Refusal::NotHolder {
                bank: account.bank,
                account: account.number,
                user_name: user_name.clone(),
            }),
            _ => Ok(()),
        }
    }

    fn post(&mut self, leg: Leg<'a>, posted: Posted<'_, 'a>) -> Result<(), Refusal> {
        let account = &self.book[leg.slot];
        let (bank, number) = (account.bank, account.number);
        let balance = self.balances.get(&leg.slot).copied().unwrap_or(account.balance);
        // That an account is full must never be an answer: it would tell strangers what is in it.
        let balance_after = balance
            .checked_add(leg.value)
            .expect("2⁶⁴ entries of less than 2⁶³ centavos each fit into a balance");
        if balance_after < Centavos::ZERO {
            return Err(Refusal::InsufficientBalance { bank, account: number, balance });
        }
        self.balances.insert(leg.slot, balance_after);
        posted(Leg { balance_after, ..leg });
        Ok(())
    }
}

/// What an entry says about a transfer whose other side is this account.
fn noted(note: Option<&Note>, other: AccountSlot) -> Details {
    note.cloned().map_or_else(Details::default, |Note { message, txid }| Details {
        other: Some(other.place()),
        message,
        txid,
        ..Details::default()
    })
}
