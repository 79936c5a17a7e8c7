//! Why a database did not do what it was asked, and what that means.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::Path;

use crate::store::StoreError;
use crate::store::journal::{Unfit, suspect};

/// Why a database did not do what it was asked.
#[derive(Debug)]
pub(in crate::store) enum Trouble {
    /// It is not there, or not any more. What was asked last may have been done.
    Away(String),
    /// Another session holds the lock.
    Locked,
    /// It does not keep what is committed.
    Unsafe(String),
    /// It refuses, with this code: see appendix A of PostgreSQL's manual.
    Refused {
        /// Five characters.
        code: String,
        /// Its words.
        why: String,
    },
    /// What it answers is none of ours.
    Strange(String),
    /// What is written does not fit what is there.
    Unfit,
}

impl From<Unfit> for Trouble {
    fn from(_: Unfit) -> Self {
        Trouble::Unfit
    }
}

impl Display for Trouble {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Away(why) | Trouble::Unsafe(why) | Trouble::Strange(why) => out.write_str(why),
            Trouble::Locked => out.write_str("another session holds the lock"),
            Trouble::Refused { code, why } => write!(out, "{why} ({code})"),
            Trouble::Unfit => out.write_str("what is written does not fit what is there"),
        }
    }
}

/// What is said when the server, or the way to it, goes away: connection exceptions, shutdowns, too
/// many connections, and a server that has become a replica.
const AWAY: [&str; 4] = ["08", "57P", "53300", "25006"];
/// What means that a table is not what it was: corruption, and columns, tables and values that
/// ours are not.
const NOT_OURS: [&str; 4] = ["XX", "42", "22", "21"];
/// Not allowed; it begins as the others of its class do.
const NOT_ALLOWED: &str = "42501";
/// What a server says to whom it does not know, and we to one that we do not.
const NO_ENTRANCE: &str = "28000";

impl Trouble {
    /// Of an error, on a connection that has ended or not.
    pub(super) fn of(error: &tokio_postgres::Error, has_ended: bool) -> Self {
        match error.as_db_error() {
            Some(said) => {
                let (code, why) = (said.code().code().to_owned(), said.message().to_owned());
                match AWAY.iter().any(|away| code.starts_with(away)) {
                    true => Trouble::Away(format!("{why} ({code})")),
                    false => Trouble::Refused { code, why },
                }
            }
            None if is_a_stranger(error) => {
                Trouble::Refused { code: NO_ENTRANCE.to_owned(), why: in_full(error) }
            }
            None if has_ended || error.is_closed() => Trouble::Away(in_full(error)),
            None => Trouble::Strange(in_full(error)),
        }
    }

    /// What it means for whoever reads: a journal with a part that cannot be read is read as a
    /// whole at the next start of the bank whose folder this is.
    pub(super) fn when_reading(&self, path: &Path, folder: &Path) -> StoreError {
        match self {
            Trouble::Strange(why) => damaged(path, folder, why.clone()),
            Trouble::Refused { code, .. } if is_not_ours(code) => {
                damaged(path, folder, self.to_string())
            }
            _ => self.when_opening(path),
        }
    }

    /// What it means for the past and for sealed keys, which can be made or fetched again where
    /// they are damaged.
    pub(super) fn beside_the_journal(&self, path: &Path) -> StoreError {
        let (path, why) = (path.to_owned(), self.to_string());
        match self {
            Trouble::Strange(_) => StoreError::Damaged { path, why },
            Trouble::Refused { code, .. } if is_not_ours(code) => StoreError::Damaged { path, why },
            Trouble::Refused { .. } => StoreError::Failed { path, why },
            _ => self.when_opening(&path),
        }
    }

    /// What it means for whoever writes.
    pub(super) fn when_writing(&self, path: &Path, folder: &Path) -> StoreError {
        match self {
            Trouble::Away(_) | Trouble::Locked | Trouble::Unsafe(_) => self.when_opening(path),
            _ => {
                suspect(folder);
                StoreError::Failed { path: path.to_owned(), why: self.to_string() }
            }
        }
    }

    /// What it means that there is no session.
    pub(super) fn when_opening(&self, path: &Path) -> StoreError {
        let (path, why) = (path.to_owned(), self.to_string());
        match self {
            Trouble::Away(_) => StoreError::Away { path, why },
            Trouble::Locked => StoreError::DatabaseInUse { path },
            Trouble::Unsafe(_) => StoreError::Unsafe { path, why },
            Trouble::Refused { .. } | Trouble::Strange(_) | Trouble::Unfit => {
                StoreError::Refused { path, why }
            }
        }
    }
}

/// Whether it is a server whose certificate is not believed, which calling again does not change.
fn is_a_stranger(error: &tokio_postgres::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let inner = inner.and_then(|error| error.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::InvalidCertificate(_)) = inner {
            return true;
        }
        cause = error.source();
    }
    false
}

fn is_not_ours(code: &str) -> bool {
    code != NOT_ALLOWED && NOT_OURS.iter().any(|class| code.starts_with(class))
}

/// A part of the journal could not be read.
pub(super) fn damaged(path: &Path, folder: &Path, why: String) -> StoreError {
    suspect(folder);
    StoreError::Damaged { path: path.to_owned(), why }
}

/// An error with what caused it.
fn in_full(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let why = error.to_string();
        if !text.contains(&why) {
            text = format!("{text}: {why}");
        }
        cause = error.source();
    }
    text
}
