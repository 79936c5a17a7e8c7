//! Statements to take away: CSV for spreadsheets, OFX 2.1.1 for finance programs.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::{self, Data};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::entry::login_address;
use super::form::Form;
use super::money::plain_reais;
use super::overview::bank_name;
use super::statement::{Filter, own, place};
use super::{Answer, customer, see_other, shown, texts};
use crate::actors::ledger::Ask;
use crate::brazilian::date;
use crate::civil::Zone;
use crate::http::{Bank, Refused};
use crate::ids::BankId;
use crate::ledger::calendar::{Date, TimeOfDay};
use crate::ledger::{AccountNumber, Book, Centavos, Entry, EntryKind};

/// The most entries in one file: the ledger copies them while others wait.
const ENTRIES_MAX: usize = 20_000;

/// `GET /contas/{account}/extrato.csv`
pub(super) async fn csv(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    let file = file(&bank, &request, "text/csv; charset=utf-8", "csv", write_csv).await;
    shown_with_statement(&bank, &request, file).await
}

/// `GET /contas/{account}/extrato.ofx`
pub(super) async fn ofx(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    let file = file(&bank, &request, "application/x-ofx", "ofx", write_ofx).await;
    shown_with_statement(&bank, &request, file).await
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

/// What a file is made of.
struct Extract {
    bank: BankId,
    number: AccountNumber,
    balance: Centavos,
    /// With their index in the statement, oldest first.
    entries: Vec<(usize, Entry)>,
    /// Ledger time.
    now_ms: i64,
    /// Whose days and hours are written.
    zone: Zone,
}

async fn file(
    bank: &Bank,
    request: &HttpRequest,
    content_type: &'static str,
    extension: &str,
    write: fn(&str, &Extract) -> Result<String, Refused>,
) -> Answer {
    let user = customer(bank, request).await?;
    let (of, number) = place(request)?;
    let zone = bank.config.time_zone.clone();
    let filter = Filter::read(&Form::of_query(request)?, &zone)?;
    let bank_name = bank_name(bank, of);
    let asked = Ask(move |book: &Book| {
        let account = own(book, &user, (of, number))?;
        let (start, period) = filter.period(&account.statement);
        let wanted = period.iter().enumerate().filter(|(_, entry)| filter.wants(entry));
        if wanted.clone().nth(ENTRIES_MAX).is_some() {
            return Err(Refused::bad(texts::too_many_entries(ENTRIES_MAX)));
        }
        Ok(Extract {
            bank: of,
            number,
            balance: account.balance,
            entries: wanted.map(|(index, entry)| (start + index, entry.clone())).collect(),
            now_ms: book.time_ms(),
            zone,
        })
    });
    let extract = bank.actors.routes.ledger.send(asked).await??;
    // A long file takes a while to write, and peers are answered on this thread too.
    let text = web::block(move || write(&bank_name, &extract)).await;
    let text = text.map_err(|_| Refused::Internal)??;
    Ok(HttpResponse::Ok()
        .content_type(content_type)
        .insert_header((
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"extrato-{of}-{number}.{extension}\""),
        ))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(text))
}

/// Semicolons and decimal commas, as spreadsheets in Brazil expect them, after the byte order mark
/// that says UTF-8.
fn write_csv(_: &str, extract: &Extract) -> Result<String, Refused> {
    let mut text = String::from(
        "\u{feff}Data;Hora;Tipo;Valor;Saldo anterior;Saldo;Chave Pix;Feito por;Banco;Posição;Identificação\r\n",
    );
    let zone = &extract.zone;
    for (_, entry) in &extract.entries {
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
        text += &cells.join(";");
        text += "\r\n";
    }
    Ok(text)
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

#[derive(Template)]
#[template(path = "bank/statement.ofx", escape = "html")]
struct Ofx<'a> {
    bank_name: &'a str,
    bank: BankId,
    number: AccountNumber,
    now: String,
    first: String,
    last: String,
    lines: Vec<OfxLine>,
    balance: Centavos,
}

struct OfxLine {
    kind: &'static str,
    moment: String,
    value: Centavos,
    index: usize,
    name: String,
    memo: String,
}

impl OfxLine {
    fn of(index: usize, entry: &Entry, zone: &Zone) -> OfxLine {
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
        let moment = moment(entry.at_ms, zone);
        OfxLine { kind, moment, value: entry.value, index, name, memo }
    }
}

fn write_ofx(bank_name: &str, extract: &Extract) -> Result<String, Refused> {
    let Extract { bank, number, balance, entries, now_ms, zone } = extract;
    let at = |entry: Option<&(usize, Entry)>| {
        moment(entry.map_or(*now_ms, |(_, entry)| entry.at_ms), zone)
    };
    let line = |(index, entry): &(usize, Entry)| OfxLine::of(*index, entry, zone);
    let ofx = Ofx {
        bank_name,
        bank: *bank,
        number: *number,
        now: moment(*now_ms, zone),
        first: at(entries.first()),
        last: at(entries.last()),
        lines: entries.iter().map(line).collect(),
        balance: *balance,
    };
    ofx.render().map_err(|_| Refused::Internal)
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
        let ofx = Ofx {
            bank_name: "<a & \"b\">",
            bank: BankId(0),
            number: AccountNumber::try_from(7).unwrap(),
            now: moment(1_795_442_602_999, &Zone::named("America/Sao_Paulo").unwrap()),
            first: String::new(),
            last: String::new(),
            lines: Vec::new(),
            balance: Centavos::new(-5),
        };
        let text = ofx.render().unwrap();
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
