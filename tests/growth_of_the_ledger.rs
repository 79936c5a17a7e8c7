//! What a ledger with many customers costs: memory, a copy for a snapshot, writing and reading it.
//! Run it as `cargo test --release --test growth_of_the_ledger -- --ignored --nocapture`.

#![allow(clippy::unwrap_used)] // In a test a panic is the finding.

use std::time::{Duration, Instant};

use netbanking::ids::request::Header;
use netbanking::ids::{Ballot, BankId, BankSet, EventId, Sha256Digest};
use netbanking::ledger::book::Pieces;
use netbanking::ledger::{
    AccountNumber, Action, Amount, Book, Centavos, Circumstances, Document, IdempotencyKey,
    Opening, Operation, OperationKind, Package, PasswordHash, PersonName, PixType, Registration,
    Request, TypeAccount, UserName,
};
use netbanking::protocol::execution::Executions;
use netbanking::protocol::order_key::OrderKey;
use netbanking::protocol::snapshot::{SnapshotHead, SnapshotPiece, chained, digest_of};
use netbanking::store::recovery::{recover, whole};
use netbanking::store::{Change, FolderShelf, Owner, Shelf as _, SqliteStore, Store as _};

const CUSTOMERS: u64 = 1_000_000;
const BANKS: usize = 3;
const OWNER: Owner = Owner { bank: BankId(0), banks: BANKS };
/// How long the ledger may stand still for a snapshot of itself.
const COPIED_WITHIN: Duration = Duration::from_millis(20);
/// The most memory that a customer with an account may take, in bytes.
const BYTES_MAX: u64 = 700;

/// Memory of this process, in bytes.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

struct Asked {
    book: Book,
    count: u64,
}

impl Asked {
    fn ask(&mut self, action: Action) -> Duration {
        self.ask_with(action, None, None)
    }

    fn ask_with(
        &mut self,
        action: Action,
        by: Option<UserName>,
        key: Option<IdempotencyKey>,
    ) -> Duration {
        self.count += 1;
        let unique = format!("00000000-0000-4000-8000-{:012}", self.count);
        let id = EventId::new(BankId(0), &unique);
        let request = Request {
            id,
            at_ms: None,
            key,
            by,
            own: false,
            offset_s: None,
            confirmed: false,
            action,
        }
        .to_raw();
        let header = Some(Header { at_ms: 1_795_442_602_000, open: false });
        let of = Circumstances { sender: BankId(0), members: BankSet::all(BANKS), header };
        let began = Instant::now();
        let executed = self.book.apply(&of, &request);
        let took = began.elapsed();
        assert!(executed.outcome.code(), "{executed:?}");
        self.book.take_fresh();
        took
    }

    fn enter(&mut self, number: u64) -> Duration {
        let user_name = UserName::parse(&format!("customer{number}")).unwrap();
        let digits = format!("{number:011}");
        let document =
            format!("{}.{}.{}-{}", &digits[..3], &digits[3..6], &digits[6..9], &digits[9..]);
        let salt = format!("{number:022}");
        let hash = format!("$argon2id$v=19$m=19456,t=2,p=1${salt}${salt}{salt}");
        let registered = self.ask(Action::Register(Registration {
            name: PersonName::parse(&format!("Maria das Dores Número {number}")).unwrap(),
            num_cadastro: Document::try_from(document).unwrap(),
            user_name: user_name.clone(),
            password_hash: PasswordHash::parse(&hash).unwrap(),
            distinct: true,
        }));
        let opened = self.ask(Action::CreateAccount(Opening {
            user_name,
            type_account: TypeAccount::Pf,
            pix_type: PixType::Cpf,
            users: Vec::new(),
            value_init: Amount::parse(Centavos::new(10_000)).unwrap(),
            numbers: vec![AccountNumber::try_from(1_000_000 + number).unwrap()],
            random_key: "r".into(),
            consent: false,
        }));
        registered.max(opened)
    }
}

#[test]
#[ignore = "a minute, and means something in a release build only"]
fn a_million_customers_fit_and_a_copy_of_them_stops_nobody() {
    let before = resident();
    let mut asked = Asked { book: Book::new(BANKS), count: 0 };
    let longest = (0..CUSTOMERS).map(|number| asked.enter(number)).max().unwrap();
    let bytes = (resident() - before) / CUSTOMERS;
    println!("{bytes} bytes for a customer with an account; the longest request took {longest:?}");

    let began = Instant::now();
    let present = asked.book.present();
    let copied = began.elapsed();
    let changed = (CUSTOMERS..CUSTOMERS + 10_000).map(|number| asked.enter(number)).max().unwrap();
    println!("a copy: {copied:?}; the longest request while it is kept: {changed:?}");

    let began = Instant::now();
    let pieces: Vec<_> = Pieces::of(present).collect();
    let written = began.elapsed();
    let size: usize = pieces.iter().map(String::len).sum();
    let began = Instant::now();
    let read = Book::from_snapshot(BANKS, pieces.iter().map(String::as_str)).unwrap();
    println!("written in {written:?} ({} MB), read in {:?}", size / 1_000_000, began.elapsed());
    assert_eq!(read.entries().0, CUSTOMERS);
    assert!(copied < COPIED_WITHIN && bytes < BYTES_MAX);
}

/// Packages of one day, and the most that their keys may take, in bytes.
const PACKAGES: [u64; 2] = [1_000_000, 10_000_000];
const BYTES_OF_KEYS_MAX: u64 = 60_000_000;
/// How many new and known keys are looked up.
const LOOKED_UP: u64 = 20_000;

impl Asked {
    /// A package of customer 1, under a key of its own.
    fn pay(&mut self, number: u64) -> Duration {
        let deposit = Operation {
            bank: BankId(0),
            account: AccountNumber::try_from(1_000_001).unwrap(),
            kind: OperationKind::Deposit {
                value: Amount::parse(Centavos::new(1)).unwrap(),
                sender: None,
            },
        };
        let package = Action::Operations(Package::parse(vec![deposit]).unwrap());
        let by = UserName::parse("customer1").unwrap();
        self.ask_with(package, Some(by), Some(key(number)))
    }

    /// A snapshot as it stands on this bank's own disk.
    fn snapshot_naming_runs(&self) -> (SnapshotHead, Vec<String>) {
        let texts: Vec<_> = Pieces::of(self.book.present()).collect();
        (self.head(&texts), texts)
    }

    /// The head of a snapshot of these pieces.
    fn head(&self, pieces: &[String]) -> SnapshotHead {
        let view = Ballot { round: 1, coordinator: BankId(0) };
        let executed = Executions {
            last: OrderKey { view, sum: 1, sender: BankId(0) },
            members: BankSet::all(BANKS),
            clock: vec![1, 0, 0].into(),
        };
        let digest = pieces
            .iter()
            .fold(Sha256Digest::default(), |before, piece| chained(before, digest_of(piece)));
        let (position, hash) = (self.book.position(), self.book.hash());
        SnapshotHead { position, hash, executed, pieces: pieces.len() as u32, digest }
    }

    /// Keeps what was sealed; returns how long that took.
    fn shelve(&mut self, shelf: &FolderShelf) -> Duration {
        let began = Instant::now();
        for run in self.book.take_sealed() {
            self.book.shelve(shelf.put(&run).unwrap());
        }
        began.elapsed()
    }
}

fn key(number: u64) -> IdempotencyKey {
    IdempotencyKey::parse(&format!("a-key-of-the-usual-length-{number:010}")).unwrap()
}

#[test]
#[ignore = "some minutes, and means something in an optimised build only"]
fn the_keys_of_ten_million_packages_take_little_memory_and_few_reads() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = FolderShelf::open(folder.path()).unwrap();
    let mut asked = Asked { book: Book::new(BANKS), count: 0 };
    asked.enter(1);
    let (before, mut number) = (resident(), 0);
    for packages in PACKAGES {
        let (began, mut longest, mut shelved) = (Instant::now(), Duration::ZERO, Duration::ZERO);
        let first = number;
        while number < packages {
            longest = longest.max(asked.pay(number));
            shelved = shelved.max(asked.shelve(&shelf));
            number += 1;
        }
        let each = began.elapsed() / u32::try_from(packages - first).unwrap();
        let bytes = resident() - before;
        println!(
            "{packages} packages: {} MB of memory, {each:?} each, the longest {longest:?}, a run \
             written in at most {shelved:?}",
            bytes / 1_000_000
        );
        let began = Instant::now();
        let all = Pieces::with_runs(asked.book.present()).map(|piece| piece.len()).sum::<usize>();
        let made = began.elapsed();
        let runs = asked.book.present().runs().len();
        let files = std::fs::read_dir(folder.path().join("keys")).unwrap();
        let in_files = files.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>();
        println!(
            "a snapshot with all keys: {} MB, made in {made:?}; {runs} runs with {} MB of files",
            all / 1_000_000,
            in_files / 1_000_000
        );
        for (what, from) in [("new", 1 << 40), ("known", 0)] {
            let (by, began) = (UserName::parse("customer1").unwrap(), Instant::now());
            let step = number / LOOKED_UP;
            let found = (0..LOOKED_UP)
                .filter(|place| asked.book.answered(&by, &key(from + place * step)).is_some())
                .count();
            let each = began.elapsed() / u32::try_from(LOOKED_UP).unwrap();
            println!("{LOOKED_UP} {what} keys looked up, {found} found: {each:?} each");
        }
        assert!(bytes < BYTES_OF_KEYS_MAX);
        let own = asked.snapshot_naming_runs();
        println!(
            "one that names them: {} KB",
            own.1.iter().map(String::len).sum::<usize>() / 1_000
        );
        let store = SqliteStore::open(folder.path(), OWNER).unwrap();
        stored(store, &own);
        let before = resident();
        let started = timed("a start", || recover(folder.path(), OWNER).unwrap());
        println!("which takes {} MB", (resident() - before) / 1_000_000);
        assert!(started.set_aside.is_none() && started.book.hash() == asked.book.hash());
    }
}

/// Puts a snapshot into a store.
fn stored(mut store: SqliteStore, (head, pieces): &(SnapshotHead, Vec<String>)) {
    for (index, text) in (0..).zip(pieces) {
        let piece = SnapshotPiece { head: head.clone(), index, text: text.clone() };
        store.write(&[Change::SnapshotPiece(piece)]).unwrap();
    }
    store.write(&[Change::SnapshotComplete(head.clone())]).unwrap();
}

/// How long a start may take.
const STARTED_WITHIN: Duration = Duration::from_secs(5);

/// What came of something, and how long it took.
fn timed<R>(what: &str, job: impl FnOnce() -> R) -> R {
    let began = Instant::now();
    let done = job();
    println!("{what}: {:?}", began.elapsed());
    done
}

#[test]
#[ignore = "a minute, and means something in a release build only"]
fn a_bank_with_a_million_customers_starts_in_seconds() {
    let mut asked = Asked { book: Book::new(BANKS), count: 0 };
    (0..CUSTOMERS).for_each(|number| _ = asked.enter(number));
    let (folder, position) = (tempfile::tempdir().unwrap(), asked.book.position());
    let pieces: Vec<String> = timed("write", || Pieces::of(asked.book.present()).collect());
    let snapshot = (asked.head(&pieces), pieces);
    stored(SqliteStore::open(folder.path(), OWNER).unwrap(), &snapshot);
    let (head, pieces) = snapshot;
    let mut store = timed("open", || SqliteStore::open(folder.path(), OWNER).unwrap());
    timed("load", || store.load(&mut |_| Ok(())).unwrap());
    drop(store);
    timed("digest", || assert!(head.covers(&pieces)));
    let book =
        timed("read", || Book::from_snapshot(BANKS, pieces.iter().map(String::as_str)).unwrap());
    timed("verify", || book.verify().unwrap());
    drop((book, pieces, asked));
    let began = Instant::now();
    let started = whole(folder.path(), OWNER).unwrap();
    println!("a start: {:?}", began.elapsed());
    assert_eq!(started.book.position(), position);
    assert!(began.elapsed() < STARTED_WITHIN);
}
