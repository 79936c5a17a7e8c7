//! An entry as a line of JSON that needs nothing else to be understood.

use serde::{Deserialize, Serialize};

use crate::ids::{BankId, EventId, Position};
use crate::ledger::calendar::{Date, TimeOfDay};
use crate::ledger::past::{EntryNumber, Links, PastEntry};
use crate::ledger::{
    AccountNumber, Book, Centavos, Details, Entry, EntryKind, Message, PixKey, RefundOf, Txid,
    UserName,
};

/// The columns of [`Line::csv`].
pub(crate) const CSV_HEAD: &str = "entry,at,bank,num_account,kind,value,balance,name,num_cadastro,other_bank,other_account,message,txid,pix,made_by,bank_sender,position,id";

/// Who was on the other side, as the bank that wrote the file knew them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Other {
    name: String,
    num_cadastro: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    bank: Option<BankId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_account: Option<AccountNumber>,
}

/// One entry. The account's bank and number, the moment as text and the other side are for whoever
/// reads it; the rest is what the digest of the block is over.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    entry: EntryNumber,
    /// The account's bank,
    pub(crate) bank: BankId,
    /// and its number there.
    pub(crate) num_account: AccountNumber,
    /// UTC.
    at: String,
    kind: EntryKind,
    /// Reais with two decimals, as text: no reader makes a rounded number of it.
    value: String,
    balance: String,
    made_by: UserName,
    bank_sender: BankId,
    id: EventId,
    position: Position,
    #[serde(skip_serializing_if = "Option::is_none")]
    pix: Option<PixKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counterparty: Option<Other>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    txid: Option<Txid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<AccountNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_of: Option<RefundOf>,
    /// Unix milliseconds.
    pub(crate) at_ms: i64,
    /// The account's place in the order of openings,
    account: u32,
    /// the entry's in its statement, from 0,
    index: u64,
    /// and the entries that its links lead to.
    before: EntryNumber,
    skip: EntryNumber,
    /// The place of the account on the other side.
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<u32>,
}

impl Line {
    /// An entry, with what the ledger knows of those it names; `None` if it does not know them.
    pub(super) fn of(past: &PastEntry, book: &Book) -> Option<Line> {
        let PastEntry { number, account, index, links, entry } = past.clone();
        let of = book.account_at(account)?;
        let counterparty = book.counterparty(&entry).map(|other| {
            let (bank, num_account) = other.account.unzip();
            Other { name: other.name, num_cadastro: other.document, bank, num_account }
        });
        let Details { other, message, txid, sender, refund_of } = entry.details;
        Some(Line {
            entry: number,
            bank: of.bank,
            num_account: of.number,
            at: written(entry.at_ms),
            kind: entry.kind,
            value: entry.value.to_string(),
            balance: entry.balance_after.to_string(),
            made_by: entry.made_by,
            bank_sender: entry.bank_sender,
            id: entry.id,
            position: entry.position,
            pix: entry.pix,
            counterparty,
            message,
            txid,
            sender,
            refund_of: refund_of.map(|of| *of),
            at_ms: entry.at_ms,
            account,
            index,
            before: links.before,
            skip: links.skip,
            other,
        })
    }

    /// The entry; `None` if an amount is none.
    pub(super) fn past(&self) -> Option<PastEntry> {
        let details = Details {
            other: self.other,
            message: self.message.clone(),
            txid: self.txid.clone(),
            sender: self.sender,
            refund_of: self.refund_of.clone().map(Box::new),
        };
        let entry = Entry {
            kind: self.kind,
            value: money(&self.value)?,
            balance_after: money(&self.balance)?,
            at_ms: self.at_ms,
            made_by: self.made_by.clone(),
            bank_sender: self.bank_sender,
            id: self.id.clone(),
            position: self.position,
            pix: self.pix.clone(),
            details,
        };
        let links = Links { before: self.before, skip: self.skip };
        let (number, account, index) = (self.entry, self.account, self.index);
        Some(PastEntry { number, account, index, links, entry })
    }

    /// The entry as a line of comma-separated values, without its end.
    pub(crate) fn csv(&self) -> String {
        let other = self.counterparty.as_ref();
        let text = |number: Option<String>| number.unwrap_or_default();
        let cells = [
            self.entry.to_string(),
            self.at.clone(),
            self.bank.to_string(),
            self.num_account.to_string(),
            self.kind.to_string(),
            self.value.clone(),
            self.balance.clone(),
            cell(other.map_or("", |other| &other.name)),
            cell(other.map_or("", |other| &other.num_cadastro)),
            text(other.and_then(|other| other.bank).map(|bank| bank.to_string())),
            text(other.and_then(|other| other.num_account).map(|number| number.to_string())),
            cell(self.message.as_ref().map_or("", Message::as_str)),
            cell(self.txid.as_ref().map_or("", Txid::as_str)),
            cell(self.pix.as_ref().map_or("", |pix| pix.as_str())),
            cell(self.made_by.as_str()),
            self.bank_sender.to_string(),
            self.position.to_string(),
            cell(self.id.as_str()),
        ];
        cells.join(",")
    }
}

/// A moment as `2026-11-23T14:03:22Z`.
fn written(at_ms: i64) -> String {
    format!("{}T{}Z", Date::at(at_ms), TimeOfDay::at(at_ms))
}

/// Reais with exactly two decimals, as [`Centavos`] are printed.
fn money(text: &str) -> Option<Centavos> {
    let (reais, centavos) = text.split_once('.')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty();
    let (sign, reais) = match reais.strip_prefix('-') {
        Some(reais) => (-1, reais),
        None => (1, reais),
    };
    let is_money = digits(reais) && digits(centavos) && centavos.len() == 2;
    let sum: i128 = is_money.then(|| format!("{reais}{centavos}"))?.parse().ok()?;
    Some(Centavos::wide(sign * sum))
}

/// A cell of customers' text: quoted where it must be, and never the beginning of a formula.
fn cell(text: &str) -> String {
    let text =
        if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn money_is_read_as_it_is_printed_and_nothing_else_is_money() {
        let most = i128::from(i64::MAX) * 1_000;
        for centavos in [0, 1, -1, 99, -100, 123_456, most, -most] {
            let sum = Centavos::wide(centavos);
            assert_eq!(money(&sum.to_string()), Some(sum));
        }
        for text in ["", "1", "1.0", "1.000", "+1.00", "--1.00", "-.50", "1,00", "1.+1", "٣.00"] {
            assert_eq!(money(text), None, "{text}");
        }
    }
}
