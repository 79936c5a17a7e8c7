//! What a node does with its disk when it starts: rebuild the ledger and prove that it is what it
//! was; and if the disk is damaged, put the files aside and start over as a learner.
//!
//! A start executes only what came after the snapshot. If the snapshot is of no use and the journal
//! that led to it is here, all of that is executed, as it is for whoever wants to know for certain
//! ([`whole`]).
//!
//! A learner counts for no majority until it has prepared a view, so it cannot take part in
//! deciding again what its disk has forgotten. Nothing is ever deleted here.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use super::past::Past;
use super::place::Place;
use super::restoring::{Restoring, first_named};
use super::shelf::Shelf;
use super::{Change, Disk, Found, Owner, Remembered, Store, StoreError};
use crate::ledger::Book;
use crate::ledger::book::Pieces;
use crate::ledger::past::PastEntry;
use crate::protocol::execution::Executions;
use crate::protocol::executor;
use crate::protocol::snapshot::{SnapshotHead, SnapshotPiece};
use crate::protocol::vector_clock::VectorClock;
use crate::protocol::view::{Frozen, OnDisk, first_signed};

/// How many events or pieces of a snapshot may be read before they are taken.
const FOUND_AHEAD: usize = 16;

/// What a node's disk held.
pub struct Recovered {
    /// The disk.
    pub store: Box<dyn Disk>,
    /// The ledger.
    pub book: Book,
    /// Its past: every entry that the ledger has made, or which of them are missing.
    pub past: Past,
    /// Where its sealed keys are.
    pub shelf: Arc<dyn Shelf>,
    /// What the view must know.
    pub disk: OnDisk,
    /// Where damaged files were put, and what was wrong with them.
    pub set_aside: Option<(PathBuf, StoreError)>,
    /// What was wrong with the snapshot, if the whole journal was executed instead.
    pub fell_back: Option<StoreError>,
}

/// Opens a bank's store and rebuilds the ledger, from the snapshot if it is of use. A damaged
/// journal is put aside, into a folder `damaged-…` next to it, and the node begins as a learner; a
/// bank that is alone has nobody to learn from, and gets the error instead.
///
/// # Errors
/// [`StoreError`] when the folder cannot be used, or its journal belongs to another bank.
pub fn recover(place: impl Into<Place>, owner: Owner) -> Result<Recovered, StoreError> {
    let place = place.into();
    let opened = place.open(owner);
    let damage = match opened.and_then(|store| with_past(store, &place, owner)) {
        Err(damage @ StoreError::Damaged { .. }) if owner.banks > 1 => damage,
        done => return done,
    };
    let aside = place.put_aside(owner)?;
    let mut store = place.open(owner)?;
    store.write(&[Change::Forgotten])?;
    let recovered = with_past(store, &place, owner)?;
    Ok(Recovered { set_aside: Some((aside, damage)), ..recovered })
}

/// Opens a bank's store, reads and proves everything in it and rebuilds the ledger from the whole
/// journal, if all of it is here; or says why that is impossible. Changes nothing.
///
/// # Errors
/// As for [`recover`], and [`StoreError::Damaged`].
pub fn whole(place: impl Into<Place>, owner: Owner) -> Result<Recovered, StoreError> {
    let place = place.into();
    let mut store = place.open(owner)?;
    store.use_whole_journal();
    with_past(store, &place, owner)
}

/// Rebuilds the ledger and writes down what its past lacks.
fn with_past(
    mut store: Box<dyn Disk>,
    place: &Place,
    owner: Owner,
) -> Result<Recovered, StoreError> {
    let mut past = Past::at(place.of_the_past(owner.bank), owner.bank)?;
    let shelf = place.shelf(owner.bank)?;
    let mut fell_back = None;
    let (book, disk) = match rebuild_beside(&mut *store, owner, &mut past, &*shelf) {
        Err(useless @ (StoreError::Damaged { .. } | StoreError::Differs { .. }))
            if store.use_whole_journal() =>
        {
            let rebuilt = rebuild_beside(&mut *store, owner, &mut past, &*shelf)?;
            store.abandon_snapshot()?;
            fell_back = Some(useless);
            rebuilt
        }
        // A bank that is alone gets what its past lacks from nobody else.
        Ok(_) if owner.banks == 1 && !past.missing().is_empty() && store.use_whole_journal() => {
            rebuild_beside(&mut *store, owner, &mut past, &*shelf)?
        }
        rebuilt => rebuilt?,
    };
    Ok(Recovered { store, book, past, shelf, disk, set_aside: None, fell_back })
}

fn rebuild_beside(
    store: &mut dyn Disk,
    owner: Owner,
    past: &mut Past,
    shelf: &dyn Shelf,
) -> Result<(Book, OnDisk), StoreError> {
    let blank = Book::new(owner.banks);
    let (book, disk) =
        rebuild_with(store, &blank, Some(shelf), &mut |entries| past.append(&entries))?;
    past.reaches(book.entries());
    past.commit(false)?;
    Ok((book, disk))
}

/// Rebuilds the ledger from the snapshot and the journal and proves by the hashes that it came out
/// the same.
///
/// # Errors
/// [`StoreError::Damaged`]; [`StoreError::Differs`] when nothing is damaged and the result still is
/// not the same.
pub fn rebuild(store: &mut dyn Store, banks: usize) -> Result<(Book, OnDisk), StoreError> {
    rebuild_with(store, &Book::new(banks), None, &mut |_| Ok(()))
}

/// The same, beginning with a book that is empty; its sealed keys are kept on a shelf.
///
/// # Errors
/// As for [`rebuild`].
pub fn rebuild_on(
    store: &mut dyn Store,
    blank: &Book,
    shelf: &dyn Shelf,
) -> Result<(Book, OnDisk), StoreError> {
    rebuild_with(store, blank, Some(shelf), &mut |_| Ok(()))
}

/// Takes the entries that a ledger makes while it is rebuilt, in their order.
type Made<'a> = &'a mut dyn FnMut(Vec<PastEntry>) -> Result<(), StoreError>;

fn rebuild_with(
    store: &mut dyn Store,
    blank: &Book,
    shelf: Option<&dyn Shelf>,
    made: Made<'_>,
) -> Result<(Book, OnDisk), StoreError> {
    match replay(store, blank, shelf, made) {
        // If damage is the cause, it shows in the digests.
        Err(differs @ StoreError::Differs { .. }) => {
            Err(store.load(&mut |_| Ok(())).err().unwrap_or(differs))
        }
        other => other,
    }
}

fn replay(
    store: &mut dyn Store,
    blank: &Book,
    shelf: Option<&dyn Shelf>,
    made: Made<'_>,
) -> Result<(Book, OnDisk), StoreError> {
    let remembered = store.remembered()?;
    let Remembered { promised, prepared, learner, fresh, rescue, unverified, .. } = remembered;
    let banks = blank.banks();
    let arriving = remembered.arriving;
    let pieces = remembered.snapshot.map_or(0, |head| head.pieces);
    let named = first_named(pieces, &mut |index| store.snapshot_piece(index));
    let mut book = blank.clone();
    let mut restoring = None;
    // The clock of the last view: where it began, and every event of it that is here.
    let mut clock = prepared.clock.clone();
    clock.merge(&VectorClock::zero(banks));
    let mut state = Frozen { clock, ..Frozen::default() };
    let mut signed_from = prepared.signed_from;
    load_ahead(store, &mut |found| {
        match found {
            Found::Piece(SnapshotPiece { head, index, text }) => {
                let under_way = restoring.take().unwrap_or_else(|| Restoring::begin(blank.clone()));
                let under_way = under_way.take(&text, shelf)?;
                if index + 1 < head.pieces {
                    restoring = Some(under_way);
                    return Ok(());
                }
                let position = head.position;
                book = under_way.finish(&head).ok_or(StoreError::Differs { position })?;
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
                signed_from = signed_from.or_else(|| first_signed(&entry.held.event));
            }
            Found::Held(held) => {
                if held.event.view == prepared.ballot {
                    state.clock.merge(&held.event.timestamp);
                }
                state.held.push(held);
            }
        }
        shelve(&mut book, shelf, named)?;
        made(book.take_fresh())
    })?;
    if unverified {
        state.executed = state.executed.map(Executions::as_unverified);
    }
    (state.position, state.hash) = (book.position(), book.hash());
    // Held events below this that were not executed never existed: a later view left them out.
    let last = state.executed.as_ref().map(|done| done.last);
    state.held.retain(|held| last.is_none_or(|last| held.event.order_key() > last));
    Ok((book, OnDisk { promised, prepared, learner, fresh, rescue, arriving, signed_from, state }))
}

/// Hands over what a store has, as [`Store::load`] does, but reads on a thread of its own: reading,
/// unpacking and proving take about as long as executing.
fn load_ahead(
    store: &mut dyn Store,
    take: &mut dyn FnMut(Found) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let (read, found) = sync_channel(FOUND_AHEAD);
    std::thread::scope(|scope| {
        let reading = scope.spawn(move || {
            // Nobody takes any more only when taking has failed, and that is what counts then.
            let given_up = |_| StoreError::Failed { path: PathBuf::new(), why: "given up".into() };
            store.load(&mut |one| read.send(one).map_err(given_up))
        });
        let taken = found.into_iter().try_for_each(take);
        let read = reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        taken.and(read)
    })
}

/// Keeps the runs of keys that a ledger has sealed; without a shelf, it keeps them itself. A long
/// journal makes many that are then forgotten: they go, but for those that the snapshot names.
fn shelve(
    book: &mut Book,
    shelf: Option<&dyn Shelf>,
    named: Option<u64>,
) -> Result<(), StoreError> {
    let Some(shelf) = shelf else { return Ok(()) };
    let sealed = book.take_sealed();
    for run in &sealed {
        book.shelve(shelf.put(run)?);
    }
    if sealed.is_empty() {
        return Ok(());
    }
    let first = book.first_run();
    shelf.drop_before(named.map_or(first, |named| named.min(first)))
}

/// Makes a snapshot of a ledger that was rebuilt from this store, drops the journal that led to it,
/// and gives the space back. Events that are held and not executed stay. Returns whether anything
/// had been executed.
///
/// # Errors
/// [`StoreError::Failed`] when the disk does.
pub fn compact(recovered: Recovered) -> Result<bool, StoreError> {
    let Recovered { mut store, book, mut past, shelf, disk, .. } = recovered;
    let Some(executed) = disk.state.executed else { return Ok(false) };
    // The journal can make the past again only as long as it is here.
    past.commit(true)?;
    let present = book.present();
    let mut head = SnapshotHead::begun(book.position(), book.hash(), executed);
    Pieces::of(Arc::clone(&present)).for_each(|text| _ = head.next_piece(text));
    for (index, text) in (0..).zip(Pieces::of(Arc::clone(&present))) {
        store.write(&[Change::SnapshotPiece(SnapshotPiece { head: head.clone(), index, text })])?;
    }
    let first_run = present.first_run();
    store.write(&[Change::SnapshotComplete(head)])?;
    shelf.drop_before(first_run)?;
    store.shrink()?;
    Ok(true)
}
