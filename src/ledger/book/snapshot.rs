//! A book as text, to be kept and sent instead of the journal that made it.
//!
//! One JSON record per line, cut between lines into pieces of bounded size. The same book gives the
//! same pieces at every bank, so a bank may fetch one piece here and the next one there. What can
//! be derived (the tables by number, key and document) is not written; the reader derives it again
//! and audits the whole. The past is not part of it: its size depends only on how many customers,
//! accounts and remembered keys there are.
//!
//! Snapshots of earlier releases are read as well. Those of format 2 have a line for each key, and
//! those of format 1 have all entries too; their past is numbered when they are read.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Book;
use super::change::AccountSlot;
use super::chunks::Chunks;
use super::ledger_time::{Jump, LedgerTime};
use super::remembered::{Line, ManyKeys, OneKey, RememberedKey};
use super::waiting::{self, Requests};
use crate::ids::{BankId, ChainHash, EventId, Position};
use crate::ledger::account::{Account, AccountNumber, TypeAccount};
use crate::ledger::customer::{Customer, Document, PasswordHash, PersonName, UserName};
use crate::ledger::joint::JointRequest;
use crate::ledger::money::Centavos;
use crate::ledger::past::{EntryNumber, Trail};
use crate::ledger::pix::PixKey;
use crate::ledger::refund::Refunded;
use crate::ledger::statement::{Details, Entry, EntryKind};

/// Bytes after which a piece ends; it may be longer by one record.
pub(crate) const SNAPSHOT_PIECE_BYTES: usize = 1_000_000;
/// The most customers or accounts for which room is made because the first line announces them.
const RESERVED_MAX: usize = 4_000_000;
/// Version of what the lines mean. Changing it changes what banks send to each other.
const FORMAT: u32 = 3;
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
    /// An account as it stands, in opening order: also its balance and where its entries are.
    Standing(BankId, AccountNumber, TypeAccount, Vec<UserName>, PixKey, Centavos, Trail),
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
    Key(OneKey),
    Keys(ManyKeys),
}

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
    keys: Chunks<RememberedKey>,
}

impl Present {
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
            keys: self.remembered.keys().clone(),
        })
    }
}

/// Writes a book piece by piece: each call does a bounded amount of work.
#[derive(Clone, Debug)]
pub struct Pieces {
    book: Arc<Present>,
    next: Place,
}

/// Which record comes next.
#[derive(Clone, Copy, Debug)]
enum Place {
    Heading,
    Customer(usize),
    Account(usize),
    /// The other keys of this account.
    Keys(usize),
    /// After this account that waits, or the first one.
    Waiting(Option<waiting::Place>),
    Refunded(usize),
    Key(usize),
}

impl Pieces {
    /// The pieces of a book, from the first.
    #[must_use]
    pub fn of(book: Arc<Present>) -> Self {
        Pieces { book, next: Place::Heading }
    }

    fn next_record(&mut self) -> Option<Record> {
        let book = &self.book;
        loop {
            let (record, next) = match self.next {
                Place::Heading => (Some(Record::Book(book.heading.clone())), Place::Customer(0)),
                Place::Customer(index) => match book.customers.get(index) {
                    Some(found) => {
                        (Some(customer_record(&found.customer)), Place::Customer(index + 1))
                    }
                    None => (None, Place::Account(0)),
                },
                Place::Account(index) => match book.accounts.get(index) {
                    Some(account) => (Some(account_record(account)), Place::Keys(index)),
                    None => (None, Place::Waiting(None)),
                },
                Place::Keys(index) => {
                    let more = book.accounts.get(index).map(|account| account.more_keys.to_vec());
                    let more = more.filter(|more| !more.is_empty());
                    (more.map(Record::PixKeys), Place::Account(index + 1))
                }
                Place::Waiting(last) => {
                    let after = last.map_or(Bound::Unbounded, Bound::Excluded);
                    match book.waiting.range((after, Bound::Unbounded)).next() {
                        Some((place, request)) => {
                            (Some(Record::Waiting(request.clone())), Place::Waiting(Some(*place)))
                        }
                        None => (None, Place::Refunded(book.refunds.start())),
                    }
                }
                Place::Refunded(place) => match book.refunds.get(place) {
                    Some(known) => (Some(Record::Refunded(*known)), Place::Refunded(place + 1)),
                    None => (None, Place::Key(book.keys.start())),
                },
                Place::Key(place) => {
                    let (line, next) = Line::at(&book.keys, place)?;
                    let record = match line {
                        Line::One(key) => Record::Key(key),
                        Line::Many(keys) => Record::Keys(keys),
                    };
                    (Some(record), Place::Key(next))
                }
            };
            self.next = next;
            if record.is_some() {
                return record;
            }
        }
    }
}

impl Iterator for Pieces {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut piece = Vec::new();
        while piece.len() < SNAPSHOT_PIECE_BYTES
            && let Some(record) = self.next_record()
        {
            serde_json::to_writer(&mut piece, &record)
                .expect("records are JSON, and memory takes it");
            piece.push(b'\n');
        }
        (!piece.is_empty()).then(|| String::from_utf8(piece).expect("serde_json writes UTF-8"))
    }
}

fn heading(book: &Book) -> Heading {
    let last = book.cash.iter().rposition(|cash| *cash != 0).map_or(0, |index| index + 1);
    let counts = Counts {
        customers: book.customers.len(),
        accounts: book.accounts.len(),
        entries: book.entries.0,
        waiting: book.waiting.requests().len(),
        refunds: book.refunds.known().len(),
        keys: book.remembered.keys().len(),
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

fn account_record(account: &Account) -> Record {
    let Account { bank, number, type_account, holders, key, balance, trail, .. } = account;
    let (holders, key) = (holders.clone(), key.clone());
    Record::Standing(*bank, *number, *type_account, holders, key, *balance, *trail)
}

/// Why a text is not a snapshot of a book.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSnapshot {
    /// A line that does not belong there.
    #[error("line {line} of the snapshot: {why}")]
    Line {
        /// Counted from 1 over all pieces.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// Fewer or more records than the first line announces.
    #[error("the snapshot has other records than its first line announces")]
    Incomplete,
    /// The records do not add up to a book.
    #[error("the snapshot does not add up: {0}")]
    Audit(String),
}

impl Book {
    /// Reads back what [`Pieces`] wrote, for a consortium that may have more banks by now; whatever
    /// is asked of the book afterwards gets the answer that the written one would have given.
    ///
    /// # Errors
    /// [`BadSnapshot`] for anything that no book would have written.
    pub fn from_snapshot<'a>(
        banks: usize,
        pieces: impl Iterator<Item = &'a str>,
    ) -> Result<Book, BadSnapshot> {
        let mut reader = Reader::new(banks);
        pieces.map(Lines::read).try_for_each(|lines| reader.take(lines))?;
        reader.finish()
    }
}

/// The lines of a piece, read and not yet put together: that takes as long again, and can be done
/// on another thread.
pub struct Lines(Vec<Result<Record, String>>);

impl Lines {
    /// Reads a piece.
    #[must_use]
    pub fn read(piece: &str) -> Lines {
        let read = |line| serde_json::from_str(line).map_err(|error| error.to_string());
        Lines(piece.lines().map(read).collect())
    }
}

/// A book that is being put together from the lines of a snapshot.
pub struct Reader {
    book: Book,
    /// How many lines have been taken.
    lines: usize,
    announced: Option<Counts>,
    seen: Counts,
    /// Whether it is of format 1.
    has_entries: bool,
    /// Its entries, account by account.
    entries: Vec<(AccountSlot, Entry)>,
    /// The entries of one request share its id.
    ids: BTreeMap<Position, EventId>,
}

type Opened = (BankId, AccountNumber, TypeAccount, Vec<UserName>, PixKey);

fn account(opened: Opened, balance: Centavos, trail: Trail) -> Account {
    let (bank, number, type_account, holders, key) = opened;
    let more_keys = Box::default();
    Account { bank, number, type_account, holders, key, more_keys, balance, trail }
}

impl Reader {
    /// For a consortium of so many banks.
    #[must_use]
    pub fn new(banks: usize) -> Reader {
        Reader {
            book: Book::new(banks),
            lines: 0,
            announced: None,
            seen: Counts::default(),
            has_entries: false,
            entries: Vec::new(),
            ids: BTreeMap::new(),
        }
    }

    /// Takes the lines of the next piece.
    ///
    /// # Errors
    /// [`BadSnapshot::Line`]
    pub fn take(&mut self, Lines(lines): Lines) -> Result<(), BadSnapshot> {
        for read in lines {
            self.lines += 1;
            let taken = read.and_then(|record| self.take_record(record).map_err(str::to_owned));
            taken.map_err(|why| BadSnapshot::Line { line: self.lines, why })?;
        }
        Ok(())
    }

    /// The book, once all pieces were taken.
    ///
    /// # Errors
    /// [`BadSnapshot`]
    pub fn finish(self) -> Result<Book, BadSnapshot> {
        if self.announced != Some(self.seen) {
            return Err(BadSnapshot::Incomplete);
        }
        let book = self.numbered();
        book.adds_up().map_err(BadSnapshot::Audit)?;
        Ok(book)
    }

    fn take_record(&mut self, record: Record) -> Result<(), &'static str> {
        if self.announced.is_some() == matches!(record, Record::Book(_)) {
            return Err("the heading stands first, and once");
        }
        let Counts { accounts, entries, waiting, refunds, keys, .. } = self.seen;
        let is_head = waiting == 0 && refunds == 0 && keys == 0;
        match record {
            Record::Book(heading) => self.take_heading(heading),
            Record::Customer(user_name, name, num_cadastro, password_hash)
                if accounts == 0 && is_head =>
            {
                self.take_customer(Customer { user_name, name, num_cadastro, password_hash })
            }
            Record::Standing(bank, number, type_account, holders, key, balance, trail)
                if is_head && !self.has_entries =>
            {
                let opened = (bank, number, type_account, holders, key);
                self.take_account(account(opened, balance, trail))
            }
            Record::PixKeys(more) if is_head && !self.has_entries => self.take_pix_keys(more),
            Record::Account(bank, number, type_account, holders, key)
                if keys == 0 && self.has_entries =>
            {
                let opened = (bank, number, type_account, holders, key);
                self.take_account(account(opened, Centavos::ZERO, Trail::default()))
            }
            Record::Entry(
                kind,
                value,
                balance_after,
                at_ms,
                made_by,
                bank_sender,
                id,
                position,
                pix,
            ) if keys == 0 && self.has_entries => {
                self.seen.entries = entries + 1;
                self.take_entry(Entry {
                    kind,
                    value,
                    balance_after,
                    at_ms,
                    made_by,
                    bank_sender,
                    id,
                    position,
                    pix,
                    details: Details::default(),
                })
            }
            Record::Waiting(request) if refunds == 0 && keys == 0 => self.take_waiting(request),
            Record::Refunded(known) if keys == 0 => self.take_refunded(known),
            Record::Key(key) => self.take_keys(key.keys()),
            Record::Keys(keys) => self.take_keys(keys.keys().ok_or("these are no keys")?),
            _ => Err("it stands in the wrong order"),
        }
    }

    fn take_heading(&mut self, heading: Heading) -> Result<(), &'static str> {
        let Heading { format, position, hash, time_ms, pending, age_ms, cash, counts } = heading;
        match format {
            FORMAT | FORMAT_WITH_SINGLE_KEYS => self.seen.entries = counts.entries,
            FORMAT_WITH_ENTRIES => self.has_entries = true,
            _ => return Err("another version of this program wrote it"),
        }
        let book = &mut self.book;
        book.entries = EntryNumber(self.seen.entries);
        book.cash
            .get_mut(..cash.len())
            .ok_or("it speaks of more banks than there are")?
            .copy_from_slice(&cash);
        book.time = LedgerTime::restored(time_ms, pending, age_ms).ok_or("its time is none")?;
        (book.position, book.hash) = (position, hash);
        book.reserve(counts.customers.min(RESERVED_MAX), counts.accounts.min(RESERVED_MAX));
        self.announced = Some(counts);
        Ok(())
    }

    fn take_customer(&mut self, customer: Customer) -> Result<(), &'static str> {
        let book = &mut self.book;
        if book.record(&customer.user_name).is_some() || book.knows_document(&customer.num_cadastro)
        {
            return Err("the customer stands twice");
        }
        self.seen.customers += 1;
        book.enter(customer);
        Ok(())
    }

    fn take_account(&mut self, mut account: Account) -> Result<(), &'static str> {
        let book = &mut self.book;
        if account.holders.is_empty() || account.bank.index() >= book.cash.len() {
            return Err("the account has no holder or no bank");
        }
        if book.slot(account.bank, account.number).is_some()
            || book.slot_by_key(&account.key).is_some()
        {
            return Err("the account stands twice");
        }
        for holder in &mut account.holders {
            *holder = book.customer(holder).ok_or("a holder is no customer")?.user_name.clone();
        }
        self.seen.accounts += 1;
        book.open(account);
        Ok(())
    }

    fn take_pix_keys(&mut self, more: Vec<PixKey>) -> Result<(), &'static str> {
        let book = &mut self.book;
        let slot = book.accounts.len().checked_sub(1).ok_or("the keys have no account")?;
        let account = &book.accounts[slot];
        if !account.more_keys.is_empty() || account.keys().next().is_none() {
            return Err("the account has its keys already, or has none");
        }
        let bank = account.bank;
        for key in more {
            let names = AccountNumber::named_by(&key).is_some();
            if key.bank() != bank || names || book.slot_by_key(&key).is_some() {
                return Err("the account cannot have the key");
            }
            book.change_keys(AccountSlot::new(slot), |keys| keys.push(key));
        }
        Ok(())
    }

    fn take_waiting(&mut self, mut request: JointRequest) -> Result<(), &'static str> {
        let book = &mut self.book;
        if !request.is_sound() || request.bank.index() >= book.cash.len() {
            return Err("the account that waits has no holder or no bank");
        }
        if !book.is_free(request.bank, request.number) || book.has_key(&request.key) {
            return Err("the account that waits stands twice");
        }
        for holder in &mut request.holders {
            *holder = book.customer(holder).ok_or("a holder is no customer")?.user_name.clone();
        }
        self.seen.waiting += 1;
        book.waiting.add(request);
        Ok(())
    }

    fn take_keys(&mut self, keys: Vec<RememberedKey>) -> Result<(), &'static str> {
        self.seen.keys += keys.len();
        let all_fit = self.book.remembered.restore(keys);
        if all_fit { Ok(()) } else { Err("a key stands twice or too late") }
    }

    fn take_refunded(&mut self, known: Refunded) -> Result<(), &'static str> {
        let book = &mut self.book;
        if !known.is_sound(book.entries, book.accounts.len()) {
            return Err("more was given back than came");
        }
        if book.refunds.get(known.entry).is_some() {
            return Err("the refunded Pix stands twice");
        }
        self.seen.refunds += 1;
        book.refunds.keep(known);
        Ok(())
    }

    /// Entries share names, keys and ids as in the original book: there may be millions of them.
    fn take_entry(&mut self, mut entry: Entry) -> Result<(), &'static str> {
        let book = &mut self.book;
        entry.made_by = book
            .customer(&entry.made_by)
            .ok_or("who made the entry is no customer")?
            .user_name
            .clone();
        let id = self.ids.entry(entry.position).or_insert_with(|| entry.id.clone());
        if entry.id != *id {
            return Err("one position has two requests");
        }
        entry.id = id.clone();
        let slot = book.accounts.len().checked_sub(1).ok_or("the entry has no account")?;
        let account = book.accounts.get_mut(slot).ok_or("the entry has no account")?;
        if account.balance.checked_add(entry.value) != Some(entry.balance_after) {
            return Err("the entry does not follow from the one before");
        }
        if self
            .entries
            .last()
            .is_some_and(|(last, before)| last.index() == slot && before.position > entry.position)
        {
            return Err("the entry stands before an earlier one");
        }
        account.balance = entry.balance_after;
        self.entries.push((AccountSlot::new(slot), entry));
        Ok(())
    }

    /// Numbers the entries of format 1 as they are numbered when they are made: by request, then
    /// by account, then in the order of the statement, which a stable sort keeps.
    fn numbered(mut self) -> Book {
        self.entries.sort_by_key(|(slot, entry)| (entry.position, *slot));
        for (slot, entry) in self.entries {
            self.book.number(slot, entry);
        }
        self.book
    }
}
