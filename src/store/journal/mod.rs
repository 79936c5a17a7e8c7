//! What a journal is, whichever engine keeps its rows: what a change writes, what must be true of
//! what is read, and how it is noticed that something is not.
//!
//! An engine puts rows into tables and finds them again ([`Tables`]). It decides nothing and proves
//! nothing: the `head` says how many rows there must be and what their digests add up to, the `tip`
//! in the data folder says how many commits there were, and both are the same for all engines.

mod basis;
mod contents;
mod digest;
mod head;
mod recognise;
mod rows;
mod tables;
mod tip;
mod writer;

pub(in crate::store) use self::basis::{Basis, SUSPECT_NAME, suspect, suspicion};
pub(in crate::store) use self::contents::Contents;
pub(in crate::store) use self::digest::{RowDigest, sha256};
pub(in crate::store) use self::head::{Beginning, Head, Seal};
pub(in crate::store) use self::recognise::{check_owner, check_tip, may_decide};
pub(crate) use self::rows::read_record;
pub(in crate::store) use self::rows::{
    EventRow, NewEvent, columns_between, key_columns, key_of_columns, mark_digest, to_sql,
};
pub(in crate::store) use self::tables::{Tables, Unfit};
pub(in crate::store) use self::tip::{FILE_NAME as TIP_NAME, Tip};
pub(in crate::store) use self::writer::{Writer, read_plan, write_plan};
