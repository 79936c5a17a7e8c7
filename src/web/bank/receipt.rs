//! The receipt of an entry: what happened, when, between whom, and its place in the common order.
//!
//! Its address names the account and the entry's place in the statement, so that whoever holds the
//! account finds it for ever, and nobody else does; the other side of a Pix has one of its own.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::form::Form;
use super::given_back::Refunds;
use super::money::reais_wide;
use super::overview::bank_name;
use super::statement::{own, place};
use super::{Answer, customer, shown, texts};
use crate::actors::ledger::{Ask, ask_before_past};
use crate::brazilian::date;
use crate::http::{Bank, Named, Refused, lacking, named};
use crate::ids::{BankId, EventId, Position};
use crate::ledger::past::walk::{at, made_at};
use crate::ledger::past::{AccountTrail, PastEntry};
use crate::ledger::{AccountNumber, Book, Counterparty, EntryKind, Message, Txid, UserName};
use crate::store::past::PastReader;
use crate::web::frame::Frame;
use crate::web::page;

/// One side.
struct Side {
    /// Such as `Quem pagou`.
    role: &'static str,
    name: String,
    document: String,
    place: Option<(String, AccountNumber)>,
}

impl Side {
    fn of(bank: &Bank, role: &'static str, party: Counterparty) -> Side {
        let place = party.account.map(|(of, number)| (bank_name(bank, of), number));
        Side { role, name: party.name, document: party.document, place }
    }
}

#[derive(Template)]
#[template(path = "bank/receipt.html")]
pub(super) struct ReceiptPage {
    frame: Frame,
    /// The account as its page's address names it.
    pub(super) place: String,
    pub(super) kind: &'static str,
    /// Whether it has just been made.
    is_new: bool,
    pub(super) value: String,
    date: String,
    time: String,
    zone: String,
    sides: Vec<Side>,
    message: Option<Message>,
    txid: Option<Txid>,
    /// The account that a deposit or withdrawal named as its sender.
    sender: Option<AccountNumber>,
    refunds: Refunds,
    pub(super) index: u64,
    id: EventId,
    position: Position,
}

impl ReceiptPage {
    /// What stands on paper: labels, and the lines beside them.
    pub(super) fn rows(&self) -> Vec<(&'static str, Vec<String>)> {
        let mut rows =
            vec![("Data e hora", vec![format!("{}, {} ({})", self.date, self.time, self.zone)])];
        for Side { role, name, document, place } in &self.sides {
            let place = place.as_ref().map(|(bank, number)| format!("{bank}, conta {number}"));
            let lines = [name.clone(), document.clone()].into_iter().chain(place);
            rows.push((*role, lines.collect()));
        }
        let said = |text: String| vec![text];
        rows.extend(self.message.as_ref().map(|text| ("Mensagem", said(text.to_string()))));
        rows.extend(self.txid.as_ref().map(|text| ("Cobrança", said(text.to_string()))));
        let sender = |number| ("Remetente informado", said(format!("conta {number}")));
        rows.extend(self.sender.map(sender));
        let of = self.refunds.of.as_ref();
        rows.extend(of.map(|of| ("Devolução do Pix", said(of.id.to_string()))));
        rows.extend(self.refunds.refunded.clone().map(|sum| ("Devolvido", said(sum))));
        rows.push(("Identificação", said(self.id.to_string())));
        rows.push(("Posição na ordem", said(texts::same_everywhere(self.position))));
        rows
    }
}

/// The address of the receipt for what was executed with an account at this position; that of the
/// statement if the entry cannot be found now.
pub(super) async fn address(
    bank: &Bank,
    (of, number): (BankId, AccountNumber),
    position: Position,
) -> Result<String, Refused> {
    let asked = move |book: &Book| Some(book.trail_of(book.account(of, number)?));
    let trail = ask_before_past(&bank.actors.routes.ledger, asked).await?;
    let trail = trail.ok_or(Refused::Internal)?;
    let find = move |past: &mut PastReader| made_at(past, &trail, position);
    let statement = format!("/contas/{of}-{number}");
    Ok(match bank.actors.past.read(find).await? {
        Some(index) => format!("{statement}/comprovante/{index}?novo=sim"),
        None => statement,
    })
}

/// `GET /contas/{account}/comprovante/{entry}`
pub(super) async fn show(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    let found = receipt(&bank, &request).await;
    let answer: Answer = found.map(|receipt| page(StatusCode::OK, &receipt));
    shown(&bank, &request, answer).await
}

/// What a receipt says, by its address.
pub(super) async fn receipt(bank: &Bank, request: &HttpRequest) -> Result<ReceiptPage, Refused> {
    let user = customer(bank, request).await?;
    let of = place(request)?;
    let no_such = Refused::NoSuchPage(texts::NO_SUCH_RECEIPT);
    let index = request.match_info().query("entry").parse().map_err(|_| no_such.clone())?;
    let asked = move |book: &Book| own(book, &user, of).map(|account| book.trail_of(account));
    let trail = ask_before_past(&bank.actors.routes.ledger, asked).await??;
    let past = entry(bank, trail, index).await?.ok_or(no_such)?;
    let refunds = Refunds::of(bank, trail, &past).await?;
    let is_new = !Form::of_query(request)?.text("novo").is_empty();
    let entry = named(bank, vec![(index, past.entry)]).await?.pop().ok_or(Refused::Internal)?;
    let own = own_side(bank, of, &entry).await?;
    let Named { entry, counterparty, .. } = entry;
    let zone = &bank.config.time_zone;
    Ok(ReceiptPage {
        frame: Frame::of(bank, request).await,
        place: format!("{}-{}", of.0, of.1),
        kind: texts::entry_name(&entry),
        is_new: is_new && entry.kind == EntryKind::Transfer,
        value: reais_wide(entry.value.get().abs()),
        date: date(zone.date(entry.at_ms)),
        time: zone.time(entry.at_ms).to_string(),
        zone: zone.name().to_owned(),
        sides: sides(bank, entry.kind, own, counterparty),
        message: entry.details.message,
        txid: entry.details.txid,
        sender: entry.details.sender,
        refunds,
        index,
        id: entry.id,
        position: entry.position,
    })
}

/// The entry at a place of the statement.
async fn entry(bank: &Bank, trail: AccountTrail, index: u64) -> Result<Option<PastEntry>, Refused> {
    if index >= trail.trail.count() {
        return Ok(None);
    }
    let read = move |past: &mut PastReader| Ok((at(past, &trail, index)?, past.gone().cloned()));
    let (found, gone) = bank.actors.past.read(read).await?;
    found.map(Some).ok_or_else(|| lacking(bank, gone.as_ref()))
}

/// Whoever holds the account: who sent the money, or else who opened the account.
async fn own_side(
    bank: &Bank,
    (of, number): (BankId, AccountNumber),
    named: &Named,
) -> Result<Counterparty, Refused> {
    let sent_by: Option<UserName> =
        Some(named.entry.made_by.clone()).filter(|_| named.entry.kind == EntryKind::Transfer);
    let asked = Ask(move |book: &Book| {
        let account = book.account(of, number)?;
        let holder = sent_by.as_ref().unwrap_or(account.opener());
        book.customer(holder).map(|customer| Counterparty::of(customer, Some((of, number))))
    });
    bank.actors.routes.ledger.send(asked).await?.ok_or(Refused::Internal)
}

/// The payer first.
fn sides(
    bank: &Bank,
    kind: EntryKind,
    own: Counterparty,
    other: Option<Counterparty>,
) -> Vec<Side> {
    let Some(other) = other else { return vec![Side::of(bank, "Conta de", own)] };
    let (payer, payee) = if kind == EntryKind::Receive { (other, own) } else { (own, other) };
    vec![Side::of(bank, "Quem pagou", payer), Side::of(bank, "Quem recebeu", payee)]
}
