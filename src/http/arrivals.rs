//! What arrives in a customer's accounts while somebody looks: a stream of server-sent events, for
//! programs here and for pages in `web/bank/live.rs`.
//!
//! The stream looks at the ledger once a second; so what arrives costs nothing where it is
//! executed. It ends when the session does, and does not keep it from ending. Whoever comes back
//! names the last event that they got, at this bank or at another one, and misses nothing.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use serde::Serialize;

use super::Bank;
use super::auth::{bearer, customer};
use super::entry_line::{EntryLine, Named, named};
use super::refusal::Refused;
use crate::actors::arrivals::{Seat, Sit};
use crate::actors::ledger::ask_before_past;
use crate::actors::sessions::IsOpen;
use crate::ids::BankId;
use crate::ledger::past::AccountTrail;
use crate::ledger::past::walk::forward;
use crate::ledger::{Account, AccountNumber, Book, Centavos, EntryKind, Reais, UserName, money};
use crate::session::TokenDigest;
use crate::store::past::PastReader;

/// How often the ledger is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The most that a program is told of one account at a time; of more, only the latest.
const TOLD_MAX: u64 = 100;
/// After how many looks without news something is sent all the same, so that a reader that is gone
/// is noticed.
const QUIET_MAX: u32 = 15;
/// The most accounts that the name of an event lists: it has to fit into a header.
const NAMED_MAX: usize = 100;
/// Header with the name of the last event that a reader got; browsers send it by themselves.
pub(crate) const LAST_EVENT_HEADER: &str = "last-event-id";

/// Money that came by Pix.
pub(crate) struct Arrival {
    /// The account that it came to,
    pub(crate) place: (BankId, AccountNumber),
    /// its entry there,
    pub(crate) named: Named,
    /// what is in the account now, and in all accounts of the customer.
    pub(crate) balance: Centavos,
    pub(crate) total: i128,
}

/// What a reader is told, and how much.
#[derive(Clone, Copy)]
pub(crate) struct Telling {
    /// One arrival as JSON.
    pub(crate) write: fn(&Bank, Arrival) -> String,
    /// The most of one account at a time.
    pub(crate) most: u64,
}

/// `GET /arrivals`
pub(super) async fn watch(bank: Data<Bank>, request: HttpRequest) -> Result<HttpResponse, Refused> {
    let user = customer(&bank, &request).await?.ok_or(Refused::NoSession)?;
    let token = bearer(request.headers()).map(TokenDigest::of).ok_or(Refused::NoSession)?;
    arrivals(&bank, &request, (user, token), Telling { write: line, most: TOLD_MAX }).await
}

/// One arrival, as programs read it.
#[derive(Serialize)]
struct ArrivalLine {
    bank: BankId,
    num_account: AccountNumber,
    balance: Reais,
    transaction: EntryLine,
}

fn line(bank: &Bank, Arrival { place, named, balance, .. }: Arrival) -> String {
    let (of, num_account) = place;
    let transaction = EntryLine::of(named, &bank.config);
    let line = ArrivalLine { bank: of, num_account, balance: Reais(balance), transaction };
    serde_json::to_string(&line).expect("texts and numbers can be written as JSON")
}

/// The stream of what arrives in the accounts of the customer with this session.
pub(crate) async fn arrivals(
    bank: &Data<Bank>,
    request: &HttpRequest,
    (user, token): (UserName, TokenDigest),
    telling: Telling,
) -> Result<HttpResponse, Refused> {
    let mut response = HttpResponse::Ok();
    response.content_type("text/event-stream").insert_header((CACHE_CONTROL, "no-store"));
    // A body without end would keep open the connection of a client that asked only for the head.
    if request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let seat = bank.actors.arrivals.send(Sit(user.clone())).await?;
    let seat = seat.ok_or(Refused::Overloaded)?;
    let known = BTreeMap::new();
    let mut looking = Looking { bank: bank.clone(), user, token, seat, known, quiet: 0, telling };
    let accounts = looking.accounts().await?;
    looking.known = accounts.iter().map(|now| (now.place, now.trail.trail.count())).collect();
    looking.come_back(request);
    let events = stream::unfold((looking, true), async |(mut looking, is_first)| {
        // So that readers know that they are going to hear of everything from now on.
        let bytes = if is_first { looking.name().into() } else { looking.next().await? };
        Some((Ok::<_, Infallible>(bytes), (looking, false)))
    });
    Ok(response.streaming(events))
}

/// How many entries of each account are known.
type Counts = BTreeMap<(BankId, AccountNumber), u64>;

/// Somebody who looks.
struct Looking {
    bank: Data<Bank>,
    user: UserName,
    token: TokenDigest,
    seat: Seat,
    known: Counts,
    quiet: u32,
    telling: Telling,
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
                return Some(self.written(arrivals));
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
        let total = money::sum(accounts.iter().map(|account| account.balance));
        for Now { place, trail, balance } in accounts {
            let count = trail.trail.count();
            // An account that is opened meanwhile has its opening value only.
            let known = self.known.get(&place).copied().unwrap_or(count);
            self.known.insert(place, known.max(count));
            if known >= count {
                continue;
            }
            let (most, known) =
                (self.telling.most, known.max(count - self.telling.most.min(count)));
            let new = move |past: &mut PastReader| forward(past, &trail, &(known..count), most);
            let Some(entries) = self.bank.actors.past.read(new).await? else { continue };
            let came = entries.into_iter().filter(|(_, entry)| entry.kind == EntryKind::Receive);
            let came = named(&self.bank, came.collect()).await?;
            arrivals.extend(came.into_iter().map(|named| Arrival { place, named, balance, total }));
        }
        Ok(arrivals)
    }

    /// Takes up where the reader was when their connection ended. What they say they know of an
    /// account may be more than this bank does.
    fn come_back(&mut self, request: &HttpRequest) {
        let header = request.headers().get(LAST_EVENT_HEADER);
        for (place, count) in header.map(|name| counts(name.as_bytes())).into_iter().flatten() {
            if let Some(known) = self.known.get_mut(&place) {
                *known = count;
            }
        }
    }

    /// The name of what has been sent until now; without one where it would be too long.
    fn name(&self) -> String {
        if self.known.len() > NAMED_MAX {
            return ": \n\n".to_owned();
        }
        let one = |((of, number), count): (&(BankId, AccountNumber), &u64)| {
            format!("{of}-{number}:{count}")
        };
        format!("id: {}\n\n", self.known.iter().map(one).collect::<Vec<_>>().join(";"))
    }

    fn written(&self, arrivals: Vec<Arrival>) -> Bytes {
        let event = |arrival| format!("data: {}\n\n", (self.telling.write)(&self.bank, arrival));
        let events: String = arrivals.into_iter().map(event).collect();
        // The name counts for all of them, and stands with the last.
        format!("{}\n{}", events.trim_end(), self.name()).into()
    }
}

/// What a reader says that they know; what is not understood is not known.
fn counts(name: &[u8]) -> Counts {
    let one = |part: &str| {
        let (place, count) = part.split_once(':')?;
        let (of, number) = place.split_once('-')?;
        let number = AccountNumber::parse(number).ok()?;
        Some(((BankId(of.parse().ok()?), number), count.parse().ok()?))
    };
    let name = std::str::from_utf8(name).unwrap_or_default();
    name.split(';').take(NAMED_MAX).filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reader_says_that_they_know_is_understood_as_far_as_it_can_be() {
        let place = |of, number: &str| (BankId(of), AccountNumber::parse(number).unwrap());
        assert_eq!(
            counts(b"0-123456:5;x;2-654321:18446744073709551616;1-654321:0;0-01:2"),
            BTreeMap::from([(place(0, "123456"), 5), (place(1, "654321"), 0)])
        );
        assert!(counts(b"\xff").is_empty() && counts(b"").is_empty());
    }
}
