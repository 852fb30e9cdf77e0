//! What the fleet keeps out, as people change it: with a preview, under the guard, by two people where it is wide.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use contract::action::Lifetime;
use contract::address::shown;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::app::App;
use super::ask::{Asked, body};
use super::changes::{Asking, name};
use super::problem::Problem;
use super::reply::{if_match, listing, versioned};
use crate::access::Principal;
use crate::desk::guard;
use crate::moment::{self, SECOND};
use crate::store::{Change, FleetBlock, Happened, Scope};

type Answer = Result<Response, Problem>;

/// How long a block lasts where nothing is said.
const USUAL: i64 = 3_600 * SECOND;
/// The longest reason, characters.
const REASON: usize = 500;

/// Whom to keep out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBlock {
    /// An address or a prefix.
    target: String,
    /// For how long: seconds, or `permanent`; an hour where nothing is said.
    #[serde(default)]
    ttl: Lifetime,
    /// Why.
    reason: String,
    /// At which sites; at all where none is named.
    #[serde(default)]
    sites: Vec<String>,
    /// At this sensor of the one site that is named, alone.
    #[serde(default)]
    sensor: Option<String>,
}

pub(crate) async fn list(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    asked: Asked,
) -> Answer {
    let states = ["active", "observed", "waiting", "withdrawn", "expired"];
    let state = asked.word("state", &states)?;
    let target = match asked.text("target") {
        Some(text) => Some(network("target", &text)?.to_string()),
        None => None,
    };
    let page = asked.page()?;
    let about = (target.as_deref(), state.as_deref());
    Ok(listing(
        app.store
            .list_fleet_blocks(&who.scope, about, &page)
            .await?,
    ))
}

pub(crate) async fn one(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
) -> Answer {
    let block = find((&app, &who), &id).await?;
    let held = app.store.held_of(&who.scope, &block.target).await?;
    let page = Asked::default().page()?;
    let about = [
        ("cause", Some(id)),
        ("site", None),
        ("sensor", None),
        ("state", None),
    ];
    let (orders, _) = app.store.list_orders(&who.scope, about, &page).await?;
    let mut document = block.shown();
    document["held"] = json!(held);
    document["orders"] = json!(orders);
    Ok(versioned(document))
}

pub(crate) async fn preview(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    asked: Asked,
) -> Answer {
    let text = asked.text("target").unwrap_or_default();
    let target = network("target", &text)?;
    let judged = guard::check(target, &app.config.fleet.exempt);
    let address = target.addr().to_string();
    let sightings = app.store.sightings(&who.scope, &address).await?;
    let held = app.store.held_of(&who.scope, &target.to_string()).await?;
    let sensors = app.store.list_sensors(&who.scope, (None, None)).await?;
    let of = |list: &[Value], gate: &Value| -> Vec<Value> {
        let same = |item: &&Value| item["site"] == gate["site"] && item["sensor"] == gate["sensor"];
        list.iter().filter(same).cloned().collect()
    };
    let gates: Vec<Value> = sensors
        .iter()
        .map(|gate| {
            let seen = of(&sightings, gate);
            let holds = of(&held, gate);
            json!({
                "site": gate["site"], "sensor": gate["sensor"], "state": gate["state"],
                "would_be_ordered": judged.is_ok() && holds.is_empty(), "seen": seen, "held": holds.first(),
            })
        })
        .collect();
    let document = json!({
        "target": shown(target), "allowed": judged.is_ok(), "why_not": judged.err().map(|error| error.to_string()),
        "wide": guard::is_wide(&target), "needs_two": needs_two(&app, (&target, &Scope::default())), "sensors": gates,
    });
    Ok(axum::Json(document).into_response())
}

pub(crate) async fn add(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    let asking = match Asking::begin((&app, &who), "blocks", (&headers, &bytes)).await? {
        Ok(asking) => asking,
        Err(before) => return Ok(before),
    };
    let wanted: NewBlock = body(&bytes)?;
    let target = network("target", &wanted.target)?;
    let target = guard::check(target, &app.config.fleet.exempt)
        .map_err(|error| Problem::field("target", error.to_string()))?;
    let reason = reason(&wanted.reason)?;
    let sites = sites(&who, wanted.sites)?;
    if wanted.sensor.is_some() && sites.0.len() != 1 {
        return Err(Problem::field(
            "sensor",
            "it is a sensor of the one site that `sites` names",
        ));
    }
    let now = moment::now();
    let most = app.config.fleet.max_ttl.micros();
    let expires = match wanted.ttl {
        Lifetime::Default => Some(now + USUAL.min(most)),
        Lifetime::Permanent => None,
        Lifetime::For(span) => match i64::try_from(span.as_micros())
            .ok()
            .filter(|span| *span <= most)
        {
            Some(span) => Some(now + span),
            None => {
                let most = humantime::format_duration(app.config.fleet.max_ttl.get());
                return Err(Problem::field(
                    "ttl",
                    format!("it is above fleet.max_ttl, {most}; or say \"permanent\""),
                ));
            }
        },
    };
    let waits = needs_two(&app, (&target, &sites));
    let block = FleetBlock {
        id: name("block-")?,
        target: target.to_string(),
        sites,
        sensor: wanted.sensor.unwrap_or_default(),
        state: if waits { "waiting" } else { "active" }.to_owned(),
        origin: "person".to_owned(),
        ordered_by: who.name.clone(),
        approved_by: None,
        reason,
        campaign: None,
        begun: now,
        expires,
        version: 1,
        why: json!({"reason": wanted.reason}).to_string(),
    };
    let answer = block.shown();
    let change = Change {
        events: vec![Happened::new(now, ("fleet-block", None), answer.clone())],
        fleet: vec![(block, 0)],
        ..Change::default()
    };
    asking
        .done(("blocks add", shown(target)), (change, answer))
        .await
}

/// The word of a second person. What policy has only observed is sent by the word of one.
pub(crate) async fn approve(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    (Path(id), headers): (Path<String>, HeaderMap),
    bytes: Bytes,
) -> Answer {
    let by = who.name.clone();
    let asked = (id.as_str(), &headers, &bytes);
    turn(
        (&app, &who),
        asked,
        ("blocks approve", "approval"),
        |block| {
            match block.state.as_str() {
                "waiting" if block.ordered_by == by => {
                    return Err(Problem::new(
                        StatusCode::FORBIDDEN,
                        "it takes the word of two people, and you are the first of them",
                    ));
                }
                "waiting" | "observed" => {}
                state => return Err(Problem::new(StatusCode::CONFLICT, format!("it is {state}"))),
            }
            block.state = "active".to_owned();
            block.approved_by = Some(by);
            Ok(())
        },
    )
    .await
}

/// Takes a block back, at every sensor that carried it out.
pub(crate) async fn withdraw(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    (Path(id), headers): (Path<String>, HeaderMap),
    bytes: Bytes,
) -> Answer {
    let asked = (id.as_str(), &headers, &bytes);
    turn(
        (&app, &who),
        asked,
        ("blocks remove", "withdrawal"),
        |block| {
            if !["active", "observed", "waiting"].contains(&block.state.as_str()) {
                let detail = format!("it is {}", block.state);
                return Err(Problem::new(StatusCode::CONFLICT, detail));
            }
            block.state = "withdrawn".to_owned();
            Ok(())
        },
    )
    .await
}

/// Changes a block by the word of somebody who says which version of it they have seen. `words` are those of the audit trail
/// and of the request's key.
async fn turn(
    (app, who): (&App, &Principal),
    (id, headers, bytes): (&str, &HeaderMap, &Bytes),
    words: (&str, &str),
    turn: impl FnOnce(&mut FleetBlock) -> Result<(), Problem>,
) -> Answer {
    let path = format!("blocks/{id}/{}", words.1);
    let asking = match Asking::begin((app, who), &path, (headers, bytes)).await? {
        Ok(asking) => asking,
        Err(before) => return Ok(before),
    };
    let version = if_match(headers)?;
    let mut block = find((app, who), id).await?;
    may_change(who, &block)?;
    turn(&mut block)?;
    if block.version != version {
        return Err(Problem::overtaken());
    }
    block.version += 1;
    let answer = block.shown();
    let object = block.target.clone();
    let told = Happened::new(moment::now(), ("fleet-block", None), answer.clone());
    let change = Change {
        events: vec![told],
        fleet: vec![(block, version)],
        ..Change::default()
    };
    asking.done((words.0, object), (change, answer)).await
}

async fn find((app, who): (&App, &Principal), id: &str) -> Result<FleetBlock, Problem> {
    let block = app.store.fleet_block(id).await?;
    let block = block.ok_or_else(Problem::nothing)?;
    let visible = block.sites.is_all() || block.sites.0.iter().any(|site| who.scope.covers(site));
    match visible || who.scope.is_all() {
        true => Ok(block),
        false => Err(Problem::nothing()),
    }
}

/// Whoever is limited to sites changes only what is limited to them.
pub(crate) fn may_change(who: &Principal, block: &FleetBlock) -> Result<(), Problem> {
    let within = who.scope.is_all()
        || (!block.sites.is_all() && block.sites.0.iter().all(|site| who.scope.covers(site)));
    match within {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "it reaches sites that are not yours",
        )),
    }
}

/// The sites of a request; of who is limited, at most theirs.
pub(crate) fn sites(who: &Principal, wanted: Vec<String>) -> Result<Scope, Problem> {
    if let Some(odd) = wanted.iter().find(|site| !contract::topics::is_name(site)) {
        let odd = contract::printable::printable(odd);
        return Err(Problem::field("sites", format!("{odd:?} is no site")));
    }
    if let Some(other) = wanted.iter().find(|site| !who.scope.covers(site)) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            format!("{other} is not one of your sites"),
        ));
    }
    match wanted.is_empty() {
        true => Ok(who.scope.clone()),
        false => Ok(Scope(wanted)),
    }
}

/// Whether it takes two people: a prefix, or more than one site.
pub(crate) fn needs_two(app: &App, (target, sites): (&IpNet, &Scope)) -> bool {
    app.config.desk.two_person && (guard::is_wide(target) || sites.0.len() != 1)
}

/// A network from text.
pub(crate) fn network(field: &str, text: &str) -> Result<IpNet, Problem> {
    let address = text.parse::<std::net::IpAddr>().map(IpNet::from);
    let net = address.or_else(|_| text.parse::<IpNet>());
    net.map(contract::address::canonical)
        .map_err(|_| Problem::field(field, "it is no address and no prefix such as 192.0.2.0/24"))
}

/// A reason that says something, and cannot hide anything.
pub(crate) fn reason(text: &str) -> Result<String, Problem> {
    let text = contract::printable::printable(text.trim()).into_owned();
    match (1..=REASON).contains(&text.chars().count()) {
        true => Ok(text),
        false => Err(Problem::field("reason", "it has 1 to 500 characters")),
    }
}
