//! What a start reads: usually a snapshot, what came after it, and of a long journal that led to it
//! nothing.

use std::path::{Path, PathBuf};

use super::head::{Head, Settled};
use crate::ids::Position;
use crate::store::folder::make_private;

/// Settled events that are read at a start all the same, as it takes no time.
const READ_ANYWAY_ROWS: u64 = 10_000;
/// Name of the file that says that something of the journal could not be read.
pub(in crate::store) const SUSPECT_NAME: &str = "journal.suspect";

/// From what the ledger is rebuilt, and how much is read for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Basis {
    /// From the snapshot, if there is one, and what came after; a long journal that led to it is
    /// not read.
    Snapshot,
    /// As before, and everything is read.
    SnapshotAndAll,
    /// From the whole journal.
    Journal,
}

impl Basis {
    /// From now on, the whole journal is handed over instead of a snapshot, if all of it is here,
    /// and everything is read in any case. Returns whether a snapshot is left out that
    /// was not left out before.
    pub(in crate::store) fn use_whole_journal(&mut self, head: &Head) -> bool {
        let is_whole = head.starts_after.0 == Position::default();
        let basis = if is_whole { Basis::Journal } else { Basis::SnapshotAndAll };
        let before = std::mem::replace(self, basis);
        let has_snapshot = head.snapshot.is_some() || head.arriving.is_some();
        is_whole && before != basis && has_snapshot
    }

    /// The part of the journal that is not read: it leads to the snapshot, was proved once, and is
    /// too long to be proved at every start.
    pub(in crate::store) fn unread(self, head: &Head, folder: &Path) -> Option<Settled> {
        let snapshot = head.snapshot.as_ref()?;
        let is_left_out = self == Basis::Snapshot && !suspicion(folder).exists();
        head.settled.filter(|settled| {
            is_left_out
                && settled.key <= snapshot.head.executed.last
                && settled.events.rows() > READ_ANYWAY_ROWS
        })
    }
}

/// The file in the data folder that says that something of the journal could not be read.
pub(in crate::store) fn suspicion(folder: &Path) -> PathBuf {
    folder.join(SUSPECT_NAME)
}

/// Something that the journal should have could not be read: the next start reads all of it.
pub(in crate::store) fn suspect(folder: &Path) {
    // Without the mark, whoever reads that part next finds the damage once more.
    let _ = make_private(&suspicion(folder));
}
