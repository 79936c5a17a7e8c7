//! The past on disk: every entry that was ever made, in blocks that are the same at every bank.
//!
//! It is a file of its own, next to the journal, so that nothing that customers wait for waits for
//! it: entries are written some time after they were executed, many at once, and without an fsync.
//! What a crash takes away is made again by executing the journal, which therefore is not shortened
//! before the past behind it is on disk ([`PastWriter::commit`] with `sync`).
//!
//! A bank that got its present from another bank's snapshot lacks entries in the middle: they are
//! *missing*, and are fetched block by block. Every block has a digest: one that is damaged is
//! forgotten by itself, whoever meets it, and then its entries are missing. Only a file that makes
//! no sense is put aside as a whole.

pub mod archive;
pub(crate) mod block;
mod keeper;
mod reader;
mod sqlite;
mod table;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use self::archive::Archived;
use self::block::{Encoder, bounds};
pub use self::keeper::Past;
pub use self::reader::{PastReader, StoredBlock};
pub(super) use self::sqlite::SqlitePlace;
pub(super) use self::table::{BlockChange, BlockRow, BlockTable, Opener, PastPlace};
use super::StoreError;
use super::packed::{pack, unpack};
use crate::ids::{BankId, Sha256Digest};
use crate::ledger::past::{EntryNumber, PastEntry};

/// What a packed block begins with; no other begins so.
const PACKED: u8 = 0xff;

/// Complete blocks that wait for a commit before one is made for their sake.
const FULL_MAX: usize = 64;

/// Numbers of entries.
pub type Numbers = RangeInclusive<u64>;

/// What the file says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    bank: BankId,
    /// The last entry.
    last: EntryNumber,
    /// Those before it that are not here, in order.
    missing: Vec<Numbers>,
    /// The first ones, if they are in archive files and neither here nor missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    archived: Option<Archived>,
}

/// A block on its way to the disk.
struct Written {
    first: EntryNumber,
    last: EntryNumber,
    encoder: Encoder,
}

/// Writes the past: the only connection that does.
pub struct PastWriter {
    table: Box<dyn BlockTable>,
    head: Head,
    /// Blocks that are complete, or end before a gap, and are not on disk.
    full: VecDeque<Written>,
    /// The last block, to which entries are added.
    open: Option<Written>,
    /// Whether the last block has entries that are not on disk.
    is_dirty: bool,
    /// The last entry on disk.
    on_disk: EntryNumber,
    /// Whether the first entry that comes and is here already was compared with the one here.
    is_compared: bool,
    /// Entries of one block that were missing and are made again.
    remade: Vec<PastEntry>,
    /// Blocks that turned out to be damaged and were forgotten, until somebody is told.
    forgotten: Vec<EntryNumber>,
}

impl PastWriter {
    /// Opens the past in a data folder that this process has locked, making it if it is not there.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be opened, or is damaged or another bank's.
    pub fn open(folder: &Path, bank: BankId) -> Result<Self, StoreError> {
        PastWriter::on(SqlitePlace::new(folder).open()?, bank)
    }

    /// The same with these tables.
    fn on(mut table: Box<dyn BlockTable>, bank: BankId) -> Result<Self, StoreError> {
        let head = match read_head(&mut *table)? {
            Some(head) => head.ok_or_else(|| table.damaged("the head".into()))?,
            None if table.has_blocks()? => return Err(table.damaged("the head is gone".into())),
            None => {
                Head { bank, last: EntryNumber::default(), missing: Vec::new(), archived: None }
            }
        };
        if head.bank != bank {
            let (found, wanted) = (format!("bank {}", head.bank), format!("bank {bank}"));
            return Err(table.of_another(found, wanted));
        }
        let on_disk = head.last;
        let mut writer = PastWriter {
            table,
            head,
            full: VecDeque::new(),
            open: None,
            is_dirty: false,
            on_disk,
            is_compared: false,
            remade: Vec::new(),
            forgotten: Vec::new(),
        };
        writer.open = writer.last_block()?;
        Ok(writer)
    }

    /// The last block, if entries may still be added to it.
    fn last_block(&mut self) -> Result<Option<Written>, StoreError> {
        let last = self.head.last;
        if last.is_none() || self.here(last)?.last().is_none_or(|newest| newest.number != last) {
            return Ok(None);
        }
        let entries = self.reader()?.block(last)?.unwrap_or_default();
        let goes_on = bounds(last).1 != last && !entries.is_empty();
        Ok(goes_on.then(|| Written::of(&entries)))
    }

    /// The entries of an entry's block that are here, in order. A block that turns out to be
    /// damaged is forgotten.
    fn here(&mut self, number: EntryNumber) -> Result<Vec<PastEntry>, StoreError> {
        let (first, end) = bounds(number);
        let end = end.min(self.on_disk);
        let mut forgot = false;
        loop {
            let mut reader = self.reader()?;
            let numbers =
                (first.0..=end.0).map(EntryNumber).filter(|number| self.head.has(*number));
            let found: Result<Vec<_>, _> =
                numbers.filter_map(|number| reader.find(number).transpose()).collect();
            match (found, reader.damaged()) {
                (Err(StoreError::Damaged { .. }), [damaged, ..]) if !forgot => {
                    self.forget(*damaged)?;
                    self.forgotten.push(*damaged);
                    forgot = true;
                }
                (found, _) => return found,
            }
        }
    }

    /// The entries whose blocks were forgotten since the last call because they were damaged.
    pub(crate) fn take_forgotten(&mut self) -> Vec<EntryNumber> {
        std::mem::take(&mut self.forgotten)
    }

    /// A reader of what is on disk, which may be used on another thread.
    ///
    /// # Errors
    /// [`StoreError::Open`] when the system refuses.
    pub fn reader(&self) -> Result<PastReader, StoreError> {
        PastReader::open(&self.table.opener())
    }

    fn opener(&self) -> Opener {
        self.table.opener()
    }

    /// The last entry that was taken in.
    #[must_use]
    pub fn last(&self) -> EntryNumber {
        self.head.last
    }

    /// The last entry on disk: everything up to it is there but what is missing.
    #[must_use]
    pub fn on_disk(&self) -> EntryNumber {
        self.on_disk
    }

    /// The entries before the last that are not here, in order.
    #[must_use]
    pub fn missing(&self) -> &[Numbers] {
        &self.head.missing
    }

    /// The first entries, if they are in archive files.
    #[must_use]
    pub fn archived(&self) -> Option<&Archived> {
        self.head.archived.as_ref()
    }

    /// Takes in entries in their order. Those that are here already are left out: a ledger that is
    /// rebuilt makes them again. Those that are missing are put in their places.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if what is here is not what was made: it is another consortium's.
    pub fn append(&mut self, entries: &[PastEntry]) -> Result<(), StoreError> {
        for past in entries {
            if past.number <= self.head.last {
                self.remake(past)?;
                continue;
            }
            self.reaches(EntryNumber(past.number.0 - 1));
            let open = self.open.get_or_insert_with(|| Written::beginning(past.number));
            open.encoder.push(past);
            (open.last, self.head.last, self.is_dirty) = (past.number, past.number, true);
            if bounds(past.number).1 == past.number {
                self.close_block();
            }
        }
        if self.full.len() >= FULL_MAX {
            self.commit(false)?;
        }
        Ok(())
    }

    /// There are entries through this number: what is not here of them is missing.
    pub fn reaches(&mut self, last: EntryNumber) {
        if last > self.head.last {
            self.close_block();
            self.head.missing.push(self.head.last.0 + 1..=last.0);
            (self.head.last, self.is_dirty) = (last, true);
        }
    }

    fn close_block(&mut self) {
        self.full.extend(self.open.take());
    }

    /// An entry is made again: nothing to do unless it was missing.
    fn remake(&mut self, past: &PastEntry) -> Result<(), StoreError> {
        if self.head.is_archived(past.number) {
            return Ok(());
        }
        if self.head.has(past.number) && self.compare(past)? {
            return Ok(());
        }
        if self.remade.last().is_none_or(|last| last.number.next() != past.number) {
            self.remade.clear();
        }
        self.remade.push(past.clone());
        if self.more_is_missing(past.number) {
            return Ok(());
        }
        // The part of the block before them, if it is here.
        let (first, _) = bounds(past.number);
        let mut block = self.here(first)?;
        if self.more_is_missing(past.number) {
            // What is here of the block has turned out to be damaged.
            return Ok(());
        }
        let remade = std::mem::take(&mut self.remade);
        block.retain(|here| here.number < remade[0].number);
        block.extend(remade);
        if block[0].number == first && block.len() as u64 == past.number.0 + 1 - first.0 {
            self.fill(first, Written::of(&block).encoder.content())?;
        }
        Ok(())
    }

    /// Whether the entry after this one is missing, too, and of the same block.
    fn more_is_missing(&self, number: EntryNumber) -> bool {
        let ends = bounds(number).1 == number || number >= self.head.last;
        !ends && !self.head.has(number.next())
    }

    /// Compares one entry that was made again with the one that is here; returns whether it still
    /// is, as its block may turn out to be damaged.
    fn compare(&mut self, past: &PastEntry) -> Result<bool, StoreError> {
        if self.is_compared || past.number > self.on_disk {
            return Ok(true);
        }
        match self.here(past.number)?.iter().find(|here| here.number == past.number) {
            Some(here) if here == past => self.is_compared = true,
            Some(_) => return Err(self.damaged(format!("entry {} is another one", past.number))),
            None => return Ok(false),
        }
        Ok(true)
    }

    /// Writes what has been taken in; returns the last entry that is then on disk. With `sync`, it
    /// is there even if the machine loses its power.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the disk does.
    pub fn commit(&mut self, sync: bool) -> Result<EntryNumber, StoreError> {
        if self.is_dirty || sync {
            let rows = self.full.iter().chain(&self.open).map(Written::row).collect();
            self.write(None, rows, &self.head.clone(), sync)?;
            self.full.clear();
            self.is_dirty = false;
            self.on_disk = self.head.last;
        }
        Ok(self.on_disk)
    }

    fn write(
        &mut self,
        gone: Option<Numbers>,
        rows: Vec<BlockRow>,
        head: &Head,
        sync: bool,
    ) -> Result<(), StoreError> {
        let head = serde_json::to_string(head).expect("the head is JSON");
        let head_digest = digest_of(&head);
        self.table.write(&BlockChange { gone, rows, head, head_digest, sync })
    }

    /// The first entries are in archive files, where they were proved: they go.
    fn let_go(&mut self, archived: Archived) -> Result<(), StoreError> {
        self.commit(true)?;
        let gone = 1..=archived.through.0;
        let missing = without(&self.head.missing, &gone);
        let head = Head { missing, archived: Some(archived), ..self.head.clone() };
        self.write(Some(gone), Vec::new(), &head, true)?;
        self.head = head;
        Ok(())
    }

    /// All other banks have moved the first entries into archive files, so that those of them that
    /// are missing here will not come: they count as archived, and with them everything before.
    /// What is here of it stays. Returns whether there are any.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the disk fails.
    pub fn give_up(&mut self, archived: &Archived) -> Result<bool, StoreError> {
        self.commit(false)?;
        let through = archived.through.0;
        let lacking = self.head.missing.iter().filter(|gap| *gap.start() <= through);
        let Some(last) = lacking.map(|gap| (*gap.end()).min(through)).max() else {
            return Ok(false);
        };
        let through = bounds(EntryNumber(last)).1;
        let mut given_up = Archived { through, ..archived.clone() };
        if through < archived.through {
            // A block after the gap is here, and says more exactly when the gap ends.
            given_up.chain = None;
            if let Some(next) = self.here(through.next())?.first() {
                given_up.until_ms = next.entry.at_ms;
                given_up.position = next.entry.position;
            }
        }
        let missing = without(&self.head.missing, &(1..=through.0));
        let head = Head { missing, archived: Some(given_up), ..self.head.clone() };
        self.write(None, Vec::new(), &head, true)?;
        self.head = head;
        Ok(true)
    }

    /// Takes in a block that was missing, wholly or in part; returns whether it is one. What is
    /// here of it already must be the same.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the disk fails.
    pub fn fill(&mut self, first: EntryNumber, content: &[u8]) -> Result<bool, StoreError> {
        let Some(fetched) = block::decode(first, content) else { return Ok(false) };
        let (from, end) = bounds(first);
        let to = first.0 + fetched.len() as u64 - 1;
        let touched = |gap: &&Numbers| *gap.start() <= end.0 && from.0 <= *gap.end();
        let Some(gap) = self.head.missing.iter().find(touched).cloned().filter(|_| from == first)
        else {
            return Ok(false);
        };
        self.commit(false)?;
        // A block that is not complete is of use only if it reaches the end of the gap.
        if to < end.0.min(*gap.end()) {
            return Ok(false);
        }
        let here = self.here(first)?;
        let at = |number: EntryNumber| {
            let place = here.binary_search_by_key(&number, |past| past.number);
            place.ok().map(|place| &here[place])
        };
        let mut merged = Vec::new();
        for past in fetched {
            match at(past.number) {
                Some(here) if *here != past => return Ok(false),
                Some(_) => merged.push(past),
                None if past.number.0 <= self.head.last.0 => merged.push(past),
                None => {}
            }
        }
        // What is here of the block beyond what was fetched.
        let mut next = merged.last().map_or(first, |past| past.number.next());
        while next <= end
            && let Some(here) = at(next)
        {
            merged.push(here.clone());
            next = next.next();
        }
        self.replace(&merged)?;
        Ok(true)
    }

    /// Writes a block in place of its parts.
    fn replace(&mut self, entries: &[PastEntry]) -> Result<(), StoreError> {
        let block = Written::of(entries);
        let mut head = self.head.clone();
        head.missing = without(&head.missing, &(block.first.0..=block.last.0));
        self.write(Some(block.first.0..=block.last.0), vec![block.row()], &head, false)?;
        self.head = head;
        if block.last == self.head.last && bounds(block.first).1 != block.last {
            self.open = Some(block);
        }
        Ok(())
    }

    /// The block of an entry turned out to be damaged or gone: its entries are missing from now on.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the disk fails.
    pub(crate) fn forget(&mut self, number: EntryNumber) -> Result<(), StoreError> {
        self.commit(false)?;
        if self.head.is_archived(number) {
            return Ok(());
        }
        let (first, last) = bounds(number);
        // What is being written is in memory as well, and is written again.
        let known_from = self.open.as_ref().map_or(u64::MAX, |open| open.first.0);
        let gone = first.0..=last.0.min(self.head.last.0).min(known_from.saturating_sub(1));
        let mut head = self.head.clone();
        head.missing = without(&head.missing, &gone);
        head.missing.extend(Some(gone).filter(|gone| !gone.is_empty()));
        head.missing.sort_by_key(|gap| *gap.start());
        let rows = self.open.iter().map(Written::row).collect();
        self.write(Some(first.0..=last.0), rows, &head, false)?;
        self.head = head;
        Ok(())
    }

    fn damaged(&self, why: String) -> StoreError {
        self.table.damaged(why)
    }
}

impl Head {
    /// Whether an entry must be on disk.
    fn has(&self, number: EntryNumber) -> bool {
        number <= self.last
            && !self.is_archived(number)
            && !self.missing.iter().any(|gap| gap.contains(&number.0))
    }

    /// Whether an entry is in an archive file.
    fn is_archived(&self, number: EntryNumber) -> bool {
        self.archived.as_ref().is_some_and(|archived| number <= archived.through)
    }
}

impl Written {
    fn beginning(first: EntryNumber) -> Self {
        Written { first, last: first, encoder: Encoder::default() }
    }

    /// A block with these entries, which are adjacent and at least one.
    fn of(entries: &[PastEntry]) -> Self {
        let mut encoder = Encoder::default();
        entries.iter().for_each(|past| encoder.push(past));
        let number = |past: Option<&PastEntry>| past.expect("a block has an entry").number;
        Written { first: number(entries.first()), last: number(entries.last()), encoder }
    }

    /// The block as it is stored.
    fn row(&self) -> BlockRow {
        let (first, last, content) = (self.first, self.last, self.encoder.content());
        let mut stored = vec![PACKED];
        stored.append(&mut pack(content));
        BlockRow { first, last, stored, digest: block::digest(first, last, content) }
    }
}

/// Ranges in order, less another.
fn without(ranges: &[Numbers], gone: &Numbers) -> Vec<Numbers> {
    let mut left = Vec::new();
    for range in ranges {
        let before = *range.start()..=(*range.end()).min(gone.start().saturating_sub(1));
        let after = (*range.start()).max(gone.end().saturating_add(1))..=*range.end();
        left.extend([before, after].into_iter().filter(|part| !part.is_empty()));
    }
    left
}

/// The content of a block as it is stored: a packed one, or one of an earlier release.
fn content_of(stored: Vec<u8>) -> Option<Vec<u8>> {
    match stored.split_first() {
        Some((&PACKED, packed)) => unpack(packed),
        _ => Some(stored),
    }
}

fn digest_of(content: &str) -> Sha256Digest {
    block::digest(EntryNumber::default(), EntryNumber::default(), content.as_bytes())
}

/// The head, if there is one; nothing in its place if it is not what was written.
fn read_head(table: &mut dyn BlockTable) -> Result<Option<Option<Head>>, StoreError> {
    Ok(table.read_head()?.map(|(content, digest)| {
        let is_whole = digest_of(&content).0[..] == digest[..];
        serde_json::from_str(&content).ok().filter(|_| is_whole)
    }))
}
