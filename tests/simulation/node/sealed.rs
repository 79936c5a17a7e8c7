//! Keys that were sealed, and copies of the ledger that name them, on their way to the disk.

use netbanking::protocol::effect::{Effect, JournalInput};
use netbanking::store::{Shelf as _, StoreError};

use super::{Part, Post, Process};

impl Process {
    /// As `actors/ledger.rs` does: sealed keys go to the disk some time after they were sealed, and
    /// a copy of the ledger for a snapshot waits for those that it names, and for the past.
    pub(super) fn keep_keys(&mut self) -> Result<(), StoreError> {
        self.sealed.extend(self.executor.take_sealed());
        let is_copy =
            |effect: &Effect| matches!(effect, Effect::Journal(JournalInput::Snapshot { .. }));
        let copy = self.out.iter().position(is_copy).map(|place| self.out.remove(place));
        let position = self.book().position().0;
        // Not drawn, so that the draws of earlier seeds stay what they were.
        if copy.is_some() || position.is_multiple_of(3) {
            for run in std::mem::take(&mut self.sealed) {
                let kept = self.shelf.put(&run)?;
                self.executor.shelve(kept);
            }
        }
        self.copy = copy.map(|copy| (copy, position % 7)).or(self.copy.take());
        Ok(())
    }

    pub(super) fn release_copy(&mut self) {
        match self.copy.take() {
            Some((copy, 0)) => self.put(Part::Ledger, Part::Journal, Post::Effect(copy)),
            waiting => self.copy = waiting.map(|(copy, ticks)| (copy, ticks - 1)),
        }
    }
}
