//! Open an account at any bank.
//!
//! An account opens at the bank that is asked, so a request for another bank is sent to that bank's
//! own route, with the customer's password and the form's key: this bank does nothing there that
//! the customer could not do directly.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use awc::error::SendRequestError;
use serde::Deserialize;

use super::form::{Form, new_key};
use super::overview::bank_name;
use super::{Answer, customer, see_other, sent, shown, texts};
use crate::actors::ledger::Ask;
use crate::brazilian::parse_amount;
use crate::http::{Bank, IDEMPOTENCY_HEADER, Refused, may_move, opening, place, prove, user_name};
use crate::ids::BankId;
use crate::ledger::request::{JOINT_OTHERS_MAX, OPENING_MIN};
use crate::ledger::{
    AccountNumber, Book, Done, NewAccount, Outcome, PixType, TypeAccount, TypePerson, UserName,
};
use crate::tls::Transport;
use crate::web::frame::Frame;
use crate::web::page;
use crate::web::refused::with_header;
use crate::wire::{self, BANK_HEADER};

/// How long another bank may take; more than the time within which it answers in any case.
const OTHER_BANK_WAIT: Duration = Duration::from_secs(15);
/// Largest answer of another bank, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

struct Choice {
    value: String,
    label: String,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "bank/opening.html")]
struct OpeningPage {
    frame: Frame,
    problem: Option<String>,
    key: String,
    banks: Vec<Choice>,
    types: Vec<Choice>,
    keys: Vec<Choice>,
    users: String,
    value: String,
    /// Whether the other holders are asked first.
    consent: bool,
}

/// Why no account was opened, or may not have been: what to tell the customer.
struct NotOpened {
    refused: Refused,
    /// Whether it may have been opened all the same.
    unknown: bool,
}

impl From<Refused> for NotOpened {
    fn from(refused: Refused) -> Self {
        NotOpened { unknown: refused.leaves_unknown(), refused }
    }
}

/// `GET /contas/nova`
pub(super) async fn form(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    let answer = async {
        let user = customer(&bank, &request).await?;
        rendered(&bank, &request, &user, StatusCode::OK, None, new_key(), &Form::default()).await
    };
    shown(&bank, &request, answer.await).await
}

/// `POST /contas/nova`
pub(super) async fn open(bank: Data<Bank>, request: HttpRequest, body: Payload) -> HttpResponse {
    shown(&bank, &request, try_open(&bank, &request, body).await).await
}

async fn try_open(bank: &Bank, request: &HttpRequest, body: Payload) -> Answer {
    let form = sent(request, body).await?;
    let user = customer(bank, request).await?;
    match opened(bank, request, &user, &form).await {
        Ok((at, number)) => Ok(see_other(&format!("/?aberta={at}-{number}"))),
        Err(NotOpened { refused, unknown }) => {
            let key = if unknown { form.text("chave").to_owned() } else { new_key() };
            let (status, problem) = (refused.status(), Some(refused.to_string()));
            let page = rendered(bank, request, &user, status, problem, key, &form).await?;
            Ok(with_header(page, &refused))
        }
    }
}

async fn opened(
    bank: &Bank,
    request: &HttpRequest,
    user: &UserName,
    form: &Form,
) -> Result<(BankId, AccountNumber), NotOpened> {
    let key = form.key()?;
    let (at, account) = read(form, bank.config.nodes.len())?;
    may_move(bank, account.value_init)?;
    prove(bank, request, user.as_str(), form.raw("senha").to_owned()).await?;
    if at != bank.me {
        return Ok((at, ask_other(bank, at, user, form, &account).await?));
    }
    let action = opening(bank, user.clone(), account);
    match place(bank, request, None, Some(key), action).await?.outcome {
        Outcome::Done(Done::AccountCreated { number, .. } | Done::JointAsked { number, .. }) => {
            Ok((at, number))
        }
        outcome => Err(Refused::bad(outcome.descript()).into()),
    }
}

/// Which account the form asks for, and at which bank.
fn read(form: &Form, banks: usize) -> Result<(BankId, NewAccount), Refused> {
    let of_word = |text: &str| serde_json::Value::from(text);
    let bank = form.text("banco").parse().ok().map(BankId).filter(|bank| bank.index() < banks);
    let bank = bank.ok_or_else(|| Refused::bad(texts::CHOOSE_BANK))?;
    let type_account = serde_json::from_value(of_word(form.text("tipo")))
        .map_err(|_| Refused::bad(texts::CHOOSE_TYPE))?;
    let pix_type = serde_json::from_value(of_word(form.text("pix")))
        .map_err(|_| Refused::bad(texts::CHOOSE_KEY))?;
    let users =
        form.text("titulares").split([',', ';', ' ', '\n', '\r']).filter(|name| !name.is_empty());
    // One more than allowed is enough to be refused.
    let users = users.take(JOINT_OTHERS_MAX + 1).map(user_name).collect::<Result<_, _>>()?;
    let value_init =
        parse_amount(form.text("valor")).map_err(|bad| Refused::bad(texts::bad_amount(bad)))?;
    if value_init.get() < OPENING_MIN {
        return Err(Refused::bad(texts::opening_too_small()));
    }
    Ok((bank, NewAccount { type_account, pix_type, users, value_init }))
}

#[derive(Deserialize)]
struct OtherAnswer {
    descript: String,
    num_account: Option<AccountNumber>,
}

/// Sends the request to the bank where the account is to be.
async fn ask_other(
    bank: &Bank,
    at: BankId,
    user: &UserName,
    form: &Form,
    account: &NewAccount,
) -> Result<AccountNumber, NotOpened> {
    let name = bank_name(bank, at);
    let body = account.to_body(user, form.raw("senha"));
    let url = format!("{}/create_account", bank.config.nodes[at.index()].url());
    // What is asked carries the customer's password.
    let transport = Transport::with(bank.certificates.as_deref(), bank.me, bank.config.nodes.len());
    let transport = transport.map_err(|error| {
        log::error!("bank {}: {error}", bank.me);
        NotOpened { refused: Refused::Internal, unknown: false }
    })?;
    let request = wire::client_of_peer(at, &transport, 1, OTHER_BANK_WAIT)
        .post(url)
        // A bank that customers reach by HTTPS answers other banks all the same.
        .insert_header((AUTHORIZATION, format!("Bearer {}", bank.secret)))
        .insert_header((BANK_HEADER, bank.me.to_string()))
        .insert_header((IDEMPOTENCY_HEADER, form.text("chave")));
    let lost = || NotOpened { refused: Refused::BankLost(texts::bank_lost(&name)), unknown: true };
    let mut response = match request.content_type("application/json").send_body(body).await {
        Ok(response) => response,
        Err(SendRequestError::Connect(_)) => {
            let refused = Refused::BankAway(texts::bank_away(&name));
            return Err(NotOpened { refused, unknown: false });
        }
        Err(_) => return Err(lost()),
    };
    let answer = response.body().limit(ANSWER_BYTES_MAX).await.map_err(|_| lost())?;
    let answer: OtherAnswer = serde_json::from_slice(&answer).map_err(|_| lost())?;
    match answer.num_account {
        Some(number) => Ok(number),
        None => {
            Err(Refused::ByAnotherBank(response.status(), format!("{name}: {}", answer.descript))
                .into())
        }
    }
}

async fn rendered(
    bank: &Bank,
    request: &HttpRequest,
    user: &UserName,
    status: StatusCode,
    problem: Option<String>,
    key: String,
    form: &Form,
) -> Answer {
    let asked = user.clone();
    let person =
        Ask(move |book: &Book| book.customer(&asked).map(|customer| customer.type_person()));
    let person = bank.actors.routes.ledger.send(person).await?.ok_or(Refused::Internal)?;
    let wanted_bank = form.text("banco").parse().unwrap_or(bank.me.0);
    let banks = BankId::all(bank.config.nodes.len()).map(|other| Choice {
        value: other.to_string(),
        label: bank_name(bank, other),
        chosen: other.0 == wanted_bank,
    });
    let choice = |value: &str, label: &str, field: &str| Choice {
        value: value.to_owned(),
        label: label.to_owned(),
        chosen: form.text(field) == value,
    };
    let (own_type, own_key) = match person {
        TypePerson::Pf => (TypeAccount::Pf, PixType::Cpf),
        TypePerson::Pj => (TypeAccount::Pj, PixType::Cnpj),
    };
    let types = [own_type, TypeAccount::Conjunta]
        .map(|kind| choice(kind.as_str(), texts::type_account(kind), "tipo"));
    let keys = [own_key, PixType::UserName, PixType::NumConta, PixType::Random];
    let page_data = OpeningPage {
        frame: Frame::of(bank, request).await,
        problem,
        key,
        banks: banks.collect(),
        types: types.into(),
        keys: keys.map(|kind| choice(kind.as_str(), texts::pix_type(kind), "pix")).into(),
        users: form.text("titulares").to_owned(),
        value: form.text("valor").to_owned(),
        consent: bank.config.joint_consent,
    };
    Ok(page(status, &page_data))
}
