//! What programs can ask of this bank, described in the manner of OpenAPI: `GET /openapi.json`,
//! and the same as a page at `GET /api`.
//!
//! [`customers`], [`pages`] and [`banks`] have the routes, with every status that each can answer;
//! `tests/handlers/description.rs` holds them against the route tables, and against every answer
//! that a test gets.

mod banks;
mod customers;
mod kinds;
mod listed;
mod pages;
mod told;

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Bytes, ServiceConfig};
use utoipa::openapi::path::PathsBuilder;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};

use self::told::{COOKIE, SECRET, TOKEN};
use super::refused::resource;
use crate::http::at;

/// The page's routes.
pub(super) fn configure(app: &mut ServiceConfig) {
    app.service(resource(at("/openapi.json").get(description)))
        .service(resource(at("/api").get(listed::show)));
}

static WRITTEN: LazyLock<Bytes> =
    LazyLock::new(|| serde_json::to_vec(&described()).expect("the description is JSON").into());

/// `GET /openapi.json`
async fn description() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(WRITTEN.clone())
}

/// The whole description.
#[must_use]
pub fn described() -> OpenApi {
    let routes = customers::routes().into_iter().chain(pages::routes()).chain(banks::routes());
    let paths = routes.fold(PathsBuilder::new(), |paths, (path, item)| paths.path(path, item));
    let bearer = |says: &str| {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
        SecurityScheme::Http(scheme.description(Some(says)).build())
    };
    let cookie =
        ApiKeyValue::with_description("netbanking-0", "`netbanking-` and the bank's number");
    let mut kinds = kinds::components();
    for (name, scheme) in [
        (TOKEN, bearer("what `POST /login` answers")),
        (SECRET, bearer("the banks' secret; the caller's number in `netbanking-bank`")),
        (COOKIE, SecurityScheme::ApiKey(ApiKey::Cookie(cookie))),
    ] {
        kinds.add_security_scheme(name, scheme);
    }
    let licence = LicenseBuilder::new().name("MIT OR Apache-2.0").build();
    let info = InfoBuilder::new()
        .title("NetBanking")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("A bank of a consortium. `docs/api.md` says what all this means."))
        .license(Some(licence));
    OpenApiBuilder::new().info(info).paths(paths).components(Some(kinds)).build()
}
