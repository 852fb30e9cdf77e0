//! Style and scripts, as the build has packed them: named after their content, so that a browser keeps them for good.

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A file that is served.
struct Asset {
    name: &'static str,
    served: &'static str,
    kind: &'static str,
    plain: &'static [u8],
    gzip: &'static [u8],
    brotli: &'static [u8],
}

const ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// A name never stands for another content.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// Where a file is served.
pub(super) fn path(name: &str) -> String {
    let known = ASSETS.iter().find(|asset| asset.name == name);
    format!("/assets/{}", known.map_or(name, |asset| asset.served))
}

/// Serves one, in the smallest form the browser takes.
pub(super) async fn serve(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.served == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let base = [
        (header::CONTENT_TYPE, asset.kind),
        (header::CACHE_CONTROL, FOR_GOOD),
        (header::VARY, "accept-encoding"),
    ];
    let (packed, word) = if takes(&headers, "br") {
        (asset.brotli, "br")
    } else if takes(&headers, "gzip") {
        (asset.gzip, "gzip")
    } else {
        return (base, asset.plain).into_response();
    };
    (base, [(header::CONTENT_ENCODING, word)], packed).into_response()
}

/// Whether the browser takes a coding.
pub(super) fn takes(headers: &HeaderMap, coding: &str) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING);
    let accepted = accepted.and_then(|value| value.to_str().ok());
    accepted.is_some_and(|list| {
        list.split(',').any(|item| {
            let (name, weight) = item.split_once(';').unwrap_or((item, ""));
            name.trim() == coding && weight.trim() != "q=0"
        })
    })
}
