//! Who is asking: a customer by the token of a session, a peer by the secret of the consortium.

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use subtle::ConstantTimeEq;

use super::Bank;
use super::refusal::Refused;
use super::share::take_of_customer;
use crate::actors::sessions::Whose;
use crate::config::CustomerAuth;
use crate::ids::BankId;
use crate::ledger::UserName;
use crate::wire::BANK_HEADER;

/// The token in `Authorization: Bearer …`, if there is one.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The customer whose session the request belongs to. `None` only where `nodes.json` leaves
/// customers open and the request carries no token.
pub(super) async fn customer(
    bank: &Bank,
    request: &HttpRequest,
) -> Result<Option<UserName>, Refused> {
    match bearer(request.headers()) {
        Some(token) => match bank.actors.sessions.send(Whose(token.to_owned())).await? {
            Some(user) => take_of_customer(bank, request, &user).await.map(|()| Some(user)),
            None => Err(Refused::NoSession),
        },
        None if bank.config.customer_auth == CustomerAuth::Open => Ok(None),
        None => Err(Refused::NoSession),
    }
}

/// The peer that calls: it knows the secret and names its bank.
pub(crate) fn peer(bank: &Bank, headers: &HeaderMap) -> Result<BankId, Refused> {
    let secret = bearer(headers).ok_or(Refused::NotAPeer)?;
    if !bool::from(secret.as_bytes().ct_eq(bank.secret.as_bytes())) {
        return Err(Refused::NotAPeer);
    }
    let named = headers.get(BANK_HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
    let is_peer = |peer: &BankId| *peer != bank.me && peer.index() < bank.config.nodes.len();
    named.map(BankId).filter(is_peer).ok_or(Refused::NotAPeer)
}
