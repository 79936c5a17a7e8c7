//! The store in PostgreSQL: a bank's journal in a schema of its own, written by one session.
//!
//! Whether a commit counts is decided by the database alone. If its answer is lost, with the
//! connection or with the whole server, the database is called until it is back, for a bounded
//! time; the session that was lost is ended; and then the head, which every commit changes, says
//! whether the commit is there. If it is not, the same changes are written once more. Meanwhile
//! nobody is told anything, as with a disk that is stuck.
//!
//! Two nodes never write to one journal: a lock that belongs to the session keeps the second one
//! out, and every commit names the head that it came of, so that even a session that has lost its
//! lock without knowing it changes nothing.
//!
//! What is in the tables is proved as for every engine (`journal`). The tip is in the bank's own
//! folder: a database that has lost commits, as one may that has failed over to a replica that was
//! behind, is noticed like a disk that has.

mod address;
mod caller;
mod keys;
mod partitions;
mod past;
mod reader;
mod schema;
mod session;
mod tables;
mod tls;
mod trouble;
mod wait;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub(super) use self::address::Part;
use self::address::Shelf;
pub use self::address::{BadDatabase, Database};
pub(super) use self::keys::PgShelf;
pub(super) use self::past::PgPlace;
use self::reader::PgReader;
use self::session::{Purpose, Session};
use self::tables::PgTables;
use self::trouble::Trouble;
use super::aside::put_aside;
use super::folder::{check_not_here, keep_elsewhere, lock};
use super::journal::{
    Basis, Beginning, Contents, Head, SUSPECT_NAME, Seal, TIP_NAME, Tables, Tip, Writer,
    check_owner, check_tip, may_decide, read_plan, suspicion, write_plan,
};
use super::rows_over::copy;
use super::sqlite::FILE_NAME;
use super::{Change, Disk, Found, JournalReader, Owner, Remembered, Store, StoreError};
use crate::ids::{Ballot, ChainHash, Position};
use crate::protocol::execution::JournalEntry;
use crate::protocol::snapshot::SnapshotPiece;
use crate::protocol::view::PreparePlan;
use crate::wire::PROTOCOL_VERSION;

/// For how long a database that is away is called before the process ends.
const AWAY_MAX: Duration = Duration::from_secs(60);

/// The store in PostgreSQL.
pub struct PgStore {
    folder: PathBuf,
    shelf: Shelf,
    /// Always there but while a write waits for the database.
    session: Option<Session>,
    tip: Tip,
    head: Head,
    /// The digest of its row, as it was read: an earlier release may have written it.
    digest: Vec<u8>,
    basis: Basis,
    /// For how long a database that is away is called.
    patience: Duration,
    /// Held while the store is open.
    _lock: File,
}

impl PgStore {
    /// Opens a bank's journal in a database, making it at the first start. The bank's own folder
    /// holds what must not be lost together with the database.
    ///
    /// # Errors
    /// [`StoreError`] when folder or database cannot be used, or the journal is foreign, damaged,
    /// in use or another bank's.
    pub fn open(folder: &Path, database: &Database, owner: Owner) -> Result<Self, StoreError> {
        PgStore::open_within(folder, database, owner, AWAY_MAX)
    }

    /// The same with another patience.
    ///
    /// # Errors
    /// As for [`PgStore::open`].
    pub fn open_within(
        folder: &Path,
        database: &Database,
        owner: Owner,
        patience: Duration,
    ) -> Result<Self, StoreError> {
        let lock = lock(folder)?;
        check_not_here(folder, FILE_NAME)?;
        let shelf = Shelf { database: database.clone(), bank: owner.bank, part: Part::Journal };
        let (path, tip) = (shelf.path(), Tip::in_folder(folder));
        let session = Session::open(&shelf, Purpose::Write, None, patience)
            .map_err(|trouble| trouble.when_opening(&path))?;
        let opening = Opening { folder, shelf: &shelf, session: &session, tip: &tip };
        let head = opening.recognise(owner)?;
        let (_, digest) =
            read_head(&opening.tables()).map_err(|trouble| trouble.when_reading(&path, folder))?;
        keep_elsewhere(folder, true)?;
        let folder = folder.to_owned();
        let (session, basis) = (Some(session), Basis::Snapshot);
        let mut store =
            PgStore { folder, shelf, session, tip, head, digest, basis, patience, _lock: lock };
        if store.head.protocol == PROTOCOL_VERSION {
            store.remember_tip()?;
        } else {
            store.commit(&|writer| {
                writer.head.protocol = PROTOCOL_VERSION;
                Ok(())
            })?;
        }
        Ok(store)
    }

    /// Hands over what is in it, to be carried elsewhere.
    pub(super) fn carry(
        &self,
        carry: impl FnOnce(&Head, &PgTables<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let tables = self.tables().map_err(|trouble| self.reading_failed(&trouble))?;
        carry(&self.head, &tables)
    }

    /// Makes a journal in a database of what another store holds, and proves it before it counts.
    ///
    /// # Errors
    /// [`StoreError`] of the side that fails; [`StoreError::Refused`] if there is a journal
    /// already.
    pub(super) fn receive<S: Tables>(
        folder: &Path,
        database: &Database,
        owner: Owner,
        head: &Head,
        from: &S,
    ) -> Result<(), StoreError> {
        let shelf = Shelf { database: database.clone(), bank: owner.bank, part: Part::Journal };
        let (path, schema) = (shelf.path(), shelf.schema());
        let failed = |trouble: Trouble| trouble.when_writing(&path, folder);
        let session = Session::open(&shelf, Purpose::Write, None, AWAY_MAX).map_err(failed)?;
        if schema::is_there(&session, &schema).map_err(failed)? {
            let why = format!("there is a schema {schema} already; rename it, or drop it");
            return Err(StoreError::Refused { path, why });
        }
        session.execute_batch("BEGIN").map_err(failed)?;
        schema::make(&session, &schema, schema::JOURNAL, schema::JOURNAL_LAYOUT).map_err(failed)?;
        let tables = PgTables { session: &session, shelf: &shelf, folder };
        copy(from, &tables, head)?;
        let mut head = Head { commits: head.commits + 1, ..head.clone() };
        head.tables = schema::digest_of_tables(&session, &schema).map_err(failed)?;
        Contents { tables: &tables, head: &head }.prove()?;
        head.write(&tables).map_err(failed)?;
        session.execute_batch("COMMIT").map_err(failed)
    }

    /// One transaction, on disk when this returns. What is written is written once, however often
    /// the connection is lost on the way.
    fn commit<'c>(
        &mut self,
        write: &dyn for<'a> Fn(&mut Writer<'c, 'a, PgTables<'a>>) -> Result<(), Trouble>,
    ) -> Result<(), StoreError> {
        let began = Instant::now();
        loop {
            let mut head = self.head.clone();
            head.commits += 1;
            let trouble = match self.try_to_commit(&mut head, write) {
                Ok(()) => return self.committed(head),
                Err(trouble) => trouble,
            };
            let Trouble::Away(why) = trouble else { return Err(self.writing_failed(&trouble)) };
            log::warn!("DATABASE AWAY: {}: {why}", self.shelf.path().display());
            let left = self.patience.saturating_sub(began.elapsed());
            let (found, digest) = self.call_again(left)?;
            log::warn!("database back: {}", self.shelf.path().display());
            if found == head {
                return self.committed(head);
            }
            if digest != self.digest {
                let why = "another process has written to it meanwhile".to_owned();
                return Err(StoreError::Failed { path: self.shelf.path(), why });
            }
        }
    }

    fn try_to_commit<'c>(
        &self,
        head: &mut Head,
        write: &dyn for<'a> Fn(&mut Writer<'c, 'a, PgTables<'a>>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let tables = self.tables()?;
        tables.session.execute_batch("BEGIN ISOLATION LEVEL REPEATABLE READ")?;
        let written =
            write(&mut Writer::new(&tables, head)).and_then(|()| tables.commit(&self.digest, head));
        // A session that is gone has nothing to undo, and one that hangs would be waited for again.
        if written.as_ref().is_err_and(|trouble| !matches!(trouble, Trouble::Away(_))) {
            _ = tables.session.execute_batch("ROLLBACK");
        }
        written
    }

    /// Calls a database that is away, and reads the head that is there and stays there.
    fn call_again(&mut self, at_most: Duration) -> Result<(Head, Vec<u8>), StoreError> {
        let lost = self.session.take().map(|session| session.backend().clone());
        let began = Instant::now();
        loop {
            let left = at_most.saturating_sub(began.elapsed());
            let opened = Session::open(&self.shelf, Purpose::Write, lost.as_ref(), left);
            let session = opened.map_err(|trouble| trouble.when_opening(&self.shelf.path()))?;
            self.session = Some(session);
            let read = |tables: PgTables<'_>| tables.make_safe().and_then(|()| read_head(&tables));
            match self.tables().and_then(read) {
                Ok((head, digest)) => {
                    let head = head.map_err(|why| self.damaged(why))?;
                    return Ok((head, digest));
                }
                Err(Trouble::Away(_)) if began.elapsed() < at_most => {}
                Err(trouble) => return Err(self.reading_failed(&trouble)),
            }
        }
    }

    fn committed(&mut self, head: Head) -> Result<(), StoreError> {
        self.digest = head.as_row().1.to_vec();
        self.head = head;
        self.remember_tip()
    }

    fn remember_tip(&mut self) -> Result<(), StoreError> {
        let Head { disk, commits, .. } = &self.head;
        self.tip.write(disk, *commits).map_err(|error| StoreError::Failed {
            path: self.folder.join(TIP_NAME),
            why: error.to_string(),
        })
    }

    fn tables(&self) -> Result<PgTables<'_>, Trouble> {
        let away = || Trouble::Away("the connection was lost".into());
        let session = self.session.as_ref().ok_or_else(away)?;
        Ok(PgTables { session, shelf: &self.shelf, folder: &self.folder })
    }

    fn read<R>(
        &self,
        read: impl FnOnce(Contents<'_, PgTables<'_>>) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let tables = self.tables().map_err(|trouble| self.reading_failed(&trouble))?;
        read(Contents { tables: &tables, head: &self.head })
    }

    fn reading_failed(&self, trouble: &Trouble) -> StoreError {
        trouble.when_reading(&self.shelf.path(), &self.folder)
    }

    fn writing_failed(&self, trouble: &Trouble) -> StoreError {
        trouble.when_writing(&self.shelf.path(), &self.folder)
    }

    fn damaged(&self, why: String) -> StoreError {
        trouble::damaged(&self.shelf.path(), &self.folder, why)
    }
}

/// The head, and the digest of its row.
fn read_head(tables: &PgTables<'_>) -> Result<(Result<Head, String>, Vec<u8>), Trouble> {
    let digest = tables.read_head()?.map(|(_, digest)| digest).unwrap_or_default();
    Ok((Head::read(tables)?, digest))
}

/// A schema on its way to be a store.
struct Opening<'a> {
    folder: &'a Path,
    shelf: &'a Shelf,
    session: &'a Session,
    tip: &'a Tip,
}

impl Opening<'_> {
    /// Whose journal it is; where there is none, one is made for the owner.
    fn recognise(&self, owner: Owner) -> Result<Head, StoreError> {
        let (path, schema) = (self.shelf.path(), self.shelf.schema());
        let failed = |trouble: Trouble| trouble.when_reading(&path, self.folder);
        if !schema::is_there(self.session, &schema).map_err(failed)? {
            if let Some(said) = self.tip.read() {
                let why = format!("the journal is gone; it had {} commits", said.commits);
                return Err(StoreError::Damaged { path, why });
            }
            return self.found(owner).map_err(|trouble| trouble.when_writing(&path, self.folder));
        }
        match schema::layout(self.session, &schema).map_err(failed)? {
            Some(schema::JOURNAL_LAYOUT) => {}
            Some(layout) => {
                let why = format!("layout {layout}, this program knows {}", schema::JOURNAL_LAYOUT);
                return Err(StoreError::Foreign { path, why });
            }
            // The layout's table may be what is gone of a journal that was here.
            None if self.tip.read().is_some() => {
                return Err(trouble::damaged(&path, self.folder, "its layout".into()));
            }
            None => {
                let why = "another program's schema".into();
                return Err(StoreError::Foreign { path, why });
            }
        }
        let read = || {
            let tables = schema::digest_of_tables(self.session, &schema)?;
            Ok((Head::read(&self.tables())?, tables))
        };
        let (head, tables) = read().map_err(failed)?;
        let head = head.map_err(|why| trouble::damaged(&path, self.folder, why))?;
        if head.tables != tables {
            let why = "the definitions of the tables".into();
            return Err(trouble::damaged(&path, self.folder, why));
        }
        check_owner(&path, &head, owner)?;
        check_tip(&path, &head, self.tip)?;
        Ok(head)
    }

    fn found(&self, owner: Owner) -> Result<Head, Trouble> {
        let schema = self.shelf.schema();
        self.session.execute_batch("BEGIN")?;
        schema::make(self.session, &schema, schema::JOURNAL, schema::JOURNAL_LAYOUT)?;
        let mut head = Head::beginning(Beginning {
            owner: Owner { bank: owner.bank, banks: 0 },
            promised: Ballot::default(),
            tables: schema::digest_of_tables(self.session, &schema)?,
            events: Seal::default(),
            executed: Seal::default(),
        });
        let tables = self.tables();
        write_plan(&tables, &mut head, &PreparePlan::default())?;
        head.write(&tables)?;
        self.session.execute_batch("COMMIT")?;
        Ok(head)
    }

    fn tables(&self) -> PgTables<'_> {
        PgTables { session: self.session, shelf: self.shelf, folder: self.folder }
    }
}

impl Store for PgStore {
    fn remembered(&mut self) -> Result<Remembered, StoreError> {
        let read = self.tables().and_then(|tables| read_plan(&tables, &self.head));
        let prepared = read.map_err(|trouble| self.reading_failed(&trouble))?;
        let prepared = prepared.ok_or_else(|| self.damaged("the prepared view".into()))?;
        Ok(self.head.remembered(prepared))
    }

    fn load(
        &mut self,
        found: &mut dyn FnMut(Found) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let unread = self.basis.unread(&self.head, &self.folder);
        self.read(|contents| contents.load(self.basis, unread, found))?;
        // It may turn out not to be writable.
        self.commit(&|_| Ok(()))?;
        if unread.is_none() {
            // Everything was read, and is whole.
            let _ = std::fs::remove_file(suspicion(&self.folder));
        }
        Ok(())
    }

    fn write(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        self.commit(&|writer| writer.write(changes))
    }

    fn reader(&self) -> Result<Box<dyn JournalReader>, StoreError> {
        Ok(Box::new(PgReader::new(self.shelf.clone(), self.folder.clone(), self.patience)))
    }
}

impl Disk for PgStore {
    /// A server whose disk does not confirm a write ends by itself, and reads its log anew.
    fn was_in_doubt(&self) -> bool {
        false
    }

    fn declare_rescue(&mut self) -> Result<bool, StoreError> {
        let prepared = self.remembered()?.prepared;
        if !may_decide(&self.head, &prepared) {
            return Ok(false);
        }
        self.commit(&|writer| writer.declare_rescue())?;
        Ok(true)
    }

    fn use_whole_journal(&mut self) -> bool {
        self.basis.use_whole_journal(&self.head)
    }

    fn abandon_snapshot(&mut self) -> Result<(), StoreError> {
        self.commit(&|writer| writer.abandon_snapshot())
    }

    fn shrink(&mut self) -> Result<(), StoreError> {
        self.commit(&|writer| writer.drop_old_pieces())?;
        let vacuum = "VACUUM FULL events, executed, pieces";
        let done = self.tables().and_then(|tables| tables.session.execute_at_leisure(vacuum));
        done.map_err(|trouble| self.writing_failed(&trouble))
    }
}

impl JournalReader for PgStore {
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
        self.read(|contents| contents.executed_after(after, bytes))
    }

    fn hash_at(&mut self, position: Position) -> Result<Option<ChainHash>, StoreError> {
        self.read(|contents| contents.hash_at(position))
    }

    fn journal_starts_after(&mut self) -> Result<Position, StoreError> {
        Ok(self.head.starts_after.0)
    }

    fn settled(&mut self) -> Result<Position, StoreError> {
        Ok(self.head.settled_through())
    }

    fn snapshot_piece(&mut self, index: u32) -> Result<Option<SnapshotPiece>, StoreError> {
        self.read(|contents| contents.piece_of(contents.head.snapshot.as_ref(), index))
    }

    fn arriving_piece(&mut self, index: u32) -> Result<Option<SnapshotPiece>, StoreError> {
        self.read(|contents| contents.piece_of(contents.head.arriving.as_ref(), index))
    }
}

/// Gives a damaged journal's schema another name, and puts its tip aside. Returns what it is called
/// now.
pub(super) fn put_journal_aside(
    folder: &Path,
    database: &Database,
    owner: Owner,
) -> Result<PathBuf, StoreError> {
    let _lock = lock(folder)?;
    let aside = rename_part(database, owner, Part::Journal, "damaged")?;
    put_aside(folder, &[SUSPECT_NAME, TIP_NAME])?;
    Ok(aside)
}

/// Gives the schema of a part of a bank's store, if it is there, another name, which begins with
/// the same and this word. Returns what it is called now.
pub(super) fn rename_part(
    database: &Database,
    owner: Owner,
    part: Part,
    word: &str,
) -> Result<PathBuf, StoreError> {
    rename(&Shelf { database: database.clone(), bank: owner.bank, part }, word)
}

/// Gives a schema, if it is there, another name.
fn rename(shelf: &Shelf, word: &str) -> Result<PathBuf, StoreError> {
    let path = shelf.path();
    let failed = |trouble: Trouble| trouble.when_opening(&path);
    let session = Session::open(shelf, Purpose::Write, None, AWAY_MAX).map_err(failed)?;
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let schema = shelf.schema();
    // The clock may stand still or be set back: a name that is already taken must not keep the bank
    // from starting.
    let mut number = now_ms;
    while schema::is_there(&session, &format!("{schema}_{word}_{number}")).map_err(failed)? {
        number += 1;
    }
    let aside = format!("{schema}_{word}_{number}");
    if schema::is_there(&session, &schema).map_err(failed)? {
        let sql = format!("ALTER SCHEMA {schema} RENAME TO {aside}");
        session.execute_batch(&sql).map_err(failed)?;
    }
    Ok(PathBuf::from(format!("schema {aside}")))
}
