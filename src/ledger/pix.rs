//! Pix keys: the short name by which an account is paid, `bank:value`.
//!
//! A key is unique in the consortium because its bank is part of it. Only the book knows whether
//! that bank exists and is online, and whom the key belongs to.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::BankId;

/// The most characters of a key's value.
pub(crate) const PIX_VALUE_CHARS_MAX: usize = 77;

/// What a new account's key is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PixType {
    /// The opener's CPF.
    Cpf,
    /// The opener's CNPJ.
    Cnpj,
    /// The opener's user name.
    UserName,
    /// The account's number.
    NumConta,
    /// A random text that the sender of the request has drawn.
    Random,
}

impl PixType {
    /// The name in JSON, such as `NUM_CONTA`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            PixType::Cpf => "CPF",
            PixType::Cnpj => "CNPJ",
            PixType::UserName => "USER_NAME",
            PixType::NumConta => "NUM_CONTA",
            PixType::Random => "RANDOM",
        }
    }
}

impl fmt::Display for PixType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A Pix key, `bank:value`. Two keys are the same exactly when their texts are. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct PixKey(Arc<str>);

impl PixKey {
    /// Reads a key.
    ///
    /// # Errors
    /// [`BadPixKey`] unless it is a bank's number without leading zeros, a colon, and 1 to 77
    /// printable ASCII characters without blanks.
    pub fn parse(text: &str) -> Result<Self, BadPixKey> {
        let (bank, value) = text.split_once(':').ok_or(BadPixKey)?;
        let number: u16 = bank.parse().map_err(|_| BadPixKey)?;
        // One account must not answer to `1:ana`, `01:ana` and `+1:ana`.
        if number.to_string() != bank || !is_pix_value(value) {
            return Err(BadPixKey);
        }
        Ok(PixKey(text.into()))
    }

    /// The key of this value at a bank.
    ///
    /// # Errors
    /// [`BadPixKey`] if the value cannot be part of a key.
    pub fn of(bank: BankId, value: &str) -> Result<Self, BadPixKey> {
        if is_pix_value(value) {
            Ok(PixKey(format!("{bank}:{value}").into()))
        } else {
            Err(BadPixKey)
        }
    }

    /// What follows the colon.
    pub(super) fn value(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, value)| value)
    }

    /// The bank where the key's account is.
    #[must_use]
    pub fn bank(&self) -> BankId {
        let (bank, _) = self.0.split_once(':').expect("a key has a colon");
        BankId(bank.parse().expect("a key begins with a bank's number"))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text can follow the colon of a key: 1 to 77 printable ASCII characters without blanks.
#[must_use]
pub(crate) fn is_pix_value(value: &str) -> bool {
    (1..=PIX_VALUE_CHARS_MAX).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_graphic())
}

impl TryFrom<String> for PixKey {
    type Error = BadPixKey;

    fn try_from(text: String) -> Result<Self, BadPixKey> {
        PixKey::parse(&text)
    }
}

impl fmt::Display for PixKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is not a Pix key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPixKey;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_bank() {
        for (text, bank) in [("1:thiago003", 1), ("0:123.123.123-01", 0), ("65535:a:b", 65_535)] {
            assert_eq!(PixKey::parse(text).unwrap().bank(), BankId(bank), "{text}");
        }
    }

    #[test]
    fn a_key_has_one_spelling() {
        assert_eq!(PixKey::of(BankId(2), "mara21"), PixKey::parse("2:mara21"));
        for text in ["02:mara21", "+2:mara21", " 2:mara21", "2 :mara21"] {
            assert_eq!(PixKey::parse(text), Err(BadPixKey), "{text:?}");
        }
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        let long = format!("1:{}", "x".repeat(PIX_VALUE_CHARS_MAX + 1));
        for text in
            ["", ":", "1:", ":a", "mara21", "65536:a", "-1:a", "1:a b", "1:é", "1:a\n", &long]
        {
            assert_eq!(PixKey::parse(text), Err(BadPixKey), "{text:?}");
        }
        assert_eq!(PixKey::of(BankId(1), "a b"), Err(BadPixKey));
    }

    #[test]
    fn a_key_type_is_printed_as_json_names_it() {
        for pix_type in
            [PixType::Cpf, PixType::Cnpj, PixType::UserName, PixType::NumConta, PixType::Random]
        {
            assert_eq!(serde_json::to_string(&pix_type).unwrap(), format!("\"{pix_type}\""));
        }
    }
}
