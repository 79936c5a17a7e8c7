//! The journal on a real disk: what was written is there after a restart, and what does not belong
//! is refused.

#![allow(clippy::unwrap_used)] // In a test a panic is the finding.

mod archive;
mod doubt;
mod earlier_releases;
mod moving;
mod partitions;
#[path = "../played/mod.rs"]
mod played;
mod postgres;
#[path = "../processes/mod.rs"]
mod processes;
mod shelf;
mod snapshots;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use netbanking::ids::request::{Header, RawRequest, raw};
use netbanking::ids::{Ballot, BankId, BankSet, ChainHash, EventId, Position, Sha256Digest};
use netbanking::protocol::effect::{Effect, ViewInput};
use netbanking::protocol::event::{Event, Held};
use netbanking::protocol::execution::{ExecutedMark, Executions, JournalEntry};
use netbanking::protocol::order_key::OrderKey;
use netbanking::protocol::snapshot::{SnapshotHead, SnapshotPiece, chained, digest_of};
use netbanking::protocol::vector_clock::VectorClock;
use netbanking::protocol::view::PreparePlan;
use netbanking::store::{
    Change, DROP_EVENTS_MAX, Disk, Found, Owner, PIECE_EVENTS_MAX, Read, Remembered, SqliteStore,
    Store, StoreError,
};
use shelf::everywhere;

const OWNER: Owner = Owner { bank: BankId(1), banks: 3 };
const VIEW: Ballot = Ballot { round: 1, coordinator: BankId(0) };

fn held(counter: u64) -> Held {
    let id = EventId::new(BankId(0), &counter.to_string());
    let request = RawRequest { id, type_msg: "X".into(), msg: raw(&counter) };
    let event =
        Event::stamp(VIEW, BankId(0), vec![counter, 0, 0].into(), vec![request], Header::default());
    Held { event: Arc::new(event), members: BankSet::all(3) }
}

fn mark(counter: u64) -> ExecutedMark {
    let hash = ChainHash([u8::try_from(counter % 256).unwrap(); 32]);
    ExecutedMark { key: held(counter).event.order_key(), position: Position(counter), hash }
}

fn open(folder: &Path) -> Box<dyn Disk> {
    Box::new(SqliteStore::open(folder, OWNER).unwrap())
}

fn plan(position: u64) -> PreparePlan {
    let members = BankSet::all(3);
    PreparePlan {
        ballot: VIEW,
        members,
        position: Position(position),
        clock: vec![0; 3].into(),
        ..Default::default()
    }
}

fn entry(counter: u64) -> JournalEntry {
    JournalEntry { held: held(counter), position: Position(counter), hash: mark(counter).hash }
}

/// A snapshot of three pieces after `position`.
fn snapshot(position: u64) -> (SnapshotHead, Vec<Change>) {
    let texts = ["one\n", "two\n", "three\n"];
    let executed = Executions {
        last: held(position).event.order_key(),
        members: BankSet::all(3),
        clock: vec![0; 3].into(),
    };
    let digest =
        texts.iter().fold(Sha256Digest::default(), |digest, text| chained(digest, digest_of(text)));
    let head = SnapshotHead {
        position: Position(position),
        hash: mark(position).hash,
        executed,
        pieces: 3,
        digest,
    };
    let piece = |(index, text): (u32, &&str)| SnapshotPiece {
        head: head.clone(),
        index,
        text: (*text).to_owned(),
    };
    let pieces = (0..).zip(texts.iter()).map(piece).map(Change::SnapshotPiece).collect();
    (head, pieces)
}

/// The piece as a bank writes it that makes the snapshot itself.
fn own(piece: Change) -> Change {
    let Change::SnapshotPiece(piece) = piece else { panic!("{piece:?}") };
    Change::SnapshotPiece(SnapshotPiece { head: piece.head.as_begun(), ..piece })
}

fn file(folder: &Path) -> PathBuf {
    folder.join("journal.sqlite")
}

/// Changes a closed journal behind the store's back.
fn meddle(folder: &Path, sql: &str) {
    let changed = rusqlite::Connection::open(file(folder)).unwrap().execute(sql, []).unwrap();
    assert!(changed > 0, "{sql}");
}

fn is_damaged(error: &StoreError) -> bool {
    matches!(error, StoreError::Damaged { .. })
}

/// What a store holds: executed positions, then the keys of what is held beyond them.
fn contents(store: &mut Box<dyn Disk>) -> Result<(Vec<u64>, Vec<OrderKey>), StoreError> {
    let (mut executed, mut beyond) = (Vec::new(), Vec::new());
    store.load(&mut |found| {
        match found {
            Found::Executed(entry) => executed.push(entry.position.0),
            Found::Piece(piece) if piece.index > 0 => {}
            Found::Piece(piece) => executed.push(piece.head.position.0),
            Found::Held(held) => beyond.push(held.event.order_key()),
        }
        Ok(())
    })?;
    Ok((executed, beyond))
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    everywhere(|shelf| {
        let mut store = shelf.open();
        let appended: Vec<_> = (1..=4).map(|counter| Change::Append(held(counter))).collect();
        store.write(&appended).unwrap();
        store
            .write(&[
                Change::Executed(mark(1)),
                Change::Promise(Ballot { round: 7, coordinator: BankId(2) }),
            ])
            .unwrap();
        drop(store);

        let mut store = shelf.open();
        assert_eq!(
            store.remembered().unwrap().promised,
            Ballot { round: 7, coordinator: BankId(2) }
        );
        let keys = [2, 3, 4].map(|counter| held(counter).event.order_key());
        assert_eq!(contents(&mut store).unwrap(), (vec![1], keys.to_vec()));
    });
}

#[test]
fn a_prepared_view_brings_new_events_and_drops_others_in_one_step() {
    everywhere(|shelf| {
        let mut store = shelf.open();
        store.write(&[Change::Append(held(1)), Change::Append(held(2))]).unwrap();
        let events = [1, 3].map(|counter| (held(counter).event.order_key(), BankId(0))).to_vec();
        let plan = PreparePlan { clock: vec![3, 0, 0].into(), events, ..plan(0) };
        let dropped = vec![held(2).event.order_key()];
        store
            .write(&[Change::Prepared {
                plan: plan.clone(),
                fetched: vec![held(3)],
                dropped,
                learner: false,
            }])
            .unwrap();
        drop(store);

        let mut store = shelf.open();
        assert_eq!(store.remembered().unwrap().prepared.clock, plan.clock);
        let keys = [1, 3].map(|counter| held(counter).event.order_key());
        assert_eq!(contents(&mut store).unwrap(), (Vec::new(), keys.to_vec()));
    });
}

#[test]
fn a_journal_with_entries_from_others_is_unverified_until_a_view_is_prepared() {
    everywhere(|shelf| {
        let mut store = shelf.open();
        store.write(&[Change::Append(held(1)), Change::Executed(mark(1))]).unwrap();
        assert!(!store.remembered().unwrap().unverified);
        let told = JournalEntry { held: held(2), position: Position(2), hash: mark(2).hash };
        store.write(&[Change::Replayed(told)]).unwrap();
        drop(store);
        let mut store = shelf.open();
        assert!(store.remembered().unwrap().unverified);
        let plan = PreparePlan {
            ballot: VIEW,
            position: Position(2),
            clock: vec![2, 0, 0].into(),
            ..Default::default()
        };
        store
            .write(&[Change::Prepared {
                plan,
                fetched: Vec::new(),
                dropped: Vec::new(),
                learner: false,
            }])
            .unwrap();
        assert!(!store.remembered().unwrap().unverified);
    });
}

#[test]
fn a_bank_that_catches_up_is_given_the_journal_in_bounded_pieces() {
    everywhere(|shelf| {
        let mut store = shelf.open();
        let count = PIECE_EVENTS_MAX as u64 + 10;
        // Held before it was fetched as executed: that does no harm.
        store.write(&[Change::Append(held(3))]).unwrap();
        store
            .write(&(1..=count).map(|counter| Change::Replayed(entry(counter))).collect::<Vec<_>>())
            .unwrap();
        let first = store.executed_after(Position(0), usize::MAX).unwrap();
        assert_eq!(first.len(), PIECE_EVENTS_MAX);
        let rest = store.executed_after(first.last().unwrap().position, usize::MAX).unwrap();
        assert_eq!(rest.len(), 10);
        assert_eq!(rest.last().unwrap().hash, mark(count).hash);
    });
}

#[test]
fn reads_for_others_see_a_single_commit_and_do_not_hold_up_writes() {
    everywhere(|shelf| {
        let mut store = shelf.open();
        store.write(&[Change::Replayed(entry(1))]).unwrap();
        let mut reader = store.reader().unwrap();
        reader.begin().unwrap();
        assert_eq!(reader.executed_after(Position(0), usize::MAX).unwrap().len(), 1);
        store.write(&[Change::Replayed(entry(2))]).unwrap();
        assert_eq!(
            reader.executed_after(Position(0), usize::MAX).unwrap().len(),
            1,
            "what it saw at first"
        );
        assert_eq!(reader.hash_at(Position(2)).unwrap(), None);
        reader.end().unwrap();
        let read = Read::Journal { to: BankId(2), after: Position(1), bytes: u32::MAX };
        let Effect::View(ViewInput::JournalRead { entries, hash_before, .. }) =
            read.answer(&mut *reader).unwrap()
        else {
            panic!("the journal was asked for");
        };
        assert_eq!(
            (entries.len(), hash_before),
            (1, Some(mark(1).hash)),
            "what has been written since"
        );
    });
}

#[test]
fn a_bank_that_asks_for_what_lies_beyond_all_positions_is_given_nothing() {
    everywhere(|shelf| {
        let mut store = shelf.open();
        store.write(&[Change::Replayed(entry(1))]).unwrap();
        for after in [1 << 63, u64::MAX] {
            let read = Read::Journal { to: BankId(2), after: Position(after), bytes: u32::MAX };
            let found = read.answer(&mut *store.reader().unwrap()).unwrap();
            assert!(
                matches!(&found, Effect::View(ViewInput::JournalRead {
                    entries,
                    hash_before: None,
                    ..
                }) if entries.is_empty()),
                "{found:?}"
            );
        }
    });
}

/// Changes a byte of every event.
const OTHER_BODY: &str =
    "UPDATE events SET body = CAST(substr(body, 1, 30) || '?' || substr(body, 32) AS BLOB)";

#[test]
fn a_reader_finds_damage_too() {
    everywhere(|shelf| {
        let mut store = shelf.open();
        store.write(&[Change::Replayed(entry(1))]).unwrap();
        let mut reader = store.reader().unwrap();
        shelf.meddle(OTHER_BODY);
        let read = Read::Journal { to: BankId(2), after: Position(0), bytes: u32::MAX };
        assert!(is_damaged(&read.answer(&mut *reader).unwrap_err()));
    });
}

#[test]
fn two_processes_cannot_use_one_folder() {
    everywhere(|shelf| {
        let _first = shelf.open();
        let second = shelf.try_open(OWNER).err().unwrap();
        assert!(matches!(second, StoreError::InUse { .. }), "{second}");
        assert!(second.to_string().contains("stop the other one"));
    });
}

#[test]
fn the_journal_of_another_bank_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let other = || {
        SqliteStore::open(folder.path(), Owner { bank: BankId(2), ..OWNER })
            .err()
            .unwrap()
            .to_string()
    };
    drop(open(folder.path()));
    assert!(other().contains("the journal of bank 1, not of bank 2 of 3"), "{}", other());
    open(folder.path()).write(&[Change::Append(held(1))]).unwrap();
    assert!(other().contains("the journal of bank 1 of 3, not of bank 2 of 3"), "{}", other());
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
fn a_disk_grows_with_what_the_banks_have_agreed_on_and_not_with_a_file_that_lists_more() {
    everywhere(|shelf| {
        let longer = Owner { banks: 4, ..OWNER };
        let prepared = |banks: usize| {
            let plan = PreparePlan { clock: VectorClock::zero(banks), ..plan(0) };
            Change::Prepared { plan, fetched: Vec::new(), dropped: Vec::new(), learner: false }
        };
        shelf.open().write(&[prepared(3)]).unwrap();
        // The longer list in the file changes nothing, and neither do promises.
        let mut store = shelf.try_open(longer).unwrap();
        store.write(&[Change::Promise(Ballot { round: 9, coordinator: BankId(3) })]).unwrap();
        drop(store);
        drop(shelf.open());
        assert!(shelf.try_open(Owner { banks: 2, ..OWNER }).is_err());

        shelf.try_open(longer).unwrap().write(&[prepared(4)]).unwrap();
        let fewer = shelf.try_open(OWNER).err().unwrap();
        assert!(matches!(fewer, StoreError::Fewer { banks: 4, listed: 3, .. }), "{fewer}");
        assert!(fewer.to_string().contains("put the missing entries back"), "{fewer}");
        drop(shelf.try_open(longer).unwrap());
    });
}

#[test]
fn a_disk_that_only_learns_belongs_to_as_many_banks_as_its_events_do() {
    everywhere(|shelf| {
        for learned in [Change::Append(held(1)), Change::Replayed(entry(1))] {
            let shelf = &shelf.another();
            drop(shelf.open());
            drop(shelf.try_open(Owner { banks: 1, ..OWNER }).unwrap());
            shelf.open().write(&[learned]).unwrap();
            let fewer = shelf.try_open(Owner { banks: 2, ..OWNER }).err().unwrap();
            assert!(matches!(fewer, StoreError::Fewer { banks: 3, listed: 2, .. }), "{fewer}");
        }
        let mut store = shelf.open();
        let (head, pieces) = snapshot(5);
        store.write(&pieces).unwrap();
        store.write(&[Change::SnapshotComplete(head)]).unwrap();
        drop(store);
        assert!(shelf.try_open(Owner { banks: 2, ..OWNER }).is_err());
    });
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

    std::fs::write(&file, "milk, bread").unwrap();
    let error = SqliteStore::open(folder.path(), OWNER).err().unwrap();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "milk, bread");

    std::fs::remove_file(&file).unwrap();
    rusqlite::Connection::open(&file)
        .unwrap()
        .execute_batch("CREATE TABLE shopping (item TEXT)")
        .unwrap();
    let error = SqliteStore::open(folder.path(), OWNER).err().unwrap();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    assert!(error.to_string().contains("--data"));
}

#[test]
fn changed_vanished_and_added_rows_are_noticed() {
    everywhere(|shelf| {
        let other_body = format!("{OTHER_BODY} WHERE sum = 3");
        for (sql, found) in [
            (other_body.as_str(), "event 1.0.3"),
            ("UPDATE events SET members = '[0]' WHERE sum = 3", "event 1.0.3"),
            ("UPDATE events SET sum = 9 WHERE sum = 3", "event 1.0.9"),
            ("DELETE FROM events WHERE sum = 3", "rows are missing"),
            ("DELETE FROM events WHERE sum = 1", "rows are missing"),
            ("DELETE FROM executed WHERE position = 2", "rows are missing"),
            ("UPDATE executed SET position = 7 WHERE position = 2", "rows are missing"),
            ("UPDATE executed SET hash = zeroblob(32) WHERE position = 2", "rows are missing"),
            (
                "INSERT INTO executed SELECT 3, round, coordinator, 3, sender, hash FROM executed WHERE position = 2",
                "rows",
            ),
            (
                "UPDATE head SET content = replace(content, '\"promised\":{\"round\":1', '\"promised\":{\"round\":2')",
                "head",
            ),
            ("DELETE FROM head", "the head is missing"),
            (
                "UPDATE plan SET content = replace(content, '\"round\":1', '\"round\":2')",
                "the prepared view",
            ),
            ("DELETE FROM plan", "the prepared view"),
        ] {
            let shelf = &shelf.another();
            let mut store = shelf.open();
            store
                .write(&(1..=3).map(|counter| Change::Append(held(counter))).collect::<Vec<_>>())
                .unwrap();
            store
                .write(&[
                    Change::Promise(VIEW),
                    Change::Executed(mark(1)),
                    Change::Executed(mark(2)),
                ])
                .unwrap();
            let fetched = Vec::new();
            let events = vec![(held(3).event.order_key(), BankId(0))];
            let plan = PreparePlan { events, ..plan(2) };
            store
                .write(&[Change::Prepared { plan, fetched, dropped: Vec::new(), learner: false }])
                .unwrap();
            assert_eq!(
                contents(&mut store).unwrap(),
                (vec![1, 2], vec![held(3).event.order_key()])
            );
            drop(store);
            shelf.meddle(sql);
            let error = shelf
                .try_open(OWNER)
                .and_then(|mut store| store.remembered().and_then(|_| contents(&mut store)))
                .unwrap_err();
            assert!(is_damaged(&error) && error.to_string().contains(found), "{sql}: {error}");
            assert!(error.to_string().contains("the other banks hold the same journal"));
        }
    });
}

#[test]
fn a_journal_that_was_rolled_back_destroyed_or_replaced_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let write = |counter| {
        let mut store = open(folder.path());
        contents(&mut store).unwrap();
        store.write(&[Change::Append(held(counter))]).unwrap();
    };
    write(1);
    let older = std::fs::read(file(folder.path())).unwrap();
    write(2);
    let newer = std::fs::read(file(folder.path())).unwrap();
    let refusal = || {
        SqliteStore::open(folder.path(), OWNER)
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };

    std::fs::write(file(folder.path()), older).unwrap();
    assert!(refusal().contains("commits are gone"), "{}", refusal());
    for gone in [Vec::new(), newer[..100].to_vec()] {
        std::fs::write(file(folder.path()), gone).unwrap();
        assert!(refusal().contains("damaged"), "{}", refusal());
    }
    let other = tempfile::tempdir().unwrap();
    contents(&mut open(other.path())).unwrap();
    std::fs::copy(file(other.path()), file(folder.path())).unwrap();
    assert!(refusal().contains("not the journal that was here"), "{}", refusal());
    // Without the tip there is no proof, and the journal itself is whole.
    std::fs::write(file(folder.path()), newer).unwrap();
    std::fs::remove_file(folder.path().join("journal.tip")).unwrap();
    assert_eq!(contents(&mut open(folder.path())).unwrap().1.len(), 2);
}

#[test]
fn events_unknown_to_a_view_are_dropped_when_the_view_is_prepared() {
    everywhere(|shelf| {
        let mut store = shelf.open();
        store
            .write(&(1..=5).map(|counter| Change::Append(held(counter))).collect::<Vec<_>>())
            .unwrap();
        store
            .write(&[Change::Executed(mark(1)), Change::Executed(mark(2)), Change::Forgotten])
            .unwrap();
        assert!(store.remembered().unwrap().learner);
        let key = |counter| held(counter).event.order_key();
        let prepared = |position| Change::Prepared {
            plan: PreparePlan { events: vec![(key(4), BankId(0))], ..plan(position) },
            fetched: Vec::new(),
            dropped: vec![key(3)],
            learner: false,
        };
        // The mark of position 3 is still on its way: nothing is dropped that the view did not
        // name.
        store.write(&[prepared(3)]).unwrap();
        assert_eq!(contents(&mut store).unwrap(), (vec![1, 2], vec![key(4), key(5)]));
        store.write(&[prepared(2)]).unwrap();
        assert_eq!(contents(&mut store).unwrap(), (vec![1, 2], vec![key(4)]));
        let Remembered { learner, rescue, prepared, .. } = store.remembered().unwrap();
        assert_eq!((learner, rescue, prepared.ballot), (false, false, VIEW));
    });
}

#[test]
fn a_person_may_declare_rescue_only_on_a_disk_that_knows_its_view() {
    everywhere(|shelf| {
        let mut store = shelf.open();
        assert!(!store.declare_rescue().unwrap(), "it never belonged to a view");
        let prepared = || Change::Prepared {
            plan: plan(0),
            fetched: Vec::new(),
            dropped: Vec::new(),
            learner: false,
        };
        store.write(&[prepared(), Change::Forgotten]).unwrap();
        assert!(!store.declare_rescue().unwrap(), "it is a learner");
        store.write(&[prepared()]).unwrap();
        assert!(store.declare_rescue().unwrap());
        drop(store);
        let mut store = shelf.open();
        assert!(store.remembered().unwrap().rescue);
        store.write(&[prepared()]).unwrap();
        assert!(!store.remembered().unwrap().rescue, "it counts for one view");
    });
}

/// A bank gone mad may have sent one version of an event here and another one elsewhere.
#[test]
fn an_event_that_was_executed_elsewhere_in_another_version_than_the_one_held_is_found_as_executed()
{
    everywhere(|shelf| {
        let request =
            RawRequest { id: EventId::new(BankId(0), "y"), type_msg: "X".into(), msg: raw(&7) };
        let (timestamp, header) = (vec![1, 0, 0].into(), Header::default());
        let event = Event::stamp(VIEW, BankId(0), timestamp, vec![request], header);
        let other = Held { event: Arc::new(event), members: BankSet::all(3) };
        let text = other.event.wire().get().to_owned();
        let mut store = shelf.open();
        store.load(&mut |_| Ok(())).unwrap();
        store.write(&[Change::Append(held(1))]).unwrap();
        store.write(&[Change::Replayed(JournalEntry { held: other, ..entry(1) })]).unwrap();
        drop(store);
        let mut found = Vec::new();
        let mut keep = |it| {
            found.push(it);
            Ok(())
        };
        shelf.open().load(&mut keep).unwrap();
        let [Found::Executed(JournalEntry { held, .. })] = &found[..] else { panic!("{found:?}") };
        assert_eq!(held.event.wire().get(), text);
    });
}
