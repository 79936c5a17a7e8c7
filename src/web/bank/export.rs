//! Statements to take away: CSV for spreadsheets, OFX for finance programs.
//!
//! OFX is written in version 1.6 with its header that says UTF-8: of the two common readers in
//! Python, one takes version 2 for ASCII and fails at the first accent, and the other does not
//! understand character references. Both read this.

use std::future::ready;
use std::ops::Range;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};

use super::entry::login_address;
use super::filter::Filter;
use super::form::Form;
use super::money::plain_reais;
use super::overview::bank_name;
use super::statement::{own, place};
use super::{Answer, customer, see_other, shown, texts};
use crate::actors::ledger::ask_before_past;
use crate::brazilian::date;
use crate::civil::Zone;
use crate::http::{Bank, Named, Refused, lacking, named};
use crate::ids::BankId;
use crate::ledger::calendar::{Date, TimeOfDay};
use crate::ledger::past::AccountTrail;
use crate::ledger::past::walk::{Period, forward};
use crate::ledger::{AccountNumber, Book, Centavos, Counterparty, EntryKind, Message, Txid};
use crate::store::StoreError;
use crate::store::past::{Archived, PastReader};

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
pub(super) async fn shown_with_statement(
    bank: &Bank,
    request: &HttpRequest,
    answer: Answer,
) -> HttpResponse {
    if !matches!(answer, Err(Refused::NoSession)) {
        return shown(bank, request, answer).await;
    }
    let page = request.path().rsplit_once('/').map_or("/", |(page, _)| page);
    let query = request.query_string();
    let target = if query.is_empty() { page.to_owned() } else { format!("{page}?{query}") };
    see_other(&login_address(&target))
}

/// The most characters of a name in OFX,
const OFX_NAME_CHARS: usize = 32;
/// and of a text.
const OFX_MEMO_CHARS: usize = 255;

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
    /// The names of all banks.
    banks: Vec<String>,
    /// From when to when it reaches.
    period_ms: (i64, i64),
}

/// How a file is written, part by part.
struct Format {
    content_type: &'static str,
    extension: &'static str,
    head: fn(&Extract) -> Result<String, Refused>,
    entry: fn(&Extract, &Named) -> Result<String, Refused>,
    tail: fn(&Extract) -> Result<String, Refused>,
}

/// Streams the file: nothing is read before the one who loads it has taken what came before, and
/// nothing more once they have left.
async fn file(bank: &Data<Bank>, request: &HttpRequest, format: &'static Format) -> Answer {
    let user = customer(bank, request).await?;
    let (of, number) = place(request)?;
    let zone = bank.config.time_zone.clone();
    let filter = Filter::read(&Form::of_query(request)?, &zone)?;
    let asked = move |book: &Book| {
        own(book, &user, (of, number))
            .map(|account| (book.trail_of(account), account.balance, book.time_ms()))
    };
    let asked = ask_before_past(&bank.actors.routes.ledger, asked).await?;
    let (trail, balance, now_ms) = asked?;
    let past = bank.actors.past.clone();
    let wanted = filter.clone();
    let bounds = past.read(move |past| bounds(past, &trail, &wanted)).await?;
    let (period, ends_ms) = bounds.map_err(|gone| lacking(bank, gone.as_ref()))?;
    let banks = bank.config.nodes.iter().map(|node| node.name.clone()).collect();
    let bank_name = bank_name(bank, of);
    let period_ms = filter.span_ms(ends_ms, now_ms);
    let extract = Extract { bank: of, bank_name, number, balance, now_ms, zone, banks, period_ms };
    let head = (format.head)(&extract)?;
    let parts = parts(bank.clone(), trail, period, filter, extract, format);
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

/// The entries of the period; if not all are here, those in archive files where it is because of
/// them.
fn bounds(
    past: &mut PastReader,
    trail: &AccountTrail,
    filter: &Filter,
) -> Result<Result<Bounds, Option<Archived>>, StoreError> {
    let Period { range: period, is_cut } = filter.period(past, trail)?;
    let last = period.end.saturating_sub(1)..period.end;
    let mut at = |range: Range<u64>| -> Result<Option<i64>, StoreError> {
        let found = forward(past, trail, &range, 1)?;
        Ok(found.and_then(|found| found.first().map(|(_, entry)| entry.at_ms)))
    };
    let ends = at(period.clone())?.zip(at(last)?);
    let is_here = !is_cut && (ends.is_some() || period.is_empty());
    Ok(if is_here { Ok((period, ends)) } else { Err(past.gone().cloned()) })
}

/// The entries as text, part by part, and then the end of the file.
fn parts(
    bank: Data<Bank>,
    trail: AccountTrail,
    period: Range<u64>,
    filter: Filter,
    extract: Extract,
    format: &'static Format,
) -> impl Stream<Item = Result<Bytes, Refused>> {
    stream::try_unfold(Some((period, extract)), move |state| {
        let (bank, filter) = (bank.clone(), filter.clone());
        async move {
            let Some((mut left, extract)) = state else { return Ok(None) };
            if left.is_empty() {
                return Ok(Some((Bytes::from((format.tail)(&extract)?), None)));
            }
            let range = left.clone();
            let read = move |past: &mut PastReader| forward(past, &trail, &range, PART);
            let part = bank.actors.past.read(read).await?.ok_or(Refused::PastMissing)?;
            left.start += part.len() as u64;
            let wanted = part.into_iter().filter(|(_, entry)| filter.wants(entry)).collect();
            let mut text = String::new();
            for entry in named(&bank, wanted).await?.iter().filter(|entry| filter.finds(entry)) {
                text += &(format.entry)(&extract, entry)?;
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
        let head = CSV_HEAD.join(";");
        Ok(format!("\u{feff}{head}\r\n"))
    },
    entry: |extract, entry| Ok(csv_line(extract, entry)),
    tail: |_| Ok(String::new()),
};

const CSV_HEAD: [&str; 17] = [
    "Data",
    "Hora",
    "Tipo",
    "Valor",
    "Saldo anterior",
    "Saldo",
    "De ou para",
    "CPF ou CNPJ",
    "Banco",
    "Conta",
    "Mensagem",
    "Cobrança",
    "Chave Pix",
    "Feito por",
    "Banco do pedido",
    "Posição",
    "Identificação",
];

fn csv_line(extract: &Extract, named: &Named) -> String {
    let (zone, Named { entry, counterparty, .. }) = (&extract.zone, named);
    let details = &entry.details;
    let other = |text: fn(&Counterparty) -> &str| counterparty.as_ref().map_or("", text);
    let account = counterparty.as_ref().and_then(|other| other.account);
    let other_bank = account.map(|(of, _)| extract.name_of(of)).unwrap_or_default();
    // The user name of whoever sent money is not for others.
    let made_by = if entry.kind == EntryKind::Receive { "" } else { entry.made_by.as_str() };
    let cells = [
        date(zone.date(entry.at_ms)),
        zone.time(entry.at_ms).to_string(),
        texts::entry_name(entry).to_owned(),
        plain_reais(entry.value),
        plain_reais(entry.previous_balance()),
        plain_reais(entry.balance_after),
        words(other(|other| &other.name)),
        other(|other| &other.document).to_owned(),
        words(&other_bank),
        account.map(|(_, number)| number.to_string()).unwrap_or_default(),
        words(details.message.as_ref().map_or("", Message::as_str)),
        words(details.txid.as_ref().map_or("", Txid::as_str)),
        words(entry.pix.as_ref().map_or("", |pix| pix.as_str())),
        words(made_by),
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

impl Extract {
    /// A bank's name.
    fn name_of(&self, bank: BankId) -> String {
        self.banks.get(bank.index()).cloned().unwrap_or_else(|| format!("Banco {bank}"))
    }
}

/// OFX in three templates: before, for, and after the entries.
const OFX: Format = Format {
    content_type: "application/x-ofx",
    extension: "ofx",
    head: |extract| written(&OfxHead::of(extract)).map(|head| head + "\n"),
    entry: |extract, named| written(&OfxLine::of(extract, named)).map(|line| line + "\n"),
    tail: |extract| {
        written(&OfxTail { now: moment(extract.now_ms, &extract.zone), balance: extract.balance })
    },
};

fn written(template: &impl Template) -> Result<String, Refused> {
    template.render().map_err(|_| Refused::Internal)
}

#[derive(Template)]
#[template(path = "bank/statement_head.ofx", escape = "none")]
struct OfxHead {
    bank_name: String,
    bank: BankId,
    number: AccountNumber,
    now: String,
    first: String,
    last: String,
}

impl OfxHead {
    fn of(extract: &Extract) -> OfxHead {
        let at = |at_ms| moment(at_ms, &extract.zone);
        let (first_ms, last_ms) = extract.period_ms;
        OfxHead {
            bank_name: ofx_text(&extract.bank_name, OFX_NAME_CHARS),
            bank: extract.bank,
            number: extract.number,
            now: at(extract.now_ms),
            first: at(first_ms),
            last: at(last_ms),
        }
    }
}

#[derive(Template)]
#[template(path = "bank/statement_entry.ofx", escape = "none")]
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
    fn of(extract: &Extract, named: &Named) -> OfxLine {
        let Named { index, entry, counterparty } = named;
        let kind = match entry.kind {
            EntryKind::Opening | EntryKind::Deposit => "DEP",
            EntryKind::Withdraw => "CASH",
            EntryKind::Transfer | EntryKind::Receive => "XFER",
        };
        let about = texts::entry_name(entry);
        let name = counterparty.as_ref().map_or(about, |other| &other.name);
        let mut memo = vec![about.to_owned()];
        memo.extend(counterparty.as_ref().map(|other| other.name.clone()));
        memo.extend(entry.details.message.as_ref().map(ToString::to_string));
        memo.extend(entry.details.txid.as_ref().map(|txid| format!("cobrança {txid}")));
        let Extract { bank, number, .. } = *extract;
        OfxLine {
            bank,
            number,
            kind,
            moment: moment(entry.at_ms, &extract.zone),
            value: entry.value,
            index: *index,
            name: ofx_text(name, OFX_NAME_CHARS),
            memo: ofx_text(&memo.join(" · "), OFX_MEMO_CHARS),
        }
    }
}

/// At most so many characters, and those that mean markup as the format wants them.
fn ofx_text(text: &str, chars_max: usize) -> String {
    let written = |char: char| match char {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        char => char.to_string(),
    };
    text.trim().chars().take(chars_max).map(written).collect()
}

#[derive(Template)]
#[template(path = "bank/statement_tail.ofx", escape = "none")]
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
            banks: Vec::new(),
            period_ms: (1_795_442_602_999, 1_795_442_602_999),
        };
        let text = (OFX.head)(&extract).unwrap() + &(OFX.tail)(&extract).unwrap();
        assert!(text.contains("<ORG>&lt;a &amp; \"b\"&gt;</ORG>"), "{text}");
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
