//! The package builder: a basket of operations that is tried out before it is sent.
//!
//! The basket travels in the form ([`basket`]), so that what is sent is what the customer sees, and
//! the bank keeps it for the next page ([`state`]). Every button sends the whole basket back; only
//! 'confirm' orders anything ([`outcome`]).

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use self::outcome::{answered, ask, confirm, settled};
use self::rows::{Picture, picture};
use self::state::{Flow, State};
use super::basket;
use super::basket::Draft;
use super::br_code::Charge;
use super::form::{Form, new_key};
use super::login_page::LoginPage;
use super::overview::{AccountLine, accounts_of};
use super::{Answer, FROM_SCRIPT, customer, recipient, see_other, sent_by, shown, texts};
use crate::actors::ledger::Ask;
use crate::http::{Bank, Refused, may_move};
use crate::ledger::{Book, IdempotencyKey, OperationKind, UserName};
use crate::web::frame::Frame;
use crate::web::page;
use crate::web::refused::with_header;

pub(super) mod outcome;
pub(super) mod pix;
mod rows;
mod state;

/// The fields that are kept when a session has ended.
const KEPT: [&str; 11] = [
    "chave", "acao", "incerto", "op", "tipo", "conta", "valor", "pix", "mensagem", "cobranca",
    "codigo",
];

#[derive(Template)]
#[template(path = "bank/package.html")]
struct PackagePage {
    frame: Frame,
    accounts: Vec<AccountLine>,
    picture: Picture,
    key: String,
    state: State,
    /// Whether the customer wants to be asked for the password above some sum.
    asks_password: bool,
}

impl PackagePage {
    fn draft_is(&self, kind: &str) -> bool {
        self.state.draft.kind == kind
    }
}

/// `GET /pacote`
pub(super) async fn show(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    shown(&bank, &request, try_show(&bank, &request).await).await
}

async fn try_show(bank: &Bank, request: &HttpRequest) -> Answer {
    let user = customer(bank, request).await?;
    let mut state = State::kept(bank, &user, Flow::Package).await?;
    recipient::of_basket(bank, request, &user, &state.operations).await?;
    if let Some(key) = state.key.clone() {
        if let Some(executed) = answered(bank, &user, &key).await? {
            return settled(bank, request, user, key, state, executed).await;
        }
        let problem = if state.unknown { texts::NOT_EXECUTED_SO_FAR } else { texts::NOT_SENT };
        state.problem = Some(problem.into());
    }
    let account = Form::of_query(request)?.text("conta").to_owned();
    if !account.is_empty() {
        state.draft.account = account;
    }
    if state.draft.kind.is_empty() {
        state.draft.kind = "T".into();
    }
    if state.draft.kind == "T" && !state.draft.pix.is_empty() {
        state.recipient = recipient::typed(bank, request, &user, &state.draft.pix).await.ok();
    }
    rendered(bank, user, StatusCode::OK, state).await
}

/// `POST /pacote`: one of the form's buttons.
pub(super) async fn act(bank: Data<Bank>, request: HttpRequest, body: Payload) -> HttpResponse {
    shown(&bank, &request, try_act(&bank, &request, body).await).await
}

async fn try_act(bank: &Bank, request: &HttpRequest, body: Payload) -> Answer {
    let (form, user) = sent_by(bank, request, body).await?;
    let Some(user) = user else {
        return keep_for_login(bank, &form, Flow::Package).await;
    };
    let mut state = State::read(&form)?;
    recipient::of_basket(bank, request, &user, &state.operations).await?;
    match form.text("acao") {
        "confirmar" => return confirm(bank, request, user, &form, state).await,
        "perguntar" => return ask(bank, request, user, form.key()?, state).await,
        "esvaziar" => {
            State::default().keep(bank, &user);
            return Ok(moved(request, "/pacote"));
        }
        _ => {}
    }
    let kept = State::kept(bank, &user, Flow::Package).await?;
    // A package under way must not be forgotten because another page is open.
    if kept.unknown && form.key().ok() != kept.key {
        return Ok(moved(request, "/pacote"));
    }
    // A code may come from a page that has no basket.
    if form.key().is_err() && state.operations.is_empty() {
        state.operations = kept.operations;
    }
    match form.text("acao") {
        "adicionar" => add(bank, request, user, &form, state).await,
        "ler" => read_code(bank, request, user, &form, state).await,
        other => {
            let index = other.strip_prefix("remover-").and_then(|index| index.parse().ok());
            if let Some(index) = index.filter(|index: &usize| *index < state.operations.len()) {
                state.operations.remove(index);
            }
            changed(bank, request, user, state).await
        }
    }
}

/// Adds the operation in the fields; a transfer only once its payee has been seen.
async fn add(
    bank: &Bank,
    request: &HttpRequest,
    user: UserName,
    form: &Form,
    mut state: State,
) -> Answer {
    let payee = recipient::typed(bank, request, &user, &state.draft.pix).await;
    let payee = payee.map_err(|error| error.to_string());
    let read = state.draft.read(payee.clone().map(|payee| payee.key)).and_then(|operation| {
        let allowed = may_move(bank, operation.kind.value());
        allowed.map(|()| operation).map_err(|above| above.to_string())
    });
    let operation = match read {
        Ok(operation) => operation,
        Err(problem) => return corrected(bank, user, state, problem).await,
    };
    if let (OperationKind::Transfer { pix, .. }, Ok(payee)) = (&operation.kind, payee)
        && form.text("conferido") != pix.as_str()
    {
        state.recipient = Some(payee);
        return changed(bank, request, user, state).await;
    }
    if let Err(problem) = basket::add(&mut state.operations, operation) {
        return corrected(bank, user, state, problem).await;
    }
    state.draft =
        Draft { kind: state.draft.kind, account: state.draft.account, ..Draft::default() };
    changed(bank, request, user, state).await
}

/// Puts a charge into the fields and shows its payee.
async fn read_code(
    bank: &Bank,
    request: &HttpRequest,
    user: UserName,
    form: &Form,
    mut state: State,
) -> Answer {
    let charge = match Charge::read(form.text("codigo")) {
        Ok(charge) => charge,
        Err(error) => return corrected(bank, user, state, error.to_string()).await,
    };
    match recipient::typed(bank, request, &user, charge.key.as_str()).await {
        Ok(recipient) => {
            state.draft.code.clear();
            state.draft.take(charge);
            state.recipient = Some(recipient);
            changed(bank, request, user, state).await
        }
        Err(refused) => corrected(bank, user, state, refused.to_string()).await,
    }
}

/// The page with what is to be corrected in its fields.
async fn corrected(bank: &Bank, user: UserName, mut state: State, problem: String) -> Answer {
    state.draft_problem = Some(problem);
    rendered(bank, user, StatusCode::BAD_REQUEST, state).await
}

/// The page after a change. Without a script it is loaded anew from its own address, where loading
/// it once more repeats nothing.
async fn changed(bank: &Bank, request: &HttpRequest, user: UserName, state: State) -> Answer {
    if request.headers().contains_key(FROM_SCRIPT) {
        return rendered(bank, user, StatusCode::OK, state).await;
    }
    state.keep(bank, &user);
    Ok(see_other("/pacote"))
}

/// Leads to another page, from a form or from a script.
fn moved(request: &HttpRequest, path: &str) -> HttpResponse {
    if request.headers().contains_key(FROM_SCRIPT) {
        HttpResponse::Ok().insert_header(("hx-redirect", path)).finish()
    } else {
        see_other(path)
    }
}

/// The session has ended; the basket is kept in the login form.
async fn keep_for_login(bank: &Bank, form: &Form, flow: Flow) -> Answer {
    let login = LoginPage {
        frame: Frame::for_customer(bank, "/entrar", None).await,
        problem: Some(texts::LOG_IN_TO_GO_ON.into()),
        user_name: String::new(),
        target: flow.path().into(),
        basket: Some(format!("fluxo={}&{}", flow.name(), form.written(&KEPT))),
    };
    let refused = Refused::NoSession;
    Ok(with_header(page(refused.status(), &login), &refused))
}

/// The package that a login form has kept, read before anybody is logged in.
pub(super) struct Basket(State);

impl Basket {
    pub(super) fn parse(text: &str) -> Result<Basket, Refused> {
        State::of_unsent(&Form::parse(text)?).map(Basket)
    }

    /// From now on the bank keeps it.
    pub(super) fn keep(&self, bank: &Bank, user: &UserName) {
        self.0.keep(bank, user);
    }
}

async fn rendered(bank: &Bank, user: UserName, status: StatusCode, state: State) -> Answer {
    if state.flow == Flow::Pix {
        return pix::confirmation(bank, user, status, state).await;
    }
    state.keep(bank, &user);
    let frame = Frame::for_customer(bank, "/pacote", Some(user.clone())).await;
    let picture = picture(bank, &user, &frame.absent, &state).await?;
    let accounts = accounts_of(bank, &user).await?;
    let key = state.key.as_ref().map(IdempotencyKey::as_str);
    let key = key.map_or_else(new_key, str::to_owned);
    let asks_password = Ask(move |book: &Book| book.confirm_above(&user).is_some());
    let asks_password = bank.actors.routes.ledger.send(asks_password).await?;
    Ok(page(status, &PackagePage { frame, accounts, picture, key, state, asks_password }))
}
