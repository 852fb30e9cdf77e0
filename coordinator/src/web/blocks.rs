//! Blocks: who is kept out where, as a matrix; what the fleet is to keep out; and one fleet block with every sensor's answer.

use std::collections::{BTreeMap, HashMap};

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;

use super::act::{Fields, Said, body, done};
use super::door::Visitor;
use super::format::{When, address_of, in_query, number, plain, target};
use super::page::{Shell, Shown, html};
use super::rows::{FleetLine, Gate, gates};
use super::words::{Words, fill};
use crate::access::{Principal, Role};
use crate::api::{App, Problem, blocks};
use crate::moment;
use crate::store::{Cursor, KeptOut, Page};

/// Addresses of a page.
const ROWS: i64 = 40;
/// Above so many sensors the columns are sites.
const COLUMNS: usize = 30;

/// Where one address and one sensor, or site, meet.
struct Cell {
    state: String,
    label: String,
    /// How many of the site's sensors keep it out, where the columns are sites.
    many: String,
}

/// An address and where it is kept out.
struct Row {
    target: String,
    href: String,
    cells: Vec<Cell>,
    until: Option<When>,
}

#[derive(Template)]
#[template(path = "blocks.html")]
struct MatrixPage {
    shell: Shell,
    matrix_words: String,
    columns: Vec<String>,
    rows: Vec<Row>,
    is_first: bool,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "fleet.html")]
struct FleetPage {
    shell: Shell,
    state: &'static str,
    rows: Vec<FleetLine>,
    is_first: bool,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "block.html")]
struct BlockPage {
    shell: Shell,
    block: FleetLine,
    address: String,
    confirmed: String,
    facts: Vec<(&'static str, String)>,
    gates: Vec<Gate>,
    may_approve: bool,
    may_withdraw: bool,
}

pub(super) async fn matrix(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<HashMap<String, String>>,
) -> Shown {
    let (words, scope) = (visitor.words, &visitor.who.scope);
    let shell = Shell::new(&app, &visitor, ("blocks", words.blocks)).await?;
    let before = query.get("before").and_then(|text| {
        let (at, target) = text.split_once(' ')?;
        Some((at.parse::<i64>().ok()?, target.to_owned()))
    });
    let is_first = before.is_none();
    let shell = if is_first {
        shell.live("block", 60)
    } else {
        shell
    };
    let now = moment::now();
    let mut kept = app.store.kept_out((scope, now), before, ROWS + 1).await?;
    let is_more = kept.len() > ROWS as usize;
    kept.truncate(ROWS as usize);
    let next = kept.last().filter(|_| is_more);
    let next = next.map(|last| {
        format!(
            "/blocks?before={}",
            in_query(&format!("{} {}", last.at, last.target))
        )
    });
    let sensors = app.store.roster(scope).await?.into_iter();
    let places: Vec<(String, String)> = sensors.map(|row| (row.site, row.sensor)).collect();
    let total = app.store.count_kept_out(scope, now).await?;
    let (columns, rows) = match places.len() > COLUMNS {
        true => by_site(words, &places, &kept),
        false => by_sensor(words, &places, &kept),
    };
    let page = MatrixPage {
        matrix_words: fill(
            words.matrix_words,
            &[&number(total), &places.len().to_string()],
        ),
        columns,
        rows,
        is_first,
        next,
        shell,
    };
    Ok(html(&page))
}

fn row(kept: &KeptOut, cells: Vec<Cell>) -> Row {
    // One that never ends ends last.
    let ends = kept
        .at_sensors
        .iter()
        .map(|(.., expires)| expires.unwrap_or(i64::MAX));
    Row {
        target: target(&kept.target),
        href: format!("/addresses/{}", in_query(&address_of(&kept.target))),
        cells,
        until: ends.max().filter(|end| *end != i64::MAX).map(When),
    }
}

fn by_sensor(
    words: &Words,
    places: &[(String, String)],
    kept: &[KeptOut],
) -> (Vec<String>, Vec<Row>) {
    let columns: Vec<String> = places
        .iter()
        .map(|(site, sensor)| format!("{site}/{sensor}"))
        .collect();
    let rows = kept.iter().map(|one| {
        let cells = places.iter().zip(&columns).map(|((site, sensor), name)| {
            let found = one
                .at_sensors
                .iter()
                .find(|(a, b, ..)| a == site && b == sensor);
            let state = found.map_or("none", |(_, _, state, _)| state);
            Cell {
                state: state.to_owned(),
                label: fill(
                    words.matrix_cell,
                    &[&target(&one.target), name, words.state(state)],
                ),
                many: String::new(),
            }
        });
        let cells = cells.collect();
        row(one, cells)
    });
    let rows = rows.collect();
    (columns, rows)
}

fn by_site(
    words: &Words,
    places: &[(String, String)],
    kept: &[KeptOut],
) -> (Vec<String>, Vec<Row>) {
    let mut sites: BTreeMap<&str, usize> = BTreeMap::new();
    for (site, _) in places {
        *sites.entry(site).or_default() += 1;
    }
    let rows = kept.iter().map(|one| {
        let cells = sites.iter().map(|(site, all)| {
            let held = one
                .at_sensors
                .iter()
                .filter(|(a, _, state, _)| a == site && state == "enforced")
                .count();
            let many = if held == 0 {
                "–".to_owned()
            } else {
                format!("{held}/{all}")
            };
            Cell {
                state: String::new(),
                label: fill(
                    words.matrix_cell,
                    &[&target(&one.target), site, &format!("{held}/{all}")],
                ),
                many,
            }
        });
        let cells = cells.collect();
        row(one, cells)
    });
    let rows = rows.collect();
    (sites.keys().map(|site| (*site).to_owned()).collect(), rows)
}

pub(super) async fn fleet(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<HashMap<String, String>>,
) -> Shown {
    let words = visitor.words;
    let get = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let states = ["active", "observed", "waiting", "withdrawn", "expired"];
    let state = states.into_iter().find(|state| *state == get("state"));
    let after = Cursor::read(get("cursor"));
    let is_first = after.is_none();
    let shell = Shell::new(&app, &visitor, ("blocks", words.fleet_blocks)).await?;
    let shell = if is_first {
        shell.live("fleet-block", 0)
    } else {
        shell
    };
    let page = Page { after, limit: 50 };
    let (found, next) = app
        .store
        .list_fleet_blocks(&visitor.who.scope, (None, state), &page)
        .await?;
    let page = FleetPage {
        rows: found
            .iter()
            .map(|document| FleetLine::of(&visitor, document))
            .collect(),
        next: next.map(|cursor| {
            format!(
                "/blocks/fleet?state={}&cursor={}",
                state.unwrap_or_default(),
                in_query(&cursor)
            )
        }),
        state: state.unwrap_or_default(),
        is_first,
        shell,
    };
    Ok(html(&page))
}

pub(super) async fn one(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Shown {
    let (words, scope) = (visitor.words, &visitor.who.scope);
    let found = app
        .store
        .fleet_block(&id)
        .await?
        .ok_or_else(Problem::nothing)?;
    let is_visible = scope.is_all()
        || found.sites.is_all()
        || found.sites.0.iter().any(|site| scope.covers(site));
    if !is_visible {
        return Err(Problem::nothing());
    }
    let title = format!("{} {}", words.block_of, target(&found.target));
    let shell = Shell::new(&app, &visitor, ("blocks", title))
        .await?
        .live("fleet-block block order sensor", 0);
    let mut gates = gates((&app, &visitor), &found.target, std::slice::from_ref(&id)).await?;
    gates.retain(|gate| found.reaches(&gate.site, &gate.sensor));
    let held = gates.iter().filter(|gate| gate.held == "enforced").count();
    let is_within = blocks::may_change(&visitor.who, &found).is_ok();
    let may = visitor.may(Role::Responder) && is_within;
    let is_first_of_two = found.state == "waiting" && found.ordered_by == visitor.who.name;
    let block = FleetLine::of(&visitor, &found.shown());
    let moment_of =
        |at: &Option<When>| at.map_or_else(|| words.for_good.to_owned(), |at| plain(at.0));
    let facts = [
        (words.reason, block.reason.clone()),
        (words.reach, block.reach.clone()),
        (words.ordered_by, block.by.clone()),
        (
            words.approved_by,
            found.approved_by.clone().unwrap_or_default(),
        ),
        (words.begun, moment_of(&block.begun)),
        (words.ends_at, moment_of(&block.expires)),
        (
            words.from_campaign,
            found.campaign.clone().unwrap_or_default(),
        ),
    ];
    let page = BlockPage {
        address: in_query(&address_of(&found.target)),
        confirmed: fill(
            words.confirmed,
            &[&held.to_string(), &gates.len().to_string()],
        ),
        facts: facts
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect(),
        gates,
        may_approve: may
            && !is_first_of_two
            && ["waiting", "observed"].contains(&found.state.as_str()),
        may_withdraw: may && ["active", "observed", "waiting"].contains(&found.state.as_str()),
        block,
        shell,
    };
    Ok(html(&page))
}

pub(super) async fn approve(
    state: State<App>,
    Extension(visitor): Extension<Visitor>,
    (who, id): (Extension<Principal>, Path<String>),
    fields: Fields,
) -> Shown {
    let headers: HeaderMap = Said::new(fields).version();
    let approved = blocks::approve(state, who, (id, headers), body(&serde_json::Value::Null)).await;
    done(approved, visitor.words.said_approved)
}

pub(super) async fn withdraw(
    state: State<App>,
    Extension(visitor): Extension<Visitor>,
    (who, id): (Extension<Principal>, Path<String>),
    fields: Fields,
) -> Shown {
    let headers: HeaderMap = Said::new(fields).version();
    let withdrawn =
        blocks::withdraw(state, who, (id, headers), body(&serde_json::Value::Null)).await;
    done(withdrawn, visitor.words.said_withdrawn)
}
