//! What arrives while a customer looks, which the page's script shows. Without scripts it is seen
//! when the page is opened again.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::money::{reais, reais_wide};
use super::{Answer, customer, shown, texts};
use crate::http::{Arrival, Bank, Named, Refused, Telling, arrivals};
use crate::session::TokenDigest;
use crate::web::session::token;

/// The most that a page is told of one account at a time: it shows no more.
const TOLD_MAX: u64 = 5;

/// One arrival, as the script reads it.
#[derive(Serialize)]
struct Shown {
    text: String,
    /// The address of its receipt.
    receipt: String,
    /// The account as addresses name it,
    account: String,
    /// what is in it now,
    balance: String,
    /// and in all of them.
    total: String,
}

/// `GET /chegadas`
pub(super) async fn stream_arrivals(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    shown(&bank, &request, try_stream(&bank, &request).await).await
}

async fn try_stream(bank: &Data<Bank>, request: &HttpRequest) -> Answer {
    let user = customer(bank, request).await?;
    let token = token(bank.me, request).ok_or(Refused::NoSession)?;
    let telling = Telling { write: in_words, most: TOLD_MAX };
    arrivals(bank, request, (user, TokenDigest::of(&token)), telling).await
}

fn in_words(_: &Bank, Arrival { place, named, balance, total }: Arrival) -> String {
    let (of, number) = place;
    let Named { index, entry, counterparty } = named;
    let payer = counterparty.map(|payer| payer.name);
    let shown = Shown {
        text: texts::arrived(&reais(entry.value), payer.as_deref()),
        receipt: format!("/contas/{of}-{number}/comprovante/{index}"),
        account: format!("{of}-{number}"),
        balance: reais(balance),
        total: reais_wide(total),
    };
    serde_json::to_string(&shown).expect("texts are JSON")
}
