//! Everything ever known of an address, and what can be done about it. The search leads here, or to an incident.

use std::collections::HashMap;
use std::net::IpAddr;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect};
use serde_json::{Value, json};

use super::act::{Fields, Said, answer, body};
use super::course::{MarkLine, lanes, lines};
use super::door::Visitor;
use super::format::{in_query, text};
use super::page::{Shell, Shown, html, notice};
use super::picture::{Picture, course};
use super::rows::{FleetLine, Gate, IncidentLine, gates};
use super::words::fill;
use crate::access::Principal;
use crate::api::{App, Problem, blocks, orders};
use crate::store::{IncidentFilter, Page};

#[derive(Template)]
#[template(path = "address.html")]
struct AddressPage {
    shell: Shell,
    address: String,
    summary: String,
    course: Picture,
    marks: Vec<MarkLine>,
    gates: Vec<Gate>,
    rows: Vec<IncidentLine>,
    blocks: Vec<FleetLine>,
}

#[derive(Template)]
#[template(path = "found.html")]
struct FoundPage {
    shell: Shell,
    asked: String,
}

pub(super) async fn search(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<HashMap<String, String>>,
) -> Shown {
    let asked: String = query
        .get("q")
        .map(|text| text.trim().chars().take(256).collect())
        .unwrap_or_default();
    let address = asked.parse::<IpAddr>().ok();
    let address = address.or_else(|| asked.parse::<ipnet::IpNet>().ok().map(|net| net.addr()));
    if let Some(address) = address {
        return Ok(Redirect::to(&format!("/addresses/{}", address.to_canonical())).into_response());
    }
    if app
        .store
        .incident(&visitor.who.scope, &asked)
        .await?
        .is_some()
    {
        return Ok(Redirect::to(&format!("/incidents/{}", in_query(&asked))).into_response());
    }
    let shell = Shell::new(&app, &visitor, ("", visitor.words.search_label)).await?;
    Ok(html(&FoundPage { shell, asked }))
}

pub(super) async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(address): Path<String>,
) -> Shown {
    let (words, scope) = (visitor.words, &visitor.who.scope);
    let (address, target) = read(&address)?;
    let shell = Shell::new(&app, &visitor, ("", address.clone())).await?;
    let shell = shell.live("incident block order fleet-block", 0);
    let page = Page {
        after: None,
        limit: 20,
    };
    let blocks = app
        .store
        .list_fleet_blocks(scope, (Some(&target), None), &page)
        .await?
        .0;
    let causes: Vec<String> = blocks.iter().map(|block| text(block, "/id")).collect();
    let mut gates = gates((&app, &visitor), &target, &causes).await?;
    let saw = gates
        .iter()
        .filter(|gate| gate.saw != words.saw_nothing)
        .count();
    let held = gates.iter().filter(|gate| gate.held == "enforced").count();
    let filter = IncidentFilter {
        offender: Some(address.clone()),
        ..IncidentFilter::default()
    };
    let page = Page {
        after: None,
        limit: 25,
    };
    let found = app.store.list_incidents((scope, &filter), &page).await?.0;
    let lanes = lanes((&app, &visitor), (&address, &[]), &gates).await?;
    gates.retain(|gate| gate.is_concerned);
    let page = AddressPage {
        summary: fill(
            words.address_summary,
            &[&saw.to_string(), &held.to_string()],
        ),
        course: course(words.where_seen, &lanes),
        marks: lines(&lanes),
        gates,
        rows: found
            .iter()
            .map(|document| IncidentLine::read(document))
            .collect(),
        blocks: blocks
            .iter()
            .map(|block| FleetLine::of(&visitor, block))
            .collect(),
        address,
        shell,
    };
    Ok(html(&page))
}

/// Takes back what the fleet keeps out of an address, and has each sensor that keeps it out by itself let it in.
pub(super) async fn release(
    state: State<App>,
    Extension(visitor): Extension<Visitor>,
    (who, path): (Extension<Principal>, Path<String>),
    fields: Fields,
) -> Shown {
    let (said, words, scope) = (Said::new(fields), visitor.words, &visitor.who.scope);
    let (address, target) = read(&path.0)?;
    let reason = blocks::reason(said.text("reason"))?;
    let app = &state.0;
    let held = app.store.held_of(scope, &target).await?;
    let page = Page {
        after: None,
        limit: 100,
    };
    let fleet = app
        .store
        .list_fleet_blocks(scope, (Some(&target), None), &page)
        .await?
        .0;
    let (mut withdrawn, mut ordered) = (0, 0);
    for block in &fleet {
        let is_open = ["active", "observed", "waiting"].contains(&text(block, "/state").as_str());
        let id = text(block, "/id");
        let found = app.store.fleet_block(&id).await?.filter(|_| is_open);
        let Some(found) = found.filter(|found| blocks::may_change(&visitor.who, found).is_ok())
        else {
            continue;
        };
        let headers = version(found.version);
        blocks::withdraw(
            state.clone(),
            who.clone(),
            (Path(id), headers),
            body(&Value::Null),
        )
        .await?;
        withdrawn += 1;
    }
    // What the fleet ordered is lifted by the withdrawal; a sensor's own block needs an order of its own.
    let asked = body(&json!({"action": "release", "target": target, "reason": reason}));
    for gate in held {
        let place = Path((text(&gate, "/site"), text(&gate, "/sensor")));
        orders::order(
            state.clone(),
            who.clone(),
            (place, HeaderMap::new()),
            asked.clone(),
        )
        .await?;
        ordered += 1;
    }
    if withdrawn + ordered == 0 {
        return Ok(notice(&fill(words.said_nothing_held, &[&address]), false));
    }
    let counts = [withdrawn.to_string(), ordered.to_string()];
    Ok(notice(
        &fill(words.said_released, &[&address, &counts[0], &counts[1]]),
        true,
    ))
}

/// Keeps an address from being blocked.
pub(super) async fn allow(
    state: State<App>,
    Extension(visitor): Extension<Visitor>,
    (who, path): (Extension<Principal>, Path<String>),
    fields: Fields,
) -> Shown {
    let said = Said::new(fields);
    let (address, target) = read(&path.0)?;
    let asked =
        body(&json!({"net": target, "ttl": said.span("ttl"), "reason": said.text("reason")}));
    let allowed = orders::allow(state, who, HeaderMap::new(), asked).await?;
    let ordered = answer(allowed).await["orders"]
        .as_array()
        .map_or(0, Vec::len);
    Ok(notice(
        &fill(
            visitor.words.said_allowed,
            &[&address, &ordered.to_string()],
        ),
        true,
    ))
}

fn version(version: i64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(tag) = format!("\"{version}\"").parse() {
        headers.insert(axum::http::header::IF_MATCH, tag);
    }
    headers
}

/// An address, and the network that is it alone.
fn read(text: &str) -> Result<(String, String), Problem> {
    let address = text
        .parse::<IpAddr>()
        .map_err(|_| Problem::nothing())?
        .to_canonical();
    Ok((address.to_string(), ipnet::IpNet::from(address).to_string()))
}
