//! Who is asking: a customer by the token of a session, a peer by the secret of the consortium.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;

use actix_http::{HttpMessage as _, Request};
use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use subtle::ConstantTimeEq;

use super::Bank;
use super::refusal::{Bad, Refused};
use super::share::{take_before_order, take_of_customer};
use crate::actors::audit::Audit;
use crate::actors::sessions::Whose;
use crate::audit::{Actor, Event};
use crate::config::CustomerAuth;
use crate::ids::BankId;
use crate::ledger::UserName;
use crate::session::TokenDigest;
use crate::tls::{Entrance, Proof};
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
        Some(token) => {
            let user = owner(bank, TokenDigest::of(token)).await?;
            take_of_customer(bank, request, &user).await?;
            Ok(Some(user))
        }
        None if bank.config.customer_auth == CustomerAuth::Open => Ok(None),
        None => Err(Refused::NoSession),
    }
}

async fn owner(bank: &Bank, token: TokenDigest) -> Result<UserName, Refused> {
    bank.actors.sessions.send(Whose(token)).await?.ok_or(Refused::NoSession)
}

/// In whose name something is to be ordered.
pub(crate) struct By {
    /// Nobody's, where a request needs no customer.
    pub(super) user: Option<UserName>,
    /// The session to ask about on the way, if it has not been asked about already.
    pub(super) session: Option<TokenDigest>,
    /// Whether they have given their password with it.
    pub(super) confirmed: bool,
}

impl By {
    /// A customer who has given their password with what is to be ordered.
    pub(crate) fn confirmed(user: UserName) -> By {
        By { user: Some(user), session: None, confirmed: true }
    }
}

impl From<&UserName> for By {
    fn from(user: &UserName) -> Self {
        By::from(Some(user.clone()))
    }
}

impl From<Option<UserName>> for By {
    fn from(user: Option<UserName>) -> Self {
        By { user, session: None, confirmed: false }
    }
}

/// As [`customer`], for a request that is going to be ordered, which is refused before it is read
/// if nothing of theirs is going to be: a session that this worker knows is asked about where the
/// request passes by.
pub(super) async fn customer_who_orders(bank: &Bank, request: &HttpRequest) -> Result<By, Refused> {
    let by = who_orders(bank, request).await?;
    take_before_order(bank, request, by.user.as_ref()).await?;
    Ok(by)
}

async fn who_orders(bank: &Bank, request: &HttpRequest) -> Result<By, Refused> {
    let Some(token) = bearer(request.headers()).map(TokenDigest::of) else {
        return match bank.config.customer_auth {
            CustomerAuth::Open => Ok(By::from(None)),
            CustomerAuth::Sessions => Err(Refused::NoSession),
        };
    };
    let known = request.app_data::<Known>().ok_or(Refused::Internal)?;
    if let Some(user) = known.owner(token) {
        return Ok(By { user: Some(user), session: Some(token), confirmed: false });
    }
    let user = owner(bank, token).await?;
    known.remember(token, user.clone());
    Ok(By::from(Some(user)))
}

/// The most sessions that a worker remembers; about 100 bytes each.
const KNOWN_MAX: usize = 10_000;

/// Whose the sessions were that a worker has asked about. They may have ended since.
#[derive(Clone, Default)]
pub(super) struct Known(Rc<RefCell<HashMap<TokenDigest, UserName>>>);

impl Known {
    fn owner(&self, token: TokenDigest) -> Option<UserName> {
        self.0.borrow().get(&token).cloned()
    }

    fn remember(&self, token: TokenDigest, user: UserName) {
        let mut known = self.0.borrow_mut();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(token, user);
    }
}

/// The bank that opened a connection, and what it has shown.
pub(super) struct OpenedBy {
    pub(super) bank: BankId,
    pub(super) proof: Proof,
    pub(super) entrance: Rc<Entrance>,
}

/// The bank that opened the connection of a request, and by what it was let in, where banks have
/// certificates.
pub(super) fn opened_by(request: &HttpRequest) -> Option<(BankId, Rc<Entrance>)> {
    let OpenedBy { bank, entrance, .. } = request.conn_data()?;
    Some((*bank, Rc::clone(entrance)))
}

/// What is known of a caller who may be a peer.
pub(crate) struct Caller<'a> {
    from: Option<SocketAddr>,
    headers: &'a HeaderMap,
    opened_by: Option<&'a OpenedBy>,
}

impl<'a> From<&'a HttpRequest> for Caller<'a> {
    fn from(request: &'a HttpRequest) -> Self {
        let opened_by = request.conn_data();
        Caller { from: request.peer_addr(), headers: request.headers(), opened_by }
    }
}

impl<'a> From<&'a Request> for Caller<'a> {
    fn from(request: &'a Request) -> Self {
        let opened_by = request.conn_data();
        Caller { from: request.head().peer_addr, headers: request.headers(), opened_by }
    }
}

/// The peer that calls: it knows the secret and names its bank; where banks have certificates, it
/// is the bank that its own is for.
pub(crate) fn peer(bank: &Bank, caller: Caller<'_>) -> Result<BankId, Refused> {
    let Caller { headers, opened_by, .. } = caller;
    let secret = bearer(headers).ok_or(Refused::NotAPeer)?;
    if !bool::from(secret.as_bytes().ct_eq(bank.secret.as_bytes())) {
        return Err(Refused::NotAPeer);
    }
    let named = headers.get(BANK_HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
    let is_peer = |peer: &BankId| *peer != bank.me && peer.index() < bank.config.nodes.len();
    let named = named.map(BankId).filter(is_peer).ok_or(Refused::NotAPeer)?;
    match opened_by {
        Some(OpenedBy { bank, .. }) if *bank != named => {
            Err(Bad::OtherSpeaker { caller: *bank, named }.into())
        }
        Some(OpenedBy { proof, entrance, .. }) if !proof.holds(&entrance.transport) => {
            Err(Refused::NotAPeer)
        }
        None if bank.certificates.is_some() => Err(Refused::NotAPeer),
        _ => Ok(named),
    }
}

/// The same for a caller who asks for what only peers may ask for: the log hears of one who is
/// none.
pub(super) fn peer_or_noted(bank: &Bank, caller: Caller<'_>) -> Result<BankId, Refused> {
    let from = caller.from.map(|from| from.ip().to_string());
    peer(bank, caller).inspect_err(|_| {
        bank.actors.audit.do_send(Audit(Event::PeerRefused, Actor { user: None, from }));
    })
}
