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
use super::changes::{Asking, order, said};
use super::problem::Problem;
use super::reply::{if_match, listing, versioned};
use crate::access::{Principal, Role};
use crate::moment;
use crate::store::{Change, Happened, OrderState};

/// The longest an order waits to be taken back, seconds.
const MOST: u8 = 60;

type Responded = Result<Response, Problem>;

/// What a person says to a review.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spoken {
    /// What.
    answer: Word,
    /// Why.
    reason: String,
    /// Seconds until the order leaves, 60 at most: until then the answer can be taken back.
    #[serde(default)]
    undo_within: u8,
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

pub(crate) async fn list(
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

pub(crate) async fn one(
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

pub(crate) async fn answer(
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
    let within = i64::from(spoken.undo_within.min(MOST)) * moment::SECOND;
    let mut order = order(about.0, about.1, (action, &command), (&reason, holds))?;
    if within > 0 {
        // Who takes it back in the last moment must not be overtaken by who sends it.
        order.created = now + within + moment::SECOND;
    }
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

/// Takes an answer back whose order has not left.
pub(crate) async fn undo(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    (Path(id), headers): (Path<String>, HeaderMap),
) -> Responded {
    let version = if_match(&headers)?;
    let found = app.store.review(&who.scope, &id).await?;
    let review = found.ok_or_else(Problem::nothing)?;
    let now = moment::now();
    let late = || {
        Problem::new(
            StatusCode::CONFLICT,
            "it cannot be taken back any more: its order has left, or it is not yours",
        )
    };
    let page = Asked::default().page()?;
    let about = [
        ("cause", Some(id.clone())),
        ("state", Some(OrderState::Queued.as_str().to_owned())),
        ("site", None),
        ("sensor", None),
    ];
    let (orders, _) = app.store.list_orders(&who.scope, about, &page).await?;
    let mut taken = Vec::new();
    for order in &orders {
        let name = order["id"].as_str().unwrap_or_default();
        let found = app.store.order(&who.scope, name).await?;
        taken.extend(found.filter(|order| order.created > now + moment::SECOND));
    }
    if taken.is_empty() {
        return Err(late());
    }
    for order in &mut taken {
        order.state = OrderState::Withdrawn;
    }
    let mut document = review.shown();
    document["state"] = json!("open");
    document["version"] = json!(version + 1);
    document["answered_by"] = json!(null);
    let site = Some(review.site.as_str());
    let mut events = vec![Happened::new(now, ("review", site), document.clone())];
    events.extend(
        taken
            .iter()
            .map(|order| Happened::new(now, ("order", site), order.shown())),
    );
    let change = Change {
        undo: Some((id, version, now - i64::from(MOST) * moment::SECOND)),
        orders: taken,
        events,
        said: Some(said(&who, ("review undo", review.address), "done")),
        ..Change::default()
    };
    match app.store.change(&change).await? {
        true => Ok(versioned(document)),
        false => Err(late()),
    }
}
