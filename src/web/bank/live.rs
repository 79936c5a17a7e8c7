//! What arrives while a customer looks: a stream of server-sent events, which the page's script
//! shows. Without scripts it is seen when the page is opened again.
//!
//! The stream looks at the ledger once a second; so what arrives costs nothing where it is
//! executed. It ends when the session does, and does not keep it from ending.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use serde::Serialize;

use super::money::{reais, reais_wide};
use super::{Answer, customer, shown, texts};
use crate::actors::arrivals::{Seat, Sit};
use crate::actors::ledger::ask_before_past;
use crate::actors::sessions::IsOpen;
use crate::http::{Bank, Named, Refused, named};
use crate::ids::BankId;
use crate::ledger::past::AccountTrail;
use crate::ledger::past::walk::forward;
use crate::ledger::{Account, AccountNumber, Book, Centavos, EntryKind, UserName, money};
use crate::session::TokenDigest;
use crate::store::past::PastReader;
use crate::web::session::token;

/// How often the ledger is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The most that is told of one account at a time; of more, only the latest.
const TOLD_MAX: u64 = 5;
/// After how many looks without news something is sent all the same, so that a page that is gone is
/// noticed.
const QUIET_MAX: u32 = 15;

/// One arrival, as the script reads it.
#[derive(Serialize)]
struct Arrival {
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

/// Somebody who looks.
struct Looking {
    bank: Data<Bank>,
    user: UserName,
    token: TokenDigest,
    seat: Seat,
    /// How many entries of each account are known.
    known: BTreeMap<(BankId, AccountNumber), u64>,
    quiet: u32,
}

/// `GET /chegadas`
pub(super) async fn stream_arrivals(bank: Data<Bank>, request: HttpRequest) -> HttpResponse {
    shown(&bank, &request, try_stream(&bank, &request).await).await
}

async fn try_stream(bank: &Data<Bank>, request: &HttpRequest) -> Answer {
    let user = customer(bank, request).await?;
    let token = token(bank.me, request).ok_or(Refused::NoSession)?;
    let mut response = HttpResponse::Ok();
    response.content_type("text/event-stream").insert_header((CACHE_CONTROL, "no-store"));
    // A body without end would keep open the connection of a client that asked only for the head.
    if request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let seat = bank.actors.arrivals.send(Sit(user.clone())).await?;
    let seat = seat.ok_or(Refused::Overloaded)?;
    let token = TokenDigest::of(&token);
    let known = BTreeMap::new();
    let mut looking = Looking { bank: bank.clone(), user, token, seat, known, quiet: 0 };
    let accounts = looking.accounts().await?;
    looking.known = accounts.iter().map(|now| (now.place, now.trail.trail.count())).collect();
    let events = stream::unfold((looking, true), async |(mut looking, is_first)| {
        // So that the script knows that it is going to hear of everything from now on.
        let bytes = if is_first { Bytes::from_static(b": \n\n") } else { looking.next().await? };
        Some((Ok::<_, Infallible>(bytes), (looking, false)))
    });
    Ok(response.streaming(events))
}

/// An account as it is at the moment.
struct Now {
    place: (BankId, AccountNumber),
    trail: AccountTrail,
    balance: Centavos,
}

impl Looking {
    /// What is to be sent next; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let pause = actix_rt::time::sleep(LOOK_EVERY);
            tokio::select! {
                _ = self.seat.ends.changed() => return None,
                () = pause => {}
            }
            if !self.bank.actors.sessions.send(IsOpen(self.token)).await.unwrap_or(false) {
                return None;
            }
            let arrivals = self.arrivals().await.ok()?;
            self.quiet += 1;
            if !arrivals.is_empty() {
                self.quiet = 0;
                return Some(written(&arrivals));
            }
            if self.quiet >= QUIET_MAX {
                self.quiet = 0;
                return Some(Bytes::from_static(b": \n\n"));
            }
        }
    }

    async fn accounts(&self) -> Result<Vec<Now>, Refused> {
        let user = self.user.clone();
        let asked = move |book: &Book| {
            let now = |account: &Account| Now {
                place: (account.bank, account.number),
                trail: book.trail_of(account),
                balance: account.balance,
            };
            book.accounts_of(&user).map(now).collect()
        };
        Ok(ask_before_past(&self.bank.actors.routes.ledger, asked).await?)
    }

    /// What has arrived since the last look.
    async fn arrivals(&mut self) -> Result<Vec<Arrival>, Refused> {
        let mut arrivals = Vec::new();
        let accounts = self.accounts().await?;
        let total = reais_wide(money::sum(accounts.iter().map(|account| account.balance)));
        for Now { place, trail, balance } in accounts {
            let count = trail.trail.count();
            let known = self.known.insert(place, count);
            // An account that is opened meanwhile has its opening value only.
            let known = known.unwrap_or(count).max(count.saturating_sub(TOLD_MAX));
            if known == count {
                continue;
            }
            let new = move |past: &mut PastReader| forward(past, &trail, &(known..count), TOLD_MAX);
            let Some(entries) = self.bank.actors.past.read(new).await? else { continue };
            let came = entries.into_iter().filter(|(_, entry)| entry.kind == EntryKind::Receive);
            let came = named(&self.bank, came.collect()).await?;
            let balance = reais(balance);
            arrivals.extend(came.into_iter().map(|named| arrival(place, named, &balance, &total)));
        }
        Ok(arrivals)
    }
}

fn arrival(
    (of, number): (BankId, AccountNumber),
    named: Named,
    balance: &str,
    total: &str,
) -> Arrival {
    let Named { index, entry, counterparty } = named;
    let payer = counterparty.map(|payer| payer.name);
    Arrival {
        text: texts::arrived(&reais(entry.value), payer.as_deref()),
        receipt: format!("/contas/{of}-{number}/comprovante/{index}"),
        account: format!("{of}-{number}"),
        balance: balance.to_owned(),
        total: total.to_owned(),
    }
}

fn written(arrivals: &[Arrival]) -> Bytes {
    let event = |arrival: &Arrival| {
        let json = serde_json::to_string(arrival).expect("texts are JSON");
        format!("data: {json}\n\n")
    };
    arrivals.iter().map(event).collect::<String>().into()
}
