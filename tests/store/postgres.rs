//! What only a database does: it refuses what is not safe, goes away, and comes back.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use netbanking::store::{PgStore, SqliteStore, Store as _, recovery};

use super::moving;
use super::shelf::Shelf;
use super::*;
use crate::played::Played;
use crate::processes::postgres::{self, Postgres};

/// Long enough for a server to come back on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

fn keys(counters: impl IntoIterator<Item = u64>) -> Vec<OrderKey> {
    counters.into_iter().map(|counter| held(counter).event.order_key()).collect()
}

/// A server of the test's own, and a bank's store in it.
fn own_server() -> (Postgres, Shelf) {
    let server = Postgres::start();
    let url = server.make_database();
    (server, Shelf { folder: tempfile::tempdir().unwrap(), url: Some(url) })
}

fn open_within(shelf: &Shelf, patience: Duration) -> Result<PgStore, StoreError> {
    PgStore::open_within(shelf.folder.path(), &shelf.database().unwrap(), OWNER, patience)
}

#[test]
fn a_second_node_on_the_same_database_is_refused() {
    let shelf = Shelf::in_database();
    let mut first = shelf.open();
    let elsewhere = Shelf { folder: tempfile::tempdir().unwrap(), url: shelf.url.clone() };
    let refused = elsewhere.try_open(OWNER).err().unwrap();
    assert!(matches!(refused, StoreError::DatabaseInUse { .. }), "{refused}");
    assert!(refused.to_string().contains("stop the other one"), "{refused}");
    first.write(&[Change::Append(held(1))]).unwrap();
    // Another bank of the consortium may be in the same database.
    drop(elsewhere.try_open(Owner { bank: BankId(2), ..OWNER }).unwrap());
    drop(first);
    assert_eq!(contents(&mut shelf.open()).unwrap().1, keys([1]));
}

#[test]
fn a_server_that_may_lose_what_it_has_committed_is_refused_by_the_name_of_the_setting() {
    let (server, shelf) = own_server();
    for (setting, must_be) in [
        ("full_page_writes = off", "full_page_writes is off there and must be on"),
        (
            "synchronous_commit = off",
            "synchronous_commit is off there and must be on or remote_apply",
        ),
        ("synchronous_commit = local", "synchronous_commit is local there"),
        ("fsync = off", "fsync is off there and must be on"),
    ] {
        let name = setting.split(' ').next().unwrap();
        server.set(setting);
        // Sessions that begin now may still see the former value for a moment.
        let why = loop {
            match shelf.try_open(OWNER) {
                Err(why) => break why,
                Ok(_) => std::thread::yield_now(),
            }
        };
        assert!(matches!(why, StoreError::Unsafe { .. }), "{why}");
        assert!(why.to_string().contains(must_be), "{why}");
        server.ask("postgres", &format!("ALTER SYSTEM RESET {name}"));
        server.ask("postgres", "SELECT pg_reload_conf()");
        while shelf.try_open(OWNER).is_err() {
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_session_that_was_ended_is_replaced_and_what_was_written_is_written_once() {
    let shelf = Shelf::in_database();
    let url = shelf.url.clone().unwrap();
    let mut store = shelf.open();
    let mut reader = store.reader().unwrap();
    for counter in 1..=3 {
        postgres::ask(
            &url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .unwrap();
        store.write(&[Change::Replayed(entry(counter))]).unwrap();
        let read = Read::Journal { to: BankId(2), after: Position(0), bytes: u32::MAX };
        let found = read.answer(&mut *reader).unwrap();
        let Effect::View(ViewInput::JournalRead { entries, .. }) = found else { panic!() };
        assert_eq!(entries.len() as u64, counter);
    }
    assert_eq!(contents(&mut store).unwrap().0, [1, 2, 3]);
}

/// A trigger that ends the session when the transaction has been committed, or before that.
fn cut_the_connection(shelf: &Shelf, when: &str) {
    let cut = format!(
        "SET search_path TO netbanking_1;
         CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF NOT EXISTS (SELECT 1 FROM pg_class WHERE relname = 'was_cut') THEN
                 {when}
             END IF;
             RETURN NULL;
         END $$;
         CREATE CONSTRAINT TRIGGER cut AFTER UPDATE ON head DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION cut()"
    );
    postgres::ask(&shelf.url.clone().unwrap(), &cut).unwrap();
}

#[test]
fn a_commit_during_which_the_connection_is_lost_counts_once() {
    let shelf = Shelf::in_database();
    let mut store = shelf.open();
    store.write(&[Change::Append(held(1))]).unwrap();
    cut_the_connection(&shelf, "PERFORM pg_terminate_backend(pg_backend_pid());");
    let url = shelf.url.clone().unwrap();
    // The first attempt is undone with its session; the mark makes the next one go through.
    let marking = std::thread::spawn(move || {
        let lost = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
            AND application_name LIKE 'netbanking%' AND state = 'active'";
        _ = postgres::ask(&url, lost);
        postgres::ask(&url, "CREATE TABLE was_cut ()").unwrap();
    });
    store.write(&[Change::Append(held(2))]).unwrap();
    marking.join().unwrap();
    store.write(&[Change::Append(held(3))]).unwrap();
    postgres::ask(
        &shelf.url.clone().unwrap(),
        "SET search_path TO netbanking_1; DROP TRIGGER cut ON head; DROP FUNCTION cut",
    )
    .unwrap();
    drop(store);
    assert_eq!(contents(&mut shelf.open()).unwrap().1, keys(1..=3));
}

/// Notes in a table which session of a bank waits for a replica, besides those that did before.
fn wait_for_replica(url: &str, meanwhile: impl Fn()) {
    let note =
        "SET synchronous_commit TO local; INSERT INTO waiting SELECT pid FROM pg_stat_activity
        WHERE wait_event = 'SyncRep' AND application_name LIKE 'netbanking%'
            AND pid NOT IN (SELECT pid FROM waiting)";
    let deadline = Instant::now() + PATIENCE;
    while postgres::ask(url, note) != Ok(1) {
        assert!(Instant::now() < deadline, "no session waits for a replica");
        meanwhile();
    }
}

/// Lets the writing end, also where a test fails that would otherwise wait for it.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Writes one entry after another.
fn write_until(store: &mut PgStore, done: &AtomicBool, written: &AtomicU64) {
    while !done.load(Ordering::SeqCst) {
        let next = written.load(Ordering::SeqCst) + 1;
        store.write(&[Change::Replayed(entry(next))]).unwrap();
        written.store(next, Ordering::SeqCst);
    }
}

#[test]
fn a_commit_whose_answer_is_lost_counts_once_and_only_when_it_is_safe() {
    let (server, shelf) = own_server();
    let url = shelf.url.clone().unwrap();
    let mut store = open_within(&shelf, PATIENCE).unwrap();
    store.write(&[Change::Append(held(1))]).unwrap();
    postgres::ask(&url, "CREATE TABLE waiting (pid int)").unwrap();
    let (done, written) = (AtomicBool::new(false), AtomicU64::new(1));
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| write_until(&mut store, &done, &written));
        let end = End(&done);
        // From now on, a commit that is on disk waits for a replica that does not exist.
        server.set("synchronous_standby_names = 'nobody'");
        wait_for_replica(&url, || ());
        let before = written.load(Ordering::SeqCst);
        let cut = "SELECT pg_terminate_backend(pid) FROM waiting";
        assert_eq!(postgres::ask(&url, cut), Ok(1));
        // The next session finds it, but not yet where it would outlive this server.
        wait_for_replica(&url, || {
            assert_eq!(written.load(Ordering::SeqCst), before, "it was reported too early");
        });
        assert_eq!(written.load(Ordering::SeqCst), before, "it was reported too early");
        drop(end);
        server.set("synchronous_standby_names = ''");
        writing.join().unwrap();
    });
    drop(store);
    let written = written.load(Ordering::SeqCst);
    assert_eq!(contents(&mut shelf.open()).unwrap(), ((2..=written).collect(), keys([1])));
}

#[test]
fn a_session_goes_on_as_safely_as_it_began_whatever_the_server_is_told_later() {
    let (server, shelf) = own_server();
    let url = shelf.url.clone().unwrap();
    let mut store = open_within(&shelf, PATIENCE).unwrap();
    store.write(&[Change::Append(held(1))]).unwrap();
    postgres::ask(&url, "CREATE TABLE waiting (pid int)").unwrap();
    server.set("synchronous_commit = off");
    let (done, written) = (AtomicBool::new(false), AtomicU64::new(1));
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| write_until(&mut store, &done, &written));
        let end = End(&done);
        server.set("synchronous_standby_names = 'nobody'");
        // With the server's word of now it would wait for nobody.
        wait_for_replica(&url, || ());
        drop(end);
        server.set("synchronous_standby_names = ''");
        writing.join().unwrap();
    });
}

#[test]
fn a_server_that_is_killed_in_the_middle_of_the_writing_loses_and_doubles_nothing() {
    let (server, shelf) = own_server();
    let mut store = open_within(&shelf, PATIENCE).unwrap();
    const EVENTS: u64 = 400;
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for counter in 1..=EVENTS {
                store.write(&[Change::Replayed(entry(counter))]).unwrap();
            }
        });
        for turn in 0..4 {
            server.kill();
            if turn == 0 {
                assert!(!writing.is_finished(), "the first kill comes in the middle");
            }
            server.go_on();
        }
        writing.join().unwrap();
    });
    drop(store);
    let (executed, held) = contents(&mut shelf.open()).unwrap();
    assert_eq!((executed, held), ((1..=EVENTS).collect(), Vec::new()));
}

#[test]
fn a_server_that_crashes_alone_takes_nothing_with_it_that_the_past_was_told_is_written() {
    let (server, shelf) = own_server();
    // What is not synced stays for long where only the server has it.
    server.set("wal_writer_delay = 10000");
    let mut played = Played::new();
    let entries: Vec<_> = (0..20).map(|_| Change::Replayed(played.entry(10))).collect();
    shelf.open().write(&entries).unwrap();
    let place = netbanking::store::Place::new(shelf.folder.path(), shelf.database());
    let recovered = recovery::recover(place, OWNER).unwrap();
    server.kill();
    server.go_on();
    assert!(!moving::blocks(&recovered.past).is_empty());
}

#[test]
fn a_server_that_stays_away_ends_the_node_after_a_bounded_time() {
    let (server, shelf) = own_server();
    let mut store = open_within(&shelf, Duration::from_millis(500)).unwrap();
    store.write(&[Change::Append(held(1))]).unwrap();
    server.stop();
    let why = store.write(&[Change::Append(held(2))]).unwrap_err();
    assert!(matches!(why, StoreError::Away { .. }), "{why}");
    assert!(why.to_string().contains("nothing that it had acknowledged is lost"), "{why}");
    drop(store);
    server.go_on();
    assert_eq!(contents(&mut shelf.open()).unwrap().1, keys([1]));
}

#[test]
fn another_process_that_writes_after_the_lock_was_lost_is_noticed() {
    let shelf = Shelf::in_database();
    let mut store = shelf.open();
    store.write(&[Change::Append(held(1))]).unwrap();
    shelf.meddle("UPDATE head SET content = content || ' ', digest = sha256(convert_to(content || ' ', 'UTF8'))");
    let why = store.write(&[Change::Append(held(2))]).unwrap_err();
    assert!(matches!(why, StoreError::Failed { .. }), "{why}");
    drop(store);
    assert_eq!(contents(&mut shelf.open()).unwrap().1, keys([1]));
}

#[test]
fn a_database_that_has_lost_commits_or_everything_is_noticed_by_the_tip() {
    let shelf = Shelf::in_database();
    let url = shelf.url.clone().unwrap();
    let mut store = shelf.open();
    store.write(&[Change::Append(held(1))]).unwrap();
    drop(store);
    // As a replica that was behind.
    postgres::ask(&url, "CREATE TABLE former AS SELECT * FROM netbanking_1.head").unwrap();
    shelf.open().write(&[Change::Promise(VIEW)]).unwrap();
    postgres::ask(
        &url,
        "UPDATE netbanking_1.head SET content = former.content, digest = former.digest FROM former",
    )
    .unwrap();
    let why = shelf.try_open(OWNER).err().unwrap();
    assert!(is_damaged(&why) && why.to_string().contains("commits are gone"), "{why}");
    postgres::ask(&url, "DROP SCHEMA netbanking_1 CASCADE").unwrap();
    let why = shelf.try_open(OWNER).err().unwrap();
    assert!(is_damaged(&why) && why.to_string().contains("the journal is gone"), "{why}");
}

#[test]
fn a_damaged_journal_is_put_aside_and_the_bank_begins_as_a_learner() {
    let shelf = Shelf::in_database();
    let mut store = shelf.open();
    store.write(&[Change::Append(held(1))]).unwrap();
    drop(store);
    shelf.meddle("DELETE FROM events");
    let place = netbanking::store::Place::new(shelf.folder.path(), shelf.database());
    let mut recovered = recovery::recover(place, OWNER).unwrap();
    let (aside, why) = recovered.set_aside.take().unwrap();
    assert!(is_damaged(&why), "{why}");
    let name = aside.display().to_string();
    let schema = name.strip_prefix("schema ").unwrap();
    assert!(schema.starts_with("netbanking_1_damaged_"), "{name}");
    assert!(recovered.store.remembered().unwrap().learner);
    let kept = format!("SELECT 1 FROM {schema}.head");
    assert_eq!(postgres::ask(&shelf.url.unwrap(), &kept), Ok(1));
}

#[test]
fn a_bank_with_a_journal_in_one_place_does_not_begin_a_second_one_in_the_other() {
    let shelf = Shelf::in_database();
    drop(shelf.open());
    let why = SqliteStore::open(shelf.folder.path(), OWNER).err().unwrap();
    assert!(matches!(why, StoreError::Elsewhere { found: "in a database", .. }), "{why}");
    let shelf = Shelf { folder: tempfile::tempdir().unwrap(), url: shelf.url };
    drop(SqliteStore::open(shelf.folder.path(), OWNER).unwrap());
    let why = shelf.try_open(OWNER).err().unwrap();
    assert!(matches!(why, StoreError::Elsewhere { found: "in this folder", .. }), "{why}");
    assert!(why.to_string().contains("move-store"), "{why}");
}

#[test]
fn tables_that_were_changed_are_noticed() {
    let shelf = Shelf::in_database();
    drop(shelf.open());
    let url = shelf.url.clone().unwrap();
    let change = "ALTER TABLE netbanking_1.events ALTER COLUMN sum TYPE int";
    postgres::ask(&url, change).unwrap();
    let why = shelf.try_open(OWNER).err().unwrap();
    assert!(why.to_string().contains("the definitions of the tables"), "{why}");
    let foreign = Shelf::in_database();
    let url = foreign.url.clone().unwrap();
    postgres::ask(&url, "CREATE SCHEMA netbanking_1; CREATE TABLE netbanking_1.shopping ()")
        .unwrap();
    let why = foreign.try_open(OWNER).err().unwrap();
    assert!(matches!(why, StoreError::Foreign { .. }), "{why}");
}
