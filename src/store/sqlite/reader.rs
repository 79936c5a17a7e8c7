//! The connection for reading only, alongside the one that writes.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::reading_failed;
use super::tables::SqliteTables;
use crate::ids::{ChainHash, Position};
use crate::protocol::execution::JournalEntry;
use crate::protocol::snapshot::SnapshotPiece;
use crate::store::journal::{Contents, Head};
use crate::store::{JournalReader, StoreError};

/// Opens a file in WAL mode for reading only.
///
/// # Errors
/// [`StoreError::Open`] when the system refuses.
pub(in crate::store) fn for_reading(path: &Path) -> Result<Connection, StoreError> {
    let cannot =
        |error: rusqlite::Error| StoreError::Open { path: path.to_owned(), why: error.to_string() };
    // A reader in WAL mode writes its own marks into a file next to the log, so it needs more than
    // read access.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(cannot)?;
    connection.pragma_update(None, "query_only", true).map_err(cannot)?;
    Ok(connection)
}

/// A connection that reads. In WAL mode it sees the last commit from before its transaction began,
/// and nothing newer.
pub(super) struct SqliteReader {
    path: PathBuf,
    connection: Connection,
    /// The head as of the transaction that is open.
    head: Option<Head>,
}

impl SqliteReader {
    /// Opens a journal that a [`SqliteStore`](super::SqliteStore) of this process holds.
    ///
    /// # Errors
    /// [`StoreError::Open`] when the system refuses.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(SqliteReader { path: path.to_owned(), connection: for_reading(path)?, head: None })
    }

    fn read<R>(
        &self,
        read: impl FnOnce(Contents<'_, SqliteTables<'_>>) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        read(Contents { tables: &self.tables(), head: self.head() })
    }

    fn tables(&self) -> SqliteTables<'_> {
        SqliteTables { path: &self.path, db: &self.connection, packs: true }
    }

    fn head(&self) -> &Head {
        self.head.as_ref().expect("reads stand between begin and end")
    }
}

impl JournalReader for SqliteReader {
    fn begin(&mut self) -> Result<(), StoreError> {
        let read = || {
            self.connection.execute_batch("BEGIN")?;
            Head::read(&self.tables())
        };
        let head = read().map_err(|error| reading_failed(&self.path, &error))?;
        self.head = Some(head.map_err(|why| StoreError::Damaged { path: self.path.clone(), why })?);
        Ok(())
    }

    fn end(&mut self) -> Result<(), StoreError> {
        self.head = None;
        self.connection.execute_batch("COMMIT").map_err(|error| reading_failed(&self.path, &error))
    }

    fn executed_after(
        &mut self,
        after: Position,
        bytes: usize,
    ) -> Result<Vec<JournalEntry>, StoreError> {
        self.read(|contents| contents.executed_after(after, bytes))
    }

    fn hash_at(&mut self, position: Position) -> Result<Option<ChainHash>, StoreError> {
        self.read(|contents| contents.hash_at(position))
    }

    fn journal_starts_after(&mut self) -> Result<Position, StoreError> {
        Ok(self.head().starts_after.0)
    }

    fn settled(&mut self) -> Result<Position, StoreError> {
        Ok(self.head().settled_through())
    }

    fn snapshot_piece(&mut self, index: u32) -> Result<Option<SnapshotPiece>, StoreError> {
        self.read(|contents| contents.piece_of(contents.head.snapshot.as_ref(), index))
    }

    fn arriving_piece(&mut self, index: u32) -> Result<Option<SnapshotPiece>, StoreError> {
        self.read(|contents| contents.piece_of(contents.head.arriving.as_ref(), index))
    }
}
