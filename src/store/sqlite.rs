//! The embedded store: one SQLite file per node, in WAL mode, with an fsync for every commit.
//!
//! An event's key is its place in the file, so the journal is written and read in execution order. Bodies carry a
//! digest of their own: what is executed is covered by the hash chain too, what is only held is not.

use std::fs::OpenOptions;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, Transaction, params};
use sha2::{Digest, Sha256};

use super::{Change, Found, Owner, PIECE_BYTES_MAX, PIECE_EVENTS_MAX, Remembered, Store, StoreError};
use crate::protocol::effect::{ExecutedMark, JournalEntry};
use crate::protocol::event::{Event, Held};
use crate::protocol::ids::{Ballot, BankId, BankSet, ChainHash, Position};
use crate::protocol::order_key::OrderKey;
use crate::protocol::snapshot::SnapshotPiece;

/// Marks a file as ours ("NtBk").
const APPLICATION_ID: i32 = 0x4e74_426b;
/// Layout of the tables below.
const SCHEMA_VERSION: i32 = 1;
/// SQLite up to 3.51.2 can lose a WAL reset (see its release notes for 3.51.3).
const SQLITE_VERSION_MIN: i32 = 3_051_003;
/// Pages that gather in the WAL before they are moved into the file.
const CHECKPOINT_PAGES: i32 = 4_000;
/// Name of the file in the data folder.
const FILE_NAME: &str = "journal.sqlite";

const SCHEMA: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT;
CREATE TABLE events (
    round INTEGER NOT NULL, coordinator INTEGER NOT NULL, sum INTEGER NOT NULL, sender INTEGER NOT NULL,
    members TEXT NOT NULL, body TEXT NOT NULL, digest BLOB NOT NULL,
    PRIMARY KEY (round, coordinator, sum, sender)
) WITHOUT ROWID, STRICT;
CREATE TABLE executed (
    position INTEGER PRIMARY KEY,
    round INTEGER NOT NULL, coordinator INTEGER NOT NULL, sum INTEGER NOT NULL, sender INTEGER NOT NULL,
    hash BLOB NOT NULL,
    UNIQUE (round, coordinator, sum, sender)
) STRICT;
";

const SELECT_EXECUTED: &str = "
SELECT e.round, e.coordinator, e.sum, e.sender, e.members, e.body, e.digest, x.position, x.hash
FROM executed x JOIN events e USING (round, coordinator, sum, sender)
WHERE x.position > ?1 ORDER BY x.position";

const SELECT_HELD: &str = "
SELECT e.round, e.coordinator, e.sum, e.sender, e.members, e.body, e.digest
FROM events e LEFT JOIN executed x USING (round, coordinator, sum, sender)
WHERE x.position IS NULL ORDER BY e.round, e.coordinator, e.sum, e.sender";

/// The SQLite store.
pub struct SqliteStore {
    path: PathBuf,
    connection: Connection,
}

impl SqliteStore {
    /// Opens the journal in a data folder, making both at the first start.
    ///
    /// # Errors
    /// [`StoreError`] when the folder cannot be used, or the file is foreign, damaged, in use or another bank's.
    pub fn open(folder: &Path, owner: Owner) -> Result<Self, StoreError> {
        let path = folder.join(FILE_NAME);
        let cannot = |why: String| StoreError::Open { path: path.clone(), why };
        make_private(folder, &path).map_err(|error| cannot(error.to_string()))?;
        let connection = Connection::open(&path).map_err(|error| cannot(error.to_string()))?;
        let mut store = SqliteStore { path, connection };
        store.settle().map_err(|error| store.opening_failed(&error))?;
        store.recognise(owner)?;
        Ok(store)
    }

    /// Sets what durability rests on, and reads it back.
    fn settle(&self) -> rusqlite::Result<()> {
        assert!(
            rusqlite::version_number() >= SQLITE_VERSION_MIN,
            "SQLite {} has a WAL bug; build with the bundled one",
            rusqlite::version()
        );
        let db = &self.connection;
        db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        db.pragma_update(None, "synchronous", "FULL")?;
        db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        let synchronous: i32 = db.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
        assert!(mode == "wal" && synchronous == 2, "SQLite keeps its commits: {mode}, {synchronous}");
        // Takes the lock now rather than at the first write.
        db.execute_batch("BEGIN IMMEDIATE; COMMIT")
    }

    fn recognise(&mut self, owner: Owner) -> Result<(), StoreError> {
        let pragma = |name: &str| self.connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i32>(0));
        let marks = (|| Ok((pragma("application_id")?, pragma("user_version")?, self.is_blank()?)))();
        match marks.map_err(|error| self.opening_failed(&error))? {
            (_, _, true) => self.found(owner).map_err(|error| self.opening_failed(&error)),
            (APPLICATION_ID, SCHEMA_VERSION, _) => self.check_owner(owner),
            (APPLICATION_ID, version, _) => {
                Err(self.foreign(format!("version {version}, this program knows {SCHEMA_VERSION}")))
            }
            _ => Err(self.foreign("another program's database".into())),
        }
    }

    fn is_blank(&self) -> rusqlite::Result<bool> {
        self.connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
    }

    fn found(&mut self, owner: Owner) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        set_meta(&transaction, "bank", &owner.bank.to_string())?;
        set_meta(&transaction, "banks", &owner.banks.to_string())?;
        transaction.commit()
    }

    fn check_owner(&mut self, owner: Owner) -> Result<(), StoreError> {
        let read = |key| self.meta(key).map_err(|error| self.reading_failed(&error));
        let (bank, banks) = (read("bank")?.unwrap_or_default(), read("banks")?.unwrap_or_default());
        let fewer_now = banks.parse().is_ok_and(|before: usize| before > owner.banks);
        if bank == owner.bank.to_string() && !fewer_now {
            return self.grow(owner.banks).map_err(|error| self.opening_failed(&error));
        }
        let found = format!("bank {bank} of {banks}");
        let wanted = format!("bank {} of {}", owner.bank, owner.banks);
        Err(StoreError::OtherBank { path: self.path.clone(), found, wanted })
    }

    /// Banks may join at the end of nodes.json; from then on they belong to it.
    fn grow(&mut self, banks: usize) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        set_meta(&transaction, "banks", &banks.to_string())?;
        transaction.commit()
    }

    fn meta(&self, key: &str) -> rusqlite::Result<Option<String>> {
        let sql = "SELECT value FROM meta WHERE key = ?1";
        self.connection.query_row(sql, [key], |row| row.get(0)).optional()
    }

    fn meta_json<T: serde::de::DeserializeOwned + Default>(&self, key: &str) -> Result<T, StoreError> {
        match self.meta(key).map_err(|error| self.reading_failed(&error))? {
            None => Ok(T::default()),
            Some(text) => serde_json::from_str(&text).map_err(|error| self.damaged(format!("{key}: {error}"))),
        }
    }

    fn entry(&self, row: &Row<'_>) -> Result<JournalEntry, StoreError> {
        let held = self.held(row)?;
        let read = || Ok::<_, rusqlite::Error>((row.get::<_, i64>(7)?, row.get::<_, Vec<u8>>(8)?));
        let (position, hash) = read().map_err(|error| self.reading_failed(&error))?;
        let hash = hash.try_into().map_err(|_| self.damaged(format!("hash at position {position}")))?;
        Ok(JournalEntry { held, position: Position(position.unsigned_abs()), hash: ChainHash(hash) })
    }

    fn held(&self, row: &Row<'_>) -> Result<Held, StoreError> {
        let (key, members, body, digest) = stored_event(row).map_err(|error| self.reading_failed(&error))?;
        let damaged = || self.damaged(format!("event {}.{} of bank {}", key.view, key.sum, key.sender));
        if digest_of(&members, &body)[..] != digest[..] {
            return Err(damaged());
        }
        let wire = serde_json::from_str(&body).map_err(|_| damaged())?;
        let event = Event::from_wire(wire, Ballot::default()).map_err(|_| damaged())?;
        let members: BankSet = serde_json::from_str(&members).map_err(|_| damaged())?;
        if event.order_key() != key {
            return Err(damaged());
        }
        Ok(Held { event: Arc::new(event), members })
    }

    /// Reads executed events in order until `each` has enough.
    fn each_executed(
        &self,
        after: Position,
        each: &mut dyn FnMut(JournalEntry) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let failed = |error: rusqlite::Error| self.reading_failed(&error);
        let mut statement = self.connection.prepare_cached(SELECT_EXECUTED).map_err(failed)?;
        let mut rows = statement.query([to_sql(after.0)]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            if !each(self.entry(row)?)? {
                break;
            }
        }
        Ok(())
    }

    fn opening_failed(&self, error: &rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::InUse { path: self.path.clone() },
            Some(ErrorCode::NotADatabase) => self.foreign(error.to_string()),
            Some(ErrorCode::DatabaseCorrupt) => self.damaged(error.to_string()),
            _ => StoreError::Open { path: self.path.clone(), why: error.to_string() },
        }
    }

    fn reading_failed(&self, error: &rusqlite::Error) -> StoreError {
        self.damaged(error.to_string())
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
        Ok(Remembered { promised: self.meta_json("promised")?, prepared: self.meta_json("prepared")? })
    }

    fn load(&mut self, found: &mut dyn FnMut(Found) -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.each_executed(Position(0), &mut |entry| found(Found::Executed(entry)).map(|()| true))?;
        let failed = |error: rusqlite::Error| self.reading_failed(&error);
        let mut statement = self.connection.prepare(SELECT_HELD).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            found(Found::Held(self.held(row)?))?;
        }
        Ok(())
    }

    fn write(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let write = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            for change in changes {
                write_change(&transaction, change)?;
            }
            transaction.commit()
        };
        write(&mut self.connection)
            .map_err(|error| StoreError::Failed { path: self.path.clone(), why: error.to_string() })
    }

    fn executed_after(&mut self, after: Position) -> Result<Vec<JournalEntry>, StoreError> {
        let mut bytes = 0;
        let mut entries = Vec::new();
        self.each_executed(after, &mut |entry| {
            bytes += entry.held.event.wire().get().len();
            entries.push(entry);
            Ok(entries.len() < PIECE_EVENTS_MAX && bytes < PIECE_BYTES_MAX)
        })?;
        Ok(entries)
    }

    fn hash_at(&mut self, position: Position) -> Result<Option<ChainHash>, StoreError> {
        if position == Position(0) {
            return Ok(Some(ChainHash::default()));
        }
        let failed = |error: rusqlite::Error| self.reading_failed(&error);
        let mut statement =
            self.connection.prepare_cached("SELECT hash FROM executed WHERE position = ?1").map_err(failed)?;
        let hash = statement.query_row([to_sql(position.0)], |row| row.get::<_, Vec<u8>>(0)).optional();
        let hash = hash.map_err(failed)?.map(|hash| hash.try_into()).transpose();
        Ok(hash.map_err(|_| self.damaged(format!("hash at position {position}")))?.map(ChainHash))
    }

    fn journal_starts_after(&mut self) -> Result<Position, StoreError> {
        Ok(Position(0))
    }

    fn snapshot_piece(&mut self, _: u32) -> Result<Option<SnapshotPiece>, StoreError> {
        Ok(None)
    }

    fn arriving_piece(&mut self, _: u32) -> Result<Option<SnapshotPiece>, StoreError> {
        Ok(None)
    }
}

/// The journal holds documents and password hashes: folder and file are for the node's own user alone. SQLite gives
/// the files beside it the same mode.
fn make_private(folder: &Path, file: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    OpenOptions::new().create(true).append(true).mode(0o600).open(file).map(|_| ())
}

fn write_change(transaction: &Transaction<'_>, change: &Change) -> rusqlite::Result<()> {
    match change {
        Change::Append(held) => insert_event(transaction, held),
        Change::Executed(mark) => insert_executed(transaction, mark),
        Change::Replayed(entry) => {
            let key = entry.held.event.order_key();
            insert_event(transaction, &entry.held)?;
            insert_executed(transaction, &ExecutedMark { key, position: entry.position, hash: entry.hash })
        }
        Change::Promise(ballot) => set_meta(transaction, "promised", &as_json(ballot)),
        Change::Forgotten | Change::SnapshotPiece(_) | Change::SnapshotComplete(_) => Ok(()),
        Change::Prepared { plan, fetched, dropped } => {
            dropped.iter().try_for_each(|key| delete_event(transaction, *key))?;
            fetched.iter().try_for_each(|held| insert_event(transaction, held))?;
            set_meta(transaction, "prepared", &as_json(plan))
        }
    }
}

fn set_meta(transaction: &Transaction<'_>, key: &str, value: &str) -> rusqlite::Result<()> {
    let sql = "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    transaction.prepare_cached(sql)?.execute([key, value]).map(|_| ())
}

/// An event may be there already: held before it was fetched as executed.
fn insert_event(transaction: &Transaction<'_>, held: &Held) -> rusqlite::Result<()> {
    let key = held.event.order_key();
    let (members, body) = (as_json(&held.members), held.event.wire().get());
    let digest = digest_of(&members, body);
    let sql = "INSERT OR IGNORE INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let mut statement = transaction.prepare_cached(sql)?;
    let (round, coordinator, sum, sender) = key_columns(key);
    statement.execute(params![round, coordinator, sum, sender, members, body, &digest[..]]).map(|_| ())
}

fn insert_executed(transaction: &Transaction<'_>, mark: &ExecutedMark) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached("INSERT INTO executed VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let (round, coordinator, sum, sender) = key_columns(mark.key);
    statement.execute(params![to_sql(mark.position.0), round, coordinator, sum, sender, &mark.hash.0[..]]).map(|_| ())
}

fn delete_event(transaction: &Transaction<'_>, key: OrderKey) -> rusqlite::Result<()> {
    let sql = "DELETE FROM events WHERE round = ?1 AND coordinator = ?2 AND sum = ?3 AND sender = ?4";
    transaction.prepare_cached(sql)?.execute(key_columns(key)).map(|_| ())
}

fn key_columns(key: OrderKey) -> (i64, i64, i64, i64) {
    (to_sql(key.view.round), key.view.coordinator.0.into(), to_sql(key.sum), key.sender.0.into())
}

fn stored_event(row: &Row<'_>) -> rusqlite::Result<(OrderKey, String, String, Vec<u8>)> {
    let view = Ballot { round: row.get::<_, i64>(0)?.unsigned_abs(), coordinator: BankId(row.get(1)?) };
    let key = OrderKey { view, sum: row.get::<_, i64>(2)?.unsigned_abs(), sender: BankId(row.get(3)?) };
    Ok((key, row.get(4)?, row.get(5)?, row.get(6)?))
}

/// First half of the SHA-256 of what an event's row holds.
fn digest_of(members: &str, body: &str) -> [u8; 16] {
    let whole = Sha256::new().chain_update(members).chain_update([0]).chain_update(body).finalize();
    let mut half = [0; 16];
    half.copy_from_slice(&whole[..16]);
    half
}

fn as_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("the protocol's types are JSON")
}

fn to_sql(number: u64) -> i64 {
    i64::try_from(number).expect("counters stay far below 2^63")
}
