//! Every byte of a small journal is changed, and the files are cut at every length: the disk must
//! come back exactly as it was, or be refused or put aside. Nothing else is acceptable.

#![allow(clippy::unwrap_used)] // In a test a panic is the finding.

mod played;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use netbanking::ids::{Ballot, BankId, BankSet, ChainHash, Position, Sha256Digest};
use netbanking::protocol::event::Held;
use netbanking::protocol::execution::{Executions, JournalEntry};
use netbanking::protocol::order_key::OrderKey;
use netbanking::protocol::snapshot::{SnapshotHead, SnapshotPiece};
use netbanking::protocol::view::PreparePlan;
use netbanking::store::recovery::{Recovered, recover, whole};
use netbanking::store::{Change, Owner, Remembered, SqliteStore, Store, StoreError};

use played::{BANKS, Played, VIEW, mark};

const OWNER: Owner = Owner { bank: BankId(1), banks: BANKS };
const JOURNAL: &str = "journal.sqlite";
const LOG: &str = "journal.sqlite-wal";
const TIP: &str = "journal.tip";

/// One in this many disks is actually put aside, or written to if it passes for whole; a prime, so
/// that all kinds of places are covered.
const FAR_EVERY: usize = 7;

/// The files of a folder by name.
type Files = BTreeMap<&'static str, Vec<u8>>;

/// Everything for which a node ever asks its disk.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    remembered: Remembered,
    held: Vec<(String, BankSet)>,
    clock: Vec<u64>,
    journal: Vec<(Position, ChainHash, String, BankSet)>,
    starts_after: (Position, Option<ChainHash>),
    pieces: Vec<SnapshotPiece>,
    book: (Position, ChainHash),
}

impl State {
    fn of(mut recovered: Recovered) -> State {
        let store = &mut recovered.store;
        let text = |held: &Held| (held.event.wire().get().to_owned(), held.members);
        let entry = |entry: JournalEntry| {
            let (text, members) = text(&entry.held);
            (entry.position, entry.hash, text, members)
        };
        let starts_after = store.journal_starts_after().unwrap();
        let mut pieces: Vec<_> =
            (0..9).filter_map(|index| store.snapshot_piece(index).unwrap()).collect();
        pieces.extend((0..9).filter_map(|index| store.arriving_piece(index).unwrap()));
        let state = &recovered.disk.state;
        State {
            remembered: store.remembered().unwrap(),
            held: state.held.iter().map(text).collect(),
            clock: BankId::all(BANKS).map(|bank| state.clock.get(bank)).collect(),
            journal: store
                .executed_after(Position(0), usize::MAX)
                .unwrap()
                .into_iter()
                .map(entry)
                .collect(),
            starts_after: (starts_after, store.hash_at(starts_after).unwrap()),
            pieces,
            book: (recovered.book.position(), recovered.book.hash()),
        }
    }
}

/// What became of a folder.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Refused,
    PutAside,
    Whole(Box<State>),
}

/// A folder in memory, where the machine has one: nothing here is about surviving a power cut.
fn fast_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// How far a start goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    AsANode,
    /// Stops before beginning anew, which is the same after any damage and takes longer than
    /// finding the damage.
    UpToTheDamage,
}

/// Puts files into an empty folder and starts on them.
fn start(folder: &Path, files: &Files, way: Way) -> Found {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap()
        } else {
            std::fs::remove_file(path).unwrap()
        }
    }
    for (name, bytes) in files {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    let recovered = match way {
        Way::AsANode => recover(folder, OWNER),
        Way::UpToTheDamage => match whole(folder, OWNER) {
            Err(StoreError::Damaged { .. }) => return Found::PutAside,
            done => done,
        },
    };
    match recovered {
        Err(error) => {
            println!("refused: {error}");
            assert!(
                std::fs::read(folder.join(JOURNAL)).unwrap() == files[JOURNAL],
                "what is refused is left alone"
            );
            Found::Refused
        }
        Ok(recovered) => match &recovered.set_aside {
            Some((aside, _)) => {
                assert!(
                    std::fs::read(aside.join(JOURNAL)).unwrap() == files[JOURNAL],
                    "nothing is lost"
                );
                assert!(recovered.disk.learner && recovered.book.position() == Position(0));
                Found::PutAside
            }
            None => Found::Whole(Box::new(State::of(recovered))),
        },
    }
}

/// A disk that passes for whole must stand being written to: what was there stays, and what is
/// written can be read back.
fn goes_on(folder: &Path, state: &State) {
    let mut recovered = recover(folder, OWNER).unwrap();
    assert!(recovered.set_aside.is_none());
    let ballot = Ballot { round: 99, coordinator: BankId(2) };
    let filler = SnapshotPiece { head: a_head(), index: 0, text: "x".repeat(3_000) };
    recovered.store.write(&[Change::Promise(ballot), Change::SnapshotPiece(filler)]).unwrap();
    drop(recovered);
    let recovered = recover(folder, OWNER).unwrap();
    assert!(recovered.set_aside.is_none(), "writing has damaged it: {:?}", recovered.set_aside);
    let mut found = State::of(recovered);
    assert_eq!(found.remembered.promised, ballot);
    let Remembered { promised, arriving, .. } = state.remembered.clone();
    found.remembered = Remembered { promised, arriving, ..found.remembered };
    found.pieces.retain(|piece| piece.head != a_head());
    let pieces =
        state.pieces.iter().filter(|piece| Some(&piece.head) == state.remembered.snapshot.as_ref());
    assert_eq!(found, State { pieces: pieces.cloned().collect(), ..state.clone() });
}

/// The head of a snapshot that nobody has.
fn a_head() -> SnapshotHead {
    let last = OrderKey { view: VIEW, sum: 1, sender: BankId(0) };
    SnapshotHead {
        position: Position(77),
        hash: ChainHash::default(),
        executed: Executions { last, members: BankSet::all(BANKS), clock: vec![1, 0, 0].into() },
        pieces: 2,
        digest: Sha256Digest::default(),
    }
}

/// How often each outcome occurred.
#[derive(Debug, Default)]
struct Tally {
    refused: usize,
    put_aside: usize,
    whole: usize,
    prefix: usize,
}

/// Starts on every damaged version of the files, two at a time; `allowed` holds the states that may
/// be found, with the one that was written last at the end.
fn try_all(cases: usize, damaged: impl Fn(usize) -> Files + Sync, allowed: &[State]) -> Tally {
    let part = |range: Range<usize>| {
        let folder = fast_folder();
        let mut tally = Tally::default();
        for case in range {
            let far = case % FAR_EVERY == 0;
            match start(
                folder.path(),
                &damaged(case),
                if far { Way::AsANode } else { Way::UpToTheDamage },
            ) {
                Found::Refused => tally.refused += 1,
                Found::PutAside => tally.put_aside += 1,
                Found::Whole(state) if Some(&*state) == allowed.last() => {
                    tally.whole += 1;
                    if far {
                        goes_on(folder.path(), &state);
                    }
                }
                Found::Whole(state) if allowed.contains(&state) => tally.prefix += 1,
                Found::Whole(state) => panic!("case {case} is silently different: {state:#?}"),
            }
        }
        tally
    };
    std::thread::scope(|scope| {
        let half = scope.spawn(|| part(0..cases / 2));
        let other = part(cases / 2..cases);
        let half = half.join().unwrap();
        Tally {
            refused: half.refused + other.refused,
            put_aside: half.put_aside + other.put_aside,
            whole: half.whole + other.whole,
            prefix: half.prefix + other.prefix,
        }
    })
}

/// Changes all bits of every byte of a file, one byte at a time.
fn flip_every_byte(files: &Files, name: &'static str, allowed: &[State]) -> Tally {
    change_every_byte(files, name, allowed, |_| 0xff)
}

/// Changes one bit of every byte of a file, one byte at a time.
fn flip_a_bit_of_every_byte(files: &Files, name: &'static str, allowed: &[State]) -> Tally {
    change_every_byte(files, name, allowed, |place| 1 << (place % 8))
}

fn change_every_byte(
    files: &Files,
    name: &'static str,
    allowed: &[State],
    change: impl Fn(usize) -> u8 + Sync,
) -> Tally {
    let damaged = |place: usize| {
        let mut files = files.clone();
        files.get_mut(name).unwrap()[place] ^= change(place);
        files
    };
    try_all(files[name].len(), damaged, allowed)
}

/// Cuts a file at every length.
fn cut_everywhere(files: &Files, name: &'static str, allowed: &[State]) -> Tally {
    let damaged = |length: usize| {
        let mut files = files.clone();
        files.get_mut(name).unwrap().truncate(length);
        files
    };
    try_all(files[name].len(), damaged, allowed)
}

fn plan(position: u64, events: &[Held]) -> PreparePlan {
    PreparePlan {
        ballot: VIEW,
        members: BankSet::all(BANKS),
        position: Position(position),
        hash: ChainHash::default(),
        source: BankId(0),
        clock: vec![position, 0, 0].into(),
        events: events.iter().map(|held| (held.event.order_key(), BankId(2))).collect(),
        founding: false,
        signed_from: None,
    }
}

/// What a bank writes in its first minutes, commit by commit.
fn commits(played: &mut Played) -> Vec<Vec<Change>> {
    let first: Vec<_> = (0..3).map(|_| played.held(1)).collect();
    let prepared = Change::Prepared {
        plan: plan(0, &first[..2]),
        fetched: first[..2].to_vec(),
        dropped: Vec::new(),
        learner: false,
    };
    let mut commits =
        vec![vec![Change::Promise(VIEW)], vec![prepared], vec![Change::Append(first[2].clone())]];
    let entries: Vec<_> = first.into_iter().map(|held| played.execute(held)).collect();
    commits.push(entries.iter().map(mark).map(Change::Executed).collect());
    commits.push(vec![Change::Append(played.held(2))]);
    commits.push(vec![Change::Promise(Ballot { round: 5, coordinator: BankId(2) })]);
    commits
}

/// Makes the pages small, so that a small journal has many of them.
fn small_pages(folder: &Path) {
    let db = rusqlite::Connection::open(folder.join(JOURNAL)).unwrap();
    db.execute_batch("PRAGMA page_size = 512; VACUUM;").unwrap();
}

fn read(folder: &Path) -> Files {
    let read = |name| Some((name, std::fs::read(folder.join(name)).ok()?));
    [JOURNAL, LOG, TIP].into_iter().filter_map(read).collect()
}

/// A journal that was closed, so that all of it is in one file; and what it holds.
fn closed(write: impl FnOnce(&mut dyn Store)) -> (Files, State) {
    let folder = fast_folder();
    small_pages(folder.path());
    let mut store = whole(folder.path(), OWNER).unwrap().store;
    write(&mut *store);
    drop(store);
    let files = read(folder.path());
    assert!(!files.contains_key(LOG), "all of it is in the file");
    let Found::Whole(state) = start(folder.path(), &files, Way::AsANode) else {
        panic!("it is not damaged")
    };
    (files, *state)
}

/// Three events executed, one held, a view, a promise.
fn a_journal() -> (Files, State) {
    closed(|store| {
        commits(&mut Played::new()).iter().for_each(|commit| store.write(commit).unwrap())
    })
}

/// A snapshot, journal on both sides of where it was made, and the beginning of another snapshot.
fn a_snapshot() -> (Files, State) {
    closed(|store| {
        let mut played = Played::new();
        let entries: Vec<_> = (0..4).map(|_| played.entry(1)).collect();
        store.write(&entries.into_iter().map(Change::Replayed).collect::<Vec<_>>()).unwrap();
        let (head, pieces) = played.snapshot();
        let own = |piece: SnapshotPiece| {
            Change::SnapshotPiece(SnapshotPiece { head: piece.head.as_begun(), ..piece })
        };
        store.write(&pieces.into_iter().map(own).collect::<Vec<_>>()).unwrap();
        let drop_some = Change::DropJournal { through: Position(3) };
        store
            .write(&[Change::SnapshotMade(head), drop_some, Change::Replayed(played.entry(1))])
            .unwrap();
        store.write(&[Change::Append(played.held(1)), Change::Forgotten]).unwrap();
        let (mut head, pieces) = played.snapshot();
        head.pieces += 1;
        let piece = |piece: SnapshotPiece| {
            Change::SnapshotPiece(SnapshotPiece { head: head.clone(), ..piece })
        };
        store.write(&pieces.into_iter().map(piece).collect::<Vec<_>>()).unwrap();
    })
}

fn check_closed((files, state): (Files, State)) {
    let allowed = [state];
    for flipped in [
        flip_every_byte(&files, JOURNAL, &allowed),
        flip_a_bit_of_every_byte(&files, JOURNAL, &allowed),
    ] {
        println!("each of {} bytes changed: {flipped:?}", files[JOURNAL].len());
        assert!(flipped.put_aside > 0 && flipped.refused < 10, "hardly anything needs a person");
    }
    let cut = cut_everywhere(&files, JOURNAL, &allowed);
    println!("cut at every length: {cut:?}");
    assert!(cut.put_aside > cut.whole && cut.refused == 0, "a cut needs nobody");
}

#[test]
fn a_change_to_any_byte_of_a_journal_is_noticed_or_harmless() {
    check_closed(a_journal());
}

#[test]
fn a_change_to_any_byte_of_a_snapshot_is_noticed_or_harmless() {
    check_closed(a_snapshot());
}

#[test]
fn a_damaged_tip_proves_nothing_and_harms_nothing() {
    let (files, state) = a_journal();
    let allowed = [state];
    let flipped = flip_every_byte(&files, TIP, &allowed);
    let cut = cut_everywhere(&files, TIP, &allowed);
    assert_eq!(flipped.whole + cut.whole, 2 * files[TIP].len());
}

/// A journal whose last commits are in the write-ahead log; and what it held before them and after
/// each.
fn in_the_log() -> (Files, Vec<State>) {
    let folder = fast_folder();
    small_pages(folder.path());
    let mut commits = commits(&mut Played::new());
    let mut store = whole(folder.path(), OWNER).unwrap().store;
    commits.drain(..3).for_each(|commit| store.write(&commit).unwrap());
    drop(store);
    let mut store = SqliteStore::open(folder.path(), OWNER).unwrap();
    let (elsewhere, mut files, mut states) = (fast_folder(), Files::new(), Vec::new());
    for commit in std::iter::once(Vec::new()).chain(commits) {
        store.write(&commit).unwrap();
        files = read(folder.path());
        let Found::Whole(state) = start(elsewhere.path(), &files, Way::AsANode) else {
            panic!("it is not damaged")
        };
        states.push(*state);
    }
    (files, states)
}

#[test]
fn a_damaged_log_is_noticed_while_the_tip_is_there() {
    let (files, states) = in_the_log();
    let last = &states[states.len() - 1..];
    let (flipped, cut) = (flip_every_byte(&files, LOG, last), cut_everywhere(&files, LOG, last));
    println!("{} bytes: changed {flipped:?}, cut {cut:?}", files[LOG].len());
    assert_eq!(
        (flipped.refused, cut.refused, cut.whole),
        (0, 0, 0),
        "a cut log has lost something"
    );
}

#[test]
fn without_the_tip_a_damaged_log_gives_an_exact_prefix_of_commits() {
    let (mut files, states) = in_the_log();
    files.remove(TIP);
    let (flipped, cut) =
        (flip_a_bit_of_every_byte(&files, LOG, &states), cut_everywhere(&files, LOG, &states));
    println!("{} bytes: changed {flipped:?}, cut {cut:?}", files[LOG].len());
    assert!(cut.prefix > 0 && cut.refused == 0 && cut.put_aside == 0);
}
