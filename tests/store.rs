//! The journal on a real disk: what was written is there after a restart, and what does not belong is refused.

#![allow(clippy::unwrap_used)] // In a test a panic is the finding.

use std::path::Path;
use std::sync::Arc;

use netbanking::protocol::effect::{ExecutedMark, JournalEntry};
use netbanking::protocol::event::{Event, Held, RawRequest, raw};
use netbanking::protocol::ids::{Ballot, BankId, BankSet, ChainHash, EventId, Position};
use netbanking::protocol::order_key::OrderKey;
use netbanking::protocol::view::PreparePlan;
use netbanking::store::{Change, Found, Owner, PIECE_EVENTS_MAX, SqliteStore, Store, StoreError};

const OWNER: Owner = Owner { bank: BankId(1), banks: 3 };
const VIEW: Ballot = Ballot { round: 1, coordinator: BankId(0) };

fn held(counter: u64) -> Held {
    let id = EventId::new(BankId(0), &counter.to_string());
    let request = RawRequest { id, type_msg: "X".into(), msg: raw(&counter) };
    let event = Event::stamp(VIEW, BankId(0), vec![counter, 0, 0].into(), vec![request]);
    Held { event: Arc::new(event), members: BankSet::all(3) }
}

fn mark(counter: u64) -> ExecutedMark {
    let hash = ChainHash([u8::try_from(counter % 256).unwrap(); 32]);
    ExecutedMark { key: held(counter).event.order_key(), position: Position(counter), hash }
}

fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(folder, OWNER).unwrap()
}

/// What a store holds: executed positions, then keys of what is held beyond.
fn contents(store: &mut SqliteStore) -> Result<(Vec<u64>, Vec<OrderKey>), StoreError> {
    let (mut executed, mut beyond) = (Vec::new(), Vec::new());
    store.load(&mut |found| {
        match found {
            Found::Executed(entry) => executed.push(entry.position.0),
            Found::Held(held) => beyond.push(held.event.order_key()),
        }
        Ok(())
    })?;
    Ok((executed, beyond))
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let appended: Vec<_> = (1..=4).map(|counter| Change::Append(held(counter))).collect();
    store.write(&appended).unwrap();
    store.write(&[Change::Executed(mark(1)), Change::Promise(Ballot { round: 7, coordinator: BankId(2) })]).unwrap();
    drop(store);

    let mut store = open(folder.path());
    assert_eq!(store.remembered().unwrap().promised, Ballot { round: 7, coordinator: BankId(2) });
    let keys = [2, 3, 4].map(|counter| held(counter).event.order_key());
    assert_eq!(contents(&mut store).unwrap(), (vec![1], keys.to_vec()));
}

#[test]
fn a_prepared_view_brings_new_events_and_drops_others_in_one_step() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    store.write(&[Change::Append(held(1)), Change::Append(held(2))]).unwrap();
    let plan =
        PreparePlan { ballot: VIEW, members: BankSet::all(3), clock: vec![3, 0, 0].into(), ..Default::default() };
    let dropped = vec![held(2).event.order_key()];
    store.write(&[Change::Prepared { plan: plan.clone(), fetched: vec![held(3)], dropped }]).unwrap();
    drop(store);

    let mut store = open(folder.path());
    assert_eq!(store.remembered().unwrap().prepared.clock, plan.clock);
    let keys = [1, 3].map(|counter| held(counter).event.order_key());
    assert_eq!(contents(&mut store).unwrap(), (Vec::new(), keys.to_vec()));
}

#[test]
fn a_bank_that_catches_up_is_given_the_journal_in_bounded_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let count = PIECE_EVENTS_MAX as u64 + 10;
    let entry = |counter| JournalEntry { held: held(counter), position: Position(counter), hash: mark(counter).hash };
    // Held before it was fetched as executed: no harm.
    store.write(&[Change::Append(held(3))]).unwrap();
    store.write(&(1..=count).map(|counter| Change::Replayed(entry(counter))).collect::<Vec<_>>()).unwrap();
    let first = store.executed_after(Position(0)).unwrap();
    assert_eq!(first.len(), PIECE_EVENTS_MAX);
    let rest = store.executed_after(first.last().unwrap().position).unwrap();
    assert_eq!(rest.len(), 10);
    assert_eq!(rest.last().unwrap().hash, mark(count).hash);
}

#[test]
fn two_processes_cannot_use_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(folder.path());
    let second = SqliteStore::open(folder.path(), OWNER).err().unwrap();
    assert!(matches!(second, StoreError::InUse { .. }), "{second}");
    assert!(second.to_string().contains("stop the other one"));
}

#[test]
fn the_journal_of_another_bank_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let other = SqliteStore::open(folder.path(), Owner { bank: BankId(2), ..OWNER }).err().unwrap();
    assert!(other.to_string().contains("bank 1 of 3, not of bank 2 of 3"), "{other}");
}

#[test]
fn nobody_else_on_the_machine_reads_the_journal() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("banco");
    open(&data).write(&[Change::Append(held(1))]).unwrap();
    let _store = open(&data);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for file in std::fs::read_dir(&data).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[test]
fn a_consortium_may_grow_and_never_shrink() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    drop(SqliteStore::open(folder.path(), Owner { banks: 4, ..OWNER }).unwrap());
    let fewer = SqliteStore::open(folder.path(), OWNER).err().unwrap();
    assert!(fewer.to_string().contains("bank 1 of 4, not of bank 1 of 3"), "{fewer}");
}

#[test]
fn foreign_files_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal.sqlite");
    let text = "a shopping list, not a database at all ".repeat(100);
    std::fs::write(&file, &text).unwrap();
    let error = SqliteStore::open(folder.path(), OWNER).err().unwrap();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);

    std::fs::remove_file(&file).unwrap();
    rusqlite::Connection::open(&file).unwrap().execute_batch("CREATE TABLE shopping (item TEXT)").unwrap();
    let error = SqliteStore::open(folder.path(), OWNER).err().unwrap();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    assert!(error.to_string().contains("--data"));
}

#[test]
fn a_changed_event_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).write(&[Change::Append(held(1)), Change::Append(held(2))]).unwrap();
    let file = folder.path().join("journal.sqlite");
    let changed = rusqlite::Connection::open(&file)
        .unwrap()
        .execute("UPDATE events SET body = replace(body, '\"msg\":2', '\"msg\":3')", [])
        .unwrap();
    assert!(changed > 0);
    let error = contents(&mut open(folder.path())).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("the other banks hold the same journal"));
}
