//! Joint accounts that wait for their holders: nobody holds an account without having said so.
//!
//! Until all have accepted there is no account: it cannot be paid, pays nobody and has no entries.
//! Its number and its key are kept for it. The key is made of what belongs to the opener, so nobody
//! else misses it, and not for long: a request ends when one of its holders declines, when its
//! opener withdraws it, or after [`JOINT_WAITS_MS`].

use serde::{Deserialize, Serialize};

use super::account::AccountNumber;
use super::customer::UserName;
use super::money::Amount;
use super::pix::PixKey;
use crate::ids::BankId;

/// How long an account waits for its holders, in milliseconds of the ledger's age: a week, or
/// longer where little happens.
pub(crate) const JOINT_WAITS_MS: i64 = 7 * 24 * 60 * 60 * 1_000;
/// How many joint accounts of one opener may be waiting.
pub(crate) const JOINT_WAITING_MAX: usize = 10;

/// A joint account that is not open yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JointRequest {
    /// Where it is going to be.
    pub bank: BankId,
    /// The number that it is going to have.
    pub number: AccountNumber,
    /// The key that it is going to have.
    pub key: PixKey,
    /// Who is going to hold it, the opener first.
    pub holders: Vec<UserName>,
    /// Of each holder, whether they have accepted; the opener has.
    pub accepted: Vec<bool>,
    /// The first money.
    pub value_init: Amount,
    /// When it was asked for: ledger time, in Unix milliseconds.
    pub at_ms: i64,
    /// The ledger's age at which it ends, in milliseconds.
    pub ends_age_ms: i64,
}

impl JointRequest {
    /// Who wants to open the account.
    #[must_use]
    pub(crate) fn opener(&self) -> &UserName {
        self.holders.first().expect("who opens an account is going to hold it")
    }

    /// The holders who have not accepted yet.
    pub(crate) fn waiting_for(&self) -> impl Iterator<Item = &UserName> {
        let pending = self.holders.iter().zip(&self.accepted).filter(|(_, accepted)| !**accepted);
        pending.map(|(holder, _)| holder)
    }

    /// Whether this customer is asked and has not answered yet.
    #[must_use]
    pub(crate) fn waits_for(&self, user_name: &UserName) -> bool {
        self.waiting_for().any(|holder| holder == user_name)
    }

    /// Whether a ledger could have it.
    pub(super) fn is_sound(&self) -> bool {
        self.holders.len() > 1
            && self.accepted.len() == self.holders.len()
            && self.accepted[0]
            && self.accepted.contains(&false)
    }
}
