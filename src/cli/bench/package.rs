//! The text of the packages that make up the load.

use std::fmt::Write;
use std::rc::Rc;

use super::random::SplitMix64;

/// What every transfer moves, in reais as JSON writes them: so little that no account runs empty.
const TRANSFER_REAIS: &str = "0.01";

/// An account of the load. Ordered by bank, so that in a sorted list each bank's accounts are
/// adjacent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Account {
    /// The bank's key in a package: its number in `nodes.json`.
    pub(super) bank: u16,
    /// The account's number at that bank.
    pub(super) number: u64,
    /// The Pix key for paying into it, including the bank's number.
    pub(super) pix: String,
}

/// A transfer between two accounts of the list, by their places in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Transfer {
    sender: usize,
    receiver: usize,
}

/// Writes one package after another into the same buffer.
pub(super) struct Packages {
    /// At least two, sorted.
    accounts: Rc<[Account]>,
    operations: usize,
    random: SplitMix64,
    transfers: Vec<Transfer>,
    text: String,
}

impl Packages {
    /// Packages of `operations` operations between these accounts, which must be sorted and at
    /// least two.
    pub(super) fn new(accounts: Rc<[Account]>, operations: usize, random: SplitMix64) -> Self {
        assert!(accounts.len() >= 2, "a transfer needs two accounts");
        assert!(accounts.is_sorted(), "a package names each account once");
        Packages { accounts, operations, random, transfers: Vec::new(), text: String::new() }
    }

    /// A new package at random.
    pub(super) fn draw(&mut self) -> &str {
        self.transfers.clear();
        for _ in 0..self.operations {
            let sender = self.random.below(self.accounts.len());
            let distance = 1 + self.random.below(self.accounts.len() - 1);
            self.transfers
                .push(Transfer { sender, receiver: (sender + distance) % self.accounts.len() });
        }
        // The same key twice in an object is refused, so all that an account sends must be grouped
        // together.
        self.transfers.sort_unstable();
        self.text.clear();
        write_package(&self.transfers, &self.accounts, &mut self.text)
            .expect("a String takes everything");
        &self.text
    }
}

/// `transfers` are sorted by sender, and `accounts` by bank.
fn write_package(
    transfers: &[Transfer],
    accounts: &[Account],
    text: &mut String,
) -> std::fmt::Result {
    text.push('{');
    for (index, of_bank) in
        transfers.chunk_by(|a, b| accounts[a.sender].bank == accounts[b.sender].bank).enumerate()
    {
        let comma = if index > 0 { "," } else { "" };
        write!(text, r#"{comma}"{}":{{"#, accounts[of_bank[0].sender].bank)?;
        for (index, of_account) in of_bank.chunk_by(|a, b| a.sender == b.sender).enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let sender = accounts[of_account[0].sender].number;
            write!(text, r#"{comma}"{sender}":{{"package":["#)?;
            for (index, transfer) in of_account.iter().enumerate() {
                let comma = if index > 0 { "," } else { "" };
                let pix = &accounts[transfer.receiver].pix;
                write!(
                    text,
                    r#"{comma}{{"type":"TRANSFER","value":{TRANSFER_REAIS},"sender":{sender},"pix":"{pix}"}}"#
                )?;
            }
            text.push_str("]}");
        }
        text.push('}');
    }
    text.push('}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn accounts() -> Rc<[Account]> {
        let account =
            |bank: u16, number| Account { bank, number, pix: format!("{bank}:key{number}") };
        [account(0, 5), account(0, 7), account(1, 5), account(2, 9)].into()
    }

    #[test]
    fn transfers_are_grouped_by_bank_and_account() {
        let transfer = |sender, receiver| Transfer { sender, receiver };
        let mut text = String::new();
        let transfers = [transfer(0, 3), transfer(1, 0), transfer(1, 2), transfer(2, 0)];
        write_package(&transfers, &accounts(), &mut text).unwrap();
        let operation = |sender: u64, pix: &str| json!({"type": "TRANSFER", "value": 0.01, "sender": sender, "pix": pix});
        let expected = json!({
            "0": {
                "5": {"package": [operation(5, "2:key9")]},
                "7": {"package": [operation(7, "0:key5"), operation(7, "1:key5")]},
            },
            "1": {"5": {"package": [operation(5, "0:key5")]}},
        });
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected, "{text}");
        assert_eq!(text.matches(r#""0":{"#).count(), 1, "no key twice: {text}");
    }

    #[test]
    fn every_package_has_all_its_operations_and_none_to_its_own_account() {
        let mut packages = Packages::new(accounts(), 6, SplitMix64::new(3));
        for _ in 0..200 {
            let package: Value = serde_json::from_str(packages.draw()).unwrap();
            let mut operations = 0;
            for (bank, of_bank) in package.as_object().unwrap() {
                for (number, of_account) in of_bank.as_object().unwrap() {
                    for operation in of_account["package"].as_array().unwrap() {
                        operations += 1;
                        assert_eq!(operation["sender"].to_string(), *number);
                        assert_ne!(operation["pix"], format!("{bank}:key{number}"));
                    }
                }
            }
            assert_eq!(operations, 6);
        }
    }
}
