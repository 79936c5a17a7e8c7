//! The receipt and the statement as PDF.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::export::shown_with_statement;
use super::filter::{Filter, search};
use super::form::Form;
use super::money::{reais, signed_reais};
use super::overview::bank_name;
use super::paper::{Paper, Piece, ROOM};
use super::receipt::{ReceiptPage, receipt};
use super::statement::{older_not_here, own, place};
use super::{Answer, customer, texts};
use crate::actors::ledger::ask_before_past;
use crate::actors::time::unix_ms;
use crate::brazilian::date;
use crate::civil::Zone;
use crate::http::{Bank, Named, in_turn};
use crate::ledger::{Book, Centavos, Counterparty};
use crate::store::past::PastReader;

/// The most entries of a statement on paper: the newest. A spreadsheet has them all.
const ENTRIES_MAX: usize = 2_000;
/// The size of ordinary letters, in points,
const TEXT: f32 = 9.0;
/// and of the title.
const TITLE: f32 = 16.0;
/// Where the columns of a statement begin: time, what, who; and end: value, balance.
const COLUMNS: [f32; 5] = [0.0, 38.0, 140.0, 400.0, ROOM];

/// `GET /contas/{account}/comprovante/{entry}/pdf`
pub(super) async fn receipt_pdf(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    let answer = async {
        let found = receipt(&bank, &request).await?;
        let name = format!("comprovante-{}-{}", found.place, found.index);
        Ok(file(&name, receipt_paper(&bank, &found)))
    };
    let answer: Answer = answer.await;
    shown_with_statement(&bank, &request, answer).await
}

fn receipt_paper(bank: &Bank, found: &ReceiptPage) -> Vec<u8> {
    let mut paper = Paper::new(texts::RECEIPT, &made_at(bank));
    let title = Piece::left(0.0, ROOM, texts::RECEIPT).bold();
    paper.line(TEXT, &[Piece::left(0.0, ROOM, &bank_name(bank, bank.me))]);
    paper.line(TITLE, &[title]);
    paper.rule();
    let (kind, value) = (found.kind, found.value.as_str());
    paper.line(13.0, &[Piece::left(0.0, 300.0, kind), Piece::right(ROOM, value).bold()]);
    paper.rule();
    for (label, lines) in found.rows() {
        for (place, text) in lines.iter().enumerate() {
            let label = if place == 0 { label } else { "" };
            let pieces = [Piece::left(0.0, 150.0, label).bold(), Piece::left(160.0, 335.0, text)];
            paper.line(TEXT + 1.0, &pieces);
        }
        paper.line(3.0, &[]);
    }
    paper.finish()
}

/// `GET /contas/{account}/extrato.pdf`
pub(super) async fn statement_pdf(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    let answer = statement(&bank, &request).await;
    shown_with_statement(&bank, &request, answer).await
}

async fn statement(bank: &Bank, request: &HttpRequest) -> Answer {
    let user = customer(bank, request).await?;
    let (of, number) = place(request)?;
    let filter = Filter::read(&Form::of_query(request)?, &bank.config.time_zone)?;
    let reader = user.clone();
    let asked = move |book: &Book| {
        own(book, &reader, (of, number)).map(|account| (book.trail_of(account), account.balance))
    };
    let (trail, balance) = ask_before_past(&bank.actors.routes.ledger, asked).await??;
    let wanted = filter.clone();
    let read = move |past: &mut PastReader| {
        let period = wanted.period(past, &trail)?;
        Ok((past.gone().filter(|_| period.is_cut).cloned(), period))
    };
    let (gone, period) = bank.actors.past.read(read).await?;
    let found = search(bank, trail, period.range, ENTRIES_MAX, &filter).await?;
    let gone = found.gone.as_ref().or(gone.as_ref());
    let cut = match (gone, period.is_cut || found.is_cut) {
        _ if found.next_before.is_some() => Some(texts::OLDER_NOT_PRINTED.to_owned()),
        (gone, true) => Some(older_not_here(bank, gone)),
        (_, false) => None,
    };
    let title = format!("Extrato da conta {number} · {}", bank_name(bank, of));
    let (zone, made_at) = (bank.config.time_zone.clone(), made_at(bank));
    let write = move || {
        let paper = Paper::new(&title, &made_at);
        statement_paper(paper, &zone, &title, (&filter, balance), &found.entries, cut)
    };
    let paper = in_turn(request, Some(&user), (), write).await?;
    Ok(file(&format!("extrato-{of}-{number}"), paper))
}

/// Newest first, by day, as on the page.
fn statement_paper(
    mut paper: Paper,
    zone: &Zone,
    title: &str,
    (filter, balance): (&Filter, Centavos),
    entries: &[Named],
    cut: Option<String>,
) -> Vec<u8> {
    paper.line(TITLE, &[Piece::left(0.0, ROOM, title).bold()]);
    let period = texts::period(filter.days());
    let now = format!("Saldo agora {}", reais(balance));
    paper.line(TEXT + 1.0, &[Piece::left(0.0, 300.0, &period), Piece::right(ROOM, &now).bold()]);
    head(&mut paper);
    let mut day = None;
    for Named { entry, counterparty, .. } in entries.iter().rev() {
        if !paper.make_room(2.0 * TEXT) {
            head(&mut paper);
        }
        let date_of = zone.date(entry.at_ms);
        if day.replace(date_of) != Some(date_of) {
            paper.line(TEXT + 1.0, &[Piece::left(0.0, ROOM, &date(date_of)).bold()]);
        }
        let who = who(counterparty.as_ref());
        let time = zone.time(entry.at_ms).to_string();
        let (value, after) = (signed_reais(entry.value), reais(entry.balance_after));
        let [at_time, at_kind, at_who, value_end, balance_end] = COLUMNS;
        paper.line(
            TEXT,
            &[
                Piece::left(at_time, at_kind - at_time, time.get(..5).unwrap_or(&time)),
                Piece::left(at_kind, at_who - at_kind - 4.0, texts::entry_name(entry)),
                Piece::left(at_who, 180.0, &who),
                Piece::right(value_end, &value),
                Piece::right(balance_end, &after),
            ],
        );
        if let Some(message) = &entry.details.message {
            paper.line(TEXT - 1.0, &[Piece::left(at_who, 260.0, message.as_str())]);
        }
    }
    let end = if entries.is_empty() { Some(texts::NO_ENTRIES) } else { None };
    for text in end.into_iter().chain(cut.as_deref()) {
        paper.line(TEXT, &[Piece::left(0.0, ROOM, text)]);
    }
    paper.finish()
}

fn head(paper: &mut Paper) {
    paper.rule();
    let [time, kind, who, value, balance] = COLUMNS;
    let left = |at, text| Piece::left(at, 100.0, text).bold();
    let right = |at, text| Piece::right(at, text).bold();
    paper.line(
        TEXT,
        &[
            left(time, "Hora"),
            left(kind, "Lançamento"),
            left(who, "De ou para"),
            right(value, "Valor"),
            right(balance, "Saldo"),
        ],
    );
    paper.rule();
}

fn who(other: Option<&Counterparty>) -> String {
    other.map(|other| format!("{} · {}", other.name, other.document)).unwrap_or_default()
}

/// The foot: who has written it, and when.
fn made_at(bank: &Bank) -> String {
    let (zone, now_ms) = (&bank.config.time_zone, unix_ms());
    let (day, time) = (date(zone.date(now_ms)), zone.time(now_ms));
    texts::printed(&bank_name(bank, bank.me), &format!("{day}, {time} ({})", zone.name()))
}

fn file(name: &str, pdf: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/pdf")
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.pdf\"")))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(pdf)
}
