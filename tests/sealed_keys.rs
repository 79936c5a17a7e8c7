//! Idempotency keys that are sealed and kept on disk, in files or in a database: what a snapshot
//! says of them, what a start makes of it, and what a crash or damage does.

#![allow(clippy::unwrap_used)] // In a test a panic is the finding.

mod played;
mod processes;

use std::borrow::Cow;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use netbanking::ids::{BankId, Sha256Digest};
use netbanking::ledger::Book;
use netbanking::ledger::book::{Pieces, Rows, Run, RunName, names_in};
use netbanking::protocol::effect::{Effect, JournalInput, LedgerInput, ViewInput};
use netbanking::protocol::event::Held;
use netbanking::protocol::executor::Executor;
use netbanking::protocol::snapshot::{SnapshotHead, SnapshotPiece};
use netbanking::store::recovery::rebuild_on;
use netbanking::store::{
    Change, Database, Disk, FolderShelf, GroupCommit, Owner, PgStore, Place, Shelf, Snapshots,
    SqliteStore, StoreError,
};

use played::{BANKS, Played};
use processes::postgres;

const OWNER: Owner = Owner { bank: BankId(1), banks: BANKS };
/// How many positions' keys are sealed together.
const SPAN: u64 = 50;

fn blank() -> Book {
    Book::sealing(BANKS, SPAN)
}

/// All of a ledger, its sealed keys, too.
fn pieces(book: &Book) -> Vec<String> {
    Pieces::with_runs(book.present()).collect()
}

/// A store with a journal of `events` events, each with five requests, and the ledger after it.
struct Bank {
    folder: tempfile::TempDir,
    /// The URL of the database, if there is one.
    url: Option<String>,
    played: Played,
}

/// Does something with a bank of `events` events in every kind of store.
fn everywhere(events: usize, test: impl Fn(Bank)) {
    println!("in files");
    test(Bank::new(events, None));
    println!("in PostgreSQL");
    test(Bank::in_database(events));
}

impl Bank {
    fn new(events: usize, url: Option<String>) -> Bank {
        let mut bank = Bank { folder: tempfile::tempdir().unwrap(), url, played: Played::new() };
        bank.played.book = blank();
        bank.executes(events);
        bank
    }

    fn in_database(events: usize) -> Bank {
        Bank::new(events, Some(postgres::shared().make_database()))
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn database(&self) -> Option<Database> {
        self.url.as_deref().map(postgres::database)
    }

    fn place(&self) -> Place {
        Place::new(self.path(), self.database())
    }

    fn store(&self) -> Box<dyn Disk> {
        // A program that another test is starting has the locks of all files for a moment.
        loop {
            let opened: Result<Box<dyn Disk>, _> = match self.database() {
                Some(database) => PgStore::open(self.path(), &database, OWNER)
                    .map(|store| Box::new(store) as Box<dyn Disk>),
                None => SqliteStore::open(self.path(), OWNER)
                    .map(|store| Box::new(store) as Box<dyn Disk>),
            };
            match opened {
                Err(StoreError::InUse { .. }) => std::thread::yield_now(),
                opened => return opened.unwrap(),
            }
        }
    }

    fn shelf(&self) -> Arc<dyn Shelf> {
        self.place().shelf(OWNER.bank).unwrap()
    }

    /// Changes the database behind the store's back; how many rows that changed or found.
    fn ask(&self, sql: &str) -> u64 {
        let set =
            "SET search_path TO netbanking_1_keys, netbanking_1; SET synchronous_commit TO off";
        let sql = format!("{set}; {sql}");
        postgres::ask(self.url.as_deref().unwrap(), &sql).unwrap()
    }

    fn executes(&mut self, events: usize) {
        let entries: Vec<_> = (0..events).map(|_| Change::Replayed(self.played.entry(5))).collect();
        self.store().write(&entries).unwrap();
    }

    fn starts(&self) -> Result<Book, StoreError> {
        Ok(rebuild_on(&mut *self.store(), &blank(), &*self.shelf())?.0)
    }

    /// A journal writer with a shelf, which is open only once.
    fn writer(&self, shelf: &Arc<dyn Shelf>) -> GroupCommit {
        GroupCommit::new(self.store(), blank()).with_shelf(Arc::clone(shelf))
    }

    /// Makes a snapshot in place of the journal as a running node does; returns its head and its
    /// pieces as another bank gets them.
    fn makes_a_snapshot(&mut self) -> (SnapshotHead, Vec<String>) {
        let shelf = self.shelf();
        let when = Snapshots { journal_max: 1, every: 0 };
        let position = self.played.book.position();
        let mut writer = self.writer(&shelf).with_snapshots(when, position).unwrap();
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

    fn file(&self, run: u64) -> PathBuf {
        self.path().join("keys").join(format!("{run}.run"))
    }

    /// How many runs are kept.
    fn runs(&self) -> usize {
        match self.url {
            Some(_) => self.ask("SELECT DISTINCT run FROM runs") as usize,
            None => {
                let files = fs::read_dir(self.path().join("keys")).unwrap();
                let is_run = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "run");
                files.map(|file| file.unwrap().path()).filter(is_run).count()
            }
        }
    }

    fn has(&self, run: u64) -> bool {
        match self.url {
            Some(_) => self.ask(&format!("SELECT 1 FROM runs WHERE run = {run}")) > 0,
            None => self.file(run).exists(),
        }
    }

    /// How many bytes a run has.
    fn length(&self, run: u64) -> usize {
        match self.url {
            Some(_) => self.sum("length(content)", &format!("runs WHERE run = {run}")),
            None => fs::metadata(self.file(run)).unwrap().len() as usize,
        }
    }

    /// A sum, as so many rows.
    fn sum(&self, of: &str, from: &str) -> usize {
        self.ask(&format!("SELECT generate_series(1, (SELECT sum({of}) FROM {from}))")) as usize
    }

    fn lose(&self, run: u64) {
        match self.url {
            Some(_) => assert!(self.ask(&format!("DELETE FROM runs WHERE run = {run}")) > 0),
            None => fs::rename(self.file(run), self.file(run).with_extension("new")).unwrap(),
        }
    }

    /// Changes a byte of a run; done twice, it is as before.
    fn flip(&self, run: u64, place: usize) {
        let bit = 1 << (place % 8);
        if self.url.is_some() {
            let byte = format!("set_byte(content, {place}, get_byte(content, {place}) # {bit})");
            assert_eq!(self.ask(&format!("UPDATE runs SET content = {byte} WHERE run = {run}")), 1);
            return;
        }
        let mut content = fs::read(self.file(run)).unwrap();
        content[place] ^= bit;
        fs::write(self.file(run), content).unwrap();
    }

    /// Leaves only so many bytes of a run.
    fn cut(&self, run: u64, bytes: usize) {
        match self.url {
            Some(_) => {
                let left = format!("substring(content FROM 1 FOR {bytes})");
                self.ask(&format!("UPDATE runs SET content = {left} WHERE run = {run}"));
            }
            None => {
                let file = fs::File::options().write(true).open(self.file(run)).unwrap();
                file.set_len(bytes as u64).unwrap();
            }
        }
    }

    /// How many bytes the snapshot takes on this bank's own disk.
    fn bytes_of_snapshot(&self) -> usize {
        if self.url.is_some() {
            return self.sum("length(text)", "pieces");
        }
        let db = rusqlite::Connection::open(self.path().join("journal.sqlite")).unwrap();
        let sql = "SELECT sum(length(text)) FROM pieces";
        db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap() as usize
    }
}

#[test]
fn a_snapshot_names_runs_and_is_as_good_as_one_that_has_their_keys() {
    everywhere(100, |mut bank| {
        let (head, texts) = bank.makes_a_snapshot();
        let whole = pieces(&bank.played.book);
        assert_eq!(texts, Pieces::of(bank.played.book.present()).collect::<Vec<_>>());
        assert!(head.covers(&texts));
        assert_eq!(bank.runs(), 9);
        let named: Vec<_> = texts.iter().filter_map(|text| names_in(text)).flatten().collect();
        assert!(bank.played.book.present().runs().iter().map(Run::name).eq(named));
        let length = |texts: &[String]| texts.iter().map(String::len).sum::<usize>();
        assert!(length(&texts) < length(&whole) / 2);
        assert!(bank.bytes_of_snapshot() < length(&whole) / 2);
        let read = blank().restored(whole.iter().map(String::as_str)).unwrap();
        assert_eq!(pieces(&read), whole);
        let started = bank.starts().unwrap();
        assert_eq!((started.hash(), pieces(&started)), (bank.played.book.hash(), whole));
    });
}

/// What becomes of an input.
fn answers(writer: &mut GroupCommit, input: JournalInput) -> Vec<Effect> {
    let mut out = Vec::new();
    writer.handle(input);
    writer.flush(&mut out).unwrap();
    let mut reader = writer.reader().unwrap();
    out.extend(writer.take_reads().into_iter().map(|read| read.answer(&mut *reader).unwrap()));
    out
}

#[test]
fn a_bank_that_gets_a_snapshot_fetches_the_runs_that_it_names_and_refuses_false_ones() {
    everywhere(100, |mut bank| {
        let (head, texts) = bank.makes_a_snapshot();
        let other = Bank::new(0, bank.url.as_ref().map(|_| postgres::shared().make_database()));
        let mut writer = other.writer(&other.shelf());
        for (index, text) in (0..).zip(texts) {
            let piece = SnapshotPiece { head: head.clone(), index, text };
            answers(&mut writer, JournalInput::StorePiece(piece));
        }
        let open = |writer: &mut GroupCommit| {
            answers(writer, JournalInput::OpenSnapshot(head.clone())).pop().unwrap()
        };
        let Effect::View(ViewInput::RunsMissing { runs, .. }) = open(&mut writer) else {
            panic!("there are no runs yet");
        };
        assert_eq!(runs.len(), 9);
        let mut source = bank.writer(&bank.shelf());
        for name in &runs {
            let (to, name) = (BankId(2), *name);
            let mut bytes = Vec::new();
            loop {
                let (from, most) = (bytes.len() as u64, 1_000);
                let read = JournalInput::ReadRun { to, name, from, bytes: most };
                let answer = answers(&mut source, read).pop();
                let Some(Effect::View(ViewInput::RunRead { content, of, .. })) = answer else {
                    panic!("{answer:?}");
                };
                bytes.extend(content);
                if bytes.len() as u64 == of {
                    break;
                }
            }
            let store = |content| JournalInput::StoreRun { name, content };
            let mut wrong = bytes.clone();
            wrong[bytes.len() / 2] ^= 1;
            let refused = answers(&mut writer, store(wrong)).pop();
            assert!(matches!(refused, Some(Effect::View(ViewInput::SnapshotRefused))));
            let kept = answers(&mut writer, store(bytes)).pop();
            assert!(matches!(kept, Some(Effect::View(ViewInput::RunStored(_)))), "{kept:?}");
        }
        let Effect::Ledger(LedgerInput::Restore { book, .. }) = open(&mut writer) else {
            panic!("all runs are here");
        };
        assert_eq!(pieces(&book), pieces(&bank.played.book));
        // A run that this disk has lost is fetched once more.
        other.lose(runs[3].number);
        let missing = open(&mut writer);
        let Effect::View(ViewInput::RunsMissing { runs: again, .. }) = missing else {
            panic!("{missing:?}");
        };
        assert_eq!(again, [runs[3]]);
        let (to, name) = (BankId(2), RunName { number: 77, ..runs[0] });
        let gone = answers(&mut source, JournalInput::ReadRun { to, name, from: 0, bytes: 9 });
        let Some(Effect::View(ViewInput::RunRead { of: 0, .. })) = gone.last() else {
            panic!("{gone:?}");
        };
    });
}

#[test]
fn a_snapshot_of_an_earlier_release_in_which_references_stand_for_runs_is_read_and_given() {
    everywhere(100, |mut bank| {
        bank.makes_a_snapshot();
        let present = bank.played.book.present();
        let whole = pieces(&bank.played.book);
        let named: Vec<_> = Pieces::of(Arc::clone(&present)).collect();
        // Each of these runs is a piece, and all together one piece names them.
        let before = named.iter().position(|text| names_in(text).is_some()).unwrap();
        let after = named.len() - before - 1;
        assert_eq!(whole.len(), before + present.runs().len() + after);
        let executed = bank.played.executed.clone().unwrap();
        let mut head = SnapshotHead::begun(present.position(), present.hash(), executed);
        whole.iter().for_each(|text| _ = head.next_piece(text.clone()));
        let stands =
            |index: usize| match index.checked_sub(before).map(|run| present.runs().get(run)) {
                Some(Some(run)) => {
                    let digest = run.digest();
                    serde_json::json!({"run": run.number(), "part": 0, "digest": digest})
                        .to_string()
                }
                _ => whole[index].clone(),
            };
        let piece = |index: u32| {
            let (head, text) = (head.clone(), stands(index as usize));
            Change::SnapshotPiece(SnapshotPiece { head, index, text })
        };
        let mut changes: Vec<_> = (0..head.pieces).map(piece).collect();
        changes.push(Change::SnapshotComplete(head.clone()));
        bank.store().write(&changes).unwrap();
        assert_eq!(pieces(&bank.starts().unwrap()), whole);
        let mut reader = bank.writer(&bank.shelf()).reader().unwrap();
        reader.begin().unwrap();
        let given: Vec<_> =
            (0..).map_while(|index| reader.snapshot_piece(index).unwrap()).collect();
        assert!(given.iter().map(|piece| &piece.text).eq(&whole));
        assert!(head.covers(&whole));
    });
}

/// What was asked in the fourth event, long sealed.
fn asked_before() -> Held {
    let mut again = Played::new();
    (0..4).map(|_| again.entry(5)).last().unwrap().held
}

#[test]
fn a_start_goes_on_after_the_snapshot_and_answers_a_repeated_request_as_the_first_time() {
    everywhere(100, |mut bank| {
        bank.makes_a_snapshot();
        bank.executes(60);
        let mut started = bank.starts().unwrap();
        assert_eq!(pieces(&started), pieces(&bank.played.book));
        let before = started.total();
        let executed = netbanking::protocol::executor::apply(&mut started, &asked_before());
        let positions: Vec<_> =
            executed.outcomes.iter().map(|outcome| outcome.position.0).collect();
        assert_eq!((positions, started.total()), (vec![16, 17, 18, 19, 20], before));
    });
}

#[test]
fn a_crash_between_sealing_and_writing_takes_nothing_away() {
    everywhere(100, |mut bank| {
        bank.makes_a_snapshot();
        bank.executes(60);
        bank.starts().unwrap();
        let all = bank.runs() as u64;
        assert!(all > 9);
        // Runs that the snapshot does not name may not have reached the disk, or in part.
        (9..all).for_each(|run| bank.lose(run));
        let started = bank.starts().unwrap();
        assert_eq!(pieces(&started), pieces(&bank.played.book));
        assert!((0..all).all(|run| bank.has(run)));
    });
}

#[test]
fn runs_go_when_their_keys_are_forgotten_and_no_snapshot_names_them() {
    everywhere(100, |mut bank| {
        bank.makes_a_snapshot();
        let named = bank.runs() as u64;
        // Each event makes the ledger older by nearly a minute, which is the most that counts.
        bank.played.apart_ms = 59_000;
        bank.executes(1_500);
        let started = bank.starts().unwrap();
        assert_eq!(pieces(&started), pieces(&bank.played.book));
        assert!(started.present().runs()[0].number() > 8, "the ledger has forgotten them");
        assert!((0..named).all(|run| bank.has(run)), "the snapshot has not");
        bank.makes_a_snapshot();
        assert!((0..named).all(|run| !bank.has(run)));
        assert_eq!(pieces(&bank.starts().unwrap()), pieces(&bank.played.book));
        assert_eq!(bank.runs(), started.present().runs().len());
        // A day later, nothing is left of them, although nobody has used a key meanwhile.
        bank.played.has_keys = false;
        bank.executes(1_500);
        assert!(bank.runs() > 0);
        bank.makes_a_snapshot();
        assert_eq!(bank.runs(), 0);
        assert_eq!(pieces(&bank.starts().unwrap()), pieces(&bank.played.book));
    });
}

#[test]
fn damage_to_any_byte_of_a_run_is_found_before_the_ledger_goes_on() {
    everywhere(30, |mut bank| {
        bank.makes_a_snapshot();
        let before = pieces(&bank.played.book);
        let (shelf, digest) = (bank.shelf(), bank.played.book.present().runs()[0].digest());
        // What proves the bytes is the same everywhere, and a database takes longer to change.
        let step = if bank.url.is_some() { 97 } else { 1 };
        for place in (0..bank.length(0)).step_by(step) {
            bank.flip(0, place);
            let found = shelf.take(0, digest).map(|_| ()).unwrap_err();
            assert!(matches!(found, StoreError::Damaged { .. }), "{found}");
            bank.flip(0, place);
        }
        assert_eq!(shelf.take(0, digest).unwrap().unwrap().digest(), digest);
        let whole = bank.played.book.present().runs()[0].content().into_owned();
        for end in (0..whole.len()).rev().step_by(step) {
            bank.cut(0, end);
            assert!(shelf.take(0, digest).is_err(), "{end}");
        }
        drop(shelf);
        let refused = bank.starts().map(|_| ()).unwrap_err();
        assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
        bank.lose(0);
        let refused = bank.starts().map(|_| ()).unwrap_err();
        assert!(refused.to_string().contains("a run of keys"), "{refused}");
        bank.shelf().put(&run_of(&whole, digest)).unwrap();
        assert_eq!(pieces(&bank.starts().unwrap()), before);
    });
}

#[test]
fn what_a_start_has_not_read_of_a_run_is_proved_afterwards_and_read_at_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = FolderShelf::open(folder.path()).unwrap();
    let run = long_run();
    let (number, digest) = (run.number(), run.digest());
    shelf.put(&run).unwrap();
    let [file, outline] =
        ["run", "outline"].map(|kind| folder.path().join("keys").join(format!("{number}.{kind}")));
    let known = || shelf.known(number, digest).map(Option::unwrap);
    assert_eq!(known().unwrap().content(), run.content());
    shelf.prove(number, digest).unwrap();

    // An outline that is damaged or gone is made again, and the run is read meanwhile.
    let written = fs::read(&outline).unwrap();
    fs::write(&outline, &written[1..]).unwrap();
    assert_eq!(known().unwrap().content(), run.content());
    shelf.prove(number, digest).unwrap();
    assert_eq!(fs::read(&outline).unwrap(), written);
    fs::remove_file(&outline).unwrap();
    assert_eq!(known().unwrap().content(), run.content());
    shelf.prove(number, digest).unwrap();

    let mut content = fs::read(&file).unwrap();
    *content.last_mut().unwrap() ^= 1;
    fs::write(&file, content).unwrap();
    assert!(known().is_ok(), "a start does not read all of it");
    let found = shelf.prove(number, digest).unwrap_err();
    assert!(matches!(found, StoreError::Damaged { .. }), "{found}");
    assert!(known().is_err(), "but the one after the damage was found does");

    shelf.drop_before(number + 1).unwrap();
    assert_eq!(fs::read_dir(folder.path().join("keys")).unwrap().count(), 0);
    shelf.prove(number, digest).unwrap();
}

/// The bytes of a run, in memory.
#[derive(Debug)]
struct InMemory(Vec<u8>);

impl Rows for InMemory {
    fn read(&self, range: Range<usize>) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.0[range])
    }

    fn give_up(&self, why: &str) -> ! {
        panic!("{why}")
    }
}

fn run_of(content: &[u8], digest: Sha256Digest) -> Run {
    Run::read(content, digest, Arc::new(InMemory(content.to_vec()))).unwrap()
}

/// A run with enough keys for several parts of it.
fn long_run() -> Run {
    let mut played = Played::new();
    played.book = Book::sealing(BANKS, 2_000);
    (0..800).for_each(|_| drop(played.entry(5)));
    played.book.take_sealed().swap_remove(0)
}

#[test]
fn a_run_of_many_parts_is_read_wherever_one_ends() {
    let run = long_run();
    let content = run.content().into_owned();
    assert!(content.len() > 100_000, "{}", content.len());
    everywhere(1, |bank| {
        let kept = bank.shelf().put(&run).unwrap();
        assert_eq!(kept.content(), content);
        let read = bank.shelf().take(0, run.digest()).unwrap().unwrap();
        assert_eq!((read.content(), read.digest()), (run.content(), run.digest()));
        if bank.url.is_some() {
            assert!(bank.ask("SELECT 1 FROM runs") > 3);
            assert_eq!(bank.ask("DELETE FROM runs WHERE part = 1"), 1);
            let found = bank.shelf().take(0, run.digest()).unwrap_err();
            assert!(matches!(found, StoreError::Damaged { .. }), "{found}");
        }
    });
}

#[test]
fn a_bank_in_a_database_finds_its_keys_though_its_folder_is_lost() {
    let mut bank = Bank::in_database(100);
    bank.makes_a_snapshot();
    assert!(!bank.path().join("keys").exists());
    bank.folder = tempfile::tempdir().unwrap();
    assert_eq!(pieces(&bank.starts().unwrap()), pieces(&bank.played.book));
}

#[test]
fn keys_that_an_earlier_release_kept_in_the_folder_of_a_bank_in_a_database_are_taken_there() {
    let mut bank = Bank::in_database(100);
    bank.makes_a_snapshot();
    let before = bank.runs();
    let files = FolderShelf::open(bank.path()).unwrap();
    for run in bank.played.book.present().runs() {
        files.put(run).unwrap();
    }
    // It does not matter if an earlier start was cut short on the way.
    assert!(bank.ask("DELETE FROM runs WHERE run > 3") > 0);
    assert_eq!(pieces(&bank.starts().unwrap()), pieces(&bank.played.book));
    assert_eq!(bank.runs(), before);
    assert!(!bank.path().join("keys").exists());
    let names = fs::read_dir(bank.path()).unwrap().map(|file| file.unwrap().file_name());
    let moved: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with("moved-")).collect();
    assert_eq!(moved.len(), 1, "{moved:?}");
}

#[test]
fn a_table_of_keys_that_is_gone_is_made_again() {
    let mut bank = Bank::in_database(100);
    bank.makes_a_snapshot();
    bank.ask("DROP TABLE runs");
    let shelf = bank.shelf();
    let run = long_run();
    assert_eq!(shelf.put(&run).unwrap().content(), run.content());
    let aside = "SELECT 1 FROM pg_namespace WHERE nspname LIKE 'netbanking_1_keys_damaged_%'";
    assert_eq!(bank.ask(aside), 1);
}
