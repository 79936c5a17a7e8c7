//! Refunds: who received a Pix gives it back, whole or in part.
//!
//! The ledger keeps no past, so a request for a refund says what the bank that was asked has read
//! there: the entry with which the money came. That bank is believed, as it is about who asks. What
//! the ledger itself sees to is that no more is given back than came, whoever asks at whichever
//! bank: of each Pix that has had a refund it keeps how much, until it is too late for another.

use serde::{Deserialize, Serialize};

use super::account::AccountNumber;
use super::money::{Amount, Centavos};
use super::note::Message;
use super::past::EntryNumber;
use super::statement::RefundOf;
use crate::ids::BankId;

/// For how many days after it a Pix can be refunded, as in Brazil.
pub(crate) const REFUND_DAYS: i64 = 90;
/// The same in milliseconds of ledger time.
pub(crate) const REFUND_WITHIN_MS: i64 = REFUND_DAYS * 24 * 60 * 60 * 1_000;

/// A Pix that was received, as the past has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Original {
    /// Which one it is.
    pub of: RefundOf,
    /// Its date: ledger time, in Unix milliseconds.
    pub at_ms: i64,
    /// The account that sent it: its place in the order of openings.
    pub other: u32,
    /// How much came.
    pub value: Amount,
}

/// Money of a Pix that is to go back to where it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refund {
    /// The bank of the account that received it.
    pub bank: BankId,
    /// That account.
    pub account: AccountNumber,
    /// How much is given back.
    pub value: Amount,
    /// What the refunding customer says about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    /// The Pix.
    pub original: Original,
}

/// What the ledger keeps of a Pix that has had a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refunded {
    /// The entry with which its money came.
    pub entry: EntryNumber,
    /// The account that received it: its place in the order of openings.
    pub account: u32,
    /// The account that sent it.
    pub other: u32,
    /// How much came.
    pub value: Amount,
    /// Its date.
    pub at_ms: i64,
    /// How much was given back, at least one centavo and at most what came.
    pub refunded: Centavos,
}

impl Refunded {
    /// What can still be given back.
    #[must_use]
    pub(crate) fn left(&self) -> Centavos {
        let left = self.value.get().checked_sub(self.refunded);
        left.expect("amounts fit into a balance")
    }

    /// Whether a ledger with so many entries and accounts could have it.
    pub(super) fn is_sound(&self, entries: EntryNumber, accounts: usize) -> bool {
        let is_account = |place: u32| (place as usize) < accounts;
        !self.entry.is_none()
            && self.entry <= entries
            && is_account(self.account)
            && is_account(self.other)
            && self.account != self.other
            && self.refunded > Centavos::ZERO
            && self.left() >= Centavos::ZERO
    }
}
