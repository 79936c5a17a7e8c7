//! Reads go on at a bank that is cut off; their answers then say that other banks may know more. A
//! read may demand at least what was executed through a position, such as that of the customer's
//! own last write.

use std::time::Duration;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderName, HeaderValue, WARNING};
use actix_web::middleware::Next;
use actix_web::web::{Data, Query};
use actix_web::{HttpMessage, HttpRequest, ResponseError};
use serde::Deserialize;

use super::Bank;
use super::refusal::{Bad, Refused};
use crate::actors::heartbeat::Prove;
use crate::actors::ledger::{Ask, Reach, ask_before_past};
use crate::ids::Position;
use crate::ledger::Book;

/// The warning in the answer to a read that may be old: warn code 110 of RFC 7234, section 5.5.1.
const STALE: HeaderValue = HeaderValue::from_static(r#"110 - "Response is Stale""#);

/// Header by which a read asks for everything through a position, like the parameter
/// `min_position`.
pub(crate) const MIN_POSITION_HEADER: HeaderName =
    HeaderName::from_static("netbanking-min-position");
/// Header of a read's answer: the position at which the read was made.
pub(crate) const POSITION_HEADER: HeaderName = HeaderName::from_static("netbanking-position");
/// The longest that a read waits for the bank to execute as far as the read asks.
const REACH_WITHIN: Duration = Duration::from_secs(2);

/// What the handler of a read, and the page around its answer, find among the request's extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Freshness {
    /// Whether the read shows all that was answered anywhere before it began.
    pub(crate) is_proved: bool,
}

/// Proves that what is read from now on shows everything that was answered anywhere before; waits
/// for the proof for a bounded time.
pub(crate) async fn is_fresh(bank: &Bank) -> bool {
    match bank.actors.routes.heartbeat.send(Prove).await {
        Ok(verdict) => verdict.await.unwrap_or(false),
        Err(_) => false,
    }
}

#[derive(Deserialize)]
struct Wanted {
    min_position: Option<String>,
}

/// The least position that the read asks for: the higher of parameter and header.
fn min_position(request: &HttpRequest) -> Result<Position, Refused> {
    let bad = || Refused::from(Bad::MinPosition);
    let parse = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse().map_err(|_| bad()),
        false => Err(bad()),
    };
    let Query(Wanted { min_position }) =
        Query::from_query(request.query_string()).map_err(|_| bad())?;
    let parameter = min_position.map_or(Ok(0), |text| parse(&text))?;
    let header = request.headers().get(MIN_POSITION_HEADER);
    let header = header.map_or(Ok(0), |value| value.to_str().map_err(|_| bad()).and_then(parse))?;
    Ok(Position(parameter.max(header)))
}

/// Waits until the ledger has executed through a position.
async fn reach(bank: &Bank, position: Position) -> Result<(), Refused> {
    if position == Position(0) {
        return Ok(());
    }
    let reached = bank.actors.routes.ledger.send(Reach(position)).await?;
    match actix_rt::time::timeout(REACH_WITHIN, reached).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(Refused::Behind(position)),
    }
}

/// The position at which a read was made; found among the request's extensions.
#[derive(Clone, Copy, Debug)]
struct MadeAt(Position);

/// Asks the ledger for what a read answers, and notes the ledger's position at that moment.
pub(super) async fn read<R: Send + 'static>(
    bank: &Bank,
    request: &HttpRequest,
    question: impl FnOnce(&Book) -> R + Send + 'static,
) -> Result<R, Refused> {
    let ask = Ask(move |book: &Book| (book.position(), question(book)));
    let (position, answer) = bank.actors.routes.ledger.send(ask).await?;
    request.extensions_mut().insert(MadeAt(position));
    Ok(answer)
}

/// The same for a read that is going to read the past.
pub(super) async fn read_before_past<R: Send + 'static>(
    bank: &Bank,
    request: &HttpRequest,
    question: impl FnOnce(&Book) -> R + Send + 'static,
) -> Result<R, Refused> {
    let question = move |book: &Book| (book.position(), question(book));
    let (position, answer) = ask_before_past(&bank.actors.routes.ledger, question).await?;
    request.extensions_mut().insert(MadeAt(position));
    Ok(answer)
}

/// Marks the answer unless it is proved to be fresh. A write that shares the route is not marked.
pub(super) async fn mark_unless_fresh<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    match *request.method() {
        Method::POST => next.call(request).await.map(ServiceResponse::map_into_left_body),
        _ => mark_figures(request, next).await,
    }
}

/// Marks the answer unless it is proved to be fresh, whatever the request's method.
pub(crate) async fn mark_figures<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let is_proved = match prepare(request.request()).await {
        Ok(is_proved) => is_proved,
        Err(refused) => {
            return Ok(request.into_response(refused.error_response()).map_into_right_body());
        }
    };
    request.extensions_mut().insert(Freshness { is_proved });
    let mut response = next.call(request).await?;
    if !is_proved {
        response.headers_mut().insert(WARNING, STALE);
    }
    let made_at = response.request().extensions().get::<MadeAt>().copied();
    if let Some(MadeAt(position)) = made_at {
        response.headers_mut().insert(POSITION_HEADER, position.0.into());
    }
    Ok(response.map_into_left_body())
}

/// To be done before the ledger is read: waits until it has come as far as the read asks. Returns
/// whether it is proved to be fresh; if so, it stays fresh for this read, as the ledger only grows.
async fn prepare(request: &HttpRequest) -> Result<bool, Refused> {
    let bank = request.app_data::<Data<Bank>>().cloned().ok_or(Refused::Internal)?;
    reach(&bank, min_position(request)?).await?;
    Ok(is_fresh(&bank).await)
}
