//! A consortium of three banks to try the rules on, with words for what customers do.

mod audit;
mod chain;
mod closing;
mod idempotency;
mod joint;
mod keys;
mod limits;
mod opening;
mod operations;
mod properties;
mod refund;
mod registration;
pub(super) mod rules;
mod schedule;
mod sealing;
mod snapshot;
mod time;

use crate::ids::request::{Header, RawRequest};
use crate::ids::{BankId, BankSet, EventId};
use crate::ledger::account::{Account, AccountNumber, TypeAccount};
use crate::ledger::book::{Book, Circumstances};
use crate::ledger::customer::{Document, PersonName, UserName};
use crate::ledger::money::{Amount, Centavos};
use crate::ledger::note::{Message, Note, Txid};
use crate::ledger::outcome::{Done, Executed, Outcome, Refusal};
use crate::ledger::package::{Operation, OperationKind, Package};
use crate::ledger::password_hash::PasswordHash;
use crate::ledger::past::{Auditor, PastEntry};
use crate::ledger::pix::{PixKey, PixType};
use crate::ledger::request::{
    Action, IdempotencyKey, JointAnswer, Opening, PasswordChange, Registration, Request,
};
use crate::ledger::statement::{Details, Entry};

/// How many banks the consortium has.
const BANKS: usize = 3;
/// When its first request comes, in Unix milliseconds.
const START_MS: i64 = 1_795_442_602_000;

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

fn number(number: u64) -> AccountNumber {
    AccountNumber::try_from(number).unwrap()
}

fn amount(centavos: i64) -> Amount {
    Amount::parse(Centavos::new(centavos)).unwrap()
}

fn pix(key: &str) -> PixKey {
    PixKey::parse(key).unwrap()
}

fn deposit(bank: u16, account: u64, centavos: i64) -> Operation {
    let kind = OperationKind::Deposit { value: amount(centavos), sender: None };
    Operation { bank: BankId(bank), account: number(account), kind }
}

fn withdraw(bank: u16, account: u64, centavos: i64) -> Operation {
    let kind = OperationKind::Withdraw { value: amount(centavos), sender: None };
    Operation { bank: BankId(bank), account: number(account), kind }
}

fn transfer(bank: u16, account: u64, centavos: i64, key: &str) -> Operation {
    let kind = OperationKind::Transfer { value: amount(centavos), pix: pix(key), note: None };
    Operation { bank: BankId(bank), account: number(account), kind }
}

fn package(operations: Vec<Operation>) -> Action {
    Action::Operations(Package::parse(operations).unwrap())
}

/// As older journals have it.
fn registration(name: &str, document: &str) -> Registration {
    Registration {
        name: PersonName::parse("Pedro Silva").unwrap(),
        num_cadastro: Document::try_from(document.to_owned()).unwrap(),
        user_name: user(name),
        password_hash: PasswordHash::parse("$argon2id$x").unwrap(),
        distinct: false,
    }
}

/// The opening of a person's account with R$ 100.00 and the user name as key.
fn opening(name: &str, account: u64) -> Opening {
    Opening {
        user_name: user(name),
        type_account: TypeAccount::Pf,
        pix_type: PixType::UserName,
        users: Vec::new(),
        value_init: amount(10_000),
        numbers: vec![number(account)],
        random_key: "8d0f-4c".to_owned(),
        consent: false,
    }
}

fn refusal(executed: Executed) -> Refusal {
    match executed.outcome {
        Outcome::Refused(refusal) => refusal,
        Outcome::Done(done) => panic!("not refused: {done:?}"),
    }
}

fn done(executed: Executed) -> Done {
    match executed.outcome {
        Outcome::Done(done) => done,
        Outcome::Refused(refusal) => panic!("{refusal}"),
    }
}

/// The circumstances of a request from an older journal, which carries its own time.
fn undated(bank: u16, members: BankSet) -> Circumstances {
    Circumstances { sender: BankId(bank), members, header: None }
}

/// The book under trial.
struct Trial {
    book: Book,
    members: BankSet,
    /// The senders' clock, in Unix milliseconds.
    at_ms: i64,
    /// `Some` when events carry the time, and then whether customers need not be named; `None` when
    /// requests carry it, as in older journals.
    headers: Option<bool>,
    asked: u32,
    /// All entries so far, and what they lead to.
    past: Vec<PastEntry>,
    auditor: Auditor,
}

impl Trial {
    /// A consortium without customers.
    fn new() -> Self {
        Trial {
            book: Book::new(BANKS),
            members: BankSet::all(BANKS),
            at_ms: START_MS,
            headers: None,
            asked: 0,
            past: Vec::new(),
            auditor: Auditor::default(),
        }
    }

    /// Ana (account 101 at bank 0), Bia (account 202 at bank 1), both with R$ 100.00, and the
    /// company Cia, which has no account.
    fn with_customers() -> Self {
        let mut trial = Trial::new();
        for (name, document) in
            [("ana", "000.000.000-01"), ("bia", "000.000.000-02"), ("cia", "00.000.000/0000-03")]
        {
            done(trial.ask(0, Action::Register(registration(name, document))));
        }
        done(trial.ask(0, Action::CreateAccount(opening("ana", 101))));
        done(trial.ask(1, Action::CreateAccount(opening("bia", 202))));
        trial
    }

    /// A request with an id of its own.
    fn request(&mut self, by: Option<&str>, key: Option<&str>, action: Action) -> Request {
        self.asked += 1;
        let id = EventId::new(BankId(0), &self.asked.to_string());
        let key = key.map(|key| IdempotencyKey::parse(key).unwrap());
        Request {
            id,
            at_ms: Some(self.at_ms).filter(|_| self.headers.is_none()),
            key,
            by: by.map(user),
            own: false,
            offset_s: None,
            confirmed: false,
            action,
        }
    }

    /// Applies a request at a bank and verifies the whole book and its past again.
    fn apply(&mut self, bank: u16, request: &Request) -> Executed {
        let header = self.headers.map(|open| Header { at_ms: self.at_ms, open });
        let of = Circumstances { header, ..undated(bank, self.members) };
        let executed = self.book.apply(&of, &request.to_raw());
        assert_eq!(self.book.verify(), Ok(()));
        for past in self.book.take_fresh() {
            self.auditor.take(&past).unwrap();
            self.past.push(past);
        }
        assert_eq!(self.book.agrees_with(&self.auditor), Ok(()));
        executed
    }

    /// The entries of an account, newest last.
    fn statement(&self, bank: u16, account: u64) -> Vec<Entry> {
        let slot = self.book.slot(BankId(bank), number(account)).unwrap();
        let own = self.past.iter().filter(|past| past.account == slot.place());
        own.map(|past| past.entry.clone()).collect()
    }

    fn ask(&mut self, bank: u16, action: Action) -> Executed {
        let request = self.request(None, None, action);
        self.apply(bank, &request)
    }

    fn ask_with_key(&mut self, bank: u16, by: Option<&str>, key: &str, action: Action) -> Executed {
        let request = self.request(by, Some(key), action);
        self.apply(bank, &request)
    }

    /// A package that a customer sends through bank 2.
    fn operate(&mut self, by: &str, operations: Vec<Operation>) -> Executed {
        let request = self.request(Some(by), None, package(operations));
        self.apply(2, &request)
    }

    fn account(&self, bank: u16, account: u64) -> &Account {
        self.book.account(BankId(bank), number(account)).expect("the account was opened")
    }

    /// In centavos.
    fn balance(&self, bank: u16, account: u64) -> i128 {
        self.account(bank, account).balance.get()
    }
}
