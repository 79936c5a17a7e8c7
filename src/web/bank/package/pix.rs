//! A Pix in three steps: whom, how much, and the password. It is a package of one transfer, and has
//! the package's machinery: what was sent is sent once, under the key of its page, and an unknown
//! outcome can only be asked for.
//!
//! Each step has an address, so that the way back leads to the step before; each form has
//! everything that was typed so far, so that what is sent is what the customer sees.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::outcome::{answered, ask, confirm, settled};
use super::rows::{Row, picture};
use super::state::{Flow, State};
use super::{keep_for_login, moved};
use crate::http::{Bank, may_move};
use crate::ledger::{IdempotencyKey, UserName};
use crate::web::bank::br_code::Charge;
use crate::web::bank::form::{Form, new_key};
use crate::web::bank::overview::{AccountLine, accounts_of};
use crate::web::bank::{Answer, customer, favourites, recipient, see_other, sent_by, shown, texts};
use crate::web::frame::Frame;
use crate::web::page;

/// Where a Pix under construction has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Payee,
    Value,
    Confirm,
}

impl Step {
    fn path(self) -> &'static str {
        match self {
            Step::Payee => "/pagar",
            Step::Value => "/pagar/valor",
            Step::Confirm => "/pagar/confirmar",
        }
    }

    fn of(request: &HttpRequest) -> Step {
        let steps = [Step::Value, Step::Confirm];
        steps.into_iter().find(|step| step.path() == request.path()).unwrap_or(Step::Payee)
    }

    /// The furthest step for which everything is there.
    fn reached(state: &State) -> Step {
        match (state.operations.is_empty(), &state.recipient) {
            (false, _) => Step::Confirm,
            (true, Some(_)) => Step::Value,
            (true, None) => Step::Payee,
        }
    }
}

#[derive(Template)]
#[template(path = "bank/pix.html")]
struct PixPage {
    frame: Frame,
    step: Step,
    accounts: Vec<AccountLine>,
    /// Whom the customer pays often; only for the first step.
    favourites: Vec<favourites::Line>,
    /// The transfer that is to be confirmed.
    row: Option<Row>,
    key: String,
    state: State,
}

impl PixPage {
    fn number(&self) -> usize {
        self.step as usize + 1
    }
}

/// `GET /pagar`, `/pagar/valor` and `/pagar/confirmar`
pub(in crate::web::bank) async fn show(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    shown(&bank, &request, try_show(&bank, &request).await).await
}

async fn try_show(bank: &Bank, request: &HttpRequest) -> Answer {
    let user = customer(bank, request).await?;
    let mut state = State::kept(bank, &user, Flow::Pix).await?;
    recipient::of_basket(bank, request, &user, &state.operations).await?;
    if let Some(key) = state.key.clone() {
        if let Some(executed) = answered(bank, &user, &key).await? {
            return settled(bank, request, user, key, state, executed).await;
        }
        let problem = if state.unknown { texts::NOT_EXECUTED_SO_FAR } else { texts::NOT_SENT };
        state.problem = Some(problem.into());
        return rendered(bank, user, StatusCode::OK, state, Step::Confirm).await;
    }
    if !state.draft.pix.is_empty() {
        state.recipient = recipient::typed(bank, request, &user, &state.draft.pix).await.ok();
    }
    let account = Form::of_query(request)?.text("conta").to_owned();
    if !account.is_empty() {
        state.draft.account = account;
    }
    let (wanted, reached) = (Step::of(request), Step::reached(&state));
    if wanted > reached {
        return Ok(see_other(reached.path()));
    }
    rendered(bank, user, StatusCode::OK, state, wanted).await
}

/// `POST /pagar`: a button of one of the steps.
pub(in crate::web::bank) async fn act(
    bank: Data<Bank>,
    request: HttpRequest,
    body: Payload,
) -> HttpResponse {
    shown(&bank, &request, try_act(&bank, &request, body).await).await
}

async fn try_act(bank: &Bank, request: &HttpRequest, body: Payload) -> Answer {
    let (form, user) = sent_by(bank, request, body).await?;
    let Some(user) = user else {
        return keep_for_login(bank, &form, Flow::Pix).await;
    };
    let mut state = State { flow: Flow::Pix, ..State::read(&form)? };
    recipient::of_basket(bank, request, &user, &state.operations).await?;
    match form.text("acao") {
        "confirmar" => return confirm(bank, request, user, &form, state).await,
        "perguntar" => return ask(bank, request, user, form.key()?, state).await,
        "esvaziar" => {
            State { flow: Flow::Pix, ..State::default() }.keep(bank, &user);
            return Ok(moved(request, Step::Payee.path()));
        }
        _ => {}
    }
    // A Pix under way must not be forgotten because another page is open.
    if State::kept(bank, &user, Flow::Pix).await?.unknown {
        return Ok(moved(request, Step::Confirm.path()));
    }
    state.operations.clear();
    state.draft.kind = "T".into();
    match form.text("acao") {
        "valor" => say_value(bank, request, user, state).await,
        _ => find_payee(bank, request, user, state).await,
    }
}

/// The first step: the payee of a key, of an account, or of a code, which may say the rest too.
async fn find_payee(
    bank: &Bank,
    request: &HttpRequest,
    user: UserName,
    mut state: State,
) -> Answer {
    state.draft.charge.clear();
    if Charge::seems(&state.draft.pix) {
        match Charge::read(&state.draft.pix) {
            Ok(charge) => state.draft.take(charge),
            Err(error) => {
                return corrected(bank, user, state, error.to_string(), Step::Payee).await;
            }
        }
    }
    match recipient::typed(bank, request, &user, &state.draft.pix).await {
        Ok(recipient) => {
            state.draft.pix = recipient.key.to_string();
            state.keep(bank, &user);
            Ok(see_other(Step::Value.path()))
        }
        Err(refused) => corrected(bank, user, state, refused.to_string(), Step::Payee).await,
    }
}

/// The second step: from which account, how much, and what for.
async fn say_value(bank: &Bank, request: &HttpRequest, user: UserName, mut state: State) -> Answer {
    let payee = recipient::typed(bank, request, &user, &state.draft.pix).await;
    let payee = match payee {
        Ok(payee) => payee,
        Err(refused) => {
            return corrected(bank, user, state, refused.to_string(), Step::Payee).await;
        }
    };
    let read = state.draft.read(Ok(payee.key.clone())).and_then(|operation| {
        let allowed = may_move(bank, operation.kind.value());
        allowed.map(|()| operation).map_err(|above| above.to_string())
    });
    state.recipient = Some(payee);
    match read {
        Ok(operation) => state.operations.push(operation),
        Err(problem) => return corrected(bank, user, state, problem, Step::Value).await,
    }
    let frame = Frame::for_customer(bank, Flow::Pix.path(), Some(user.clone())).await;
    let tried = picture(bank, &user, &frame.absent, &state).await?;
    // What would fail as things stand is said where it can be corrected.
    if let Some(problem) = tried.rows.into_iter().find_map(|row| row.warning) {
        return corrected(bank, user, state, problem, Step::Value).await;
    }
    state.keep(bank, &user);
    Ok(see_other(Step::Confirm.path()))
}

/// A step with what is to be corrected in its fields.
async fn corrected(
    bank: &Bank,
    user: UserName,
    mut state: State,
    problem: String,
    step: Step,
) -> Answer {
    state.operations.clear();
    state.draft_problem = Some(problem);
    rendered(bank, user, StatusCode::BAD_REQUEST, state, step).await
}

/// The last step, with what became of it so far.
pub(super) async fn confirmation(
    bank: &Bank,
    user: UserName,
    status: StatusCode,
    state: State,
) -> Answer {
    if state.operations.is_empty() {
        return Ok(see_other(Step::Payee.path()));
    }
    rendered(bank, user, status, state, Step::Confirm).await
}

async fn rendered(
    bank: &Bank,
    user: UserName,
    status: StatusCode,
    state: State,
    step: Step,
) -> Answer {
    state.keep(bank, &user);
    let frame = Frame::for_customer(bank, Flow::Pix.path(), Some(user.clone())).await;
    let picture = picture(bank, &user, &frame.absent, &state).await?;
    let accounts = accounts_of(bank, &user).await?;
    let favourites = match step {
        Step::Payee => favourites::lines(bank, &user).await?,
        _ => Vec::new(),
    };
    let key = state.key.as_ref().map(IdempotencyKey::as_str);
    let key = key.map_or_else(new_key, str::to_owned);
    let row = picture.rows.into_iter().next();
    Ok(page(status, &PixPage { frame, step, accounts, favourites, row, key, state }))
}
