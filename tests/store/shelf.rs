//! Every place where a bank may keep its journal, for tests of what must hold in all of them.

use netbanking::store::{Database, Disk, Owner, PgStore, SqliteStore, StoreError};
use tempfile::TempDir;

use super::OWNER;
use crate::processes::postgres;

/// How a journal is kept, and what has been kept so far.
pub(crate) struct Shelf {
    pub(crate) folder: TempDir,
    /// The URL of the database, if there is one.
    pub(crate) url: Option<String>,
}

/// Does something with every kind of store, each of them empty.
pub(crate) fn everywhere(test: impl Fn(&Shelf)) {
    println!("in files");
    test(&Shelf::of_files());
    println!("in PostgreSQL");
    test(&Shelf::in_database());
}

impl Shelf {
    pub(crate) fn of_files() -> Shelf {
        Shelf { folder: tempfile::tempdir().unwrap(), url: None }
    }

    pub(crate) fn in_database() -> Shelf {
        let url = Some(postgres::shared().make_database());
        Shelf { folder: tempfile::tempdir().unwrap(), url }
    }

    /// An empty one of the same kind.
    pub(crate) fn another(&self) -> Shelf {
        if self.url.is_some() { Shelf::in_database() } else { Shelf::of_files() }
    }

    pub(crate) fn database(&self) -> Option<Database> {
        self.url.as_deref().map(postgres::database)
    }

    pub(crate) fn open(&self) -> Box<dyn Disk> {
        self.try_open(OWNER).unwrap()
    }

    pub(crate) fn try_open(&self, owner: Owner) -> Result<Box<dyn Disk>, StoreError> {
        Ok(match self.database() {
            Some(database) => Box::new(PgStore::open(self.folder.path(), &database, owner)?),
            None => Box::new(SqliteStore::open(self.folder.path(), owner)?),
        })
    }

    /// Changes a journal behind the store's back, in SQLite's words.
    pub(crate) fn meddle(&self, sql: &str) {
        let Some(url) = &self.url else { return super::meddle(self.folder.path(), sql) };
        let sql = sql
            .replace(
                super::OTHER_BODY,
                "UPDATE events SET body = overlay(body placing '\\xbf' from 31)",
            )
            .replace("zeroblob(32)", "decode(repeat('00', 32), 'hex')");
        let schema = format!("SET search_path TO netbanking_{}", OWNER.bank);
        let changed = postgres::ask(url, &format!("{schema}; {sql}")).unwrap();
        assert!(changed > 0, "{sql}");
    }
}
