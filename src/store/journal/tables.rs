//! What an engine is asked for: rows in and out.

use super::digest::RowDigest;
use super::rows::{EventRow, NewEvent};
use crate::ids::{ChainHash, Position};
use crate::protocol::execution::ExecutedMark;
use crate::protocol::order_key::OrderKey;
use crate::store::StoreError;

/// What is written does not fit what is there.
#[derive(Debug)]
pub(in crate::store) struct Unfit;

/// The tables of one journal, as one connection sees them. Keys are compared as a whole: round,
/// coordinator, sum, sender. All rows come in the order of their keys or positions.
pub(in crate::store) trait Tables {
    /// Why the engine did not do what it was asked.
    type Error: From<Unfit>;

    /// What it means that reading failed.
    fn reading_failed(&self, error: &Self::Error) -> StoreError;

    /// What it means that writing failed.
    fn writing_failed(&self, error: &Self::Error) -> StoreError;

    /// What is here is not what was written.
    fn damaged(&self, why: String) -> StoreError;

    /// The content of the head, and its digest.
    fn read_head(&self) -> Result<Option<(String, Vec<u8>)>, Self::Error>;

    /// Replaces the head.
    fn write_head(&self, content: &str, digest: &[u8]) -> Result<(), Self::Error>;

    /// The prepared plan.
    fn read_plan(&self) -> Result<Option<String>, Self::Error>;

    /// Replaces the prepared plan.
    fn write_plan(&self, content: &str) -> Result<(), Self::Error>;

    /// Inserts events whose keys are not there yet; says of each whether it was inserted.
    fn insert_events(&self, rows: &[NewEvent<'_>]) -> Result<Vec<bool>, Self::Error>;

    /// Deletes the events of these keys that have other digests than these; returns what they had.
    fn delete_other_versions(
        &self,
        rows: &[(OrderKey, RowDigest)],
    ) -> Result<Vec<(OrderKey, RowDigest)>, Self::Error>;

    /// Deletes the events from one key to another, both included; returns their digests.
    fn delete_events(
        &self,
        from: Option<OrderKey>,
        through: Option<OrderKey>,
    ) -> Result<Vec<(OrderKey, RowDigest)>, Self::Error>;

    /// The keys of the events above one.
    fn keys_above(&self, key: Option<OrderKey>) -> Result<Vec<OrderKey>, Self::Error>;

    /// The first events, at most so many, after one key and through another.
    fn events_after(
        &self,
        after: Option<OrderKey>,
        through: Option<OrderKey>,
        most: usize,
    ) -> Result<Vec<EventRow>, Self::Error>;

    /// Inserts marks of execution; no position may be there already.
    fn insert_marks(&self, marks: &[&ExecutedMark]) -> Result<(), Self::Error>;

    /// The mark with the highest position.
    fn last_mark(&self) -> Result<Option<ExecutedMark>, Self::Error>;

    /// The first marks, at most so many, after one position and through another.
    fn marks_after(
        &self,
        after: Position,
        through: Position,
        most: usize,
    ) -> Result<Vec<ExecutedMark>, Self::Error>;

    /// Deletes the first marks through a position, at most so many; returns them in any order.
    fn delete_marks(&self, through: Position, most: i64) -> Result<Vec<ExecutedMark>, Self::Error>;

    /// The first executed events after a position, at most so many.
    fn executed_after(
        &self,
        after: Position,
        most: usize,
    ) -> Result<Vec<(EventRow, Position, ChainHash)>, Self::Error>;

    /// The hash of the mark at a position.
    fn hash_at(&self, position: Position) -> Result<Option<ChainHash>, Self::Error>;

    /// A piece of a snapshot, and its digest.
    fn read_piece(&self, number: i64, index: u32)
    -> Result<Option<(String, Vec<u8>)>, Self::Error>;

    /// Writes a piece, in place of what may be there.
    fn write_piece(
        &self,
        number: i64,
        index: u32,
        text: &str,
        digest: RowDigest,
    ) -> Result<(), Self::Error>;

    /// Writes a piece that has the text of another one, which is here, by snapshot and place.
    /// Returns whether it was.
    fn write_same_piece(
        &self,
        of: (i64, u32),
        to: (i64, u32),
        digest: RowDigest,
    ) -> Result<bool, Self::Error>;

    /// Deletes pieces of all snapshots but these, at most so many: there may be hundreds, each of
    /// which takes as long to delete as to write.
    fn delete_pieces_but(&self, numbers: [i64; 2], most: u32) -> Result<(), Self::Error>;

    /// Deletes all pieces, even if it is their index that is damaged.
    fn delete_all_pieces(&self) -> Result<(), Self::Error>;
}
