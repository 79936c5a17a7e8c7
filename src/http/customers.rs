//! Customers: register, log in, log out.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use zeroize::Zeroizing;

use super::account_line::{AccountLine, line};
use super::auth::bearer;
use super::body::{Fields, receive};
use super::names::readable;
use super::order::{answer, idempotency_key, place};
use super::refusal::{Bad, Crowded, Refused};
use super::share::{attempt, note, origin, proved, take_before_registration};
use super::{Bank, common_passwords, freshness, texts};
use crate::actors::ledger::Ask;
use crate::actors::passwords::{Hash, Promised, Verify};
use crate::actors::sessions::{Begin, End};
use crate::audit::Event;
use crate::config::CommonPasswords;
use crate::ids::BankId;
use crate::ledger::{
    Action, Book, Document, IdempotencyKey, Outcome, PasswordChange, PasswordHash, PersonName,
    Registration, TypePerson, UserName,
};

/// Shortest password, in characters.
const PASSWORD_CHARS_MIN: usize = 8;
/// Longest password, in bytes: hashing must not become an attack.
const PASSWORD_BYTES_MAX: usize = 256;

/// `POST /register-customer`
pub(super) async fn register(
    bank: web::Data<Bank>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Refused> {
    let body = receive(&request, body).await?;
    let fields = Fields::of_body(&body)?;
    let newcomer = Newcomer {
        type_person: fields.word::<TypePerson>("type_person", &["PF", "PJ"])?,
        name: fields.text("name")?,
        num_cadastro: fields.text("num_cadastro")?,
        user_name: fields.text("user_name")?,
        password: fields.text("password")?,
    };
    let key = idempotency_key(&request)?;
    let is_common = common_passwords::has(&newcomer.password);
    let action = newcomer.registration(&bank, &request).await?;
    order_warning(&bank, &request, None, key, action, is_common).await
}

/// Orders a new password, which may be one that many people have.
async fn order_warning(
    bank: &Bank,
    request: &HttpRequest,
    by: Option<UserName>,
    key: Option<IdempotencyKey>,
    action: Action,
    is_common: bool,
) -> Result<HttpResponse, Refused> {
    let executed = place(bank, request, by, key, action).await?;
    let is_done = matches!(executed.outcome, Outcome::Done(_));
    Ok(answer(&executed, (is_common && is_done).then_some(texts::COMMON_PASSWORD)))
}

/// What somebody says about themselves to become a customer; none of it is checked yet.
pub(crate) struct Newcomer {
    pub(crate) type_person: TypePerson,
    pub(crate) name: String,
    pub(crate) num_cadastro: String,
    pub(crate) user_name: String,
    pub(crate) password: String,
}

impl Newcomer {
    /// Checks everything that can be checked without the ledger, and hashes the password.
    pub(crate) async fn registration(
        self,
        bank: &Bank,
        request: &HttpRequest,
    ) -> Result<Action, Refused> {
        let name = readable(&self.name).map_err(|error| Refused::bad(error.to_string()))?;
        let name = PersonName::parse(&name).map_err(|error| Refused::bad(error.to_string()))?;
        let num_cadastro =
            Document::typed(self.type_person, &self.num_cadastro, bank.config.check_digits)
                .map_err(|error| Refused::bad(error.to_string()))?;
        let user_name = user_name(&self.user_name)?;
        let password = new_password(bank, self.password)?;
        take_before_registration(bank, request).await?;
        let promised = bank.actors.passwords.send(Hash(password, origin(request))).await?;
        let password_hash = kept(promised).await?;
        let registration =
            Registration { name, num_cadastro, user_name, password_hash, distinct: true };
        Ok(Action::Register(registration))
    }
}

/// A user name from outside.
pub(crate) fn user_name(text: &str) -> Result<UserName, Refused> {
    UserName::parse(text).map_err(|error| Refused::bad(error.to_string()))
}

fn new_password(bank: &Bank, password: String) -> Result<Zeroizing<String>, Refused> {
    let password = Zeroizing::new(password);
    if password.chars().count() < PASSWORD_CHARS_MIN {
        return Err(Bad::PasswordTooShort(PASSWORD_CHARS_MIN).into());
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(Bad::PasswordTooLong(PASSWORD_BYTES_MAX).into());
    }
    let refuses = bank.config.common_passwords == CommonPasswords::Refuse;
    if refuses && common_passwords::has(&password) {
        return Err(Bad::PasswordTooCommon.into());
    }
    Ok(password)
}

/// Proves a customer by name and password.
pub(super) async fn authenticate(
    bank: &Bank,
    request: &HttpRequest,
    fields: &Fields<'_>,
) -> Result<UserName, Refused> {
    prove(bank, request, &fields.text("user_name")?, fields.text("password")?).await
}

/// Proves a customer by name and password.
pub(crate) async fn prove(
    bank: &Bank,
    request: &HttpRequest,
    name: &str,
    password: String,
) -> Result<UserName, Refused> {
    proof(bank, request, name, password).await.map(|(user, _)| user)
}

/// Proves that whoever asks in a customer's name knows the password too.
pub(crate) async fn prove_again(
    bank: &Bank,
    request: &HttpRequest,
    user: &UserName,
    password: String,
) -> Result<(), Refused> {
    match prove(bank, request, user.as_str(), password).await {
        Err(Refused::Bad(Bad::WrongLogin)) => Err(Bad::WrongPassword.into()),
        proved => proved.map(|_| ()),
    }
}

/// Begins a session of a customer who is proved by name and password; returns its token.
pub(crate) async fn log_in(
    bank: &Bank,
    request: &HttpRequest,
    name: &str,
    password: String,
) -> Result<(UserName, String), Refused> {
    let (user, proved_by) = proof(bank, request, name, password).await?;
    let from = request.peer_addr().map(|from| from.ip().to_string()).unwrap_or_default();
    let token = bank.actors.sessions.send(Begin(user.clone(), from)).await?;
    // A password that was changed meanwhile has ended all sessions, but not yet this one.
    if password_hash(bank, &user).await?.as_ref() != Some(&proved_by) {
        bank.actors.sessions.send(End(token)).await?;
        return Err(Bad::WrongLogin.into());
    }
    note(bank, request, Event::Login, Some(&user));
    Ok((user, token))
}

async fn password_hash(bank: &Bank, user: &UserName) -> Result<Option<PasswordHash>, Refused> {
    let asked = user.clone();
    let hash = Ask(move |book: &Book| {
        book.customer(&asked).map(|customer| customer.password_hash.clone())
    });
    Ok(bank.actors.routes.ledger.send(hash).await?)
}

/// The customer, and the hash that the password fits.
async fn proof(
    bank: &Bank,
    request: &HttpRequest,
    name: &str,
    password: String,
) -> Result<(UserName, PasswordHash), Refused> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(Bad::WrongLogin.into());
    }
    let (typed, from) = (user_name(name)?, origin(request));
    let asked = typed.clone();
    let found = Ask(move |book: &Book| {
        let customer = book.customer_typed(&asked)?;
        Some((customer.user_name.clone(), customer.password_hash.clone()))
    });
    let (user, hash) = bank.actors.routes.ledger.send(found).await?.unzip();
    // Attempts under all spellings of a name count together, whether it exists or not.
    let lower = || UserName::parse(&typed.as_str().to_ascii_lowercase()).unwrap_or(typed.clone());
    let user = user.unwrap_or_else(lower);
    attempt(bank, from, &user).await?;
    let verify = Verify { password: password.into(), hash: hash.clone(), from };
    let promised = bank.actors.passwords.send(verify).await?;
    // The same work for a customer who does not exist.
    let fits = kept(promised).await?;
    match hash {
        Some(hash) if fits => {
            proved(bank, from, &user);
            Ok((user, hash))
        }
        exists => {
            let named = exists.is_some().then_some(&user);
            note(bank, request, Event::LoginRefused, named);
            Err(Bad::WrongLogin.into())
        }
    }
}

/// The action that gives a customer, who is proved, a new password.
pub(crate) async fn new_password_of(
    bank: &Bank,
    request: &HttpRequest,
    password: String,
) -> Result<Action, Refused> {
    let hash = Hash(new_password(bank, password)?, origin(request));
    let promised = bank.actors.passwords.send(hash).await?;
    let password_hash = kept(promised).await?;
    Ok(Action::ChangePassword(PasswordChange { password_hash }))
}

/// `POST /password`
pub(super) async fn change_password(
    bank: web::Data<Bank>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Refused> {
    let body = receive(&request, body).await?;
    let fields = Fields::of_body(&body)?;
    let new = fields.text("new_password")?;
    let key = idempotency_key(&request)?;
    let user = authenticate(&bank, &request, &fields).await?;
    let is_common = common_passwords::has(&new);
    let action = new_password_of(&bank, &request, new).await?;
    order_warning(&bank, &request, Some(user), key, action, is_common).await
}

/// What a hashing thread answers, if there was room to wait for one.
async fn kept<T>(promised: Promised<T>) -> Result<T, Refused> {
    promised.ok_or(Crowded::Logins)?.await.map_err(|_| Refused::Internal)
}

#[derive(Serialize)]
struct LoggedIn {
    data: CustomerData,
    descript: &'static str,
    token: String,
}

#[derive(Serialize)]
struct CustomerData {
    accounts: BTreeMap<BankId, Vec<AccountLine>>,
    name: String,
    num_cadastro: String,
    type_person: TypePerson,
    user_name: UserName,
}

/// `GET /login` with a body, as the requirement has it, and `POST /login`
pub(super) async fn login(
    bank: web::Data<Bank>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Refused> {
    let body = receive(&request, body).await?;
    let fields = Fields::of_body(&body)?;
    let (name, password) = (fields.text("user_name")?, fields.text("password")?);
    let (user, token) = log_in(&bank, &request, &name, password).await?;
    let asked = user.clone();
    let data = freshness::read(&bank, &request, move |book| customer_data(book, &asked)).await?;
    let data = data.ok_or(Refused::Internal)?;
    Ok(HttpResponse::Ok().json(LoggedIn { data, descript: texts::LOGGED_IN, token }))
}

fn customer_data(book: &Book, user: &UserName) -> Option<CustomerData> {
    let customer = book.customer(user)?;
    let mut accounts: BTreeMap<_, Vec<_>> =
        BankId::all(book.banks()).map(|bank| (bank, Vec::new())).collect();
    for account in book.accounts_of(user) {
        accounts.entry(account.bank).or_default().push(line(account));
    }
    Some(CustomerData {
        accounts,
        name: customer.name.to_string(),
        num_cadastro: customer.num_cadastro.to_string(),
        type_person: customer.type_person(),
        user_name: user.clone(),
    })
}

/// `POST /logout`
pub(super) async fn logout(
    bank: web::Data<Bank>,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let token = bearer(request.headers()).ok_or(Refused::NoSession)?;
    let ended = bank.actors.sessions.send(End(token.to_owned())).await?;
    let user = ended.ok_or(Refused::NoSession)?;
    note(&bank, &request, Event::Logout, Some(&user));
    Ok(HttpResponse::Ok().json(serde_json::json!({"descript": texts::LOGGED_OUT})))
}
