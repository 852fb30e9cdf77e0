//! What a request asks for: parameters and bodies, each mistake with the name of its field.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::{FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::moment;
use crate::store::{Cursor, Page};

/// Rows of a page where nothing is said, and at most.
const USUAL: u32 = 100;
const MOST: u32 = 1_000;
/// The longest parameter, bytes.
const LONGEST: usize = 256;

/// The parameters of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked(HashMap<String, String>);

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<HashMap<String, String>>::from_request_parts(parts, state).await;
        let Query(asked) =
            query.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.body_text()))?;
        let odd = |text: &str| text.len() > LONGEST || text.contains('\0');
        match asked.iter().find(|(name, value)| odd(name) || odd(value)) {
            Some((name, _)) => Err(Problem::field(name, "it is longer than any name here")),
            None => Ok(Self(asked)),
        }
    }
}

impl Asked {
    /// A parameter that says something.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// A parameter that is an address, in the one form that is stored.
    pub(crate) fn address(&self, name: &str) -> Result<Option<String>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let address = text.parse::<std::net::IpAddr>();
        address
            .map(|address| Some(address.to_canonical().to_string()))
            .map_err(|_| Problem::field(name, "it is no IP address"))
    }

    /// A parameter that is one of these words.
    pub(crate) fn word(&self, name: &str, words: &[&str]) -> Result<Option<String>, Problem> {
        match self.text(name) {
            Some(word) if !words.contains(&word.as_str()) => {
                let allowed = words.join(", ");
                Err(Problem::field(name, format!("allowed is one of {allowed}")))
            }
            word => Ok(word),
        }
    }

    /// A parameter that is a moment.
    pub(crate) fn moment(&self, name: &str) -> Result<Option<i64>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let moment = moment::read(&text);
        moment
            .map(Some)
            .ok_or_else(|| Problem::field(name, "it is no time such as 2026-01-31T12:00:00Z"))
    }

    /// Which page.
    pub(crate) fn page(&self) -> Result<Page, Problem> {
        let after = match self.text("cursor") {
            Some(text) => Some(
                Cursor::read(&text)
                    .ok_or_else(|| Problem::field("cursor", "it is none that a page gave"))?,
            ),
            None => None,
        };
        let limit = match self.text("limit") {
            // Whoever asks for more gets a page, and the cursor to the next.
            Some(text) => text
                .parse::<u32>()
                .ok()
                .filter(|limit| *limit > 0)
                .map(|limit| limit.min(MOST))
                .ok_or_else(|| Problem::field("limit", "it is no number above 0"))?,
            None => USUAL,
        };
        Ok(Page { after, limit })
    }
}

/// Reads a body.
pub(crate) fn body<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.inner();
        let words = inner.to_string();
        let words = words
            .split(" at line")
            .next()
            .unwrap_or_default()
            .to_owned();
        match inner.is_data() {
            true => Problem::field(&path, contract::printable::printable(&words)),
            false => Problem::new(
                StatusCode::BAD_REQUEST,
                format!("the body is no JSON: {words}"),
            ),
        }
    })?;
    reader.end().map_err(|_| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "something follows after the body's JSON",
        )
    })?;
    Ok(parsed)
}
