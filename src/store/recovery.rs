//! What a node does with its disk when it starts: rebuild the ledger and prove that it is what it
//! was; and if the disk is damaged, put the files aside and start over as a learner.
//!
//! A learner counts for no majority until it has prepared a view, so it cannot take part in
//! deciding again what its disk has forgotten. Nothing is ever deleted here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::aside::put_aside;
use super::past::Past;
use super::sqlite::{FILE_NAMES, lock};
use super::{Change, Found, Owner, Remembered, SqliteStore, Store, StoreError};
use crate::ids::Sha256Digest;
use crate::ledger::Book;
use crate::ledger::book::Pieces;
use crate::ledger::past::PastEntry;
use crate::protocol::execution::Executions;
use crate::protocol::executor;
use crate::protocol::snapshot::{SnapshotHead, SnapshotPiece, digest_with};
use crate::protocol::vector_clock::VectorClock;
use crate::protocol::view::{Frozen, OnDisk};

/// What a node's disk held.
pub struct Recovered {
    /// The disk.
    pub store: SqliteStore,
    /// The ledger.
    pub book: Book,
    /// Its past: every entry that the ledger has made, or which of them are missing.
    pub past: Past,
    /// What the view must know.
    pub disk: OnDisk,
    /// Where damaged files were put, and what was wrong with them.
    pub set_aside: Option<(PathBuf, StoreError)>,
}

/// Opens a data folder and rebuilds the ledger. A damaged journal is put aside, into a folder
/// `damaged-…` next to it, and the node begins as a learner; a bank that is alone has nobody to
/// learn from, and gets the error instead.
///
/// # Errors
/// [`StoreError`] when the folder cannot be used, or its journal belongs to another bank.
pub fn recover(folder: &Path, owner: Owner) -> Result<Recovered, StoreError> {
    let damage = match whole(folder, owner) {
        Err(damage @ StoreError::Damaged { .. }) if owner.banks > 1 => damage,
        done => return done,
    };
    let aside = set_aside(folder)?;
    let mut store = SqliteStore::open(folder, owner)?;
    store.write(&[Change::Forgotten])?;
    let recovered = with_past(store, folder, owner)?;
    Ok(Recovered { set_aside: Some((aside, damage)), ..recovered })
}

/// Opens a data folder and rebuilds the ledger, or says why that is impossible; changes nothing.
///
/// # Errors
/// As for [`recover`], and [`StoreError::Damaged`].
pub fn whole(folder: &Path, owner: Owner) -> Result<Recovered, StoreError> {
    with_past(SqliteStore::open(folder, owner)?, folder, owner)
}

/// Rebuilds the ledger and writes down what its past lacks.
fn with_past(mut store: SqliteStore, folder: &Path, owner: Owner) -> Result<Recovered, StoreError> {
    let mut past = Past::open(folder, owner.bank)?;
    let (book, disk) = rebuild_with(&mut store, owner.banks, &mut |entries| past.append(&entries))?;
    past.reaches(book.entries());
    past.commit(false)?;
    Ok(Recovered { store, book, past, disk, set_aside: None })
}

/// Rebuilds the ledger from the snapshot and the journal and proves by the hashes that it came out
/// the same.
///
/// # Errors
/// [`StoreError::Damaged`]; [`StoreError::Differs`] when nothing is damaged and the result still is
/// not the same.
pub fn rebuild(store: &mut dyn Store, banks: usize) -> Result<(Book, OnDisk), StoreError> {
    rebuild_with(store, banks, &mut |_| Ok(()))
}

/// Takes the entries that a ledger makes while it is rebuilt, in their order.
type Made<'a> = &'a mut dyn FnMut(Vec<PastEntry>) -> Result<(), StoreError>;

fn rebuild_with(
    store: &mut dyn Store,
    banks: usize,
    made: Made<'_>,
) -> Result<(Book, OnDisk), StoreError> {
    match replay(store, banks, made) {
        // If damage is the cause, it shows in the digests.
        Err(differs @ StoreError::Differs { .. }) => {
            Err(store.load(&mut |_| Ok(())).err().unwrap_or(differs))
        }
        other => other,
    }
}

fn replay(
    store: &mut dyn Store,
    banks: usize,
    made: Made<'_>,
) -> Result<(Book, OnDisk), StoreError> {
    let Remembered {
        promised,
        prepared,
        learner,
        fresh,
        rescue,
        unverified,
        arriving,
        snapshot: _,
    } = store.remembered()?;
    let mut book = Book::new(banks);
    // The clock of the last view: where it began, and every event of it that is here.
    let mut clock = prepared.clock.clone();
    clock.merge(&VectorClock::zero(banks));
    let mut state = Frozen { clock, ..Frozen::default() };
    store.load(&mut |found| {
        match found {
            Found::Snapshot { head, pieces } => {
                let position = head.position;
                book = executor::restored(banks, &head, &pieces)
                    .ok_or(StoreError::Differs { position })?;
                if head.executed.last.view == prepared.ballot {
                    state.clock.merge(&head.executed.clock);
                }
                state.executed = Some(head.executed);
            }
            Found::Executed(entry) => {
                if entry.held.event.view == prepared.ballot {
                    state.clock.merge(&entry.held.event.timestamp);
                }
                let executed = executor::apply(&mut book, &entry.held);
                if (executed.position, executed.hash) != (entry.position, entry.hash) {
                    return Err(StoreError::Differs { position: entry.position });
                }
                Executions::count(&mut state.executed, &entry.held);
            }
            Found::Held(held) => {
                if held.event.view == prepared.ballot {
                    state.clock.merge(&held.event.timestamp);
                }
                state.held.push(held);
            }
        }
        made(book.take_fresh())
    })?;
    if unverified {
        state.executed = state.executed.map(Executions::as_unverified);
    }
    (state.position, state.hash) = (book.position(), book.hash());
    // Held events below this that were not executed never existed: a later view left them out.
    let last = state.executed.as_ref().map(|done| done.last);
    state.held.retain(|held| last.is_none_or(|last| held.event.order_key() > last));
    Ok((book, OnDisk { promised, prepared, learner, fresh, rescue, arriving, state }))
}

/// Makes a snapshot of a ledger that was rebuilt from this store, drops the journal that led to it,
/// and gives the space back. Events that are held and not executed stay. Returns whether anything
/// had been executed.
///
/// # Errors
/// [`StoreError::Failed`] when the disk does.
pub fn compact(recovered: Recovered) -> Result<bool, StoreError> {
    let Recovered { mut store, book, mut past, disk, .. } = recovered;
    let Some(executed) = disk.state.executed else { return Ok(false) };
    // The journal can make the past again only as long as it is here.
    past.commit(true)?;
    let present = book.present();
    let (mut pieces, mut digest) = (0, Sha256Digest::default());
    for piece in Pieces::of(Arc::clone(&present)) {
        digest = digest_with(digest, &piece);
        pieces += 1;
    }
    let head =
        SnapshotHead { position: book.position(), hash: book.hash(), executed, pieces, digest };
    for (index, text) in (0..).zip(Pieces::of(present)) {
        store.write(&[Change::SnapshotPiece(SnapshotPiece { head: head.clone(), index, text })])?;
    }
    store.write(&[Change::SnapshotComplete(head)])?;
    store.shrink()?;
    Ok(true)
}

/// Moves the files of a journal into a folder of their own. The tip goes last: as long as it is
/// here, a half-moved journal is known to be damaged.
fn set_aside(folder: &Path) -> Result<PathBuf, StoreError> {
    let _lock = lock(folder)?;
    put_aside(folder, &FILE_NAMES)
}
