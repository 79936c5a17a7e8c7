//! Idempotency keys that are sealed and kept on disk: what a snapshot says of them, what a start
//! makes of it, and what a crash or damage does.

#![allow(clippy::unwrap_used)] // In a test a panic is the finding.

mod played;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use netbanking::ids::BankId;
use netbanking::ledger::Book;
use netbanking::ledger::book::Pieces;
use netbanking::protocol::effect::{Effect, LedgerInput};
use netbanking::protocol::executor::Executor;
use netbanking::protocol::snapshot::SnapshotHead;
use netbanking::store::recovery::rebuild_on;
use netbanking::store::{
    Change, FolderShelf, GroupCommit, Owner, Shelf as _, Snapshots, SqliteStore, Store as _,
    StoreError,
};

use played::{BANKS, Played};

const OWNER: Owner = Owner { bank: BankId(1), banks: BANKS };
/// How many positions' keys are sealed together.
const SPAN: u64 = 50;

fn blank() -> Book {
    Book::sealing(BANKS, SPAN)
}

fn pieces(book: &Book) -> Vec<String> {
    Pieces::of(book.present()).collect()
}

/// A folder with a journal of `events` events, each with five requests, and the ledger after it.
struct Bank {
    folder: tempfile::TempDir,
    played: Played,
}

impl Bank {
    fn new(events: usize) -> Bank {
        let mut bank = Bank { folder: tempfile::tempdir().unwrap(), played: Played::new() };
        bank.played.book = blank();
        bank.executes(events);
        bank
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn store(&self) -> SqliteStore {
        // A program that another test is starting has the locks of all files for a moment.
        loop {
            match SqliteStore::open(self.path(), OWNER) {
                Err(StoreError::InUse { .. }) => std::thread::yield_now(),
                opened => return opened.unwrap(),
            }
        }
    }

    fn shelf(&self) -> FolderShelf {
        FolderShelf::open(self.path()).unwrap()
    }

    fn executes(&mut self, events: usize) {
        let entries: Vec<_> = (0..events).map(|_| Change::Replayed(self.played.entry(5))).collect();
        self.store().write(&entries).unwrap();
    }

    fn starts(&self) -> Result<Book, StoreError> {
        Ok(rebuild_on(&mut self.store(), &blank(), &self.shelf())?.0)
    }

    /// Makes a snapshot in place of the journal as a running node does; returns its head and its
    /// pieces as another bank gets them.
    fn makes_a_snapshot(&mut self) -> (SnapshotHead, Vec<String>) {
        let (store, shelf) = (self.store(), self.shelf());
        let when = Snapshots { journal_max: 1, every: 0 };
        let writer = GroupCommit::new(Box::new(store));
        let position = self.played.book.position();
        let mut writer =
            writer.with_snapshots(when, position).unwrap().with_shelf(Arc::new(shelf.clone()));
        for run in self.played.book.take_sealed() {
            self.played.book.shelve(shelf.put(&run).unwrap());
        }
        let (book, executed) = (self.played.book.clone(), self.played.executed.clone());
        let mut executor = Executor::new(BankId(1), BANKS, book, executed);
        for _ in 0..400 {
            let mut out = Vec::new();
            writer.tick(&mut out).unwrap();
            writer.flush(&mut out).unwrap();
            if let Some(Effect::Ledger(LedgerInput::Snapshot)) = out.pop() {
                executor.handle(LedgerInput::Snapshot, &mut out);
            }
            for effect in out {
                if let Effect::Journal(input) = effect {
                    writer.handle(input);
                }
            }
        }
        let mut reader = writer.reader().unwrap();
        reader.begin().unwrap();
        let piece = |index| reader.snapshot_piece(index).unwrap();
        let pieces: Vec<_> = (0..).map_while(piece).collect();
        (pieces[0].head.clone(), pieces.into_iter().map(|piece| piece.text).collect())
    }

    /// The files of runs, by name.
    fn runs(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.path().join("keys")).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        let number = |file: &PathBuf| file.file_stem()?.to_str()?.parse::<u64>().ok();
        files.sort_by_key(number);
        files
    }

    /// How many bytes the snapshot takes on this bank's own disk.
    fn bytes_of_snapshot(&self) -> usize {
        let db = rusqlite::Connection::open(self.path().join("journal.sqlite")).unwrap();
        let sql = "SELECT sum(length(text)) FROM pieces";
        db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap() as usize
    }
}

#[test]
fn a_snapshot_names_runs_and_other_banks_get_their_keys_all_the_same() {
    let mut bank = Bank::new(100);
    let (head, texts) = bank.makes_a_snapshot();
    assert_eq!(texts, pieces(&bank.played.book));
    assert!(head.covers(&texts));
    assert_eq!(bank.runs().len(), 9, "{:?}", bank.runs());
    let bytes: usize = texts.iter().map(String::len).sum();
    assert!(bank.bytes_of_snapshot() < bytes / 2, "{} of {bytes}", bank.bytes_of_snapshot());
    let read = blank().restored(texts.iter().map(String::as_str)).unwrap();
    assert_eq!(pieces(&read), texts);
    let started = bank.starts().unwrap();
    assert_eq!((started.hash(), pieces(&started)), (bank.played.book.hash(), texts));
}

#[test]
fn a_start_goes_on_after_the_snapshot_and_answers_a_repeated_request_as_the_first_time() {
    let mut bank = Bank::new(100);
    bank.makes_a_snapshot();
    bank.executes(60);
    let mut started = bank.starts().unwrap();
    assert_eq!(pieces(&started), pieces(&bank.played.book));
    // What was asked in the fourth event, long sealed.
    let held = {
        let mut again = Played::new();
        (0..4).map(|_| again.entry(5)).last().unwrap().held
    };
    let before = started.total();
    let executed = netbanking::protocol::executor::apply(&mut started, &held);
    let positions: Vec<_> = executed.outcomes.iter().map(|outcome| outcome.position.0).collect();
    assert_eq!((positions, started.total()), (vec![16, 17, 18, 19, 20], before));
}

#[test]
fn a_crash_between_sealing_and_writing_takes_nothing_away() {
    let mut bank = Bank::new(100);
    bank.makes_a_snapshot();
    bank.executes(60);
    bank.starts().unwrap();
    let all = bank.runs();
    // Runs that the snapshot does not name may not have reached the disk, or in part.
    for file in &all[9..] {
        fs::rename(file, file.with_extension("new")).unwrap();
    }
    let started = bank.starts().unwrap();
    assert_eq!(pieces(&started), pieces(&bank.played.book));
    assert!(all.iter().all(|file| file.exists()));
}

#[test]
fn runs_go_when_their_keys_are_forgotten_and_no_snapshot_names_them() {
    let mut bank = Bank::new(100);
    bank.makes_a_snapshot();
    let named = bank.runs();
    // Each event makes the ledger older by nearly a minute, which is the most that counts.
    bank.played.apart_ms = 59_000;
    bank.executes(1_500);
    let started = bank.starts().unwrap();
    assert_eq!(pieces(&started), pieces(&bank.played.book));
    assert!(started.present().runs()[0].number() > 8, "the ledger has forgotten them");
    assert!(named.iter().all(|file| file.exists()), "the snapshot has not");
    bank.makes_a_snapshot();
    assert!(named.iter().all(|file| !file.exists()));
    assert_eq!(pieces(&bank.starts().unwrap()), pieces(&bank.played.book));
    assert_eq!(bank.runs().len(), started.present().runs().len());
    // A day later, nothing is left of them, although nobody has used a key meanwhile.
    bank.played.has_keys = false;
    bank.executes(1_500);
    assert!(!bank.runs().is_empty());
    bank.makes_a_snapshot();
    assert_eq!(bank.runs(), Vec::<PathBuf>::new());
    assert_eq!(pieces(&bank.starts().unwrap()), pieces(&bank.played.book));
}

#[test]
fn damage_to_any_byte_of_a_run_is_found_before_the_ledger_goes_on() {
    let mut bank = Bank::new(30);
    bank.makes_a_snapshot();
    let file = bank.runs()[0].clone();
    let (whole, before) = (fs::read(&file).unwrap(), pieces(&bank.played.book));
    let (shelf, digest) = (bank.shelf(), bank.played.book.present().runs()[0].digest());
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 1 << (place % 8);
        fs::write(&file, &damaged).unwrap();
        let found = shelf.take(0, digest).map(|_| ()).unwrap_err();
        assert!(matches!(found, StoreError::Damaged { .. }), "{found}");
    }
    for end in 0..whole.len() {
        fs::write(&file, &whole[..end]).unwrap();
        assert!(shelf.take(0, digest).is_err(), "{end}");
    }
    let refused = bank.starts().map(|_| ()).unwrap_err();
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
    fs::remove_file(&file).unwrap();
    let refused = bank.starts().map(|_| ()).unwrap_err();
    assert!(refused.to_string().contains("a run of keys"), "{refused}");
    fs::write(&file, &whole).unwrap();
    assert_eq!(pieces(&bank.starts().unwrap()), before);
}
