//! The statement of an account: filtered by date and kind, page by page, with a line of its
//! balance.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::chart::{Chart, Points, chart, points};
use super::form::Form;
use super::money::reais;
use super::overview::bank_name;
use super::{Answer, basket, customer, shown, texts};
use crate::actors::ledger::Ask;
use crate::brazilian::{date, parse_date};
use crate::civil::Zone;
use crate::http::{Bank, Refused};
use crate::ids::BankId;
use crate::ledger::calendar::Date;
use crate::ledger::{
    Account, AccountNumber, Book, Centavos, Entry, EntryKind, PixKey, TypeAccount, UserName,
};
use crate::web::frame::Frame;
use crate::web::page;
use crate::wire::escaped;

/// Entries on one page.
const PAGE: usize = 50;
const KINDS: [EntryKind; 5] = [
    EntryKind::Opening,
    EntryKind::Deposit,
    EntryKind::Withdraw,
    EntryKind::Transfer,
    EntryKind::Receive,
];

/// Which entries are wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filter {
    from: Option<Date>,
    to: Option<Date>,
    /// The moments in UTC milliseconds between which these days lie.
    start_ms: i64,
    end_ms: i64,
    kind: Option<EntryKind>,
}

impl Filter {
    /// Reads the fields of the filter's form; empty ones filter nothing.
    pub(super) fn read(form: &Form, zone: &Zone) -> Result<Filter, Refused> {
        let date = |name| match form.text(name) {
            "" => Ok(None),
            text => parse_date(text).map(Some).ok_or_else(|| Refused::bad(texts::DATE_FORM)),
        };
        let kind = KINDS.into_iter().find(|kind| kind.as_str() == form.text("tipo"));
        let (from, to) = (date("de")?, date("ate")?);
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            return Err(Refused::bad(texts::WHICH_WAY));
        }
        let start_ms = from.map_or(i64::MIN, |from| zone.start_of(from));
        let end_ms = to.map_or(i64::MAX, |to| zone.end_of(to));
        Ok(Filter { from, to, start_ms, end_ms, kind })
    }

    /// The entries of the period, with the index of the first; ledger time never goes back, so they
    /// are adjacent.
    pub(super) fn period<'a>(&self, entries: &'a [Entry]) -> (usize, &'a [Entry]) {
        let start = entries.partition_point(|entry| entry.at_ms < self.start_ms);
        let end = match self.end_ms {
            i64::MAX => entries.len(),
            end_ms => entries.partition_point(|entry| entry.at_ms < end_ms),
        };
        (start, entries.get(start..end).unwrap_or_default())
    }

    /// Whether an entry of the period is wanted.
    pub(super) fn wants(&self, entry: &Entry) -> bool {
        self.kind.is_none_or(|kind| kind == entry.kind)
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
    date: String,
    time: String,
    kind: &'static str,
    pix: Option<String>,
    made_by: String,
    value: String,
    negative: bool,
    balance: String,
}

impl Line {
    fn of(entry: &Entry, zone: &Zone) -> Line {
        Line {
            date: date(zone.date(entry.at_ms)),
            time: zone.time(entry.at_ms).to_string(),
            kind: texts::entry_kind(entry.kind),
            pix: entry.pix.as_ref().map(ToString::to_string),
            made_by: entry.made_by.to_string(),
            value: reais(entry.value),
            negative: entry.value.get() < 0,
            balance: reais(entry.balance_after),
        }
    }
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
    lines: Vec<Line>,
    /// Where the page with older entries begins.
    older: Option<usize>,
    chart: Option<Chart>,
    kinds: Vec<Choice>,
    from: String,
    to: String,
    /// The filter as the part of an address after its question mark.
    query: String,
}

/// What was read from the ledger.
struct Read {
    key: PixKey,
    type_account: TypeAccount,
    holders: Vec<UserName>,
    balance: Centavos,
    /// Newest first.
    entries: Vec<Entry>,
    /// Where the page with older entries begins.
    older: Option<usize>,
    points: Points,
}

fn read(account: &Account, filter: Filter, before: Option<usize>) -> Read {
    let (start, period) = filter.period(&account.statement);
    let end = before.map_or(period.len(), |before| before.saturating_sub(start).min(period.len()));
    let wanted = period[..end].iter().enumerate().rev().filter(|(_, entry)| filter.wants(entry));
    let mut found: Vec<(usize, &Entry)> = wanted.take(PAGE + 1).collect();
    let older = (found.len() > PAGE).then(|| start + found[PAGE - 1].0);
    found.truncate(PAGE);
    Read {
        key: account.key.clone(),
        type_account: account.type_account,
        holders: account.holders.clone(),
        balance: account.balance,
        entries: found.into_iter().map(|(_, entry)| entry.clone()).collect(),
        older,
        points: points(period),
    }
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
    let before = form.text("antes").parse().ok();
    let asked = Ask(move |book: &Book| {
        own(book, &user, (of, number)).map(|account| read(account, filter, before))
    });
    let read = bank.actors.routes.ledger.send(asked).await??;
    let field = |name| format!("{name}={}", escaped(form.text(name)));
    let statement = StatementPage {
        frame: Frame::of(bank, request).await,
        place: format!("{of}-{number}"),
        bank_name: bank_name(bank, of),
        number,
        kind: texts::type_account(read.type_account),
        balance: reais(read.balance),
        lines: read.entries.iter().map(|entry| Line::of(entry, zone)).collect(),
        chart: chart(&read.points, zone),
        older: read.older,
        key: read.key,
        holders: read.holders,
        kinds: KINDS
            .map(|kind| Choice {
                value: kind.as_str(),
                label: texts::entry_kind(kind),
                chosen: filter.kind == Some(kind),
            })
            .into(),
        from: filter.from.map(|date| date.to_string()).unwrap_or_default(),
        to: filter.to.map(|date| date.to_string()).unwrap_or_default(),
        query: ["de", "ate", "tipo"].map(field).join("&"),
    };
    Ok(page(StatusCode::OK, &statement))
}
