//! What customers call things for themselves: nicknames of their accounts, and favourites, those
//! whom they pay often. It moves nothing and gives no rights; it is in the ledger so that it is the
//! same at every bank.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::account::AccountNumber;
use super::pix::PixKey;
use crate::ids::BankId;

/// The most characters of a nickname.
pub(crate) const NICKNAME_CHARS_MAX: usize = 40;
/// The most favourites of a customer.
pub(crate) const FAVOURITES_MAX: usize = 100;

/// What a customer calls an account or a payee. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Nickname(Arc<str>);

impl Nickname {
    /// Reads a nickname and drops blanks around it.
    ///
    /// # Errors
    /// [`BadNickname`] unless 1 to 40 characters remain, none of them a control character or one
    /// that turns text around.
    pub fn parse(text: &str) -> Result<Nickname, BadNickname> {
        let text = text.trim();
        let turns = |char: char| matches!(char, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let fits = (1..=NICKNAME_CHARS_MAX).contains(&text.chars().count());
        if !fits || text.chars().any(|char| char.is_control() || turns(char)) {
            return Err(BadNickname);
        }
        Ok(Nickname(text.into()))
    }

    /// The nickname as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Nickname {
    type Error = BadNickname;

    fn try_from(text: String) -> Result<Nickname, BadNickname> {
        Nickname::parse(&text)
    }
}

impl fmt::Display for Nickname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is not a nickname.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadNickname;

/// What a customer wants to call something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProfileChange {
    /// An account that they hold gets a nickname, which only they see.
    Nickname {
        /// Where the account is.
        bank: BankId,
        /// Its number.
        account: AccountNumber,
        /// `None` for no nickname.
        name: Option<Nickname>,
    },
    /// Somebody whom they pay often; who is there already gets this name.
    Favourite {
        /// By what they are paid.
        pix: PixKey,
        /// What the customer calls them.
        name: Nickname,
    },
    /// One fewer.
    Forget {
        /// By what they were paid.
        pix: PixKey,
    },
}

/// Somebody whom a customer pays often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Favourite {
    pub(crate) pix: PixKey,
    pub(crate) name: Nickname,
}

/// What a customer calls things.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// By bank and number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) nicknames: Vec<(BankId, AccountNumber, Nickname)>,
    /// By name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) favourites: Vec<Favourite>,
}

impl Profile {
    /// What an account is called.
    #[must_use]
    pub(crate) fn nickname(&self, bank: BankId, account: AccountNumber) -> Option<&Nickname> {
        let is_it = |(of, number, _): &&(BankId, AccountNumber, Nickname)| {
            (*of, *number) == (bank, account)
        };
        self.nicknames.iter().find(is_it).map(|(.., name)| name)
    }

    /// What a change makes of it.
    pub(super) fn change(&mut self, change: &ProfileChange) {
        match change {
            ProfileChange::Nickname { bank, account, name } => {
                self.nicknames.retain(|(of, number, _)| (*of, *number) != (*bank, *account));
                self.nicknames.extend(name.iter().map(|name| (*bank, *account, name.clone())));
                self.nicknames.sort_by_key(|(bank, account, _)| (*bank, *account));
            }
            ProfileChange::Favourite { pix, name } => {
                self.favourites.retain(|favourite| favourite.pix != *pix);
                self.favourites.push(Favourite { pix: pix.clone(), name: name.clone() });
                let by_name = |favourite: &Favourite| {
                    (favourite.name.as_str().to_lowercase(), favourite.pix.clone())
                };
                self.favourites.sort_by_key(by_name);
            }
            ProfileChange::Forget { pix } => {
                self.favourites.retain(|favourite| favourite.pix != *pix);
            }
        }
    }

    /// Whether nothing is called anything.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.nicknames.is_empty() && self.favourites.is_empty()
    }
}
