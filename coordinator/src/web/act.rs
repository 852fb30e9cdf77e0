//! What a page asks to be changed, handed to the API's handlers in their form; and what came of it, as a notice.

use std::collections::HashMap;

use axum::body::{Bytes, to_bytes};
use axum::extract::Form;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde_json::Value;

use super::page::notice;
use crate::api::Problem;

/// The largest answer of the API, bytes.
const LARGEST: usize = 4 * 1_024 * 1_024;

/// The fields of a form; a field that is ticked several times counts as its values with commas between.
pub(super) type Fields = Form<Vec<(String, String)>>;

/// The fields of a form by name.
pub(super) struct Said(HashMap<String, Vec<String>>);

impl Said {
    pub(super) fn new(Form(fields): Fields) -> Self {
        let mut said: HashMap<String, Vec<String>> = HashMap::new();
        for (name, value) in fields {
            said.entry(name).or_default().push(value);
        }
        Self(said)
    }

    /// A field; empty where it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        let values = self.0.get(name);
        values
            .and_then(|values| values.first())
            .map_or("", |value| value.trim())
    }

    /// A field exactly as it was typed.
    pub(super) fn secret(&self, name: &str) -> String {
        let values = self.0.get(name);
        values
            .and_then(|values| values.first())
            .cloned()
            .unwrap_or_default()
    }

    /// All values of a field that say something.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let values = self.0.get(name).into_iter().flatten();
        values
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
            .collect()
    }

    /// A version.
    pub(super) fn version(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Ok(version) = HeaderValue::from_str(&format!("\"{}\"", self.text("version"))) {
            headers.insert(header::IF_MATCH, version);
        }
        headers
    }

    /// How long something is to last, as the API says it: seconds, `permanent`, or nothing for its default.
    pub(super) fn span(&self, name: &str) -> Value {
        let text = self.text(name);
        match text.parse::<u64>() {
            Ok(seconds) => Value::from(seconds),
            Err(_) if text.is_empty() => Value::Null,
            Err(_) => Value::from(text),
        }
    }
}

/// A body for a handler of the API.
pub(super) fn body(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}

/// What a handler of the API answered.
pub(super) async fn answer(response: Response) -> Value {
    let bytes = to_bytes(response.into_body(), LARGEST).await;
    serde_json::from_slice(&bytes.unwrap_or_default()).unwrap_or_default()
}

/// Tells that it was done, or passes on why it was not.
pub(super) fn done(result: Result<Response, Problem>, words: &str) -> Result<Response, Problem> {
    result.map(|_| notice(words, true))
}
