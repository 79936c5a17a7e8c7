//! A journal that is kept short by the running node, and what banks that lack its beginning are
//! given instead.

#![allow(clippy::unwrap_used)] // In a test a panic is the finding.

mod played;

use std::path::Path;

use netbanking::ids::{BankId, BankSet, Position};
use netbanking::ledger::Book;
use netbanking::protocol::effect::{Effect, JournalInput, LedgerInput, ViewInput};
use netbanking::protocol::event::Held;
use netbanking::protocol::execution::Executions;
use netbanking::protocol::executor::Executor;
use netbanking::protocol::snapshot::SnapshotPiece;
use netbanking::protocol::view::{PreparePlan, View};
use netbanking::store::recovery::{self, Recovered, rebuild};
use netbanking::store::{
    Change, Found, GroupCommit, JournalReader, Owner, Snapshots, SqliteStore, Store, StoreError,
};

use played::{BANKS, Played, VIEW, mark};

const OWNER: Owner = Owner { bank: BankId(1), banks: BANKS };
const LIMIT: u64 = 1_000;

/// A journal of `positions` positions, ten to an event, and one event that is only held. Its ledger
/// has no keys to remember, so that a snapshot of it is small.
fn journal(folder: &Path, positions: u64) -> (SqliteStore, Played, Held) {
    let mut store = SqliteStore::open(folder, OWNER).unwrap();
    let mut played = Played::new();
    played.has_keys = false;
    let entries: Vec<_> = (0..positions / 10).map(|_| played.entry(10)).collect();
    store.write(&entries.into_iter().map(Change::Replayed).collect::<Vec<_>>()).unwrap();
    let held = played.held(1);
    store.write(&[Change::Append(held.clone())]).unwrap();
    (store, played, held)
}

fn recover(folder: &Path, owner: Owner) -> Result<Recovered, StoreError> {
    recovery::recover(folder, owner)
}

fn whole(folder: &Path, owner: Owner) -> Result<Recovered, StoreError> {
    recovery::whole(folder, owner)
}

/// Opens a folder that nobody uses any more. A program that another test is starting has the locks
/// of all files for a moment, before it is executed.
fn patiently<R>(open: impl Fn(&Path, Owner) -> Result<R, StoreError>, folder: &Path) -> R {
    loop {
        match open(folder, OWNER) {
            Err(StoreError::InUse { .. }) => std::thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

/// A writer that drops what is beyond a limit.
fn writer(store: SqliteStore, journal_max: u64, executed: Position) -> GroupCommit {
    let when = Snapshots { journal_max, every: 0 };
    GroupCommit::new(Box::new(store), Book::new(BANKS)).with_snapshots(when, executed).unwrap()
}

/// A journal of events with one request each, more than are read at every start, and a snapshot
/// beside it; the ledger that it leads to.
fn journal_with_a_snapshot_beside_it(folder: &Path) -> Played {
    let mut store = SqliteStore::open(folder, OWNER).unwrap();
    let mut played = Played::new();
    let mut write = |store: &mut SqliteStore, count: u64| {
        let entries: Vec<_> = (0..count).map(|_| Change::Replayed(played.entry(1))).collect();
        store.write(&entries).unwrap();
    };
    write(&mut store, 10_100);
    drop(store);
    // The first start writes the past.
    let Recovered { store, .. } = patiently(recover, folder);
    let when = Snapshots { journal_max: 0, every: LIMIT };
    let position = played.book.position();
    let mut writer =
        GroupCommit::new(store, Book::new(BANKS)).with_snapshots(when, position).unwrap();
    let mut executor =
        Executor::new(BankId(1), BANKS, played.book.clone(), played.executed.clone());
    assert_eq!(settle(&mut writer, &mut executor), 1);
    assert_eq!(settle(&mut writer, &mut executor), 0, "the next one is not due yet");
    drop(writer);
    let mut store = patiently(SqliteStore::open, folder);
    assert_eq!(store.remembered().unwrap().snapshot.unwrap().position, position);
    assert_eq!((store.settled().unwrap(), store.journal_starts_after().unwrap().0), (position, 0));
    let entries: Vec<_> = (0..10).map(|_| Change::Replayed(played.entry(1))).collect();
    store.write(&entries).unwrap();
    played
}

/// Changes a journal behind its program's back.
fn damage(folder: &Path, sql: &str) {
    let db = rusqlite::Connection::open(folder.join("journal.sqlite")).unwrap();
    assert_eq!(db.execute(sql, []).unwrap(), 1);
}

const OLD_EVENT: &str =
    "UPDATE events SET body = CAST(body || ' ' AS BLOB) WHERE sum = (SELECT min(sum) FROM events)";

/// Lets time pass until nothing more is asked of the ledger and every change is written; returns
/// how often the ledger was asked for a snapshot of itself.
fn settle(writer: &mut GroupCommit, executor: &mut Executor) -> usize {
    let mut asked = 0;
    for _ in 0..20 {
        let mut out = Vec::new();
        writer.tick(&mut out).unwrap();
        writer.flush(&mut out).unwrap();
        for effect in std::mem::take(&mut out) {
            if let Effect::Ledger(input @ LedgerInput::Snapshot) = effect {
                asked += 1;
                executor.handle(input, &mut out);
            }
        }
        for effect in out {
            if let Effect::Journal(input) = effect {
                writer.handle(input);
            }
        }
    }
    asked
}

/// What the writer answers to one question.
fn answer(writer: &mut GroupCommit, question: JournalInput) -> ViewInput {
    writer.handle(question);
    writer.flush(&mut Vec::new()).unwrap();
    let read = writer.take_reads().pop().expect("a question about the journal");
    match Some(read.answer(&mut *writer.reader().unwrap()).unwrap()) {
        Some(Effect::View(input)) => input,
        other => panic!("{other:?}"),
    }
}

fn read(writer: &mut GroupCommit, after: u64) -> (usize, bool, Position) {
    match answer(
        writer,
        JournalInput::Read { to: BankId(2), after: Position(after), bytes: u32::MAX },
    ) {
        ViewInput::JournalRead { entries, hash_before, starts_after, .. } => {
            (entries.len(), hash_before.is_some(), starts_after)
        }
        other => panic!("{other:?}"),
    }
}

fn piece(writer: &mut GroupCommit, index: u32) -> Option<SnapshotPiece> {
    match answer(
        writer,
        JournalInput::ReadSnapshot { to: BankId(2), index, from: 0, bytes: u32::MAX },
    ) {
        ViewInput::SnapshotRead { piece, .. } => piece,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_journal_beyond_its_limit_becomes_a_snapshot_and_its_newest_half() {
    let folder = tempfile::tempdir().unwrap();
    let (store, mut played, held) = journal(folder.path(), LIMIT);
    let position = played.book.position();
    let mut executor =
        Executor::new(BankId(1), BANKS, played.book.clone(), played.executed.clone());
    let mut writer = writer(store, LIMIT, position);
    assert_eq!(settle(&mut writer, &mut executor), 0, "it is full, and not beyond");
    assert_eq!(read(&mut writer, 0), (100, true, Position(0)));
    assert_eq!(piece(&mut writer, 0), None);

    let entry = played.execute(held);
    writer.handle(JournalInput::Executed(vec![mark(&entry)]));
    let mut executor =
        Executor::new(BankId(1), BANKS, played.book.clone(), played.executed.clone());
    assert_eq!(settle(&mut writer, &mut executor), 1);
    let (head, pieces) = played.snapshot();
    let through = Position(500);
    assert_eq!(read(&mut writer, 0), (0, false, through), "it must fetch the snapshot");
    assert_eq!(read(&mut writer, 490), (0, false, through));
    assert_eq!(read(&mut writer, 500), (51, true, through));
    assert_eq!(read(&mut writer, 1_001), (0, true, through));
    assert_eq!(piece(&mut writer, 0).unwrap(), pieces[0]);
    assert_eq!(piece(&mut writer, head.pieces), None);
    assert_eq!(settle(&mut writer, &mut executor), 0, "it is short enough now");
    drop(writer);

    let Recovered { book, disk, .. } = whole(folder.path(), OWNER).unwrap();
    assert_eq!((book.position(), book.hash()), (played.book.position(), played.book.hash()));
    assert_eq!(
        disk.state.executed,
        played.executed.clone().map(Executions::as_unverified),
        "most of it was told by others"
    );
    assert_eq!(played.snapshot().0, head);
}

#[test]
fn a_snapshot_is_made_although_something_is_executed_before_the_copy_of_the_ledger_comes() {
    let folder = tempfile::tempdir().unwrap();
    let (store, mut played, held) = journal(folder.path(), LIMIT + 10);
    let copied = played.book.position();
    let mut executor =
        Executor::new(BankId(1), BANKS, played.book.clone(), played.executed.clone());
    let mut writer = writer(store, LIMIT, copied);
    let mut out = Vec::new();
    writer.tick(&mut out).unwrap();
    assert!(matches!(out[..], [Effect::Ledger(LedgerInput::Snapshot)]));
    executor.handle(LedgerInput::Snapshot, &mut out);
    // While the past is synced, which the copy waits for, the ledger goes on.
    let entry = played.execute(held);
    writer.handle(JournalInput::Executed(vec![mark(&entry)]));
    for effect in out {
        if let Effect::Journal(input) = effect {
            writer.handle(input);
        }
    }
    assert_eq!(settle(&mut writer, &mut executor), 0, "it need not be asked again");
    drop(writer);
    let Recovered { mut store, book, .. } = whole(folder.path(), OWNER).unwrap();
    assert_eq!(store.remembered().unwrap().snapshot.unwrap().position, copied);
    assert_eq!(book.hash(), played.book.hash());
}

#[test]
fn a_start_from_a_snapshot_beside_the_journal_reads_only_what_came_after() {
    let folder = tempfile::tempdir().unwrap();
    let played = journal_with_a_snapshot_beside_it(folder.path());
    let mut store = patiently(SqliteStore::open, folder.path());
    let (mut executed, mut pieces) = (0, 0);
    let count = &mut |found: Found| {
        match found {
            Found::Piece(_) => pieces += 1,
            Found::Executed(_) => executed += 1,
            Found::Held(held) => panic!("{held:?}"),
        }
        Ok(())
    };
    store.load(count).unwrap();
    let snapshot = store.remembered().unwrap().snapshot.unwrap();
    assert_eq!((pieces, executed), (snapshot.pieces, 10));
    drop(store);
    let same = |recovered: &Recovered| {
        let hash = (recovered.book.position(), recovered.book.hash());
        assert_eq!(hash, (played.book.position(), played.book.hash()));
        assert_eq!(recovered.past.missing(), []);
    };
    let recovered = patiently(recover, folder.path());
    same(&recovered);
    assert!(recovered.set_aside.is_none() && recovered.fell_back.is_none());
    drop(recovered);
    // Whoever wants to know for certain executes all of it.
    let recovered = patiently(whole, folder.path());
    same(&recovered);
    drop(recovered);
    // What is dropped is taken out of what is settled.
    let mut store = patiently(SqliteStore::open, folder.path());
    store.write(&[Change::DropJournal { through: Position(50) }]).unwrap();
    drop(store);
    same(&patiently(recover, folder.path()));
    same(&patiently(whole, folder.path()));
}

#[test]
fn damage_to_what_is_settled_is_found_by_whoever_reads_it_and_then_by_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let played = journal_with_a_snapshot_beside_it(folder.path());
    damage(folder.path(), OLD_EVENT);
    let mut recovered = patiently(recover, folder.path());
    assert_eq!(recovered.book.hash(), played.book.hash());
    let read = recovered.store.executed_after(Position(0), 1_000);
    assert!(matches!(read, Err(StoreError::Damaged { .. })), "{read:?}");
    drop(recovered);
    assert!(matches!(whole(folder.path(), OWNER), Err(StoreError::Damaged { .. })));
    // A node that has met the damage ends with this mark.
    std::fs::write(folder.path().join("journal.suspect"), "").unwrap();
    let recovered = patiently(recover, folder.path());
    assert!(recovered.set_aside.is_some() && recovered.disk.learner);
    drop(recovered);
    assert!(patiently(recover, folder.path()).set_aside.is_none());
}

#[test]
fn a_mark_of_suspicion_goes_when_everything_was_read_and_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    journal_with_a_snapshot_beside_it(folder.path());
    let mark = folder.path().join("journal.suspect");
    std::fs::write(&mark, "").unwrap();
    assert!(patiently(recover, folder.path()).set_aside.is_none());
    assert!(!mark.exists());
}

#[test]
fn a_damaged_snapshot_is_given_up_for_the_whole_journal() {
    let folder = tempfile::tempdir().unwrap();
    let played = journal_with_a_snapshot_beside_it(folder.path());
    damage(folder.path(), "UPDATE pieces SET text = text || ' ' WHERE place = 0");
    for has_fallen_back in [true, false] {
        let mut recovered = patiently(recover, folder.path());
        assert_eq!(recovered.fell_back.is_some(), has_fallen_back);
        assert!(recovered.set_aside.is_none() && recovered.past.missing().is_empty());
        assert_eq!(recovered.book.hash(), played.book.hash());
        assert_eq!(recovered.store.remembered().unwrap().snapshot, None);
    }
}

#[test]
fn a_damaged_snapshot_that_is_half_written_is_given_up_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut played = journal_with_a_snapshot_beside_it(folder.path());
    let (position, hash) = (played.book.position(), played.book.hash());
    played.entry(1);
    let (_, pieces) = played.snapshot();
    let mut store = patiently(SqliteStore::open, folder.path());
    store.write(&[Change::SnapshotPiece(pieces[0].clone())]).unwrap();
    assert!(store.remembered().unwrap().arriving.is_some());
    drop(store);
    let newest = "(SELECT max(snapshot) FROM pieces)";
    damage(
        folder.path(),
        &format!("UPDATE pieces SET text = text || ' ' WHERE snapshot = {newest}"),
    );
    for has_fallen_back in [true, false] {
        let mut recovered = patiently(recover, folder.path());
        assert_eq!(recovered.fell_back.is_some(), has_fallen_back);
        assert!(recovered.set_aside.is_none());
        assert_eq!((recovered.book.position(), recovered.book.hash()), (position, hash));
        assert_eq!(recovered.store.remembered().unwrap().arriving, None);
    }
}

#[test]
fn without_a_limit_the_journal_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (store, played, _) = journal(folder.path(), 100 * LIMIT / 10);
    let position = played.book.position();
    let mut executor = Executor::new(BankId(1), BANKS, played.book, played.executed);
    let mut writer = writer(store, 0, position);
    assert_eq!(settle(&mut writer, &mut executor), 0);
}

#[test]
fn a_bank_begins_no_snapshot_of_its_own_while_it_opens_one_that_has_arrived() {
    let folder = tempfile::tempdir().unwrap();
    let (store, mut played, _) = journal(folder.path(), LIMIT + 10);
    let mut executor =
        Executor::new(BankId(1), BANKS, played.book.clone(), played.executed.clone());
    let mut writer = writer(store, LIMIT, played.book.position());
    (0..50).for_each(|_| _ = played.entry(10));
    let (head, pieces) = played.snapshot();
    pieces.into_iter().for_each(|piece| writer.handle(JournalInput::StorePiece(piece)));
    writer.handle(JournalInput::OpenSnapshot(head.clone()));
    let mut turn = |writer: &mut GroupCommit| {
        let mut out = Vec::new();
        writer.tick(&mut out).unwrap();
        let mut told = Vec::new();
        for effect in out {
            if let Effect::Ledger(LedgerInput::Snapshot) = effect {
                executor.handle(LedgerInput::Snapshot, &mut told);
            }
        }
        for effect in told {
            if let Effect::Journal(input) = effect {
                writer.handle(input);
            }
        }
    };
    (0..2).for_each(|_| turn(&mut writer));
    writer.handle(JournalInput::SnapshotOpened(head.clone()));
    (0..20).for_each(|_| turn(&mut writer));
    writer.flush(&mut Vec::new()).unwrap();
    drop(writer);
    let Recovered { mut store, book, .. } = whole(folder.path(), OWNER).unwrap();
    assert_eq!(store.remembered().unwrap().snapshot, Some(head));
    assert_eq!(book.hash(), played.book.hash());
}

#[test]
fn an_arriving_snapshot_takes_precedence_over_the_banks_own() {
    let folder = tempfile::tempdir().unwrap();
    let (store, mut played, _) = journal(folder.path(), LIMIT + 10);
    let mut executor =
        Executor::new(BankId(1), BANKS, played.book.clone(), played.executed.clone());
    let mut writer = writer(store, LIMIT, played.book.position());
    let mut out = Vec::new();
    writer.tick(&mut out).unwrap();
    executor.handle(LedgerInput::Snapshot, &mut out);
    for effect in out {
        if let Effect::Journal(input) = effect {
            writer.handle(input);
        }
    }
    let mut out = Vec::new();
    writer.tick(&mut out).unwrap();
    (0..50).for_each(|_| _ = played.entry(10));
    let (head, pieces) = played.snapshot();
    pieces.into_iter().for_each(|piece| writer.handle(JournalInput::StorePiece(piece)));
    (0..3).for_each(|_| writer.tick(&mut out).unwrap());
    writer.handle(JournalInput::SnapshotOpened(head.clone()));
    writer.flush(&mut out).unwrap();
    drop(writer);
    let Recovered { mut store, book, .. } = whole(folder.path(), OWNER).unwrap();
    assert_eq!(store.remembered().unwrap().snapshot, Some(head));
    assert_eq!(book.hash(), played.book.hash());
}

#[test]
fn a_restart_from_a_snapshot_equals_one_from_the_whole_journal() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, played, _) = journal(folder.path(), 100);
    let (book, disk) = rebuild(&mut store, BANKS).unwrap();
    let (head, pieces) = played.snapshot();
    store.write(&pieces.into_iter().map(Change::SnapshotPiece).collect::<Vec<_>>()).unwrap();
    store.write(&[Change::SnapshotComplete(head.clone())]).unwrap();
    let (book_after, disk_after) = rebuild(&mut store, BANKS).unwrap();
    assert_eq!((book_after.position(), book_after.hash()), (book.position(), book.hash()));
    assert_eq!(disk_after.state, disk.state, "the clock and what is held, too");
    assert!(book_after.accounts().eq(book.accounts()));
    // A store whose snapshot is another ledger's is whole, and yet not to be trusted.
    let (other, pieces) = Played::new_with(30).snapshot();
    let false_head =
        netbanking::protocol::snapshot::SnapshotHead { position: Position(500), ..other };
    let piece = |piece: SnapshotPiece| {
        Change::SnapshotPiece(SnapshotPiece { head: false_head.clone(), ..piece })
    };
    store.write(&pieces.into_iter().map(piece).collect::<Vec<_>>()).unwrap();
    store.write(&[Change::SnapshotComplete(false_head.clone())]).unwrap();
    let error = rebuild(&mut store, BANKS).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("gives a different result at position 500"), "{error}");
}

#[test]
fn a_damaged_disk_makes_a_bank_with_others_a_learner_and_is_refused_at_a_bank_alone() {
    for banks in [1, BANKS] {
        let folder = tempfile::tempdir().unwrap();
        let owner = Owner { bank: BankId(0), banks };
        whole(folder.path(), owner).unwrap().store.write(&[Change::Promise(VIEW)]).unwrap();
        std::fs::write(folder.path().join("journal.sqlite"), "").unwrap();
        match recover(folder.path(), owner) {
            Err(error) => assert!(banks == 1 && error.to_string().contains("damaged"), "{error}"),
            Ok(Recovered { disk, set_aside, store, .. }) => {
                drop(store);
                assert!(banks == BANKS && disk.learner && set_aside.is_some());
                assert_eq!(View::new(BankId(0), banks, disk).report().promised.round, 0);
                // It stays a learner until it has prepared a view.
                assert!(recover(folder.path(), owner).unwrap().disk.learner);
            }
        }
    }
}

/// Runs the program on a folder of bank 1.
fn netbanking(data: &Path, arguments: &[&str]) -> (bool, String) {
    let nodes = concat!(env!("CARGO_MANIFEST_DIR"), "/nodes.json");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_netbanking"))
        .args(arguments)
        .args(["--bank", "1", "--nodes", nodes, "--data"])
        .arg(data)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn compact_shortens_a_stopped_banks_journal_and_keeps_what_is_held() {
    let folder = tempfile::tempdir().unwrap();
    let (store, played, held) = journal(folder.path(), 10_000);
    let (running, said) = netbanking(folder.path(), &["compact"]);
    assert!(!running && said.contains("another process uses it"), "{said}");
    drop(store);
    let size = || std::fs::metadata(folder.path().join("journal.sqlite")).unwrap().len();
    drop(whole(folder.path(), OWNER).unwrap());
    let before = size();
    for _ in 0..2 {
        let (success, said) = netbanking(folder.path(), &["compact"]);
        assert!(success && said.contains("position 10000"), "{said}");
    }
    assert!(size() < before, "{} < {before}", size());
    let Recovered { mut store, book, disk, .. } = whole(folder.path(), OWNER).unwrap();
    assert_eq!((book.position(), book.hash()), (played.book.position(), played.book.hash()));
    assert_eq!(disk.state.held, [held]);
    assert_eq!(store.journal_starts_after().unwrap(), book.position());
}

#[test]
fn audit_follows_every_entry_to_the_balances_also_after_the_journal_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    drop(journal(folder.path(), 2_000));
    let (success, before) = netbanking(folder.path(), &["audit"]);
    assert!(success && before.contains("entries of 2 accounts lead to the balances"), "{before}");
    assert!(netbanking(folder.path(), &["compact"]).0);
    let (success, after) = netbanking(folder.path(), &["audit"]);
    // The last line is about the journal.
    let of_entries = |said: &str| said.lines().take(2).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!((success, of_entries(&after)), (true, of_entries(&before)));
    assert!(after.contains("0 events in the journal are signed by their banks"), "{after}");
    std::fs::remove_file(folder.path().join("past.sqlite")).unwrap();
    let (success, said) = netbanking(folder.path(), &["audit"]);
    assert!(!success && said.contains("entries are missing, the first of them entry 1"), "{said}");
}

#[test]
fn rescue_explains_before_it_marks_and_refuses_a_disk_that_knows_no_view() {
    let folder = tempfile::tempdir().unwrap();
    drop(journal(folder.path(), 10));
    let (success, said) = netbanking(folder.path(), &["rescue", "--yes"]);
    assert!(!success && said.contains("knows of no view"), "{said}");
    let prepared = PreparePlan {
        ballot: VIEW,
        members: BankSet::all(BANKS),
        position: Position(10),
        clock: vec![0; 3].into(),
        ..Default::default()
    };
    let prepared = Change::Prepared {
        plan: prepared,
        fetched: Vec::new(),
        dropped: Vec::new(),
        learner: false,
    };
    SqliteStore::open(folder.path(), OWNER).unwrap().write(&[prepared]).unwrap();
    for (arguments, expected, marked) in [
        (&["rescue"][..], "What may be lost", false),
        (&["rescue", "--yes"], "rescue declared", true),
    ] {
        let (success, said) = netbanking(folder.path(), arguments);
        assert!(success && said.contains(expected), "{said}");
        let Recovered { disk, .. } = whole(folder.path(), OWNER).unwrap();
        assert_eq!(disk.rescue, marked);
    }
}
