//! The internet bank: pages at `/`, one file a topic.
//!
//! Forms are sent with POST and answered with a page or a way to one; a form that changes something carries a key drawn
//! when it was rendered, so that sending it twice does it once. Pages read the node's own copy of the ledger, which has
//! the accounts of all banks.

mod basket;
mod br_code;
mod charge;
mod chart;
mod entry;
mod export;
mod form;
mod money;
mod opening;
mod overview;
mod package;
mod recipient;
mod statement;
mod texts;
mod trial;

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::middleware::from_fn;
use actix_web::web::{Payload, ServiceConfig, get, post, resource};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Responder, guard};
use askama::Template;

use self::form::Form;
use super::frame::Frame;
use super::{page, session};
use crate::http::{Bank, Refused, mark_figures};
use crate::ledger::UserName;

/// The pages' routes.
pub(super) fn configure(app: &mut ServiceConfig) {
    figures(app, "/", overview::show);
    app.route("/entrar", get().to(entry::login_form))
        .route("/entrar", post().to(entry::login))
        .route("/sair", post().to(entry::logout))
        .route("/cadastro", get().to(entry::register_form))
        .route("/cadastro", post().to(entry::register))
        .route("/contas/nova", get().to(opening::form))
        .route("/contas/nova", post().to(opening::open))
        .route("/pacote", get().to(package::empty))
        .route("/pacote", post().to(package::act))
        .route("/pacote/destinatario", get().to(recipient::find));
    figures(app, "/contas/{account}", statement::show);
    figures(app, "/contas/{account}/extrato.csv", export::csv);
    figures(app, "/contas/{account}/extrato.ofx", export::ofx);
    figures(app, "/cobranca", charge::show);
}

/// A page that shows what the ledger holds, and says so when that may be old.
fn figures<F, A>(app: &mut ServiceConfig, path: &str, show: F)
where
    F: Handler<A>,
    A: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    app.service(resource(path).guard(guard::Get()).wrap(from_fn(mark_figures)).route(get().to(show)));
}

/// What a page handler comes to.
type Answer = Result<HttpResponse, Refused>;

#[derive(Template)]
#[template(path = "bank/refused.html")]
struct RefusedPage {
    frame: Frame,
    message: String,
}

/// Shows a refusal as a page; who is not logged in is asked to.
async fn shown(bank: &Bank, request: &HttpRequest, answer: Answer) -> HttpResponse {
    match answer {
        Ok(response) => response,
        Err(refused) if refused.status == StatusCode::UNAUTHORIZED => {
            let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
            let target = if request.method() == actix_web::http::Method::GET { target } else { "/" };
            see_other(&entry::login_address(target))
        }
        Err(refused) => {
            let frame = Frame::of(bank, request).await;
            page(refused.status, &RefusedPage { frame, message: refused.descript })
        }
    }
}

/// Who is logged in.
async fn customer(bank: &Bank, request: &HttpRequest) -> Result<UserName, Refused> {
    session::customer(bank, request).await.ok_or_else(Refused::no_session)
}

/// The fields of a form that was sent from a page of this bank.
async fn sent(request: &HttpRequest, body: Payload) -> Result<Form, Refused> {
    if !session::is_own_form(request) {
        return Err(Refused::not_yours(texts::FOREIGN_FORM));
    }
    Form::receive(body).await
}

/// The way to another page of this bank, after something was done.
fn see_other(path: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, path)).finish()
}
