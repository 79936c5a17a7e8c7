//! Many clients that move money at random, and the judge of the answers that they got.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::customer::Customer;
use crate::customers::http::Answer;
use crate::customers::judge::Judge;
use crate::customers::package::{Operation, OwnAccount, draw, package_json};
use crate::random::Random;

/// Opening balance of every account, in centavos.
const OPENING: i64 = 20_000;

/// A package and its answer, once there is one.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    key: String,
    operations: Vec<Operation>,
    bank: usize,
    answer: Option<Answer>,
}

pub(crate) struct Load {
    pub(crate) customer: Customer,
    pub(crate) accounts: Vec<OwnAccount>,
    pub(crate) sent: Rc<RefCell<Vec<Sent>>>,
}

impl Load {
    pub(crate) async fn prepare(cluster: &Cluster, accounts: usize) -> Load {
        let customer = Customer::register(cluster, "mexedor", 1).await;
        let mut opened = Vec::new();
        for index in 0..accounts {
            opened.push(
                customer.open(cluster, index % cluster.banks(), OPENING as f64 / 100.0).await,
            );
        }
        Load { customer, accounts: opened, sent: Rc::default() }
    }

    /// Lets `clients` send packages until `until`; a lost connection does not stop them.
    pub(crate) async fn run(&self, cluster: &Cluster, clients: usize, until: Instant) {
        let clients = (0..clients).map(|client| self.client(cluster, client, until));
        futures_util::future::join_all(clients).await;
    }

    async fn client(&self, cluster: &Cluster, client: usize, until: Instant) {
        let mut random = Random::new(client as u64 + 1_000 * self.sent.borrow().len() as u64);
        let bank = client % cluster.banks();
        let own: Vec<_> = (0..self.accounts.len()).collect();
        while Instant::now() < until {
            let operations = draw(&self.accounts, &own, &mut random);
            let key = uuid::Uuid::new_v4().to_string();
            let package = package_json(&self.accounts, &operations);
            let index = {
                let mut sent = self.sent.borrow_mut();
                sent.push(Sent { key: key.clone(), operations, bank, answer: None });
                sent.len() - 1
            };
            match self.customer.operate(cluster, bank, &package, &key).await {
                Ok(answer) if answer.status == 200 || answer.status == 400 => {
                    self.sent.borrow_mut()[index].answer = Some(answer);
                }
                Ok(answer) => {
                    assert!(matches!(answer.status, 401 | 429 | 503 | 504), "{answer:?}");
                    actix_rt::time::sleep(Duration::from_millis(50)).await;
                }
                Err(_) => actix_rt::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Asks again, with the same key, about every package that got no answer.
    pub(crate) async fn ask_again(&self, cluster: &Cluster) -> usize {
        let lost: Vec<_> = {
            let sent = self.sent.borrow();
            (0..sent.len()).filter(|index| sent[*index].answer.is_none()).collect()
        };
        for index in &lost {
            let sent = self.sent.borrow()[*index].clone();
            let package = package_json(&self.accounts, &sent.operations);
            let bank = (sent.bank + 1) % cluster.banks();
            let answer = self.customer.operate(cluster, bank, &package, &sent.key).await.unwrap();
            assert!(answer.status == 200 || answer.status == 400, "{answer:?}");
            self.sent.borrow_mut()[*index].answer = Some(answer);
        }
        lost.len()
    }

    /// Replays every answer by position; checks answers, balances, statements and the sum.
    pub(crate) async fn judge(&self, cluster: &Cluster) -> usize {
        let sent = self.sent.borrow().clone();
        let answered = sent.iter().map(|package| {
            let answer =
                package.answer.as_ref().unwrap_or_else(|| panic!("not answered: {package:?}"));
            (package.operations.as_slice(), answer)
        });
        let mut judge = Judge::replay(&self.accounts, OPENING, answered);
        for (index, account) in self.accounts.iter().enumerate() {
            let (balance, statement) = self.customer.account(cluster, account).await;
            judge.statement(index, balance, &statement);
        }
        let found = judge.finish().texts();
        assert!(found.is_empty(), "{} findings:\n{}", found.len(), found.join("\n"));
        sent.len()
    }
}
