//! Where a bank keeps what outlives a crash: in its own folder, or in a database and, of what must
//! not be lost together with that, in its own folder.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::aside::put_aside;
use super::folder::lock;
use super::past::{PastPlace, SqlitePlace};
use super::postgres::{Database, PgPlace, PgShelf, PgStore, put_journal_aside};
use super::shelf::{FolderShelf, Shelf, fetch_from_folder};
use super::sqlite::FILE_NAMES;
use super::{Disk, Owner, SqliteStore, StoreError};
use crate::ids::BankId;

/// A bank's folder, and the database that takes the place of the files in it, if there is one.
#[derive(Clone, Debug)]
pub struct Place {
    folder: PathBuf,
    database: Option<Database>,
}

impl From<&Path> for Place {
    fn from(folder: &Path) -> Self {
        Place { folder: folder.to_owned(), database: None }
    }
}

impl From<&PathBuf> for Place {
    fn from(folder: &PathBuf) -> Self {
        folder.as_path().into()
    }
}

impl Display for Place {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match &self.database {
            Some(database) => write!(out, "{database}"),
            None => write!(out, "{}", self.folder.display()),
        }
    }
}

impl Place {
    /// A folder, and perhaps a database besides.
    #[must_use]
    pub fn new(folder: &Path, database: Option<Database>) -> Self {
        Place { folder: folder.to_owned(), database }
    }

    /// The bank's own folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The database, if there is one.
    #[must_use]
    pub fn database(&self) -> Option<&Database> {
        self.database.as_ref()
    }

    /// Opens the journal.
    pub(super) fn open(&self, owner: Owner) -> Result<Box<dyn Disk>, StoreError> {
        Ok(match &self.database {
            Some(database) => Box::new(PgStore::open(&self.folder, database, owner)?),
            None => Box::new(SqliteStore::open(&self.folder, owner)?),
        })
    }

    /// Puts a damaged journal where nobody mistakes it for a whole one; says where. The tip goes
    /// last: as long as it is here, a journal that is half moved is known to be damaged.
    pub(super) fn put_aside(&self, owner: Owner) -> Result<PathBuf, StoreError> {
        if let Some(database) = &self.database {
            return put_journal_aside(&self.folder, database, owner);
        }
        let _lock = lock(&self.folder)?;
        put_aside(&self.folder, &FILE_NAMES)
    }

    /// Where a bank's sealed keys are. Those that an earlier release kept in the folder are taken
    /// into the database, if there is one; the caller has locked the folder.
    ///
    /// # Errors
    /// [`StoreError`] when folder or database cannot be used.
    pub fn shelf(&self, bank: BankId) -> Result<Arc<dyn Shelf>, StoreError> {
        Ok(match &self.database {
            Some(database) => {
                let shelf = PgShelf::open(database, bank)?;
                fetch_from_folder(&self.folder, &shelf)?;
                Arc::new(shelf)
            }
            None => Arc::new(FolderShelf::open(&self.folder)?),
        })
    }

    /// Where the past is.
    pub(super) fn of_the_past(&self, bank: BankId) -> Box<dyn PastPlace> {
        match &self.database {
            Some(database) => Box::new(PgPlace::new(database, bank)),
            None => Box::new(SqlitePlace::new(&self.folder)),
        }
    }
}
