//! Where sealed idempotency keys are kept: a file for each run of them, in a folder next to the
//! journal, or rows of a database, where the journal is in one; the same bytes at every bank.
//!
//! Nothing waits for a run to be written: until it is here, the ledger has it in memory, and a
//! crash takes nothing away, since the journal that leads to it makes it again. A snapshot that
//! names a run is written only when the run is on disk ([`Shelf::put`]), and a run goes only when
//! the snapshot that is installed does not name it ([`Shelf::drop_before`]).
//!
//! A start does not read all of them: a file beside each run has its outline, which says enough to
//! know where its keys would be. What a run itself is worth is found out when a key is looked up,
//! and for all of it in the minutes after a start ([`Shelf::prove`]).
//!
//! Snapshots name runs. A bank that gets a snapshot from another one fetches those that it lacks
//! behind it, as they are. In snapshots of earlier releases, a [`mod@reference`] stands in the
//! place of each piece that a run would take; [`pieces`] puts the text there for other banks.

mod folder;
pub(super) mod pieces;
pub(super) mod reference;

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

pub use self::folder::FolderShelf;
pub(super) use self::folder::{FOLDER_NAME, fetch_from_folder};
use super::StoreError;
use crate::ids::Sha256Digest;
use crate::ledger::book::{Rows, Run};

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

    /// The same, not all of it read where that can be spared: for a start, which wants to be over
    /// soon.
    ///
    /// # Errors
    /// As of [`Shelf::take`].
    fn known(&self, number: u64, digest: Sha256Digest) -> Result<Option<Run>, StoreError> {
        self.take(number, digest)
    }

    /// Reads and proves all of a run, if it is still here; if it is not what was put here, the next
    /// [`Shelf::known`] finds that out, too.
    ///
    /// # Errors
    /// As of [`Shelf::take`].
    fn prove(&self, number: u64, digest: Sha256Digest) -> Result<(), StoreError> {
        self.take(number, digest).map(|_| ())
    }

    /// Runs before this one are not needed any more.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the disk does.
    fn drop_before(&self, number: u64) -> Result<(), StoreError>;
}

/// The bytes of runs, wherever they are.
pub(super) trait Contents {
    /// Which runs are here, in order.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails.
    fn numbers(&self) -> Result<Vec<u64>, StoreError>;

    /// All bytes of a run, as they are; `None` if it is not here.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails.
    fn content(&self, number: u64) -> Result<Option<Vec<u8>>, StoreError>;

    /// Takes the bytes of a run, in place of those that are here; all of them or none.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the disk does.
    fn write(&self, number: u64, content: &[u8]) -> Result<(), StoreError>;

    /// Makes sure that a run which is here outlives whatever one does that is written now.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the disk does.
    fn make_safe(&self, number: u64) -> Result<(), StoreError>;

    /// Reads a run that is here a part at a time; `None` if it is not.
    ///
    /// # Errors
    /// [`StoreError::Open`] when the system refuses.
    fn rows(&self, number: u64) -> Result<Option<Arc<dyn Rows>>, StoreError>;

    /// What is here is not what was written.
    fn damaged(&self, why: String) -> StoreError;
}

/// [`Shelf::put`]
pub(super) fn put(shelf: &impl Contents, run: &Run) -> Result<Run, StoreError> {
    let (number, digest) = (run.number(), run.digest());
    let is_it = |content: &Vec<u8>| Sha256::digest(content)[..] == digest.0[..];
    // A ledger that is rebuilt makes its runs again.
    match shelf.content(number) {
        Ok(content) if content.as_ref().is_some_and(is_it) => shelf.make_safe(number)?,
        _ => shelf.write(number, &run.content())?,
    }
    let gone = || shelf.damaged(format!("run {number} is gone"));
    Ok(run.kept_in(shelf.rows(number)?.ok_or_else(gone)?))
}

/// [`Shelf::take`]
pub(super) fn take(
    shelf: &impl Contents,
    number: u64,
    digest: Sha256Digest,
) -> Result<Option<Run>, StoreError> {
    // What is open can be read even if somebody drops it meanwhile.
    let Some(rows) = shelf.rows(number)? else { return Ok(None) };
    let Some(content) = shelf.content(number)? else { return Ok(None) };
    let run = Run::read(&content, digest, rows).filter(|run| run.number() == number);
    let damaged = || shelf.damaged(format!("run {number} is not what was written"));
    run.map(Some).ok_or_else(damaged)
}

/// Copies all runs, as they are: one that is damaged is found to be so by whoever takes it. What
/// has come over is read again.
///
/// # Errors
/// [`StoreError`] of the side that fails; [`StoreError::Damaged`] when something comes over wrong.
pub(super) fn copy(from: &impl Contents, to: &impl Contents) -> Result<(), StoreError> {
    for number in from.numbers()? {
        // Nobody drops anything meanwhile.
        let Some(content) = from.content(number)? else { continue };
        to.write(number, &content)?;
        if to.content(number)?.as_deref() != Some(&content) {
            return Err(to.damaged(format!("run {number} has come over wrong")));
        }
    }
    Ok(())
}

/// Whether a key was used cannot be told, and nobody may guess: the next start makes the run again
/// or gets everything from the other banks.
pub(super) fn end(error: &StoreError) -> ! {
    log::error!("KEYS UNREADABLE: {error}");
    log::logger().flush();
    std::process::exit(1);
}
