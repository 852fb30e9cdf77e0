//! The sensors: who is there, what they lose, what they hold, and what was ordered of each.

use std::collections::{BTreeMap, HashMap};

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use serde_json::{Value, json};

use super::door::Visitor;
use super::format::{When, bytes, in_query, mark, number, plain, span, target, text};
use super::page::{Shell, Shown, html};
use super::rows::{View, presence};
use super::words::{Words, fill};
use crate::api::{App, Problem};
use crate::moment::{self, SECOND};
use crate::store::{Page, SensorRow};

/// The span of the charts, and how many points they have.
const DAY: i64 = 86_400 * SECOND;
const POINTS: usize = 288;
/// Rows of the chart's table.
const TABLE: usize = 48;

/// A sensor as a line.
struct SensorLine {
    mark: String,
    href: String,
    site: String,
    sensor: String,
    state: String,
    conditions: Vec<String>,
    last: When,
    ago: String,
    digest: String,
    blocks: String,
    losses: String,
    disk: String,
    model: String,
    model_hash: String,
    version: String,
}

/// A condition as a line.
struct ConditionLine {
    at: When,
    name: String,
    action: String,
    message: String,
}

/// An order as a line.
struct OrderLine {
    created: Option<When>,
    action: String,
    object: String,
    state: String,
    message: String,
    by: String,
}

#[derive(Template)]
#[template(path = "sensors.html")]
struct SensorsPage {
    shell: Shell,
    summary: String,
    views: Vec<View>,
    rows: Vec<SensorLine>,
}

#[derive(Template)]
#[template(path = "sensor.html")]
struct SensorPage {
    shell: Shell,
    row: SensorLine,
    has_series: bool,
    chart: String,
    points: Vec<(When, String, String)>,
    conditions: Vec<ConditionLine>,
    orders: Vec<OrderLine>,
    facts: Vec<(&'static str, String)>,
    numbers: Vec<(&'static str, String)>,
}

pub(super) async fn list(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<HashMap<String, String>>,
) -> Shown {
    let words = visitor.words;
    let shell = Shell::new(&app, &visitor, ("sensors", words.sensors))
        .await?
        .live("sensor condition", 15);
    let sensors = app.store.sensors().await?;
    let mut rows: Vec<SensorLine> = sensors
        .iter()
        .filter(|row| visitor.who.scope.covers(&row.site))
        .map(|row| line(words, row))
        .collect();
    rows.sort_by(|a, b| (&a.site, &a.sensor).cmp(&(&b.site, &b.sensor)));
    let online = rows.iter().filter(|row| row.state == "online").count();
    let summary = fill(
        words.sensors_summary,
        &[&rows.len().to_string(), &online.to_string()],
    );
    let asked = query.get("state").map(String::as_str).unwrap_or_default();
    if asked == "trouble" {
        rows.retain(|row| {
            row.state != "online" || row.digest == "differs" || !row.conditions.is_empty()
        });
    }
    let view = |name: &str, href: &str, is_here| View {
        name: name.to_owned(),
        href: href.to_owned(),
        is_here,
    };
    let page = SensorsPage {
        views: vec![
            view(words.all, "/sensors", asked != "trouble"),
            view(
                words.view_trouble,
                "/sensors?state=trouble",
                asked == "trouble",
            ),
        ],
        summary,
        rows,
        shell,
    };
    Ok(html(&page))
}

fn parsed(text: &Option<String>) -> Value {
    serde_json::from_str(text.as_deref().unwrap_or("null")).unwrap_or_default()
}

fn sum(document: &Value, place: &str) -> i64 {
    let all = document.pointer(place).and_then(Value::as_object);
    all.into_iter()
        .flatten()
        .filter_map(|(_, value)| value.as_i64())
        .sum()
}

fn line(words: &Words, row: &SensorRow) -> SensorLine {
    let (status, telemetry) = (parsed(&row.status), parsed(&row.telemetry));
    let blocks = status
        .pointer("/blocks/count")
        .or_else(|| telemetry.pointer("/blocks/count"))
        .and_then(Value::as_i64);
    let has_figures = telemetry.is_object();
    let shown = |text: String| if has_figures { text } else { "–".to_owned() };
    let conditions = telemetry["conditions"].as_array();
    let name = format!("{}/{}", row.site, row.sensor);
    SensorLine {
        mark: mark("s", &name),
        href: format!("/sensors/{}/{}", in_query(&row.site), in_query(&row.sensor)),
        site: row.site.clone(),
        sensor: row.sensor.clone(),
        state: presence(row).to_owned(),
        conditions: conditions
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        last: When(row.last_heard),
        ago: fill(words.ago, &[&span(words, moment::now() - row.last_heard)]),
        digest: row.digest.clone(),
        blocks: blocks.map_or_else(|| "–".to_owned(), number),
        losses: shown(number(sum(&telemetry, "/figures/losses"))),
        disk: shown(bytes(
            telemetry
                .pointer("/store/bytes")
                .and_then(Value::as_i64)
                .unwrap_or(0),
        )),
        model: text(&status, "/model/name"),
        model_hash: text(&status, "/model/sha256").chars().take(12).collect(),
        version: row.version.clone(),
    }
}

pub(super) async fn one(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path((site, sensor)): Path<(String, String)>,
) -> Shown {
    let (words, scope) = (visitor.words, &visitor.who.scope);
    let about = (Some(site.as_str()), Some(sensor.as_str()));
    let shown = app.store.list_sensors(scope, about).await?;
    let shown = shown.into_iter().next().ok_or_else(Problem::nothing)?;
    let sensors = app.store.sensors().await?;
    let found = sensors
        .iter()
        .find(|row| row.site == site && row.sensor == sensor);
    let found = found.ok_or_else(Problem::nothing)?;
    let shell = Shell::new(&app, &visitor, ("sensors", format!("{site}/{sensor}"))).await?;
    let shell = shell.live("sensor condition order block", 30);
    let telemetry = app
        .store
        .telemetry_of((&site, &sensor), moment::now() - DAY)
        .await?;
    let (chart, points) = traffic(words, &telemetry);
    let page = Page {
        after: None,
        limit: 25,
    };
    let about = [
        ("site", Some(site.clone())),
        ("sensor", Some(sensor.clone())),
        ("state", None),
        ("cause", None),
    ];
    let orders = app.store.list_orders(scope, about, &page).await?.0;
    let conditions = app.store.conditions(scope, Some((&site, &sensor))).await?;
    let conditions = conditions.into_iter().map(|one| {
        let document = serde_json::from_str(&one.doc).unwrap_or_default();
        ConditionLine {
            at: When(one.at),
            name: one.name,
            action: one.action,
            message: text(&document, "/message"),
        }
    });
    let page = SensorPage {
        row: line(words, found),
        has_series: !points.is_empty(),
        chart,
        points,
        conditions: conditions.collect(),
        orders: orders.iter().map(order).collect(),
        facts: facts(words, found),
        numbers: numbers(words, &shown),
        shell,
    };
    Ok(html(&page))
}

fn order(document: &Value) -> OrderLine {
    let object =
        ["/command/target", "/command/net", "/command/review"].map(|place| text(document, place));
    let object = object
        .into_iter()
        .find(|object| !object.is_empty())
        .unwrap_or_default();
    OrderLine {
        created: When::of(&document["created"]),
        action: text(document, "/action"),
        object: target(&object),
        state: text(document, "/state"),
        message: text(document, "/message"),
        by: text(document, "/ordered_by"),
    }
}

fn facts(words: &Words, row: &SensorRow) -> Vec<(&'static str, String)> {
    let (status, telemetry) = (parsed(&row.status), parsed(&row.telemetry));
    let started = When::of(&status["started"])
        .map(|at| plain(at.0))
        .unwrap_or_default();
    let pending = telemetry.pointer("/outbox/pending").and_then(Value::as_i64);
    let model = format!(
        "{} {}",
        text(&status, "/model/name"),
        text(&status, "/model/sha256")
            .chars()
            .take(16)
            .collect::<String>()
    );
    let facts = [
        (words.version, row.version.clone()),
        (words.model, model.trim().to_owned()),
        (words.fact_started, started),
        (words.fact_first_heard, plain(row.first_heard)),
        (words.last_heard, plain(row.last_heard)),
        (words.block_list, words.state(&row.digest).to_owned()),
        (
            words.fact_skew,
            if row.skew > SECOND {
                span(words, row.skew)
            } else {
                String::new()
            },
        ),
        (words.fact_outbox, pending.map(number).unwrap_or_default()),
    ];
    let losses = telemetry
        .pointer("/figures/losses")
        .and_then(Value::as_object);
    let losses: Vec<String> = losses
        .into_iter()
        .flatten()
        .filter(|(_, count)| count.as_i64() != Some(0))
        .map(|(cause, count)| format!("{cause} {}", number(count.as_i64().unwrap_or(0))))
        .collect();
    let mut facts: Vec<_> = facts
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    if !losses.is_empty() {
        facts.push((words.lost_packets, losses.join(", ")));
    }
    facts
}

fn numbers(words: &Words, shown: &Value) -> Vec<(&'static str, String)> {
    let epochs = shown["sequences"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let total = |key: &str| -> i64 { epochs.iter().filter_map(|epoch| epoch[key].as_i64()).sum() };
    let ranges = |key: &str| -> String {
        let all = epochs
            .iter()
            .filter_map(|epoch| epoch[key].as_array())
            .flatten();
        let said: Vec<String> = all.take(6).map(Value::to_string).collect();
        if said.is_empty() {
            words.no.to_owned()
        } else {
            said.join(", ")
        }
    };
    vec![
        (words.fact_heard, number(total("heard"))),
        (words.fact_repeated, number(total("repeated"))),
        (words.fact_gaps, ranges("gaps")),
        (words.fact_lost, ranges("lost")),
    ]
}

/// Packets and losses a second, from counts that grow until the sensor starts anew.
fn traffic(words: &Words, telemetry: &[(i64, String)]) -> (String, Vec<(When, String, String)>) {
    let counts: Vec<(i64, i64, i64)> = telemetry
        .iter()
        .filter_map(|(at, doc)| {
            let document: Value = serde_json::from_str(doc).ok()?;
            Some((
                *at,
                sum(&document, "/figures/packets"),
                sum(&document, "/figures/losses"),
            ))
        })
        .collect();
    let step = (counts.len() / POINTS).max(1);
    let thinned: Vec<&(i64, i64, i64)> = counts.iter().step_by(step).collect();
    let mut points: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for pair in thinned.windows(2) {
        let ((before, packets, losses), (at, more, lost)) = (pair[0], pair[1]);
        #[expect(clippy::cast_precision_loss, reason = "it is rounded anyway")]
        let rate = |from: i64, to: i64| {
            (to - from).max(0) as f64 / ((at - before).max(SECOND) as f64 / 1e6)
        };
        points.insert(at / SECOND, (rate(*packets, *more), rate(*losses, *lost)));
    }
    let at: Vec<i64> = points.keys().copied().collect();
    let rounded = |value: f64| (value * 10.0).round() / 10.0;
    let seen: Vec<f64> = points.values().map(|(seen, _)| rounded(*seen)).collect();
    let lost: Vec<f64> = points.values().map(|(_, lost)| rounded(*lost)).collect();
    let chart = json!({"at": at, "unit": words.time, "series": [
        {"name": words.packets_second, "colour": "--accent", "values": seen},
        {"name": words.lost_second, "colour": "--bad", "values": lost},
    ]});
    let table = points.iter().rev().step_by((points.len() / TABLE).max(1));
    let table = table.map(|(second, (seen, lost))| {
        (
            When(second * SECOND),
            format!("{seen:.1}"),
            format!("{lost:.1}"),
        )
    });
    (chart.to_string(), table.collect())
}
