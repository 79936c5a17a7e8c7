//! The embedded store: one SQLite file per node, in WAL mode, with an fsync for every commit.
//!
//! An event's key is its place in the file, so the journal is written and read in execution order.
//! Nothing that is read is believed without proof: events, pieces and the plan have digests, the
//! `head` has one too and says how many rows there must be, and the `tip` next to the file says how
//! many commits there were. What remains is a disk that loses the tip and the end of the
//! write-ahead log together: that looks like a crash that came earlier, and is noticed only when
//! another bank proves that events were executed with this one (see `lost_state` in
//! `protocol::view::plan`).
//!
//! One connection writes; others may read alongside it, each as of one commit, without waiting or
//! holding it up. A lock on the folder keeps out a second process.
//!
//! Here: opening, and what is asked of a [`Store`]. `schema` has the tables, `tables` the rows in
//! them, `reader` is the connection for reading only; what is written and what is believed is the
//! same for all engines (`journal`).

mod reader;
mod schema;
mod tables;

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};

use self::reader::SqliteReader;
pub(super) use self::reader::for_reading;
use self::schema::{APPLICATION_ID, SCHEMA_VERSION, SCHEMA_VERSION_1};
use self::tables::SqliteTables;
use super::folder::{check_here, lock, make_private};
use super::journal::{
    Basis, Contents, Head, SUSPECT_NAME, TIP_NAME, Tables, Tip, Writer, check_owner, check_tip,
    may_decide, read_plan, suspicion,
};
use super::{Change, Disk, Found, JournalReader, Owner, Remembered, Store, StoreError, shelf};
use crate::ids::{ChainHash, Position};
use crate::protocol::execution::JournalEntry;
use crate::protocol::snapshot::SnapshotPiece;
use crate::wire::PROTOCOL_VERSION;

/// SQLite up to 3.51.2 can lose a WAL reset (see its release notes for 3.51.3).
const SQLITE_VERSION_MIN: i32 = 3_051_003;
/// The smallest page, with which every database begins.
const SQLITE_HEADER_BYTES: u64 = 512;
/// Pages that gather in the WAL before they are moved into the file.
const CHECKPOINT_PAGES: i32 = 4_000;
/// Name of the file in the data folder.
pub(super) const FILE_NAME: &str = "journal.sqlite";
/// The files that belong to a journal.
pub(super) const FILE_NAMES: [&str; 5] =
    [SUSPECT_NAME, "journal.sqlite-shm", "journal.sqlite-wal", FILE_NAME, TIP_NAME];

/// The same without the tip, and those of the past and of sealed keys.
pub(super) const NAMES_BUT_TIP: [&str; 8] = [
    SUSPECT_NAME,
    shelf::FOLDER_NAME,
    "past.sqlite-shm",
    "past.sqlite-wal",
    "past.sqlite",
    "journal.sqlite-shm",
    "journal.sqlite-wal",
    FILE_NAME,
];

/// The SQLite store.
pub struct SqliteStore {
    folder: PathBuf,
    path: PathBuf,
    connection: Connection,
    tip: Tip,
    head: Head,
    /// Whether events and pieces are written packed.
    packs: bool,
    /// Whether an fsync had failed when the store was last used.
    was_in_doubt: bool,
    /// From what the ledger is rebuilt.
    basis: Basis,
    /// Held while the store is open.
    _lock: File,
}

/// Makes a journal in a folder of what another store holds, and proves it before it counts.
///
/// # Errors
/// [`StoreError`] of the side that fails; [`StoreError::Open`] if there is a journal already.
pub(super) fn receive<S: Tables>(folder: &Path, head: &Head, from: &S) -> Result<(), StoreError> {
    let path = folder.join(FILE_NAME);
    let cannot = |why: String| StoreError::Open { path: path.clone(), why };
    if path.exists() {
        return Err(cannot("there is one already".into()));
    }
    make_private(&path).map_err(|error| cannot(error.to_string()))?;
    let received = || {
        let connection = Connection::open(&path).map_err(|error| cannot(error.to_string()))?;
        let tip = Tip::in_folder(folder);
        let mut opening = Opening { path: path.clone(), connection, tip };
        opening.settle().map_err(|error| opening.failed(&error))?;
        schema::receive(&path, &mut opening.connection, head, from)
    };
    received().inspect_err(|_| {
        // Nobody has been told of it.
        NAMES_BUT_TIP[5..].iter().for_each(|name| _ = std::fs::remove_file(folder.join(name)));
    })
}

/// A file on its way to be a store.
struct Opening {
    path: PathBuf,
    connection: Connection,
    tip: Tip,
}

impl SqliteStore {
    /// Opens the journal in a data folder, making both at the first start.
    ///
    /// # Errors
    /// [`StoreError`] when the folder cannot be used, or the file is foreign, damaged, in use or
    /// another bank's.
    pub fn open(folder: &Path, owner: Owner) -> Result<Self, StoreError> {
        let path = folder.join(FILE_NAME);
        let cannot = |why: String| StoreError::Open { path: path.clone(), why };
        let lock = lock(folder)?;
        check_here(folder)?;
        let length = make_private(&path).map_err(|error| cannot(error.to_string()))?;
        let tip = Tip::in_folder(folder);
        // SQLite would start a new database in a file that is too short for its header.
        match tip.read() {
            Some(_) if length < SQLITE_HEADER_BYTES => {
                return Err(StoreError::Damaged { path, why: format!("it has {length} bytes") });
            }
            None if (1..SQLITE_HEADER_BYTES).contains(&length) => {
                return Err(StoreError::Foreign { path, why: format!("it has {length} bytes") });
            }
            _ => {}
        }
        let connection = Connection::open(&path).map_err(|error| cannot(error.to_string()))?;
        let mut opening = Opening { path, connection, tip };
        opening.settle().map_err(|error| opening.failed(&error))?;
        let head = opening.recognise(owner)?;
        let packs = schema::packs(&opening.connection).map_err(|error| opening.failed(&error))?;
        let Opening { path, connection, tip } = opening;
        let mut store = SqliteStore {
            folder: folder.to_owned(),
            path,
            connection,
            tip,
            head,
            packs,
            was_in_doubt: false,
            basis: Basis::Snapshot,
            _lock: lock,
        };
        store.end_doubt(owner)?;
        store.speak_this_protocol()?;
        Ok(store)
    }

    /// Hands over what is in it, to be carried elsewhere.
    pub(super) fn carry(
        &self,
        carry: impl FnOnce(&Head, &SqliteTables<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        carry(&self.head, &self.tables())
    }

    /// After an fsync that failed: everything that can be read is written once more, to a different
    /// place, and only then trusted; and the disk becomes a learner. A bank that is alone has
    /// nobody to learn from, and goes on as it is.
    fn end_doubt(&mut self, owner: Owner) -> Result<(), StoreError> {
        self.was_in_doubt = self.tip.read().is_some_and(|said| said.in_doubt);
        if !self.was_in_doubt {
            return Ok(());
        }
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        let busy: i64 = self
            .connection
            .query_row(sql, [], |row| row.get(0))
            .map_err(|error| self.write_failed(&error))?;
        assert_eq!(busy, 0, "nobody else reads the journal");
        let doubted: &[Change] = if owner.banks > 1 { &[Change::Doubted] } else { &[] };
        self.commit(|writer| writer.write(doubted))
    }

    fn speak_this_protocol(&mut self) -> Result<(), StoreError> {
        if self.head.protocol == PROTOCOL_VERSION {
            return self.remember_tip();
        }
        self.commit(|writer| {
            writer.head.protocol = PROTOCOL_VERSION;
            Ok(())
        })
    }

    /// One transaction, on disk when this returns.
    fn commit<'c>(
        &mut self,
        write: impl for<'a> FnOnce(&mut Writer<'c, 'a, SqliteTables<'a>>) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let mut head = self.head.clone();
        head.commits += 1;
        let written = (|| {
            let transaction = self.connection.transaction()?;
            let tables = SqliteTables { path: &self.path, db: &transaction, packs: self.packs };
            write(&mut Writer::new(&tables, &mut head))?;
            head.write(&tables)?;
            transaction.commit()
        })();
        written.map_err(|error: rusqlite::Error| self.write_failed(&error))?;
        self.head = head;
        self.remember_tip()
    }

    /// What a failed write means; an fsync that failed is marked for the next start.
    fn write_failed(&mut self, error: &rusqlite::Error) -> StoreError {
        let (path, why) = (self.path.clone(), error.to_string());
        if !is_unsynced(error) {
            return StoreError::Failed { path, why };
        }
        match self.tip.doubt(&self.head.disk, self.head.commits) {
            Ok(()) => StoreError::Unsynced { path, why },
            Err(also) => {
                StoreError::Unsynced { path, why: format!("{why}; the mark of it: {also}") }
            }
        }
    }

    /// The file is whole and understood: from here on it may be closed in SQLite's usual way. A
    /// file whose header is damaged may still turn out not to be writable.
    fn prove_writable(&mut self) -> Result<(), StoreError> {
        let mut head = self.head.clone();
        head.commits += 1;
        let written = (|| {
            let transaction = self.connection.transaction()?;
            head.write(&SqliteTables { path: &self.path, db: &transaction, packs: self.packs })?;
            transaction.commit()?;
            self.connection
                .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
                .map(|_| ())
        })();
        match written {
            Ok(()) => self.head = head,
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ReadOnly) => {
                return Err(self.damaged(error.to_string()));
            }
            Err(error) => return Err(self.write_failed(&error)),
        }
        self.remember_tip()
    }

    fn remember_tip(&mut self) -> Result<(), StoreError> {
        let Head { disk, commits, .. } = &self.head;
        self.tip.write(disk, *commits).map_err(|error| self.failed(error.to_string()))
    }

    fn tables(&self) -> SqliteTables<'_> {
        SqliteTables { path: &self.path, db: &self.connection, packs: self.packs }
    }

    fn reading_failed(&self, error: &rusqlite::Error) -> StoreError {
        reading_failed(&self.path, error)
    }

    fn damaged(&self, why: String) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), why }
    }

    fn failed(&self, why: String) -> StoreError {
        StoreError::Failed { path: self.path.clone(), why }
    }
}

impl Opening {
    /// Sets the options that durability depends on, and reads them back.
    fn settle(&self) -> rusqlite::Result<()> {
        assert!(
            rusqlite::version_number() >= SQLITE_VERSION_MIN,
            "SQLite {} has a WAL bug; build with the bundled one",
            rusqlite::version()
        );
        let db = &self.connection;
        // A damaged file must be left as it is, so no checkpoint on close; `load` ends this.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        db.pragma_update(None, "synchronous", "FULL")?;
        db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        let synchronous: i32 = db.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
        assert!(
            mode == "wal" && synchronous == 2,
            "SQLite keeps its commits: {mode}, {synchronous}"
        );
        // If somebody else holds the file, that comes out now rather than at the first write.
        db.execute_batch("BEGIN IMMEDIATE; COMMIT")
    }

    /// Whose file it is; a blank one becomes the owner's.
    fn recognise(&mut self, owner: Owner) -> Result<Head, StoreError> {
        let pragma = |name: &str| {
            self.connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0))
        };
        let marks = || {
            let tables = "SELECT count(*) FROM sqlite_schema";
            let tables: i64 = self.connection.query_row(tables, [], |row| row.get(0))?;
            // Even a file without tables has a first page once it has been opened.
            let blank = tables == 0 && pragma("page_count")? <= 1;
            Ok((pragma("application_id")?, pragma("user_version")?, blank))
        };
        let (application, version, blank) = marks().map_err(|error| self.failed(&error))?;
        let head = match (application == i64::from(APPLICATION_ID), version) {
            (false, 0) if blank => return self.found(owner),
            (true, version) if version == i64::from(SCHEMA_VERSION) => self.read_head()?,
            (true, version) if schema::is_without_signatures(version) => {
                let head = self.read_head()?;
                self.check(&head, owner)?;
                schema::make_room(&mut self.connection, head)
                    .map_err(|error| self.reading_failed(&error))?
            }
            (true, version) if version == i64::from(SCHEMA_VERSION_1) => {
                let head = schema::migrate(&mut self.connection);
                head.map_err(|error| self.reading_failed(&error))?
            }
            // A whole head of ours in a file whose marks are not: the marks are what is wrong.
            _ if self.read_head().is_ok() => Err(self.damaged("the marks of the file".into()))?,
            (true, version) => {
                let known = format!("{SCHEMA_VERSION_1} to {SCHEMA_VERSION}");
                return Err(self.foreign(format!("version {version}, this program knows {known}")));
            }
            _ => return Err(self.foreign("another program's database".into())),
        };
        self.check(&head, owner)?;
        Ok(head)
    }

    fn found(&mut self, owner: Owner) -> Result<Head, StoreError> {
        if let Some(said) = self.tip.read() {
            return Err(
                self.damaged(format!("the journal is gone; it had {} commits", said.commits))
            );
        }
        schema::found(&mut self.connection, owner.bank).map_err(|error| self.failed(&error))
    }

    fn read_head(&self) -> Result<Head, StoreError> {
        let read =
            || Ok((Head::read(&self.tables())?, schema::digest_of_tables(&self.connection)?));
        let (head, tables) = read().map_err(|error| self.reading_failed(&error))?;
        let head = head.map_err(|why| self.damaged(why))?;
        if head.tables == tables {
            Ok(head)
        } else {
            Err(self.damaged("the definitions of the tables".into()))
        }
    }

    fn check(&self, head: &Head, owner: Owner) -> Result<(), StoreError> {
        check_owner(&self.path, head, owner)?;
        check_tip(&self.path, head, &self.tip)
    }

    fn tables(&self) -> SqliteTables<'_> {
        SqliteTables { path: &self.path, db: &self.connection, packs: true }
    }

    fn failed(&self, error: &rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                StoreError::InUse { path: self.path.clone() }
            }
            Some(ErrorCode::NotADatabase) if self.tip.read().is_none() => {
                self.foreign(error.to_string())
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                self.damaged(error.to_string())
            }
            _ if is_cut_short(error) => self.damaged(error.to_string()),
            // A header that SQLite cannot make sense of, where a tip says that it once could.
            Some(ErrorCode::Unknown) if self.tip.read().is_some() => {
                self.damaged(error.to_string())
            }
            _ => StoreError::Open { path: self.path.clone(), why: error.to_string() },
        }
    }

    fn reading_failed(&self, error: &rusqlite::Error) -> StoreError {
        reading_failed(&self.path, error)
    }

    fn damaged(&self, why: String) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), why }
    }

    fn foreign(&self, why: String) -> StoreError {
        StoreError::Foreign { path: self.path.clone(), why }
    }
}

impl Store for SqliteStore {
    fn remembered(&mut self) -> Result<Remembered, StoreError> {
        let prepared =
            read_plan(&self.tables(), &self.head).map_err(|error| self.reading_failed(&error))?;
        let prepared = prepared.ok_or_else(|| self.damaged("the prepared view".into()))?;
        Ok(self.head.remembered(prepared))
    }

    fn load(
        &mut self,
        found: &mut dyn FnMut(Found) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let unread = self.basis.unread(&self.head, &self.folder);
        // The quick check leaves out whether an index has its table's rows. For the pieces of
        // snapshots, a row missing there would be noticed only at the first write, and again so
        // after every start; the walk below notices it for events. It reads the whole file.
        let mut checks = Vec::new();
        if self.basis != Basis::Journal {
            checks.push("PRAGMA integrity_check(pieces)");
        }
        if unread.is_none() {
            checks.push("PRAGMA integrity_check(events)");
            checks.push("PRAGMA quick_check(1)");
        }
        for check in checks {
            let sound: String = self
                .connection
                .query_row(check, [], |row| row.get(0))
                .map_err(|error| self.reading_failed(&error))?;
            if sound != "ok" {
                return Err(self.damaged(sound));
            }
        }
        let contents = Contents { tables: &self.tables(), head: &self.head };
        contents.load(self.basis, unread, found)?;
        self.prove_writable()?;
        if unread.is_none() {
            // Everything was read, and is whole.
            let _ = std::fs::remove_file(suspicion(&self.folder));
        }
        Ok(())
    }

    fn write(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        self.commit(|writer| writer.write(changes))
    }

    fn reader(&self) -> Result<Box<dyn JournalReader>, StoreError> {
        Ok(Box::new(SqliteReader::open(&self.path)?))
    }
}

impl Disk for SqliteStore {
    fn declare_rescue(&mut self) -> Result<bool, StoreError> {
        let prepared = self.remembered()?.prepared;
        if !may_decide(&self.head, &prepared) {
            return Ok(false);
        }
        self.commit(|writer| writer.declare_rescue())?;
        Ok(true)
    }

    fn shrink(&mut self) -> Result<(), StoreError> {
        self.commit(|writer| writer.drop_old_pieces())?;
        self.connection
            .execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")
            .map_err(|error| self.write_failed(&error))
    }

    fn was_in_doubt(&self) -> bool {
        self.was_in_doubt
    }

    fn use_whole_journal(&mut self) -> bool {
        self.basis.use_whole_journal(&self.head)
    }

    fn abandon_snapshot(&mut self) -> Result<(), StoreError> {
        self.commit(|writer| writer.abandon_snapshot())
    }
}

impl JournalReader for SqliteStore {
    fn begin(&mut self) -> Result<(), StoreError> {
        // Nobody else writes, and this process does nothing meanwhile.
        Ok(())
    }

    fn end(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn executed_after(
        &mut self,
        after: Position,
        bytes: usize,
    ) -> Result<Vec<JournalEntry>, StoreError> {
        Contents { tables: &self.tables(), head: &self.head }.executed_after(after, bytes)
    }

    fn hash_at(&mut self, position: Position) -> Result<Option<ChainHash>, StoreError> {
        Contents { tables: &self.tables(), head: &self.head }.hash_at(position)
    }

    fn journal_starts_after(&mut self) -> Result<Position, StoreError> {
        Ok(self.head.starts_after.0)
    }

    fn settled(&mut self) -> Result<Position, StoreError> {
        Ok(self.head.settled_through())
    }

    fn snapshot_piece(&mut self, index: u32) -> Result<Option<SnapshotPiece>, StoreError> {
        Contents { tables: &self.tables(), head: &self.head }
            .piece_of(self.head.snapshot.as_ref(), index)
    }

    fn arriving_piece(&mut self, index: u32) -> Result<Option<SnapshotPiece>, StoreError> {
        Contents { tables: &self.tables(), head: &self.head }
            .piece_of(self.head.arriving.as_ref(), index)
    }
}

pub(super) fn reading_failed(path: &Path, error: &rusqlite::Error) -> StoreError {
    let (path, why) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        _ if is_cut_short(error) => StoreError::Damaged { path, why },
        // The system refuses; that says nothing about what is in the file.
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::PermissionDenied)
        | Some(ErrorCode::OutOfMemory | ErrorCode::DiskFull) => StoreError::Open { path, why },
        _ => StoreError::Damaged { path, why },
    }
}

/// Whether a write failed in such a way that pages that were not written may count as written. A
/// write that fails earlier, for lack of space or because the disk refuses, is rolled back, and
/// everything that was synced before is still there.
fn is_unsynced(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_FSYNC};
    let code = error.sqlite_error().map(|error| error.extended_code);
    code.is_some_and(|code| [SQLITE_IOERR_FSYNC, SQLITE_IOERR_DIR_FSYNC].contains(&code))
}

/// Whether the file ends before something that should be in it: SQLite reports that as an I/O
/// error.
fn is_cut_short(error: &rusqlite::Error) -> bool {
    error
        .sqlite_error()
        .is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHORT_READ)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sync_that_failed_puts_the_disk_in_doubt() {
        use rusqlite::ffi;
        let failure = |code| rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        for code in [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_DIR_FSYNC] {
            assert!(is_unsynced(&failure(code)));
        }
        for code in [
            ffi::SQLITE_FULL,
            ffi::SQLITE_IOERR_WRITE,
            ffi::SQLITE_IOERR_READ,
            ffi::SQLITE_READONLY,
        ] {
            assert!(
                !is_unsynced(&failure(code)),
                "a full disk at most banks must not leave the consortium without voters"
            );
        }
    }
}
