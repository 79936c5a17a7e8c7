//! Style sheet and scripts, embedded in the program. Their addresses carry a digest of their
//! content, so that browsers may keep them for ever and still get the new ones after an update.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use crate::hex::Hex;

/// How many bytes of the digest are part of the address.
const VERSION_BYTES: usize = 6;

/// A file of the pages.
pub(super) struct Asset {
    name: &'static str,
    pub(super) content_type: &'static str,
    pub(super) content: &'static [u8],
    pub(super) version: String,
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

/// The asset of this name.
pub(super) fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

/// Where pages find an asset.
#[must_use]
pub fn url(name: &str) -> String {
    let version = find(name).map_or("", |asset| asset.version.as_str());
    format!("/assets/{name}?v={version}")
}
