//! A reader of a journal whose snapshots name runs, which knows where these are.
//!
//! Earlier releases named runs on their own disks only, and other banks got their text. The head of
//! such a snapshot is about that text, so it is put in the place of the names again.

use std::sync::Arc;

use super::Shelf;
use super::reference::Reference;
use crate::ids::{ChainHash, Position};
use crate::ledger::book::pieces_of;
use crate::protocol::execution::JournalEntry;
use crate::protocol::snapshot::SnapshotPiece;
use crate::store::{JournalReader, StoreError};

/// A reader that puts the pieces of runs in the place of references to them.
pub(in crate::store) struct WithRuns {
    reader: Box<dyn JournalReader>,
    shelf: Arc<dyn Shelf>,
    /// The run that was read last, and its pieces: the next one is asked for soon.
    last: Option<(Reference, Vec<String>)>,
}

impl WithRuns {
    pub(in crate::store) fn new(reader: Box<dyn JournalReader>, shelf: Arc<dyn Shelf>) -> Self {
        WithRuns { reader, shelf, last: None }
    }

    /// The piece; `None` if the run is gone, because another snapshot has taken the place of the
    /// one that named it.
    fn text(&mut self, of: Reference) -> Result<Option<String>, StoreError> {
        let is_of = |last: &Reference| (last.run, last.digest) == (of.run, of.digest);
        if self.last.as_ref().is_none_or(|(last, _)| !is_of(last)) {
            self.last = None;
            let run = self.shelf.take(of.run, of.digest)?;
            self.last = run.map(|run| (of, pieces_of(&run)));
        }
        Ok(self.last.as_ref().and_then(|(_, pieces)| pieces.get(of.part).cloned()))
    }
}

impl JournalReader for WithRuns {
    fn begin(&mut self) -> Result<(), StoreError> {
        self.reader.begin()
    }

    fn end(&mut self) -> Result<(), StoreError> {
        self.reader.end()
    }

    fn executed_after(
        &mut self,
        after: Position,
        bytes: usize,
    ) -> Result<Vec<JournalEntry>, StoreError> {
        self.reader.executed_after(after, bytes)
    }

    fn hash_at(&mut self, position: Position) -> Result<Option<ChainHash>, StoreError> {
        self.reader.hash_at(position)
    }

    fn journal_starts_after(&mut self) -> Result<Position, StoreError> {
        self.reader.journal_starts_after()
    }

    fn settled(&mut self) -> Result<Position, StoreError> {
        self.reader.settled()
    }

    fn snapshot_piece(&mut self, index: u32) -> Result<Option<SnapshotPiece>, StoreError> {
        let Some(piece) = self.reader.snapshot_piece(index)? else { return Ok(None) };
        let Some(reference) = Reference::read(&piece.text) else {
            self.last = None;
            return Ok(Some(piece));
        };
        let text = self.text(reference)?;
        Ok(text.map(|text| SnapshotPiece { text, ..piece }))
    }

    fn arriving_piece(&mut self, index: u32) -> Result<Option<SnapshotPiece>, StoreError> {
        self.reader.arriving_piece(index)
    }

    fn shelf(&self) -> Option<Arc<dyn Shelf>> {
        Some(Arc::clone(&self.shelf))
    }
}
