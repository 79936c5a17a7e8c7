//! Customers that keep moving money whatever happens: a customer who gets no answer asks again with
//! the same key, at another bank.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::{Duration, Instant};

use awc::error::{ConnectError, SendRequestError};
use serde_json::json;

use crate::consortium::Consortium;
use crate::customers::http::{Answer, Http, cpf, opening, registration};
use crate::customers::package::{Operation, OwnAccount, draw, package_json};
use crate::random::Random;

/// Opening balance of every account, in centavos.
pub(crate) const OPENING: i64 = 100_000;
/// How long a customer waits for an answer; less than a bank waits for the others, so that each
/// gives up at times.
const ANSWER_WITHIN: Duration = Duration::from_secs(6);
/// Customers, each with an account at every bank for every round of [`ACCOUNT_ROUNDS`].
const CUSTOMERS: usize = 4;
const ACCOUNT_ROUNDS: usize = 4;
/// How often a customer asks about a package before leaving that for later.
const ATTEMPTS_MAX: usize = 6;
const PASSWORD: &str = "12345678";

/// What is known of a package.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// Every bank that was asked said that the package has no effect.
    Refused,
    /// It may have an effect or not.
    Unknown,
    /// Its place in the common order is known.
    Answered(Answer, Instant),
}

#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) key: String,
    pub(crate) customer: usize,
    pub(crate) operations: Vec<Operation>,
    pub(crate) at: Instant,
    pub(crate) fate: Fate,
}

struct Customer {
    user: String,
    own: Vec<usize>,
    /// The token at each bank; empty while there is none.
    tokens: RefCell<Vec<String>>,
    logging_in: RefCell<Vec<bool>>,
}

/// How a load is driven.
#[derive(Clone, Copy)]
pub(crate) struct Drive {
    /// Clients, spread over the banks.
    pub(crate) clients: usize,
    /// How long each waits after an answer, at most.
    pub(crate) pause: Duration,
}

pub(crate) struct Load {
    consortium: Rc<Consortium>,
    pub(crate) http: Http,
    customers: Vec<Customer>,
    pub(crate) accounts: Vec<OwnAccount>,
    pub(crate) sent: RefCell<Vec<Sent>>,
    /// When a package was answered, and by which bank.
    pub(crate) answers: RefCell<Vec<(Instant, usize)>>,
    /// How often each status came; connections lost, given up or refused are counted under names.
    pub(crate) told: RefCell<BTreeMap<String, u64>>,
    /// Answers of any kind: when the request was sent, to which bank, and how long it waited.
    waits: RefCell<Vec<(Instant, usize, Duration)>>,
    stopped: Cell<bool>,
    /// Banks that no client asks.
    pub(crate) avoided: RefCell<Vec<usize>>,
}

impl Load {
    /// Registers customers, opens their accounts and logs them in; all banks must be well.
    pub(crate) async fn prepare(consortium: &Rc<Consortium>) -> Load {
        let http = Http::who_reports(ANSWER_WITHIN);
        let banks = consortium.len();
        let mut load = Load {
            consortium: consortium.clone(),
            http,
            customers: Vec::new(),
            accounts: Vec::new(),
            sent: RefCell::default(),
            answers: RefCell::default(),
            told: RefCell::default(),
            waits: RefCell::default(),
            stopped: Cell::new(false),
            avoided: RefCell::default(),
        };
        for number in 0..CUSTOMERS {
            let user = format!("cliente{number}");
            let body = registration(&user, &cpf(number as u32 + 1));
            let answer =
                load.http.post(&consortium.url(number % banks, "/register-customer"), &body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let mut own = Vec::new();
            for bank in (0..banks).cycle().take(banks * ACCOUNT_ROUNDS) {
                let body = opening(&user, OPENING as f64 / 100.0);
                let answer = load.http.post(&consortium.url(bank, "/create_account"), &body).await;
                own.push(load.accounts.len());
                load.accounts.push(OwnAccount::opened(bank, &answer));
            }
            let (tokens, logging_in) =
                (RefCell::new(vec![String::new(); banks]), RefCell::new(vec![false; banks]));
            load.customers.push(Customer { user, own, tokens, logging_in });
        }
        for customer in 0..CUSTOMERS {
            for bank in 0..banks {
                assert!(load.log_in(customer, bank).await, "customer {customer} at bank {bank}");
            }
        }
        load
    }

    /// Gets a new token at a bank, unless another client of the customer is already doing so;
    /// returns whether there is one.
    pub(crate) async fn log_in(&self, customer: usize, bank: usize) -> bool {
        let customer = &self.customers[customer];
        if std::mem::replace(&mut customer.logging_in.borrow_mut()[bank], true) {
            return false;
        }
        let body = json!({"user_name": customer.user, "password": PASSWORD}).to_string();
        let answer = self
            .http
            .call(self.http.client().post(self.consortium.url(bank, "/login")), body)
            .await;
        customer.logging_in.borrow_mut()[bank] = false;
        match answer {
            Ok(answer) if answer.status == 200 => {
                customer.tokens.borrow_mut()[bank] =
                    answer.body["token"].as_str().unwrap().to_owned();
                true
            }
            _ => false,
        }
    }

    pub(crate) fn token(&self, customer: usize, bank: usize) -> String {
        self.customers[customer].tokens.borrow()[bank].clone()
    }

    pub(crate) fn customers(&self) -> usize {
        self.customers.len()
    }

    /// The customer who owns an account.
    pub(crate) fn owner(&self, account: usize) -> usize {
        self.customers
            .iter()
            .position(|customer| customer.own.contains(&account))
            .expect("every account has an owner")
    }

    /// Clients that send packages until [`Load::stop`].
    pub(crate) async fn run(&self, drive: Drive, seed: u64) {
        let clients = (0..drive.clients).map(|client| self.client(client, drive.pause, seed));
        futures_util::future::join_all(clients).await;
    }

    pub(crate) fn stop(&self) {
        self.stopped.set(true);
    }

    /// The longest that any request answered since then had to wait, at any bank but one.
    pub(crate) fn slowest_since(&self, since: Instant, but: usize) -> Duration {
        let waits = self.waits.borrow();
        let counts = |(asked, bank, waited): &&(Instant, usize, Duration)| {
            *asked + *waited >= since && *bank != but
        };
        waits.iter().filter(counts).map(|(.., waited)| *waited).max().unwrap_or_default()
    }

    /// The longest that this share of the requests sent since then has waited.
    pub(crate) fn percentile(&self, share: f64, since: Instant) -> Duration {
        let waits = self.waits.borrow();
        let mut waits: Vec<_> = waits
            .iter()
            .filter(|(asked, ..)| *asked >= since)
            .map(|(.., waited)| *waited)
            .collect();
        waits.sort_unstable();
        let index = (waits.len() as f64 * share) as usize;
        waits.get(index.min(waits.len().saturating_sub(1))).copied().unwrap_or(Duration::MAX)
    }

    async fn client(&self, client: usize, pause: Duration, seed: u64) {
        let mut random = Random::new(seed.wrapping_mul(1_000) + client as u64);
        let customer = client % CUSTOMERS;
        let mut bank = (client / CUSTOMERS) % self.consortium.len();
        while !self.stopped.get() {
            while self.avoided.borrow().contains(&bank) {
                bank = random.index(self.consortium.len());
            }
            let operations = draw(&self.accounts, &self.customers[customer].own, &mut random);
            let index = self.enter(customer, operations, &mut random);
            for attempt in 1.. {
                let (fate, well) = self.attempt(index, bank).await;
                let again = match fate {
                    Fate::Answered(..) => false,
                    Fate::Unknown => random.below(4) > 0,
                    Fate::Refused => random.below(4) == 0,
                };
                if !well {
                    bank = random.index(self.consortium.len());
                    actix_rt::time::sleep(Duration::from_millis(50 + random.below(150))).await;
                }
                if !again || attempt == ATTEMPTS_MAX || self.stopped.get() {
                    break;
                }
            }
            if pause > Duration::ZERO {
                actix_rt::time::sleep(pause.mul_f64(random.below(1_000) as f64 / 1_000.0)).await;
            }
        }
    }

    fn enter(&self, customer: usize, operations: Vec<Operation>, random: &mut Random) -> usize {
        let mut sent = self.sent.borrow_mut();
        let key = format!("{}-{}", sent.len(), random.below(1 << 30));
        sent.push(Sent { key, customer, operations, at: Instant::now(), fate: Fate::Refused });
        sent.len() - 1
    }

    /// Sends a package, or asks about it; returns what is known of it now, and whether the bank is
    /// to be asked again.
    pub(crate) async fn attempt(&self, index: usize, bank: usize) -> (Fate, bool) {
        let asked = Instant::now();
        let (customer, outcome) = self.operate(index, bank).await;
        let now = Instant::now();
        self.waits.borrow_mut().push((asked, bank, now - asked));
        let count = |what: &str| *self.told.borrow_mut().entry(what.to_owned()).or_default() += 1;
        // What this attempt alone says; `None` where it may have been taken.
        let (refused, well) = match outcome {
            Ok(answer) => {
                let offline =
                    answer.status == 400 && answer.descript().ends_with("não está online");
                count(&format!(
                    "{}{}",
                    answer.status,
                    if offline { " of a bank that is away" } else { "" }
                ));
                match answer.status {
                    200 | 400 if answer.body["position"].is_u64() => {
                        let fate = Fate::Answered(answer, now);
                        self.sent.borrow_mut()[index].fate = fate.clone();
                        self.answers.borrow_mut().push((now, bank));
                        return (fate, true);
                    }
                    // The server gave up on a connection before it had read a request from it, as
                    // it does when it has itself been paused.
                    408 if answer.body.is_string() => (true, false),
                    _ if answer.body.is_string() => {
                        self.consortium
                            .find(format!("bank {bank} answers what is not JSON: {answer:?}"));
                        (false, true)
                    }
                    401 => {
                        let back = self.log_in(customer, bank).await;
                        (true, back)
                    }
                    429 | 503 => (true, false),
                    500 | 504 => (false, false),
                    _ => {
                        self.consortium.find(format!("bank {bank} answers {answer:?}"));
                        (true, true)
                    }
                }
            }
            Err(error) if is_no_connection(&error) => {
                count("no connection");
                (true, false)
            }
            Err(SendRequestError::Timeout) => {
                count("given up");
                (false, false)
            }
            Err(_) => {
                count("connection lost");
                (false, false)
            }
        };
        let fate = &mut self.sent.borrow_mut()[index].fate;
        if !refused && matches!(fate, Fate::Refused) {
            *fate = Fate::Unknown;
        }
        (fate.clone(), well)
    }

    /// Sends the package to one bank, once.
    async fn operate(
        &self,
        index: usize,
        bank: usize,
    ) -> (usize, Result<Answer, SendRequestError>) {
        let (customer, package, key) = {
            let sent = &self.sent.borrow()[index];
            (sent.customer, package_json(&self.accounts, &sent.operations), sent.key.clone())
        };
        let request = self
            .http
            .client()
            .post(self.consortium.url(bank, "/operations"))
            .insert_header(("authorization", format!("Bearer {}", self.token(customer, bank))))
            .insert_header(("idempotency-key", key));
        (customer, self.http.call(request, package).await)
    }
}

/// Whether nobody listened, so that nothing was sent. A connection that existed and was lost midway
/// is also reported as a connect error.
fn is_no_connection(error: &SendRequestError) -> bool {
    let SendRequestError::Connect(ConnectError::Io(why)) = error else { return false };
    why.kind() == ErrorKind::ConnectionRefused
}
