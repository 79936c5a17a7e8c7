//! The session for reading only, alongside the one that writes.

use std::path::PathBuf;
use std::time::Duration;

use super::address::Shelf;
use super::session::{Purpose, Session};
use super::tables::PgTables;
use super::trouble::Trouble;
use crate::ids::{ChainHash, Position};
use crate::protocol::execution::JournalEntry;
use crate::protocol::snapshot::SnapshotPiece;
use crate::store::journal::{Contents, Head};
use crate::store::{JournalReader, StoreError};

/// A session that reads, each time as of one commit.
pub(super) struct PgReader {
    shelf: Shelf,
    folder: PathBuf,
    /// For how long a database that is away is called.
    patience: Duration,
    session: Option<Session>,
    /// The head as of the transaction that is open.
    head: Option<Head>,
}

impl PgReader {
    /// A reader that calls when it is first asked.
    pub(super) fn new(shelf: Shelf, folder: PathBuf, patience: Duration) -> Self {
        PgReader { shelf, folder, patience, session: None, head: None }
    }

    /// Begins, with the session that is there or with a new one.
    fn try_to_begin(&mut self) -> Result<Result<Head, String>, Trouble> {
        let session = match self.session.take() {
            Some(session) => session,
            None => Session::open(&self.shelf, Purpose::Read, None, self.patience)?,
        };
        session.execute_batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        let session = self.session.insert(session);
        Head::read(&PgTables { session, shelf: &self.shelf, folder: &self.folder })
    }

    fn read<R>(
        &mut self,
        read: impl FnOnce(Contents<'_, PgTables<'_>>) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let (Some(session), Some(head)) = (&self.session, &self.head) else {
            return Err(
                Trouble::Away("the connection was lost".into()).when_opening(&self.shelf.path())
            );
        };
        let tables = PgTables { session, shelf: &self.shelf, folder: &self.folder };
        let found = read(Contents { tables: &tables, head });
        if found.is_err() {
            self.session = None;
        }
        found
    }

    fn head(&self) -> &Head {
        self.head.as_ref().expect("reads stand between begin and end")
    }
}

impl JournalReader for PgReader {
    fn begin(&mut self) -> Result<(), StoreError> {
        let begun = match self.try_to_begin() {
            // The session may have ended since it was last used.
            Err(Trouble::Away(_)) => {
                self.session = None;
                self.try_to_begin()
            }
            begun => begun,
        };
        let (path, folder) = (self.shelf.path(), &self.folder);
        let head = begun.map_err(|trouble| trouble.when_reading(&path, folder))?;
        self.head = Some(head.map_err(|why| super::trouble::damaged(&path, folder, why))?);
        Ok(())
    }

    fn end(&mut self) -> Result<(), StoreError> {
        self.head = None;
        // What was read is here; if the session has ended meanwhile, the next one begins anew.
        self.session =
            self.session.take().filter(|session| session.execute_batch("COMMIT").is_ok());
        Ok(())
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
