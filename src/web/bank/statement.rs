//! The statement of an account: filtered by date and kind, page by page, with a line of its
//! balance.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::chart::{Chart, POINTS, Points, chart, points};
use super::form::Form;
use super::money::reais;
use super::overview::bank_name;
use super::{Answer, basket, customer, shown, texts};
use crate::actors::ledger::{Ask, HandOver};
use crate::brazilian::{date, parse_date};
use crate::civil::Zone;
use crate::http::{Bank, Refused};
use crate::ids::BankId;
use crate::ledger::calendar::Date;
use crate::ledger::past::AccountTrail;
use crate::ledger::past::walk::{self, Page, Period, period, samples};
use crate::ledger::{
    Account, AccountNumber, Book, Centavos, Entry, EntryKind, PixKey, TypeAccount, UserName,
};
use crate::store::StoreError;
use crate::store::past::PastReader;
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

    /// The entries of the period.
    pub(super) fn period(
        &self,
        past: &mut PastReader,
        trail: &AccountTrail,
    ) -> Result<Period, StoreError> {
        let from = Some(self.start_ms).filter(|_| self.from.is_some());
        let to = Some(self.end_ms).filter(|_| self.to.is_some());
        period(past, trail, from, to)
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
    older: Option<u64>,
    /// Whether older entries have not arrived at this bank yet.
    is_cut: bool,
    chart: Option<Chart>,
    kinds: Vec<Choice>,
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
            holders: account.holders.clone(),
            balance: account.balance,
            trail: book.trail_of(account),
        }
    }
}

/// What was read from the past.
struct Read {
    page: Page,
    points: Points,
}

fn read(
    past: &mut PastReader,
    trail: &AccountTrail,
    filter: &Filter,
    before: Option<u64>,
) -> Result<Read, StoreError> {
    let Period { range, is_cut } = filter.period(past, trail)?;
    let points = points(&samples(past, trail, &range, POINTS)?);
    let range = range.start..before.map_or(range.end, |before| before.min(range.end));
    let mut page = walk::page(past, trail, range, PAGE, &|entry| filter.wants(entry))?;
    page.is_cut |= is_cut && page.next_before.is_none();
    Ok(Read { page, points })
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
    let ledger = &bank.actors.routes.ledger;
    ledger.do_send(HandOver);
    let asked = Ask(move |book: &Book| {
        own(book, &user, (of, number)).map(|account| Head::of(book, account))
    });
    let head = ledger.send(asked).await??;
    let trail = head.trail;
    let read = bank.actors.past.read(move |past| read(past, &trail, &filter, before)).await?;
    let field = |name| format!("{name}={}", escaped(form.text(name)));
    let statement = StatementPage {
        frame: Frame::of(bank, request).await,
        place: format!("{of}-{number}"),
        bank_name: bank_name(bank, of),
        number,
        kind: texts::type_account(head.type_account),
        balance: reais(head.balance),
        lines: read.page.entries.iter().rev().map(|(_, entry)| Line::of(entry, zone)).collect(),
        chart: chart(&read.points, zone),
        older: read.page.next_before,
        is_cut: read.page.is_cut,
        key: head.key,
        holders: head.holders,
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
