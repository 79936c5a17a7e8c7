//! What became of a package: it is sent once, under the key that was drawn when its page was
//! rendered; afterwards the ledger is asked for that key, which moves no money, and a package that
//! was executed has an address of its own.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::rows::{Picture, picture};
use super::state::{Flow, State};
use super::{moved, rendered};
use crate::actors::ledger::Ask;
use crate::http::{Bank, By, Refused, place};
use crate::ids::Position;
use crate::ledger::{
    Action, Book, Done, Executed, IdempotencyKey, Outcome, Package, Refusal, UserName,
};
use crate::web::bank::form::Form;
use crate::web::bank::overview::bank_name;
use crate::web::bank::{Answer, check_password, customer, receipt, see_other, shown, texts};
use crate::web::frame::Frame;
use crate::web::page;
use crate::web::refused::with_header;
use crate::wire::escaped;

#[derive(Template)]
#[template(path = "bank/executed.html")]
struct ExecutedPage {
    frame: Frame,
    picture: Picture,
    position: Position,
}

/// Sends the package.
pub(super) async fn confirm(
    bank: &Bank,
    request: &HttpRequest,
    user: UserName,
    form: &Form,
    mut state: State,
) -> Answer {
    let key = form.key()?;
    // What may have been executed under another key must not be forgotten, nor sent under this one,
    // because another page is open.
    let kept = State::kept(bank, &user, state.flow).await?;
    if kept.unknown && kept.key.as_ref() != Some(&key) {
        return Ok(moved(request, state.flow.path()));
    }
    let Ok(package) = Package::parse(state.operations.clone()) else {
        state.problem = Some(texts::BASKET_EMPTY.into());
        return rendered(bank, user, StatusCode::BAD_REQUEST, state).await;
    };
    let gives_password = state.flow == Flow::Pix || !form.raw("senha").is_empty();
    if gives_password && let Err(refused) = check_password(bank, request, &user, form).await {
        return not_sent(bank, user, key, state, &refused).await;
    }
    let by = match gives_password {
        true => By::confirmed(user.clone()),
        false => By::from(Some(user.clone())),
    };
    // Whoever loads the page anew meanwhile, or comes back later, must not send it a second time.
    (state.unknown, state.key) = (true, Some(key.clone()));
    state.keep(bank, &user);
    let sent = place(bank, request, by, Some(key.clone()), Action::Operations(package));
    match sent.await {
        Ok(executed) => settled(bank, request, user, key, state, executed).await,
        Err(refused) => {
            state.unknown = refused.leaves_unknown();
            state.key = state.key.filter(|_| state.unknown);
            state.problem = Some(match &refused {
                Refused::UnknownOutcome => texts::NOT_KNOWN_YET.to_owned(),
                other => other.to_string(),
            });
            let page = rendered(bank, user, refused.status(), state).await?;
            Ok(with_header(page, &refused))
        }
    }
}

/// Shows why nothing was sent now; what was sent before may still have been executed.
async fn not_sent(
    bank: &Bank,
    user: UserName,
    key: IdempotencyKey,
    mut state: State,
    refused: &Refused,
) -> Answer {
    let kept = State::kept(bank, &user, state.flow).await?;
    state.unknown = kept.unknown && kept.key.as_ref() == Some(&key);
    state.key = Some(key).filter(|_| state.unknown);
    state.problem = Some(refused.to_string());
    let page = rendered(bank, user, refused.status(), state).await?;
    Ok(with_header(page, refused))
}

/// Finds out what became of a package that was sent.
pub(super) async fn ask(
    bank: &Bank,
    request: &HttpRequest,
    user: UserName,
    key: IdempotencyKey,
    mut state: State,
) -> Answer {
    if let Some(executed) = answered(bank, &user, &key).await? {
        return settled(bank, request, user, key, state, executed).await;
    }
    (state.unknown, state.key) = (true, Some(key));
    state.problem = Some(texts::NOT_EXECUTED_SO_FAR.into());
    rendered(bank, user, StatusCode::OK, state).await
}

/// What the ledger has executed under a key, if anything.
pub(super) async fn answered(
    bank: &Bank,
    user: &UserName,
    key: &IdempotencyKey,
) -> Result<Option<Executed>, Refused> {
    let (user, key) = (user.clone(), key.clone());
    let asked = Ask(move |book: &Book| book.answered(&user, &key));
    Ok(bank.actors.routes.ledger.send(asked).await?)
}

/// Leads to the page of a package that was executed, or shows why it was refused.
pub(super) async fn settled(
    bank: &Bank,
    request: &HttpRequest,
    user: UserName,
    key: IdempotencyKey,
    mut state: State,
    executed: Executed,
) -> Answer {
    match executed.outcome {
        Outcome::Done(_) => {
            state.keep_as_executed(bank, &user, &key);
            let address = match (state.flow, state.operations.first()) {
                (Flow::Pix, Some(paid)) => {
                    receipt::address(bank, (paid.bank, paid.account), executed.position).await?
                }
                _ => format!("/pacote/{}", escaped(key.as_str())),
            };
            Ok(moved(request, &address))
        }
        Outcome::Refused(refusal) => {
            (state.unknown, state.key) = (false, None);
            state.refused = executed.operation;
            refused(bank, user, state, refusal).await
        }
    }
}

async fn refused(bank: &Bank, user: UserName, mut state: State, refusal: Refusal) -> Answer {
    let status =
        if refusal.is_forbidden() { StatusCode::FORBIDDEN } else { StatusCode::BAD_REQUEST };
    state.problem = Some(texts::refusal(&refusal, |of| bank_name(bank, of)));
    rendered(bank, user, status, state).await
}

/// `GET /pacote/{chave}`: a package that was executed.
pub(in crate::web::bank) async fn show(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    shown(&bank, &request, try_show(&bank, &request).await).await
}

async fn try_show(bank: &Bank, request: &HttpRequest) -> Answer {
    let user = customer(bank, request).await?;
    let no_such = Refused::NoSuchPage(texts::NO_SUCH_PACKAGE);
    let key = IdempotencyKey::parse(request.match_info().query("chave"));
    let key = key.map_err(|_| no_such.clone())?;
    match answered(bank, &user, &key).await? {
        Some(Executed { outcome: Outcome::Done(Done::PackageExecuted), position, .. }) => {
            let frame = Frame::of(bank, request).await;
            let mut state = State::executed(bank, &user, &key).await?;
            state.position = Some(position);
            let picture = picture(bank, &user, &frame.absent, &state).await?;
            Ok(page(StatusCode::OK, &ExecutedPage { frame, picture, position }))
        }
        Some(Executed { outcome: Outcome::Refused(refusal), .. }) => {
            Err(Refused::bad(texts::refusal(&refusal, |of| bank_name(bank, of))))
        }
        _ => {
            for flow in [Flow::Package, Flow::Pix] {
                if State::kept(bank, &user, flow).await?.key.as_ref() == Some(&key) {
                    return Ok(see_other(flow.path()));
                }
            }
            Err(no_such)
        }
    }
}
