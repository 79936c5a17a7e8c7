//! Reads go on at a bank that is cut off, and say then that others may know more.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderValue, WARNING};
use actix_web::middleware::Next;
use actix_web::web::Data;

use super::Bank;
use crate::actors::view::ViewStatus;

/// What a read says that may be old: warn code 110 of RFC 7234, section 5.5.1.
const STALE: HeaderValue = HeaderValue::from_static(r#"110 - "Response is Stale""#);

/// Marks the answer while no view with all its members answering is in force here: from then on others may execute
/// what this bank does not hear of.
pub(super) async fn mark_if_stale<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let view = request.app_data::<Data<Bank>>().map(|bank| bank.actors.routes.view.clone());
    let mut response = next.call(request).await?;
    // Asked after the read: what is fresh then was fresh before.
    let fresh = match view {
        Some(view) => view.send(ViewStatus).await.is_ok_and(|state| state.ready),
        None => false,
    };
    if !fresh {
        response.headers_mut().insert(WARNING, STALE);
    }
    Ok(response)
}
