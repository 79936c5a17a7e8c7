//! A journal and a snapshot that were written before there was consortium time (commit 6b19ea3) are
//! read as they are, and give the same result: hash by hash, date by date, key by key.

#![allow(clippy::unwrap_used)] // In a test a panic is the finding.

use std::sync::Arc;

use netbanking::ids::{Ballot, BankSet, ChainHash, Position};
use netbanking::ledger::Book;
use netbanking::ledger::book::Pieces;
use netbanking::protocol::event::{Event, Held};
use netbanking::protocol::executor;
use serde::Deserialize;

const BANKS: usize = 3;
/// Customers, accounts, batches, repeated keys, a malformed request.
const BEFORE: &str = include_str!("old_journal/before.jsonl");
/// The ledger after it, as a snapshot.
const SNAPSHOT: &str = include_str!("old_journal/snapshot.jsonl");
/// A clock that is a day ahead and causes all keys to be forgotten, one at the end of the calendar,
/// requests without a customer.
const AFTER: &str = include_str!("old_journal/after.jsonl");

/// An event and its result.
#[derive(Deserialize)]
struct Line {
    event: String,
    members: BankSet,
    position: Position,
    hash: ChainHash,
    time_ms: i64,
    /// Date of each account's last entry, in Unix milliseconds.
    newest: Vec<i64>,
    check: String,
}

fn replay(book: &mut Book, lines: &str) {
    for line in lines.lines() {
        let line: Line = serde_json::from_str(line).unwrap();
        let text = serde_json::value::RawValue::from_string(line.event.clone()).unwrap();
        let event = Event::from_text(text.into(), Ballot::default()).unwrap();
        assert_eq!((event.header, event.wire().get()), (None, line.event.as_str()));
        let executed =
            executor::apply(book, &Held { event: Arc::new(event), members: line.members });
        assert_eq!(
            (executed.position, executed.hash, executed.check.descript),
            (line.position, line.hash, line.check)
        );
        let newest = book
            .accounts()
            .iter()
            .map(|account| account.statement.last().map_or(0, |entry| entry.at_ms));
        assert_eq!((book.time_ms(), newest.collect::<Vec<_>>()), (line.time_ms, line.newest));
    }
}

#[test]
fn an_old_journal_is_executed_to_the_same_hashes_dates_and_snapshot() {
    let mut book = Book::new(BANKS);
    replay(&mut book, BEFORE);
    let snapshot: Vec<_> = Pieces::of(Arc::new(book.clone())).collect();
    assert_eq!(snapshot, [SNAPSHOT]);
    replay(&mut book, AFTER);
}

#[test]
fn an_old_snapshot_is_read_and_goes_on_to_the_same_hashes_and_dates() {
    let mut book = Book::from_snapshot(BANKS, std::iter::once(SNAPSHOT)).unwrap();
    replay(&mut book, AFTER);
}
