//! Customers: they register, open accounts and move money, one request after the other, each under
//! a key of its own. A customer who is refused, or hears nothing, asks again with the same key,
//! often at another bank.

use netbanking::ids::{BankId, EventId};
use netbanking::ledger::past::PastEntry;
use netbanking::ledger::{
    AccountNumber, Action, Amount, Centavos, Document, Done, Executed, IdempotencyKey, Limit,
    LimitsChange, Note, Opening, Operation, OperationKind, Original, Outcome, Package,
    PasswordHash, PersonName, PixKey, PixType, Refund, RefundOf, Registration, Request,
    TypeAccount, TypePerson, UserName, Wish as LedgerWish,
};
use netbanking::protocol::reply::Reply;

use super::agenda::Item;
use super::network::REFUSAL_US;
use super::plans;
use super::world::World;

const MS: u64 = 1_000;
const SECOND: u64 = 1_000_000;
/// Longest wait of a customer for an answer.
const PATIENCE_MAX_US: u64 = 10 * SECOND;

/// What a customer wants at the moment.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    key: IdempotencyKey,
    what: What,
    /// Whether it was answered before, and is only asked for again.
    is_old: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Register,
    Open {
        value: Amount,
    },
    Package(Package),
    Refund(Box<Refund>),
    Limits(LimitsChange),
    /// What [`super::plans`] are about.
    Plain(Action),
}

#[derive(Debug)]
pub(crate) struct Customer {
    user_name: UserName,
    document: Document,
    is_registered: bool,
    pub(crate) accounts: Vec<(BankId, AccountNumber)>,
    /// Of the accounts, in the same order.
    keys: Vec<PixKey>,
    wish: Option<Wish>,
    /// Wishes that were answered, to be asked for once more some day.
    old_wishes: Vec<Wish>,
    wishes: u64,
    attempts: u64,
    /// Counts what has happened to them, so that an alarm that was set earlier is void.
    turn: u64,
    /// In the second phase: whether they have asked for one thing more, and whether it was done.
    asks_once_more: bool,
    pub(crate) is_served: bool,
}

/// A request that a bank has taken.
#[derive(Debug)]
pub(crate) struct Attempt {
    customer: usize,
    bank: BankId,
    at_us: u64,
    key: IdempotencyKey,
    /// The process that took it; a later process has nobody to answer.
    life: u64,
    is_answered: bool,
}

impl Customer {
    pub(crate) fn new(number: usize) -> Self {
        let user_name = UserName::parse(&format!("customer{number}")).expect("a user name");
        let document = Document::parse(TypePerson::Pf, &format!("{number:03}.000.000-00"), false)
            .expect("a CPF");
        Customer {
            user_name,
            document,
            is_registered: false,
            accounts: Vec::new(),
            keys: Vec::new(),
            wish: None,
            old_wishes: Vec::new(),
            wishes: 0,
            attempts: 0,
            turn: 0,
            asks_once_more: false,
            is_served: false,
        }
    }

    /// An account is closed.
    pub(crate) fn give_up(&mut self, closed: (BankId, AccountNumber)) {
        if let Some(place) = self.accounts.iter().position(|account| *account == closed) {
            self.accounts.remove(place);
            self.keys.remove(place);
        }
    }
}

pub(crate) fn amount(centavos: u64) -> Amount {
    Amount::parse(Centavos::new(i64::try_from(centavos).expect("a small sum")))
        .expect("a positive sum")
}

impl World {
    pub(crate) fn customer_acts(&mut self, number: usize, turn: u64) {
        if self.customers[number].turn != turn {
            return;
        }
        if self.customers[number].wish.is_none() {
            let customer = &self.customers[number];
            if self.customers_rest() && (!customer.asks_once_more || customer.is_served) {
                return;
            }
            let wish = self.old_wish(number).unwrap_or_else(|| self.new_wish(number));
            self.customers[number].wish = Some(wish);
        }
        self.ask_bank(number);
    }

    /// Something that they asked for long ago; a customer who asks again gets the first answer.
    fn old_wish(&mut self, number: usize) -> Option<Wish> {
        let old = &self.customers[number].old_wishes;
        if old.is_empty() || !self.random.per_mille(150) {
            return None;
        }
        let wish = old[self.random.index(old.len())].clone();
        Some(Wish { is_old: true, ..wish })
    }

    fn new_wish(&mut self, number: usize) -> Wish {
        let what = self.what_next(number);
        let customer = &mut self.customers[number];
        customer.wishes += 1;
        let key = IdempotencyKey::parse(&format!("{number}/{}", customer.wishes)).expect("a key");
        Wish { key, what, is_old: false }
    }

    /// Once everything is mended, every customer asks for one more thing.
    pub(crate) fn ask_once_more(&mut self) {
        for number in 0..self.customers.len() {
            self.customers[number].asks_once_more = true;
            if self.customers[number].wish.is_none() {
                self.customer_soon(number, 50 * MS);
            }
        }
    }

    /// A gray fault has set in, and all go on asking.
    pub(crate) fn ask_on(&mut self, number: usize) {
        if self.customers[number].wish.is_none() {
            self.customer_soon(number, 50 * MS);
        }
    }

    fn what_next(&mut self, number: usize) -> What {
        let random = &mut self.random;
        let customer = &self.customers[number];
        if !customer.is_registered {
            return What::Register;
        }
        if customer.accounts.is_empty() || (customer.accounts.len() < 3 && random.per_mille(80)) {
            return What::Open { value: amount(random.between(5_000, 50_000)) };
        }
        // Seldom: no limit is raised again within a run, and a run of refusals proves little.
        if random.per_mille(8) {
            let most = random.between(0, 300_000);
            let most = Limit::parse(amount(most.max(1)).get()).expect("a limit");
            return What::Limits(LimitsChange {
                day: LedgerWish::Keep,
                night: LedgerWish::Most(most),
                confirm: LedgerWish::Keep,
            });
        }
        if random.per_mille(120)
            && let Some(refund) = self.refund(number)
        {
            return What::Refund(Box::new(refund));
        }
        if let Some(what) = self.plan_next(number) {
            return what;
        }
        let (random, customer) = (&mut self.random, &self.customers[number]);
        let count = random.skewed(1, 4);
        let operations = (0..count).map(|_| {
            let (bank, account) = random.pick(&customer.accounts);
            let value = amount(random.skewed(1, 20_000));
            let kind = match random.below(4) {
                0 => OperationKind::Deposit { value, sender: None },
                1 => OperationKind::Withdraw { value, sender: None },
                _ => OperationKind::Transfer {
                    value,
                    pix: self.directory[random.index(self.directory.len())].clone(),
                    note: Some(Note::default()),
                },
            };
            Operation { bank, account, kind }
        });
        What::Package(Package::parse(operations.collect()).expect("one to four operations"))
    }

    /// Gives back some of what came lately, or wants to give back more.
    fn refund(&mut self, number: usize) -> Option<Refund> {
        let customer = &self.customers[number];
        let place = |past: &PastEntry| {
            customer.keys.iter().position(|key| past.entry.pix.as_ref() == Some(key))
        };
        let received: Vec<_> = self
            .judge
            .received()
            .filter_map(|past| Some((customer.accounts[place(past)?], past)))
            .collect();
        if received.is_empty() {
            return None;
        }
        let ((bank, account), past) = received[self.random.index(received.len())];
        let came = u64::try_from(past.entry.value.get()).expect("a positive sum");
        let entry = &past.entry;
        let of = RefundOf { entry: past.number, id: entry.id.clone(), position: entry.position };
        let original =
            Original { of, at_ms: entry.at_ms, other: entry.details.other?, value: amount(came) };
        let value = amount(self.random.between(1, came + came / 4 + 1));
        Some(Refund { bank, account, value, message: None, original })
    }

    fn ask_bank(&mut self, number: usize) {
        let bank = self.random.pick(&self.open_banks);
        let patience_us = self.random.skewed(300 * MS, PATIENCE_MAX_US);
        let patience_us = self.in_haste(patience_us);
        let customer = &mut self.customers[number];
        customer.attempts += 1;
        customer.turn += 1;
        let (attempt, turn) = (customer.attempts, customer.turn);
        let wish = Box::new(customer.wish.clone().expect("a customer asks for something"));
        if let Some(delay_us) = self.network.customer_delay(&mut self.random) {
            self.put_in(delay_us, Item::Submit { bank, customer: number, attempt, wish });
        }
        self.put_in(patience_us, Item::Customer { customer: number, turn });
    }

    /// The request reaches the bank, perhaps so late that the customer has meanwhile been served
    /// elsewhere.
    pub(crate) fn submit(&mut self, bank: BankId, number: usize, attempt: u64, wish: Wish) {
        if self.machines[bank.index()].process.is_none() {
            return if self.customers[number].attempts == attempt {
                self.customer_soon(number, REFUSAL_US + 100 * MS);
            };
        }
        let Wish { key, what, .. } = wish;
        let action = self.action(number, what);
        let id = EventId::new(bank, &format!("{number}-{attempt}"));
        let is_named =
            !matches!(action, Action::Register(_) | Action::CreateAccount(_) | Action::Due(_));
        let by = is_named.then(|| self.customers[number].user_name.clone());
        let is_in_zone = is_named || matches!(action, Action::Due(_));
        let offset_s = is_in_zone.then(|| plans::offset_s(&action));
        let request = Request {
            id: id.clone(),
            at_ms: None,
            key: Some(key.clone()),
            by,
            own: false,
            offset_s,
            confirmed: false,
            action,
        };
        self.trace
            .line(self.now_us, Some(bank), || format!("customer {number} asks for {key} as {id}"));
        let life = self.machines[bank.index()].life;
        let at_us = self.now_us;
        self.attempts
            .insert(id, Attempt { customer: number, bank, at_us, key, life, is_answered: false });
        let process = self.machines[bank.index()].process.as_mut().expect("just seen");
        process.submit(request.to_raw());
        self.plan_work(bank);
    }

    fn action(&mut self, number: usize, what: What) -> Action {
        let customer = &self.customers[number];
        match what {
            What::Register => Action::Register(Registration {
                name: PersonName::parse("Maria Silva").expect("a name"),
                num_cadastro: customer.document,
                user_name: customer.user_name.clone(),
                password_hash: PasswordHash::parse("$argon2id$x").expect("a hash"),
                distinct: false,
            }),
            What::Open { value } => Action::CreateAccount(Opening {
                user_name: customer.user_name.clone(),
                type_account: TypeAccount::Pf,
                pix_type: PixType::Random,
                users: Vec::new(),
                value_init: value,
                numbers: AccountNumber::candidates(&mut || self.random.bits()),
                random_key: format!("{:x}", self.random.bits()),
                consent: false,
            }),
            What::Package(package) => Action::Operations(package),
            What::Refund(refund) => Action::Refund(*refund),
            What::Limits(change) => Action::Limits(change),
            What::Plain(action) => action,
        }
    }

    /// A request, taken before a given moment, to which a process still owes an answer. Nobody can
    /// tell what was under way when a snapshot took the place of the events themselves.
    pub(crate) fn owed(&self, before_us: u64) -> Option<&EventId> {
        let owes = |attempt: &Attempt| {
            let machine = &self.machines[attempt.bank.index()];
            let process = machine.process.as_ref().filter(|_| machine.life == attempt.life);
            let is_open = self.open_banks.contains(&attempt.bank);
            is_open
                && !attempt.is_answered
                && attempt.at_us < before_us
                && process.is_some_and(|process| !process.was_restored())
        };
        self.attempts.iter().find(|(_, attempt)| owes(attempt)).map(|(id, _)| id)
    }

    /// A bank has answered: what it says counts, whether or not the answer reaches the customer.
    pub(crate) fn reply(&mut self, bank: BankId, id: &EventId, reply: &Reply) {
        let life = self.machines[bank.index()].life;
        let Some(attempt) = self.attempts.get_mut(id) else {
            panic!("bank {bank} answers {id}, which nobody asked")
        };
        if attempt.life != life {
            return;
        }
        assert!(
            !std::mem::replace(&mut attempt.is_answered, true),
            "bank {bank} answers {id} twice"
        );
        let (number, key) = (attempt.customer, attempt.key.clone());
        self.trace.mix(number as u64);
        match reply {
            Reply::Executed(executed) => {
                self.judge.answered(bank, &key, executed);
                self.tally.answered += 1;
                self.note_answer(bank);
                self.tally.done += u64::from(executed.outcome.code());
            }
            Reply::NotTaken(_) => {
                self.judge.not_taken(id);
                self.tally.refused += 1;
            }
        }
        let waits = self.customers[number].wish.as_ref().is_some_and(|wish| wish.key == key);
        if !waits || self.network.customer_delay(&mut self.random).is_none() {
            return;
        }
        match reply {
            Reply::Executed(executed) => {
                self.served(number, executed);
                let think_us = self.random.skewed(MS, self.scenario.think_max_us);
                self.customer_soon(number, self.in_haste(think_us));
            }
            // Retry-After is one second; not everybody heeds it.
            Reply::NotTaken(_) => {
                let after_us = self.random.skewed(20 * MS, SECOND);
                self.customer_soon(number, self.in_haste(after_us));
            }
        }
    }

    fn served(&mut self, number: usize, executed: &Executed) {
        let directory = &mut self.directory;
        let customer = &mut self.customers[number];
        customer.is_served |= customer.asks_once_more;
        let Some(wish) = customer.wish.take().filter(|wish| !wish.is_old) else { return };
        customer.old_wishes.push(wish.clone());
        match &executed.outcome {
            Outcome::Done(Done::CustomerCreated { .. }) => customer.is_registered = true,
            Outcome::Done(Done::AccountCreated { number, key }) => {
                customer.accounts.push((key.bank(), *number));
                customer.keys.push(key.clone());
                directory.push(key.clone());
            }
            Outcome::Done(_) | Outcome::Refused(_) => {}
        }
        self.learn(number, &wish.what, executed);
    }

    pub(crate) fn customer_soon(&mut self, number: usize, after_us: u64) {
        let customer = &mut self.customers[number];
        customer.turn += 1;
        let turn = customer.turn;
        self.put_in(after_us, Item::Customer { customer: number, turn });
    }
}

/// A key that nobody has, for the first customers' transfers.
pub(crate) fn nobody() -> PixKey {
    PixKey::parse("0:nobody").expect("a key")
}
