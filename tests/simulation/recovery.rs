//! What a process finds on its disk, as `actors/node.rs` does it.

use std::sync::Arc;

use netbanking::ledger::Book;
use netbanking::protocol::effect::{Executions, Frozen};
use netbanking::protocol::executor;
use netbanking::protocol::vector_clock::VectorClock;
use netbanking::protocol::view::OnDisk;
use netbanking::store::{Found, Remembered, Store, StoreError};

use super::disk::Disk;

/// What a disk held.
pub(crate) struct Recovered {
    pub(crate) book: Book,
    pub(crate) disk: OnDisk,
}

/// Rebuilds the ledger from the journal and proves by the hashes that it came out the same.
pub(crate) fn recover(store: &mut Disk, banks: usize) -> Result<Recovered, StoreError> {
    let Remembered { promised, prepared } = store.remembered()?;
    let mut book = Book::new(banks);
    let mut clock = prepared.clock.clone();
    clock.merge(&VectorClock::zero(banks));
    let mut state = Frozen { clock, ..Frozen::default() };
    store.load(&mut |found| {
        let event = match &found {
            Found::Executed(entry) => Arc::clone(&entry.held.event),
            Found::Held(held) => Arc::clone(&held.event),
        };
        if event.view == prepared.ballot {
            state.clock.merge(&event.timestamp);
        }
        match found {
            Found::Executed(entry) => {
                let executed = executor::apply(&mut book, &entry.held);
                if (executed.position, executed.hash) != (entry.position, entry.hash) {
                    return Err(StoreError::Differs { position: entry.position });
                }
                Executions::count(&mut state.executed, &entry.held);
            }
            Found::Held(held) => state.held.push(held),
        }
        Ok(())
    })?;
    (state.position, state.hash) = (book.position(), book.hash());
    let last = state.executed.as_ref().map(|done| done.last);
    state.held.retain(|held| last.is_none_or(|last| held.event.order_key() > last));
    let learner = store.is_learner();
    let disk = OnDisk { promised, prepared, learner, rescue: false, arriving: None, state };
    Ok(Recovered { book, disk })
}
