//! A bank's disk in memory. What a process has not committed dies with it; a commit that a crash interrupts is wholly
//! there or not at all, which is what SQLite's WAL makes of torn writes and lost tails (`tests/store.rs` tries that on
//! the bytes of a real file). A flipped bit is noticed when the file is opened or read.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use netbanking::protocol::effect::JournalEntry;
use netbanking::protocol::event::Held;
use netbanking::protocol::ids::{Ballot, ChainHash, Position};
use netbanking::protocol::order_key::OrderKey;
use netbanking::protocol::snapshot::SnapshotPiece;
use netbanking::protocol::view::PreparePlan;
use netbanking::store::{Change, Found, PIECE_BYTES_MAX, PIECE_EVENTS_MAX, Remembered, Store, StoreError};

/// What becomes of the next commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextWrite {
    Succeeds,
    /// The process dies in the middle of it.
    Torn {
        /// Whether the commit record had reached the disk.
        is_there: bool,
    },
}

#[derive(Debug, Default)]
struct Content {
    promised: Ballot,
    prepared: PreparePlan,
    learner: bool,
    events: BTreeMap<OrderKey, Held>,
    executed: BTreeMap<Position, (OrderKey, ChainHash)>,
}

#[derive(Debug)]
struct Stored {
    content: Content,
    is_damaged: bool,
    is_full: bool,
    next_write: NextWrite,
    /// Whether it has lost what it once held and no view was prepared on it since.
    is_lost: bool,
}

/// A handle on a disk, held by the machine and by the process that runs on it.
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
        })))
    }

    /// The lock is there because a store may move to another thread; a seed has only one.
    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.0.lock().expect("a panic ends the run")
    }

    /// Whether an event is on it, executed or not.
    pub(crate) fn holds(&self, key: OrderKey) -> bool {
        self.stored().content.events.contains_key(&key)
    }

    /// Whether the disk says of itself that it has lost something.
    pub(crate) fn is_learner(&self) -> bool {
        self.stored().content.learner
    }

    /// Whether it counts as lost: what it once held it cannot be asked for any more.
    pub(crate) fn is_lost(&self) -> bool {
        self.stored().is_lost
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
        stored.is_damaged = false;
        stored.is_lost = true;
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
                self.insert_event(&entry.held);
                self.insert_executed(entry.position, entry.held.event.order_key(), entry.hash);
            }
            Change::Promise(ballot) => {
                assert!(*ballot >= self.promised, "a promise is never taken back");
                self.promised = *ballot;
            }
            Change::Forgotten => self.learner = true,
            Change::Prepared { plan, fetched, dropped } => {
                for key in dropped {
                    assert!(self.executed.values().all(|(executed, _)| executed != key), "executed events stay");
                    self.events.remove(key);
                }
                fetched.iter().for_each(|held| self.insert_event(held));
                self.prepared = plan.clone();
                self.learner = false;
            }
            Change::SnapshotPiece(_) | Change::SnapshotComplete(_) => panic!("nobody drops journal here"),
        }
    }

    /// As in SQLite an event may be there already: held before it was fetched as executed.
    fn insert_event(&mut self, held: &Held) {
        self.events.entry(held.event.order_key()).or_insert_with(|| held.clone());
    }

    /// As in SQLite a position and a key stand there once.
    fn insert_executed(&mut self, position: Position, key: OrderKey, hash: ChainHash) {
        assert!(self.events.contains_key(&key), "what is executed is held");
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
        Ok(Remembered { promised: content.promised, prepared: content.prepared.clone() })
    }

    fn load(&mut self, found: &mut dyn FnMut(Found) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let stored = self.stored();
        let content = stored.readable()?;
        let mut beyond = content.events.clone();
        for (position, (key, hash)) in &content.executed {
            beyond.remove(key);
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
        if fate != (NextWrite::Torn { is_there: false }) {
            changes.iter().for_each(|change| stored.content.apply(change));
            let prepares = changes.iter().any(|change| matches!(change, Change::Prepared { .. }));
            stored.is_lost &= stored.is_damaged || !prepares;
        }
        if fate == NextWrite::Succeeds { Ok(()) } else { Err(failed("the process died meanwhile")) }
    }

    fn executed_after(&mut self, after: Position) -> Result<Vec<JournalEntry>, StoreError> {
        let stored = self.stored();
        let content = stored.readable()?;
        let mut bytes = 0;
        let mut entries = Vec::new();
        for (position, (key, hash)) in content.executed.range(after.next()..) {
            let entry = content.entry(*position, *key, *hash);
            bytes += entry.held.event.wire().get().len();
            entries.push(entry);
            if entries.len() >= PIECE_EVENTS_MAX || bytes >= PIECE_BYTES_MAX {
                break;
            }
        }
        Ok(entries)
    }

    fn hash_at(&mut self, position: Position) -> Result<Option<ChainHash>, StoreError> {
        if position == Position(0) {
            return Ok(Some(ChainHash::default()));
        }
        Ok(self.stored().readable()?.executed.get(&position).map(|(_, hash)| *hash))
    }

    fn journal_starts_after(&mut self) -> Result<Position, StoreError> {
        Ok(Position(0))
    }

    fn snapshot_piece(&mut self, _: u32) -> Result<Option<SnapshotPiece>, StoreError> {
        Ok(None)
    }

    fn arriving_piece(&mut self, _: u32) -> Result<Option<SnapshotPiece>, StoreError> {
        Ok(None)
    }
}
