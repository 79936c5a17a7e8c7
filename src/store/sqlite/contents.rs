//! What the store contains, as of one commit; nothing is believed without proof.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::head::{Head, Settled, Stored};
use super::reading_failed;
use super::rows::{self, BELOW_ALL, EventRow, key_columns, mark_digest, mark_of, to_sql};
use crate::ids::{ChainHash, Position};
use crate::protocol::execution::{ExecutedMark, JournalEntry};
use crate::protocol::snapshot::SnapshotPiece;
use crate::store::{Found, PIECE_BYTES_MAX, PIECE_EVENTS_MAX, StoreError};

const SELECT_EXECUTED: &str = "
SELECT e.round, e.coordinator, e.sum, e.sender, e.members, e.body, e.digest, e.signature, x.position, x.hash
FROM executed x JOIN events e USING (round, coordinator, sum, sender)
WHERE x.position > ?1 ORDER BY x.position";

const SELECT_EVENTS: &str = "
SELECT round, coordinator, sum, sender, members, body, digest, signature FROM events
WHERE (round, coordinator, sum, sender) > (?1, ?2, ?3, ?4) ORDER BY round, coordinator, sum, sender";

const SELECT_MARKS: &str = "
SELECT round, coordinator, sum, sender, position, hash FROM executed
WHERE position > ?1 ORDER BY position";

/// A connection and the head that it sees.
pub(super) struct Contents<'a> {
    pub(super) path: &'a Path,
    pub(super) connection: &'a Connection,
    pub(super) head: &'a Head,
}

impl Contents<'_> {
    /// Walks events and execution marks side by side; both must be complete. What is settled is
    /// left out if it is given, and what was executed through `after` is not handed over.
    pub(super) fn walk(
        &self,
        settled: Option<Settled>,
        after: Position,
        found: &mut dyn FnMut(Found) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let failed = |error: rusqlite::Error| self.reading_failed(&error);
        let (mut events_seen, mut executed_seen) =
            settled.map_or_else(Default::default, |settled| (settled.events, settled.executed));
        let from_key = settled.map_or(BELOW_ALL, |settled| key_columns(settled.key));
        let from_position = settled.map_or(0, |settled| to_sql(settled.position.0));
        let mut held = Vec::new();
        let mut select_events = self.connection.prepare(SELECT_EVENTS).map_err(failed)?;
        let mut events = select_events.query(from_key).map_err(failed)?;
        let mut select_marks = self.connection.prepare(SELECT_MARKS).map_err(failed)?;
        let mut marks = select_marks.query([from_position]).map_err(failed)?;
        let mut next_mark = || -> Result<Option<ExecutedMark>, StoreError> {
            let mark = marks.next().map_err(failed)?.map(mark_of).transpose().map_err(failed)?;
            mark.iter().for_each(|mark| executed_seen.add(mark_digest(mark)));
            Ok(mark)
        };
        let mut mark = next_mark()?;
        while let Some(row) = events.next().map_err(failed)? {
            let mut row = EventRow::read(row).map_err(failed)?;
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
    pub(super) fn pieces(
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
        let piece = rows::read_piece(self.connection, stored, index)
            .map_err(|error| self.reading_failed(&error))?;
        piece.ok_or_else(|| {
            self.damaged(format!("piece {index} of the snapshot of {}", stored.head.position))
        })
    }

    /// Reads executed events in order until `each` has enough.
    fn each_executed(
        &self,
        after: Position,
        each: &mut dyn FnMut(JournalEntry) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        // Another bank may ask for any position, but none lies beyond what SQLite can count.
        let Ok(after) = i64::try_from(after.0) else { return Ok(()) };
        let failed = |error: rusqlite::Error| self.reading_failed(&error);
        let mut statement = self.connection.prepare_cached(SELECT_EXECUTED).map_err(failed)?;
        let mut rows = statement.query([after]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let mut event = EventRow::read(row).map_err(failed)?;
            let held = event.held().ok_or_else(|| self.damaged_event(&event))?;
            let position = Position(row.get::<_, i64>(8).map_err(failed)?.unsigned_abs());
            let hash = ChainHash(row.get(9).map_err(failed)?);
            if !each(JournalEntry { held, position, hash })? {
                break;
            }
        }
        Ok(())
    }

    /// As [`JournalReader::executed_after`](crate::store::JournalReader::executed_after).
    pub(super) fn executed_after(
        &self,
        after: Position,
        bytes: usize,
    ) -> Result<Vec<JournalEntry>, StoreError> {
        let most = bytes.min(PIECE_BYTES_MAX);
        let mut bytes = 0;
        let mut entries = Vec::new();
        self.each_executed(after, &mut |entry| {
            bytes += entry.held.event.wire().get().len();
            entries.push(entry);
            Ok(entries.len() < PIECE_EVENTS_MAX && bytes < most)
        })?;
        Ok(entries)
    }

    /// As [`JournalReader::hash_at`](crate::store::JournalReader::hash_at).
    pub(super) fn hash_at(&self, position: Position) -> Result<Option<ChainHash>, StoreError> {
        if position == self.head.starts_after.0 {
            return Ok(Some(self.head.starts_after.1));
        }
        if let Some(stored) =
            self.head.snapshot.as_ref().filter(|stored| stored.head.position == position)
        {
            return Ok(Some(stored.head.hash));
        }
        let Ok(position) = i64::try_from(position.0) else { return Ok(None) };
        let failed = |error: rusqlite::Error| self.reading_failed(&error);
        let mut statement = self
            .connection
            .prepare_cached("SELECT hash FROM executed WHERE position = ?1")
            .map_err(failed)?;
        let hash = statement.query_row([position], |row| row.get(0)).optional();
        Ok(hash.map_err(failed)?.map(ChainHash))
    }

    /// A piece of a snapshot, if it is here.
    pub(super) fn piece_of(
        &self,
        stored: Option<&Stored>,
        index: u32,
    ) -> Result<Option<SnapshotPiece>, StoreError> {
        let Some(stored) = stored.filter(|stored| index < stored.here) else { return Ok(None) };
        let text = self.piece(stored, index)?;
        Ok(Some(SnapshotPiece { head: stored.head.clone(), index, text }))
    }

    fn reading_failed(&self, error: &rusqlite::Error) -> StoreError {
        reading_failed(self.path, error)
    }

    fn damaged(&self, why: String) -> StoreError {
        StoreError::Damaged { path: self.path.to_owned(), why }
    }
}
