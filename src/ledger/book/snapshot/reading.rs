//! Reading a book back.

use std::collections::BTreeMap;

use super::{
    Counts, FORMAT, FORMAT_WITH_ENTRIES, FORMAT_WITH_SINGLE_KEYS, FORMAT_WITHOUT_NAMES, Heading,
    Record,
};
use crate::ids::{BankId, EventId, Position};
use crate::ledger::account::{Account, AccountNumber, TypeAccount};
use crate::ledger::book::Book;
use crate::ledger::book::change::AccountSlot;
use crate::ledger::book::ledger_time::LedgerTime;
use crate::ledger::book::remembered::{RememberedKey, Run};
use crate::ledger::closing::End;
use crate::ledger::customer::{Customer, UserName};
use crate::ledger::joint::JointRequest;
use crate::ledger::limits::{Limits, Spendings};
use crate::ledger::money::Centavos;
use crate::ledger::past::{EntryNumber, Trail};
use crate::ledger::pix::PixKey;
use crate::ledger::profile::Profile;
use crate::ledger::refund::Refunded;
use crate::ledger::scheduled::Schedule;
use crate::ledger::statement::{Details, Entry};

/// The most customers or accounts for which room is made because the first line announces them.
const RESERVED_MAX: usize = 4_000_000;

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
    /// Reads back what [`Pieces`](super::Pieces) wrote, for a consortium that may have more banks
    /// by now; whatever is asked of the book afterwards gets the answer that the written one would
    /// have given.
    ///
    /// # Errors
    /// [`BadSnapshot`] for anything that no book would have written.
    pub fn from_snapshot<'a>(
        banks: usize,
        pieces: impl Iterator<Item = &'a str>,
    ) -> Result<Book, BadSnapshot> {
        Book::new(banks).restored(pieces)
    }

    /// Reads back what [`Pieces`](super::Pieces) wrote into this book, which is empty.
    ///
    /// # Errors
    /// [`BadSnapshot`] for anything that no book would have written.
    pub fn restored<'a>(self, pieces: impl Iterator<Item = &'a str>) -> Result<Book, BadSnapshot> {
        let mut reader = Reader::of(self);
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
    let holders = holders.into();
    Account { bank, number, type_account, holders, key, more_keys, balance, trail, end: None }
}

impl Reader {
    /// Puts everything into this book, which is empty.
    #[must_use]
    pub fn of(book: Book) -> Reader {
        Reader {
            book,
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

    /// Takes a run in place of its pieces.
    ///
    /// # Errors
    /// [`BadSnapshot::Line`]
    pub(crate) fn take_run(&mut self, run: Run) -> Result<(), BadSnapshot> {
        self.seen.keys += run.len();
        let executed = self.book.position;
        let is_next = self.book.remembered.restore_run(run, executed);
        let why = || "the run of keys is not the next one".to_owned();
        if is_next { Ok(()) } else { Err(BadSnapshot::Line { line: self.lines, why: why() }) }
    }

    /// The book, once all pieces were taken.
    ///
    /// # Errors
    /// [`BadSnapshot`]
    pub fn finish(self) -> Result<Book, BadSnapshot> {
        if self.announced != Some(self.seen) {
            return Err(BadSnapshot::Incomplete);
        }
        let mut book = self.numbered();
        book.remembered.restored(book.position, book.time.age_ms());
        book.adds_up().map_err(BadSnapshot::Audit)?;
        Ok(book)
    }

    fn take_record(&mut self, record: Record) -> Result<(), &'static str> {
        if self.announced.is_some() == matches!(record, Record::Book(_)) {
            return Err("the heading stands first, and once");
        }
        let Counts { accounts, waiting, refunds, schedules, keys, .. } = self.seen;
        let are_tail_free = schedules == 0 && keys == 0;
        let is_head = waiting == 0 && refunds == 0 && are_tail_free;
        let are_customers = accounts == 0 && is_head;
        match record {
            Record::Book(heading) => self.take_heading(heading),
            Record::Customer(user_name, name, num_cadastro, password_hash) if are_customers => {
                self.take_customer(Customer { user_name, name, num_cadastro, password_hash })
            }
            Record::Limits(limits, spendings) if are_customers => {
                self.take_limits(limits, spendings)
            }
            Record::Standing(bank, number, type_account, holders, key, balance, trail)
                if is_head && !self.has_entries =>
            {
                let opened = (bank, number, type_account, holders, key);
                self.take_account(account(opened, balance, trail))
            }
            Record::Profile(profile) if are_customers => self.take_profile(profile),
            Record::End(end) if is_head && !self.has_entries => self.take_end(end),
            Record::PixKeys(more) if is_head && !self.has_entries => self.take_pix_keys(more),
            record @ (Record::Account(..) | Record::Entry(..)) if keys == 0 && self.has_entries => {
                self.take_old_record(record)
            }
            Record::Waiting(request) if refunds == 0 && are_tail_free => self.take_waiting(request),
            Record::Refunded(known) if are_tail_free => self.take_refunded(known),
            Record::Schedule(schedule) if keys == 0 => self.take_schedule(schedule),
            Record::Run(_) => Err("the run stands where nobody looks for it"),
            Record::Key(key) => self.take_keys(key.keys()),
            Record::Keys(keys) => self.take_keys(keys.keys().ok_or("these are no keys")?),
            _ => Err("it stands in the wrong order"),
        }
    }

    /// A record of format 1.
    fn take_old_record(&mut self, record: Record) -> Result<(), &'static str> {
        match record {
            Record::Account(bank, number, type_account, holders, key) => {
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
            ) => {
                self.seen.entries += 1;
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
            _ => Err("it stands in the wrong order"),
        }
    }

    fn take_heading(&mut self, heading: Heading) -> Result<(), &'static str> {
        let Heading { format, position, hash, time_ms, pending, age_ms, cash, counts } = heading;
        match format {
            FORMAT | FORMAT_WITHOUT_NAMES | FORMAT_WITH_SINGLE_KEYS => {
                self.seen.entries = counts.entries;
            }
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
        book.customers.change_at(position);
        book.accounts.change_at(position);
        book.reserve(counts.customers.min(RESERVED_MAX), counts.accounts.min(RESERVED_MAX));
        self.announced = Some(counts);
        Ok(())
    }

    fn take_customer(&mut self, customer: Customer) -> Result<(), &'static str> {
        self.seen.customers += 1;
        self.book.enter_if_new(customer).then_some(()).ok_or("the customer stands twice")
    }

    fn take_limits(&mut self, limits: Limits, spendings: Spendings) -> Result<(), &'static str> {
        let customers = &mut self.book.customers;
        let last = customers.end().checked_sub(1).and_then(|last| customers.get_mut(last));
        let record = last.ok_or("the limits have no customer")?;
        if record.limits.is_some() || !record.spendings.are_none() {
            return Err("the customer has limits already");
        }
        if !spendings.are_sound() || limits.are_none() && spendings.are_none() {
            return Err("these are no limits");
        }
        record.limits = (!limits.are_none()).then(|| Box::new(limits));
        record.spendings = spendings;
        Ok(())
    }

    fn take_account(&mut self, mut account: Account) -> Result<(), &'static str> {
        let book = &mut self.book;
        if account.holders.is_empty() || account.bank.index() >= book.cash.len() {
            return Err("the account has no holder or no bank");
        }
        let mut places = Vec::with_capacity(account.holders.len());
        for holder in &mut account.holders {
            let (place, record) = book.numbered_record(holder).ok_or("a holder is no customer")?;
            *holder = record.customer.user_name.clone();
            places.push(place);
        }
        self.seen.accounts += 1;
        book.open_if_new(account, &places).map(|_| ()).ok_or("the account stands twice")
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

    fn take_profile(&mut self, profile: Profile) -> Result<(), &'static str> {
        let customers = &mut self.book.customers;
        let last = customers.end().checked_sub(1).and_then(|last| customers.get_mut(last));
        let record = last.ok_or("what is called something has no customer")?;
        if record.profile.is_some() || profile.is_empty() {
            return Err("the customer calls things by two names");
        }
        record.profile = Some(Box::new(profile));
        Ok(())
    }

    fn take_end(&mut self, end: End) -> Result<(), &'static str> {
        let accounts = &mut self.book.accounts;
        let last = accounts.end().checked_sub(1).and_then(|last| accounts.get_mut(last));
        let account = last.ok_or("the end has no account")?;
        if account.end.is_some() {
            return Err("the account ends twice");
        }
        account.end = Some(Box::new(end));
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
        let all_fit = self.book.remembered.restore(keys, self.book.position);
        if all_fit { Ok(()) } else { Err("a key stands twice or too late") }
    }

    fn take_schedule(&mut self, mut schedule: Schedule) -> Result<(), &'static str> {
        let book = &mut self.book;
        let last = book.schedules.all().last_key_value();
        let is_next = last.is_none_or(|(number, _)| *number < schedule.number);
        if !schedule.is_sound() || !is_next || schedule.number > book.position {
            return Err("the schedule cannot be");
        }
        let customer = book.customer(&schedule.by).ok_or("the schedule is nobody's")?;
        schedule.by = customer.user_name.clone();
        let payee = book.customer(&schedule.payee).ok_or("the schedule pays nobody")?;
        schedule.payee = payee.user_name.clone();
        self.seen.schedules += 1;
        book.schedules.add(schedule);
        Ok(())
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
