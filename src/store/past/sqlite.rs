//! The past in a SQLite file of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};

use super::table::{BlockChange, BlockRow, BlockTable, Opener, PastPlace};
use crate::ids::Sha256Digest;
use crate::ledger::past::EntryNumber;
use crate::store::StoreError;
use crate::store::aside::put_aside;
use crate::store::folder::make_private;
use crate::store::sqlite::{for_reading, reading_failed};

/// Name of the file in the data folder.
pub(super) const FILE_NAME: &str = "past.sqlite";
/// The files that belong to it.
const FILE_NAMES: [&str; 3] = ["past.sqlite-shm", "past.sqlite-wal", FILE_NAME];
/// Marks a file as ours ("NtBp").
const APPLICATION_ID: i32 = 0x4e74_4270;
/// Layout of the tables.
pub(super) const SCHEMA_VERSION: i32 = 2;
/// The same tables, in which no block is packed.
pub(super) const SCHEMA_VERSION_1: i32 = 1;

const TABLES: &str = "
CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), content TEXT NOT NULL, digest BLOB NOT NULL) STRICT;
CREATE TABLE blocks (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, content BLOB NOT NULL, digest BLOB NOT NULL
) STRICT;
";

const SELECT: &str =
    "SELECT first, last, content, digest FROM blocks WHERE first <= ?1 ORDER BY first DESC LIMIT 1";

/// A data folder that this process has locked.
pub(in crate::store) struct SqlitePlace {
    folder: PathBuf,
}

impl SqlitePlace {
    pub(in crate::store) fn new(folder: &Path) -> Self {
        SqlitePlace { folder: folder.to_owned() }
    }
}

impl PastPlace for SqlitePlace {
    fn open(&self) -> Result<Box<dyn BlockTable>, StoreError> {
        Ok(Box::new(SqliteBlocks::open(&self.folder)?))
    }

    fn put_aside(&self) -> Result<PathBuf, StoreError> {
        put_aside(&self.folder, &FILE_NAMES)
    }
}

/// The file, through one connection.
struct SqliteBlocks {
    path: PathBuf,
    connection: Connection,
}

impl SqliteBlocks {
    /// Opens the file in a data folder for writing, making it if it is not there.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be opened or is damaged.
    fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE_NAME);
        let cannot = |why: String| StoreError::Open { path: path.clone(), why };
        make_private(&path).map_err(|error| cannot(error.to_string()))?;
        let connection = Connection::open(&path).map_err(|error| cannot(error.to_string()))?;
        settle(&path, &connection)?;
        Ok(SqliteBlocks { path, connection })
    }

    /// Opens the file that a writer of this process holds.
    fn for_reading(path: &Path) -> Result<Self, StoreError> {
        Ok(SqliteBlocks { path: path.to_owned(), connection: for_reading(path)? })
    }

    fn write_all(&mut self, change: &BlockChange) -> rusqlite::Result<()> {
        let synchronous = if change.sync { "FULL" } else { "NORMAL" };
        self.connection.pragma_update(None, "synchronous", synchronous)?;
        let transaction = self.connection.transaction()?;
        if let Some(gone) = &change.gone {
            let bounds = [*gone.start(), *gone.end()].map(|number| sql(EntryNumber(number)));
            transaction
                .prepare_cached("DELETE FROM blocks WHERE first >= ?1 AND first <= ?2")?
                .execute(bounds)?;
        }
        for row in &change.rows {
            let BlockRow { first, last, stored, digest } = row;
            transaction
                .prepare_cached("INSERT OR REPLACE INTO blocks VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![sql(*first), sql(*last), stored, &digest.0[..]])?;
        }
        transaction
            .prepare_cached("INSERT OR REPLACE INTO head VALUES (1, ?1, ?2)")?
            .execute(params![change.head, &change.head_digest.0[..]])?;
        transaction.commit()
    }
}

impl BlockTable for SqliteBlocks {
    fn read_head(&mut self) -> Result<Option<(String, Vec<u8>)>, StoreError> {
        let sql = "SELECT content, digest FROM head WHERE one = 1";
        let columns = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let read = self.connection.query_row(sql, [], columns).optional();
        read.map_err(|error| reading_failed(&self.path, &error))
    }

    fn has_blocks(&mut self) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM blocks)";
        let read = self.connection.query_row(sql, [], |row| row.get(0));
        read.map_err(|error| reading_failed(&self.path, &error))
    }

    fn find(&mut self, number: EntryNumber) -> Result<Option<BlockRow>, StoreError> {
        let columns = |row: &Row<'_>| {
            let number =
                |column| row.get::<_, i64>(column).map(|of| EntryNumber(of.unsigned_abs()));
            let (first, last, stored) = (number(0)?, number(1)?, row.get(2)?);
            Ok(BlockRow { first, last, stored, digest: Sha256Digest(row.get(3)?) })
        };
        let read =
            || self.connection.prepare_cached(SELECT)?.query_row([sql(number)], columns).optional();
        read().map_err(|error| reading_failed(&self.path, &error))
    }

    /// A write that fails because of what is in the file is not the disk's failure.
    fn write(&mut self, change: &BlockChange) -> Result<(), StoreError> {
        self.write_all(change).map_err(|error| {
            let (path, why) = (self.path.clone(), error.to_string());
            match error.sqlite_error_code() {
                Some(
                    ErrorCode::SystemIoFailure
                    | ErrorCode::DiskFull
                    | ErrorCode::CannotOpen
                    | ErrorCode::PermissionDenied
                    | ErrorCode::OutOfMemory
                    | ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked,
                ) => StoreError::Failed { path, why },
                _ => StoreError::Damaged { path, why },
            }
        })
    }

    /// The file is made anew with what is in it, which needs room for both.
    fn give_back(&mut self) -> Result<(), StoreError> {
        let made_anew = self.connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);");
        made_anew
            .map_err(|error| StoreError::Failed { path: self.path.clone(), why: error.to_string() })
    }

    fn opener(&self) -> Opener {
        let path = self.path.clone();
        Arc::new(move || Ok(Box::new(SqliteBlocks::for_reading(&path)?)))
    }

    fn of_another(&self, found: String, wanted: String) -> StoreError {
        StoreError::OtherBank { path: self.path.clone(), found, wanted }
    }

    fn damaged(&self, why: String) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), why }
    }
}

fn sql(number: EntryNumber) -> i64 {
    i64::try_from(number.0).unwrap_or(i64::MAX)
}

/// Sets the options, and makes the tables in a blank file.
fn settle(path: &Path, db: &Connection) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| reading_failed(path, &error);
    let damaged = |why: &str| StoreError::Damaged { path: path.to_owned(), why: why.to_owned() };
    db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0)).map_err(failed)?;
    db.pragma_update(None, "synchronous", "NORMAL").map_err(failed)?;
    let pragma =
        |name: &str| db.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i32>(0));
    let tables: i64 =
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    let marks =
        (pragma("application_id").map_err(failed)?, pragma("user_version").map_err(failed)?);
    match (tables, marks) {
        (0, (0, 0)) => {
            let make = || {
                db.execute_batch(&format!("BEGIN; {TABLES}"))?;
                db.pragma_update(None, "application_id", APPLICATION_ID)?;
                db.pragma_update(None, "user_version", SCHEMA_VERSION)?;
                db.execute_batch("COMMIT")
            };
            make().map_err(failed)
        }
        (_, (APPLICATION_ID, SCHEMA_VERSION)) => Ok(()),
        (_, (APPLICATION_ID, SCHEMA_VERSION_1)) => {
            db.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(failed)
        }
        _ => Err(damaged("the marks of the file")),
    }
}
