//! Journals as a bank writes them: real requests, executed on a real ledger.

#![allow(dead_code)] // Each test program uses its part.

use std::sync::Arc;

use netbanking::ids::request::{Header, RawRequest};
use netbanking::ids::{Ballot, BankId, BankSet, EventId, Sha256Digest};
use netbanking::ledger::account::AccountNumber;
use netbanking::ledger::book::Pieces;
use netbanking::ledger::request::{Action, IdempotencyKey, Opening, Registration, Request};
use netbanking::ledger::{
    Amount, Book, Centavos, Document, Note, Operation, OperationKind, Package, PasswordHash,
    PersonName, PixType, TypeAccount, UserName,
};
use netbanking::protocol::event::{Event, Held};
use netbanking::protocol::execution::{ExecutedMark, Executions, JournalEntry};
use netbanking::protocol::executor;
use netbanking::protocol::snapshot::{SnapshotHead, SnapshotPiece, chained, digest_of};

/// How many banks the consortium has.
pub(crate) const BANKS: usize = 3;
/// The view in which everything happens.
pub(crate) const VIEW: Ballot = Ballot { round: 1, coordinator: BankId(0) };
const START_MS: i64 = 1_795_442_602_000;

/// A ledger that grows event by event.
pub(crate) struct Played {
    pub(crate) book: Book,
    pub(crate) executed: Option<Executions>,
    counter: u64,
    asked: u64,
    /// Digits of a request's id.
    pub(crate) id_digits: usize,
    /// Whether requests have idempotency keys.
    pub(crate) has_keys: bool,
    /// How much later an event comes than the one before it, in milliseconds.
    pub(crate) apart_ms: i64,
    late_ms: i64,
}

impl Played {
    pub(crate) fn new() -> Self {
        Played {
            book: Book::new(BANKS),
            executed: None,
            counter: 0,
            asked: 0,
            id_digits: 1,
            has_keys: true,
            apart_ms: 0,
            late_ms: 0,
        }
    }

    /// A ledger after `events` events of one request each.
    pub(crate) fn new_with(events: usize) -> Self {
        let mut played = Played::new();
        (0..events).for_each(|_| _ = played.entry(1));
        played
    }

    /// The next event, held but not executed.
    pub(crate) fn held(&mut self, requests: usize) -> Held {
        let requests = (0..requests).map(|_| self.request()).collect();
        self.counter += 1;
        self.late_ms += self.apart_ms;
        let at_ms = START_MS + self.asked.cast_signed() + self.late_ms;
        let header = Header { at_ms, open: false };
        let event =
            Event::stamp(VIEW, BankId(0), vec![self.counter, 0, 0].into(), requests, header);
        Held { event: Arc::new(event), members: BankSet::all(BANKS) }
    }

    /// Executes an event.
    pub(crate) fn execute(&mut self, held: Held) -> JournalEntry {
        let executed = executor::apply(&mut self.book, &held);
        Executions::count(&mut self.executed, &held);
        JournalEntry { held, position: executed.position, hash: executed.hash }
    }

    /// The next event, executed.
    pub(crate) fn entry(&mut self, requests: usize) -> JournalEntry {
        let held = self.held(requests);
        self.execute(held)
    }

    /// A customer registers and opens two accounts; from then on they move a centavo between them.
    fn request(&mut self) -> RawRequest {
        self.asked += 1;
        let user_name = UserName::parse("ana").unwrap();
        let opening = |number: &str| {
            Action::CreateAccount(Opening {
                user_name: user_name.clone(),
                type_account: TypeAccount::Pf,
                pix_type: PixType::NumConta,
                users: Vec::new(),
                value_init: Amount::parse(Centavos::new(1_000_000_000)).unwrap(),
                numbers: vec![AccountNumber::parse(number).unwrap()],
                random_key: "r".into(),
                consent: false,
            })
        };
        let transfer = |from: &str, to: &str| {
            let value = Amount::parse(Centavos::new(1)).unwrap();
            let pix = format!("0:{to}").try_into().unwrap();
            let kind = OperationKind::Transfer { value, pix, note: Some(Note::default()) };
            let account = AccountNumber::parse(from).unwrap();
            Action::Operations(
                Package::parse(vec![Operation { bank: BankId(0), account, kind }]).unwrap(),
            )
        };
        let action = match self.asked {
            1 => Action::Register(Registration {
                name: PersonName::parse("Ana Lima").unwrap(),
                num_cadastro: Document::try_from("000.000.000-01".to_owned()).unwrap(),
                user_name: user_name.clone(),
                password_hash: PasswordHash::parse("$argon2id$x").unwrap(),
                distinct: true,
            }),
            2 => opening("101"),
            3 => opening("102"),
            odd if odd % 2 == 1 => transfer("101", "102"),
            _ => transfer("102", "101"),
        };
        let key = IdempotencyKey::parse(&format!("k{}", self.asked)).unwrap();
        let by = (self.asked > 1).then_some(user_name);
        let id =
            EventId::new(BankId(0), &format!("{:0digits$}", self.asked, digits = self.id_digits));
        let key = self.has_keys.then_some(key);
        Request { id, at_ms: None, key, by, own: false, offset_s: None, confirmed: false, action }
            .to_raw()
    }

    /// The ledger as a snapshot.
    pub(crate) fn snapshot(&self) -> (SnapshotHead, Vec<SnapshotPiece>) {
        let texts: Vec<String> = Pieces::of(self.book.present()).collect();
        let head = SnapshotHead {
            position: self.book.position(),
            hash: self.book.hash(),
            executed: self.executed.clone().unwrap(),
            pieces: texts.len().try_into().unwrap(),
            digest: texts
                .iter()
                .fold(Sha256Digest::default(), |digest, text| chained(digest, digest_of(text))),
        };
        let piece = |(index, text)| SnapshotPiece { head: head.clone(), index, text };
        let pieces = (0..).zip(texts).map(piece).collect();
        (head, pieces)
    }
}

pub(crate) fn mark(entry: &JournalEntry) -> ExecutedMark {
    ExecutedMark { key: entry.held.event.order_key(), position: entry.position, hash: entry.hash }
}
