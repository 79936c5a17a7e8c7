//! Packages of operations: drawn at random, written in the requirement's format.

use serde_json::{Value, json};

use super::http::Answer;
use crate::random::Random;

/// An account as its owner knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OwnAccount {
    pub(crate) bank: usize,
    pub(crate) number: u64,
    pub(crate) key: String,
}

impl OwnAccount {
    /// The account that was opened, according to this answer.
    pub(crate) fn opened(bank: usize, answer: &Answer) -> OwnAccount {
        assert_eq!(answer.status, 200, "{answer:?}");
        let number = answer.body["num_account"].as_u64().unwrap();
        OwnAccount { bank, number, key: answer.body["kay_pix"].as_str().unwrap().to_owned() }
    }
}

/// One operation of a package; accounts are indexes into a list that the test keeps.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Deposit { account: usize, value: i64 },
    Withdraw { account: usize, value: i64 },
    Transfer { from: usize, to: usize, value: i64 },
}

impl Operation {
    /// The account under which the operation stands in the package.
    pub(crate) fn account(&self) -> usize {
        match self {
            Operation::Deposit { account, .. } | Operation::Withdraw { account, .. } => *account,
            Operation::Transfer { from, .. } => *from,
        }
    }
}

/// One to four operations on accounts of `own`, transfers to any; about a third of the packages
/// overdraw, most of them at the end.
pub(crate) fn draw(accounts: &[OwnAccount], own: &[usize], random: &mut Random) -> Vec<Operation> {
    let count = 1 + random.below(4);
    let mut operations: Vec<_> =
        (0..count).map(|_| draw_operation(accounts, own, random)).collect();
    if random.below(3) == 0 {
        operations.push(Operation::Withdraw {
            account: own[random.index(own.len())],
            value: 100_000_000,
        });
    }
    // Document order goes by bank and account, so the operations do too.
    operations.sort_by_key(|operation| (accounts[operation.account()].bank, operation.account()));
    operations
}

fn draw_operation(accounts: &[OwnAccount], own: &[usize], random: &mut Random) -> Operation {
    let from = own[random.index(own.len())];
    let to = (from + 1 + random.index(accounts.len() - 1)) % accounts.len();
    let value = 1 + random.below(8_000) as i64;
    match random.below(6) {
        0 => Operation::Deposit { account: from, value },
        1 => Operation::Withdraw { account: from, value },
        _ => Operation::Transfer { from, to, value },
    }
}

/// The requirement's JSON, written by hand so that its order is that of the operations, which come
/// sorted by bank and account.
pub(crate) fn package_json(accounts: &[OwnAccount], operations: &[Operation]) -> String {
    let of_account = |operations: &[Operation]| {
        let package: Vec<_> =
            operations.iter().map(|operation| operation_json(accounts, operation)).collect();
        format!(r#""{}":{}"#, accounts[operations[0].account()].number, json!({"package": package}))
    };
    let of_bank = |operations: &[Operation]| {
        let one_account = operations.chunk_by(|a, b| a.account() == b.account());
        let bank = accounts[operations[0].account()].bank;
        format!(r#""{bank}":{{{}}}"#, one_account.map(of_account).collect::<Vec<_>>().join(","))
    };
    let one_bank =
        operations.chunk_by(|a, b| accounts[a.account()].bank == accounts[b.account()].bank);
    format!("{{{}}}", one_bank.map(of_bank).collect::<Vec<_>>().join(","))
}

fn operation_json(accounts: &[OwnAccount], operation: &Operation) -> Value {
    let reais = |value: &i64| *value as f64 / 100.0;
    let sender = accounts[operation.account()].number;
    match operation {
        Operation::Deposit { value, .. } => {
            json!({"type": "DEPOSIT", "value": reais(value), "sender": sender})
        }
        Operation::Withdraw { value, .. } => {
            json!({"type": "WITHDRAW", "value": reais(value), "sender": sender})
        }
        Operation::Transfer { to, value, .. } => {
            json!({"type": "TRANSFER", "value": reais(value), "sender": sender, "pix": accounts[*to].key})
        }
    }
}
