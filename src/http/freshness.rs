//! Reads go on at a bank that is cut off, and say then that others may know more. A read may ask
//! for what was executed through a position at least, such as that of the customer's own last
//! write.

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
use crate::actors::ledger::{Ask, Reach};
use crate::ids::Position;
use crate::ledger::Book;

/// What a read says that may be old: warn code 110 of RFC 7234, section 5.5.1.
const STALE: HeaderValue = HeaderValue::from_static(r#"110 - "Response is Stale""#);

/// Header with which a read asks for everything through a position, as the parameter `min_position`
/// does.
pub(crate) const MIN_POSITION_HEADER: HeaderName =
    HeaderName::from_static("netbanking-min-position");
/// Header of a read's answer: the position that it was made at.
pub(crate) const POSITION_HEADER: HeaderName = HeaderName::from_static("netbanking-position");
/// How long a read waits at most until the bank has executed as far as it asks for.
const REACH_WITHIN: Duration = Duration::from_secs(2);

/// What the handler of a read, and the page around it, find among the request's extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Freshness {
    /// Whether the read shows all that was answered anywhere before it began.
    pub(crate) is_proved: bool,
}

/// Proves that what is read from now on shows all that was answered anywhere before; waits for that
/// a bounded time.
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

/// The position that the read asks for at least: the higher of parameter and header.
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

/// The position that a read was made at; found among the request's extensions.
#[derive(Clone, Copy, Debug)]
struct MadeAt(Position);

/// Asks the ledger for what a read answers, and notes the position that it has then.
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

/// Marks the answer unless it is proved to be fresh. A write that shares the route is no read.
pub(super) async fn mark_unless_fresh<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    match *request.method() {
        Method::POST => next.call(request).await.map(ServiceResponse::map_into_left_body),
        _ => mark_figures(request, next).await,
    }
}

/// Marks the answer unless it is proved to be fresh, however it was asked for.
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

/// What has to be before the ledger is read: it has come as far as the read asks for. Returns
/// whether it is proved to be fresh; then it stays so, as it only grows.
async fn prepare(request: &HttpRequest) -> Result<bool, Refused> {
    let bank = request.app_data::<Data<Bank>>().cloned().ok_or(Refused::Internal)?;
    reach(&bank, min_position(request)?).await?;
    Ok(is_fresh(&bank).await)
}
