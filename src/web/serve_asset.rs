//! `GET /assets/{name}`: the files in [`assets`](super::assets), which browsers may keep.

use actix_web::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use super::assets::find;
use super::refused::no_such_page;
use crate::http::Bank;

/// The digest that a page asks for.
#[derive(Deserialize)]
pub(super) struct Version {
    v: Option<String>,
}

/// `GET /assets/{name}`
pub(super) async fn serve(
    bank: Data<Bank>,
    request: HttpRequest,
    version: Query<Version>,
) -> HttpResponse {
    let Some(asset) = find(request.match_info().query("name")) else {
        return no_such_page(bank, request).await;
    };
    let etag = format!("\"{}\"", asset.version);
    // A page from before an update of the bank must not make the browser keep for ever what it gets
    // now.
    let keep = if version.v.as_ref() == Some(&asset.version) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let known = request
        .headers()
        .get(IF_NONE_MATCH)
        .is_some_and(|value| value.as_bytes() == etag.as_bytes());
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((ETAG, etag)).insert_header((CACHE_CONTROL, keep));
    if known {
        return response.finish();
    }
    response
        .content_type(asset.content_type)
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(asset.content)
}
