//! An entry of a statement as the JSON interface writes it, with who is on its other side.

use serde::Serialize;

use super::Bank;
use super::refusal::Refused;
use crate::actors::ledger::Ask;
use crate::civil::Zone;
use crate::config::Config;
use crate::ids::{BankId, EventId, Position};
use crate::ledger::{
    AccountNumber, Book, Counterparty, Entry, EntryKind, Message, PixKey, Reais, RefundOf, Txid,
    TypePerson, UserName,
};

/// An entry with its index in the statement and who is on its other side.
pub(crate) struct Named {
    pub(crate) index: u64,
    pub(crate) entry: Entry,
    pub(crate) counterparty: Option<Counterparty>,
}

/// Finds out who is on the other side of each entry.
pub(crate) async fn named(bank: &Bank, entries: Vec<(u64, Entry)>) -> Result<Vec<Named>, Refused> {
    let ask = Ask(move |book: &Book| {
        let named = |(index, entry): (u64, Entry)| {
            let counterparty = book.counterparty(&entry);
            Named { index, entry, counterparty }
        };
        entries.into_iter().map(named).collect()
    });
    Ok(bank.actors.routes.ledger.send(ask).await?)
}

#[derive(Serialize)]
pub(super) struct EntryLine {
    /// Its place in the statement.
    entry: u64,
    #[serde(rename = "type")]
    kind: EntryKind,
    value: Reais,
    previous_balance: Reais,
    app_balance: Reais,
    date: String,
    time: String,
    at: String,
    made_by: UserName,
    bank_sender: BankId,
    id: EventId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pix: Option<PixKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counterparty: Option<OtherSide>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    txid: Option<Txid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<AccountNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_of: Option<Refunded>,
}

/// The Pix of which an entry is a refund.
#[derive(Serialize)]
struct Refunded {
    id: EventId,
    position: Position,
}

impl From<RefundOf> for Refunded {
    fn from(RefundOf { id, position, .. }: RefundOf) -> Self {
        Refunded { id, position }
    }
}

#[derive(Serialize)]
struct OtherSide {
    name: String,
    num_cadastro: String,
    type_person: TypePerson,
    #[serde(skip_serializing_if = "Option::is_none")]
    bank: Option<BankId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bank_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_account: Option<AccountNumber>,
}

impl OtherSide {
    fn of(counterparty: Counterparty, config: &Config) -> Self {
        let Counterparty { name, document, type_person, account } = counterparty;
        let bank = account.map(|(bank, _)| bank);
        let node = bank.and_then(|bank| config.nodes.get(bank.index()));
        OtherSide {
            name,
            num_cadastro: document,
            type_person,
            bank,
            bank_name: node.map(|node| node.name.clone()),
            num_account: account.map(|(_, number)| number),
        }
    }
}

impl EntryLine {
    pub(super) fn of(named: Named, config: &Config) -> Self {
        let Named { index, entry, counterparty } = named;
        let zone: &Zone = &config.time_zone;
        EntryLine {
            entry: index,
            kind: entry.kind,
            value: Reais(entry.value),
            previous_balance: Reais(entry.previous_balance()),
            app_balance: Reais(entry.balance_after),
            date: entry.date().to_string(),
            time: entry.time().to_string(),
            at: zone.written(entry.at_ms),
            made_by: entry.made_by,
            bank_sender: entry.bank_sender,
            id: entry.id,
            pix: entry.pix,
            counterparty: counterparty.map(|other| OtherSide::of(other, config)),
            message: entry.details.message,
            txid: entry.details.txid,
            sender: entry.details.sender,
            refund_of: entry.details.refund_of.map(|of| Refunded::from(*of)),
        }
    }
}
