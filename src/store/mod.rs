//! What outlives a crash: the journal of events, which of them were executed, promises and prepared
//! views.
//!
//! The ledger is not stored: [`recovery`] rebuilds it from the journal, or from a snapshot and the
//! journal after it, and the chained hash proves that it came out the same. [`Store`] is the only
//! way to the disk; [`GroupCommit`] turns everything that has queued up to be written into one
//! transaction with one fsync. What other banks ask for is read by a [`JournalReader`], which does
//! not hold up commits.

mod aside;
mod compaction;
mod folder;
mod group_commit;
mod journal;
mod moving;
mod packed;
pub mod past;
mod place;
mod postgres;
mod reading;
pub mod recovery;
pub(crate) mod restoring;
mod rows_over;
mod shelf;
mod sqlite;

use std::path::PathBuf;
use std::sync::Arc;

pub use compaction::Snapshots;
pub use group_commit::GroupCommit;
pub(crate) use journal::read_record;
pub use moving::{Direction, Moved, move_store};
pub use place::Place;
pub use postgres::{BadDatabase, Database, PgStore};
pub use reading::Read;
pub use shelf::{FolderShelf, Shelf};
pub use sqlite::SqliteStore;

use crate::ids::{Ballot, BankId, ChainHash, Position, Sha256Digest};
use crate::protocol::event::Held;
use crate::protocol::execution::{ExecutedMark, JournalEntry};
use crate::protocol::order_key::OrderKey;
use crate::protocol::snapshot::{SnapshotHead, SnapshotPiece};
use crate::protocol::view::PreparePlan;

pub use crate::protocol::view::{PIECE_BYTES_MAX, PIECE_EVENTS_MAX};
/// The most events that are dropped from the journal at a time, so that nobody waits long for a
/// commit.
pub const DROP_EVENTS_MAX: i64 = 5_000;

/// The most pieces of earlier snapshots that are deleted with each one that is written.
const DROP_PIECES_MAX: u32 = 2;

/// The most events that are settled at a time.
pub(crate) const SETTLE_EVENTS_MAX: i64 = 2_000;

/// One thing to write.
#[derive(Clone, Debug)]
pub enum Change {
    /// An event is held.
    Append(Held),
    /// A held event was executed.
    Executed(ExecutedMark),
    /// An event that others had executed was fetched and executed.
    Replayed(JournalEntry),
    /// Nothing below this ballot is obeyed any more.
    Promise(Ballot),
    /// A view was prepared: new events, drops and plan in one step.
    Prepared {
        /// The view.
        plan: PreparePlan,
        /// Events that were not held before.
        fetched: Vec<Held>,
        /// Events that never existed.
        dropped: Vec<OrderKey>,
        /// Whether this bank is a learner until the view begins.
        learner: bool,
    },
    /// This bank has lost something it had promised to keep: it is a learner until a view has begun
    /// with it.
    Forgotten,
    /// An fsync has failed: nobody knows whether the disk holds what it reads, so it is a learner
    /// until a view has begun with it.
    Doubted,
    /// A view has begun with this bank: it is not a learner any more.
    Counts,
    /// A piece of a snapshot that is arriving, or that this bank is making.
    SnapshotPiece(SnapshotPiece),
    /// A piece of a snapshot that this bank is making, which has the same text as one of the
    /// snapshot that is here.
    SamePiece {
        /// As of [`SnapshotPiece`].
        head: SnapshotHead,
        /// As of [`SnapshotPiece`].
        index: u32,
        /// Which piece of the other one.
        of: u32,
        /// What the text hashes to.
        text: Sha256Digest,
    },
    /// The pieces that have arrived become the snapshot, and the journal below it is deleted.
    SnapshotComplete(SnapshotHead),
    /// The pieces, which this bank has made itself and stored under [`SnapshotHead::begun`], become
    /// the snapshot; the journal stays as it is.
    SnapshotMade(SnapshotHead),
    /// Executed events through here are no longer needed, since a snapshot contains their results.
    /// The oldest are deleted, at most [`DROP_EVENTS_MAX`] at a time.
    DropJournal {
        /// The last position to go.
        through: Position,
    },
    /// What was executed through here does not change any more: it is proved once, at most
    /// [`SETTLE_EVENTS_MAX`] events at a time, and a start from the snapshot does not read it.
    Settle {
        /// The last position.
        through: Position,
    },
}

/// What a store remembers in addition to the events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// The highest promise.
    pub promised: Ballot,
    /// The last prepared view.
    pub prepared: PreparePlan,
    /// Whether the disk does not count until a view has begun with it.
    pub learner: bool,
    /// Whether it is a learner because it is new, not because it has lost something.
    pub fresh: bool,
    /// Whether a person has declared that this disk decides alone.
    pub rescue: bool,
    /// Whether what was executed last is known, since that view was prepared, only from others: if
    /// so, it proves nothing about any disk.
    pub unverified: bool,
    /// A snapshot that is arriving, and how many of its pieces are here.
    pub arriving: Option<(SnapshotHead, u32)>,
    /// The snapshot that the journal goes on from.
    pub snapshot: Option<SnapshotHead>,
}

/// Something found on disk.
#[derive(Clone, Debug)]
pub enum Found {
    /// A piece of the ledger as it was before everything that follows. They come first, in order.
    Piece(SnapshotPiece),
    /// Executed, in order, after the snapshot.
    Executed(JournalEntry),
    /// Held, not known to be executed; in key order, after all executed ones.
    Held(Held),
}

/// A node's disk.
pub trait Store: JournalReader {
    /// What was promised and prepared.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails or what it holds is damaged.
    fn remembered(&mut self) -> Result<Remembered, StoreError>;

    /// Hands over what the ledger is rebuilt from: the snapshot, executed events in order, and held
    /// ones. Executed events are handed over while the check is still going on; only when this
    /// returns without an error has everything been proved whole, except what is settled.
    ///
    /// # Errors
    /// As for [`Store::remembered`], and what `found` answers.
    fn load(
        &mut self,
        found: &mut dyn FnMut(Found) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// Writes all changes in one transaction; on return they are on disk.
    ///
    /// # Errors
    /// [`StoreError::Failed`]; what is on disk is then unknown, so the process must end and start
    /// again. After [`StoreError::Unsynced`] the next start also trusts the disk less.
    fn write(&mut self, changes: &[Change]) -> Result<(), StoreError>;

    /// A second way to the same disk, for reading only, which may be used on another thread.
    ///
    /// # Errors
    /// As for [`Store::remembered`].
    fn reader(&self) -> Result<Box<dyn JournalReader>, StoreError>;
}

/// A store as it is opened when a node starts, and by the commands that a person gives.
pub trait Disk: Store {
    /// Whether an fsync had failed when the store was last used.
    fn was_in_doubt(&self) -> bool;

    /// Declares, in a person's name, that this disk decides how the next view begins although too
    /// few others are left. Returns whether it may: a disk that lacks something, or never belonged
    /// to a view, knows too little. A disk on which an fsync has failed may: perhaps all disks
    /// share the hardware that failed, and this one lacks nothing that it had claimed to hold.
    ///
    /// # Errors
    /// As for [`Store::write`].
    fn declare_rescue(&mut self) -> Result<bool, StoreError>;

    /// From now on, the whole journal is handed over instead of a snapshot, if all of it is here,
    /// and everything is read in any case. Returns whether a snapshot is left out that was not
    /// left out before.
    fn use_whole_journal(&mut self) -> bool;

    /// The snapshot is of no use: the journal that led to it is executed until there is another
    /// one.
    ///
    /// # Errors
    /// As for [`Store::write`].
    fn abandon_snapshot(&mut self) -> Result<(), StoreError>;

    /// Gives the space of dropped rows back.
    ///
    /// # Errors
    /// As for [`Store::write`].
    fn shrink(&mut self) -> Result<(), StoreError>;
}

/// What is read from a disk for other banks while the node runs.
pub trait JournalReader: Send {
    /// From here to [`JournalReader::end`] all answers are as of one commit: the last one, or a
    /// later one than before.
    ///
    /// # Errors
    /// As for [`Store::remembered`].
    fn begin(&mut self) -> Result<(), StoreError>;

    /// The state that was read need not be kept any longer.
    ///
    /// # Errors
    /// As for [`Store::remembered`].
    fn end(&mut self) -> Result<(), StoreError>;

    /// Executed events after a position, in order, at least one if there is any: about `bytes`
    /// bytes, bounded by [`PIECE_EVENTS_MAX`] and [`PIECE_BYTES_MAX`].
    ///
    /// # Errors
    /// As for [`Store::remembered`].
    fn executed_after(
        &mut self,
        after: Position,
        bytes: usize,
    ) -> Result<Vec<JournalEntry>, StoreError>;

    /// The chain hash after a position, if an executed event ended there and is known to have been
    /// executed.
    ///
    /// # Errors
    /// As for [`Store::remembered`].
    fn hash_at(&mut self, position: Position) -> Result<Option<ChainHash>, StoreError>;

    /// The position up to which the journal is gone; the installed snapshot has what was before.
    ///
    /// # Errors
    /// As for [`Store::remembered`].
    fn journal_starts_after(&mut self) -> Result<Position, StoreError>;

    /// The position through which the journal is settled; see [`Change::Settle`].
    ///
    /// # Errors
    /// As for [`Store::remembered`].
    fn settled(&mut self) -> Result<Position, StoreError>;

    /// A piece of the installed snapshot, if there is one.
    ///
    /// # Errors
    /// As for [`Store::remembered`].
    fn snapshot_piece(&mut self, index: u32) -> Result<Option<SnapshotPiece>, StoreError>;

    /// A piece of the arriving snapshot, if it is here.
    ///
    /// # Errors
    /// As for [`Store::remembered`].
    fn arriving_piece(&mut self, index: u32) -> Result<Option<SnapshotPiece>, StoreError>;

    /// Where the runs of keys are that snapshots name, if they are kept apart.
    fn shelf(&self) -> Option<Arc<dyn Shelf>> {
        None
    }
}

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder or file cannot be opened.
    #[error(
        "{path}: cannot be opened: {why}. Check that the folder exists, is writable and not on a full disk"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's error text.
        why: String,
    },
    /// Another process uses it.
    #[error(
        "{path}: another process uses it. Two nodes never share a data folder: stop the other one first"
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// Another node writes to the same tables of a database.
    #[error(
        "{path}: another node uses it. Two nodes never share a bank's database: stop the other one first"
    )]
    DatabaseInUse {
        /// The database and the schema.
        path: PathBuf,
    },
    /// A database would report commits that it might lose.
    #[error(
        "{path}: this database is not used, as it may lose what it has committed: {why}. Nothing was changed"
    )]
    Unsafe {
        /// The database and the schema.
        path: PathBuf,
        /// The setting, what it is and what it must be.
        why: String,
    },
    /// A database does not let the bank in, or not do what it needs.
    #[error("{path}: the database refuses: {why}")]
    Refused {
        /// The database and the schema.
        path: PathBuf,
        /// Its words.
        why: String,
    },
    /// A database does not answer.
    #[error(
        "{path}: the database does not answer: {why}. The node ends here, and nothing that it had acknowledged is lost; start it again when the database is back"
    )]
    Away {
        /// The database and the schema.
        path: PathBuf,
        /// What was the last that happened.
        why: String,
    },
    /// A bank's journal is in another place than the one that was named.
    #[error(
        "{folder}: this bank's journal is {found}, and this command line means the one {wanted}. Nothing was changed; NETBANKING_STORE and `store` in nodes.json say which, and `netbanking move-store` carries it over"
    )]
    Elsewhere {
        /// The bank's own folder.
        folder: PathBuf,
        /// Where the journal is.
        found: &'static str,
        /// Where it was expected.
        wanted: &'static str,
    },
    /// Not a journal of ours.
    #[error(
        "{path}: not a NetBanking journal ({why}). Nothing was changed; name another --data folder, or move the file away"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// How that was noticed.
        why: String,
    },
    /// A journal of ours, but of another bank or consortium.
    #[error(
        "{path}: this is the journal of {found}, not of {wanted}. Nothing was changed; check --bank, --nodes and --data"
    )]
    OtherBank {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Who asked.
        wanted: String,
    },
    /// Banks were taken out of the list.
    #[error(
        "{path}: this disk belongs to a consortium of {banks} banks, and nodes.json lists {listed}. Banks are never taken out again: put the missing entries back, also those of banks that are gone for good. Nothing was changed"
    )]
    Fewer {
        /// The file.
        path: PathBuf,
        /// How many banks the disk's consortium has.
        banks: usize,
        /// How many there are now.
        listed: usize,
    },
    /// Damaged.
    #[error(
        "{path}: damaged ({why}). The files are kept as they are: the other banks hold the same journal, and a node that starts without it gets it from them"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// The journal, executed again, gives a different result than before.
    #[error(
        "executing the journal again gives a different result at position {position}: every record of it is whole, so another version of this program wrote it. Nothing was changed: start the version that wrote it"
    )]
    Differs {
        /// The position of the first request that does.
        position: Position,
    },
    /// The disk did not confirm that what was written is there.
    #[error(
        "{path}: syncing failed: {why}. The node ends here, because nobody knows what reached the disk, and this bank does not count towards a majority after its next start until the others have let it in; check the disk, and replace it if this happens again"
    )]
    Unsynced {
        /// The file.
        path: PathBuf,
        /// The system's error text.
        why: String,
    },
    /// The disk failed while writing, or is full: nothing in this write counts, and nothing written
    /// before it is lost.
    #[error(
        "{path}: writing failed: {why}. The node ends here, and nothing that it had acknowledged is lost; free space or replace the disk, then start it again"
    )]
    Failed {
        /// The file.
        path: PathBuf,
        /// The system's error text.
        why: String,
    },
}

impl StoreError {
    /// After a failure to read or write a journal: its next start reads all of it, also what is
    /// settled.
    pub(crate) fn make_next_start_read_all(&self) {
        if let StoreError::Damaged { path, .. } | StoreError::Failed { path, .. } = self {
            path.parent().into_iter().for_each(journal::suspect);
        }
    }

    /// Whether the folder is not the one that was meant, so that only another command line or
    /// `nodes.json` helps.
    #[must_use]
    pub(crate) fn is_misplaced(&self) -> bool {
        matches!(
            self,
            StoreError::Foreign { .. }
                | StoreError::OtherBank { .. }
                | StoreError::Fewer { .. }
                | StoreError::Elsewhere { .. }
                | StoreError::Unsafe { .. }
        )
    }
}

/// Whose store it is, written into it at the first start.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    /// The bank.
    pub bank: BankId,
    /// How many banks the consortium has.
    pub banks: usize,
}
