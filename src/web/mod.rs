//! Pages for people, rendered at the bank: forms, links and tables that work without a script.
//!
//! - [`bank`]: the internet bank at `/`; [`watch`]: the consortium page at `/consorcio`.
//! - [`api`]: what programs can ask of a bank, described for them.
//! - [`assets`]: style sheet and scripts, embedded in the program; [`frame`]: what surrounds every
//!   page; [`refused`]: what is answered where there is no page.
//!
//! Pages never decide: they put the same actions into the same common order as the JSON routes of
//! [`crate::http`] do, and read the same ledger. Nothing on them comes from another host, and no
//! page contains inline scripts.

mod api;
pub mod assets;
mod bank;
mod frame;
mod refused;
mod serve_asset;
mod session;
mod watch;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::{Data, ServiceConfig, to};
use askama::Template;

use crate::http::{Bank, at, routes};

pub use api::described;
pub(crate) use bank::is_code;
pub use watch::tell;

/// Scripts, styles and pictures only from the bank itself, none of them inline; no frames around a
/// page.
const POLICY: &str = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// All routes of a bank: the JSON routes, then pages, and what is answered where there is neither.
pub fn configure(bank: Data<Bank>) -> impl FnOnce(&mut ServiceConfig) {
    move |app| {
        // Routes are tried one after another: programs ask more often than people.
        routes::configure(bank)(app);
        app.service(refused::resource(at("/assets/{name}").get(serve_asset::serve)));
        bank::configure(app);
        watch::configure(app);
        api::configure(app);
        app.default_service(to(refused::no_such_page));
    }
}

/// A rendered page. A page is for one customer and one moment, so it must not be cached.
pub(crate) fn page(status: StatusCode, template: &impl Template) -> HttpResponse {
    match template.render() {
        Ok(html) => HttpResponse::build(status)
            .content_type("text/html; charset=utf-8")
            .insert_header((CONTENT_SECURITY_POLICY, POLICY))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
            // 'no-referrer' would make browsers hide the Origin of a form, which is checked.
            .insert_header((REFERRER_POLICY, "same-origin"))
            .insert_header((CACHE_CONTROL, "no-store"))
            .body(html),
        Err(error) => {
            log::error!("page: {error}");
            HttpResponse::InternalServerError().finish()
        }
    }
}
