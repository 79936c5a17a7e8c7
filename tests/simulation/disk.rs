//! A bank's disk in memory. What a process has not committed dies with it; a commit that a crash
//! interrupts is wholly there or not at all, which is what SQLite's WAL makes of torn writes and
//! lost tails (`tests/store/` tries that on the bytes of a real file). A flipped bit is noticed
//! when the file is opened or read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use netbanking::ids::{ChainHash, Position, Sha256Digest};
use netbanking::ledger::book::{Rows, Run};
use netbanking::protocol::event::Held;
use netbanking::protocol::execution::JournalEntry;
use netbanking::protocol::order_key::OrderKey;
use netbanking::protocol::snapshot::{SnapshotHead, SnapshotPiece, digest_of};
use netbanking::protocol::view::PreparePlan;
use netbanking::store::{
    Change, Found, JournalReader, PIECE_BYTES_MAX, PIECE_EVENTS_MAX, Remembered, Shelf, Store,
    StoreError,
};

/// What becomes of the next commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextWrite {
    Succeeds,
    /// The process dies in the middle of it.
    Torn {
        /// Whether the commit record had reached the disk.
        is_there: bool,
    },
    /// Its fsync fails, and the process ends. What it wrote can be read until the machine loses
    /// power, and is lost then with all that was written after it (A. Rebello et al., 'Can
    /// Applications Recover from fsync Failures?', 2020).
    FsyncFails,
}

#[derive(Clone, Debug, Default)]
struct Content {
    remembered: Remembered,
    events: BTreeMap<OrderKey, Held>,
    executed: BTreeMap<Position, (OrderKey, ChainHash)>,
    /// The last position that is no longer in the journal, and the chain hash there.
    starts_after: (Position, ChainHash),
    snapshot: Vec<String>,
    arriving: Vec<String>,
    /// Runs of keys, by number.
    runs: BTreeMap<u64, Run>,
}

#[derive(Debug)]
struct Stored {
    content: Content,
    is_damaged: bool,
    is_full: bool,
    next_write: NextWrite,
    /// Whether it has lost what it once held, with no view prepared on it since.
    is_lost: bool,
    /// What has really been on the disk since an fsync failed.
    before_doubt: Option<Content>,
}

/// A handle to a disk, held by the machine and by the process that runs on it.
#[derive(Clone, Debug)]
pub(crate) struct Disk(Arc<Mutex<Stored>>);

impl Disk {
    pub(crate) fn empty() -> Self {
        Disk(Arc::new(Mutex::new(Stored {
            content: Content::default(),
            is_damaged: false,
            is_full: false,
            next_write: NextWrite::Succeeds,
            is_lost: false,
            before_doubt: None,
        })))
    }

    /// The lock is there because a store may move to another thread; a seed has only one thread.
    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.0.lock().expect("a panic ends the run")
    }

    /// Whether an event is on the disk, executed or not, or is covered by its snapshot.
    pub(crate) fn holds(&self, key: OrderKey) -> bool {
        let stored = self.stored();
        let content = &stored.content;
        let in_snapshot =
            content.remembered.snapshot.as_ref().is_some_and(|head| key <= head.executed.last);
        in_snapshot || content.events.contains_key(&key)
    }

    /// Whether the disk says of itself that it has lost something.
    pub(crate) fn is_learner(&self) -> bool {
        self.stored().content.remembered.learner
    }

    /// Whether it counts as lost: it can no longer be asked for what it once held.
    pub(crate) fn is_lost(&self) -> bool {
        let stored = self.stored();
        stored.is_lost || stored.next_write == NextWrite::FsyncFails
    }

    /// A bit flips.
    pub(crate) fn damage(&self) {
        let mut stored = self.stored();
        stored.is_damaged = true;
        stored.is_lost = true;
    }

    /// Everything is gone: a new disk, or a damaged file that was moved aside.
    pub(crate) fn wipe(&self) {
        let mut stored = self.stored();
        stored.content = Content::default();
        stored.before_doubt = None;
        stored.is_damaged = false;
        stored.is_lost = true;
    }

    /// What the kernel had only in memory is gone.
    pub(crate) fn lose_power(&self) {
        let mut stored = self.stored();
        if let Some(before) = stored.before_doubt.take() {
            stored.content = before;
        }
    }

    /// A process starts. After an fsync that failed it does what `store/sqlite` does: everything
    /// that can be read is written once more before it is believed, and the disk is a learner.
    pub(crate) fn end_doubt(&mut self) -> Result<(), StoreError> {
        let was_in_doubt = self.stored().before_doubt.is_some();
        if !was_in_doubt {
            return Ok(());
        }
        self.write(&[Change::Doubted])?;
        self.stored().before_doubt = None;
        Ok(())
    }

    pub(crate) fn is_full(&self) -> bool {
        self.stored().is_full
    }

    pub(crate) fn set_full(&self, is_full: bool) {
        self.stored().is_full = is_full;
    }

    pub(crate) fn set_next_write(&self, next_write: NextWrite) {
        self.stored().next_write = next_write;
    }
}

fn path() -> PathBuf {
    PathBuf::from("simulated")
}

fn failed(why: &str) -> StoreError {
    StoreError::Failed { path: path(), why: why.to_owned() }
}

impl Stored {
    fn readable(&self) -> Result<&Content, StoreError> {
        if self.is_damaged {
            return Err(StoreError::Damaged { path: path(), why: "a flipped bit".to_owned() });
        }
        Ok(&self.content)
    }
}

impl Content {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Append(held) => self.insert_event(held),
            Change::Executed(mark) => self.insert_executed(mark.position, mark.key, mark.hash),
            Change::Replayed(entry) => {
                self.remembered.unverified = true;
                // In the version that was executed.
                self.events.insert(entry.held.event.order_key(), entry.held.clone());
                self.insert_executed(entry.position, entry.held.event.order_key(), entry.hash);
            }
            Change::Promise(ballot) => {
                assert!(*ballot >= self.remembered.promised, "a promise is never taken back");
                self.remembered.promised = *ballot;
            }
            Change::Forgotten => (self.remembered.learner, self.remembered.fresh) = (true, false),
            Change::Doubted => {
                let remembered = &mut self.remembered;
                (remembered.learner, remembered.fresh) =
                    (true, remembered.learner && remembered.fresh);
            }
            Change::Counts => (self.remembered.learner, self.remembered.fresh) = (false, false),
            Change::Prepared { plan, fetched, dropped, learner } => {
                for key in dropped {
                    assert!(
                        self.executed.values().all(|(executed, _)| executed != key),
                        "executed events stay"
                    );
                    self.events.remove(key);
                }
                self.drop_unplanned(plan);
                fetched.iter().for_each(|held| self.insert_event(held));
                let remembered = &mut self.remembered;
                remembered.prepared = plan.clone();
                remembered.fresh = *learner && (remembered.fresh || !remembered.learner);
                (remembered.learner, remembered.rescue, remembered.unverified) =
                    (*learner, false, false);
            }
            Change::SnapshotPiece(piece) => self.insert_piece(piece),
            Change::SamePiece { head, index, of, text } => {
                let same = self.snapshot[*of as usize].clone();
                assert_eq!(digest_of(&same), *text, "what has not changed is the same text");
                let (head, index) = (head.clone(), *index);
                self.insert_piece(&SnapshotPiece { head, index, text: same });
            }
            Change::SnapshotMade(head) => self.install(head),
            Change::SnapshotComplete(head) => {
                self.install(head);
                self.remembered.unverified = true;
                self.drop_through(head.position);
                self.events.retain(|key, _| *key > head.executed.last);
                self.starts_after = (head.position, head.hash);
            }
            Change::DropJournal { through } => self.drop_through(*through),
            // Here a start reads everything.
            Change::Settle { .. } => {}
        }
    }

    /// What is not part of the plan never existed, unless marks of execution are still under way.
    fn drop_unplanned(&mut self, plan: &PreparePlan) {
        let in_journal =
            self.executed.last_key_value().map(|(position, (key, _))| (*position, *key));
        let in_snapshot =
            self.remembered.snapshot.as_ref().map(|head| (head.position, head.executed.last));
        let last = in_journal.max(in_snapshot);
        if last.map(|(position, _)| position).unwrap_or_default() == plan.position {
            let planned = |key: &OrderKey| plan.events.iter().any(|(planned, _)| planned == key);
            self.events.retain(|key, _| last.is_some_and(|(_, last)| *key <= last) || planned(key));
        }
    }

    fn insert_piece(&mut self, piece: &SnapshotPiece) {
        if piece.index == 0 {
            self.arriving.clear();
        }
        assert_eq!(piece.index as usize, self.arriving.len(), "pieces come in order");
        self.arriving.push(piece.text.clone());
        let arriving = (piece.head.clone(), piece.index + 1);
        self.remembered.arriving = piece.head.is_finished().then_some(arriving);
    }

    fn install(&mut self, head: &SnapshotHead) {
        assert!(head.covers(&self.arriving), "all pieces of a snapshot are here");
        self.snapshot = std::mem::take(&mut self.arriving);
        self.remembered.arriving = None;
        self.remembered.snapshot = Some(head.clone());
    }

    /// Drops the oldest part of the journal, whose result a snapshot has.
    fn drop_through(&mut self, through: Position) {
        let snapshot =
            self.remembered.snapshot.as_ref().expect("journal is dropped below a snapshot only");
        assert!(through <= snapshot.position, "the snapshot goes on where the journal ends");
        let later = self.executed.split_off(&through.next());
        for (position, (key, hash)) in std::mem::replace(&mut self.executed, later) {
            self.events.remove(&key);
            self.starts_after = (position, hash);
        }
    }

    fn piece(head: Option<&SnapshotHead>, pieces: &[String], index: u32) -> Option<SnapshotPiece> {
        let text = pieces.get(index as usize)?.clone();
        Some(SnapshotPiece { head: head?.clone(), index, text })
    }

    /// As in SQLite, an event may be there already: held before it was fetched as executed.
    fn insert_event(&mut self, held: &Held) {
        self.events.entry(held.event.order_key()).or_insert_with(|| held.clone());
    }

    /// As in SQLite, a position and a key may each stand there only once.
    fn insert_executed(&mut self, position: Position, key: OrderKey, hash: ChainHash) {
        assert!(self.events.contains_key(&key), "what is executed is held");
        assert!(position > self.starts_after.0, "the journal goes on where it ends");
        if let Some((last, (last_key, _))) = self.executed.last_key_value() {
            assert!(*last < position && *last_key < key, "marks of execution only grow on disk");
        }
        self.executed.insert(position, (key, hash));
    }

    fn entry(&self, position: Position, key: OrderKey, hash: ChainHash) -> JournalEntry {
        JournalEntry { held: self.events[&key].clone(), position, hash }
    }
}

impl Store for Disk {
    fn remembered(&mut self) -> Result<Remembered, StoreError> {
        let stored = self.stored();
        let content = stored.readable()?;
        Ok(content.remembered.clone())
    }

    fn load(
        &mut self,
        found: &mut dyn FnMut(Found) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        // Whoever is handed something may use the disk.
        let content = self.stored().readable()?.clone();
        let mut beyond = content.events.clone();
        let snapshot = content.remembered.snapshot.clone();
        let from = snapshot.as_ref().map(|head| head.position).unwrap_or_default();
        if let Some(head) = snapshot {
            for (index, text) in (0..).zip(content.snapshot.clone()) {
                found(Found::Piece(SnapshotPiece { head: head.clone(), index, text }))?;
            }
        }
        for (position, (key, hash)) in &content.executed {
            beyond.remove(key);
            if *position <= from {
                continue;
            }
            found(Found::Executed(content.entry(*position, *key, *hash)))?;
        }
        beyond.into_values().try_for_each(|held| found(Found::Held(held)))
    }

    fn write(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let mut stored = self.stored();
        if stored.is_full {
            return Err(failed("no space left"));
        }
        let fate = std::mem::replace(&mut stored.next_write, NextWrite::Succeeds);
        if fate == NextWrite::FsyncFails {
            stored.is_lost = true;
            let before = stored.content.clone();
            stored.before_doubt.get_or_insert(before);
        }
        if fate != (NextWrite::Torn { is_there: false }) {
            changes.iter().for_each(|change| stored.content.apply(change));
            let prepares = changes.iter().any(|change| matches!(change, Change::Prepared { .. }));
            stored.is_lost &= stored.is_damaged || stored.before_doubt.is_some() || !prepares;
        }
        if fate == NextWrite::Succeeds { Ok(()) } else { Err(failed("the process died meanwhile")) }
    }

    fn reader(&self) -> Result<Box<dyn JournalReader>, StoreError> {
        Ok(Box::new(self.clone()))
    }
}

impl Shelf for Disk {
    fn put(&self, run: &Run) -> Result<Run, StoreError> {
        let mut stored = self.stored();
        if stored.is_full {
            return Err(failed("no space left"));
        }
        let content = run.content().into_owned();
        let kept = run.kept_in(Arc::new(Kept(content)));
        stored.content.runs.insert(run.number(), kept.clone());
        Ok(kept)
    }

    fn take(&self, number: u64, digest: Sha256Digest) -> Result<Option<Run>, StoreError> {
        let run = self.stored().readable()?.runs.get(&number).cloned();
        let is_it = run.as_ref().is_none_or(|run| run.digest() == digest);
        assert!(is_it, "all that was executed gives the same run");
        Ok(run)
    }

    fn drop_before(&self, number: u64) -> Result<(), StoreError> {
        self.stored().content.runs.retain(|of, _| *of >= number);
        Ok(())
    }
}

/// The bytes of a run on the disk.
#[derive(Debug)]
struct Kept(Vec<u8>);

impl Rows for Kept {
    fn read(&self, range: Range<usize>) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.0[range])
    }

    fn give_up(&self, why: &str) -> ! {
        panic!("nothing damages them: {why}")
    }
}

impl JournalReader for Disk {
    fn begin(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn end(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn executed_after(
        &mut self,
        after: Position,
        most: usize,
    ) -> Result<Vec<JournalEntry>, StoreError> {
        let stored = self.stored();
        let content = stored.readable()?;
        let mut bytes = 0;
        let mut entries = Vec::new();
        for (position, (key, hash)) in content.executed.range(after.next()..) {
            let entry = content.entry(*position, *key, *hash);
            bytes += entry.held.event.wire().get().len();
            entries.push(entry);
            if entries.len() >= PIECE_EVENTS_MAX || bytes >= most.min(PIECE_BYTES_MAX) {
                break;
            }
        }
        Ok(entries)
    }

    fn hash_at(&mut self, position: Position) -> Result<Option<ChainHash>, StoreError> {
        let stored = self.stored();
        let content = stored.readable()?;
        let snapshot = content.remembered.snapshot.as_ref().map(|head| (head.position, head.hash));
        let ends = [Some(content.starts_after), snapshot];
        let at_end = ends.into_iter().flatten().find(|(end, _)| *end == position);
        Ok(at_end
            .or_else(|| content.executed.get(&position).copied().map(|(_, hash)| (position, hash)))
            .map(|(_, hash)| hash))
    }

    fn journal_starts_after(&mut self) -> Result<Position, StoreError> {
        Ok(self.stored().readable()?.starts_after.0)
    }

    fn settled(&mut self) -> Result<Position, StoreError> {
        Ok(Position(u64::MAX))
    }

    fn snapshot_piece(&mut self, index: u32) -> Result<Option<SnapshotPiece>, StoreError> {
        let stored = self.stored();
        let content = stored.readable()?;
        Ok(Content::piece(content.remembered.snapshot.as_ref(), &content.snapshot, index))
    }

    fn arriving_piece(&mut self, index: u32) -> Result<Option<SnapshotPiece>, StoreError> {
        let stored = self.stored();
        let content = stored.readable()?;
        let head = content.remembered.arriving.as_ref().map(|(head, _)| head);
        Ok(Content::piece(head, &content.arriving, index))
    }
}
