//! How much may leave by day and by night: a page that shows it, and the form that sets it.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::form::{Form, new_key};
use super::money::{plain_reais, reais};
use super::security::moment;
use super::{Answer, check_password, customer, ordered, see_other, sent, shown, texts};
use crate::actors::ledger::Ask;
use crate::actors::time::unix_ms;
use crate::brazilian::parse_limit;
use crate::civil::Zone;
use crate::http::{Bank, LimitsFound, Refused, offset_s};
use crate::ledger::limits::Shown;
use crate::ledger::outcome::limit_name;
use crate::ledger::{Action, Book, LimitsChange, UserName, Wish};
use crate::web::frame::Frame;
use crate::web::page;
use crate::web::refused::with_header;

/// One of the two limits.
struct Line {
    /// What it is called in the form.
    name: &'static str,
    title: &'static str,
    most: Option<String>,
    /// What is going to count, and from when.
    next: Option<(String, String)>,
    typed: String,
}

#[derive(Template)]
#[template(path = "bank/limits.html")]
struct LimitsPage {
    frame: Frame,
    problem: Option<String>,
    news: Option<&'static str>,
    lines: [Line; 2],
    /// The name of the limit that counts now.
    now: &'static str,
    spent: String,
    left: Option<String>,
    confirm_above: Option<String>,
    /// What the form has for it.
    confirm_typed: String,
    key: String,
}

/// `GET /limites`
pub(super) async fn show(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    let answer = async {
        let news = match Form::of_query(&request)?.text("feito") {
            "ja" => Some(texts::LIMITS_SET),
            "depois" => Some(texts::LIMITS_WAIT),
            _ => None,
        };
        rendered(&bank, &request, StatusCode::OK, (news, None), None, new_key()).await
    };
    shown(&bank, &request, answer.await).await
}

fn line(
    (name, title): (&'static str, &'static str),
    Shown { most, next }: Shown,
    form: Option<&Form>,
    zone: &Zone,
) -> Line {
    let wanted = next.map_or(most, |raise| raise.to.map(|limit| limit.get()));
    let next = next.map(|raise| {
        let to = raise.to.map_or(texts::NO_LIMIT.to_owned(), |limit| reais(limit.get()));
        (to, moment(zone, raise.from_ms))
    });
    let typed = form.map_or_else(
        || wanted.map(plain_reais).unwrap_or_default(),
        |form| form.text(name).to_owned(),
    );
    Line { name, title, most: most.map(reais), next, typed }
}

async fn rendered(
    bank: &Bank,
    request: &HttpRequest,
    status: StatusCode,
    (news, problem): (Option<&'static str>, Option<String>),
    form: Option<&Form>,
    key: String,
) -> Answer {
    let user = customer(bank, request).await?;
    let (at_ms, offset_s) = (unix_ms(), offset_s(bank));
    let asked = Ask(move |book: &Book| LimitsFound::of(book, &user, at_ms, offset_s));
    let found = bank.actors.routes.ledger.send(asked).await?;
    let zone = &bank.config.time_zone;
    let names = [("dia", "De dia"), ("noite", "De noite")];
    let lines = [line(names[0], found.day, form, zone), line(names[1], found.night, form, zone)];
    let limits = LimitsPage {
        frame: Frame::of(bank, request).await,
        problem,
        news,
        lines,
        now: limit_name(found.now),
        spent: reais(found.spent),
        left: found.left().map(reais),
        confirm_above: found.confirm_above.map(reais),
        confirm_typed: form.map_or_else(
            || found.confirm_above.map(plain_reais).unwrap_or_default(),
            |form| form.text("confirmar").to_owned(),
        ),
        key,
    };
    Ok(page(status, &limits))
}

/// `POST /limites`
pub(super) async fn change(bank: Data<Bank>, request: HttpRequest, body: Payload) -> HttpResponse {
    shown(&bank, &request, try_change(&bank, &request, body).await).await
}

async fn try_change(bank: &Bank, request: &HttpRequest, body: Payload) -> Answer {
    let form = sent(request, body).await?;
    let user = customer(bank, request).await?;
    match changed(bank, request, user, &form).await {
        Ok(done) => Ok(see_other(&format!("/limites?feito={done}"))),
        Err(refused) => {
            // Sending the very same form again finds out what became of it.
            let unknown = refused.leaves_unknown();
            let key = if unknown { form.text("chave").to_owned() } else { new_key() };
            let said = (None, Some(refused.to_string()));
            let page = rendered(bank, request, refused.status(), said, Some(&form), key).await?;
            Ok(with_header(page, &refused))
        }
    }
}

async fn changed(
    bank: &Bank,
    request: &HttpRequest,
    user: UserName,
    form: &Form,
) -> Result<&'static str, Refused> {
    let confirm = changed_wish(bank, &user, wish(form, "confirmar")?).await?;
    // Whoever has only a session must not decide when the password is asked for.
    if confirm != Wish::Keep {
        check_password(bank, request, &user, form).await?;
    }
    let change = LimitsChange { day: wish(form, "dia")?, night: wish(form, "noite")?, confirm };
    let done = ordered(bank, request, &user, form, Action::Limits(change)).await?;
    Ok(if done.waits() { "depois" } else { "ja" })
}

/// The form has what counts already, which is no wish.
async fn changed_wish(bank: &Bank, user: &UserName, wish: Wish) -> Result<Wish, Refused> {
    let user = user.clone();
    let counts = Ask(move |book: &Book| book.confirm_above(&user));
    let counts = bank.actors.routes.ledger.send(counts).await?;
    Ok(match (wish, counts) {
        (Wish::Unlimited, None) => Wish::Keep,
        (Wish::Most(limit), Some(counts)) if limit.get() == counts => Wish::Keep,
        _ => wish,
    })
}

/// Nothing typed is no limit.
fn wish(form: &Form, name: &str) -> Result<Wish, Refused> {
    match form.text(name) {
        "" => Ok(Wish::Unlimited),
        text => {
            parse_limit(text).map(Wish::Most).map_err(|bad| Refused::bad(texts::bad_amount(bad)))
        }
    }
}
