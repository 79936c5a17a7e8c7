//! A customer's sessions at this bank: look at them, end them.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::auth::{bearer, customer};
use super::body::{Fields, receive};
use super::refusal::{Bad, Refused};
use super::share::note;
use super::{Bank, texts};
use crate::actors::sessions::{EndAllOf, EndNamed, Look};
use crate::audit::Event;
use crate::civil::Zone;
use crate::session::{Login, Overview, Shown};

#[derive(Serialize)]
struct ShownSession {
    /// What `POST /sessions/end` calls it.
    session: String,
    began: String,
    used: String,
    from: String,
    is_this: bool,
}

#[derive(Serialize)]
struct ShownLogin {
    at: String,
    from: String,
}

fn session(shown: Shown, zone: &Zone) -> ShownSession {
    let Shown { name, began: Login { at_ms, from }, used_ms, is_this } = shown;
    let (began, used) = (zone.written(at_ms), zone.written(used_ms));
    ShownSession { session: name, began, used, from, is_this }
}

/// `GET /sessions`
pub(super) async fn list(
    bank: web::Data<Bank>,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let user = customer(&bank, &request).await?.ok_or(Refused::NoSession)?;
    let token = bearer(request.headers()).unwrap_or_default().to_owned();
    let Overview { sessions, logins } = bank.actors.sessions.send(Look(user, token)).await?;
    let zone = &bank.config.time_zone;
    let sessions: Vec<_> = sessions.into_iter().map(|shown| session(shown, zone)).collect();
    let login = |Login { at_ms, from }: Login| ShownLogin { at: zone.written(at_ms), from };
    let logins: Vec<_> = logins.into_iter().map(login).collect();
    let data = serde_json::json!({"sessions": sessions, "logins": logins});
    let answer = serde_json::json!({"data": data, "descript": texts::SESSIONS_LISTED});
    Ok(HttpResponse::Ok().json(answer))
}

/// `POST /sessions/end`: one session by its name, or all.
pub(super) async fn end(
    bank: web::Data<Bank>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Refused> {
    let user = customer(&bank, &request).await?.ok_or(Refused::NoSession)?;
    let body = receive(&request, body).await?;
    let fields = Fields::of_body(&body)?;
    let ended = if fields.find("session").is_some() {
        let named = EndNamed(user.clone(), fields.text("session")?);
        usize::from(bank.actors.sessions.send(named).await?)
    } else {
        bank.actors.sessions.send(EndAllOf(user.clone())).await?
    };
    if ended == 0 {
        return Err(Bad::NoSuchSession.into());
    }
    note(&bank, &request, Event::Logout, Some(&user));
    Ok(HttpResponse::Ok().json(serde_json::json!({"descript": texts::sessions_ended(ended)})))
}
