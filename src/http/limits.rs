//! How much a customer lets leave by day and by night: look at it, and set it.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::Bank;
use super::auth::customer;
use super::body::{Fields, receive};
use super::customers::prove_again;
use super::freshness::read;
use super::order::{idempotency_key, offset_s, order};
use super::refusal::{Bad, Refused};
use super::texts;
use crate::actors::time::unix_ms;
use crate::civil::Zone;
use crate::ledger::limits::Shown;
use crate::ledger::{
    Action, Book, Centavos, Limit, LimitsChange, PartOfDay, Reais, UserName, Wish,
};

/// What a customer lets leave, and what has left.
pub(crate) struct Found {
    /// By day,
    pub(crate) day: Shown,
    /// and by night.
    pub(crate) night: Shown,
    /// Which of the two counts now,
    pub(crate) now: PartOfDay,
    /// and how much has left in it.
    pub(crate) spent: Centavos,
    /// Above which sum the password is to be given again.
    pub(crate) confirm_above: Option<Centavos>,
}

impl Found {
    /// At a moment in Unix milliseconds.
    pub(crate) fn of(book: &Book, user: &UserName, at_ms: i64, offset_s: i32) -> Found {
        let of = |part| book.limit_of(user, part, at_ms);
        let now = PartOfDay::at(at_ms, offset_s);
        let spent = book.spent(user, at_ms, offset_s);
        let (day, night) = (of(PartOfDay::Day), of(PartOfDay::Night));
        Found { day, night, now, spent, confirm_above: book.confirm_above(user) }
    }

    /// The limit that counts now.
    pub(crate) fn present(&self) -> Shown {
        match self.now {
            PartOfDay::Day => self.day,
            PartOfDay::Night => self.night,
        }
    }

    /// What may still leave; `None` without a limit.
    pub(crate) fn left(&self) -> Option<Centavos> {
        let left = |most: Centavos| most.checked_sub(self.spent).unwrap_or_default();
        self.present().most.map(|most| left(most).max(Centavos::ZERO))
    }
}

#[derive(Serialize)]
struct Read {
    data: Data,
    descript: &'static str,
}

#[derive(Serialize)]
struct Data {
    day: Line,
    night: Line,
    /// `day` or `night`.
    now: PartOfDay,
    spent: Reais,
    /// `null` without a limit.
    left: Option<Reais>,
    /// `null` where the password is never asked for again.
    confirm_above: Option<Reais>,
}

#[derive(Serialize)]
struct Line {
    /// `null` without a limit.
    limit: Option<Reais>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Next>,
}

/// What is going to count.
#[derive(Serialize)]
struct Next {
    limit: Option<Reais>,
    from: String,
}

fn line(Shown { most, next }: Shown, zone: &Zone) -> Line {
    let next = next.map(|raise| Next {
        limit: raise.to.map(|limit| Reais(limit.get())),
        from: zone.written(raise.from_ms),
    });
    Line { limit: most.map(Reais), next }
}

/// `GET /limits`
pub(super) async fn show(
    bank: web::Data<Bank>,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let user = customer(&bank, &request).await?.ok_or(Refused::NoSession)?;
    let (at_ms, offset_s) = (unix_ms(), offset_s(&bank));
    let asked = move |book: &Book| Found::of(book, &user, at_ms, offset_s);
    let found = read(&bank, &request, asked).await?;
    let zone = &bank.config.time_zone;
    let data = Data {
        day: line(found.day, zone),
        night: line(found.night, zone),
        now: found.now,
        spent: Reais(found.spent),
        left: found.left().map(Reais),
        confirm_above: found.confirm_above.map(Reais),
    };
    Ok(HttpResponse::Ok().json(Read { data, descript: texts::LIMITS_READ }))
}

/// `POST /limits`
pub(super) async fn change(
    bank: web::Data<Bank>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Refused> {
    let user = customer(&bank, &request).await?;
    let key = idempotency_key(&request)?;
    let body = receive(&request, body).await?;
    let fields = Fields::of_body(&body)?;
    fields.only(&["day", "night", "confirm_above", "password"])?;
    let confirm = wish(&fields, "confirm_above")?;
    let change =
        LimitsChange { day: wish(&fields, "day")?, night: wish(&fields, "night")?, confirm };
    // Whoever has only a session must not decide when the password is asked for.
    if confirm != Wish::Keep {
        let user = user.as_ref().ok_or(Refused::NoSession)?;
        prove_again(&bank, &request, user, fields.text("password")?).await?;
    }
    order(&bank, &request, user, key, Action::Limits(change)).await
}

/// A limit that is not named stays, and `null` is none.
fn wish(fields: &Fields<'_>, name: &str) -> Result<Wish, Refused> {
    match fields.find(name).map(serde_json::value::RawValue::get) {
        None => Ok(Wish::Keep),
        Some("null") => Ok(Wish::Unlimited),
        Some(token) => {
            let limit = Centavos::parse_json(token).and_then(Limit::parse);
            limit
                .map(Wish::Most)
                .map_err(|error| Bad::Value(fields.place(name), error.to_string()).into())
        }
    }
}
