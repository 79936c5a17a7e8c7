//! Pix of days to come: a page that lists them, and the forms that plan one and give one up. Before
//! one is planned, the customer sees who is going to be paid and gives the password.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::basket::read_account;
use super::form::{Form, new_key};
use super::money::reais;
use super::overview::{AccountLine, accounts_of};
use super::recipient::{self, Recipient};
use super::{Answer, bank_name, check_password, customer, ordered, see_other, sent, shown, texts};
use crate::actors::ledger::Ask;
use crate::brazilian::{date, parse_amount, parse_date};
use crate::http::{Bank, By, Refused, may_move};
use crate::ids::Position;
use crate::ledger::scheduled::{Run, Schedule};
use crate::ledger::{
    Action, Book, Day, Every, Message, Note, PixKey, Planned, ScheduleChange, UserName,
};
use crate::web::frame::Frame;
use crate::web::page;
use crate::web::refused::with_header;

/// A schedule under way.
struct Line {
    number: Position,
    /// Who is paid, whoever has the key now.
    name: Option<String>,
    key: PixKey,
    value: String,
    message: Option<String>,
    account: String,
    every: String,
    next: Option<String>,
    last: Option<(String, Option<String>)>,
    /// Of the form that gives it up.
    form_key: String,
}

/// What was typed.
#[derive(Default)]
struct Typed {
    account: String,
    pix: String,
    value: String,
    message: String,
    day: String,
    every: String,
    times: String,
}

impl Typed {
    fn of(form: &Form) -> Typed {
        let text = |name| form.text(name).to_owned();
        Typed {
            account: text("conta"),
            pix: text("pix"),
            value: text("valor"),
            message: text("mensagem"),
            day: text("dia"),
            every: text("repetir"),
            times: text("vezes"),
        }
    }

    /// The first day as people write it.
    fn shown_day(&self) -> String {
        parse_date(&self.day).map_or_else(|| self.day.clone(), date)
    }

    /// What is to be planned, for a payee that was found.
    fn read(&self, bank: &Bank, pix: PixKey) -> Result<Planned, Refused> {
        let of = read_account(&self.account).ok_or_else(|| Refused::bad(texts::CHOOSE_ACCOUNT))?;
        let value =
            parse_amount(&self.value).map_err(|bad| Refused::bad(texts::bad_amount(bad)))?;
        may_move(bank, value)?;
        let message = Some(self.message.as_str()).filter(|text| !text.is_empty());
        let message = message.map(Message::parse).transpose();
        let message = message.map_err(|bad| Refused::bad(bad.to_string()))?;
        let first = parse_date(&self.day).ok_or_else(|| Refused::bad(texts::DATE_FORM))?;
        let (every, is_once) = match self.every.as_str() {
            "dia" => (Every::Day, false),
            "semana" => (Every::Week, false),
            "mes" => (Every::Month, false),
            _ => (Every::Month, true),
        };
        let times = if is_once { Ok(1) } else { self.times.parse() };
        let times = times.map_err(|_| Refused::bad(texts::TIMES_FORM))?;
        let (note, first) = (Note { message, txid: None }, Day::of(first));
        Ok(Planned { bank: of.0, account: of.1, value, pix, note, first, every, times })
    }
}

#[derive(Template)]
#[template(path = "bank/schedules.html")]
struct SchedulesPage {
    frame: Frame,
    problem: Option<String>,
    news: Option<&'static str>,
    lines: Vec<Line>,
    accounts: Vec<AccountLine>,
    /// Who is going to be paid, once that is known.
    recipient: Option<Recipient>,
    typed: Typed,
    key: String,
}

/// `GET /agendados`
pub(super) async fn show(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    let answer = async {
        let form = Form::of_query(&request)?;
        let news = match form.text("feito") {
            "agendado" => Some(texts::SCHEDULED),
            "cancelado" => Some(texts::SCHEDULE_ENDED),
            _ => None,
        };
        let user = customer(&bank, &request).await?;
        let view = View { news, typed: Typed::of(&form), ..View::default() };
        rendered(&bank, &request, user, StatusCode::OK, view).await
    };
    shown(&bank, &request, answer.await).await
}

/// What differs from one showing to the next.
#[derive(Default)]
struct View {
    news: Option<&'static str>,
    problem: Option<String>,
    recipient: Option<Recipient>,
    typed: Typed,
    /// The key of the form, if it must be a particular one.
    key: Option<String>,
}

async fn rendered(
    bank: &Bank,
    request: &HttpRequest,
    user: UserName,
    status: StatusCode,
    view: View,
) -> Answer {
    let by = user.clone();
    let found = Ask(move |book: &Book| {
        let named = |schedule: &Schedule| {
            let name = book.customer(&schedule.payee).map(|payee| payee.name.to_string());
            (schedule.clone(), name)
        };
        book.schedules_of(&by).map(named).collect::<Vec<_>>()
    });
    let found = bank.actors.routes.ledger.send(found).await?;
    let View { news, problem, recipient, typed, key } = view;
    let schedules = SchedulesPage {
        frame: Frame::of(bank, request).await,
        problem,
        news,
        lines: found.into_iter().map(|(schedule, name)| line(bank, &schedule, name)).collect(),
        accounts: accounts_of(bank, &user).await?,
        recipient,
        typed,
        key: key.unwrap_or_else(new_key),
    };
    Ok(page(status, &schedules))
}

fn line(bank: &Bank, schedule: &Schedule, name: Option<String>) -> Line {
    let Planned { bank: of, account, value, pix, note, every, times, .. } = &schedule.planned;
    let last = schedule.last.as_ref().map(|Run { day, failed, .. }| {
        let why = failed.as_ref().map(|why| texts::refusal(why, |of| bank_name(bank, of)));
        (date(day.date()), why)
    });
    Line {
        number: schedule.number,
        name,
        key: pix.clone(),
        value: reais(value.get()),
        message: note.message.as_ref().map(ToString::to_string),
        account: format!("{account} · {}", bank_name(bank, *of)),
        every: texts::repeated(*every, *times, schedule.done),
        next: schedule.next().map(|day| date(day.date())),
        last,
        form_key: new_key(),
    }
}

/// `POST /agendados`
pub(super) async fn act(bank: Data<Bank>, request: HttpRequest, body: Payload) -> HttpResponse {
    shown(&bank, &request, try_act(&bank, &request, body).await).await
}

async fn try_act(bank: &Bank, request: &HttpRequest, body: Payload) -> Answer {
    let form = sent(request, body).await?;
    let user = customer(bank, request).await?;
    let mut view = View { typed: Typed::of(&form), ..View::default() };
    let done = match form.text("acao") {
        "cancelar" => cancelled(bank, request, &user, &form).await,
        action => match recipient::typed(bank, request, &user, &view.typed.pix).await {
            Err(refused) => Err(refused),
            Ok(payee) => {
                view.typed.pix = payee.key.to_string();
                view.recipient = Some(payee.clone());
                match view.typed.read(bank, payee.key) {
                    Err(refused) => {
                        view.recipient = None;
                        Err(refused)
                    }
                    Ok(planned) if action == "agendar" => {
                        planned_now(bank, request, &user, &form, planned).await
                    }
                    // Whom it is for is confirmed first.
                    Ok(_) => return rendered(bank, request, user, StatusCode::OK, view).await,
                }
            }
        },
    };
    match done {
        Ok(done) => Ok(see_other(&format!("/agendados?feito={done}"))),
        Err(refused) => {
            // Sending the very same form again finds out what became of it.
            view.key = refused.leaves_unknown().then(|| form.text("chave").to_owned());
            view.problem = Some(refused.to_string());
            let page = rendered(bank, request, user, refused.status(), view).await?;
            Ok(with_header(page, &refused))
        }
    }
}

async fn planned_now(
    bank: &Bank,
    request: &HttpRequest,
    user: &UserName,
    form: &Form,
    planned: Planned,
) -> Result<&'static str, Refused> {
    check_password(bank, request, user, form).await?;
    let change = ScheduleChange::Make(Box::new(planned));
    let by = By::confirmed(user.clone());
    ordered(bank, request, by, form, Action::Schedule(change)).await.map(|_| "agendado")
}

async fn cancelled(
    bank: &Bank,
    request: &HttpRequest,
    user: &UserName,
    form: &Form,
) -> Result<&'static str, Refused> {
    let number = form.text("numero").parse().map(Position);
    let number = number.map_err(|_| Refused::bad(texts::NO_SUCH_SCHEDULE))?;
    let change = ScheduleChange::Cancel { number };
    ordered(bank, request, user, form, Action::Schedule(change)).await.map(|_| "cancelado")
}
