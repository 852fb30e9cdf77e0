//! Reviews of all sensors in one queue. An answer becomes an order to the sensor that asked.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::app::App;
use super::ask::{Asked, body};
use super::blocks::reason;
use super::changes::{Asking, order};
use super::problem::Problem;
use super::reply::{if_match, listing, versioned};
use crate::access::{Principal, Role};
use crate::moment;
use crate::store::{Change, Happened};

type Responded = Result<Response, Problem>;

/// What a person says to a review.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Spoken {
    /// What.
    answer: Word,
    /// Why.
    reason: String,
}

/// What a person can say to a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Word {
    /// Block the address.
    Approve,
    /// It is innocent.
    Dismiss,
    /// It is innocent, and never to be blocked there.
    Allow,
}

pub(super) async fn list(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    asked: Asked,
) -> Responded {
    let states = [
        "open",
        "approved",
        "dismissed",
        "allowed",
        "superseded",
        "lapsed",
    ];
    let state = asked.word("state", &states)?;
    let address = asked.address("address")?;
    let page = asked.page()?;
    let about = (state.as_deref(), address.as_deref());
    Ok(listing(
        app.store.list_reviews(&who.scope, about, &page).await?,
    ))
}

pub(super) async fn one(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
) -> Responded {
    let found = app.store.review(&who.scope, &id).await?;
    let review = found.ok_or_else(Problem::nothing)?;
    let mut document = review.shown();
    // What every sensor saw of the same address.
    document["sensors"] = json!(app.store.sightings(&who.scope, &review.address).await?);
    Ok(versioned(document))
}

pub(super) async fn answer(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    (Path(id), headers): (Path<String>, HeaderMap),
    bytes: Bytes,
) -> Responded {
    let path = format!("reviews/{id}/answer");
    let asking = match Asking::begin((&app, &who), &path, (&headers, &bytes)).await? {
        Ok(asking) => asking,
        Err(before) => return Ok(before),
    };
    let version = if_match(&headers)?;
    let spoken: Spoken = body(&bytes)?;
    let reason = reason(&spoken.reason)?;
    let found = app.store.review(&who.scope, &id).await?;
    let review = found.ok_or_else(Problem::nothing)?;
    if review.state != "open" {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            format!("it was answered before: {}", review.state),
        ));
    }
    let (state, action, command) = match spoken.answer {
        Word::Approve => (
            "approved",
            "approve",
            json!({"action": "approve", "review": review.event_id}),
        ),
        Word::Dismiss => (
            "dismissed",
            "dismiss",
            json!({"action": "dismiss", "review": review.event_id, "reason": reason}),
        ),
        Word::Allow if who.role < Role::Responder => {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "to allow takes the role responder",
            ));
        }
        Word::Allow => (
            "allowed",
            "allow",
            json!({"action": "allow", "net": review.address, "reason": reason}),
        ),
    };
    let now = moment::now();
    let about = (
        (&who, id.as_str()),
        (review.site.as_str(), review.sensor.as_str()),
    );
    let holds = review.lapses.max(now + 3_600 * moment::SECOND);
    let order = order(about.0, about.1, (action, &command), (&reason, holds))?;
    let mut document = review.shown();
    document["state"] = json!(state);
    document["version"] = json!(version + 1);
    document["answered_by"] = json!(who.name);
    document["order"] = json!(order.id);
    let event = Happened::new(now, ("review", Some(&review.site)), document.clone());
    let given = crate::store::Answer {
        version,
        state,
        by: who.name.clone(),
        reason,
        at: now,
    };
    let change = Change {
        answer: Some((id, given)),
        orders: vec![order],
        events: vec![event],
        ..Change::default()
    };
    let words = format!("review {action}");
    asking
        .done((&words, review.address), (change, document))
        .await
}
