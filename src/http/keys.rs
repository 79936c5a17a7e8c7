//! The Pix keys of an account: list them, add one, remove one, let another account have one.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use uuid::Uuid;

use super::Bank;
use super::accounts::account_of;
use super::auth::customer;
use super::body::{Fields, receive};
use super::freshness::read;
use super::operations::no_such_bank;
use super::order::{idempotency_key, order};
use super::refusal::{Bad, Kind, Refused};
use super::texts;
use crate::ids::BankId;
use crate::ledger::keys::{Email, RandomValue, Telephone};
use crate::ledger::{AccountNumber, Action, Book, KeyChange, NewKey, PixKey, UserName};

/// The words for the kinds of key.
const KINDS: [&str; 7] = ["CPF", "CNPJ", "USER_NAME", "NUM_CONTA", "RANDOM", "EMAIL", "TELEFONE"];

#[derive(Serialize)]
struct Listed {
    /// Oldest first.
    data: Vec<PixKey>,
    descript: &'static str,
}

/// The keys of an account that the reader holds; without sessions, of any account.
pub(crate) fn keys_of(
    book: &Book,
    reader: Option<&UserName>,
    (bank, number): (BankId, AccountNumber),
) -> Result<Vec<PixKey>, Refused> {
    let account = account_of(book, reader, (bank, number))?;
    Ok(account.keys().cloned().collect())
}

/// `GET /keys/{bank}/{num_account}`
pub(super) async fn list(
    bank: web::Data<Bank>,
    request: HttpRequest,
    path: web::Path<(u16, String)>,
) -> Result<HttpResponse, Refused> {
    let (of, number) = path.into_inner();
    let number = AccountNumber::parse(&number).map_err(|_| Refused::from(Bad::Path))?;
    let reader = customer(&bank, &request).await?;
    let asked = move |book: &Book| keys_of(book, reader.as_ref(), (BankId(of), number));
    let data = read(&bank, &request, asked).await??;
    Ok(HttpResponse::Ok().json(Listed { data, descript: texts::KEYS_LISTED }))
}

/// A key of this kind, as somebody wants it; `value` is what they typed.
///
/// # Errors
/// What does not fit; `None` if there is no such kind.
pub(crate) fn new_key_of(kind: &str, value: &str) -> Option<Result<NewKey, String>> {
    let drawn = || RandomValue::try_from(Uuid::new_v4().to_string()).map(NewKey::Random);
    Some(match kind {
        "CPF" => Ok(NewKey::Cpf),
        "CNPJ" => Ok(NewKey::Cnpj),
        "USER_NAME" => Ok(NewKey::UserName),
        "NUM_CONTA" => Ok(NewKey::NumConta),
        "RANDOM" => drawn().map_err(str::to_owned),
        "EMAIL" => Email::parse(value).map(NewKey::Email).map_err(|bad| bad.to_string()),
        "TELEFONE" => Telephone::parse(value).map(NewKey::Telefone).map_err(|bad| bad.to_string()),
        _ => return None,
    })
}

/// `POST /keys`
pub(super) async fn add(
    bank: web::Data<Bank>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Refused> {
    change(&bank, &request, body, |fields| {
        fields.only(&["bank", "num_account", "type", "value"])?;
        let at = BankId(fields.number("bank")?);
        no_such_bank(at, bank.config.nodes.len())?;
        let kind = fields.text("type")?;
        let value = fields.find("value").map(|_| fields.text("value")).transpose()?;
        let key = new_key_of(&kind, &value.unwrap_or_default())
            .ok_or_else(|| Bad::NotA(fields.place("type"), Kind::OneOf(&KINDS)))?
            .map_err(|why| Bad::Value(fields.place("value"), why))?;
        Ok(KeyChange::Add { bank: at, account: account(fields)?, key })
    })
    .await
}

/// `POST /keys/remove`
pub(super) async fn remove(
    bank: web::Data<Bank>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Refused> {
    change(&bank, &request, body, |fields| {
        fields.only(&["kay_pix"])?;
        Ok(KeyChange::Remove { key: key(fields)? })
    })
    .await
}

/// `POST /keys/move`
pub(super) async fn pass_on(
    bank: web::Data<Bank>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Refused> {
    change(&bank, &request, body, |fields| {
        fields.only(&["kay_pix", "num_account"])?;
        Ok(KeyChange::Move { key: key(fields)?, to: account(fields)? })
    })
    .await
}

async fn change(
    bank: &Bank,
    request: &HttpRequest,
    body: web::Payload,
    read: impl Fn(&Fields<'_>) -> Result<KeyChange, Refused>,
) -> Result<HttpResponse, Refused> {
    let user = customer(bank, request).await?;
    let key = idempotency_key(request)?;
    let body = receive(request, body).await?;
    let change = read(&Fields::of_body(&body)?)?;
    order(bank, request, user, key, Action::Keys(change)).await
}

fn account(fields: &Fields<'_>) -> Result<AccountNumber, Refused> {
    AccountNumber::parse(fields.raw("num_account")?.get())
        .map_err(|_| Bad::NotA(fields.place("num_account"), Kind::AccountNumber).into())
}

fn key(fields: &Fields<'_>) -> Result<PixKey, Refused> {
    PixKey::parse(&fields.text("kay_pix")?)
        .map_err(|bad| Bad::Value(fields.place("kay_pix"), bad.to_string()).into())
}
