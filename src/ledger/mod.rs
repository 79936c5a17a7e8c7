//! The ledger: every bank's copy of all customers, accounts and statements. Pure code: no disk, no
//! clock, no randomness, no floating point, nothing that depends on a hash map's order.
//!
//! ```text
//!   RawRequest ──parse──▶ Request ──decide──▶ Change ──write──▶ Book ──▶ reads
//!   (from the protocol)      │          │                         │
//!                            │          └─ Refusal                └─ position, chained hash
//!                            └─ malformed: refused too
//! ```
//!
//! - [`money`], [`customer`], [`password_hash`], [`account`], [`account_number`], [`pix`],
//!   [`note`], [`new_account`], [`keys`], [`limits`], [`package`], [`refund`], [`schedule`],
//!   [`request`]: what can be asked for, in newtypes that can be made only by their `parse`;
//!   [`scheduled`]: Pix of days to come; [`closing`]: the end of an account; [`profile`]: what
//!   customers call things.
//! - [`typed`]: documents and keys as people type them, before they have their one spelling.
//! - [`statement`], [`calendar`]: the entries of an account; [`counterparty`]: who is on the other
//!   side of one; [`past`]: where they are found.
//! - [`outcome`]: the result of a request; the texts that customers read.
//! - [`book`]: the replicated state machine. [`Book::apply`] takes requests in the common order;
//!   the same requests in the same order give the same book, answers and hash at every bank.
//!
//! A refusal is an outcome like any other: it has a position and is part of the chain.

#![deny(clippy::float_arithmetic)] // Money is counted in whole centavos.

/// Version of the rules and texts: what a request comes to, and how it is hashed. Raise it whenever
/// a change gives any request another outcome, text or hash; banks with different versions refuse
/// each other and say why.
pub(crate) const RULES_VERSION: u32 = 4;

pub mod account;
pub(crate) mod account_number;
pub mod book;
pub mod calendar;
pub(crate) mod closing;
pub(crate) mod counterparty;
pub(crate) mod customer;
mod entry_number;
pub(crate) mod joint;
pub(crate) mod keys;
pub(crate) mod limits;
mod look;
pub mod money;
pub(crate) mod new_account;
pub(crate) mod note;
pub(crate) mod outcome;
pub(crate) mod package;
mod password_hash;
pub mod past;
pub(crate) mod pix;
pub(crate) mod profile;
pub(crate) mod refund;
pub mod request;
pub(crate) mod schedule;
pub(crate) mod scheduled;
pub(crate) mod statement;
pub(crate) mod typed;

pub(crate) use account::Account;
pub use account::{AccountNumber, TypeAccount};
pub use book::{Book, Circumstances};
pub use closing::Closing;
pub(crate) use counterparty::Counterparty;
pub use customer::{Customer, Document, PersonName, TypePerson, UserName};
pub use keys::{KeyChange, NewKey};
pub use limits::{Limit, LimitsChange, PartOfDay, Wish};
pub use money::{Amount, Centavos, Reais};
pub(crate) use new_account::NewAccount;
pub use note::{Message, Note, Txid};
pub(crate) use outcome::Refusal;
pub use outcome::{Done, Executed, Outcome};
pub use package::{Operation, OperationKind, Package};
pub use password_hash::PasswordHash;
pub use pix::{PixKey, PixType};
pub use profile::{Nickname, ProfileChange};
pub use refund::{Original, Refund};
pub use request::{
    Action, IdempotencyKey, JointAnswer, Opening, PasswordChange, Registration, Request,
};
pub use schedule::{Day, Due, Every, Planned, ScheduleChange};
pub(crate) use statement::EntryKind;
pub use statement::{Details, Entry, RefundOf};
pub(crate) use typed::TypedKey;
