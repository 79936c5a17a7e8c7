//! Keeps a start short, and the journal below a limit if it has one, while the node runs: asks the
//! ledger for a copy of itself, writes it down as a snapshot a few pieces at a time, drops the
//! journal's old end bit by bit if there is a limit, and settles what led to the snapshot.
//!
//! All of it goes through ordinary changes, in commits that happen anyway, so nobody waits for it.
//! A crash at any moment leaves the old snapshot or the new one, and a journal that reaches back to
//! that snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Change;
use crate::ids::{Position, Sha256Digest};
use crate::ledger::book::{Group, Piece, Pieces, Present};
use crate::protocol::effect::{Effect, LedgerInput};
use crate::protocol::execution::Executions;
use crate::protocol::snapshot::SnapshotHead;

/// How much work is done at a time, in parts of a piece: where the journal has a limit,
const WORK_AT_ONCE: u32 = 4;
/// and where only starts wait for it.
const WORK_AT_LEISURE: u32 = 2;
/// What making a piece and writing it costs,
const MAKING: u32 = 4;
/// and writing one again that has not changed.
const COPYING: u32 = 1;
/// A snapshot that is made for the sake of starts is not made before there are this many positions
/// for each piece of the last one: a large ledger is written down less often, and never costs more
/// of the disk than the journal does.
const POSITIONS_PER_PIECE: u64 = 1_000;

/// When a node makes snapshots, in positions; 0 stands for never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshots {
    /// The most that the journal may reach back: beyond it, a snapshot takes its place.
    pub journal_max: u64,
    /// The most that a start should have to execute: beyond it, a snapshot is made beside the
    /// journal, which stays.
    pub every: u64,
}

/// How far a journal reaches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    /// Where it begins.
    pub(super) from: Position,
    /// How far of it is settled.
    pub(super) settled: Position,
    /// Where it ends.
    pub(super) to: Position,
}

/// What keeps one node's journal and starts short.
#[derive(Debug, Default)]
pub(super) struct Compaction {
    when: Snapshots,
    /// The position of the last snapshot, and how many pieces it has.
    last: (Position, u32),
    stage: Stage,
    /// What of the last snapshot the next one may take over; nothing unless this process wrote it.
    written: Written,
    /// Work that may be done, in parts of a piece.
    credit: u32,
    /// A snapshot is arriving from another bank.
    arriving: bool,
    /// Whether runs of keys are kept apart, so that it is enough to name them.
    names_runs: bool,
    /// Runs of keys before this one are not named by the snapshot that goes with the next commit.
    first_run: Option<u64>,
}

/// A snapshot that is being written.
#[derive(Debug)]
struct Storing {
    present: Arc<Present>,
    left: Pieces,
    head: SnapshotHead,
    written: Written,
}

/// Which pieces of a snapshot each group has, and what their texts hash to.
#[derive(Debug, Default)]
struct Written {
    position: Position,
    groups: BTreeMap<Group, Vec<(u32, Sha256Digest)>>,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Idle,
    /// The ledger was asked for a copy of itself.
    Asked,
    /// The copy is being written down; the head says what has been written so far.
    Storing(Box<Storing>),
    /// The snapshot is on disk, and the journal's old end is being dropped,
    Dropping { through: Position, before: Option<Position> },
    /// and the rest of what led to the snapshot settled.
    Settling { before: Option<Position> },
}

impl Compaction {
    /// For a disk with this snapshot: what led to it may have been settled in part.
    pub(super) fn new(when: Snapshots, snapshot: Option<&SnapshotHead>) -> Self {
        let last = snapshot.map(|head| (head.position, head.pieces)).unwrap_or_default();
        Compaction { when, last, stage: Stage::Settling { before: None }, ..Compaction::default() }
    }

    /// From now on, runs of keys are named instead of written down.
    pub(super) fn name_runs(&mut self) {
        self.names_runs = true;
    }

    /// Whether a journal is so long that a snapshot is due.
    fn is_due(&self, Reach { from, to, .. }: Reach) -> bool {
        let Snapshots { journal_max, every } = self.when;
        let exceeds = |from: Position, limit: u64| limit > 0 && to.0.saturating_sub(from.0) > limit;
        let (position, pieces) = self.last;
        let every = if every > 0 { every.max(u64::from(pieces) * POSITIONS_PER_PIECE) } else { 0 };
        exceeds(from, journal_max) || exceeds(position, every)
    }

    /// The ledger's copy of itself has come, perhaps long after it was taken: the past had to reach
    /// the disk first, and the ledger went on meanwhile. A copy from before the snapshot that is
    /// here is of no use: one was opened that another bank had made.
    pub(super) fn begin(&mut self, present: Arc<Present>, executed: Executions) {
        if !matches!(self.stage, Stage::Asked) {
            return;
        }
        if present.position() <= self.last.0 {
            self.stage = Stage::Idle;
            return;
        }
        let head = SnapshotHead::begun(present.position(), present.hash(), executed);
        let pieces = if self.names_runs { Pieces::of } else { Pieces::with_runs };
        let written = Written { position: present.position(), ..Written::default() };
        let left = pieces(Arc::clone(&present));
        self.stage = Stage::Storing(Box::new(Storing { present, left, head, written }));
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

    /// A snapshot of another bank was opened.
    pub(super) fn opened(&mut self, head: &SnapshotHead) {
        (self.arriving, self.last) = (false, (head.position, head.pieces));
        self.written = Written::default();
    }

    /// Does a bounded amount of further work.
    pub(super) fn step(
        &mut self,
        journal: Reach,
        changes: &mut Vec<Change>,
        out: &mut Vec<Effect>,
    ) {
        let stage = match std::mem::take(&mut self.stage) {
            Stage::Settling { before } if self.is_settled(journal, before) => Stage::Idle,
            stage => stage,
        };
        self.stage = match stage {
            Stage::Idle if !self.arriving && self.is_due(journal) => {
                out.push(Effect::Ledger(LedgerInput::Snapshot));
                Stage::Asked
            }
            Stage::Storing(mut storing) => {
                let at_once = self.when.journal_max > 0;
                self.credit += if at_once { WORK_AT_ONCE } else { WORK_AT_LEISURE };
                if self.write(&mut storing, changes) {
                    Stage::Storing(storing)
                } else {
                    let Storing { present, head, written, .. } = *storing;
                    (self.last, self.written) = ((head.position, head.pieces), written);
                    self.made(&present, head, changes)
                }
            }
            Stage::Dropping { through, before }
                if journal.from < through && before != Some(journal.from) =>
            {
                changes.push(Change::DropJournal { through });
                Stage::Dropping { through, before: Some(journal.from) }
            }
            Stage::Dropping { .. } if self.is_settled(journal, None) => Stage::Idle,
            Stage::Dropping { .. } | Stage::Settling { .. } => {
                changes.push(Change::Settle { through: self.last.0 });
                Stage::Settling { before: Some(journal.settled) }
            }
            stage => stage,
        };
    }

    /// Writes what there is credit for; returns whether anything is left.
    fn write(&mut self, storing: &mut Storing, changes: &mut Vec<Change>) -> bool {
        let Storing { left, head, written, .. } = storing;
        let before = &self.written;
        while self.credit >= MAKING {
            match left.next_piece(before.position, |group| before.groups.contains_key(&group)) {
                None => return false,
                Some(Piece::Text(text, group)) => {
                    self.credit -= MAKING;
                    let (piece, digest) = head.next_piece(text);
                    if let Some(group) = group {
                        written.groups.entry(group).or_default().push((piece.index, digest));
                    }
                    changes.push(Change::SnapshotPiece(piece));
                }
                Some(Piece::Unchanged(group)) => {
                    for (of, text) in before.groups[&group].iter().copied() {
                        self.credit = self.credit.saturating_sub(COPYING);
                        let (begun, index) = (head.as_begun(), head.pieces);
                        head.count(text);
                        written.groups.entry(group).or_default().push((index, text));
                        changes.push(Change::SamePiece { head: begun, index, of, text });
                    }
                }
            }
        }
        true
    }

    /// All pieces are written, or will be with the next commit.
    fn made(&mut self, present: &Present, head: SnapshotHead, changes: &mut Vec<Change>) -> Stage {
        self.first_run = Some(present.first_run());
        // Banks that were away only for a moment will still find what they lack in the journal.
        let kept = match self.when.journal_max {
            0 => head.position.0,
            most => most / 2,
        };
        let through = Position(head.position.0.saturating_sub(kept));
        changes.push(Change::SnapshotMade(head));
        Stage::Dropping { through, before: None }
    }

    /// Everything that was to be written is on disk: runs of keys before this one, if there is one,
    /// are not needed any more.
    pub(super) fn take_first_run(&mut self) -> Option<u64> {
        self.first_run.take()
    }

    /// Whether all is settled that led to the snapshot, or nothing came of settling the last time,
    /// when the journal was settled through `before`.
    fn is_settled(&self, journal: Reach, before: Option<Position>) -> bool {
        journal.settled >= self.last.0 || before == Some(journal.settled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_due_by_what_came_after_the_last_and_rarer_for_a_large_ledger() {
        let is_due = |when: Snapshots, last: (u64, u32), from: u64, to: u64| {
            let last = (Position(last.0), last.1);
            let compaction = Compaction { when, last, ..Compaction::default() };
            let (from, to) = (Position(from), Position(to));
            compaction.is_due(Reach { from, settled: from, to })
        };
        let every = Snapshots { journal_max: 0, every: 5_000 };
        assert!(!is_due(every, (0, 0), 0, 5_000) && is_due(every, (0, 0), 0, 5_001));
        assert!(!is_due(every, (5_001, 1), 0, 10_001) && is_due(every, (5_001, 1), 0, 10_002));
        assert!(
            !is_due(every, (5_001, 300), 0, 305_001) && is_due(every, (5_001, 300), 0, 305_002)
        );
        let both = Snapshots { journal_max: 20_000, every: 5_000 };
        assert!(is_due(both, (5_000, 300), 0, 20_001), "the limit of the journal is kept");
        assert!(!is_due(Snapshots::default(), (0, 0), 0, u64::MAX));
    }
}
