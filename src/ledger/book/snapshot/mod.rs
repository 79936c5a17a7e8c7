//! A book as text, to be kept and sent instead of the journal that made it.
//!
//! One JSON record per line, cut between lines into pieces of bounded size. The same book gives the
//! same pieces at every bank, so a bank may fetch one piece here and the next one there. Customers
//! and accounts are cut at the same places in every snapshot, too, so that the pieces of a
//! [`Group`] of which nothing has changed are the same as in the last one. What can be derived (the
//! tables by number, key and document) is not written; the reader derives it again and audits the
//! whole. The past is not part of it: its size depends only on how many customers,
//! accounts and remembered keys there are.
//!
//! A [`Run`] of keys is only named, by what its bytes hash to: it does not change, and whoever
//! reads the snapshot has it already, or gets it from whoever has. Names have pieces of their own,
//! which [`names_in`] recognises. A book whose runs nobody keeps elsewhere is written with their
//! keys: see [`Pieces::with_runs`].
//!
//! Snapshots of earlier releases are read as well. Those of format 3 may have the keys of runs as
//! text, those of format 2 have a line for each key, and those of format 1 have all entries too;
//! their past is numbered when they are read.

mod reading;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::reading::{BadSnapshot, Lines, Reader};
use super::Book;
use super::chunks::Chunks;
use super::ledger_time::Jump;
use super::remembered::{Line, ManyKeys, OneKey, RememberedKey, Run, RunName};
use super::schedules;
use super::waiting::{self, Requests};
use crate::ids::{BankId, ChainHash, EventId, Position};
use crate::ledger::account::{Account, AccountNumber, TypeAccount};
use crate::ledger::closing::End;
use crate::ledger::customer::{Customer, Document, PersonName, UserName};
use crate::ledger::joint::JointRequest;
use crate::ledger::limits::{Limits, Spendings};
use crate::ledger::money::Centavos;
use crate::ledger::password_hash::PasswordHash;
use crate::ledger::past::Trail;
use crate::ledger::pix::PixKey;
use crate::ledger::profile::Profile;
use crate::ledger::refund::Refunded;
use crate::ledger::scheduled::Schedule;
use crate::ledger::statement::EntryKind;

/// Bytes after which a piece ends; it may be longer by one record.
pub(crate) const SNAPSHOT_PIECE_BYTES: usize = 1_000_000;
/// Version of what the lines mean. Changing it changes what banks send to each other.
const FORMAT: u32 = 4;
/// The format that names no runs.
const FORMAT_WITHOUT_NAMES: u32 = 3;
/// The format that had a line for each key.
const FORMAT_WITH_SINGLE_KEYS: u32 = 2;
/// The format that had the entries of every account.
const FORMAT_WITH_ENTRIES: u32 = 1;

/// A line.
#[derive(Serialize, Deserialize)]
enum Record {
    /// The first one.
    Book(Heading),
    Customer(UserName, PersonName, Document, PasswordHash),
    /// The limits of the customer above, and what left lately.
    Limits(Limits, Spendings),
    /// An account as it stands, in opening order: also its balance and where its entries are.
    Standing(BankId, AccountNumber, TypeAccount, Vec<UserName>, PixKey, Centavos, Trail),
    /// What the customer above calls things.
    Profile(Profile),
    /// How far the end of the account above has come.
    End(End),
    /// The keys of the account above beside its oldest.
    PixKeys(Vec<PixKey>),
    /// Format 1: an account, in opening order; its entries follow.
    Account(BankId, AccountNumber, TypeAccount, Vec<UserName>, PixKey),
    /// Format 1: an entry of the account above: kind, value, balance after it, time, who, bank that
    /// was asked, request, position, key.
    Entry(EntryKind, Centavos, Centavos, i64, UserName, BankId, EventId, Position, Option<PixKey>),
    /// A joint account that waits for its holders.
    Waiting(JointRequest),
    /// A Pix that has had a refund, by first refund.
    Refunded(Refunded),
    /// A Pix of days to come, by number.
    Schedule(Schedule),
    /// A run of keys, oldest first.
    Run(RunName),
    Key(OneKey),
    Keys(ManyKeys),
}

/// How the first line begins.
const BOOK_BEGINS: &str = r#"{"Book":"#;
/// How a line begins that is the name of a run.
const RUN_BEGINS: &str = r#"{"Run":"#;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Heading {
    format: u32,
    position: Position,
    hash: ChainHash,
    /// The floor of ledger time.
    time_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending: Option<Jump>,
    /// The ledger's age, where it differs from the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    age_ms: Option<i64>,
    /// Without trailing zeros: a bank that joined later is not written until it has any cash.
    cash: Vec<i128>,
    counts: Counts,
}

/// How many records of each kind there are. Of entries it says how many were made: only format 1
/// has records of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counts {
    customers: usize,
    accounts: usize,
    entries: u64,
    /// Not written where there are none, as in snapshots of earlier releases.
    #[serde(default, skip_serializing_if = "is_zero")]
    waiting: usize,
    #[serde(default, skip_serializing_if = "is_zero")]
    refunds: usize,
    #[serde(default, skip_serializing_if = "is_zero")]
    schedules: usize,
    keys: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// What a snapshot has of a book: the book as it was at a position, which shares with the book what
/// has not changed since.
#[derive(Debug)]
pub struct Present {
    heading: Heading,
    customers: Chunks<super::Record>,
    accounts: Chunks<Account>,
    waiting: Requests,
    refunds: Chunks<Refunded>,
    schedules: schedules::All,
    runs: Vec<Run>,
    /// Runs before this one are forgotten.
    first_run: u64,
    /// Those that are in no run.
    keys: Chunks<RememberedKey>,
}

impl Present {
    /// The keys that are sealed, oldest first.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Runs before this number are forgotten, also where there is none.
    #[must_use]
    pub(crate) fn first_run(&self) -> u64 {
        self.first_run
    }

    /// The position at which it was taken.
    #[must_use]
    pub fn position(&self) -> Position {
        self.heading.position
    }

    /// The chain hash there.
    #[must_use]
    pub fn hash(&self) -> ChainHash {
        self.heading.hash
    }
}

impl Book {
    /// The book as it is now, to be written down while it goes on: taking it costs microseconds,
    /// whatever its size.
    #[must_use]
    pub fn present(&self) -> Arc<Present> {
        Arc::new(Present {
            heading: heading(self),
            customers: self.customers.clone(),
            accounts: self.accounts.clone(),
            waiting: Arc::clone(self.waiting.requests()),
            refunds: self.refunds.known().clone(),
            schedules: Arc::clone(self.schedules.all()),
            runs: self.remembered.runs().iter().cloned().collect(),
            first_run: self.first_run(),
            keys: self.remembered.keys().clone(),
        })
    }
}

/// Some chunks of customers, or of accounts: what has pieces of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Customers, in the order in which they came.
    Customers(usize),
    /// Accounts, in opening order.
    Accounts(usize),
}

/// Chunks of a group: few enough that it is about a piece of a megabyte.
const GROUP_CHUNKS: usize = 16;
/// Customers of a group,
const CUSTOMERS: usize = GROUP_CHUNKS * Chunks::<super::Record>::CHUNK;
/// and accounts.
const ACCOUNTS: usize = GROUP_CHUNKS * Chunks::<Account>::CHUNK;

/// A piece, or some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The next piece, and the group that it is a part of, if it is one of customers or accounts.
    Text(String, Option<Group>),
    /// All pieces of this group, of which nothing has changed.
    Unchanged(Group),
}

/// Writes a book piece by piece: each call does a bounded amount of work.
#[derive(Clone, Debug)]
pub struct Pieces {
    book: Arc<Present>,
    next: Place,
    /// Whether runs are written with their keys, and not only named.
    with_runs: bool,
    /// Pieces of runs that come next.
    of_runs: VecDeque<String>,
}

/// Which record comes next.
#[derive(Clone, Copy, Debug)]
enum Place {
    Heading,
    Customer(usize),
    /// The limits of this customer.
    Limits(usize),
    /// What this customer calls things.
    Profile(usize),
    Account(usize),
    /// The end of this account.
    End(usize),
    /// The other keys of this account.
    Keys(usize),
    /// After this account that waits, or the first one.
    Waiting(Option<waiting::Place>),
    Refunded(usize),
    /// After this one, or the first one.
    Schedule(Option<Position>),
    Run(usize),
    /// A key that is in no run.
    Key(usize),
}

impl Pieces {
    /// The pieces of a book, from the first.
    #[must_use]
    pub fn of(book: Arc<Present>) -> Self {
        Pieces { book, next: Place::Heading, with_runs: false, of_runs: VecDeque::new() }
    }

    /// Pieces that have the keys of runs, too, so that nobody needs the runs.
    #[must_use]
    pub fn with_runs(book: Arc<Present>) -> Self {
        Pieces { with_runs: true, ..Pieces::of(book) }
    }

    /// What comes next. Of a group that `is_written`, as it was at the position `since`, the text
    /// is not made again unless something has changed.
    pub fn next_piece(
        &mut self,
        since: Position,
        is_written: impl Fn(Group) -> bool,
    ) -> Option<Piece> {
        loop {
            if let Some(text) = self.of_runs.pop_front() {
                return Some(Piece::Text(text, None));
            }
            let group = self.group();
            if let Some(begun) = self.begun().filter(|group| is_written(*group))
                && let Some(end) = self.end_if_unchanged(begun, since)
            {
                self.next = end;
                return Some(Piece::Unchanged(begun));
            }
            let text = piece_of(|| self.next_record_of(group));
            if let Some(text) = text {
                return Some(Piece::Text(text, group));
            }
            if self.group() != group {
                continue;
            }
            let Place::Run(index) = self.next else { return None };
            self.begin_runs(index);
        }
    }

    /// The pieces of the next run, or those that name all.
    fn begin_runs(&mut self, index: usize) {
        let runs = &self.book.runs[index..];
        let written = if self.with_runs { 1 } else { runs.len() };
        self.of_runs = match &runs[..written] {
            [run] if self.with_runs => pieces_of(run),
            runs => pieces_naming(runs),
        }
        .into();
        self.next = Place::Run(index + written);
    }

    /// The group that the next place belongs to.
    fn group(&self) -> Option<Group> {
        match self.next {
            Place::Customer(index) | Place::Limits(index) | Place::Profile(index) => {
                Some(Group::Customers(index / CUSTOMERS))
            }
            Place::Account(index) | Place::Keys(index) | Place::End(index) => {
                Some(Group::Accounts(index / ACCOUNTS))
            }
            _ => None,
        }
    }

    /// The group that begins at the next place.
    fn begun(&self) -> Option<Group> {
        let begins = match self.next {
            Place::Customer(index) => index % CUSTOMERS == 0,
            Place::Account(index) => index % ACCOUNTS == 0,
            _ => false,
        };
        self.group().filter(|_| begins)
    }

    /// The place behind a group of which nothing has changed since a position.
    fn end_if_unchanged(&self, group: Group, since: Position) -> Option<Place> {
        match group {
            Group::Customers(number) => {
                let places = number * CUSTOMERS..(number + 1) * CUSTOMERS;
                let end = Place::Customer(places.end.min(self.book.customers.len()));
                self.book.customers.are_unchanged(places, since).then_some(end)
            }
            Group::Accounts(number) => {
                let places = number * ACCOUNTS..(number + 1) * ACCOUNTS;
                let end = Place::Account(places.end.min(self.book.accounts.len()));
                self.book.accounts.are_unchanged(places, since).then_some(end)
            }
        }
    }

    /// The next record, if it belongs to this group.
    fn next_record_of(&mut self, group: Option<Group>) -> Option<Record> {
        while self.group() == group {
            let (record, next) = self.at(self.next)?;
            self.next = next;
            if record.is_some() {
                return record;
            }
        }
        None
    }

    /// What stands at a place, if anything does, and the place after it; `None` before a run, and
    /// at the end.
    fn at(&self, place: Place) -> Option<(Option<Record>, Place)> {
        let book = &self.book;
        Some(match place {
            Place::Heading => (Some(Record::Book(book.heading.clone())), Place::Customer(0)),
            Place::Customer(index) => match book.customers.get(index) {
                Some(found) => (Some(customer_record(&found.customer)), Place::Limits(index)),
                None => (None, Place::Account(0)),
            },
            Place::Limits(index) => {
                let limits = book.customers.get(index).and_then(limits_record);
                (limits, Place::Profile(index))
            }
            Place::Profile(index) => {
                let profile = book.customers.get(index).and_then(|of| of.profile.as_deref());
                (profile.cloned().map(Record::Profile), Place::Customer(index + 1))
            }
            Place::Account(index) => match book.accounts.get(index) {
                Some(account) => (Some(account_record(account)), Place::Keys(index)),
                None => (None, Place::Waiting(None)),
            },
            Place::Keys(index) => {
                let more = book.accounts.get(index).map(|account| account.more_keys.to_vec());
                let more = more.filter(|more| !more.is_empty());
                (more.map(Record::PixKeys), Place::End(index))
            }
            Place::End(index) => {
                let end = book.accounts.get(index).and_then(|account| account.end.as_deref());
                (end.cloned().map(Record::End), Place::Account(index + 1))
            }
            Place::Waiting(last) => match after(&book.waiting, last) {
                Some((place, request)) => {
                    (Some(Record::Waiting(request.clone())), Place::Waiting(Some(*place)))
                }
                None => (None, Place::Refunded(book.refunds.start())),
            },
            Place::Refunded(place) => match book.refunds.get(place) {
                Some(known) => (Some(Record::Refunded(*known)), Place::Refunded(place + 1)),
                None => (None, Place::Schedule(None)),
            },
            Place::Schedule(last) => match after(&book.schedules, last) {
                Some((number, schedule)) => {
                    let record = Record::Schedule(Schedule::clone(schedule));
                    (Some(record), Place::Schedule(Some(*number)))
                }
                None => (None, Place::Run(0)),
            },
            // Runs begin a piece, and end one.
            Place::Run(index) if index < book.runs.len() => return None,
            Place::Run(_) => (None, Place::Key(book.keys.start())),
            Place::Key(place) => {
                let (line, next) = Line::at(|place| book.keys.get(place), place)?;
                (Some(key_record(line)), Place::Key(next))
            }
        })
    }
}

/// What comes after a key, or first.
fn after<K: Ord, V>(all: &BTreeMap<K, V>, last: Option<K>) -> Option<(&K, &V)> {
    let after = last.map_or(Bound::Unbounded, Bound::Excluded);
    all.range((after, Bound::Unbounded)).next()
}

impl Iterator for Pieces {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        match self.next_piece(Position::default(), |_| false)? {
            Piece::Text(text, _) => Some(text),
            Piece::Unchanged(_) => unreachable!("nothing is written yet"),
        }
    }
}

/// The pieces that name these runs.
fn pieces_naming(runs: &[Run]) -> Vec<String> {
    let mut names = runs.iter().map(|run| Record::Run(run.name()));
    std::iter::from_fn(|| piece_of(|| names.next())).collect()
}

/// Whether a piece begins a snapshot that a release wrote which did not name runs.
#[must_use]
pub(crate) fn is_of_earlier_release(piece: &str) -> bool {
    let heading = piece.lines().next().filter(|line| line.starts_with(BOOK_BEGINS));
    match heading.map(serde_json::from_str) {
        Some(Ok(Record::Book(heading))) => heading.format < FORMAT,
        _ => false,
    }
}

/// The runs that a piece names, if it is one of those that name runs.
#[must_use]
pub fn names_in(piece: &str) -> Option<Vec<RunName>> {
    let name = |line| match serde_json::from_str(line) {
        Ok(Record::Run(name)) => Some(name),
        _ => None,
    };
    piece.starts_with(RUN_BEGINS).then(|| piece.lines().map(name).collect())?
}

/// The next records as a piece, if there are any.
fn piece_of(mut next_record: impl FnMut() -> Option<Record>) -> Option<String> {
    let mut piece = Vec::new();
    while piece.len() < SNAPSHOT_PIECE_BYTES
        && let Some(record) = next_record()
    {
        serde_json::to_writer(&mut piece, &record).expect("records are JSON, and memory takes it");
        piece.push(b'\n');
    }
    (!piece.is_empty()).then(|| String::from_utf8(piece).expect("serde_json writes UTF-8"))
}

/// The pieces of a run.
#[must_use]
pub(crate) fn pieces_of(run: &Run) -> Vec<String> {
    let (keys, mut place) = (run.keys(), 0);
    let mut next_record = || {
        let (line, next) = Line::at(|place| keys.get(place), place)?;
        place = next;
        Some(key_record(line))
    };
    std::iter::from_fn(|| piece_of(&mut next_record)).collect()
}

fn heading(book: &Book) -> Heading {
    let last = book.cash.iter().rposition(|cash| *cash != 0).map_or(0, |index| index + 1);
    let counts = Counts {
        customers: book.customers.len(),
        accounts: book.accounts.len(),
        entries: book.entries.0,
        waiting: book.waiting.requests().len(),
        refunds: book.refunds.known().len(),
        schedules: book.schedules.all().len(),
        keys: book.remembered.len(),
    };
    let (pending, age_ms) = book.time.beside_floor();
    Heading {
        format: FORMAT,
        position: book.position,
        hash: book.hash,
        time_ms: book.time.floor_ms(),
        pending,
        age_ms,
        cash: book.cash[..last].to_vec(),
        counts,
    }
}

fn customer_record(customer: &Customer) -> Record {
    let Customer { user_name, name, num_cadastro, password_hash } = customer.clone();
    Record::Customer(user_name, name, num_cadastro, password_hash)
}

fn limits_record(of: &super::Record) -> Option<Record> {
    let limits = of.limits.as_deref().copied();
    let has_any = limits.is_some() || !of.spendings.are_none();
    has_any.then(|| Record::Limits(limits.unwrap_or_default(), of.spendings.clone()))
}

fn account_record(account: &Account) -> Record {
    let Account { bank, number, type_account, holders, key, balance, trail, .. } = account;
    let (holders, key) = (holders.to_vec(), key.clone());
    Record::Standing(*bank, *number, *type_account, holders, key, *balance, *trail)
}

fn key_record(line: Line) -> Record {
    match line {
        Line::One(key) => Record::Key(key),
        Line::Many(keys) => Record::Keys(keys),
    }
}
