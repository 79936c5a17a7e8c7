//! Group commit: everything that has queued up since the last commit goes to disk in one
//! transaction, and only then is anybody told about it.

use std::sync::Arc;

use super::compaction::{Compaction, Reach, Snapshots};
use super::shelf::Shelf;
use super::shelf::pieces::WithRuns;
use super::{Change, JournalReader, Read, Store, StoreError};
use crate::ids::Position;
use crate::ledger::Book;
use crate::ledger::book::{Run, RunName};
use crate::protocol::effect::{BufferInput, Effect, JournalInput, ViewInput};
use crate::protocol::execution::{Executions, JournalEntry};

/// The journal writer: owns the store, gathers changes, tells the protocol what is on disk.
pub struct GroupCommit {
    store: Box<dyn Store>,
    changes: Vec<Change>,
    /// The effects to send once `changes` are on disk.
    afterwards: Vec<Effect>,
    /// What to read after the commit.
    reads: Vec<Read>,
    compaction: Compaction,
    /// Where the runs of keys are that snapshots name.
    shelf: Option<Arc<dyn Shelf>>,
    /// An empty ledger, for a snapshot that arrives.
    blank: Book,
    /// Runs of keys that have arrived.
    runs: Vec<(RunName, Vec<u8>)>,
    /// The last position that is known to have been executed.
    executed: Position,
    /// Whether anything has gathered that somebody waits for. Execution marks alone can wait: they
    /// can be found again.
    urgent: bool,
}

impl GroupCommit {
    /// A writer on a store that has been loaded; snapshots of other banks are put into this ledger,
    /// which is empty.
    #[must_use]
    pub fn new(store: Box<dyn Store>, blank: Book) -> Self {
        GroupCommit {
            store,
            changes: Vec::new(),
            afterwards: Vec::new(),
            reads: Vec::new(),
            compaction: Compaction::default(),
            shelf: None,
            blank,
            runs: Vec::new(),
            executed: Position::default(),
            urgent: false,
        }
    }

    /// The same writer, which makes snapshots and goes on from `executed`.
    ///
    /// # Errors
    /// As for [`Store::remembered`].
    pub fn with_snapshots(
        mut self,
        when: Snapshots,
        executed: Position,
    ) -> Result<Self, StoreError> {
        let snapshot = self.store.remembered()?.snapshot;
        self.compaction = Compaction::new(when, snapshot.as_ref());
        if self.shelf.is_some() {
            self.compaction.name_runs();
        }
        Ok(GroupCommit { executed, ..self })
    }

    /// The same writer, whose snapshots name runs of keys that are on this shelf.
    #[must_use]
    pub fn with_shelf(mut self, shelf: Arc<dyn Shelf>) -> Self {
        self.compaction.name_runs();
        GroupCommit { shelf: Some(shelf), ..self }
    }

    /// Whether somebody waits for the next commit.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        self.urgent
    }

    /// Gathers one input; see [`JournalInput`].
    pub fn handle(&mut self, input: JournalInput) {
        self.urgent |= !matches!(
            input,
            JournalInput::Executed(_)
                | JournalInput::Snapshot { .. }
                // What belongs to a snapshot is on disk already.
                | JournalInput::ReadSnapshot { .. }
                | JournalInput::ReadRun { .. }
        );
        match input {
            JournalInput::Append { view, events, clock } => {
                self.changes.extend(events.into_iter().map(Change::Append));
                // One report covers everything that is appended in the same commit.
                let is_of_view = |last: &Effect| {
                    matches!(last, Effect::Buffer(BufferInput::Persisted { view: of, .. })
                        if *of == view)
                };
                self.afterwards.pop_if(|last| is_of_view(last));
                self.afterwards.push(Effect::Buffer(BufferInput::Persisted { view, clock }));
            }
            JournalInput::Executed(marks) => {
                self.executed = marks.last().map_or(self.executed, |mark| mark.position);
                self.changes.extend(marks.into_iter().map(Change::Executed));
            }
            JournalInput::Snapshot { present, executed } => {
                self.compaction.begin(present, executed);
            }
            JournalInput::Promise(frozen) => {
                self.changes.push(Change::Promise(frozen.ballot));
                self.afterwards.push(Effect::View(ViewInput::Frozen(frozen)));
            }
            JournalInput::Forgotten => self.changes.push(Change::Forgotten),
            JournalInput::Counts => self.changes.push(Change::Counts),
            JournalInput::Replayed { entries, executed } => self.replayed(entries, executed),
            JournalInput::Prepare { prepared, fetched, dropped, learner } => {
                // A bank that takes part in a view fetches nothing more.
                self.compaction.resume();
                self.afterwards.push(Effect::View(ViewInput::Prepared(prepared.ballot)));
                self.changes.push(Change::Prepared { plan: prepared, fetched, dropped, learner });
            }
            JournalInput::Read { to, after, bytes } => {
                self.read_later(Read::Journal { to, after, bytes });
            }
            of_a_snapshot => self.handle_snapshot(of_a_snapshot),
        }
    }

    /// What concerns a snapshot of another bank, or one for another bank.
    fn handle_snapshot(&mut self, input: JournalInput) {
        match input {
            JournalInput::ReadSnapshot { to, index, from, bytes } => {
                self.read_later(Read::SnapshotPiece { to, index, from, bytes });
            }
            JournalInput::ReadRun { to, name, from, bytes } => {
                self.read_later(Read::Run { to, name, from, bytes });
            }
            JournalInput::StorePiece(piece) => {
                self.compaction.abandon();
                let (head, next) = (piece.head.clone(), piece.index + 1);
                self.afterwards.push(Effect::View(ViewInput::PieceStored { head, next }));
                self.changes.push(Change::SnapshotPiece(piece));
            }
            JournalInput::StoreRun { name, content } => self.runs.push((name, content)),
            JournalInput::OpenSnapshot(head) => {
                self.compaction.abandon();
                let blank = Box::new(self.blank.clone());
                self.read_later(Read::ArrivedSnapshot(head, blank));
            }
            JournalInput::SnapshotOpened(head) => {
                self.compaction.opened(&head);
                let (position, hash, executed) = (head.position, head.hash, head.executed.clone());
                self.afterwards.push(Effect::View(ViewInput::Replayed {
                    position,
                    hash,
                    executed,
                }));
                self.executed = position;
                self.changes.push(Change::SnapshotComplete(head));
            }
            _ => unreachable!("all others are handled by `handle`"),
        }
    }

    fn read_later(&mut self, read: Read) {
        self.reads.retain(|before| !before.is_outdone_by(&read));
        self.reads.push(read);
    }

    fn replayed(&mut self, entries: Vec<JournalEntry>, executed: Executions) {
        let last = entries.last().expect("a piece of journal is not empty");
        let (position, hash) = (last.position, last.hash);
        self.executed = position;
        self.afterwards.push(Effect::View(ViewInput::Replayed { position, hash, executed }));
        self.changes.extend(entries.into_iter().map(Change::Replayed));
    }

    /// Time has passed: makes snapshots and keeps the journal to its limit, a little at a time.
    /// What is to be written goes with the next commit.
    ///
    /// # Errors
    /// As for [`GroupCommit::flush`].
    pub fn tick(&mut self, out: &mut Vec<Effect>) -> Result<(), StoreError> {
        let (from, settled) = (self.store.journal_starts_after()?, self.store.settled()?);
        let journal = Reach { from, settled, to: self.executed };
        self.compaction.step(journal, &mut self.changes, out);
        Ok(())
    }

    /// Commits what has gathered, then reports it. What is to be read now is in
    /// [`GroupCommit::take_reads`].
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the disk does; nothing may be retried then.
    pub fn flush(&mut self, out: &mut Vec<Effect>) -> Result<(), StoreError> {
        self.urgent = false;
        self.keep_runs()?;
        if !self.changes.is_empty() {
            self.store.write(&self.changes)?;
            self.changes.clear();
        }
        out.append(&mut self.afterwards);
        if let Some((first, shelf)) = self.compaction.take_first_run().zip(self.shelf.as_ref()) {
            shelf.drop_before(first)?;
        }
        Ok(())
    }

    /// Keeps runs that have arrived.
    fn keep_runs(&mut self) -> Result<(), StoreError> {
        for (name, content) in std::mem::take(&mut self.runs) {
            let kept = match (&self.shelf, Run::received(content, name)) {
                (Some(shelf), Some(run)) => shelf.put(&run).map(|_| ViewInput::RunStored(name))?,
                _ => ViewInput::SnapshotRefused,
            };
            self.afterwards.push(Effect::View(kept));
        }
        Ok(())
    }

    /// What is to be read: all before it is on disk after a commit, and unless the writer is
    /// [urgent](GroupCommit::is_urgent).
    pub fn take_reads(&mut self) -> Vec<Read> {
        std::mem::take(&mut self.reads)
    }

    /// A reader of the store, for use on another thread.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails.
    pub fn reader(&self) -> Result<Box<dyn JournalReader>, StoreError> {
        let reader = self.store.reader()?;
        Ok(match &self.shelf {
            Some(shelf) => Box::new(WithRuns::new(reader, Arc::clone(shelf))),
            None => reader,
        })
    }
}
