//! A bank's store that is carried into a database and back.

use netbanking::ledger::Book;
use netbanking::ledger::book::Run;
use netbanking::ledger::past::EntryNumber;
use netbanking::store::past::Past;
use netbanking::store::recovery::{Recovered, whole};
use netbanking::store::{Direction, Place, move_store};

use super::shelf::Shelf;
use super::*;
use crate::played::Played;
use crate::processes::postgres;

/// What a store holds, as its users see it.
#[derive(Debug, PartialEq)]
struct State {
    ledger: (Position, ChainHash),
    promised: Ballot,
    snapshot: Option<SnapshotHead>,
    held: usize,
    signed: usize,
    /// Digests of the blocks of the past.
    past: Vec<Sha256Digest>,
}

fn state(place: impl Into<Place>, folder: &Path) -> State {
    let Recovered { mut store, book, past, disk, .. } = whole(place, OWNER).unwrap();
    let Remembered { promised, snapshot, .. } = store.remembered().unwrap();
    assert!(past.missing().is_empty(), "{:?} in {}", past.missing(), folder.display());
    State {
        ledger: (book.position(), book.hash()),
        promised,
        snapshot,
        held: disk.state.held.len(),
        signed: disk.state.held.iter().filter(|held| held.event.signature().is_some()).count(),
        past: blocks(&past),
    }
}

pub(crate) fn blocks(past: &Past) -> Vec<Sha256Digest> {
    let mut reader = past.reader().unwrap();
    let firsts = (1..=past.last().0).step_by(256);
    firsts.map(|first| reader.stored(EntryNumber(first)).unwrap().unwrap().digest).collect()
}

/// Some sealed keys.
fn sealed() -> Vec<Run> {
    let mut played = Played::new();
    played.book = Book::sealing(played::BANKS, 100);
    (0..60).for_each(|_| drop(played.entry(10)));
    played.book.take_sealed()
}

/// Whether all of them are there, byte for byte.
fn has_all(place: &Place, runs: &[Run]) -> bool {
    let shelf = place.shelf(OWNER.bank).unwrap();
    let is_there = |run: &Run| {
        let taken = shelf.take(run.number(), run.digest()).unwrap();
        taken.is_some_and(|taken| taken.content() == run.content())
    };
    runs.iter().all(is_there)
}

#[test]
fn a_store_is_the_same_in_a_database_and_back_in_the_folder_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let url = postgres::shared().make_database();
    let database = postgres::database(&url);
    let mut played = Played::new();
    let mut store = SqliteStore::open(folder, OWNER).unwrap();
    let entries: Vec<_> = (0..150).map(|_| Change::Replayed(played.entry(10))).collect();
    store.write(&entries).unwrap();
    let (head, pieces) = played.snapshot();
    store
        .write(&pieces.into_iter().map(Change::SnapshotPiece).map(own).collect::<Vec<_>>())
        .unwrap();
    store.write(&[Change::SnapshotMade(head), Change::Promise(VIEW)]).unwrap();
    store.write(&[Change::Replayed(played.entry(3)), Change::Append(played.held(1))]).unwrap();
    drop(store);
    let runs = sealed();
    let here = Place::from(folder);
    let shelf = here.shelf(OWNER.bank).unwrap();
    assert!(runs.iter().all(|run| shelf.put(run).is_ok()) && runs.len() == 5);
    let before = state(folder, folder);
    assert!(before.past.len() > 5 && before.snapshot.is_some());

    let there = || Place::new(folder, Some(database.clone()));
    let moved = move_store(folder, &database, OWNER, Direction::IntoDatabase).unwrap();
    assert_eq!((moved.position, moved.hash), before.ledger);
    assert!(moved.former.join("journal.sqlite").exists() && !file(folder).exists());
    assert_eq!(state(there(), folder), before);
    assert!(has_all(&there(), &runs) && !folder.join("keys").exists());
    assert!(moved.former.join("keys").join("0.run").exists());
    // What was moved counts no more, even if somebody puts it back.
    std::fs::copy(moved.former.join("journal.sqlite"), file(folder)).unwrap();
    let why = SqliteStore::open(folder, OWNER).err().unwrap();
    assert!(matches!(why, StoreError::Elsewhere { .. }), "{why}");
    std::fs::remove_file(file(folder)).unwrap();
    let mut store = whole(there(), OWNER).unwrap().store;
    store.write(&[Change::Replayed(played.entry(1))]).unwrap();
    drop(store);

    let later = state(there(), folder);
    let moved = move_store(folder, &database, OWNER, Direction::IntoFolder).unwrap();
    assert_eq!(moved.hash, played.book.hash());
    assert_eq!(state(folder, folder), later);
    assert!(folder.join("keys").join("4.run").exists() && has_all(&here, &runs));
    let kept =
        format!("SELECT 1 FROM {}.head", moved.former.display().to_string().replace("schema ", ""));
    assert_eq!(postgres::ask(&url, &kept), Ok(1));
    let shelf = Shelf { folder: tempfile::tempdir().unwrap(), url: Some(url) };
    assert!(shelf.open().remembered().unwrap().snapshot.is_none(), "an empty one may begin there");
}

#[test]
fn nothing_is_moved_onto_a_journal_or_if_it_is_damaged() {
    let shelf = Shelf::in_database();
    drop(shelf.open());
    let folder = tempfile::tempdir().unwrap();
    let database = shelf.database().unwrap();
    let mut store = open(folder.path());
    store.write(&[Change::Append(held(1)), Change::Append(held(2))]).unwrap();
    drop(store);
    let go = || move_store(folder.path(), &database, OWNER, Direction::IntoDatabase).unwrap_err();
    assert!(go().to_string().contains("there is a schema netbanking_1 already"), "{}", go());
    drop(SqliteStore::open(folder.path(), OWNER).unwrap());
    let empty = Shelf::in_database();
    meddle(folder.path(), "DELETE FROM events WHERE sum = 1");
    let why = move_store(folder.path(), &empty.database().unwrap(), OWNER, Direction::IntoDatabase);
    assert!(is_damaged(&why.unwrap_err()));
    let there = "SELECT 1 FROM pg_namespace WHERE nspname LIKE 'netbanking%'";
    assert_eq!(postgres::ask(&empty.url.unwrap(), there), Ok(0));
}
