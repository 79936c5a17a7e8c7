//! What a journal contains, as of one commit; nothing is believed without proof.

use std::collections::VecDeque;

use super::basis::Basis;
use super::head::{Head, Settled, Stored};
use super::rows::{EventRow, is_piece, mark_digest};
use super::tables::Tables;
use crate::ids::{ChainHash, Position};
use crate::protocol::execution::{ExecutedMark, JournalEntry};
use crate::protocol::snapshot::SnapshotPiece;
use crate::store::{Found, PIECE_BYTES_MAX, PIECE_EVENTS_MAX, StoreError};

/// How many rows are read at a time: of all there are,
const WALKED_AT_ONCE: usize = 500;
/// and of those that somebody asks for a few of.
const READ_AT_ONCE: usize = 64;

/// Tables, and the head as it stands in them.
pub(in crate::store) struct Contents<'a, T> {
    pub(in crate::store) tables: &'a T,
    pub(in crate::store) head: &'a Head,
}

/// The marks of a journal from one position on, one after another.
struct Marks<'a, T> {
    tables: &'a T,
    after: Position,
    read: VecDeque<ExecutedMark>,
}

impl<T: Tables> Marks<'_, T> {
    fn next(&mut self) -> Result<Option<ExecutedMark>, T::Error> {
        if self.read.is_empty() {
            let last = Position(i64::MAX as u64);
            self.read = self.tables.marks_after(self.after, last, WALKED_AT_ONCE)?.into();
            self.after = self.read.back().map_or(self.after, |mark| mark.position);
        }
        Ok(self.read.pop_front())
    }
}

impl<T: Tables> Contents<'_, T> {
    /// Hands over what a ledger is rebuilt from, as [`Store::load`](crate::store::Store::load)
    /// does; the part that is `unread` is left out.
    pub(in crate::store) fn load(
        &self,
        basis: Basis,
        unread: Option<Settled>,
        found: &mut dyn FnMut(Found) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let of_use = |_: &&Stored| basis != Basis::Journal;
        if let Some(stored) = self.head.arriving().filter(of_use) {
            self.pieces(stored, &mut |_| Ok(()))?;
        }
        let mut after = Position::default();
        if let Some(stored) = self.head.snapshot.as_ref().filter(of_use) {
            after = stored.head.position;
            self.pieces(stored, found)?;
        }
        self.walk(unread, after, found)
    }

    /// Proves everything there is.
    pub(in crate::store) fn prove(&self) -> Result<(), StoreError> {
        self.load(Basis::SnapshotAndAll, None, &mut |_| Ok(()))
    }

    /// Walks events and execution marks side by side; both must be complete. What is settled is
    /// left out if it is given, and what was executed through `after` is not handed over.
    fn walk(
        &self,
        settled: Option<Settled>,
        after: Position,
        found: &mut dyn FnMut(Found) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let (mut events_seen, mut executed_seen) =
            settled.map_or_else(Default::default, |settled| (settled.events, settled.executed));
        let mut from_key = settled.map(|settled| settled.key);
        let from_position = settled.map_or(Position::default(), |settled| settled.position);
        let mut held = Vec::new();
        let mut marks = Marks { tables: self.tables, after: from_position, read: VecDeque::new() };
        let mut next_mark = || -> Result<Option<ExecutedMark>, StoreError> {
            let mark = marks.next().map_err(|error| self.reading_failed(&error))?;
            mark.iter().for_each(|mark| executed_seen.add(mark_digest(mark)));
            Ok(mark)
        };
        let mut mark = next_mark()?;
        loop {
            let rows = self.tables.events_after(from_key, None, WALKED_AT_ONCE);
            let rows = rows.map_err(|error| self.reading_failed(&error))?;
            let Some(last) = rows.last() else { break };
            from_key = Some(last.key);
            for mut row in rows {
                let event = row.held().ok_or_else(|| self.damaged_event(&row))?;
                events_seen.add(row.digest);
                match mark.take_if(|mark| mark.key == row.key) {
                    Some(ExecutedMark { position, hash, .. }) => {
                        mark = next_mark()?;
                        if position > after {
                            found(Found::Executed(JournalEntry { held: event, position, hash }))?;
                        }
                    }
                    None => held.push(event),
                }
            }
        }
        // A mark whose event is gone stops the walk over the marks early, and their seal then does
        // not match.
        if (events_seen, executed_seen) != (self.head.events, self.head.executed) {
            return Err(self.damaged("rows are missing or are too many".into()));
        }
        held.into_iter().try_for_each(|held| found(Found::Held(held)))
    }

    fn damaged_event(&self, row: &EventRow) -> StoreError {
        let key = row.key;
        self.damaged(format!("event {}.{} of bank {}", key.view, key.sum, key.sender))
    }

    /// All pieces of a snapshot that the disk must have, one after another.
    fn pieces(
        &self,
        stored: &Stored,
        found: &mut dyn FnMut(Found) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        (0..stored.here).try_for_each(|index| {
            let text = self.piece(stored, index)?;
            found(Found::Piece(SnapshotPiece { head: stored.head.clone(), index, text }))
        })
    }

    fn piece(&self, stored: &Stored, index: u32) -> Result<String, StoreError> {
        let piece = self.tables.read_piece(stored.number, index);
        let piece = piece.map_err(|error| self.reading_failed(&error))?;
        piece
            .filter(|(text, digest)| is_piece(stored.number, index, text, digest))
            .map(|(text, _)| text)
            .ok_or_else(|| {
                self.damaged(format!("piece {index} of the snapshot of {}", stored.head.position))
            })
    }

    /// As [`JournalReader::executed_after`](crate::store::JournalReader::executed_after).
    pub(in crate::store) fn executed_after(
        &self,
        mut after: Position,
        bytes: usize,
    ) -> Result<Vec<JournalEntry>, StoreError> {
        let most = bytes.min(PIECE_BYTES_MAX);
        let mut bytes = 0;
        let mut entries = Vec::new();
        // Another bank may ask for any position, but none lies beyond what SQL can count.
        while i64::try_from(after.0).is_ok() {
            let rows = self.tables.executed_after(after, READ_AT_ONCE);
            let rows = rows.map_err(|error| self.reading_failed(&error))?;
            let is_last = rows.len() < READ_AT_ONCE;
            for (mut event, position, hash) in rows {
                let held = event.held().ok_or_else(|| self.damaged_event(&event))?;
                bytes += held.event.wire().get().len();
                after = position;
                entries.push(JournalEntry { held, position, hash });
                if entries.len() >= PIECE_EVENTS_MAX || bytes >= most {
                    return Ok(entries);
                }
            }
            if is_last {
                break;
            }
        }
        Ok(entries)
    }

    /// As [`JournalReader::hash_at`](crate::store::JournalReader::hash_at).
    pub(in crate::store) fn hash_at(
        &self,
        position: Position,
    ) -> Result<Option<ChainHash>, StoreError> {
        if position == self.head.starts_after.0 {
            return Ok(Some(self.head.starts_after.1));
        }
        if let Some(stored) =
            self.head.snapshot.as_ref().filter(|stored| stored.head.position == position)
        {
            return Ok(Some(stored.head.hash));
        }
        if i64::try_from(position.0).is_err() {
            return Ok(None);
        }
        self.tables.hash_at(position).map_err(|error| self.reading_failed(&error))
    }

    /// A piece of a snapshot, if it is here.
    pub(in crate::store) fn piece_of(
        &self,
        stored: Option<&Stored>,
        index: u32,
    ) -> Result<Option<SnapshotPiece>, StoreError> {
        let Some(stored) = stored.filter(|stored| index < stored.here) else { return Ok(None) };
        let text = self.piece(stored, index)?;
        Ok(Some(SnapshotPiece { head: stored.head.clone(), index, text }))
    }

    fn reading_failed(&self, error: &T::Error) -> StoreError {
        self.tables.reading_failed(error)
    }

    fn damaged(&self, why: String) -> StoreError {
        self.tables.damaged(why)
    }
}
