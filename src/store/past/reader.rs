//! Reading the past, beside its writer and beside the order.

use std::collections::VecDeque;
use std::sync::Arc;

use super::block::{self, bounds, decode};
use super::table::{BlockRow, BlockTable, Opener};
use super::{Archived, content_of, read_head};
use crate::ids::Sha256Digest;
use crate::ledger::past::walk::Entries;
use crate::ledger::past::{EntryNumber, PastEntry};
use crate::store::StoreError;

/// How many blocks are kept as they were read: about 50 KB each.
const CACHED_MAX: usize = 64;

/// A connection that reads.
pub struct PastReader {
    table: Box<dyn BlockTable>,
    /// Blocks that were read last, the last one first.
    cached: VecDeque<Arc<[PastEntry]>>,
    /// The entries whose blocks turned out to be damaged, or contradict each other.
    damaged: Vec<EntryNumber>,
    /// If the entry that was looked for last and not found is in an archive file, what else is.
    gone: Option<Archived>,
}

/// A block as it is stored.
pub struct StoredBlock {
    /// The number of its first entry.
    pub first: EntryNumber,
    /// Its bytes.
    pub content: Vec<u8>,
    /// What they hash to.
    pub digest: Sha256Digest,
    /// The number of its last entry.
    last: EntryNumber,
}

impl StoredBlock {
    /// Whether it has all its entries.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        block::bounds(self.first) == (self.first, self.last)
    }
}

impl PastReader {
    /// Opens what a [`PastWriter`](super::PastWriter) of this process holds.
    ///
    /// # Errors
    /// [`StoreError::Open`] when the system refuses.
    pub(super) fn open(opener: &Opener) -> Result<Self, StoreError> {
        Ok(PastReader {
            table: opener()?,
            cached: VecDeque::new(),
            damaged: Vec::new(),
            gone: None,
        })
    }

    /// The entries whose blocks turned out to be damaged, or contradict each other.
    #[must_use]
    pub fn damaged(&self) -> &[EntryNumber] {
        &self.damaged
    }

    /// The stored block that has an entry, proved by its digest; `None` if it is not here.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if it is not what was written.
    pub fn stored(&mut self, number: EntryNumber) -> Result<Option<StoredBlock>, StoreError> {
        let Some(row) = self.table.find(number)? else { return Ok(None) };
        let BlockRow { first, last, stored, digest } = row;
        // A row of another block, which comes before a gap or is not where it belongs.
        if bounds(first) != bounds(number) {
            return Ok(None);
        }
        let content = content_of(stored);
        let is_whole = |content: &Vec<u8>| block::digest(first, last, content) == digest;
        let content = content.filter(is_whole).ok_or_else(|| self.is_damaged(number))?;
        Ok(Some(StoredBlock { first, content, digest, last }).filter(|block| block.last >= number))
    }

    /// Whether the entry that was looked for last and not found is in an archive file; if so, all
    /// that is.
    #[must_use]
    pub fn gone(&self) -> Option<&Archived> {
        self.gone.as_ref()
    }

    /// The first entries, if they are in archive files.
    ///
    /// # Errors
    /// [`StoreError`] when the disk cannot be used.
    pub fn archived(&mut self) -> Result<Option<Archived>, StoreError> {
        Ok(read_head(&mut *self.table)?.flatten().and_then(|head| head.archived))
    }

    /// Makes sure that a block that was not found is not one that should be here.
    fn check_missing(&mut self, number: EntryNumber) -> Result<(), StoreError> {
        self.gone = None;
        match read_head(&mut *self.table)? {
            Some(Some(head)) if !head.has(number) => {
                let is_archived = head.is_archived(number);
                self.gone = head.archived.filter(|_| is_archived);
                Ok(())
            }
            None => Ok(()),
            Some(_) => Err(self.is_damaged(number)),
        }
    }

    fn is_damaged(&mut self, number: EntryNumber) -> StoreError {
        self.damaged = vec![number];
        let why = format!("the block of entry {number}");
        self.table.damaged(why)
    }

    /// The entries of the block that has an entry; `None` if it is not here.
    ///
    /// # Errors
    /// As for [`PastReader::stored`].
    pub fn block(&mut self, number: EntryNumber) -> Result<Option<Arc<[PastEntry]>>, StoreError> {
        let has = |block: &Arc<[PastEntry]>| {
            block.first().is_some_and(|first| first.number <= number)
                && block.last().is_some_and(|last| last.number >= number)
        };
        if let Some(place) = self.cached.iter().position(has) {
            let block = self.cached.remove(place).expect("just found");
            self.cached.push_front(Arc::clone(&block));
            return Ok(Some(block));
        }
        let Some(stored) = self.stored(number)? else {
            self.check_missing(number)?;
            return Ok(None);
        };
        let block: Arc<[PastEntry]> =
            decode(stored.first, &stored.content).ok_or_else(|| self.is_damaged(number))?.into();
        if !has(&block) {
            return Ok(None);
        }
        self.cached.push_front(Arc::clone(&block));
        self.cached.truncate(CACHED_MAX);
        Ok(Some(block))
    }

    /// An entry; `None` if it is not here.
    ///
    /// # Errors
    /// As for [`PastReader::stored`].
    pub fn find(&mut self, number: EntryNumber) -> Result<Option<PastEntry>, StoreError> {
        let block = self.block(number)?;
        Ok(block.and_then(|block| {
            let place = number.0 - block.first()?.number.0;
            block.get(usize::try_from(place).ok()?).cloned()
        }))
    }
}

impl Entries for PastReader {
    type Error = StoreError;

    fn entry(&mut self, number: EntryNumber) -> Result<Option<PastEntry>, StoreError> {
        self.find(number)
    }

    fn gone_until_ms(&self) -> Option<i64> {
        self.gone.as_ref().map(|archived| archived.until_ms)
    }

    fn contradiction(&mut self, among: &[EntryNumber]) -> StoreError {
        self.damaged = among.to_vec();
        let among: Vec<_> = among.iter().map(ToString::to_string).collect();
        let why = format!("entry {} is not that of the account", among.join(" or "));
        self.table.damaged(why)
    }
}
