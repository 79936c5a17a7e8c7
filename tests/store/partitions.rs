//! The partitions of the past in PostgreSQL: made as entries come, read one at a time and by their
//! indexes, and made of what earlier releases had.

use std::collections::BTreeSet;

use netbanking::ledger::past::{EntryNumber, PastEntry};
use netbanking::store::Place;
use netbanking::store::past::Past;
use netbanking::store::recovery::{Recovered, recover};

use super::OWNER;
use super::moving::blocks;
use super::shelf::Shelf;
use crate::played::Played;
use crate::processes::postgres::{self, Postgres};

/// How many entries a partition has.
const ENTRIES: u64 = 1 << 26;

/// Entries as a ledger makes them, some thousands.
fn entries() -> Vec<PastEntry> {
    let mut played = Played::new();
    (0..200).for_each(|_| drop(played.entry(10)));
    played.book.take_fresh()
}

/// The same entries after a number.
fn after(number: u64, entries: &[PastEntry]) -> Vec<PastEntry> {
    let moved = |past: &PastEntry| {
        let number = EntryNumber(number + past.number.0);
        PastEntry { number, ..past.clone() }
    };
    entries.iter().map(moved).collect()
}

fn open(shelf: &Shelf) -> Recovered {
    recover(Place::new(shelf.folder.path(), shelf.database()), OWNER).unwrap()
}

/// A past in which entries are in the first partition and in the third, across where it begins.
fn fill(past: &mut Past) -> u64 {
    let entries = entries();
    past.append(&entries).unwrap();
    let from = 2 * ENTRIES - 1_024;
    past.reaches(EntryNumber(from));
    past.append(&after(from, &entries)).unwrap();
    past.commit(true).unwrap();
    from
}

/// How many rows a query finds in the past's schema.
fn count(shelf: &Shelf, sql: &str) -> u64 {
    let sql = format!("SET search_path TO netbanking_1_past; {sql}");
    postgres::ask(shelf.url.as_deref().unwrap(), &sql).unwrap()
}

#[test]
fn a_look_up_in_the_past_reads_one_partition_by_its_index() {
    let server = Postgres::start();
    let shelf = Shelf { folder: tempfile::tempdir().unwrap(), url: Some(server.make_database()) };
    let Recovered { store, mut past, .. } = open(&shelf);
    let from = fill(&mut past);
    let has_rows = |number: u64| count(&shelf, &format!("SELECT 1 FROM blocks_{number}")) > 0;
    assert_eq!([0, 1, 2, 3].map(has_rows), [true, true, true, false], "one is made ahead");
    drop((past, store));
    // From now on, the server says how it finds what it is asked for.
    server.ask("postgres", "ALTER ROLE bank SET session_preload_libraries = 'auto_explain'");
    server.ask("postgres", "ALTER ROLE bank SET auto_explain.log_min_duration = 0");
    let Recovered { past, .. } = open(&shelf);
    let mut reader = past.reader().unwrap();
    // More often than a statement is planned anew for its values.
    let numbers = (1..=10).map(|block| block * 256).flat_map(|number| [number, from + number]);
    for number in numbers.clone() {
        let found = reader.find(EntryNumber(number)).unwrap().unwrap();
        assert_eq!(found.number, EntryNumber(number));
    }
    assert!(reader.find(EntryNumber(ENTRIES + 5)).unwrap().is_none(), "it is missing");
    let log = server.log();
    let plans: Vec<_> =
        log.split("duration: ").filter(|plan| plan.contains("FROM blocks")).collect();
    assert!(plans.len() > numbers.count(), "{log}");
    for plan in plans {
        assert!(plan.contains("Index Scan") && !plan.contains("Seq Scan"), "{plan}");
        let read: BTreeSet<_> =
            plan.split(" on blocks_").skip(1).map(|rest| rest.split(' ').next()).collect();
        assert!(read.len() == 1 || plan.contains("first < $1"), "{plan}");
    }
}

#[test]
fn the_one_table_of_an_earlier_release_becomes_the_first_partition() {
    let shelf = Shelf::in_database();
    let Recovered { store, mut past, .. } = open(&shelf);
    past.append(&entries()).unwrap();
    past.commit(true).unwrap();
    let (before, last) = (blocks(&past), past.last());
    drop((past, store));
    count(
        &shelf,
        "CREATE TABLE former (
             first bigint PRIMARY KEY, last bigint NOT NULL, content bytea NOT NULL, digest bytea NOT NULL
         );
         ALTER TABLE former ALTER COLUMN content SET STORAGE EXTERNAL;
         INSERT INTO former SELECT * FROM blocks;
         DROP TABLE blocks, partitions;
         ALTER TABLE former RENAME TO blocks;
         ALTER INDEX former_pkey RENAME TO blocks_pkey;
         UPDATE layout SET version = 1",
    );
    for _ in 0..2 {
        let Recovered { mut past, .. } = open(&shelf);
        assert_eq!((blocks(&past), past.last()), (before.clone(), last));
        past.commit(true).unwrap();
    }
    let Recovered { mut past, .. } = open(&shelf);
    assert_eq!(past.missing(), []);
    let from = fill_from(&mut past, last);
    assert!(past.reader().unwrap().find(EntryNumber(from + 7)).unwrap().is_some());
    assert!(count(&shelf, "SELECT 1 FROM blocks_before") > 0);
    assert!(count(&shelf, "SELECT 1 FROM blocks_1") > 0);
    let aside = "SELECT 1 FROM pg_namespace WHERE nspname LIKE 'netbanking_1_past_damaged%'";
    assert_eq!(count(&shelf, aside), 0);
}

/// Entries that follow the last, some of them in the next partition.
fn fill_from(past: &mut Past, last: EntryNumber) -> u64 {
    let entries = entries();
    past.append(&after(last.0, &entries)).unwrap();
    let from = ENTRIES - 512;
    past.reaches(EntryNumber(from));
    past.append(&after(from, &entries)).unwrap();
    past.commit(true).unwrap();
    from
}
