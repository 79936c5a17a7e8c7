//! Searching a statement by what people remember of a payment: a name, an amount, a word of the
//! message, the name of a charge.

use super::br_code::plain;
use super::texts;
use crate::brazilian::parse_amount;
use crate::http::Named;
use crate::ledger::{Centavos, Message, Txid};

/// The most characters of what is searched for, and of what it is compared with.
const TEXT_CHARS_MAX: usize = 400;

/// What somebody searches for.
#[derive(Clone, Debug)]
pub(super) struct Search {
    /// In small letters without accents.
    text: String,
    /// If it is also an amount.
    amount: Option<Centavos>,
}

impl Search {
    /// Reads what was typed; nothing searches for nothing.
    pub(super) fn read(text: &str) -> Option<Search> {
        let amount = parse_amount(text).ok().map(|amount| amount.get());
        let text = simple(text);
        (!text.is_empty()).then_some(Search { text, amount })
    }

    /// Whether it is found in an entry.
    pub(super) fn finds(&self, named: &Named) -> bool {
        let Named { entry, counterparty, .. } = named;
        let value = entry.value.get().unsigned_abs();
        if self.amount.is_some_and(|amount| amount.get().unsigned_abs() == value) {
            return true;
        }
        let has = |text: &str| simple(text).contains(&self.text);
        let details = &entry.details;
        has(texts::entry_name(entry))
            || counterparty.as_ref().is_some_and(|other| has(&other.name))
            || details.message.as_ref().map(Message::as_str).is_some_and(has)
            || details.txid.as_ref().map(Txid::as_str).is_some_and(has)
    }
}

fn simple(text: &str) -> String {
    plain(text, TEXT_CHARS_MAX).to_lowercase()
}
