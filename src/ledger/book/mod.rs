//! The book: one bank's copy of everything, and the only place where it changes.
//!
//! [`Book::apply`] first decides, reading only, and then writes the [`Change`] that was decided: a
//! refused request cannot leave a trace because deciding has no way to write. Money is booked
//! twice: what an account gains, another account or its bank's cash loses, so the sum over
//! everything is always zero.
//!
//! The rules are in the files next to this one: `registration`, `opening`, `joint`, `keys`,
//! `limits`, `schedule`, `operations`, `refund`; `trial` runs those of a package without writing;
//! `outlay` counts what leaves; `proof` looks at what they decide before it is written, and `guard`
//! turns their panics into refusals; `idempotency` and `remembered` know what was asked before,
//! `refunds` what was given back, `schedules` what is to be paid, `ledger_time` dates, `chain`
//! hashes, `audit` counts everything again, `snapshot` writes the book down and reads it back.
//! Customers and accounts are in `chunks`, found by an `index`: see `lookup`.

mod audit;
mod chain;
mod change;
mod chunks;
mod closing;
mod fields;
mod guard;
mod idempotency;
mod index;
mod joint;
mod keys;
mod ledger_time;
mod limits;
mod lookup;
mod opening;
mod operations;
mod outlay;
mod profile;
mod proof;
mod refund;
mod refunds;
mod registration;
mod remembered;
mod schedule;
mod schedules;
mod snapshot;
#[cfg(test)]
mod tests;
mod trial;
mod waiting;

use std::collections::BTreeMap;

use self::chain::{Dated, Link};
use self::change::{AccountSlot, Change, Posting};
use self::chunks::Chunks;
use self::index::Index;
use self::ledger_time::LedgerTime;
use self::outlay::Outlay;
use self::refunds::Refunds;
use self::remembered::{Claim, Recalled, Remembered, SPAN};
use self::schedules::Schedules;
use self::waiting::Waiting;
use super::account::Account;
use super::customer::Customer;
use super::limits::{Limits, Spendings};
use super::money;
use super::outcome::{Executed, Outcome, Refusal};
use super::past::{AccountTrail, EntryNumber, PastEntry};
use super::pix::PixKey;
use super::profile::Profile;
use super::request::{Action, Request};
use super::statement::Entry;
use crate::ids::request::{Header, RawRequest};
use crate::ids::{BankId, BankSet, ChainHash, EventId, Position};

pub(crate) use self::guard::is_guarded;
pub use self::remembered::{Rows, Run, RunName};
pub use self::snapshot::{BadSnapshot, Group, Lines, Piece, Pieces, Present, Reader, names_in};
pub(crate) use self::snapshot::{is_of_earlier_release, pieces_of};

/// All customers and accounts of the consortium, as one bank holds them.
///
/// The indexes are used only for looking up single names; everything that is listed comes from a
/// vector. What a snapshot has is in vectors that are copied in no time.
#[derive(Clone, Debug)]
pub struct Book {
    /// In the order in which they came.
    customers: Chunks<Record>,
    by_user_name: Index<u32>,
    /// By what the user names look like: of several that look alike, as older journals may have
    /// them, any one.
    by_look: Index<u32>,
    by_document: Index<u32>,
    /// In opening order; an account never leaves.
    accounts: Chunks<Account>,
    by_number: Index<u32>,
    /// By its oldest key,
    by_key: Index<u32>,
    /// and by its other keys.
    by_more_keys: BTreeMap<PixKey, AccountSlot>,
    /// By bank, the other side of openings, deposits and withdrawals; in centavos, negative while
    /// the bank owes.
    cash: Vec<i128>,
    remembered: Remembered,
    /// Joint accounts that are not open yet.
    waiting: Waiting,
    refunds: Refunds,
    /// Pix of days to come.
    schedules: Schedules,
    time: LedgerTime,
    position: Position,
    hash: ChainHash,
    /// How many entries there are.
    entries: EntryNumber,
    /// Those that were made and not handed over yet.
    fresh: Vec<PastEntry>,
}

/// A customer and the accounts they hold.
#[derive(Clone, Debug)]
struct Record {
    customer: Customer,
    /// By bank, and within a bank in opening order.
    accounts: Box<[AccountSlot]>,
    /// Where they have set any.
    limits: Option<Box<Limits>>,
    spendings: Spendings,
    /// Where they call anything something.
    profile: Option<Box<Profile>>,
}

/// The circumstances in which a request is executed: those of its event, the same at every bank.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// The bank that was asked.
    pub sender: BankId,
    /// The banks of the view that it belongs to.
    pub members: BankSet,
    /// What the event says about itself; absent in older journals.
    pub header: Option<Header>,
}

/// A request whose turn has come.
struct Turn<'a> {
    request: &'a Request,
    /// The bank that was asked.
    sender: BankId,
    /// The banks that execute it.
    members: BankSet,
    position: Position,
    /// Its date, in Unix milliseconds.
    at_ms: i64,
    /// Whether it needs no named customer.
    open: bool,
}

/// The outcome of a request and, unless it was refused or repeated, what is to be written.
struct Verdict {
    executed: Executed,
    change: Option<Change>,
}

/// A refusal, and the operation of the package that it is about, from 0, if it is about one.
struct Refused {
    refusal: Refusal,
    operation: Option<usize>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Refused { refusal, operation: None }
    }
}

impl Verdict {
    fn new(id: EventId, position: Position, decided: Result<Change, Refused>) -> Self {
        let (outcome, operation, change) = match decided {
            Ok(change) => (Outcome::Done(change.done()), None, Some(change)),
            Err(Refused { refusal, operation }) => (Outcome::Refused(refusal), operation, None),
        };
        Verdict { executed: Executed { id, position, outcome, operation }, change }
    }
}

impl Book {
    /// The empty book of a consortium of `banks` banks.
    #[must_use]
    pub fn new(banks: usize) -> Self {
        Book::sealing(banks, SPAN)
    }

    /// The same, which seals the idempotency keys of so many positions together; all banks must
    /// have the same number.
    #[must_use]
    pub fn sealing(banks: usize, span: u64) -> Self {
        Book {
            customers: Chunks::default(),
            by_user_name: Index::default(),
            by_look: Index::default(),
            by_document: Index::default(),
            accounts: Chunks::default(),
            by_number: Index::default(),
            by_key: Index::default(),
            by_more_keys: BTreeMap::new(),
            cash: vec![0; banks],
            remembered: Remembered::new(span),
            waiting: Waiting::default(),
            refunds: Refunds::default(),
            schedules: Schedules::default(),
            time: LedgerTime::default(),
            position: Position::default(),
            hash: ChainHash::default(),
            entries: EntryNumber::default(),
            fresh: Vec::new(),
        }
    }

    /// Executes or refuses the next request of the common order. Every request takes a position,
    /// refused and malformed ones too.
    ///
    /// ```
    /// use netbanking::ledger::{Book, Circumstances, UserName};
    /// use netbanking::ids::request::{Header, RawRequest, raw};
    /// use netbanking::ids::{BankId, BankSet, EventId};
    ///
    /// let (sender, members) = (BankId(0), BankSet::all(3));
    /// let of = Circumstances { sender, members, header: Some(Header::default()) };
    /// let ana = serde_json::json!({"action": {"REGISTER": {"name": "Ana", "num_cadastro": "123.456.789-00",
    ///     "user_name": "ana", "password_hash": "$argon2id$"}}});
    /// let registration = RawRequest { id: EventId::new(BankId(0), "1"), type_msg: "REGISTER".into(), msg: raw(&ana) };
    /// let mut book = Book::new(3);
    /// let first = book.apply(&of, &registration);
    /// assert_eq!(first.outcome.descript(), "Cliente ana criado com sucesso");
    /// let second = book.apply(&of, &registration);
    /// assert_eq!(second.outcome.descript(), "Falha na operação: CPF já cadastrado");
    /// assert_eq!((second.position.0, book.position().0), (2, 2), "a refused request has its place too");
    /// assert!(book.customer(&UserName::parse("ana").unwrap()).is_some());
    /// ```
    pub fn apply(&mut self, of: &Circumstances, raw: &RawRequest) -> Executed {
        self.position = self.position.next();
        self.customers.change_at(self.position);
        self.accounts.change_at(self.position);
        let parsed = guard::guarded(|| Request::parse(raw));
        let date_ms = match (of.header, &parsed) {
            (Some(header), _) => self.time.take(of.sender, header.at_ms),
            (None, Some(Ok(request))) => self.time.take_undated(request.at_ms),
            (None, _) => self.time.take_undated(None),
        };
        let refused =
            |refusal: Refusal| Verdict::new(raw.id.clone(), self.position, Err(refusal.into()));
        let Verdict { executed, change } = match &parsed {
            Some(Ok(request)) => self.judge(of, date_ms, request),
            Some(Err(_)) => refused(Refusal::Malformed),
            None => refused(Refusal::Broken),
        };
        let dated = of.header.map(|header| Dated { header, date_ms, age_ms: self.time.age_ms() });
        let (position, sender) = (self.position, of.sender);
        let link = Link {
            position,
            sender,
            raw,
            outcome: &executed.outcome,
            change: change.as_ref(),
            dated,
        };
        self.hash = link.hash(self.hash);
        if let Some(change) = change {
            self.write(change);
        }
        self.remembered.seal(self.position);
        executed
    }

    /// Decides unless the same was asked before.
    fn judge(&mut self, of: &Circumstances, at_ms: i64, request: &Request) -> Verdict {
        let age_ms = self.time.age_ms();
        self.remembered.forget(age_ms);
        self.waiting.forget(age_ms);
        self.refunds.forget(self.time.floor_ms());
        let Circumstances { sender, members, header } = *of;
        // Older journals do not record this; the banks that wrote them trusted each other here.
        let open = header.is_none_or(|header| header.open);
        let turn = Turn { request, sender, members, position: self.position, at_ms, open };
        let verdict = |decided| Verdict::new(request.id.clone(), turn.position, decided);
        let Some(claim) = Claim::of(request) else { return verdict(self.decide(&turn)) };
        match self.remembered.recall(&claim) {
            Recalled::Nothing => {
                let verdict = verdict(self.decide(&turn));
                self.remembered.keep(claim, verdict.executed.clone(), age_ms);
                verdict
            }
            Recalled::Same(first) => Verdict { executed: first, change: None },
            Recalled::Other => verdict(Err(Refusal::KeyReused.into())),
        }
    }

    /// A rule that panics refuses the request, and so does one whose change cannot be written.
    fn decide(&self, turn: &Turn<'_>) -> Result<Change, Refused> {
        let decided = guard::guarded(|| {
            let change = self.decide_by_the_rules(turn)?;
            self.prove(&change);
            Ok(change)
        });
        decided.unwrap_or(Err(Refusal::Broken.into()))
    }

    fn decide_by_the_rules(&self, turn: &Turn<'_>) -> Result<Change, Refused> {
        #[cfg(test)]
        tests::rules::planted(turn.request);
        match &turn.request.action {
            Action::Register(registration) => Ok(self.decide_registration(registration)?),
            Action::CreateAccount(opening) => Ok(self.decide_opening(turn, opening)?),
            Action::Operations(package) => self.decide_package(turn, package),
            Action::AnswerJoint(answer) => Ok(self.decide_answer(turn, answer)?),
            Action::ChangePassword(change) => Ok(self.decide_password(turn, change)?),
            Action::Refund(refund) => self.decide_refund(turn, refund),
            Action::Keys(change) => Ok(self.decide_keys(turn, change)?),
            Action::Limits(change) => Ok(self.decide_limits(turn, change)?),
            Action::Close(closing) => Ok(self.decide_closing(turn, closing)?),
            Action::Profile(change) => Ok(self.decide_profile(turn, change)?),
            Action::Schedule(change) => Ok(self.decide_schedule(turn, change)?),
            Action::Due(due) => Ok(self.decide_due(turn, *due)?),
        }
    }

    fn write(&mut self, change: Change) {
        match change {
            Change::Registered(customer) => self.enter(customer),
            Change::Opened { account, entry } => {
                self.waiting.end((account.bank, account.number));
                let slot = self.open(*account);
                self.post_all(vec![Posting {
                    slot,
                    bank: self[slot].bank,
                    account: self[slot].number,
                    entry,
                }]);
            }
            Change::Posted { postings, outlay } => {
                self.post_all(postings);
                self.spend(outlay);
            }
            Change::Refunded { postings, refunded } => {
                self.post_all(postings);
                self.refunds.keep(refunded);
            }
            Change::Password { user_name, password_hash } => {
                self.set_password(&user_name, password_hash);
            }
            Change::Closing { slot, end, .. } => self.end_account(slot, end),
            Change::Called { user_name, change } => self.call(&user_name, &change),
            Change::Scheduled(schedule) => self.schedules.add(*schedule),
            Change::Unscheduled(number) => _ = self.schedules.end(number),
            Change::Ran { number, run, postings, outlay } => {
                self.post_all(postings);
                self.spend(outlay);
                self.schedules.ran(number, run);
            }
            Change::Limited { user_name, limits, .. } => self.set_limits(&user_name, limits),
            Change::Asked(request) => self.waiting.add(*request),
            Change::Accepted { bank, account, by, .. } => {
                self.waiting.accept((bank, account), &by);
            }
            Change::Ended { bank, account } => self.waiting.end((bank, account)),
            Change::Rekeyed(rekeyed) => self.rekey(rekeyed),
        }
    }

    fn spend(&mut self, outlay: Option<Outlay>) {
        if let Some(Outlay { customer, period, sum, .. }) = outlay {
            self.record_at(customer).spendings.keep(period, sum);
        }
    }

    fn post_all(&mut self, mut postings: Vec<Posting>) {
        let sum: i128 = postings.iter().map(|posting| self.post(posting)).sum();
        assert_eq!(sum, 0, "the postings of a request add up to zero");
        // Sorting keeps the order of those of one account.
        postings.sort_by_key(|posting| posting.slot);
        postings.into_iter().for_each(|posting| self.number(posting.slot, posting.entry));
    }

    /// Writes one entry and, where cash is its other side, that too; returns the sum of both in
    /// centavos.
    fn post(&mut self, posting: &Posting) -> i128 {
        let Posting { slot, entry, .. } = posting;
        let account = self.accounts.get_mut(slot.index()).expect("a posting's account is open");
        assert_eq!(account.balance, entry.previous_balance(), "an entry follows the one before it");
        account.balance = entry.balance_after;
        let gained = entry.value.get();
        let paid_in_cash = if entry.kind.is_cash() { gained } else { 0 };
        self.cash[account.bank.index()] -= paid_in_cash;
        gained - paid_in_cash
    }

    /// Gives an entry its place in the past.
    fn number(&mut self, slot: AccountSlot, entry: Entry) {
        self.entries = self.entries.next();
        let account = self.accounts.get_mut(slot.index()).expect("an entry's account is open");
        let (index, links) = account.trail.extend(self.entries);
        let account = slot.place();
        self.fresh.push(PastEntry { number: self.entries, account, index, links, entry });
    }

    /// Refuses a bank that does not take part. A bank that does not exist (yet) gets the same text:
    /// a consortium that has grown executes its old journal again, and must come to the same
    /// result.
    fn check_online(&self, bank: BankId, members: BankSet) -> Result<(), Refusal> {
        let exists = bank.index() < self.cash.len();
        if exists && members.contains(bank) { Ok(()) } else { Err(Refusal::BankOffline(bank)) }
    }
}

impl std::ops::Index<AccountSlot> for Book {
    type Output = Account;

    fn index(&self, slot: AccountSlot) -> &Account {
        &self.accounts[slot.index()]
    }
}

/// The past.
impl Book {
    /// How many entries have been made: the number of the last one.
    #[must_use]
    pub fn entries(&self) -> EntryNumber {
        self.entries
    }

    /// Where an account's entries are.
    #[must_use]
    pub(crate) fn trail_of(&self, account: &Account) -> AccountTrail {
        let slot = self.slot(account.bank, account.number).expect("an account is found");
        AccountTrail { account: slot.place(), trail: account.trail }
    }

    /// An empty book for the same consortium.
    #[must_use]
    pub(crate) fn blank(&self) -> Book {
        Book::sealing(self.banks(), self.remembered.span())
    }

    /// Hands over the runs of keys that were sealed since the last call. Until they are shelved,
    /// all their bytes are in memory.
    pub fn take_sealed(&mut self) -> Vec<Run> {
        self.remembered.take_fresh()
    }

    /// Runs of keys before this number are forgotten.
    #[must_use]
    pub(crate) fn first_run(&self) -> u64 {
        self.remembered.first_run(self.position)
    }

    /// How many positions are sealed together.
    pub(crate) fn span(&self) -> u64 {
        self.remembered.span()
    }

    /// The runs of sealed keys, oldest first.
    pub(crate) fn runs(&self) -> impl Iterator<Item = &Run> {
        self.remembered.runs().iter()
    }

    /// A run of keys is kept elsewhere now.
    pub fn shelve(&mut self, kept: Run) {
        self.remembered.shelve(kept);
    }

    /// Hands over the entries that were made since the last call, in their order.
    pub fn take_fresh(&mut self) -> Vec<PastEntry> {
        std::mem::take(&mut self.fresh)
    }
}

/// Reading.
impl Book {
    /// Executed through.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// Chain hash at that position.
    #[must_use]
    pub fn hash(&self) -> ChainHash {
        self.hash
    }

    /// The latest date that a request was given, in Unix milliseconds, unless later events have
    /// shown it to be wrong.
    #[must_use]
    pub fn time_ms(&self) -> i64 {
        self.time.latest_ms()
    }

    /// How many banks the consortium has.
    #[must_use]
    pub fn banks(&self) -> usize {
        self.cash.len()
    }

    /// What all accounts together hold, in centavos.
    #[must_use]
    pub fn total(&self) -> i128 {
        money::sum(self.accounts().map(|account| account.balance))
    }
}
