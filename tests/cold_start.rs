//! How long a node needs to rebuild its ledger. Run it as
//! `cargo test --release --test cold_start -- --ignored --nocapture`; it prints what it measured.

#![allow(clippy::unwrap_used)] // In a test a panic is the finding.

mod played;

use std::path::Path;
use std::time::{Duration, Instant};

use netbanking::ids::{BankId, Position};
use netbanking::store::recovery::{compact, recover};
use netbanking::store::{Change, Owner, SqliteStore, Store};

use played::{BANKS, Played};

const OWNER: Owner = Owner { bank: BankId(1), banks: BANKS };
/// Executed requests in the journal.
const POSITIONS: u64 = 1_000_000;
/// Requests in each event, about as many as under load.
const REQUESTS: usize = 10;
/// How long a bank with a journal of this length may take to start.
const WITHIN: Duration = Duration::from_secs(10);

fn write_journal(folder: &Path) {
    let mut store = SqliteStore::open(folder, OWNER).unwrap();
    let mut played = Played::new();
    played.id_digits = 36;
    for _ in 0..POSITIONS / REQUESTS as u64 / 1_000 {
        let entries = (0..1_000).map(|_| Change::Replayed(played.entry(REQUESTS)));
        store.write(&entries.collect::<Vec<_>>()).unwrap();
    }
}

#[test]
#[ignore = "takes a minute, and means something in a release build only"]
fn a_million_executed_requests_are_restored_within_ten_seconds() {
    let folder = tempfile::tempdir().unwrap();
    write_journal(folder.path());
    let size =
        || std::fs::metadata(folder.path().join("journal.sqlite")).unwrap().len() / 1_000_000;

    let began = Instant::now();
    let recovered = recover(folder.path(), OWNER).unwrap();
    let from_journal = began.elapsed();
    println!("from the journal ({} MB): {from_journal:.2?}", size());
    assert_eq!(recovered.book.position(), Position(POSITIONS));

    let began = Instant::now();
    drop(recovered.book.clone());
    println!("a copy of the ledger, while the node runs: {:.2?}", began.elapsed());
    let began = Instant::now();
    assert!(compact(recovered).unwrap());
    println!("netbanking compact: {:.2?}", began.elapsed());

    let began = Instant::now();
    let recovered = recover(folder.path(), OWNER).unwrap();
    let from_snapshot = began.elapsed();
    println!("from the snapshot ({} MB): {from_snapshot:.2?}", size());
    assert_eq!(recovered.book.position(), Position(POSITIONS));
    assert!(from_journal < WITHIN && from_snapshot < WITHIN);
}
