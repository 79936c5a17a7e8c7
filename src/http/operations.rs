//! Packages: deposits, withdrawals and transfers that happen all or not at all.

use actix_web::{HttpRequest, HttpResponse, web};
use percent_encoding::percent_decode;
use serde_json::value::RawValue;

use super::Bank;
use super::accounts::amount_up_to;
use super::auth::{By, customer_who_orders};
use super::body::{Fields, receive_large};
use super::customers::prove_again;
use super::order::{idempotency_key, order};
use super::refusal::{Bad, Kind, Refused};
use super::turns::read_body;
use crate::ids::BankId;
use crate::ledger::{
    AccountNumber, Action, Amount, Message, Note, Operation, OperationKind, Package, PixKey, Txid,
};

/// Header by which a customer confirms a package with their password, percent-encoded as in an
/// address.
pub(crate) const PASSWORD_HEADER: &str = "netbanking-password";

/// `POST /operations`
pub(super) async fn execute(
    bank: web::Data<Bank>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Refused> {
    let by = confirmed(&bank, &request, customer_who_orders(&bank, &request).await?).await?;
    let key = idempotency_key(&request)?;
    let body = receive_large(&request, body).await?;
    let (banks, most) = (bank.config.nodes.len(), bank.config.operation_max);
    let read = move |body: &[u8]| read_package(banks, most, body);
    let package = read_body(&request, by.user.as_ref(), body, read).await?;
    order(&bank, &request, by, key, Action::Operations(package)).await
}

/// Who asks, and whether they have given their password too.
pub(super) async fn confirmed(bank: &Bank, request: &HttpRequest, by: By) -> Result<By, Refused> {
    let Some(value) = request.headers().get(PASSWORD_HEADER) else { return Ok(by) };
    let written = percent_decode(value.as_bytes()).decode_utf8();
    let password = written.map_err(|_| Refused::from(Bad::PasswordHeader))?.into_owned();
    match &by.user {
        Some(user) => prove_again(bank, request, user, password).await?,
        None => return Err(Refused::NoSession),
    }
    Ok(By { confirmed: true, ..by })
}

/// Reads a package in the requirement's form: bank, then account, then its operations, all in
/// document order, none of which moves more than `most`.
pub(crate) fn read_package(banks: usize, most: Amount, body: &[u8]) -> Result<Package, Refused> {
    let mut operations = Vec::new();
    for (named, accounts, place) in Fields::of_body(body)?.iter() {
        let at = parse_bank(named, banks)?;
        for (account, content, place) in Fields::of_field(accounts, place)?.iter() {
            let number = AccountNumber::parse(account)
                .map_err(|error| Bad::Value(place.clone(), error.to_string()))?;
            let content = Fields::of_field(content, place.clone())?;
            content.only(&["package"])?;
            for (index, raw) in content.list("package")?.into_iter().enumerate() {
                let place = format!("{place}.package[{index}]");
                operations.push(parse_operation((banks, most), raw, (at, number), &place)?);
            }
        }
    }
    Package::parse(operations).map_err(|error| Refused::bad(error.to_string()))
}

fn parse_bank(text: &str, banks: usize) -> Result<BankId, Refused> {
    let number = text.parse().ok().filter(|number: &u16| number.to_string() == text);
    let bank = number.map(BankId).ok_or_else(|| {
        let text: String = text.chars().take(16).collect();
        Bad::NoSuchBank(text)
    })?;
    no_such_bank(bank, banks)?;
    Ok(bank)
}

pub(super) fn no_such_bank(bank: BankId, banks: usize) -> Result<(), Bad> {
    if bank.index() < banks { Ok(()) } else { Err(Bad::NoSuchBank(bank.to_string())) }
}

fn parse_operation(
    (banks, most): (usize, Amount),
    raw: &RawValue,
    (at, account): (BankId, AccountNumber),
    place: &str,
) -> Result<Operation, Refused> {
    let fields = Fields::of_field(raw, place.to_owned())?;
    let word = fields.text("type")?;
    let known: &[_] = match word.as_str() {
        "TRANSFER" => &["type", "value", "sender", "pix", "message", "txid"],
        _ => &["type", "value", "sender", "pix"],
    };
    fields.only(known)?;
    let sender = AccountNumber::parse(fields.raw("sender")?.get())
        .map_err(|_| Bad::NotA(fields.place("sender"), Kind::AccountNumber))?;
    let value = amount_up_to(most, &fields, "value")?;
    let other = Some(sender).filter(|sender| *sender != account);
    let kind = match word.as_str() {
        "DEPOSIT" => OperationKind::Deposit { value, sender: other },
        "WITHDRAW" => OperationKind::Withdraw { value, sender: other },
        "TRANSFER" if sender != account => {
            let place = fields.place("sender");
            return Err(Bad::OtherSender { place, sender, account }.into());
        }
        "TRANSFER" => {
            let bad = |why: String| Bad::Value(fields.place("pix"), why);
            let pix =
                PixKey::parse(&fields.text("pix")?).map_err(|error| bad(error.to_string()))?;
            no_such_bank(pix.bank(), banks).map_err(|error| bad(error.to_string()))?;
            OperationKind::Transfer { value, pix, note: Some(note(&fields)?) }
        }
        _ => {
            let kinds = Kind::OneOf(&["DEPOSIT", "WITHDRAW", "TRANSFER"]);
            return Err(Bad::NotA(fields.place("type"), kinds).into());
        }
    };
    Ok(Operation { bank: at, account, kind })
}

/// What the payer says about a transfer.
fn note(fields: &Fields<'_>) -> Result<Note, Refused> {
    Ok(Note {
        message: said(fields, "message", Message::parse)?,
        txid: said(fields, "txid", Txid::parse)?,
    })
}

/// A text that need not be there. Empty is the same as nothing.
pub(super) fn said<T, E: std::fmt::Display>(
    fields: &Fields<'_>,
    name: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<T>, Refused> {
    let text = fields.find(name).map(|_| fields.text(name)).transpose()?;
    let said = text.filter(|text| !text.is_empty()).map(|text| parse(&text)).transpose();
    said.map_err(|error| Bad::Value(fields.place(name), error.to_string()).into())
}
