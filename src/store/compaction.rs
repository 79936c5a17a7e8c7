//! Keeps the journal below a limit while the node runs: asks the ledger for a copy of itself,
//! writes it down as a snapshot a few pieces at a time, and then drops the journal's old end bit by
//! bit.
//!
//! All of it goes through ordinary changes, in commits that happen anyway, so nobody waits for it.
//! A crash at any moment leaves the old snapshot or the new one, and a journal that reaches back to
//! that snapshot.

use std::sync::Arc;

use super::Change;
use crate::ids::{Position, Sha256Digest};
use crate::ledger::book::{Pieces, Present};
use crate::protocol::effect::{Effect, LedgerInput};
use crate::protocol::execution::Executions;
use crate::protocol::snapshot::{SnapshotHead, SnapshotPiece, digest_with};

/// The most pieces that are written at a time.
const PIECES_AT_ONCE: usize = 4;

/// What keeps one node's journal short.
#[derive(Debug, Default)]
pub(super) struct Compaction {
    /// The most positions that the journal may reach back; 0 means no limit.
    positions_max: u64,
    stage: Stage,
    /// A snapshot is arriving from another bank.
    arriving: bool,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Idle,
    /// The ledger was asked for a copy of itself.
    Asked,
    /// A first pass over the pieces, to know what the head must say,
    Hashing { present: Arc<Present>, left: Pieces, head: SnapshotHead },
    /// a second one to store them.
    Storing { left: Pieces, head: SnapshotHead, next: u32 },
    /// The snapshot is on disk, and the journal's old end is being dropped.
    Dropping { through: Position, before: Option<Position> },
}

impl Compaction {
    pub(super) fn new(positions_max: u64) -> Self {
        Compaction { positions_max, ..Compaction::default() }
    }

    /// The ledger's copy of itself has come. A copy from before the position that the journal has
    /// reached meanwhile is of no use: it would end below a snapshot that was opened.
    pub(super) fn begin(&mut self, present: Arc<Present>, executed: Executions, reached: Position) {
        if present.position() < reached {
            self.stage = Stage::Idle;
        }
        if matches!(self.stage, Stage::Asked) {
            let (position, hash) = (present.position(), present.hash());
            let head = SnapshotHead {
                position,
                hash,
                executed,
                pieces: 0,
                digest: Sha256Digest::default(),
            };
            self.stage = Stage::Hashing { left: Pieces::of(Arc::clone(&present)), present, head };
        }
    }

    /// A snapshot is arriving from another bank: there is no room for this bank's own one, which
    /// would also be older.
    pub(super) fn abandon(&mut self) {
        self.stage = Stage::Idle;
        self.arriving = true;
    }

    /// No snapshot is arriving any more.
    pub(super) fn resume(&mut self) {
        self.arriving = false;
    }

    /// Does a bounded amount of further work; the journal reaches from position `from` to position
    /// `to`.
    pub(super) fn step(
        &mut self,
        from: Position,
        to: Position,
        changes: &mut Vec<Change>,
        out: &mut Vec<Effect>,
    ) {
        self.stage = match std::mem::take(&mut self.stage) {
            Stage::Idle
                if !self.arriving
                    && self.positions_max > 0
                    && to.0.saturating_sub(from.0) > self.positions_max =>
            {
                out.push(Effect::Ledger(LedgerInput::Snapshot));
                Stage::Asked
            }
            Stage::Hashing { present, mut left, mut head } => {
                let before = head.pieces;
                for piece in left.by_ref().take(PIECES_AT_ONCE) {
                    head.pieces += 1;
                    head.digest = digest_with(head.digest, &piece);
                }
                if head.pieces > before {
                    Stage::Hashing { present, left, head }
                } else {
                    Stage::Storing { left: Pieces::of(present), head, next: 0 }
                }
            }
            Stage::Storing { mut left, head, mut next } => {
                for text in left.by_ref().take(PIECES_AT_ONCE) {
                    changes.push(Change::SnapshotPiece(SnapshotPiece {
                        head: head.clone(),
                        index: next,
                        text,
                    }));
                    next += 1;
                }
                if next < head.pieces {
                    Stage::Storing { left, head, next }
                } else {
                    // Banks that were away only for a moment will still find what they lack in the
                    // journal.
                    let through = Position(head.position.0.saturating_sub(self.positions_max / 2));
                    changes.push(Change::SnapshotMade(head));
                    Stage::Dropping { through, before: None }
                }
            }
            Stage::Dropping { through, before } if from < through && before != Some(from) => {
                changes.push(Change::DropJournal { through });
                Stage::Dropping { through, before: Some(from) }
            }
            Stage::Dropping { .. } => Stage::Idle,
            stage => stage,
        };
    }
}
