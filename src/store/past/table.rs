//! What an engine is asked for: blocks in and out, and the head that goes with them.

use std::path::PathBuf;
use std::sync::Arc;

use super::Numbers;
use crate::ids::Sha256Digest;
use crate::ledger::past::EntryNumber;
use crate::store::StoreError;

/// A block as its row has it.
pub(in crate::store) struct BlockRow {
    pub(in crate::store) first: EntryNumber,
    pub(in crate::store) last: EntryNumber,
    /// The content as it is stored, mostly packed.
    pub(in crate::store) stored: Vec<u8>,
    pub(in crate::store) digest: Sha256Digest,
}

/// What is written in one step.
pub(in crate::store) struct BlockChange {
    /// Blocks that begin here are deleted first.
    pub(in crate::store) gone: Option<Numbers>,
    /// Blocks that are put in, in place of those that begin where they do.
    pub(in crate::store) rows: Vec<BlockRow>,
    /// The new head's content.
    pub(in crate::store) head: String,
    /// Its digest.
    pub(in crate::store) head_digest: Sha256Digest,
    /// Whether it has to be there even if the machine loses its power.
    pub(in crate::store) sync: bool,
}

/// Opens further ways to the same blocks, also on other threads.
pub(in crate::store) type Opener =
    Arc<dyn Fn() -> Result<Box<dyn BlockTable>, StoreError> + Send + Sync>;

/// Where one past is.
pub(in crate::store) trait PastPlace: Send {
    /// Opens it for writing, making it if it is not there. The caller sees to it that nobody else
    /// does.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be opened or makes no sense.
    fn open(&self) -> Result<Box<dyn BlockTable>, StoreError>;

    /// Puts what is there where nobody mistakes it for a whole past; says where.
    ///
    /// # Errors
    /// [`StoreError`] when that is refused.
    fn put_aside(&self) -> Result<PathBuf, StoreError>;
}

/// The blocks of one past, through one connection.
pub(in crate::store) trait BlockTable: Send {
    /// The head's content and its digest.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails or its rows are none of ours.
    fn read_head(&mut self) -> Result<Option<(String, Vec<u8>)>, StoreError>;

    /// Whether there is any block.
    ///
    /// # Errors
    /// As for [`BlockTable::read_head`].
    fn has_blocks(&mut self) -> Result<bool, StoreError>;

    /// The last block that begins with an entry or before it.
    ///
    /// # Errors
    /// As for [`BlockTable::read_head`].
    fn find(&mut self, number: EntryNumber) -> Result<Option<BlockRow>, StoreError>;

    /// Writes all of it or nothing.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the disk fails; [`StoreError::Damaged`] when what is on it does
    /// not let itself be changed.
    fn write(&mut self, change: &BlockChange) -> Result<(), StoreError>;

    /// Gives room that is not used any more back to the disk, unless the engine does so itself.
    ///
    /// # Errors
    /// As for [`BlockTable::write`].
    fn give_back(&mut self) -> Result<(), StoreError>;

    /// For further ways to the same blocks, for reading only.
    fn opener(&self) -> Opener;

    /// It is the past of another bank.
    fn of_another(&self, found: String, wanted: String) -> StoreError;

    /// What is here is not what was written.
    fn damaged(&self, why: String) -> StoreError;
}
