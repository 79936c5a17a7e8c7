//! What customers call their accounts and those whom they pay often, and the end of an account.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::Bank;
use super::auth::customer;
use super::body::{Fields, receive};
use super::freshness::read;
use super::operations::no_such_bank;
use super::order::{idempotency_key, order};
use super::refusal::{Bad, Kind, Refused};
use super::texts;
use crate::ids::BankId;
use crate::ledger::{
    AccountNumber, Action, Book, Closing, Nickname, PixKey, ProfileChange, UserName,
};

#[derive(Serialize)]
struct Read {
    data: Data,
    descript: &'static str,
}

#[derive(Serialize)]
struct Data {
    nicknames: Vec<AccountName>,
    /// By name.
    favourites: Vec<PayeeName>,
}

#[derive(Serialize)]
struct AccountName {
    bank: BankId,
    num_account: AccountNumber,
    name: Nickname,
}

#[derive(Serialize)]
struct PayeeName {
    kay_pix: PixKey,
    name: Nickname,
}

fn profile_of(book: &Book, user: &UserName) -> Data {
    let profile = book.profile(user).cloned().unwrap_or_default();
    let account = |(bank, num_account, name)| AccountName { bank, num_account, name };
    Data {
        nicknames: profile.nicknames.into_iter().map(account).collect(),
        favourites: profile
            .favourites
            .into_iter()
            .map(|favourite| PayeeName { kay_pix: favourite.pix, name: favourite.name })
            .collect(),
    }
}

/// `GET /profile`
pub(super) async fn show(
    bank: web::Data<Bank>,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let user = customer(&bank, &request).await?.ok_or(Refused::NoSession)?;
    let data = read(&bank, &request, move |book: &Book| profile_of(book, &user)).await?;
    Ok(HttpResponse::Ok().json(Read { data, descript: texts::PROFILE_READ }))
}

/// `POST /nickname`
pub(super) async fn nickname(
    bank: web::Data<Bank>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Refused> {
    ordered(&bank, &request, body, |fields| {
        fields.only(&["bank", "num_account", "name"])?;
        let (of, account) = account(&bank, fields)?;
        let is_none = fields.find("name").is_some_and(|raw| raw.get() == "null");
        let name = if is_none { None } else { Some(name(fields)?) };
        Ok(Action::Profile(ProfileChange::Nickname { bank: of, account, name }))
    })
    .await
}

/// `POST /favourites`
pub(super) async fn favourite(
    bank: web::Data<Bank>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Refused> {
    ordered(&bank, &request, body, |fields| {
        fields.only(&["kay_pix", "name"])?;
        let (pix, name) = (key(fields)?, name(fields)?);
        Ok(Action::Profile(ProfileChange::Favourite { pix, name }))
    })
    .await
}

/// `POST /favourites/remove`
pub(super) async fn forget(
    bank: web::Data<Bank>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Refused> {
    ordered(&bank, &request, body, |fields| {
        fields.only(&["kay_pix"])?;
        Ok(Action::Profile(ProfileChange::Forget { pix: key(fields)? }))
    })
    .await
}

/// `POST /close_account`
pub(super) async fn close(
    bank: web::Data<Bank>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Refused> {
    ordered(&bank, &request, body, |fields| {
        fields.only(&["bank", "num_account", "close"])?;
        let (of, account) = account(&bank, fields)?;
        let close = fields.find("close").map(|_| fields.word("close", &["true", "false"]));
        let close = close.transpose()?.unwrap_or(true);
        Ok(Action::Close(Closing { bank: of, account, close }))
    })
    .await
}

async fn ordered(
    bank: &Bank,
    request: &HttpRequest,
    body: web::Payload,
    read: impl Fn(&Fields<'_>) -> Result<Action, Refused>,
) -> Result<HttpResponse, Refused> {
    let user = customer(bank, request).await?;
    let key = idempotency_key(request)?;
    let body = receive(request, body).await?;
    let action = read(&Fields::of_body(&body)?)?;
    order(bank, request, user, key, action).await
}

fn account(bank: &Bank, fields: &Fields<'_>) -> Result<(BankId, AccountNumber), Refused> {
    let of = BankId(fields.number("bank")?);
    no_such_bank(of, bank.config.nodes.len())?;
    let number = AccountNumber::parse(fields.raw("num_account")?.get())
        .map_err(|_| Bad::NotA(fields.place("num_account"), Kind::AccountNumber))?;
    Ok((of, number))
}

fn name(fields: &Fields<'_>) -> Result<Nickname, Refused> {
    Nickname::parse(&fields.text("name")?)
        .map_err(|bad| Bad::Value(fields.place("name"), bad.to_string()).into())
}

fn key(fields: &Fields<'_>) -> Result<PixKey, Refused> {
    PixKey::parse(&fields.text("kay_pix")?)
        .map_err(|bad| Bad::Value(fields.place("kay_pix"), bad.to_string()).into())
}
