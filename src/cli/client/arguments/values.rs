//! The readers of values, for the command line and for prompts: an error is a text for the person.

use std::ops::RangeInclusive;

use super::super::super::base_url::BaseUrl;
use super::super::api::LimitWish;
use super::super::texts;
use crate::brazilian::{parse_amount, parse_date, parse_limit};
use crate::ids::BankId;
use crate::ledger;
use crate::ledger::{
    AccountNumber, Amount, Document, IdempotencyKey, Message, PersonName, Txid, TypePerson,
    TypedKey, UserName,
};

pub(super) fn bank_url(text: &str) -> Result<BaseUrl, String> {
    text.parse().map_err(|_| texts::BAD_URL.to_owned())
}

pub(super) fn whole(text: &str, range: RangeInclusive<u32>) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| texts::not_within(*range.start(), *range.end()))
}

pub(super) fn bank_number(text: &str) -> Result<BankId, String> {
    text.parse().map(BankId).map_err(|_| texts::BAD_BANK.to_owned())
}

pub(in super::super) fn user_name(text: &str) -> Result<UserName, String> {
    UserName::parse(text).map_err(|error| error.to_string())
}

pub(in super::super) fn person_name(text: &str) -> Result<PersonName, String> {
    PersonName::parse(text).map_err(|error| error.to_string())
}

pub(in super::super) fn amount(text: &str) -> Result<Amount, String> {
    parse_amount(text).map_err(|bad| texts::bad_amount(bad).to_owned())
}

pub(super) fn nickname(text: &str) -> Result<ledger::Nickname, String> {
    ledger::Nickname::parse(text).map_err(|error| error.to_string())
}

/// A day as people write it, as requests do.
pub(super) fn day(text: &str) -> Result<String, String> {
    let day = parse_date(text).ok_or_else(|| texts::BAD_DAY.to_owned())?;
    Ok(day.to_string())
}

/// A limit, or the word for none.
pub(in super::super) fn limit(text: &str) -> Result<LimitWish, String> {
    if text.eq_ignore_ascii_case(texts::WITHOUT) {
        return Ok(None);
    }
    parse_limit(text).map(Some).map_err(|bad| texts::bad_amount(bad).to_owned())
}

/// What to say to a payee; nothing where nothing is typed.
pub(in super::super) fn message(text: &str) -> Result<Option<Message>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    Message::parse(text).map(Some).map_err(|error| error.to_string())
}

pub(super) fn said(text: &str) -> Result<Message, String> {
    Message::parse(text).map_err(|error| error.to_string())
}

pub(super) fn txid(text: &str) -> Result<Txid, String> {
    Txid::parse(text).map_err(|error| error.to_string())
}

/// A key as it was typed: the bank finds out which one is meant.
pub(in super::super) fn pix_key(text: &str) -> Result<String, String> {
    TypedKey::parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

pub(super) fn account_number(text: &str) -> Result<AccountNumber, String> {
    AccountNumber::parse(text).map_err(|error| error.to_string())
}

pub(super) fn idempotency_key(text: &str) -> Result<IdempotencyKey, String> {
    IdempotencyKey::parse(text).map_err(|error| error.to_string())
}

/// A CPF or CNPJ as people type it: with or without its punctuation.
pub(in super::super) fn document(person: TypePerson, text: &str) -> Result<Document, String> {
    // The bank decides whether the check digits must be valid.
    Document::typed(person, text, false).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_accepted_with_or_without_punctuation() {
        let examples = [
            (TypePerson::Pf, "12345678901", "123.456.789-01"),
            (TypePerson::Pf, "123.456.789-01", "123.456.789-01"),
            (TypePerson::Pj, "12abc34501de35", "12.ABC.345/01DE-35"),
        ];
        for (person, text, expected) in examples {
            assert_eq!(document(person, text).unwrap().as_str(), expected);
        }
        assert_eq!(
            document(TypePerson::Pf, "123").unwrap_err(),
            "CPF deve ter a forma 000.000.000-00"
        );
    }
}
