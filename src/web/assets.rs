//! Style sheet and scripts, kept in the program. Their addresses carry a digest of their content,
//! so that browsers may keep them for ever and still get the new ones after an update.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::refused::no_such_page;
use crate::hex::Hex;
use crate::http::Bank;

/// Bytes of the digest that stand in the address.
const VERSION_BYTES: usize = 6;

struct Asset {
    name: &'static str,
    content_type: &'static str,
    content: &'static [u8],
    version: String,
}

fn asset(name: &'static str, content_type: &'static str, content: &'static [u8]) -> Asset {
    let digest = Sha256::digest(content);
    let version = Hex(&digest[..VERSION_BYTES]).to_string();
    Asset { name, content_type, content, version }
}

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    vec![
        asset("style.css", CSS, include_bytes!("../../assets/style.css")),
        asset("watch.css", CSS, include_bytes!("../../assets/watch.css")),
        asset("watch.js", JS, include_bytes!("../../assets/watch.js")),
        asset("bank.js", JS, include_bytes!("../../assets/bank.js")),
        asset("htmx.min.js", JS, include_bytes!("../../assets/vendor/htmx.min.js")),
        asset("icon.svg", "image/svg+xml", include_bytes!("../../assets/icon.svg")),
    ]
});

fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

/// Where pages find an asset.
#[must_use]
pub fn url(name: &str) -> String {
    let version = find(name).map_or("", |asset| asset.version.as_str());
    format!("/assets/{name}?v={version}")
}

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
    // A page of the bank's version before an update must not pin what it gets now.
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
