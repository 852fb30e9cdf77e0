//! The course of events around an address: one lane a sensor, with what it saw, decided and keeps out.

use serde_json::Value;

use super::door::Visitor;
use super::format::{When, plain, text};
use super::picture::{Bar, Lane, Mark};
use super::rows::{Gate, state};
use super::words::fill;
use crate::api::{App, Problem};
use crate::moment;
use crate::store::{IncidentFilter, Page};

/// Incidents of the same address that are drawn.
const DRAWN: u32 = 60;
/// How far from an incident its picture goes, microseconds.
const NEAR: i64 = 86_400 * moment::SECOND;

/// A line of the picture's table.
pub(super) struct MarkLine {
    pub(super) at: When,
    pub(super) lane: String,
    pub(super) text: String,
}

/// When each sensor saw the address and keeps it out.
pub(super) async fn lanes(
    (app, visitor): (&App, &Visitor),
    (who, revisions): (&str, &[Value]),
    gates: &[Gate],
) -> Result<Vec<Lane>, Problem> {
    let words = visitor.words;
    let mut incidents = Vec::new();
    if !who.is_empty() {
        let filter = IncidentFilter {
            offender: Some(who.to_owned()),
            ..IncidentFilter::default()
        };
        let page = Page {
            after: None,
            limit: DRAWN,
        };
        let found = app
            .store
            .list_incidents((&visitor.who.scope, &filter), &page)
            .await?
            .0;
        incidents.extend(
            found
                .iter()
                .filter_map(|text| serde_json::from_str::<Value>(text).ok()),
        );
    }
    let own = revisions
        .first()
        .map(|latest| text(latest, "/id"))
        .unwrap_or_default();
    let mut lanes: Vec<Lane> = Vec::new();
    let mut lane_of = |name: &str| -> usize {
        lanes
            .iter()
            .position(|lane| lane.name == name)
            .unwrap_or_else(|| {
                lanes.push(Lane {
                    name: name.to_owned(),
                    ..Lane::default()
                });
                lanes.len() - 1
            })
    };
    let mut drawn: Vec<(usize, Result<Mark, Bar>)> = Vec::new();
    for document in revisions.iter().rev() {
        let lane = lane_of(&place(document));
        if let (Some(from), Some(to)) = (
            When::of(&document["event"]["start"]),
            When::of(&document["event"]["end"]),
        ) {
            let is_latest = document["garita"]["revision"] == revisions[0]["garita"]["revision"];
            if is_latest && to.0 > from.0 {
                let text = format!("{} – {}", plain(from.0), plain(to.0));
                drawn.push((
                    lane,
                    Err(Bar {
                        from: from.0,
                        to: to.0,
                        kind: "span",
                        text,
                    }),
                ));
            }
            if is_latest {
                drawn.push((
                    lane,
                    Ok(Mark {
                        at: from.0,
                        tone: "warn",
                        text: words.mark_seen.to_owned(),
                    }),
                ));
            }
        }
        if let Some(at) = When::of(&document["@timestamp"]) {
            let number = text(document, "/garita/revision");
            let text = fill(
                words.mark_decided,
                &[&number, words.state(&state(document))],
            );
            drawn.push((
                lane,
                Ok(Mark {
                    at: at.0,
                    tone: "bad",
                    text,
                }),
            ));
        }
    }
    for document in incidents
        .iter()
        .filter(|document| text(document, "/id") != own)
    {
        let lane = lane_of(&place(document));
        if let Some(at) = When::of(&document["@timestamp"]) {
            let text = fill(
                words.mark_incident,
                &[words.class(&text(document, "/garita/class"))],
            );
            drawn.push((
                lane,
                Ok(Mark {
                    at: at.0,
                    tone: "bad",
                    text,
                }),
            ));
        }
    }
    let now = moment::now();
    for gate in gates.iter().filter(|gate| gate.is_concerned) {
        let lane = lane_of(&gate.name);
        if let Some(since) = gate.since.filter(|_| gate.held != "none") {
            // A block that lasts for weeks would leave no room for what led to it.
            let until = gate
                .until
                .map_or(now, |until| until.0.min(now))
                .max(since.0);
            let text = fill(words.mark_held, &[words.state(&gate.held)]);
            drawn.push((
                lane,
                Err(Bar {
                    from: since.0,
                    to: until,
                    kind: "held",
                    text,
                }),
            ));
        }
        if let Some(at) = gate.answered {
            let text = fill(
                words.mark_order,
                &[&gate.order_text, words.state(&gate.order)],
            );
            let tone = if gate.order == "done" { "good" } else { "warn" };
            drawn.push((
                lane,
                Ok(Mark {
                    at: at.0,
                    tone,
                    text,
                }),
            ));
        }
    }
    for (lane, what) in drawn
        .into_iter()
        .filter(|(_, what)| is_near(what, revisions.first()))
    {
        match what {
            Ok(mark) => lanes[lane].marks.push(mark),
            Err(bar) => lanes[lane].bars.push(bar),
        }
    }
    lanes.retain(|lane| !lane.marks.is_empty() || !lane.bars.is_empty());
    Ok(lanes)
}

/// Whether it is drawn: of an incident only what happened within a day of it.
fn is_near(what: &Result<Mark, Bar>, incident: Option<&Value>) -> bool {
    let begun = incident.and_then(|incident| When::of(&incident["event"]["start"]));
    let (from, to) = match what {
        Ok(mark) => (mark.at, mark.at),
        Err(bar) => (bar.from, bar.to),
    };
    begun.is_none_or(|begun| to >= begun.0 - NEAR && from <= begun.0 + NEAR)
}

fn place(document: &Value) -> String {
    format!("{}/{}", text(document, "/site"), text(document, "/sensor"))
}

/// The picture as a table, the latest first.
pub(super) fn lines(lanes: &[Lane]) -> Vec<MarkLine> {
    let mut lines: Vec<MarkLine> = lanes
        .iter()
        .flat_map(|lane| {
            let line = |at: i64, text: &str| MarkLine {
                at: When(at),
                lane: lane.name.clone(),
                text: text.to_owned(),
            };
            let marks = lane.marks.iter().map(move |mark| line(mark.at, &mark.text));
            let bars = lane.bars.iter().map(move |bar| line(bar.from, &bar.text));
            marks.chain(bars).collect::<Vec<_>>()
        })
        .collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.at.0));
    lines
}
