//! An account is closed by those who hold it: by all of them, once nothing is in it.
//!
//! It stays in the ledger with its number, which nobody gets again, and its statement, which its
//! holders go on reading. Its keys are free, and nobody can pay to it any more.

use serde::{Deserialize, Serialize};

use super::account_number::AccountNumber;
use super::customer::UserName;
use crate::ids::BankId;

/// What a holder wants of the end of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    /// Where the account is.
    pub bank: BankId,
    /// Its number.
    pub account: AccountNumber,
    /// Whether it is to be closed; else nobody agrees any more to its being closed.
    pub close: bool,
}

/// How far the end of an account has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// These holders agree to it, and others do not yet.
    Agreed(Vec<UserName>),
    /// It was closed on this date, in Unix milliseconds.
    Closed(i64),
}
