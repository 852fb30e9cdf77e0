//! Orders: what became of them, and those that people give to single sensors.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use contract::action::{Action, Lifetime};
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::app::App;
use super::ask::{Asked, body};
use super::blocks::{network, reason, sites};
use super::changes::{Asking, name, order as new_order};
use super::problem::Problem;
use super::reply::listing;
use crate::access::Principal;
use crate::desk::guard;
use crate::moment::{self, SECOND};
use crate::store::{Change, Happened};

type Answer = Result<Response, Problem>;

/// How long an order of a person's is worth carrying out while its sensor is away.
const WORTH: i64 = 7 * 86_400 * SECOND;

/// Whom to keep from being blocked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAllowance {
    /// An address or a prefix.
    net: String,
    /// For how long: seconds, or `permanent`.
    #[serde(default)]
    ttl: Lifetime,
    /// Why.
    reason: String,
    /// At which sites; at all where none is named.
    #[serde(default)]
    sites: Vec<String>,
}

pub(crate) async fn list(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    asked: Asked,
) -> Answer {
    let states = [
        "queued",
        "sent",
        "done",
        "refused",
        "expired",
        "silent",
        "withdrawn",
    ];
    let filter = [
        ("state", asked.word("state", &states)?),
        ("site", asked.text("site")),
        ("sensor", asked.text("sensor")),
        ("cause", asked.text("cause")),
    ];
    let page = asked.page()?;
    Ok(listing(
        app.store.list_orders(&who.scope, filter, &page).await?,
    ))
}

pub(crate) async fn one(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
) -> Answer {
    let found = app.store.order(&who.scope, &id).await?;
    let order = found.ok_or_else(Problem::nothing)?;
    Ok(axum::Json(order.shown()).into_response())
}

/// Has one sensor do something, in the words sensors understand.
pub(crate) async fn order(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    (Path((site, sensor)), headers): (Path<(String, String)>, HeaderMap),
    bytes: Bytes,
) -> Answer {
    let path = format!("sensors/{site}/{sensor}/orders");
    let asking = match Asking::begin((&app, &who), &path, (&headers, &bytes)).await? {
        Ok(asking) => asking,
        Err(before) => return Ok(before),
    };
    let action: Action = body(&bytes)?;
    let known = app
        .store
        .list_sensors(&who.scope, (Some(&site), Some(&sensor)))
        .await?;
    if known.is_empty() {
        return Err(Problem::nothing());
    }
    if let Action::Block { target, force, .. } = &action {
        if *force {
            return Err(Problem::field(
                "force",
                "it works only at the sensor's own command line",
            ));
        }
        may_block(&app, *target)?;
    }
    let (words, object) = action.words();
    let command = serde_json::to_value(&action).unwrap_or_default();
    let word = command["action"].as_str().unwrap_or_default().to_owned();
    let why = command["reason"].as_str().unwrap_or_default().to_owned();
    let now = moment::now();
    let span = i64::try_from(action.span().as_micros()).unwrap_or(0);
    let holds = now + if span > 0 { span } else { WORTH };
    let cause = name("request-")?;
    let about = ((&who, cause.as_str()), (site.as_str(), sensor.as_str()));
    let order = new_order(about.0, about.1, (&word, &command), (&why, holds))?;
    let answer = order.shown();
    let change = Change {
        events: vec![Happened::new(now, ("order", Some(&site)), answer.clone())],
        orders: vec![order],
        ..Change::default()
    };
    let object = format!("{object} at {site}/{sensor}");
    asking.done((words, object), (change, answer)).await
}

/// Allowances that were ordered, the newest first.
pub(crate) async fn allowances(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    asked: Asked,
) -> Answer {
    let filter = [
        ("action", Some("allow".to_owned())),
        ("site", asked.text("site")),
        ("sensor", asked.text("sensor")),
        ("state", None),
    ];
    let page = asked.page()?;
    Ok(listing(
        app.store.list_orders(&who.scope, filter, &page).await?,
    ))
}

/// Keeps a network from being blocked, at every sensor of some sites.
pub(crate) async fn allow(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    let asking = match Asking::begin((&app, &who), "allowances", (&headers, &bytes)).await? {
        Ok(asking) => asking,
        Err(before) => return Ok(before),
    };
    let wanted: NewAllowance = body(&bytes)?;
    let net = network("net", &wanted.net)?;
    let reason = reason(&wanted.reason)?;
    let scope = sites(&who, wanted.sites)?;
    let sensors = app.store.list_sensors(&scope, (None, None)).await?;
    if sensors.is_empty() {
        return Err(Problem::field("sites", "no sensor is known there"));
    }
    let now = moment::now();
    let ttl = serde_json::to_value(wanted.ttl).unwrap_or_default();
    let holds = match wanted.ttl {
        Lifetime::For(span) => now + i64::try_from(span.as_micros()).unwrap_or(WORTH),
        _ => now + WORTH,
    };
    let command = json!({"action": "allow", "net": net.to_string(), "ttl": ttl, "reason": reason});
    let cause = name("allowance-")?;
    let mut change = Change::default();
    for gate in &sensors {
        let text = |key: &str| gate[key].as_str().unwrap_or_default();
        let about = ((&who, cause.as_str()), (text("site"), text("sensor")));
        let order = new_order(about.0, about.1, ("allow", &command), (&reason, holds))?;
        change.events.push(Happened::new(
            now,
            ("order", Some(about.1.0)),
            order.shown(),
        ));
        change.orders.push(order);
    }
    let orders: Vec<Value> = change.orders.iter().map(|order| order.shown()).collect();
    let answer = json!({"id": cause, "net": net.to_string(), "orders": orders});
    asking
        .done(("allow add", net.to_string()), (change, answer))
        .await
}

fn may_block(app: &App, target: IpNet) -> Result<(), Problem> {
    let judged = guard::check(target, &app.config.fleet.exempt);
    let judged = judged.map(drop);
    judged.map_err(|error| Problem::field("target", error.to_string()))
}
