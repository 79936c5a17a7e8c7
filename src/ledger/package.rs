//! A package: the operations that a customer wants done together or not at all.
//!
//! A parsed package is never empty, never too long and holds no amount below one centavo. Whether
//! banks, accounts and keys exist is not checked here: the book does that when the package's turn
//! comes.

use serde::{Deserialize, Serialize};

use super::account::AccountNumber;
use super::money::Amount;
use super::note::Note;
use super::pix::PixKey;
use crate::ids::BankId;

/// The most operations in one package.
pub(crate) const OPERATIONS_MAX: usize = 1_000;

/// One thing to do with one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// The account's bank.
    pub bank: BankId,
    /// The account that is paid into or debited.
    pub account: AccountNumber,
    /// What to do.
    pub kind: OperationKind,
}

/// What is done with an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields)]
pub enum OperationKind {
    /// Cash is paid in.
    Deposit {
        /// How much.
        value: Amount,
        /// The account that the request names as its sender, if another than the one paid into:
        /// the customer's own remark, which nothing is concluded from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sender: Option<AccountNumber>,
    },
    /// Cash is drawn.
    Withdraw {
        /// How much.
        value: Amount,
        /// As for a deposit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sender: Option<AccountNumber>,
    },
    /// Money goes to another account.
    Transfer {
        /// How much.
        value: Amount,
        /// The key of the account that receives it.
        pix: PixKey,
        /// What the payer says about it. There is always one, if an empty one, but in requests of
        /// releases that had none: these must execute to the entries that they executed to then,
        /// which do not name the other side.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Note>,
    },
}

impl OperationKind {
    /// How much is moved.
    #[must_use]
    pub fn value(&self) -> Amount {
        match self {
            OperationKind::Deposit { value, .. }
            | OperationKind::Withdraw { value, .. }
            | OperationKind::Transfer { value, .. } => *value,
        }
    }
}

/// 1 to [`OPERATIONS_MAX`] operations in document order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Operation>")]
pub struct Package(Vec<Operation>);

impl Package {
    /// Takes operations as a package.
    ///
    /// # Errors
    /// [`BadPackage`] for none or too many.
    pub fn parse(operations: Vec<Operation>) -> Result<Self, BadPackage> {
        match operations.len() {
            0 => Err(BadPackage::Empty),
            1..=OPERATIONS_MAX => Ok(Package(operations)),
            _ => Err(BadPackage::TooLong),
        }
    }

    /// The operations in document order.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.0
    }
}

impl TryFrom<Vec<Operation>> for Package {
    type Error = BadPackage;

    fn try_from(operations: Vec<Operation>) -> Result<Self, BadPackage> {
        Package::parse(operations)
    }
}

/// Why operations are not a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPackage {
    /// Nothing to do.
    Empty,
    /// More than [`OPERATIONS_MAX`].
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSFER: &str =
        r#"{"bank":0,"account":2432433,"kind":{"TRANSFER":{"value":50000,"pix":"1:thiago003"}}}"#;

    #[test]
    fn a_package_has_one_to_a_thousand_operations() {
        let operation: Operation = serde_json::from_str(TRANSFER).unwrap();
        let package = |count| {
            Package::parse(vec![operation.clone(); count]).map(|package| package.operations().len())
        };
        assert_eq!(package(0), Err(BadPackage::Empty));
        assert_eq!(package(1_000), Ok(1_000));
        assert_eq!(package(1_001), Err(BadPackage::TooLong));
    }

    #[test]
    fn a_package_is_checked_again_when_it_comes_in_an_event() {
        assert!(serde_json::from_str::<Package>("[]").is_err());
        let package: Package = serde_json::from_str(&format!("[{TRANSFER}]")).unwrap();
        assert_eq!(serde_json::to_string(&package).unwrap(), format!("[{TRANSFER}]"));
        for (good, bad) in [
            ("50000", "0"),
            ("50000", "-1"),
            ("1:thiago003", "thiago003"),
            ("\"bank\":0,", ""),
            ("2432433", "0"),
        ] {
            let text = format!("[{}]", TRANSFER.replace(good, bad));
            assert!(serde_json::from_str::<Package>(&text).is_err(), "{text}");
        }
    }
}
