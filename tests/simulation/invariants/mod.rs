//! What must be true, whatever breaks. Every bank is measured against one log: the events in the
//! order in which some bank first executed them.
//!
//! | property | source | file |
//! |---|---|---|
//! | all banks execute the same events in the same order, with the same hash | `protocol.md`, normal case 5 | `same_order` |
//! | keys only grow; what an event's timestamp names comes before it, and is never missing | normal case 2 and 5 | `same_order` |
//! | what was answered stands at its position; one key takes effect once; what was refused unstamped never does | customers | `answers` |
//! | nobody is told success before all members have executed it | normal case 7 | `answers` |
//! | a read without a mark shows all that was answered anywhere before it began | Raft's ReadIndex | `answers` |
//! | one view acts at a time: what was stamped in a view after a later one began is never executed | view change | `views` |
//! | members are a majority, and all of a view's members begin it alike | view change 2, 3 | `views` |
//! | promises and prepared views never go backwards, restarts included; nothing is executed below a promise | view change 1 | `promises` |
//! | what is executed is on the disk of every member | normal case 4 | `disks` |
//! | with a minority of wrong clocks no event is stamped and no entry dated more than 5 s off | consortium time | `dates` |
//! | whatever clocks say, no key is forgotten: customers ask again for what they had long ago | consortium time | `answers` |
//! | no more is given back of a Pix than came, whoever asks at whichever bank | ledger | `refunds` |
//! | no more leaves in a night than its customer allows, whoever asks at whichever bank | ledger | `limits` |
//! | a day of a schedule is run once, and none after it was given up, whoever asks; nothing is booked in a closed account | ledger | `schedules` |
//! | money comes and goes only by deposits and withdrawals, at every bank | ledger | `money` |

mod answers;
mod dates;
mod disks;
mod limits;
mod money;
mod promises;
mod refunds;
mod same_order;
mod schedules;
mod views;

use std::collections::{BTreeMap, BTreeSet};

use netbanking::ids::{Ballot, BankId, ChainHash, EventId, Position};
use netbanking::ledger::Book;
use netbanking::ledger::past::PastEntry;
use netbanking::protocol::execution::ExecutedEvent;
use netbanking::protocol::order_key::OrderKey;

use self::limits::Allowed;
use self::promises::Told;
use self::same_order::LogEvent;
use self::schedules::Agreed;
use self::views::ViewFacts;
use super::disk::Disk;

/// Knows what has happened, and panics when it should not have.
pub(crate) struct Judge {
    banks: usize,
    /// Events in the order in which somebody executed them first.
    log: Vec<LogEvent>,
    /// The ids of the requests, by position.
    requests: Vec<EventId>,
    /// Per sender, how many of its events were executed.
    counted: Vec<u64>,
    /// Position at which each key took effect or was refused for good.
    keys: BTreeMap<String, u64>,
    /// The highest position that any bank has answered.
    answered: u64,
    /// Requests that a bank has refused without a stamp.
    not_taken: BTreeSet<EventId>,
    /// Per bank, how many events of the log it has executed in its current life.
    cursors: Vec<usize>,
    /// Per bank, the highest position that it has ever executed.
    through: Vec<u64>,
    views: BTreeMap<Ballot, ViewFacts>,
    /// Per bank, the view that began there last in its current life.
    in_view: Vec<Option<Ballot>>,
    /// Per event, the latest view that had begun when it was stamped.
    stamped: BTreeMap<OrderKey, Ballot>,
    told: Vec<Told>,
    /// What all accounts hold, in centavos.
    total: i128,
    /// Whether only a minority of clocks may be wrong.
    dates_are_right: bool,
    /// When each request was stamped, in Unix milliseconds.
    asked_ms: BTreeMap<EventId, i64>,
    /// All entries of all statements, as the first bank made them.
    past: Vec<PastEntry>,
    /// By the entry with which a Pix came, how much of it went back, in centavos.
    refunded: BTreeMap<u64, i128>,
    allowed: Allowed,
    agreed: Agreed,
}

impl Judge {
    pub(crate) fn new(banks: usize, dates_are_right: bool) -> Self {
        Judge {
            banks,
            log: Vec::new(),
            requests: Vec::new(),
            counted: vec![0; banks],
            keys: BTreeMap::new(),
            answered: 0,
            not_taken: BTreeSet::new(),
            cursors: vec![0; banks],
            through: vec![0; banks],
            views: BTreeMap::new(),
            in_view: vec![None; banks],
            stamped: BTreeMap::new(),
            told: vec![Told::default(); banks],
            total: 0,
            dates_are_right,
            asked_ms: BTreeMap::new(),
            past: Vec::new(),
            refunded: BTreeMap::new(),
            allowed: Allowed::default(),
            agreed: Agreed::default(),
        }
    }

    /// How many views began.
    pub(crate) fn views(&self) -> usize {
        self.views.len()
    }

    /// How many requests were executed.
    pub(crate) fn requests(&self) -> usize {
        self.requests.len()
    }

    /// The latest view that began anywhere.
    pub(crate) fn latest_view(&self) -> Ballot {
        self.views.last_key_value().map(|(view, _)| *view).unwrap_or_default()
    }

    /// A bank has executed events in a view.
    pub(crate) fn executed(
        &mut self,
        bank: BankId,
        view: Ballot,
        (events, made): (&[ExecutedEvent], Vec<PastEntry>),
        (book, now_ms): (&Book, i64),
        disks: &[Disk],
    ) {
        self.check_promise_kept(bank, view);
        for event in events {
            self.check_on_disks(bank, view, event, disks);
            self.place(bank, event);
        }
        self.check_total(bank, book);
        self.check_dates(bank, &made, now_ms);
        made.into_iter().for_each(|past| self.check_past(bank, past));
    }

    /// A bank has executed what others had executed before.
    pub(crate) fn caught_up(&mut self, bank: BankId, position: Position, hash: ChainHash) {
        self.stands_at(bank, position, hash);
    }

    /// A process has ended.
    pub(crate) fn died(&mut self, bank: BankId) {
        self.in_view[bank.index()] = None;
    }

    /// A process has started, on what its disk remembers.
    pub(crate) fn restarted(
        &mut self,
        bank: BankId,
        promised: Ballot,
        prepared: Ballot,
        book: &Book,
    ) {
        self.check_remembered(bank, promised, prepared);
        self.stands_at(bank, book.position(), book.hash());
    }

    /// Whether all books have everything; if so, they are audited.
    pub(crate) fn all_are_level(&self, books: &[Option<&Book>]) -> bool {
        let level = |book: &Option<&Book>| {
            book.is_some_and(|book| book.position().0 == self.requests.len() as u64)
        };
        if !books.iter().all(level) {
            return false;
        }
        for book in books.iter().flatten() {
            self.audit(book);
        }
        true
    }
}
