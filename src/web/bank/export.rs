//! Statements to take away: CSV for spreadsheets, OFX 2.1.1 for finance programs.

use std::future::ready;
use std::ops::Range;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};

use super::entry::login_address;
use super::form::Form;
use super::money::plain_reais;
use super::overview::bank_name;
use super::statement::{Filter, own, place};
use super::{Answer, customer, see_other, shown, texts};
use crate::actors::ledger::{Ask, HandOver};
use crate::actors::past::PastAddresses;
use crate::brazilian::date;
use crate::civil::Zone;
use crate::http::{Bank, Refused};
use crate::ids::BankId;
use crate::ledger::calendar::{Date, TimeOfDay};
use crate::ledger::past::AccountTrail;
use crate::ledger::past::walk::{Period, forward};
use crate::ledger::{AccountNumber, Book, Centavos, Entry, EntryKind};
use crate::store::StoreError;
use crate::store::past::PastReader;

/// How many entries are read at a time.
const PART: u64 = 1_000;

/// `GET /contas/{account}/extrato.csv`
pub(super) async fn csv(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    shown_with_statement(&bank, &request, file(&bank, &request, &CSV).await).await
}

/// `GET /contas/{account}/extrato.ofx`
pub(super) async fn ofx(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    shown_with_statement(&bank, &request, file(&bank, &request, &OFX).await).await
}

/// After a login, the page with the link to the file is shown: a file alone would leave the login
/// page on the screen.
async fn shown_with_statement(bank: &Bank, request: &HttpRequest, answer: Answer) -> HttpResponse {
    if !matches!(answer, Err(Refused::NoSession)) {
        return shown(bank, request, answer).await;
    }
    let page = request.path().rsplit_once('/').map_or("/", |(page, _)| page);
    let query = request.query_string();
    let target = if query.is_empty() { page.to_owned() } else { format!("{page}?{query}") };
    see_other(&login_address(&target))
}

/// What a file is made of, besides the entries.
struct Extract {
    bank: BankId,
    bank_name: String,
    number: AccountNumber,
    balance: Centavos,
    /// Ledger time.
    now_ms: i64,
    /// Whose days and hours are written.
    zone: Zone,
    /// When the first and the last entry of the period were made.
    ends_ms: Option<(i64, i64)>,
}

/// How a file is written, part by part.
struct Format {
    content_type: &'static str,
    extension: &'static str,
    head: fn(&Extract) -> Result<String, Refused>,
    entry: fn(&Extract, u64, &Entry) -> Result<String, Refused>,
    tail: fn(&Extract) -> Result<String, Refused>,
}

/// Streams the file: nothing is read before the one who loads it has taken what came before, and
/// nothing more once they have left.
async fn file(bank: &Bank, request: &HttpRequest, format: &'static Format) -> Answer {
    let user = customer(bank, request).await?;
    let (of, number) = place(request)?;
    let zone = bank.config.time_zone.clone();
    let filter = Filter::read(&Form::of_query(request)?, &zone)?;
    let ledger = &bank.actors.routes.ledger;
    ledger.do_send(HandOver);
    let asked = Ask(move |book: &Book| {
        own(book, &user, (of, number))
            .map(|account| (book.trail_of(account), account.balance, book.time_ms()))
    });
    let (trail, balance, now_ms) = ledger.send(asked).await??;
    let past = bank.actors.past.clone();
    let bounds = past.read(move |past| bounds(past, &trail, &filter)).await?;
    let (period, ends_ms) = bounds.ok_or(Refused::PastMissing)?;
    let bank_name = bank_name(bank, of);
    let extract = Extract { bank: of, bank_name, number, balance, now_ms, zone, ends_ms };
    let head = (format.head)(&extract)?;
    let parts = parts(past, trail, period, filter, extract, format);
    let head = stream::once(ready(Ok(Bytes::from(head))));
    let disposition =
        format!("attachment; filename=\"extrato-{of}-{number}.{}\"", format.extension);
    Ok(HttpResponse::Ok()
        .content_type(format.content_type)
        .insert_header((CONTENT_DISPOSITION, disposition))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .streaming(head.chain(parts).map_err(actix_web::Error::from)))
}

/// Indexes, and when the first and the last of their entries were made, if there are any.
type Bounds = (Range<u64>, Option<(i64, i64)>);

/// The entries of the period; `None` if not all have arrived.
fn bounds(
    past: &mut PastReader,
    trail: &AccountTrail,
    filter: &Filter,
) -> Result<Option<Bounds>, StoreError> {
    let Period { range: period, is_cut } = filter.period(past, trail)?;
    let last = period.end.saturating_sub(1)..period.end;
    let mut at = |range: Range<u64>| -> Result<Option<i64>, StoreError> {
        let found = forward(past, trail, &range, 1)?;
        Ok(found.and_then(|found| found.first().map(|(_, entry)| entry.at_ms)))
    };
    let ends = at(period.clone())?.zip(at(last)?);
    let is_here = !is_cut && (ends.is_some() || period.is_empty());
    Ok(is_here.then_some((period, ends)))
}

/// The entries as text, part by part, and then the end of the file.
fn parts(
    past: PastAddresses,
    trail: AccountTrail,
    period: Range<u64>,
    filter: Filter,
    extract: Extract,
    format: &'static Format,
) -> impl Stream<Item = Result<Bytes, Refused>> {
    stream::try_unfold(Some((period, extract)), move |state| {
        let past = past.clone();
        async move {
            let Some((mut left, extract)) = state else { return Ok(None) };
            if left.is_empty() {
                return Ok(Some((Bytes::from((format.tail)(&extract)?), None)));
            }
            let range = left.clone();
            let part = past.read(move |past| forward(past, &trail, &range, PART)).await?;
            let part = part.ok_or(Refused::PastMissing)?;
            left.start += part.len() as u64;
            let mut text = String::new();
            for (index, entry) in part.iter().filter(|(_, entry)| filter.wants(entry)) {
                text += &(format.entry)(&extract, *index, entry)?;
            }
            Ok(Some((Bytes::from(text), Some((left, extract)))))
        }
    })
}

/// Semicolons and decimal commas, as spreadsheets in Brazil expect them, after the byte order mark
/// that says UTF-8.
const CSV: Format = Format {
    content_type: "text/csv; charset=utf-8",
    extension: "csv",
    head: |_| {
        let head = "\u{feff}Data;Hora;Tipo;Valor;Saldo anterior;Saldo;Chave Pix;Feito por;Banco;Posição;Identificação\r\n";
        Ok(head.to_owned())
    },
    entry: |extract, _, entry| Ok(csv_line(&extract.zone, entry)),
    tail: |_| Ok(String::new()),
};

fn csv_line(zone: &Zone, entry: &Entry) -> String {
    let cells = [
        date(zone.date(entry.at_ms)),
        zone.time(entry.at_ms).to_string(),
        texts::entry_kind(entry.kind).to_owned(),
        plain_reais(entry.value),
        plain_reais(entry.previous_balance()),
        plain_reais(entry.balance_after),
        words(entry.pix.as_ref().map_or("", |pix| pix.as_str())),
        words(entry.made_by.as_str()),
        entry.bank_sender.to_string(),
        entry.position.to_string(),
        words(entry.id.as_str()),
    ];
    cells.join(";") + "\r\n"
}

/// A cell of customers' text: quoted where it must be, and never the beginning of a formula.
fn words(text: &str) -> String {
    let text =
        if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() };
    if text.contains([';', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// OFX 2.1.1, in three templates: before, for, and after the entries.
const OFX: Format = Format {
    content_type: "application/x-ofx",
    extension: "ofx",
    head: |extract| written(&OfxHead::of(extract)).map(|head| head + "\n"),
    entry: |extract, index, entry| {
        written(&OfxLine::of(extract, index, entry)).map(|line| line + "\n")
    },
    tail: |extract| {
        written(&OfxTail { now: moment(extract.now_ms, &extract.zone), balance: extract.balance })
    },
};

fn written(template: &impl Template) -> Result<String, Refused> {
    template.render().map_err(|_| Refused::Internal)
}

#[derive(Template)]
#[template(path = "bank/statement_head.ofx", escape = "html")]
struct OfxHead<'a> {
    bank_name: &'a str,
    bank: BankId,
    number: AccountNumber,
    now: String,
    first: String,
    last: String,
}

impl OfxHead<'_> {
    fn of(extract: &Extract) -> OfxHead<'_> {
        let at = |at_ms| moment(at_ms, &extract.zone);
        let (first_ms, last_ms) = extract.ends_ms.unwrap_or((extract.now_ms, extract.now_ms));
        OfxHead {
            bank_name: &extract.bank_name,
            bank: extract.bank,
            number: extract.number,
            now: at(extract.now_ms),
            first: at(first_ms),
            last: at(last_ms),
        }
    }
}

#[derive(Template)]
#[template(path = "bank/statement_entry.ofx", escape = "html")]
struct OfxLine {
    bank: BankId,
    number: AccountNumber,
    kind: &'static str,
    moment: String,
    value: Centavos,
    index: u64,
    name: String,
    memo: String,
}

impl OfxLine {
    fn of(extract: &Extract, index: u64, entry: &Entry) -> OfxLine {
        let kind = match entry.kind {
            EntryKind::Opening | EntryKind::Deposit => "DEP",
            EntryKind::Withdraw => "CASH",
            EntryKind::Transfer | EntryKind::Receive => "XFER",
        };
        let memo = match &entry.pix {
            Some(pix) => format!("{} {pix}", texts::entry_kind(entry.kind)),
            None => texts::entry_kind(entry.kind).to_owned(),
        };
        // The format allows 32 characters.
        let name = entry.made_by.as_str().chars().take(32).collect();
        let moment = moment(entry.at_ms, &extract.zone);
        let Extract { bank, number, .. } = *extract;
        OfxLine { bank, number, kind, moment, value: entry.value, index, name, memo }
    }
}

#[derive(Template)]
#[template(path = "bank/statement_tail.ofx", escape = "html")]
struct OfxTail {
    now: String,
    balance: Centavos,
}

/// `20261123110322[-3:LOC]`: day and time in the zone, and its offset from UTC in hours. Programs
/// differ on how the format writes other offsets, so these moments are written in UTC. The name
/// after the colon is for people, but some programs want one of letters.
fn moment(at_ms: i64, zone: &Zone) -> String {
    let offset_s = zone.offset_s(at_ms);
    let (date, time, suffix) = if offset_s % 3_600 == 0 && offset_s != 0 {
        let suffix = format!("[{}:LOC]", offset_s / 3_600);
        (zone.date(at_ms), zone.time(at_ms), suffix)
    } else {
        (Date::at(at_ms), TimeOfDay::at(at_ms), "[0:GMT]".to_owned())
    };
    format!("{date}{time}").replace(['-', ':'], "") + &suffix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customers_words_start_no_formula_and_break_no_cell() {
        for (text, cell) in [
            ("ana", "ana"),
            ("-2+3", "'-2+3"),
            ("=x", "'=x"),
            ("0:a;b", "\"0:a;b\""),
            ("a\"b;", "\"a\"\"b;\""),
        ] {
            assert_eq!(words(text), cell);
        }
    }

    #[test]
    fn markup_in_names_stays_text() {
        let extract = Extract {
            bank: BankId(0),
            bank_name: "<a & \"b\">".into(),
            number: AccountNumber::try_from(7).unwrap(),
            balance: Centavos::new(-5),
            now_ms: 1_795_442_602_999,
            zone: Zone::named("America/Sao_Paulo").unwrap(),
            ends_ms: None,
        };
        let text = (OFX.head)(&extract).unwrap() + &(OFX.tail)(&extract).unwrap();
        assert!(text.contains("<ORG>&#60;a &#38; &#34;b&#34;&#62;</ORG>"), "{text}");
        assert!(text.contains("<DTSERVER>20261123110322[-3:LOC]</DTSERVER>"), "{text}");
        assert!(text.contains("<BALAMT>-0.05</BALAMT>"), "{text}");
    }

    #[test]
    fn a_moment_is_written_with_its_offset_where_that_is_in_whole_hours() {
        let written = |zone| moment(1_796_088_600_000, &Zone::named(zone).unwrap());
        assert_eq!(written("America/Sao_Paulo"), "20261130223000[-3:LOC]");
        assert_eq!(written("Asia/Tokyo"), "20261201103000[9:LOC]");
        assert_eq!(written("Asia/Kathmandu"), "20261201013000[0:GMT]");
        assert_eq!(written("UTC"), "20261201013000[0:GMT]");
    }
}
