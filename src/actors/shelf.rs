//! Keeps sealed idempotency keys, on the thread of the past. The ledger has each run in memory
//! until it is told that it is kept.

use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler, Message};

use super::ledger::LedgerActor;
use crate::ledger::book::Run;
use crate::store::{Shelf, StoreError};

/// The actor around a [`Shelf`].
pub struct ShelfActor {
    shelf: Arc<dyn Shelf>,
    ledger: Option<Addr<LedgerActor>>,
}

impl ShelfActor {
    /// An actor that waits to be told whose keys it keeps.
    #[must_use]
    pub(crate) fn new(shelf: Arc<dyn Shelf>) -> Self {
        ShelfActor { shelf, ledger: None }
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
