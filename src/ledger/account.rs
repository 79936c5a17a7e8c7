//! Accounts. An account is only data here; the book alone changes it.

use std::fmt;

use serde::{Deserialize, Serialize};

pub use super::account_number::AccountNumber;
use super::closing::End;
use super::customer::{TypePerson, UserName};
use super::money::Centavos;
use super::past::Trail;
use super::pix::PixKey;
use crate::ids::BankId;

/// Who may hold an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TypeAccount {
    /// One person.
    Pf,
    /// One company.
    Pj,
    /// Joint: several customers, each of whom may debit it.
    Conjunta,
}

impl TypeAccount {
    /// The name in JSON: `PF`, `PJ` or `CONJUNTA`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            TypeAccount::Pf => "PF",
            TypeAccount::Pj => "PJ",
            TypeAccount::Conjunta => "CONJUNTA",
        }
    }

    /// Whether a customer of this kind may open an account of this type.
    #[must_use]
    pub(crate) fn may_be_opened_by(self, opener: TypePerson) -> bool {
        match self {
            TypeAccount::Pf => opener == TypePerson::Pf,
            TypeAccount::Pj => opener == TypePerson::Pj,
            TypeAccount::Conjunta => true,
        }
    }
}

impl fmt::Display for TypeAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An account of a bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Where it is.
    pub bank: BankId,
    /// Unique inside the bank.
    pub number: AccountNumber,
    /// Who may hold it.
    pub type_account: TypeAccount,
    /// Who holds it; the first one opened it, so there is always one.
    pub holders: Box<[UserName]>,
    /// The oldest of the keys it is paid by; the one that names it by its number if it has none.
    pub key: PixKey,
    /// Its other keys, oldest first.
    pub more_keys: Box<[PixKey]>,
    /// What is in it, never negative: the sum of the statement.
    pub balance: Centavos,
    /// Where its entries are in the past; they begin with its opening.
    pub trail: Trail,
    /// How far its end has come.
    pub end: Option<Box<End>>,
}

impl Account {
    /// Who opened it.
    #[must_use]
    pub(crate) fn opener(&self) -> &UserName {
        self.holders.first().expect("an account has a holder")
    }

    /// Whether it is closed.
    #[must_use]
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.end.as_deref(), Some(End::Closed(_)))
    }

    /// The holders who agree to its being closed, if others do not yet.
    #[must_use]
    pub(crate) fn closing(&self) -> &[UserName] {
        match self.end.as_deref() {
            Some(End::Agreed(agreed)) => agreed,
            _ => &[],
        }
    }

    /// The keys it is paid by, oldest first.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &PixKey> {
        let own = Some(&self.key).filter(|key| AccountNumber::named_by(key).is_none());
        own.into_iter().chain(&self.more_keys)
    }

    /// Its own copy of a key, if it has it.
    pub(super) fn own_copy<'a>(&'a self, key: &'a PixKey) -> &'a PixKey {
        if self.key == *key {
            &self.key
        } else {
            self.keys().find(|own| *own == key).unwrap_or(key)
        }
    }

    /// Replaces all keys.
    pub(super) fn set_keys(&mut self, mut keys: Vec<PixKey>) {
        let more = keys.split_off(keys.len().min(1));
        self.key = keys.pop().unwrap_or_else(|| self.number.naming(self.bank));
        self.more_keys = more.into();
    }

    /// Whether this customer holds it.
    #[must_use]
    pub(crate) fn is_held_by(&self, user_name: &UserName) -> bool {
        self.holders.contains(user_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_joint_account_is_open_to_both_kinds_of_customer() {
        let open_to = |type_account: TypeAccount| {
            [TypePerson::Pf, TypePerson::Pj].map(|opener| type_account.may_be_opened_by(opener))
        };
        assert_eq!(open_to(TypeAccount::Pf), [true, false]);
        assert_eq!(open_to(TypeAccount::Pj), [false, true]);
        assert_eq!(open_to(TypeAccount::Conjunta), [true, true]);
        assert_eq!(serde_json::to_string(&TypeAccount::Conjunta).unwrap(), "\"CONJUNTA\"");
    }
}
