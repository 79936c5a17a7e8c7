//! What a start reads: usually a snapshot, what came after it, and of a long journal that led to it
//! nothing.

use std::path::{Path, PathBuf};

use super::head::Settled;
use super::{SqliteStore, make_private};
use crate::ids::Position;
use crate::store::StoreError;

/// Settled events that are read at a start all the same, as it takes no time.
const READ_ANYWAY_ROWS: u64 = 10_000;
/// Name of the file that says that something of the journal could not be read.
pub(super) const SUSPECT_NAME: &str = "journal.suspect";

/// From what the ledger is rebuilt, and how much is read for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Basis {
    /// From the snapshot, if there is one, and what came after; a long journal that led to it is
    /// not read.
    Snapshot,
    /// As before, and everything is read.
    SnapshotAndAll,
    /// From the whole journal.
    Journal,
}

impl SqliteStore {
    /// From now on, the whole journal is handed over instead of a snapshot, if all of it is here,
    /// and everything is read in any case. Returns whether a snapshot is left out that
    /// was not left out before.
    pub(crate) fn use_whole_journal(&mut self) -> bool {
        let is_whole = self.head.starts_after.0 == Position::default();
        let basis = if is_whole { Basis::Journal } else { Basis::SnapshotAndAll };
        let before = std::mem::replace(&mut self.basis, basis);
        let has_snapshot = self.head.snapshot.is_some() || self.head.arriving.is_some();
        is_whole && before != basis && has_snapshot
    }

    /// The snapshot is of no use: the journal that led to it is executed until there is another
    /// one.
    ///
    /// # Errors
    /// As for [`Store::write`](crate::store::Store::write).
    pub(crate) fn abandon_snapshot(&mut self) -> Result<(), StoreError> {
        self.commit(|writer| writer.abandon_snapshot())
    }

    /// The part of the journal that is not read: it leads to the snapshot, was proved once, and is
    /// too long to be proved at every start.
    pub(super) fn unread(&self) -> Option<Settled> {
        let snapshot = self.head.snapshot.as_ref()?;
        let is_left_out = self.basis == Basis::Snapshot && !suspicion(&self.path).exists();
        self.head.settled.filter(|settled| {
            is_left_out
                && settled.key <= snapshot.head.executed.last
                && settled.events.rows() > READ_ANYWAY_ROWS
        })
    }
}

/// The file that says that something of a journal could not be read.
pub(super) fn suspicion(journal: &Path) -> PathBuf {
    journal.with_file_name(SUSPECT_NAME)
}

/// Something that a journal should have could not be read: the next start reads all of it.
pub(in crate::store) fn suspect(journal: &Path) {
    // Without the mark, whoever reads that part next finds the damage once more.
    let _ = make_private(&suspicion(journal));
}
