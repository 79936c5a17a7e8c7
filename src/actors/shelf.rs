//! Keeps sealed idempotency keys, on the thread of the past. The ledger has each run in memory
//! until it is told that it is kept.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext as _, Context, Handler, Message};

use super::ledger::LedgerActor;
use crate::ids::Sha256Digest;
use crate::ledger::book::Run;
use crate::store::{Shelf, StoreError};

/// How often a run is proved that a start has not read: a day of full load is proved in minutes.
const PROVED_EVERY: Duration = Duration::from_millis(500);

/// Which run, by its number, and what its bytes hash to.
pub(crate) type Name = (u64, Sha256Digest);

/// The actor around a [`Shelf`].
pub struct ShelfActor {
    shelf: Arc<dyn Shelf>,
    /// Runs that are still to be proved.
    unproved: VecDeque<Name>,
    ledger: Option<Addr<LedgerActor>>,
}

impl ShelfActor {
    /// An actor that waits to be told whose keys it keeps; these runs were there before.
    #[must_use]
    pub(crate) fn new(shelf: Arc<dyn Shelf>, unproved: VecDeque<Name>) -> Self {
        ShelfActor { shelf, unproved, ledger: None }
    }
}

/// A disk that cannot be written ends the process, as that of the journal does.
fn or_end<T>(done: Result<T, StoreError>) -> T {
    done.unwrap_or_else(|error| {
        log::error!("{error}");
        log::logger().flush();
        std::process::exit(1);
    })
}

impl Actor for ShelfActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(PROVED_EVERY, |actor, _| {
            let Some((number, digest)) = actor.unproved.pop_front() else { return };
            match actor.shelf.prove(number, digest) {
                // That a file cannot be opened now, as when there are too many, says nothing of it.
                Err(StoreError::Open { .. }) => actor.unproved.push_back((number, digest)),
                proved => or_end(proved),
            }
        });
    }
}

/// The ledger whose keys come; told when they are kept.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct KeepFor(pub(crate) Addr<LedgerActor>);

impl Handler<KeepFor> for ShelfActor {
    type Result = ();

    fn handle(&mut self, KeepFor(ledger): KeepFor, _: &mut Self::Context) {
        self.ledger = Some(ledger);
    }
}

/// A run of keys was sealed.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Sealed(pub(crate) Run);

impl Handler<Sealed> for ShelfActor {
    type Result = ();

    fn handle(&mut self, Sealed(run): Sealed, _: &mut Self::Context) {
        let kept = or_end(self.shelf.put(&run));
        if let Some(ledger) = &self.ledger {
            ledger.do_send(Shelved(kept));
        }
    }
}

/// A run of keys is kept here now.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Shelved(pub(crate) Run);

/// Answered once everything that was sealed before is on disk.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct AllShelved;

impl Handler<AllShelved> for ShelfActor {
    type Result = ();

    fn handle(&mut self, _: AllShelved, _: &mut Self::Context) {}
}
