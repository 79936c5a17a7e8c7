//! A bank's disk in memory. What a process has not committed dies with it; a commit that a crash interrupts is wholly
//! there or not at all, which is what SQLite's WAL makes of torn writes and lost tails.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use netbanking::protocol::effect::JournalEntry;
use netbanking::protocol::event::Held;
use netbanking::protocol::ids::{Ballot, ChainHash, Position};
use netbanking::protocol::order_key::OrderKey;
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

#[derive(Debug)]
struct Stored {
    promised: Ballot,
    prepared: PreparePlan,
    events: BTreeMap<OrderKey, Held>,
    executed: BTreeMap<Position, (OrderKey, ChainHash)>,
    is_damaged: bool,
    is_full: bool,
    next_write: NextWrite,
}

/// A handle on a disk, held by the machine and by the process that runs on it.
#[derive(Clone, Debug)]
pub(crate) struct Disk(Arc<Mutex<Stored>>);

impl Disk {
    pub(crate) fn empty() -> Self {
        Disk(Arc::new(Mutex::new(Stored {
            promised: Ballot::default(),
            prepared: PreparePlan::default(),
            events: BTreeMap::new(),
            executed: BTreeMap::new(),
            is_damaged: false,
            is_full: false,
            next_write: NextWrite::Succeeds,
        })))
    }

    /// The lock is there because a store may move to another thread; a seed has only one.
    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.0.lock().expect("a panic ends the run")
    }

    pub(crate) fn holds(&self, key: OrderKey) -> bool {
        self.stored().events.contains_key(&key)
    }

    pub(crate) fn damage(&self) {
        self.stored().is_damaged = true;
    }

    pub(crate) fn set_full(&self, is_full: bool) {
        self.stored().is_full = is_full;
    }

    pub(crate) fn set_next_write(&self, next_write: NextWrite) {
        self.stored().next_write = next_write;
    }
}

fn failed(why: &str) -> StoreError {
    StoreError::Failed { path: PathBuf::from("simulated"), why: why.to_owned() }
}

impl Stored {
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
            Change::Prepared { plan, fetched, dropped } => {
                for key in dropped {
                    assert!(self.executed.values().all(|(executed, _)| executed != key), "executed events stay");
                    self.events.remove(key);
                }
                fetched.iter().for_each(|held| self.insert_event(held));
                self.prepared = plan.clone();
            }
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
        if stored.is_damaged {
            return Err(StoreError::Damaged { path: PathBuf::from("simulated"), why: "a flipped bit".to_owned() });
        }
        Ok(Remembered { promised: stored.promised, prepared: stored.prepared.clone() })
    }

    fn load(&mut self, found: &mut dyn FnMut(Found) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let stored = self.stored();
        let mut beyond = stored.events.clone();
        for (position, (key, hash)) in &stored.executed {
            beyond.remove(key);
            found(Found::Executed(stored.entry(*position, *key, *hash)))?;
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
            changes.iter().for_each(|change| stored.apply(change));
        }
        if fate == NextWrite::Succeeds { Ok(()) } else { Err(failed("the process died meanwhile")) }
    }

    fn executed_after(&mut self, after: Position) -> Result<Vec<JournalEntry>, StoreError> {
        let stored = self.stored();
        let mut bytes = 0;
        let mut entries = Vec::new();
        for (position, (key, hash)) in stored.executed.range(after.next()..) {
            let entry = stored.entry(*position, *key, *hash);
            bytes += entry.held.event.wire().get().len();
            entries.push(entry);
            if entries.len() >= PIECE_EVENTS_MAX || bytes >= PIECE_BYTES_MAX {
                break;
            }
        }
        Ok(entries)
    }
}
