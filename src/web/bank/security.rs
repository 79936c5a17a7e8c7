//! A customer's sessions at this bank, the last logins, and a new password.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::entry::logged_in;
use super::form::{Form, new_key};
use super::{Answer, customer, see_other, sent, shown, texts};
use crate::actors::sessions::{EndAllOf, EndNamed, Look};
use crate::audit::Event;
use crate::brazilian::date;
use crate::civil::Zone;
use crate::http::{Bank, Refused, is_common, log_in, new_password_of, note, place, prove};
use crate::ledger::{Outcome, UserName};
use crate::session::{Login, Overview, Shown};
use crate::web::frame::Frame;
use crate::web::refused::with_header;
use crate::web::{page, session};

struct SessionLine {
    name: String,
    began: String,
    used: String,
    from: String,
    is_this: bool,
}

struct LoginLine {
    at: String,
    from: String,
}

#[derive(Template)]
#[template(path = "bank/security.html")]
struct SecurityPage {
    frame: Frame,
    problem: Option<String>,
    news: Option<&'static str>,
    warning: Option<&'static str>,
    key: String,
    user: UserName,
    sessions: Vec<SessionLine>,
    logins: Vec<LoginLine>,
    idle: u32,
    most: u32,
}

/// `GET /seguranca`
pub(super) async fn show(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    let answer = async {
        let query = Form::of_query(&request)?;
        let changed = query.text("trocada") == "sim";
        let news = changed.then_some(texts::PASSWORD_CHANGED);
        rendered(&bank, &request, StatusCode::OK, news, None, new_key()).await
    };
    shown(&bank, &request, answer.await).await
}

async fn rendered(
    bank: &Bank,
    request: &HttpRequest,
    status: StatusCode,
    news: Option<&'static str>,
    problem: Option<String>,
    key: String,
) -> Answer {
    let user = customer(bank, request).await?;
    let token = session::token(bank.me, request).unwrap_or_default();
    let look = Look(user.clone(), token);
    let Overview { sessions, logins } = bank.actors.sessions.send(look).await?;
    let zone = &bank.config.time_zone;
    let line = |Shown { name, began, used_ms, is_this }: Shown| SessionLine {
        name,
        began: moment(zone, began.at_ms),
        used: moment(zone, used_ms),
        from: began.from,
        is_this,
    };
    let login = |Login { at_ms, from }: Login| LoginLine { at: moment(zone, at_ms), from };
    let page_data = SecurityPage {
        frame: Frame::of(bank, request).await,
        problem,
        news,
        warning: texts::common_password(Form::of_query(request)?.text("senha")),
        key,
        user,
        sessions: sessions.into_iter().map(line).collect(),
        logins: logins.into_iter().map(login).collect(),
        idle: bank.config.sessions.idle_minutes,
        most: bank.config.sessions.most_minutes,
    };
    Ok(page(status, &page_data))
}

/// `26/11/2026 21:03:07`
pub(super) fn moment(zone: &Zone, at_ms: i64) -> String {
    format!("{} {}", date(zone.date(at_ms)), zone.time(at_ms))
}

/// `POST /seguranca/sessoes`
pub(super) async fn end(bank: Data<Bank>, request: HttpRequest, body: Payload) -> HttpResponse {
    let answer = async {
        let form = sent(&request, body).await?;
        let user = customer(&bank, &request).await?;
        // Whether there still was such a session makes no difference.
        let ended = match form.text("sessao") {
            "todas" => bank.actors.sessions.send(EndAllOf(user.clone())).await? > 0,
            name => bank.actors.sessions.send(EndNamed(user.clone(), name.to_owned())).await?,
        };
        if ended {
            note(&bank, &request, Event::Logout, Some(&user));
        }
        Ok(see_other("/seguranca"))
    };
    shown(&bank, &request, answer.await).await
}

/// `POST /seguranca`
pub(super) async fn change(bank: Data<Bank>, request: HttpRequest, body: Payload) -> HttpResponse {
    shown(&bank, &request, try_change(&bank, &request, body).await).await
}

async fn try_change(bank: &Bank, request: &HttpRequest, body: Payload) -> Answer {
    let form = sent(request, body).await?;
    let user = customer(bank, request).await?;
    match changed(bank, request, &user, &form).await {
        Ok(token) => {
            let is_common = is_common(form.raw("nova"));
            let said = if is_common { "?trocada=sim&senha=comum" } else { "?trocada=sim" };
            Ok(logged_in(bank, request, token, &format!("/seguranca{said}")))
        }
        Err(refused) => {
            let unknown = refused.leaves_unknown();
            let key = if unknown { form.text("chave").to_owned() } else { new_key() };
            let problem = Some(refused.to_string());
            let page = rendered(bank, request, refused.status(), None, problem, key).await?;
            Ok(with_header(page, &refused))
        }
    }
}

/// Returns the token of a new session.
async fn changed(
    bank: &Bank,
    request: &HttpRequest,
    user: &UserName,
    form: &Form,
) -> Result<String, Refused> {
    let key = form.key()?;
    let new = form.raw("nova");
    if new != form.raw("nova2") {
        return Err(Refused::bad(texts::PASSWORDS_DIFFER));
    }
    prove(bank, request, user.as_str(), form.raw("senha").to_owned()).await?;
    let action = new_password_of(bank, request, new.to_owned()).await?;
    match place(bank, request, Some(user.clone()), Some(key), action).await?.outcome {
        Outcome::Done(_) => {
            log_in(bank, request, user.as_str(), new.to_owned()).await.map(|(_, token)| token)
        }
        Outcome::Refused(refusal) => Err(Refused::bad(refusal.to_string())),
    }
}
