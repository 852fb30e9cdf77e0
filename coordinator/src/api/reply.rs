//! How answers are written: listings, single things with their version, and what a key has been answered before.

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::problem::Problem;

/// A page of things.
pub(super) fn listing((items, next): (Vec<Value>, Option<String>)) -> Response {
    Json(json!({"items": items, "next": next})).into_response()
}

/// A page of things that are JSON texts already.
pub(super) fn listing_of_texts((items, next): (Vec<String>, Option<String>)) -> Response {
    let next = Value::from(next);
    let text = format!("{{\"items\":[{}],\"next\":{next}}}", items.join(","));
    json_text(StatusCode::OK, text)
}

/// A body that is JSON text already.
pub(super) fn json_text(status: StatusCode, text: String) -> Response {
    let mut response = (status, Body::from(text)).into_response();
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// One thing, with its version as `ETag` for the one who changes it.
pub(super) fn versioned(value: Value) -> Response {
    let tag = value["version"]
        .as_i64()
        .map(|version| format!("\"{version}\""));
    let mut response = Json(value).into_response();
    if let Some(tag) = tag.and_then(|tag| HeaderValue::from_str(&tag).ok()) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// The version a change is meant for.
pub(super) fn if_match(headers: &HeaderMap) -> Result<i64, Problem> {
    let Some(shown) = headers.get(header::IF_MATCH) else {
        return Err(Problem::new(
            StatusCode::PRECONDITION_REQUIRED,
            "two people may change this: say in If-Match which version you have seen, as its ETag gives it",
        ));
    };
    let version = shown.to_str().ok().map(|text| text.trim_matches('"'));
    version
        .and_then(|version| version.parse().ok())
        .ok_or_else(Problem::overtaken)
}
