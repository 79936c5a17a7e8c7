//! Customers with limits, refunds and keys, who ask for too much at all banks at once while
//! everything breaks: what has left in a day or a night stays within the limit, refunds stay within
//! what was paid, and a key has one owner.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use awc::ClientRequest;
use serde_json::{Value, json};

use crate::consortium::Consortium;
use crate::customers::http::{Answer, Http, centavos, cpf, opening, registration};
use crate::customers::package::OwnAccount;
use crate::random::Random;

/// What was paid, of which refunds give back.
const PAID: i64 = 20_000;
/// What the customer with limits lets leave by day, and by night, in centavos: what was paid before
/// there were limits counts, too.
const LIMIT: i64 = PAID + 20_000;
/// The most that is asked for at once: it takes many requests to come to the limit.
const ASKED_MAX: u64 = 4_000;
/// What every account is opened with, in reais.
const OPENED: f64 = 5_000.0;
/// How long an answer is waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(6);
/// How long each client waits after an answer, at most, in milliseconds.
const PAUSE_MS_MAX: u64 = 400;
/// Clients of each customer at each bank.
const CLIENTS_PER_BANK: usize = 2;
/// The key that two customers want.
const WANTED: &str = "cobicada@example.com";
const PASSWORD: &str = "12345678";
/// Numbers for documents that the load's customers do not have.
const FIRST_DOCUMENT: u32 = 900;
/// When the day of the limits begins and ends.
const DAY_HOURS: std::ops::Range<u32> = 6..20;

/// Somebody with an account at every bank.
struct Customer {
    user: &'static str,
    accounts: Vec<OwnAccount>,
    tokens: RefCell<Vec<String>>,
}

/// The three of them.
pub(crate) struct Rights {
    consortium: Rc<Consortium>,
    http: Http,
    /// Has limits,
    careful: Customer,
    /// gives back what the careful one paid, at bank 0,
    giver: Customer,
    /// and wants the same key as the giver.
    rival: Customer,
    /// The entry that is given back of, in the giver's statement.
    paid: Value,
    asked: Cell<u64>,
    stopped: Cell<bool>,
}

/// What was asked for, and what came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    pub(crate) asked: u64,
    /// The most that has left in a day or a night, of the limit.
    pub(crate) left: i64,
    /// What has been given back, of what was paid.
    pub(crate) given_back: i64,
}

impl Rights {
    /// Registers them; all banks must be well.
    pub(crate) async fn prepare(consortium: &Rc<Consortium>) -> Rights {
        let http = Http::who_reports(ANSWER_WITHIN);
        let mut customers = Vec::new();
        for (number, user) in ["cuidadosa", "devolve", "rival"].into_iter().enumerate() {
            let body = registration(user, &cpf(FIRST_DOCUMENT + number as u32));
            let answer = http.post(&consortium.url(0, "/register-customer"), &body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let mut accounts = Vec::new();
            for bank in 0..consortium.len() {
                let body = opening(user, OPENED);
                let answer = http.post(&consortium.url(bank, "/create_account"), &body).await;
                accounts.push(OwnAccount::opened(bank, &answer));
            }
            let tokens = RefCell::new(vec![String::new(); consortium.len()]);
            customers.push(Customer { user, accounts, tokens });
        }
        let [careful, giver, rival] = <[Customer; 3]>::try_from(customers)
            .unwrap_or_else(|_| unreachable!("three customers were registered"));
        let (asked, stopped) = (Cell::new(0), Cell::new(false));
        let consortium = consortium.clone();
        let mut rights =
            Rights { consortium, http, careful, giver, rival, paid: Value::Null, asked, stopped };
        for customer in [&rights.careful, &rights.giver, &rights.rival] {
            for bank in 0..rights.consortium.len() {
                assert!(rights.log_in(customer, bank).await, "{} at bank {bank}", customer.user);
            }
        }
        rights.begin().await;
        rights
    }

    /// The payment of which will be given back, and then the limits.
    async fn begin(&mut self) {
        let (from, to) = (self.careful.accounts[0].number, &self.giver.accounts[0].key);
        let pay = json!([{"type": "TRANSFER", "value": PAID as f64 / 100.0, "sender": from,
            "pix": to}]);
        let package = json!({"0": {from.to_string(): {"package": pay}}});
        let paid = self.ask(&self.careful, 0, "/operations", &package, "paid").await;
        assert!(paid.as_ref().is_some_and(|answer| answer.status == 200), "{paid:?}");
        let entries = self.statement(&self.giver, 0).await;
        self.paid = entries.last().expect("it has been received").clone();
        let limit = LIMIT as f64 / 100.0;
        let limits = json!({"day": limit, "night": limit});
        let set = self.ask(&self.careful, 0, "/limits", &limits, "limits").await;
        assert!(set.as_ref().is_some_and(|answer| answer.status == 200), "{set:?}");
    }

    /// Asks at all banks until told to stop.
    pub(crate) async fn run(&self, seed: u64) {
        let banks = self.consortium.len();
        let clients = (0..banks * CLIENTS_PER_BANK).map(|client| async move {
            let mut random = Random::new(seed.wrapping_mul(7_000) + client as u64);
            while !self.stopped.get() {
                self.ask_something(client % banks, &mut random).await;
                let pause = Duration::from_millis(random.below(PAUSE_MS_MAX));
                actix_rt::time::sleep(pause).await;
            }
        });
        futures_util::future::join_all(clients).await;
    }

    pub(crate) fn stop(&self) {
        self.stopped.set(true);
    }

    async fn ask_something(&self, bank: usize, random: &mut Random) {
        let value = (1 + random.below(ASKED_MAX)) as f64 / 100.0;
        let asked = self.asked.get();
        self.asked.set(asked + 1);
        let key = format!("rights-{asked}");
        let (customer, path, body) = match random.below(6) {
            0..=2 => {
                let at = random.index(self.consortium.len());
                let account = self.careful.accounts[at].number;
                let to = &self.rival.accounts[bank].key;
                let operation = if random.coin() {
                    json!({"type": "WITHDRAW", "value": value, "sender": account})
                } else {
                    json!({"type": "TRANSFER", "value": value, "sender": account, "pix": to})
                };
                let package =
                    json!({at.to_string(): {account.to_string(): {"package": [operation]}}});
                (&self.careful, "/operations", package)
            }
            3 | 4 => {
                let (account, entry) = (self.giver.accounts[0].number, &self.paid["entry"]);
                let refund =
                    json!({"bank": 0, "num_account": account, "entry": entry, "value": value});
                (&self.giver, "/refunds", refund)
            }
            _ => {
                let customer = if random.coin() { &self.giver } else { &self.rival };
                if random.coin() {
                    let key = json!({"bank": 0, "num_account": customer.accounts[0].number,
                        "type": "EMAIL",
                        "value": WANTED});
                    (customer, "/keys", key)
                } else {
                    (customer, "/keys/remove", json!({"kay_pix": format!("0:{WANTED}")}))
                }
            }
        };
        if let Some(answer) = self.ask(customer, bank, path, &body, &key).await
            && answer.status == 401
        {
            self.log_in(customer, bank).await;
        }
    }

    /// `None` without an answer.
    async fn ask(
        &self,
        customer: &Customer,
        bank: usize,
        path: &str,
        body: &Value,
        key: &str,
    ) -> Option<Answer> {
        let request = self.http.client().post(self.consortium.url(bank, path));
        let request = self.known(request, customer, bank).insert_header(("idempotency-key", key));
        self.http.call(request, body.to_string()).await.ok()
    }

    fn known(&self, request: ClientRequest, customer: &Customer, bank: usize) -> ClientRequest {
        let token = customer.tokens.borrow()[bank].clone();
        request.insert_header(("authorization", format!("Bearer {token}")))
    }

    async fn log_in(&self, customer: &Customer, bank: usize) -> bool {
        let body = json!({"user_name": customer.user, "password": PASSWORD}).to_string();
        let request = self.http.client().post(self.consortium.url(bank, "/login"));
        let Ok(answer) = self.http.call(request, body).await else { return false };
        let Some(token) = answer.body["token"].as_str() else { return false };
        customer.tokens.borrow_mut()[bank] = token.to_owned();
        true
    }

    async fn statement(&self, customer: &Customer, bank: usize) -> Vec<Value> {
        let token = customer.tokens.borrow()[bank].clone();
        let base = self.consortium.url(bank, "");
        self.http.statement(&base, customer.accounts[bank].number, &token).await.1
    }

    /// Looks at what has become of it all in a healed consortium, in which nobody asks for anything
    /// more.
    pub(crate) async fn judge(&self, same_within: Duration) -> Kept {
        // Whether they ever become the same is judged elsewhere.
        self.consortium.wait_same(same_within).await;
        let mut kept = Kept { asked: self.asked.get(), ..Kept::default() };
        let (mut left, mut given_back) = (BTreeMap::new(), 0);
        for bank in 0..self.consortium.len() {
            for customer in [&self.careful, &self.giver, &self.rival] {
                if !self.log_in(customer, bank).await {
                    self.consortium.find(format!("bank {bank} does not let {} in", customer.user));
                    return kept;
                }
            }
            add_leaving(&mut left, &self.statement(&self.careful, bank).await);
            let refunds = self.statement(&self.giver, bank).await;
            given_back += refunds_of(&refunds, &self.paid["id"]);
        }
        kept.left = left.values().copied().max().unwrap_or_default();
        kept.given_back = given_back;
        for (period, left) in left.iter().filter(|(_, left)| **left > LIMIT) {
            self.consortium.find(format!("{left} centavos left in {period}, of {LIMIT}"));
        }
        if given_back > PAID {
            self.consortium.find(format!("{given_back} centavos were given back of {PAID}"));
        }
        self.judge_keys().await;
        kept
    }

    /// Every bank must name the same owner, and each customer's list must agree with that.
    async fn judge_keys(&self) {
        let (mut said, mut owners) = (Vec::new(), Vec::new());
        for bank in 0..self.consortium.len() {
            let url = self.consortium.url(bank, &format!("/pix/0:{WANTED}"));
            let found = self.http.call(self.http.client().get(url), String::new()).await.ok();
            said.push(found.map(|answer| (answer.status, answer.body["data"].clone())));
        }
        for customer in [&self.giver, &self.rival] {
            let url = self.consortium.url(0, &format!("/keys/0/{}", customer.accounts[0].number));
            let request = self.known(self.http.client().get(url), customer, 0);
            let listed = self.http.call(request, String::new()).await.ok();
            let keys = listed.map(|answer| answer.body["data"].clone()).unwrap_or_default();
            let has = |key: &Value| *key == format!("0:{WANTED}");
            owners
                .extend(keys.as_array().filter(|keys| keys.iter().any(has)).map(|_| customer.user));
        }
        let is_owned =
            said.iter().all(|said| said.as_ref().is_some_and(|(status, _)| *status == 200));
        if said.windows(2).any(|two| two[0] != two[1]) || owners.len() != usize::from(is_owned) {
            self.consortium.find(format!("{WANTED} belongs to {owners:?}, and banks say {said:?}"));
        }
    }
}

/// Adds what left through Pix and withdrawals, by day and by night.
fn add_leaving(left: &mut BTreeMap<String, i64>, entries: &[Value]) {
    let kinds = [json!("WITHDRAW"), json!("TRANSFER")];
    for entry in entries.iter().filter(|entry| kinds.contains(&entry["type"])) {
        let period = period(entry["at"].as_str().unwrap_or_default());
        *left.entry(period).or_default() -= centavos(&entry["value"]);
    }
}

/// The day or the night of a time such as `2026-11-23T11:03:22-03:00`; a night is called after the
/// day on which it begins.
fn period(at: &str) -> String {
    let (date, time) = at.split_once('T').unwrap_or_default();
    let hour: u32 = time.get(..2).and_then(|hour| hour.parse().ok()).unwrap_or_default();
    if DAY_HOURS.contains(&hour) {
        return format!("the day of {date}");
    }
    let begins: jiff::civil::Date = date.parse().expect("banks write dates");
    let begins = if hour < DAY_HOURS.start { begins.yesterday().expect("a date") } else { begins };
    format!("the night of {begins}")
}

fn refunds_of(entries: &[Value], paid: &Value) -> i64 {
    let refunds = entries.iter().filter(|entry| entry["refund_of"]["id"] == *paid);
    refunds.map(|entry| -centavos(&entry["value"])).sum()
}

/// Checks that the rules can fail; done whenever the program starts.
pub(crate) fn check_rules() {
    let entry = |kind: &str, value: f64, at: &str| {
        let (kind, at) = (json!(kind), json!(at));
        json!({"type": kind, "value": value, "at": at, "id": "x"})
    };
    let mut left = BTreeMap::new();
    let entries = [
        entry("WITHDRAW", -1.5, "2026-11-23T19:59:59-03:00"),
        entry("TRANSFER", -2.0, "2026-11-23T06:00:00-03:00"),
        entry("TRANSFER", -4.0, "2026-11-23T20:00:00-03:00"),
        entry("WITHDRAW", -0.25, "2026-11-24T05:59:59-03:00"),
        entry("RECEIVE", 8.0, "2026-11-23T20:00:00-03:00"),
    ];
    add_leaving(&mut left, &entries);
    assert_eq!(left.values().copied().collect::<Vec<_>>(), [350, 425]);
    let refund = json!({"value": -3.25, "refund_of": {"id": "x", "position": 7}});
    assert_eq!(refunds_of(&[refund, entries[0].clone()], &json!("x")), 325);
}
