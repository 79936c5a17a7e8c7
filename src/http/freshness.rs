//! Reads go on at a bank that is cut off, and say then that others may know more.

use actix_web::HttpMessage;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderValue, WARNING};
use actix_web::middleware::Next;
use actix_web::web::Data;

use super::Bank;
use crate::actors::heartbeat::Prove;

/// What a read says that may be old: warn code 110 of RFC 7234, section 5.5.1.
const STALE: HeaderValue = HeaderValue::from_static(r#"110 - "Response is Stale""#);

/// What the handler of a read, and the page around it, find among the request's extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Freshness {
    /// Whether the read shows all that was answered anywhere before it began.
    pub(crate) is_proved: bool,
}

/// Proves that what is read from now on shows all that was answered anywhere before; waits for that a bounded time.
pub(crate) async fn is_fresh(bank: &Bank) -> bool {
    match bank.actors.routes.heartbeat.send(Prove).await {
        Ok(verdict) => verdict.await.unwrap_or(false),
        Err(_) => false,
    }
}

/// Marks the answer unless it is proved to be fresh. A write that shares the route is no read.
pub(super) async fn mark_unless_fresh<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    if request.method() == Method::POST { next.call(request).await } else { mark_figures(request, next).await }
}

/// Marks the answer unless it is proved to be fresh, however it was asked for.
pub(crate) async fn mark_figures<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    // Before the ledger is read: what is fresh then stays so, as the ledger only grows.
    let is_proved = match request.app_data::<Data<Bank>>().cloned() {
        Some(bank) => is_fresh(&bank).await,
        None => false,
    };
    request.extensions_mut().insert(Freshness { is_proved });
    let mut response = next.call(request).await?;
    if !is_proved {
        response.headers_mut().insert(WARNING, STALE);
    }
    Ok(response)
}
