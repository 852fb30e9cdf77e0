//! How something is changed: once for each `Idempotency-Key`, in one transaction with its audit entry.

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::app::App;
use super::problem::Problem;
use super::reply::json_text;
use crate::access::Principal;
use crate::moment;
use crate::store::{Change, Keyed, Order, OrderState, Said};

/// The header that makes a POST count once.
const KEY: &str = "idempotency-key";
/// The longest key, bytes.
const LONGEST: usize = 128;

/// A request that changes something.
pub(super) struct Asking<'a> {
    pub(super) app: &'a App,
    pub(super) who: &'a Principal,
    key: Option<(String, String)>,
}

impl<'a> Asking<'a> {
    /// Begins; or gives the answer that the same key got before.
    pub(super) async fn begin(
        (app, who): (&'a App, &'a Principal),
        path: &str,
        (headers, body): (&HeaderMap, &Bytes),
    ) -> Result<Result<Self, Response>, Problem> {
        let Some(key) = headers.get(KEY) else {
            let key = None;
            return Ok(Ok(Self { app, who, key }));
        };
        let key = key
            .to_str()
            .ok()
            .filter(|key| (1..=LONGEST).contains(&key.len()))
            .ok_or_else(|| Problem::field(KEY, "it is not 1 to 128 plain characters"))?;
        let hash = Sha256::new()
            .chain_update(path)
            .chain_update([0])
            .chain_update(body);
        let request = crate::hex(&hash.finalize());
        if let Some(before) = app.store.keyed(&who.name, key).await? {
            if before.request != request {
                return Err(Problem::field(
                    KEY,
                    "the same key was used for another request",
                ));
            }
            let status = StatusCode::from_u16(before.status).unwrap_or(StatusCode::OK);
            return Ok(Err(json_text(status, before.body)));
        }
        let key = Some((key.to_owned(), request));
        Ok(Ok(Self { app, who, key }))
    }

    /// Has it done, and answers.
    pub(super) async fn done(
        self,
        (words, object): (&str, String),
        (mut change, answer): (Change, Value),
    ) -> Result<Response, Problem> {
        let status = StatusCode::CREATED;
        change.said = Some(self.said((words, object), "done"));
        change.keyed = self.key.map(|(key, request)| Keyed {
            owner: self.who.name.clone(),
            key,
            request,
            status: status.as_u16(),
            body: answer.to_string(),
        });
        match self.app.store.change(&change).await {
            Ok(true) => Ok((status, axum::Json(answer)).into_response()),
            Ok(false) => Err(Problem::overtaken()),
            // Two with one key at once: the other one counts, and asking again gives its answer.
            Err(error) if error.is_taken() => Err(Problem::new(
                StatusCode::CONFLICT,
                "the same key is being used by another request just now",
            )),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn said(&self, (words, object): (&str, String), outcome: &str) -> Said {
        said(self.who, (words, object), outcome)
    }
}

/// An audit entry of somebody's.
pub(super) fn said(who: &Principal, (words, object): (&str, String), outcome: &str) -> Said {
    Said {
        at: moment::now(),
        by: who.name.clone(),
        action: words.to_owned(),
        object,
        outcome: outcome.to_owned(),
    }
}

/// A name that was not there before.
pub(super) fn name(prefix: &str) -> Result<String, Problem> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|_| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the system gives no random numbers",
        )
    })?;
    Ok(format!("{prefix}{}", crate::hex(&bytes)))
}

/// A new order of a person's, that waits to be sent by who leads.
pub(super) fn order(
    (who, cause): (&Principal, &str),
    (site, sensor): (&str, &str),
    (action, command): (&str, &Value),
    (why, holds_until): (&str, i64),
) -> Result<Order, Problem> {
    Ok(Order {
        id: name("o")?,
        cause: cause.to_owned(),
        site: site.to_owned(),
        sensor: sensor.to_owned(),
        action: action.to_owned(),
        command: command.to_string(),
        state: OrderState::Queued,
        reason: None,
        message: None,
        ordered_by: who.name.clone(),
        why: serde_json::json!({"reason": why}).to_string(),
        created: moment::now(),
        holds_until,
        attempts: 0,
        sent_at: None,
        answered_at: None,
    })
}
