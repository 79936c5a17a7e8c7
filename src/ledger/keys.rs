//! Changes of the Pix keys of an account: a further one, one fewer, and one that from now on
//! belongs to another of the customer's accounts.
//!
//! A key names its bank, so it can move only between accounts there. That an e-mail address or a
//! telephone number is the customer's own is not known here: whoever comes first has it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::account::{AccountNumber, TypeAccount};
use super::pix::{PIX_VALUE_CHARS_MAX, PixKey, PixType, is_pix_value};
use crate::ids::BankId;

/// The most keys of a person's or a joint account, as in Brazil,
const KEYS_MAX: usize = 5;
/// and of a company's.
const KEYS_OF_COMPANY_MAX: usize = 20;
/// Country code of a telephone number that is typed without one.
const BRAZIL: &str = "55";

/// How many keys an account may have.
#[must_use]
pub(crate) fn keys_max(type_account: TypeAccount) -> usize {
    if type_account == TypeAccount::Pj { KEYS_OF_COMPANY_MAX } else { KEYS_MAX }
}

/// An e-mail address, in small letters. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Email(Arc<str>);

impl Email {
    /// Reads an address and drops blanks around it.
    ///
    /// # Errors
    /// [`BadEmail`] unless it is `name@domain`, the domain with a point in it, in at most 77
    /// printable ASCII characters.
    pub fn parse(text: &str) -> Result<Self, BadEmail> {
        let text = text.trim().to_ascii_lowercase();
        let (name, domain) = text.split_once('@').ok_or(BadEmail)?;
        let labels = domain.split('.').collect::<Vec<_>>();
        let letters = |label: &&str| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            !label.is_empty() && label.bytes().all(fits)
        };
        let fits = !name.is_empty() && labels.len() > 1 && labels.iter().all(letters);
        if fits && is_pix_value(&text) { Ok(Email(text.into())) } else { Err(BadEmail) }
    }

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Email {
    type Error = BadEmail;

    fn try_from(text: String) -> Result<Self, BadEmail> {
        Email::parse(&text)
    }
}

/// A text that is not an e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadEmail;

/// A telephone number with its country code, `+5511912345678`. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Telephone(Arc<str>);

impl Telephone {
    /// Reads a number as people type it, with blanks, brackets and dashes; ten or eleven digits
    /// without a country code are a Brazilian number.
    ///
    /// # Errors
    /// [`BadTelephone`] unless it has eight to fifteen digits, as ITU-T E.164 has it, the first of
    /// them no zero.
    pub fn parse(text: &str) -> Result<Self, BadTelephone> {
        let text = text.trim();
        let (national, digits) = match text.strip_prefix('+') {
            Some(rest) => (false, rest),
            None => (true, text),
        };
        let is_mark = |char: &char| matches!(char, ' ' | '(' | ')' | '-' | '.' | '\u{a0}');
        let digits: String = digits.chars().filter(|char| !is_mark(char)).collect();
        let digits = match national {
            true if matches!(digits.len(), 10 | 11) => format!("{BRAZIL}{digits}"),
            true => return Err(BadTelephone),
            false => digits,
        };
        let fits = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
        if fits && (8..=15).contains(&digits.len()) {
            Ok(Telephone(format!("+{digits}").into()))
        } else {
            Err(BadTelephone)
        }
    }

    /// The number as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Telephone {
    type Error = BadTelephone;

    fn try_from(text: String) -> Result<Self, BadTelephone> {
        Telephone::parse(&text)
    }
}

/// A text that is not a telephone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadTelephone;

/// The value of a random key, drawn by the bank that sends the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct RandomValue(Arc<str>);

impl RandomValue {
    /// The value as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RandomValue {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let fits = text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        if fits && (1..=PIX_VALUE_CHARS_MAX).contains(&text.len()) {
            Ok(RandomValue(text.into()))
        } else {
            Err("a random key has hexadecimal digits and dashes")
        }
    }
}

/// What a further key is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NewKey {
    /// The customer's CPF.
    Cpf,
    /// The customer's CNPJ.
    Cnpj,
    /// The customer's user name.
    UserName,
    /// The account's number.
    NumConta,
    /// A random text.
    Random(RandomValue),
    /// An e-mail address.
    Email(Email),
    /// A telephone number.
    Telefone(Telephone),
}

impl NewKey {
    /// Its kind, if an account can be opened with one of that kind.
    #[must_use]
    pub(super) fn pix_type(&self) -> Option<PixType> {
        match self {
            NewKey::Cpf => Some(PixType::Cpf),
            NewKey::Cnpj => Some(PixType::Cnpj),
            NewKey::UserName => Some(PixType::UserName),
            NewKey::NumConta => Some(PixType::NumConta),
            NewKey::Random(_) => Some(PixType::Random),
            NewKey::Email(_) | NewKey::Telefone(_) => None,
        }
    }
}

/// What is to become of the keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields)]
pub enum KeyChange {
    /// An account gets a further one.
    Add {
        /// The account's bank.
        bank: BankId,
        /// The account.
        account: AccountNumber,
        /// The key.
        key: NewKey,
    },
    /// An account loses one.
    Remove {
        /// The key.
        key: PixKey,
    },
    /// Another account of the customer's at the same bank is paid by it from now on.
    Move {
        /// The key.
        key: PixKey,
        /// That account.
        to: AccountNumber,
    },
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Telephone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_small_letters() {
        assert_eq!(
            Email::parse(" Ana.Souza+x@Exemplo.com.BR ").unwrap().as_str(),
            "ana.souza+x@exemplo.com.br"
        );
        let long = format!("{}@b.c", "a".repeat(PIX_VALUE_CHARS_MAX));
        for text in [
            "", "ana", "@b.c", "a@", "a@b", "a@b.", "a@.c", "a@b@c.d", "a b@c.d", "é@b.c",
            "a@b_c.d", &long,
        ] {
            assert_eq!(Email::parse(text), Err(BadEmail), "{text:?}");
        }
    }

    #[test]
    fn a_telephone_number_has_one_spelling() {
        for text in [
            "+5511912345678",
            "(11) 91234-5678",
            "11 91234 5678",
            "11912345678",
            "+55 11 91234.5678",
        ] {
            assert_eq!(Telephone::parse(text).unwrap().as_str(), "+5511912345678", "{text:?}");
        }
        assert_eq!(Telephone::parse("+351 912 345 678").unwrap().as_str(), "+351912345678");
        for text in [
            "",
            "+",
            "123",
            "+0123456789",
            "912345678",
            "+1234567",
            "+1234567890123456",
            "11 9123x-5678",
            "++5511912345678",
        ] {
            assert_eq!(Telephone::parse(text), Err(BadTelephone), "{text:?}");
        }
    }

    #[test]
    fn a_company_may_have_more_keys() {
        let most = [TypeAccount::Pf, TypeAccount::Conjunta, TypeAccount::Pj].map(keys_max);
        assert_eq!(most, [5, 5, 20]);
    }
}
