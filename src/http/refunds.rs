//! Refunds: what can be given back of a Pix, and giving it back. The Pix is read in this bank's own
//! past, which is the same at every bank.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::Bank;
use super::accounts::account_of;
use super::accounts::amount;
use super::auth::customer;
use super::body::{Fields, receive};
use super::operations::{no_such_bank, said};
use super::order::{idempotency_key, order};
use super::past::lacking;
use super::refusal::{Bad, Kind, Refused};
use super::texts;
use crate::actors::ledger::{Ask, ask_before_past};
use crate::ids::{BankId, EventId, Position};
use crate::ledger::past::walk::at;
use crate::ledger::past::{AccountTrail, PastEntry};
use crate::ledger::refund::REFUND_WITHIN_MS;
use crate::ledger::{
    AccountNumber, Action, Amount, Book, Centavos, EntryKind, Message, Original, Reais, Refund,
    RefundOf, UserName,
};
use crate::store::past::PastReader;

/// A Pix that was received, and how much of it was given back.
#[derive(Clone, Debug)]
pub(crate) struct Refundable {
    pub(crate) original: Original,
    pub(crate) refunded: Centavos,
}

impl Refundable {
    /// What is left to give back.
    pub(crate) fn left(&self) -> Centavos {
        self.original.value.get().checked_sub(self.refunded).unwrap_or(Centavos::ZERO)
    }

    /// Until when, in Unix milliseconds.
    pub(crate) fn until_ms(&self) -> i64 {
        self.original.at_ms.saturating_add(REFUND_WITHIN_MS)
    }

    /// The request that gives some of it back.
    pub(crate) fn action(
        self,
        (bank, account): (BankId, AccountNumber),
        value: Amount,
        message: Option<Message>,
    ) -> Action {
        Action::Refund(Refund { bank, account, value, message, original: self.original })
    }
}

/// What the past says of an entry, if it is a Pix that can be given back.
fn original(past: &PastEntry) -> Option<Original> {
    let entry = &past.entry;
    let is_pix = entry.kind == EntryKind::Receive && entry.details.refund_of.is_none();
    Some(Original {
        of: RefundOf { entry: past.number, id: entry.id.clone(), position: entry.position },
        at_ms: entry.at_ms,
        other: entry.details.other.filter(|_| is_pix)?,
        value: Amount::parse(entry.value).ok()?,
    })
}

/// Reads a Pix at its place in the statement of an account that the reader holds; without sessions,
/// of any account.
pub(crate) async fn refundable(
    bank: &Bank,
    reader: Option<&UserName>,
    (of, number): (BankId, AccountNumber),
    index: u64,
) -> Result<Refundable, Refused> {
    let by = reader.cloned();
    let asked = move |book: &Book| trail(book, by.as_ref(), (of, number));
    let trail = ask_before_past(&bank.actors.routes.ledger, asked).await??;
    if index >= trail.trail.count() {
        return Err(Bad::NotRefundable.into());
    }
    let read = move |past: &mut PastReader| Ok((at(past, &trail, index)?, past.gone().cloned()));
    let (past, gone) = bank.actors.past.read(read).await?;
    let past = past.ok_or_else(|| lacking(bank, gone.as_ref()))?;
    let original = original(&past).ok_or(Bad::NotRefundable)?;
    let entry = original.of.entry;
    let refunded = Ask(move |book: &Book| book.refunded(entry));
    let refunded = bank.actors.routes.ledger.send(refunded).await?.unwrap_or(Centavos::ZERO);
    Ok(Refundable { original, refunded })
}

fn trail(
    book: &Book,
    reader: Option<&UserName>,
    (bank, number): (BankId, AccountNumber),
) -> Result<AccountTrail, Refused> {
    let account = account_of(book, reader, (bank, number))?;
    Ok(book.trail_of(account))
}

#[derive(Serialize)]
struct Read {
    data: Data,
    descript: &'static str,
}

#[derive(Serialize)]
struct Data {
    value: Reais,
    refunded: Reais,
    left: Reais,
    until: String,
    id: EventId,
    position: Position,
}

/// `GET /refunds/{bank}/{num_account}/{entry}`: what can be given back of a Pix.
pub(super) async fn read(
    bank: web::Data<Bank>,
    request: HttpRequest,
    path: web::Path<(u16, String, u64)>,
) -> Result<HttpResponse, Refused> {
    let (of, number, entry) = path.into_inner();
    let number = AccountNumber::parse(&number).map_err(|_| Refused::from(Bad::Path))?;
    let reader = customer(&bank, &request).await?;
    let found = refundable(&bank, reader.as_ref(), (BankId(of), number), entry).await?;
    let data = Data {
        value: Reais(found.original.value.get()),
        refunded: Reais(found.refunded),
        left: Reais(found.left()),
        until: bank.config.time_zone.written(found.until_ms()),
        id: found.original.of.id,
        position: found.original.of.position,
    };
    Ok(HttpResponse::Ok().json(Read { data, descript: texts::REFUNDABLE }))
}

/// `POST /refunds`
pub(super) async fn give_back(
    bank: web::Data<Bank>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Refused> {
    let user = customer(&bank, &request).await?;
    let key = idempotency_key(&request)?;
    let body = receive(&request, body).await?;
    let fields = Fields::of_body(&body)?;
    fields.only(&["bank", "num_account", "entry", "value", "message"])?;
    let of = BankId(fields.number("bank")?);
    no_such_bank(of, bank.config.nodes.len())?;
    let number = AccountNumber::parse(fields.raw("num_account")?.get())
        .map_err(|_| Bad::NotA(fields.place("num_account"), Kind::AccountNumber))?;
    let entry = fields.number("entry")?;
    let value = amount(&bank, &fields, "value")?;
    let message = said(&fields, "message", Message::parse)?;
    let found = refundable(&bank, user.as_ref(), (of, number), entry).await?;
    order(&bank, &request, user, key, found.action((of, number), value, message)).await
}
