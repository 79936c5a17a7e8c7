//! The statement of an account: filtered by date and kind, page by page, with a line of its
//! balance.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::chart::{Chart, POINTS, Points, chart, points};
use super::filter::{Filter, KINDS, search};
use super::form::Form;
use super::money::{reais, signed_reais};
use super::month::{Month, MonthLink, months};
use super::overview::bank_name;
use super::{Answer, basket, customer, shown, texts};
use crate::actors::ledger::ask_before_past;
use crate::actors::time::unix_ms;
use crate::brazilian::date;
use crate::http::{Bank, Named, Refused, older_is_archived};
use crate::ids::BankId;
use crate::ledger::calendar::Date;
use crate::ledger::past::AccountTrail;
use crate::ledger::past::walk::{Period, forward, samples};
use crate::ledger::{
    Account, AccountNumber, Book, Centavos, Counterparty, EntryKind, Message, PixKey, Txid,
    TypeAccount, UserName,
};
use crate::store::StoreError;
use crate::store::past::{Archived, PastReader};
use crate::web::frame::Frame;
use crate::web::page;
use crate::wire::escaped;

/// Entries on one page.
const PAGE: usize = 50;

/// Why older entries are not here.
pub(super) fn older_not_here(bank: &Bank, gone: Option<&Archived>) -> String {
    match gone {
        Some(archived) => older_is_archived(bank, archived),
        None => texts::OLDER_NOT_ARRIVED.to_owned(),
    }
}

/// An account that the customer may read.
pub(super) fn own<'a>(
    book: &'a Book,
    user: &UserName,
    (bank, number): (BankId, AccountNumber),
) -> Result<&'a Account, Refused> {
    let account = book.account(bank, number).filter(|account| account.is_held_by(user));
    // Nobody may learn whether a stranger's account exists.
    account.ok_or(Refused::NoSuchPage(texts::NO_SUCH_ACCOUNT))
}

/// The account that an address names.
pub(super) fn place(request: &HttpRequest) -> Result<(BankId, AccountNumber), Refused> {
    basket::read_account(request.match_info().query("account"))
        .ok_or(Refused::NoSuchPage(texts::NO_SUCH_PAGE))
}

struct Line {
    /// Its place in the statement.
    index: u64,
    date: Date,
    time: String,
    kind: &'static str,
    who: Option<Who>,
    message: Option<Message>,
    txid: Option<Txid>,
    /// The account that a deposit or a withdrawal named as its sender.
    sender: Option<AccountNumber>,
    /// Which of several holders asked for it; on money that came, none.
    made_by: Option<UserName>,
    value: String,
    negative: bool,
    balance: String,
}

impl Line {
    fn of(bank: &Bank, named: Named, is_joint: bool) -> Line {
        let Named { index, entry, counterparty } = named;
        let zone = &bank.config.time_zone;
        Line {
            index,
            date: zone.date(entry.at_ms),
            time: zone.time(entry.at_ms).to_string(),
            kind: texts::entry_name(&entry),
            who: counterparty.map(|other| Who::of(bank, other)),
            made_by: Some(entry.made_by).filter(|_| is_joint && entry.kind != EntryKind::Receive),
            message: entry.details.message,
            txid: entry.details.txid,
            sender: entry.details.sender,
            value: signed_reais(entry.value),
            negative: entry.value.get() < 0,
            balance: reais(entry.balance_after),
        }
    }
}

/// Who is on the other side.
struct Who {
    name: String,
    document: String,
    /// Their bank and account, if the entry says so.
    place: Option<(String, AccountNumber)>,
}

impl Who {
    fn of(bank: &Bank, other: Counterparty) -> Who {
        let place = other.account.map(|(of, number)| (bank_name(bank, of), number));
        Who { name: other.name, document: other.document, place }
    }
}

/// The entries of one day.
struct Day {
    /// Such as `26/11/2026`.
    label: String,
    /// Newest first.
    lines: Vec<Line>,
}

/// Entries, newest first, by day.
fn days(lines: Vec<Line>, today: Date) -> Vec<Day> {
    let mut days: Vec<(Date, Day)> = Vec::new();
    for line in lines {
        match days.last_mut().filter(|(date, _)| *date == line.date) {
            Some((_, day)) => day.lines.push(line),
            None => {
                let label = date(line.date);
                let is_today = line.date == today;
                let label = if is_today { texts::today(&label) } else { label };
                days.push((line.date, Day { label, lines: vec![line] }));
            }
        }
    }
    days.into_iter().map(|(_, day)| day).collect()
}

struct Choice {
    value: &'static str,
    label: &'static str,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "bank/statement.html")]
struct StatementPage {
    frame: Frame,
    place: String,
    bank_name: String,
    number: AccountNumber,
    key: PixKey,
    kind: &'static str,
    holders: Vec<UserName>,
    balance: String,
    /// Newest first.
    days: Vec<Day>,
    months: Vec<MonthLink>,
    /// Where the page with older entries begins.
    older: Option<u64>,
    /// Why older entries are not here, if it is so.
    cut: Option<String>,
    chart: Option<Chart>,
    kinds: Vec<Choice>,
    search: String,
    is_filtered: bool,
    from: String,
    to: String,
    /// The filter as the part of an address after its question mark.
    query: String,
}

/// What the ledger knows of the account.
struct Head {
    key: PixKey,
    type_account: TypeAccount,
    holders: Vec<UserName>,
    balance: Centavos,
    trail: AccountTrail,
}

impl Head {
    fn of(book: &Book, account: &Account) -> Head {
        Head {
            key: account.key.clone(),
            type_account: account.type_account,
            holders: account.holders.to_vec(),
            balance: account.balance,
            trail: book.trail_of(account),
        }
    }
}

/// What is read of the past before its entries.
struct Outline {
    period: Period,
    points: Points,
    /// What is in archive files, where the period is cut because of them.
    gone: Option<Archived>,
    /// When the account was opened, if that has arrived.
    opened_ms: Option<i64>,
}

fn outline(
    past: &mut PastReader,
    trail: &AccountTrail,
    filter: &Filter,
) -> Result<Outline, StoreError> {
    let period = filter.period(past, trail)?;
    let gone = past.gone().filter(|_| period.is_cut).cloned();
    let points = points(&samples(past, trail, &period.range, POINTS)?);
    let first = forward(past, trail, &(0..1), 1)?.unwrap_or_default();
    let opened_ms = first.first().map(|(_, entry)| entry.at_ms);
    Ok(Outline { period, points, gone, opened_ms })
}

/// `GET /contas/{account}`
pub(super) async fn show(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    shown(&bank, &request, statement(&bank, &request).await).await
}

async fn statement(bank: &Bank, request: &HttpRequest) -> Answer {
    let user = customer(bank, request).await?;
    let (of, number) = place(request)?;
    let form = Form::of_query(request)?;
    let zone = &bank.config.time_zone;
    let filter = Filter::read(&form, zone)?;
    let before = form.text("antes").parse::<u64>().ok();
    let asked =
        move |book: &Book| own(book, &user, (of, number)).map(|account| Head::of(book, account));
    let head = ask_before_past(&bank.actors.routes.ledger, asked).await??;
    let trail = head.trail;
    let (wanted, today) = (filter.clone(), zone.date(unix_ms()));
    let read = bank.actors.past.read(move |past| outline(past, &trail, &wanted)).await?;
    let Outline { period: Period { range, is_cut }, points, gone, opened_ms } = read;
    let opened = opened_ms.map_or(today, |at_ms| zone.date(at_ms));
    let range = range.start..before.map_or(range.end, |before| before.min(range.end));
    let found = search(bank, trail, range, PAGE, &filter).await?;
    let is_cut = found.is_cut || is_cut && found.next_before.is_none();
    let gone = found.gone.as_ref().or(gone.as_ref());
    let cut = is_cut.then(|| older_not_here(bank, gone));
    let is_joint = head.holders.len() > 1;
    let lines = found.entries.into_iter().rev();
    let lines = lines.map(|entry| Line::of(bank, entry, is_joint)).collect();
    let written = |date: Option<Date>| date.map(|date| date.to_string()).unwrap_or_default();
    let (from, to) = filter.days();
    let (from, to) = (written(from), written(to));
    let field = |(name, text): (&str, &str)| format!("{name}={}", escaped(text));
    let query = [("de", &*from), ("ate", &*to)].into_iter();
    let query = query.chain(["tipo", "busca"].map(|name| (name, form.text(name))));
    let query = query.map(field).collect::<Vec<_>>().join("&");
    let statement = StatementPage {
        frame: Frame::of(bank, request).await,
        place: format!("{of}-{number}"),
        bank_name: bank_name(bank, of),
        number,
        kind: texts::type_account(head.type_account),
        is_filtered: !query.split('&').all(|field| field.ends_with('=')),
        balance: reais(head.balance),
        days: days(lines, today),
        months: months(filter.month(), Month::of(opened), Month::of(today)),
        chart: chart(&points, zone),
        older: found.next_before,
        cut,
        key: head.key,
        holders: head.holders,
        kinds: KINDS
            .map(|kind| Choice {
                value: kind.as_str(),
                label: texts::entry_kind(kind),
                chosen: filter.kind() == Some(kind),
            })
            .into(),
        search: form.text("busca").to_owned(),
        from,
        to,
        query,
    };
    Ok(page(StatusCode::OK, &statement))
}
