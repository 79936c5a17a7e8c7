//! Pix of days to come: list them, plan one, give one up.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::Bank;
use super::accounts::amount;
use super::auth::{By, customer};
use super::body::{Fields, receive};
use super::freshness::read;
use super::operations::{confirmed, no_such_bank, said};
use super::order::{idempotency_key, order};
use super::refusal::{Bad, Kind, Refused};
use super::texts;
use crate::brazilian::parse_date;
use crate::civil::Zone;
use crate::ids::{BankId, Position};
use crate::ledger::scheduled::{Run, Schedule};
use crate::ledger::{
    AccountNumber, Action, Book, Day, Every, Message, Note, PixKey, Planned, Reais, ScheduleChange,
    Txid,
};

/// The words for how often.
const OFTEN: [&str; 3] = ["DAY", "WEEK", "MONTH"];

#[derive(Serialize)]
struct Listed {
    /// Oldest first.
    data: Vec<Line>,
    descript: &'static str,
}

#[derive(Serialize)]
struct Line {
    number: Position,
    bank: BankId,
    num_account: AccountNumber,
    pix: PixKey,
    value: Reais,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
    every: Every,
    times: u16,
    done: u16,
    /// `null` once it has ended.
    next: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<LastRun>,
}

#[derive(Serialize)]
struct LastRun {
    day: String,
    at: String,
    /// Why nothing was paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

fn line(schedule: &Schedule, zone: &Zone) -> Line {
    let Planned { bank, account, value, pix, note, every, times, .. } = schedule.planned.clone();
    let last = schedule.last.as_ref().map(|Run { day, at_ms, failed }| LastRun {
        day: day.date().to_string(),
        at: zone.written(*at_ms),
        refused: failed.as_ref().map(ToString::to_string),
    });
    Line {
        number: schedule.number,
        bank,
        num_account: account,
        pix,
        value: Reais(value.get()),
        message: note.message,
        every,
        times,
        done: schedule.done,
        next: schedule.next().map(|day| day.date().to_string()),
        last,
    }
}

/// `GET /schedules`
pub(super) async fn list(
    bank: web::Data<Bank>,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let user = customer(&bank, &request).await?.ok_or(Refused::NoSession)?;
    let asked = move |book: &Book| book.schedules_of(&user).cloned().collect::<Vec<_>>();
    let found = read(&bank, &request, asked).await?;
    let zone = &bank.config.time_zone;
    let data = found.iter().map(|schedule| line(schedule, zone)).collect();
    Ok(HttpResponse::Ok().json(Listed { data, descript: texts::SCHEDULES_LISTED }))
}

/// `POST /schedules`
pub(super) async fn plan(
    bank: web::Data<Bank>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Refused> {
    let by = By::from(customer(&bank, &request).await?);
    let by = confirmed(&bank, &request, by).await?;
    let key = idempotency_key(&request)?;
    let body = receive(&request, body).await?;
    let fields = Fields::of_body(&body)?;
    fields.only(&[
        "bank",
        "num_account",
        "pix",
        "value",
        "message",
        "txid",
        "day",
        "every",
        "times",
    ])?;
    let of = BankId(fields.number("bank")?);
    no_such_bank(of, bank.config.nodes.len())?;
    let account = AccountNumber::parse(fields.raw("num_account")?.get())
        .map_err(|_| Bad::NotA(fields.place("num_account"), Kind::AccountNumber))?;
    let pix = PixKey::parse(&fields.text("pix")?)
        .map_err(|bad| Bad::Value(fields.place("pix"), bad.to_string()))?;
    let value = amount(&bank, &fields, "value")?;
    let note = Note {
        message: said(&fields, "message", Message::parse)?,
        txid: said(&fields, "txid", Txid::parse)?,
    };
    let first = parse_date(&fields.text("day")?).map(Day::of);
    let first = first.ok_or_else(|| Bad::Value(fields.place("day"), texts::DAY_FORM.to_owned()))?;
    let often = |name| fields.find(name).map(|_| fields.word(name, &OFTEN)).transpose();
    let every = often("every")?.unwrap_or(Every::Month);
    let times = fields.find("times").map(|_| fields.number("times")).transpose()?.unwrap_or(1);
    let planned = Planned { bank: of, account, value, pix, note, first, every, times };
    let change = ScheduleChange::Make(Box::new(planned));
    order(&bank, &request, by, key, Action::Schedule(change)).await
}

/// `POST /schedules/{number}/cancel`
pub(super) async fn cancel(
    bank: web::Data<Bank>,
    request: HttpRequest,
    path: web::Path<u64>,
) -> Result<HttpResponse, Refused> {
    let user = customer(&bank, &request).await?;
    let key = idempotency_key(&request)?;
    let number = Position(path.into_inner());
    let change = ScheduleChange::Cancel { number };
    order(&bank, &request, user, key, Action::Schedule(change)).await
}
