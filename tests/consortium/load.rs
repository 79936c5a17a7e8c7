//! Many clients that move money at random, and the judge of what they were answered: a single-threaded replay by
//! position, written without the node's own ledger.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::customer::{Answer, Customer, OwnAccount, centavos};

/// Opening balance of every account, in centavos.
pub(crate) const OPENING: i64 = 20_000;

/// One operation of a package.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Deposit { account: usize, value: i64 },
    Withdraw { account: usize, value: i64 },
    Transfer { from: usize, to: usize, value: i64 },
}

/// A package and what was answered, once something was.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) key: String,
    pub(crate) operations: Vec<Operation>,
    pub(crate) bank: usize,
    pub(crate) answer: Option<Answer>,
}

pub(crate) struct Load {
    pub(crate) customer: Customer,
    pub(crate) accounts: Vec<OwnAccount>,
    pub(crate) sent: Rc<RefCell<Vec<Sent>>>,
}

struct Random(u64);

impl Random {
    /// Source: G. Marsaglia, 'Xorshift RNGs' (2003).
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }
}

impl Load {
    pub(crate) async fn prepare(cluster: &Cluster, accounts: usize) -> Load {
        let customer = Customer::register(cluster, "mexedor", 1).await;
        let mut opened = Vec::new();
        for index in 0..accounts {
            opened.push(customer.open(cluster, index % cluster.banks(), OPENING as f64 / 100.0).await);
        }
        Load { customer, accounts: opened, sent: Rc::default() }
    }

    /// Lets `clients` send packages until `until`; a lost connection does not stop them.
    pub(crate) async fn run(&self, cluster: &Cluster, clients: usize, until: Instant) {
        let clients = (0..clients).map(|client| self.client(cluster, client, until));
        futures_util::future::join_all(clients).await;
    }

    async fn client(&self, cluster: &Cluster, client: usize, until: Instant) {
        let mut random = Random(0x9e37_79b9 * (client as u64 + 1) + self.sent.borrow().len() as u64);
        let bank = client % cluster.banks();
        while Instant::now() < until {
            let operations = self.draw(&mut random);
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

    /// One to four operations over any banks; about a third of the packages overdraw, most of them at the end.
    fn draw(&self, random: &mut Random) -> Vec<Operation> {
        let count = 1 + random.below(4);
        let mut operations: Vec<_> = (0..count).map(|_| self.draw_operation(random)).collect();
        if random.below(3) == 0 {
            operations.push(Operation::Withdraw { account: random.below(self.accounts.len()), value: 100_000_000 });
        }
        // Document order goes by bank and account, so the operations do too.
        operations.sort_by_key(|operation| (self.accounts[account_of(operation)].bank, account_of(operation)));
        operations
    }

    fn draw_operation(&self, random: &mut Random) -> Operation {
        let from = random.below(self.accounts.len());
        let to = (from + 1 + random.below(self.accounts.len() - 1)) % self.accounts.len();
        let value = 1 + random.below(8_000) as i64;
        match random.below(6) {
            0 => Operation::Deposit { account: from, value },
            1 => Operation::Withdraw { account: from, value },
            _ => Operation::Transfer { from, to, value },
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
        let mut by_position = BTreeMap::new();
        for package in &sent {
            let answer = package.answer.as_ref().unwrap_or_else(|| panic!("not answered: {package:?}"));
            let twin = by_position.insert(answer.position(), package);
            assert!(twin.is_none(), "two packages at position {}: {twin:?} and {package:?}", answer.position());
        }
        let mut balances = vec![OPENING; self.accounts.len()];
        let mut entries: HashMap<(String, usize), usize> = HashMap::new();
        for (position, package) in &by_position {
            let answer = package.answer.as_ref().unwrap();
            if answer.status == 400 && answer.descript().ends_with("não está online") {
                continue;
            }
            let executed = execute(&mut balances, &package.operations);
            let told = answer.status == 200;
            assert_eq!(executed, told, "position {position}: {package:?} on {balances:?}");
            if told {
                let id = answer.body["id"].as_str().unwrap();
                for account in package.operations.iter().flat_map(touched) {
                    *entries.entry((id.to_owned(), account)).or_default() += 1;
                }
            }
        }
        self.judge_statements(cluster, &balances, entries).await;
        by_position.len()
    }

    async fn judge_statements(
        &self,
        cluster: &Cluster,
        balances: &[i64],
        mut expected: HashMap<(String, usize), usize>,
    ) {
        let mut total = 0;
        for (index, account) in self.accounts.iter().enumerate() {
            let (balance, statement) = self.customer.account(cluster, account).await;
            assert_eq!(balance, balances[index], "{account:?}");
            total += balance;
            let mut running = 0;
            for entry in &statement {
                assert_eq!(centavos(&entry["previous_balance"]), running);
                running += centavos(&entry["value"]);
                assert_eq!(centavos(&entry["app_balance"]), running);
                assert!(running >= 0);
                if entry["type"] == "OPENING" {
                    continue;
                }
                let id = entry["id"].as_str().unwrap().to_owned();
                let left = expected.get_mut(&(id, index)).unwrap_or_else(|| panic!("nobody was told of {entry}"));
                *left = left.checked_sub(1).unwrap_or_else(|| panic!("twice in a statement: {entry}"));
            }
            assert_eq!(running, balance, "the entries add up to the balance");
        }
        assert!(expected.values().all(|left| *left == 0), "answered packages are missing in statements");
        assert_eq!(total, balances.iter().sum::<i64>());
    }
}

fn account_of(operation: &Operation) -> usize {
    match operation {
        Operation::Deposit { account, .. } | Operation::Withdraw { account, .. } => *account,
        Operation::Transfer { from, .. } => *from,
    }
}

fn touched(operation: &Operation) -> Vec<usize> {
    match operation {
        Operation::Deposit { account, .. } | Operation::Withdraw { account, .. } => vec![*account],
        Operation::Transfer { from, to, .. } => vec![*from, *to],
    }
}

/// All or nothing, never below zero.
fn execute(balances: &mut Vec<i64>, operations: &[Operation]) -> bool {
    let mut after = balances.clone();
    for operation in operations {
        match operation {
            Operation::Deposit { account, value } => after[*account] += value,
            Operation::Withdraw { account, value } | Operation::Transfer { from: account, value, .. } => {
                if after[*account] < *value {
                    return false;
                }
                after[*account] -= value;
            }
        }
        if let Operation::Transfer { to, value, .. } = operation {
            after[*to] += value;
        }
    }
    *balances = after;
    true
}

/// The seed's JSON, written by hand so that its order is the operations' order; they come sorted by bank and account.
pub(crate) fn package_json(accounts: &[OwnAccount], operations: &[Operation]) -> String {
    let of_account = |operations: &[Operation]| {
        let package: Vec<_> = operations.iter().map(|operation| operation_json(accounts, operation)).collect();
        format!(r#""{}":{}"#, accounts[account_of(&operations[0])].number, json!({"package": package}))
    };
    let of_bank = |operations: &[Operation]| {
        let one_account = operations.chunk_by(|a, b| account_of(a) == account_of(b));
        let bank = accounts[account_of(&operations[0])].bank;
        format!(r#""{bank}":{{{}}}"#, one_account.map(of_account).collect::<Vec<_>>().join(","))
    };
    let one_bank = operations.chunk_by(|a, b| accounts[account_of(a)].bank == accounts[account_of(b)].bank);
    format!("{{{}}}", one_bank.map(of_bank).collect::<Vec<_>>().join(","))
}

fn operation_json(accounts: &[OwnAccount], operation: &Operation) -> Value {
    let reais = |value: &i64| *value as f64 / 100.0;
    let sender = accounts[account_of(operation)].number;
    match operation {
        Operation::Deposit { value, .. } => json!({"type": "DEPOSIT", "value": reais(value), "sender": sender}),
        Operation::Withdraw { value, .. } => json!({"type": "WITHDRAW", "value": reais(value), "sender": sender}),
        Operation::Transfer { to, value, .. } => {
            json!({"type": "TRANSFER", "value": reais(value), "sender": sender, "pix": accounts[*to].key})
        }
    }
}
