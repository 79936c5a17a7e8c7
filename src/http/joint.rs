//! Joint accounts that wait for their holders: list those of a customer, and answer.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::auth::customer;
use super::body::{Fields, receive};
use super::freshness::read;
use super::order::{JOINT_ASKED_MAX, idempotency_key, order};
use super::refusal::{Bad, Refused};
use super::{Bank, texts};
use crate::civil::Zone;
use crate::ids::BankId;
use crate::ledger::joint::{JOINT_WAITING_MAX, JointRequest};
use crate::ledger::{AccountNumber, Action, Book, JointAnswer, PixKey, Reais, UserName};

/// The most that are listed at once: those of others, and the customer's own.
const LISTED_MAX: usize = JOINT_ASKED_MAX + JOINT_WAITING_MAX;

/// One of them, as those see it who are to hold the account.
#[derive(Serialize)]
struct Listed {
    bank: BankId,
    num_account: AccountNumber,
    kay_pix: PixKey,
    /// Who wants to open it: full name, user name, and the middle of the document.
    opener: Opener,
    user_names: Vec<UserName>,
    waiting_for: Vec<UserName>,
    value_init: Reais,
    at: String,
    /// Whether the customer's own answer is missing.
    your_answer: bool,
}

#[derive(Serialize)]
struct Opener {
    name: String,
    user_name: UserName,
    num_cadastro: String,
}

/// The answer: written as it is, so that money does not become a floating-point number.
#[derive(Serialize)]
struct Requests {
    data: Vec<Listed>,
    descript: &'static str,
}

/// `GET /joint_requests`
pub(super) async fn list(
    bank: web::Data<Bank>,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let user = customer(&bank, &request).await?.ok_or(Refused::NoSession)?;
    let zone = bank.config.time_zone.clone();
    let listed = move |book: &Book| {
        let requests = book.joint_requests_of(&user).take(LISTED_MAX);
        requests.filter_map(|joint| of(book, joint, &user, &zone)).collect::<Vec<_>>()
    };
    let data = read(&bank, &request, listed).await?;
    Ok(HttpResponse::Ok().json(Requests { data, descript: texts::JOINT_LISTED }))
}

fn of(book: &Book, joint: &JointRequest, reader: &UserName, zone: &Zone) -> Option<Listed> {
    let opener = book.customer(joint.opener())?;
    Some(Listed {
        bank: joint.bank,
        num_account: joint.number,
        kay_pix: joint.key.clone(),
        opener: Opener {
            name: opener.name.to_string(),
            user_name: opener.user_name.clone(),
            num_cadastro: opener.num_cadastro.masked(),
        },
        user_names: joint.holders.clone(),
        waiting_for: joint.waiting_for().cloned().collect(),
        value_init: Reais(joint.value_init.get()),
        at: zone.written(joint.at_ms),
        your_answer: joint.waits_for(reader),
    })
}

/// `POST /joint_requests/{bank}/{num_account}`
pub(super) async fn answer(
    bank: web::Data<Bank>,
    request: HttpRequest,
    path: web::Path<(u16, String)>,
    body: web::Payload,
) -> Result<HttpResponse, Refused> {
    let user = customer(&bank, &request).await?.ok_or(Refused::NoSession)?;
    let key = idempotency_key(&request)?;
    let (at, account) = path.into_inner();
    let account = AccountNumber::parse(&account).map_err(|_| Refused::from(Bad::Path))?;
    let body = receive(&request, body).await?;
    let accept = Fields::of_body(&body)?.word::<bool>("accept", &["true", "false"])?;
    let action = Action::AnswerJoint(JointAnswer { bank: BankId(at), account, accept });
    order(&bank, &request, Some(user), key, action).await
}
