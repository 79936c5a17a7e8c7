//! The internet bank: pages at `/`, one file per topic.
//!
//! Forms are sent with POST and answered with a page or a redirect to one; a form that changes
//! something carries a key drawn when it was rendered, so that sending it twice does it once. Pages
//! read the node's own copy of the ledger, which has the accounts of all banks.

mod basket;
mod br_code;
mod charge;
mod chart;
mod document;
mod entry;
mod export;
mod favourites;
mod filter;
mod form;
mod given_back;
mod joint;
mod keys;
mod limits;
mod live;
mod login_page;
mod money;
mod month;
mod opening;
mod overview;
mod package;
mod paper;
mod print;
mod receipt;
mod recipient;
mod refund;
mod schedules;
mod search;
mod security;
mod settings;
mod statement;
mod texts;

use actix_web::dev::HttpServiceFactory;
use actix_web::http::header::LOCATION;
use actix_web::middleware::from_fn;
use actix_web::web::{Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use self::br_code::Charge;
use self::form::Form;
use super::refused::{refused_page, resource};
use super::session;
use crate::http::{
    Bank, By, Methods, Refused, at, mark_figures, place, prove_again, take_of_customer,
};
use crate::ids::BankId;
use crate::ledger::{Action, Done, Outcome, UserName};

/// The header by which htmx identifies itself.
const FROM_SCRIPT: &str = "hx-request";

/// The pages' routes.
pub(super) fn configure(app: &mut ServiceConfig) {
    app.service(figures(at("/").get(overview::show)))
        .service(resource(at("/entrar").get(entry::login_form).post(entry::login)))
        .service(resource(at("/sair").post(entry::logout)))
        .service(resource(at("/seguranca").get(security::show).post(security::change)))
        .service(resource(at("/seguranca/sessoes").post(security::end)))
        .service(resource(at("/chegadas").get(live::stream_arrivals)))
        .service(figures(at("/favoritos").get(favourites::show).post(favourites::act)))
        .service(figures(at("/agendados").get(schedules::show).post(schedules::act)))
        .service(figures(at("/limites").get(limits::show).post(limits::change)))
        .service(resource(at("/cadastro").get(entry::register_form).post(entry::register)))
        .service(resource(at("/cadastro/documento").get(document::check)))
        .service(resource(at("/contas/nova").get(opening::form).post(opening::open)))
        .service(resource(at("/contas/conjunta").post(joint::answer)))
        .service(resource(at("/pacote").get(package::show).post(package::act)))
        .service(resource(at("/pacote/destinatario").get(recipient::find)))
        .service(figures(at("/pacote/{chave}").get(package::outcome::show)))
        .service(resource(at("/pagar").get(package::pix::show).post(package::pix::act)))
        .service(resource(at("/pagar/valor").get(package::pix::show)))
        .service(resource(at("/pagar/confirmar").get(package::pix::show)))
        .service(figures(at("/contas/{account}").get(statement::show)))
        .service(figures(at("/contas/{account}/chaves").get(keys::show).post(keys::act)))
        .service(figures(at("/contas/{account}/ajustes").get(settings::show).post(settings::act)))
        .service(figures(at("/contas/{account}/extrato.csv").get(export::csv)))
        .service(figures(at("/contas/{account}/extrato.ofx").get(export::ofx)))
        .service(figures(at("/contas/{account}/extrato.pdf").get(print::statement_pdf)))
        .service(figures(at("/contas/{account}/comprovante/{entry}").get(receipt::show)))
        .service(figures(at("/contas/{account}/comprovante/{entry}/pdf").get(print::receipt_pdf)))
        .service(figures(
            at("/contas/{account}/comprovante/{entry}/devolver")
                .get(refund::show)
                .post(refund::give_back),
        ))
        .service(figures(at("/cobranca").get(charge::show)));
}

/// A page that shows what the ledger holds, and says so when that may be old.
fn figures(methods: Methods) -> impl HttpServiceFactory {
    resource(methods).wrap(from_fn(mark_figures))
}

/// The result of a page handler.
type Answer = Result<HttpResponse, Refused>;

/// Reads what somebody has copied as a charge; returns whether it is one.
pub(crate) fn is_code(text: &str) -> bool {
    Charge::read(text).is_ok()
}

/// Shows a refusal as a page; somebody who is not logged in gets the login page.
async fn shown(bank: &Bank, request: &HttpRequest, answer: Answer) -> HttpResponse {
    match answer {
        Ok(response) => response,
        Err(Refused::NoSession) => {
            let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
            let target = if request.method().is_safe() { target } else { "/" };
            see_other(&entry::login_address(target))
        }
        Err(refused) => refused_page(bank, request, refused).await,
    }
}

/// Who is logged in.
async fn customer(bank: &Bank, request: &HttpRequest) -> Result<UserName, Refused> {
    let user = session::customer(bank, request).await.ok_or(Refused::NoSession)?;
    take_of_customer(bank, request, &user).await?;
    Ok(user)
}

/// A bank's name in `nodes.json`.
fn bank_name(bank: &Bank, of: BankId) -> String {
    bank.config
        .nodes
        .get(of.index())
        .map_or_else(|| format!("Banco {of}"), |node| node.name.clone())
}

/// Whether whoever confirms knows the customer's password.
async fn check_password(
    bank: &Bank,
    request: &HttpRequest,
    user: &UserName,
    form: &Form,
) -> Result<(), Refused> {
    prove_again(bank, request, user, form.raw("senha").to_owned()).await
}

/// Orders what a form asks for, under the form's key. The ledger's refusal names banks.
async fn ordered(
    bank: &Bank,
    request: &HttpRequest,
    by: impl Into<By>,
    form: &Form,
    action: Action,
) -> Result<Done, Refused> {
    let key = form.key()?;
    match place(bank, request, by, Some(key), action).await?.outcome {
        Outcome::Done(done) => Ok(done),
        Outcome::Refused(refusal) => {
            Err(Refused::bad(texts::refusal(&refusal, |of| bank_name(bank, of))))
        }
    }
}

/// The fields of a form that was sent from a page of this bank.
async fn sent(request: &HttpRequest, body: Payload) -> Result<Form, Refused> {
    if !session::is_own_form(request) {
        return Err(Refused::ForeignForm);
    }
    Form::receive(request, body).await
}

/// The fields of such a form and who is logged in, if anybody is: it may be large, and is taken off
/// their share before it is read.
async fn sent_by(
    bank: &Bank,
    request: &HttpRequest,
    body: Payload,
) -> Result<(Form, Option<UserName>), Refused> {
    let user = session::customer(bank, request).await.filter(|_| session::is_own_form(request));
    if let Some(user) = &user {
        take_of_customer(bank, request, user).await?;
    }
    Ok((sent(request, body).await?, user))
}

/// Redirects to another page of this bank, after something was done.
fn see_other(path: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, path)).finish()
}
