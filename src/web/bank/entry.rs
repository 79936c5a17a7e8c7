//! Register, log in, log out.

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::document::{Doubt, person};
use super::form::{Form, new_key};
use super::login_page::LoginPage;
use super::package::Basket;
use super::{Answer, see_other, sent, shown, texts};
use crate::actors::sessions::End;
use crate::audit::Event;
use crate::http::{Bank, Newcomer, Refused, is_common, log_in, note, place};
use crate::ledger::Outcome;
use crate::web::frame::Frame;
use crate::web::refused::with_header;
use crate::web::{page, session};
use crate::wire::escaped;

#[derive(Template)]
#[template(path = "bank/register.html")]
struct RegisterPage {
    frame: Frame,
    problem: Option<String>,
    key: String,
    values: RegisterValues,
    doubt: Option<Doubt>,
}

/// The contents of the fields; passwords have to be typed again.
#[derive(Default)]
struct RegisterValues {
    type_person: String,
    name: String,
    num_cadastro: String,
    user_name: String,
}

/// `GET /cadastro`
pub(super) async fn register_form(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    let frame = Frame::of(&bank, &request).await;
    let (key, values) = (new_key(), RegisterValues::default());
    page(StatusCode::OK, &RegisterPage { frame, problem: None, key, values, doubt: None })
}

/// `POST /cadastro`
pub(super) async fn register(
    bank: Data<Bank>,
    request: HttpRequest,
    body: Payload,
) -> HttpResponse {
    let form = match sent(&request, body).await {
        Ok(form) => form,
        Err(refused) => return shown(&bank, &request, Err(refused)).await,
    };
    let refused = match registered(&bank, &request, &form).await {
        Ok(token) => {
            let target = if is_common(form.raw("senha")) { "/?senha=comum" } else { "/" };
            return logged_in(&bank, &request, token, target);
        }
        Err(refused) => refused,
    };
    // If the outcome is unknown, sending the very same form again finds it out.
    let key = if refused.leaves_unknown() { form.text("chave").to_owned() } else { new_key() };
    let text = |name| form.text(name).to_owned();
    let values = RegisterValues {
        type_person: text("tipo"),
        name: text("nome"),
        num_cadastro: text("documento"),
        user_name: text("usuario"),
    };
    let frame = Frame::of(&bank, &request).await;
    let (problem, doubt) = (Some(refused.to_string()), Doubt::of(&bank, &form));
    let register = RegisterPage { frame, problem, key, values, doubt };
    with_header(page(refused.status(), &register), &refused)
}

async fn registered(bank: &Bank, request: &HttpRequest, form: &Form) -> Result<String, Refused> {
    let key = form.key()?;
    let type_person = person(form).ok_or_else(|| Refused::bad(texts::CHOOSE_PERSON))?;
    if let Some(doubt) = Doubt::of(bank, form).filter(|doubt| !doubt.confirmed) {
        return Err(Refused::from(&doubt));
    }
    if form.raw("senha") != form.raw("senha2") {
        return Err(Refused::bad(texts::PASSWORDS_DIFFER));
    }
    let newcomer = Newcomer {
        type_person,
        name: form.text("nome").to_owned(),
        num_cadastro: form.text("documento").to_owned(),
        user_name: form.text("usuario").to_owned(),
        password: form.raw("senha").to_owned(),
    };
    let executed =
        place(bank, request, None, Some(key), newcomer.registration(bank, request).await?).await?;
    if let Outcome::Refused(refusal) = executed.outcome {
        return Err(Refused::bad(refusal.to_string()));
    }
    // A repeated form gets the same answer as the first; only the password proves that it is the
    // same person.
    let password = form.raw("senha").to_owned();
    log_in(bank, request, form.text("usuario"), password).await.map(|(_, token)| token)
}

/// A new session, and the way to a page.
pub(super) fn logged_in(
    bank: &Bank,
    request: &HttpRequest,
    token: String,
    target: &str,
) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, target))
        .cookie(session::cookie(bank.me, request, token))
        .finish()
}

/// The address of the login page that leads on to a page of this bank.
pub(super) fn login_address(target: &str) -> String {
    if target == "/" {
        return "/entrar".into();
    }
    format!("/entrar?destino={}", escaped(target))
}

/// A path at this bank, never anything that a browser would take for another host.
fn own_path(target: &str) -> &str {
    let own = target.starts_with('/')
        && !target.starts_with("//")
        && !target.contains(['\\', '\r', '\n', '\t']);
    if own && target.is_ascii() { target } else { "/" }
}

/// `GET /entrar`
pub(super) async fn login_form(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    let answer = async {
        let target = own_path(Form::of_query(&request)?.text("destino")).to_owned();
        let frame = Frame::of(&bank, &request).await;
        let login =
            LoginPage { frame, problem: None, user_name: String::new(), target, basket: None };
        Ok(page(StatusCode::OK, &login))
    };
    shown(&bank, &request, answer.await).await
}

/// `POST /entrar`
pub(super) async fn login(bank: Data<Bank>, request: HttpRequest, body: Payload) -> HttpResponse {
    shown(&bank, &request, try_login(&bank, &request, body).await).await
}

async fn try_login(bank: &Bank, request: &HttpRequest, body: Payload) -> Answer {
    let form = sent(request, body).await?;
    let target = own_path(form.text("destino"));
    let basket = Some(form.raw("pacote")).filter(|basket| !basket.is_empty());
    match log_in(bank, request, form.text("usuario"), form.raw("senha").to_owned()).await {
        Ok((user, token)) => {
            if let Some(basket) = basket {
                Basket::parse(basket)?.keep(bank, &user);
            }
            Ok(logged_in(bank, request, token, target))
        }
        Err(refused) => {
            let frame = Frame::of(bank, request).await;
            let login = LoginPage {
                frame,
                problem: Some(refused.to_string()),
                user_name: form.text("usuario").to_owned(),
                target: target.to_owned(),
                basket: basket.map(str::to_owned),
            };
            Ok(with_header(page(refused.status(), &login), &refused))
        }
    }
}

/// `POST /sair`
pub(super) async fn logout(bank: Data<Bank>, request: HttpRequest, body: Payload) -> HttpResponse {
    if let Err(refused) = sent(&request, body).await {
        return shown(&bank, &request, Err(refused)).await;
    }
    if let Some(token) = session::token(bank.me, &request) {
        // Whether there still was such a session makes no difference to somebody who is leaving.
        if let Ok(Some(user)) = bank.actors.sessions.send(End(token)).await {
            note(&bank, &request, Event::Logout, Some(&user));
        }
    }
    let mut response = see_other("/entrar");
    // A cookie of this form can always be written.
    let _ = response.add_cookie(&session::no_cookie(bank.me, &request));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_only_to_a_page_of_this_bank() {
        for path in ["/", "/pacote", "/contas/0-7?de=2026-11-23&tipo=DEPOSIT"] {
            assert_eq!(own_path(path), path);
        }
        for path in [
            "",
            "pacote",
            "//evil.test",
            "/\\evil.test",
            "https://evil.test",
            "/a\r\nb",
            "/\t/evil.test",
            "/é",
        ] {
            assert_eq!(own_path(path), "/", "{path:?}");
        }
    }

    #[test]
    fn an_address_is_found_again_after_the_login() {
        let target = "/contas/0-7?de=2026-11-23&tipo=a b";
        let address = login_address(target);
        let (_, query) = address.split_once('?').unwrap();
        assert_eq!(Form::parse(query).unwrap().text("destino"), target);
        assert_eq!(login_address("/"), "/entrar");
    }
}
