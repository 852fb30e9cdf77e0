//! What several pages show as lines: incidents, fleet blocks, and what each sensor saw and holds of an address.

use std::collections::BTreeMap;

use serde_json::Value;

use super::door::Visitor;
use super::format::{When, address_of, in_query, mark, target, text};
use super::words::fill;
use crate::api::{App, Problem};
use crate::moment;
use crate::store::{Order, SensorRow};

/// A sensor that says nothing for so long is silent, microseconds: its figures come every minute.
pub(super) const MUTE: i64 = 180 * moment::SECOND;

/// An incident as a line.
pub(super) struct IncidentLine {
    pub(super) mark: String,
    pub(super) href: String,
    pub(super) at: When,
    pub(super) at_micros: i64,
    pub(super) class: String,
    pub(super) who: String,
    pub(super) who_href: String,
    pub(super) aim: String,
    pub(super) site: String,
    pub(super) sensor: String,
    pub(super) state: String,
    pub(super) severity: String,
    pub(super) message: String,
}

impl IncidentLine {
    pub(super) fn read(document: &str) -> Self {
        Self::of(&serde_json::from_str(document).unwrap_or_default())
    }

    pub(super) fn of(document: &Value) -> Self {
        let get = |place: &str| text(document, place);
        let id = get("/id");
        let offender = get("/garita/offender");
        let at = When::of(&document["@timestamp"]).unwrap_or(When(0));
        Self {
            mark: mark("i", &id),
            href: format!("/incidents/{}", in_query(&id)),
            at,
            at_micros: at.0,
            class: get("/garita/class"),
            who_href: match offender.is_empty() {
                true => String::new(),
                false => format!("/addresses/{}", in_query(&offender)),
            },
            who: if offender.is_empty() {
                "–".to_owned()
            } else {
                offender.clone()
            },
            aim: aim(document),
            site: get("/site"),
            sensor: get("/sensor"),
            state: state(document),
            severity: get("/event/severity"),
            // It names the offender, who stands beside it already.
            message: match get("/message") {
                said if offender.is_empty() => said,
                said => said
                    .strip_prefix(&offender)
                    .map_or(said.clone(), |rest| rest.trim_start().to_owned()),
            },
        }
    }
}

/// Who suffers, with the port.
pub(super) fn aim(document: &Value) -> String {
    let victim = text(document, "/garita/victim");
    let victim = if victim.is_empty() {
        text(document, "/destination/ip")
    } else {
        victim
    };
    let port = text(document, "/destination/port");
    match (port.is_empty(), victim.contains(':')) {
        (true, _) => victim,
        (false, true) => format!("[{victim}]:{port}"),
        (false, false) => format!("{victim}:{port}"),
    }
}

/// What was decided, and what came of it, in one word.
pub(super) fn state(document: &Value) -> String {
    let decision = text(document, "/garita/decision");
    let decision = if decision.is_empty() {
        text(document, "/event/action")
    } else {
        decision
    };
    let outcome = text(document, "/garita/outcome");
    match (decision.as_str(), outcome.as_str()) {
        ("block", "enforced") => "blocked".to_owned(),
        ("block", "") | ("review" | "alert", _) => decision,
        ("block", _) => outcome,
        _ => decision,
    }
}

/// A fleet block as a line.
pub(super) struct FleetLine {
    pub(super) id: String,
    pub(super) mark: String,
    pub(super) href: String,
    pub(super) target: String,
    pub(super) state: String,
    pub(super) reach: String,
    pub(super) begun: Option<When>,
    pub(super) expires: Option<When>,
    pub(super) by: String,
    pub(super) reason: String,
    pub(super) version: i64,
}

impl FleetLine {
    pub(super) fn of(visitor: &Visitor, document: &Value) -> Self {
        let get = |place: &str| text(document, place);
        let id = get("/id");
        let sites = document["sites"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let sites: Vec<&str> = sites.iter().filter_map(Value::as_str).collect();
        let sensor = get("/sensor");
        let reach = match (sites.is_empty(), sensor.is_empty()) {
            (true, _) => visitor.words.all_sites.to_owned(),
            (false, true) => sites.join(", "),
            (false, false) => format!("{}/{sensor}", sites.join(", ")),
        };
        Self {
            mark: mark("f", &id),
            href: format!("/blocks/{}", in_query(&id)),
            id,
            target: target(&get("/target")),
            state: get("/state"),
            reach,
            begun: When::of(&document["begun"]),
            expires: When::of(&document["expires"]),
            by: get("/ordered_by"),
            reason: get("/reason"),
            version: document["version"].as_i64().unwrap_or(0),
        }
    }
}

/// A sensor, and what it has to do with an address.
pub(super) struct Gate {
    pub(super) name: String,
    pub(super) site: String,
    pub(super) sensor: String,
    pub(super) mark: String,
    pub(super) href: String,
    pub(super) state: String,
    pub(super) is_there: bool,
    pub(super) saw: String,
    pub(super) held: String,
    pub(super) until: Option<When>,
    pub(super) since: Option<When>,
    pub(super) order: String,
    pub(super) order_text: String,
    pub(super) answered: Option<When>,
    /// Whether it has anything to do with it.
    pub(super) is_concerned: bool,
}

/// Every sensor of the visitor's sites with what it has to do with a target: those concerned first.
pub(super) async fn gates(
    (app, visitor): (&App, &Visitor),
    target: &str,
    causes: &[String],
) -> Result<Vec<Gate>, Problem> {
    let (words, scope) = (visitor.words, &visitor.who.scope);
    let address = address_of(target);
    let sensors = app.store.roster(scope).await?;
    let sightings = app.store.sightings(scope, &address).await?;
    let held = app.store.held_of(scope, target).await?;
    let orders = app.store.orders_of(scope, causes).await?;
    let mut by_gate: BTreeMap<(&str, &str), &Order> = BTreeMap::new();
    for order in orders.iter().rev() {
        by_gate.insert((&order.site, &order.sensor), order);
    }
    let held: BTreeMap<(String, String), &Value> = held
        .iter()
        .map(|item| ((text(item, "/site"), text(item, "/sensor")), item))
        .collect();
    let mut saw: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for item in &sightings {
        let class = text(item, "/class");
        let words = fill(
            words.saw_some,
            &[&text(item, "/incidents"), words.class(&class)],
        );
        saw.entry((text(item, "/site"), text(item, "/sensor")))
            .or_default()
            .push(words);
    }
    let now = moment::now();
    let mut gates: Vec<Gate> = sensors
        .iter()
        .map(|row| {
            let place = (row.site.clone(), row.sensor.clone());
            let until =
                |item: &&&Value| When::of(&item["expires"]).is_none_or(|until| until.0 > now);
            let holds = held.get(&place).filter(until).copied();
            let seen = saw.get(&place).cloned().unwrap_or_default();
            gate(
                row,
                (seen, holds),
                by_gate
                    .get(&(row.site.as_str(), row.sensor.as_str()))
                    .copied(),
            )
        })
        .map(|mut gate| {
            if gate.saw.is_empty() {
                words.saw_nothing.clone_into(&mut gate.saw);
            }
            gate.order_text = words.state(&gate.order_text).to_owned();
            gate
        })
        .collect();
    gates.sort_by(|a, b| (!a.is_concerned, &a.name).cmp(&(!b.is_concerned, &b.name)));
    Ok(gates)
}

fn gate(
    row: &SensorRow,
    (saw, holds): (Vec<String>, Option<&Value>),
    order: Option<&Order>,
) -> Gate {
    let name = format!("{}/{}", row.site, row.sensor);
    let state = presence(row);
    Gate {
        mark: mark("g", &name),
        href: format!("/sensors/{}/{}", in_query(&row.site), in_query(&row.sensor)),
        site: row.site.clone(),
        sensor: row.sensor.clone(),
        is_there: state == "online",
        state: state.to_owned(),
        is_concerned: !saw.is_empty() || holds.is_some() || order.is_some(),
        saw: saw.join(", "),
        held: holds.map_or_else(|| "none".to_owned(), |held| text(held, "/state")),
        until: holds.and_then(|held| When::of(&held["expires"])),
        since: holds.and_then(|held| When::of(&held["since"])),
        order: order.map_or("", |order| order.state.as_str()).to_owned(),
        order_text: order.map_or_else(String::new, |order| order.action.clone()),
        answered: order.and_then(|order| order.answered_at).map(When),
        name,
    }
}

/// Whether a sensor is there: what it said last, unless that is long ago.
pub(super) fn presence(row: &SensorRow) -> &str {
    match row.state.as_str() {
        "online" if row.last_heard + MUTE < moment::now() => "mute",
        state => state,
    }
}

/// A view that a page offers.
pub(super) struct View {
    pub(super) name: String,
    pub(super) href: String,
    pub(super) is_here: bool,
}
