//! Where sealed idempotency keys are kept: a file for each run of them, in a folder next to the
//! journal, the same bytes at every bank.
//!
//! Nothing waits for a run to be written: until it is here, the ledger has it in memory, and a
//! crash takes nothing away, since the journal that leads to it makes it again. A snapshot that
//! names a run is written only when the run is on disk ([`Shelf::put`]), and a run goes only when
//! the snapshot that is installed does not name it ([`Shelf::drop_before`]).
//!
//! In a snapshot as other banks get it, a run is some pieces like any others. On this bank's own
//! disk, a [`mod@reference`] stands in the place of each; [`pieces`] puts the text there again.

mod folder;
pub(super) mod pieces;
pub(super) mod reference;

use std::fmt;

pub use self::folder::FolderShelf;
use super::StoreError;
use crate::ids::Sha256Digest;
use crate::ledger::book::Run;

/// Keeps runs of sealed idempotency keys.
pub trait Shelf: fmt::Debug + Send + Sync {
    /// Keeps a run. Returns the same one, whose bytes are read from here; when this returns, they
    /// are there even if the machine loses its power.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the disk does.
    fn put(&self, run: &Run) -> Result<Run, StoreError>;

    /// A run that is kept here, all of it read and proved; `None` if it is not here.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if it is not what was put here; [`StoreError::Open`] when the system
    /// refuses.
    fn take(&self, number: u64, digest: Sha256Digest) -> Result<Option<Run>, StoreError>;

    /// Runs before this one are not needed any more.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the disk does.
    fn drop_before(&self, number: u64) -> Result<(), StoreError>;
}
