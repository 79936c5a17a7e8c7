//! A journal and a snapshot that were written before there was consortium time (commit 6b19ea3) are
//! read as they are, and give the same result: hash by hash, date by date, key by key.

#![allow(clippy::unwrap_used)] // In a test a panic is the finding.

use std::sync::Arc;

use netbanking::ids::{Ballot, BankSet, ChainHash, Position};
use netbanking::ledger::Book;
use netbanking::ledger::book::Pieces;
use netbanking::ledger::past::{Auditor, PastEntry};
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

/// Executes the lines and adds the entries that they make to the past.
fn replay(book: &mut Book, past: &mut Vec<PastEntry>, lines: &str) {
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
        past.extend(book.take_fresh());
        let newest = book.accounts().map(|account| {
            let last = account.trail.last().0 as usize - 1;
            past[last].entry.at_ms
        });
        assert_eq!((book.time_ms(), newest.collect::<Vec<_>>()), (line.time_ms, line.newest));
    }
}

fn pieces(book: &Book) -> Vec<String> {
    Pieces::of(book.present()).collect()
}

fn from_snapshot() -> Book {
    Book::from_snapshot(BANKS, std::iter::once(SNAPSHOT)).unwrap()
}

#[test]
fn an_old_journal_is_executed_to_the_same_hashes_and_dates() {
    let (mut book, mut past) = (Book::new(BANKS), Vec::new());
    replay(&mut book, &mut past, BEFORE);
    replay(&mut book, &mut past, AFTER);
}

#[test]
fn an_old_snapshot_is_read_and_goes_on_to_the_same_hashes_and_dates() {
    let mut book = from_snapshot();
    let mut past = book.take_fresh();
    replay(&mut book, &mut past, AFTER);
}

/// An old snapshot has every account's entries and not the order in which they were made.
#[test]
fn an_old_snapshot_gives_the_same_ledger_and_the_same_past_as_the_journal_before_it() {
    let (mut executed, mut past) = (Book::new(BANKS), Vec::new());
    replay(&mut executed, &mut past, BEFORE);
    let mut read = from_snapshot();
    assert_eq!(read.take_fresh(), past);
    // Which operation was refused was not remembered then.
    let executed = pieces(&executed).concat().replace(",\"operation\":0", "");
    assert_eq!(pieces(&read).concat(), executed);
    let mut auditor = Auditor::default();
    past.iter().for_each(|past| auditor.take(past).unwrap());
    assert_eq!(read.agrees_with(&auditor), Ok(()));
}
