//! The laboratory's switches. They exist only where `nodes.json` has `"laboratory": true`, accept
//! only forms from this bank's own pages, and pass on to the other banks what concerns all.

pub(super) mod crowd;

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, ORIGIN};
use actix_web::web::{Data, Form};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use uuid::Uuid;

use crate::actors::laboratory::{Laboratory, Link};
use crate::actors::replies::Submit;
use crate::actors::time::unix_ms;
use crate::http::{Bank, Caller, peer};
use crate::ids::{BankId, EventId};
use crate::ledger::{
    AccountNumber, Action, Amount, Centavos, Opening, PixType, Request, TypeAccount, UserName,
};
use crate::tls::Transport;
use crate::web::session::is_own_form;
use crate::wire::{self, BANK_HEADER};

/// How long passing a switch on to another bank may take.
const PASS_ON_WITHIN: Duration = Duration::from_secs(2);
/// A delay may be this fraction (one in so many) of the time that counts as silence: event,
/// acknowledgement and check follow one another.
const DELAYS_IN_PATIENCE: u64 = 4;

/// How soon all banks send a trial event together, in milliseconds: all must have heard of it by
/// then.
const TOGETHER_IN_MS: i64 = 300;

/// Who sets a switch.
#[derive(Clone, Copy, PartialEq)]
enum By {
    /// Somebody on a page of this bank.
    Person,
    /// Another bank, on whose page somebody did.
    Bank,
}

/// The laboratory, if there is one and the request may use it.
fn allowed<'a>(bank: &'a Bank, request: &HttpRequest) -> Result<(&'a Laboratory, By), StatusCode> {
    let laboratory = bank.actors.laboratory.as_ref().ok_or(StatusCode::NOT_FOUND)?;
    if peer(bank, Caller::from(request)).is_ok() {
        return Ok((laboratory, By::Bank));
    }
    // Every browser names the origin of a form that it posts.
    if request.headers().contains_key(ORIGIN) && is_own_form(request) {
        return Ok((laboratory, By::Person));
    }
    Err(StatusCode::FORBIDDEN)
}

/// Answers a script with the state of the switches, everybody else with the page again.
fn done(laboratory: &Laboratory, request: &HttpRequest) -> HttpResponse {
    let accepts =
        request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepts.contains("application/json") {
        HttpResponse::Ok().json(laboratory.weather())
    } else {
        HttpResponse::SeeOther().insert_header((LOCATION, "/consorcio")).finish()
    }
}

/// Sets the same switch at all other banks; at one that does not answer nothing changes.
fn pass_on(bank: &Bank, request: &HttpRequest, form: String) {
    let transport = Transport::with(bank.certificates.as_deref(), bank.me, bank.config.nodes.len());
    let transport = match transport {
        Ok(transport) => transport,
        Err(error) => return log::error!("bank {}: {error}", bank.me),
    };
    for other in BankId::all(bank.config.nodes.len()).filter(|other| *other != bank.me) {
        let url = format!("{}{}", bank.config.nodes[other.index()].url(), request.path());
        let sending = wire::client_of_peer(other, &transport, 1, PASS_ON_WITHIN)
            .post(url)
            .insert_header((AUTHORIZATION, format!("Bearer {}", bank.secret)))
            .insert_header((BANK_HEADER, bank.me.to_string()))
            .insert_header((CONTENT_TYPE, "application/x-www-form-urlencoded"))
            .send_body(form.clone());
        let me = bank.me;
        actix_web::rt::spawn(async move {
            if let Err(error) = sending.await {
                log::info!("bank {me}: the laboratory does not reach bank {other}: {error}");
            }
        });
    }
}

#[derive(Deserialize)]
pub(super) struct Delay {
    atraso_ms: u64,
}

/// `POST /consorcio/laboratorio/atraso`: holds back all messages between all banks.
pub(super) async fn slow_down(
    bank: Data<Bank>,
    request: HttpRequest,
    form: Form<Delay>,
) -> HttpResponse {
    let (laboratory, by) = match allowed(&bank, &request) {
        Ok(allowed) => allowed,
        Err(status) => return HttpResponse::new(status),
    };
    let delay_ms = form.atraso_ms.min(bank.config.heartbeat.failure_after_ms / DELAYS_IN_PATIENCE);
    laboratory.slow_down(delay_ms);
    if by == By::Person {
        pass_on(&bank, &request, format!("atraso_ms={delay_ms}"));
    }
    done(laboratory, &request)
}

#[derive(Deserialize)]
pub(super) struct LinkForm {
    banco: BankId,
    estado: Link,
}

/// `POST /consorcio/laboratorio/ligacao`: stops, cuts or heals the link between this bank and
/// another.
pub(super) async fn set_link(
    bank: Data<Bank>,
    request: HttpRequest,
    form: Form<LinkForm>,
) -> HttpResponse {
    let (laboratory, by) = match allowed(&bank, &request) {
        Ok(allowed) => allowed,
        Err(status) => return HttpResponse::new(status),
    };
    let LinkForm { banco, estado } = *form;
    if by == By::Bank || banco == bank.me || banco.index() >= bank.config.nodes.len() {
        return HttpResponse::BadRequest().finish();
    }
    log::warn!("bank {}: laboratory: link to bank {banco}: {estado}", bank.me);
    laboratory.set(banco, estado);
    done(laboratory, &request)
}

#[derive(Deserialize)]
pub(super) struct Trial {
    onde: Where,
    /// When to send it, in milliseconds since 1970, so that all banks send at the same time.
    quando: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Where {
    Aqui,
    Todos,
}

/// `POST /consorcio/laboratorio/evento`: sends a trial event here, or at all banks at once.
pub(super) async fn send_trial(
    bank: Data<Bank>,
    request: HttpRequest,
    form: Form<Trial>,
) -> HttpResponse {
    let (laboratory, by) = match allowed(&bank, &request) {
        Ok(allowed) => allowed,
        Err(status) => return HttpResponse::new(status),
    };
    let mut wait_ms =
        form.quando.unwrap_or_default().saturating_sub(unix_ms()).clamp(0, TOGETHER_IN_MS);
    if by == By::Person && matches!(form.onde, Where::Todos) {
        let at_ms = unix_ms().saturating_add(TOGETHER_IN_MS);
        wait_ms = TOGETHER_IN_MS;
        pass_on(&bank, &request, format!("onde=aqui&quando={at_ms}"));
    }
    actix_web::rt::time::sleep(Duration::from_millis(wait_ms.unsigned_abs())).await;
    // Nobody waits for the outcome: the page shows it.
    let (submit, _) = Submit::new(trial(&bank).to_raw());
    bank.actors.routes.replies.do_send(submit);
    done(laboratory, &request)
}

/// A request that every ledger refuses and that leaves no trace: an account opened with less than
/// the minimum.
fn trial(bank: &Bank) -> Request {
    let opening = Opening {
        user_name: UserName::parse("laboratorio").expect("a user name of letters"),
        type_account: TypeAccount::Pf,
        pix_type: PixType::NumConta,
        users: Vec::new(),
        value_init: Amount::parse(Centavos::new(1)).expect("one centavo is an amount"),
        numbers: vec![AccountNumber::parse("100000").expect("six digits")],
        random_key: "laboratorio".into(),
        consent: false,
    };
    request_of(bank, Action::CreateAccount(opening))
}

/// A request that no customer has sent.
fn request_of(bank: &Bank, action: Action) -> Request {
    Request {
        id: EventId::new(bank.me, &Uuid::new_v4().to_string()),
        at_ms: None,
        key: None,
        by: None,
        own: false,
        offset_s: None,
        confirmed: false,
        action,
    }
}
