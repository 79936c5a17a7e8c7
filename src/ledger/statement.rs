//! Statements: what happened to an account, entry by entry, newest last.
//!
//! The entries of an account add up to its balance and each records the balance it left, so a
//! statement proves itself. The book makes entries and keeps none: see [`past`](super::past).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::account_number::AccountNumber;
use super::calendar::{Date, TimeOfDay};
use super::customer::UserName;
use super::entry_number::EntryNumber;
use super::money::Centavos;
use super::note::{Message, Txid};
use super::pix::PixKey;
use crate::ids::{BankId, EventId, Position};

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EntryKind {
    /// The first money, paid in when the account was opened.
    Opening,
    /// Cash paid in.
    Deposit,
    /// Cash drawn.
    Withdraw,
    /// Money sent to another account.
    Transfer,
    /// Money that came from another account.
    Receive,
}

impl EntryKind {
    /// The name in JSON, such as `DEPOSIT`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            EntryKind::Opening => "OPENING",
            EntryKind::Deposit => "DEPOSIT",
            EntryKind::Withdraw => "WITHDRAW",
            EntryKind::Transfer => "TRANSFER",
            EntryKind::Receive => "RECEIVE",
        }
    }

    /// Whether the other side of the entry is the bank's cash; otherwise it is another account.
    #[must_use]
    pub(crate) fn is_cash(self) -> bool {
        match self {
            EntryKind::Opening | EntryKind::Deposit | EntryKind::Withdraw => true,
            EntryKind::Transfer | EntryKind::Receive => false,
        }
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One line of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is about.
    pub kind: EntryKind,
    /// How much came in; negative where money left.
    pub value: Centavos,
    /// The balance it left.
    pub balance_after: Centavos,
    /// Ledger time, in Unix milliseconds (UTC).
    pub at_ms: i64,
    /// Who did it; on RECEIVE, who sent the money.
    pub made_by: UserName,
    /// The bank that was asked to do it.
    pub bank_sender: BankId,
    /// The request.
    pub id: EventId,
    /// The request's place in the common order.
    pub position: Position,
    /// On TRANSFER and RECEIVE, the key that was paid to.
    pub pix: Option<PixKey>,
    /// What else is known.
    pub details: Details,
}

/// What an entry says besides the money. Entries that older releases made have
/// none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// On TRANSFER and RECEIVE, the account on the other side: its place in the order of openings,
    /// which never changes.
    pub other: Option<u32>,
    /// What the payer said to the payee.
    pub message: Option<Message>,
    /// The charge that was paid.
    pub txid: Option<Txid>,
    /// On DEPOSIT and WITHDRAW, the account that the request named as its sender, if another.
    pub sender: Option<AccountNumber>,
    /// On TRANSFER and RECEIVE, the Pix of which this is a refund. Written down beside the others.
    #[serde(skip)]
    pub refund_of: Option<Box<RefundOf>>,
}

/// Which Pix is refunded, as the entries of its refunds say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundOf {
    /// The entry with which the money came.
    pub entry: EntryNumber,
    /// The request that made it.
    pub id: EventId,
    /// That request's place in the common order.
    pub position: Position,
}

impl Entry {
    /// The balance before it.
    #[must_use]
    pub(crate) fn previous_balance(&self) -> Centavos {
        self.balance_after.checked_sub(self.value).expect("the previous balance was one")
    }

    /// The day, UTC.
    #[must_use]
    pub fn date(&self) -> Date {
        Date::at(self.at_ms)
    }

    /// The time of day, UTC.
    #[must_use]
    pub fn time(&self) -> TimeOfDay {
        TimeOfDay::at(self.at_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(balance_after: i64) -> Entry {
        Entry {
            kind: EntryKind::Withdraw,
            value: Centavos::new(-250),
            balance_after: Centavos::new(balance_after),
            at_ms: 1_795_442_602_999,
            made_by: UserName::parse("renata332").unwrap(),
            bank_sender: BankId(0),
            id: EventId::new(BankId(0), "x"),
            position: Position(1),
            pix: None,
            details: Details::default(),
        }
    }

    #[test]
    fn an_entry_knows_the_balance_before_it_and_its_date_and_time() {
        let entry = entry(750);
        assert_eq!(entry.previous_balance(), Centavos::new(1_000));
        assert_eq!(
            (entry.date().to_string(), entry.time().to_string()),
            ("2026-11-23".into(), "14:03:22".into())
        );
    }

    #[test]
    fn an_entry_kind_is_printed_as_json_names_it() {
        use EntryKind::{Deposit, Opening, Receive, Transfer, Withdraw};
        for kind in [Opening, Deposit, Withdraw, Transfer, Receive] {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
    }
}
