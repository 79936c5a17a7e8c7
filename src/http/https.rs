//! Where a bank has a certificate for customers: who comes in the open is led to HTTPS before
//! anything else is said, and browsers are told to come by HTTPS from then on.
//!
//! Callers on this machine are left alone: a health check, or a proxy that has decrypted what it
//! passes on.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HOST, LOCATION, STRICT_TRANSPORT_SECURITY};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};

use super::Bank;
use super::auth::{Caller, OpenedBy, peer};
use super::refusal::Refused;

/// For how long browsers remember it: half a year.
const REMEMBERED: &str = "max-age=15552000";

/// Marks the connections of customers that are encrypted.
pub(super) struct Encrypted;

/// Whether what is answered to this request is encrypted on its way.
pub(crate) fn is_encrypted(request: &HttpRequest) -> bool {
    request.conn_data::<Encrypted>().is_some()
}

/// Answers requests that have come as they should.
///
/// # Errors
/// Those of what answers.
pub async fn require<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let bank = request.app_data::<Data<Bank>>().filter(|bank| bank.https);
    let may_be_open = |bank: &Bank| {
        let address = request.peer_addr();
        address.is_none_or(|address| address.ip().to_canonical().is_loopback())
            || peer(bank, Caller::from(request.request())).is_ok()
    };
    if is_encrypted(request.request()) {
        let mut response = next.call(request).await?.map_into_boxed_body();
        let remembered = actix_web::http::header::HeaderValue::from_static(REMEMBERED);
        response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, remembered);
        return Ok(response);
    }
    // Another bank asks on a customer's behalf.
    let is_sealed = request.conn_data::<OpenedBy>().is_some();
    if is_sealed || bank.is_none_or(|bank| may_be_open(bank)) {
        return next.call(request).await.map(ServiceResponse::map_into_boxed_body);
    }
    let led = led(request.request());
    Ok(request.into_response(led))
}

/// The same address by HTTPS. What was sent in the open is not to be sent again by itself, so that
/// whoever wrote the program notices.
fn led(request: &HttpRequest) -> HttpResponse {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    match host {
        Some(host) if [Method::GET, Method::HEAD].contains(request.method()) => {
            let address = format!("https://{host}{}", request.uri());
            HttpResponse::PermanentRedirect().insert_header((LOCATION, address)).finish()
        }
        _ => Refused::NotEncrypted.error_response(),
    }
}
