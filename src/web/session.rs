//! Who is looking at a page: the bank's own session, carried by a cookie that no script can read
//! and no other site can send; and whether a form comes from a page of this bank.

use actix_web::HttpRequest;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::{HOST, HeaderName, ORIGIN};

use crate::actors::sessions::Whose;
use crate::http::{Bank, is_encrypted};
use crate::ids::BankId;
use crate::ledger::UserName;
use crate::session::TokenDigest;

/// What browsers of this decade say about where a request comes from.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The cookie's name. Browsers keep cookies by host and not by port, and the banks of a laboratory
/// share one host.
fn name(bank: BankId) -> String {
    format!("netbanking-{bank}")
}

/// The cookie of a new session; it ends with the browser, or when the bank ends the session. What
/// came encrypted goes back encrypted only.
pub(super) fn cookie(bank: BankId, request: &HttpRequest, token: String) -> Cookie<'static> {
    Cookie::build(name(bank), token)
        .path("/")
        .http_only(true)
        .secure(is_encrypted(request))
        .same_site(SameSite::Strict)
        .finish()
}

/// The cookie that makes the browser forget the session's cookie.
pub(super) fn no_cookie(bank: BankId, request: &HttpRequest) -> Cookie<'static> {
    let mut cookie = cookie(bank, request, String::new());
    cookie.make_removal();
    cookie
}

/// The token that the browser has from this bank.
pub(super) fn token(bank: BankId, request: &HttpRequest) -> Option<String> {
    request.cookie(&name(bank)).map(|cookie| cookie.value().to_owned())
}

/// Who is logged in, if anybody is.
pub(super) async fn customer(bank: &Bank, request: &HttpRequest) -> Option<UserName> {
    let token = token(bank.me, request)?;
    bank.actors.sessions.send(Whose(TokenDigest::of(&token))).await.ok().flatten()
}

/// Whether a form was sent from a page of this bank. The cookie is `SameSite=Strict`, but a site is
/// a host without its port, so pages of other programs on the same host would count as the same
/// site.
pub(super) fn is_own_form(request: &HttpRequest) -> bool {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = header(SEC_FETCH_SITE) {
        return matches!(site, "same-origin" | "none");
    }
    match header(ORIGIN) {
        Some(origin) => {
            origin.split_once("://").is_some_and(|(_, host)| Some(host) == header(HOST))
        }
        // Only browsers that run no scripts of other sites send neither header.
        None => true,
    }
}
