//! Group commit: everything that queued up since the last commit goes to disk in one transaction, and only then does
//! anybody hear of it.

use super::{Change, Store, StoreError};
use crate::protocol::effect::{BufferInput, Effect, JournalEntry, JournalInput, ViewInput};
use crate::protocol::ids::{Ballot, BankId, Position};

/// The journal writer: owns the store, gathers changes, tells the protocol what is on disk.
pub struct GroupCommit {
    store: Box<dyn Store>,
    changes: Vec<Change>,
    /// What to say once `changes` are on disk.
    afterwards: Vec<Effect>,
    reads: Vec<(BankId, Ballot, Position)>,
    /// Whether something gathered that somebody waits for. Marks of execution alone can wait: they are found again.
    urgent: bool,
}

impl GroupCommit {
    /// A writer on a store that has been loaded.
    #[must_use]
    pub fn new(store: Box<dyn Store>) -> Self {
        GroupCommit { store, changes: Vec::new(), afterwards: Vec::new(), reads: Vec::new(), urgent: false }
    }

    /// Whether somebody waits for the next commit.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        self.urgent
    }

    /// Gathers one input; see [`JournalInput`].
    pub fn handle(&mut self, input: JournalInput) {
        self.urgent |= !matches!(input, JournalInput::Executed(_));
        match input {
            JournalInput::Append { view, events, clock } => {
                self.changes.extend(events.into_iter().map(Change::Append));
                // One report covers all that is appended in the same commit.
                if let Some(Effect::Buffer(BufferInput::Persisted { view: last_view, clock: last })) =
                    self.afterwards.last_mut()
                    && *last_view == view
                {
                    *last = clock;
                } else {
                    self.afterwards.push(Effect::Buffer(BufferInput::Persisted { view, clock }));
                }
            }
            JournalInput::Executed(marks) => self.changes.extend(marks.into_iter().map(Change::Executed)),
            JournalInput::Promise(frozen) => {
                self.changes.push(Change::Promise(frozen.ballot));
                self.afterwards.push(Effect::View(ViewInput::Frozen(frozen)));
            }
            JournalInput::Replayed(entries) => self.replayed(entries),
            JournalInput::Prepare { prepared, fetched, dropped } => {
                self.afterwards.push(Effect::View(ViewInput::Prepared(prepared.ballot)));
                self.changes.push(Change::Prepared { plan: prepared, fetched, dropped });
            }
            JournalInput::Read { to, ballot, after } => self.reads.push((to, ballot, after)),
        }
    }

    fn replayed(&mut self, entries: Vec<JournalEntry>) {
        let last = entries.last().expect("a piece of journal is not empty");
        let (position, hash, key) = (last.position, last.hash, last.held.event.order_key());
        self.afterwards.push(Effect::View(ViewInput::Replayed { position, hash, last: key }));
        self.changes.extend(entries.into_iter().map(Change::Replayed));
    }

    /// Commits what has gathered, then says so.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the disk does; nothing may be retried then.
    pub fn flush(&mut self, out: &mut Vec<Effect>) -> Result<(), StoreError> {
        self.urgent = false;
        if !self.changes.is_empty() {
            self.store.write(&self.changes)?;
            self.changes.clear();
        }
        out.append(&mut self.afterwards);
        for (to, ballot, after) in std::mem::take(&mut self.reads) {
            let entries = self.store.executed_after(after)?;
            out.push(Effect::View(ViewInput::JournalRead { to, ballot, entries }));
        }
        Ok(())
    }
}
