//! Campaigns: what was concluded from several sensors together, and from what.

use std::collections::HashMap;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use serde_json::Value;

use super::course::{MarkLine, lines};
use super::door::Visitor;
use super::format::{When, in_query, mark, plain, text};
use super::page::{Shell, Shown, html};
use super::picture::{Lane, Mark, Picture, course};
use super::rows::{IncidentLine, View};
use super::words::fill;
use crate::api::{App, Problem};
use crate::store::{Cursor, Page};

const ROWS: u32 = 50;
/// Incidents that are drawn and listed of one campaign.
const LATEST: usize = 60;

/// A campaign as a line.
struct CampaignLine {
    mark: String,
    href: String,
    name: String,
    kind: String,
    class: String,
    state: String,
    total: String,
    sensors: String,
    last: When,
}

#[derive(Template)]
#[template(path = "campaigns.html")]
struct CampaignsPage {
    shell: Shell,
    views: Vec<View>,
    rows: Vec<CampaignLine>,
    is_first: bool,
    first: &'static str,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "campaign.html")]
struct CampaignPage {
    shell: Shell,
    id: String,
    name: String,
    kind: String,
    state: String,
    total: String,
    story: Vec<String>,
    course: Picture,
    marks: Vec<MarkLine>,
    rows: Vec<IncidentLine>,
    sources: Vec<String>,
    steps: Vec<(When, String)>,
}

pub(super) async fn list(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<HashMap<String, String>>,
) -> Shown {
    let words = visitor.words;
    let get = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let state = ["open", "closed"]
        .into_iter()
        .find(|state| *state == get("state"));
    let after = Cursor::read(get("cursor"));
    let is_first = after.is_none();
    let page = Page { after, limit: ROWS };
    let shell = Shell::new(&app, &visitor, ("campaigns", words.campaigns)).await?;
    let shell = if is_first {
        shell.live("campaign", 0)
    } else {
        shell
    };
    let about = [
        ("state", state.map(str::to_owned)),
        ("kind", None),
        ("class", None),
    ];
    let (found, next) = app
        .store
        .list_campaigns(&visitor.who.scope, about, &page)
        .await?;
    let address = |state: Option<&str>| {
        state.map_or_else(
            || "/campaigns".to_owned(),
            |state| format!("/campaigns?state={state}"),
        )
    };
    let view = |name: &str, of: Option<&str>| View {
        name: name.to_owned(),
        href: address(of),
        is_here: of == state,
    };
    let page = CampaignsPage {
        views: vec![
            view(words.all, None),
            view(words.state("open"), Some("open")),
            view(words.state("closed"), Some("closed")),
        ],
        rows: found.iter().map(|document| line(document)).collect(),
        is_first,
        first: match state {
            Some("open") => "/campaigns?state=open",
            Some(_) => "/campaigns?state=closed",
            None => "/campaigns",
        },
        next: next.map(|cursor| match state {
            Some(state) => format!("/campaigns?state={state}&cursor={}", in_query(&cursor)),
            None => format!("/campaigns?cursor={}", in_query(&cursor)),
        }),
        shell,
    };
    Ok(html(&page))
}

fn line(document: &str) -> CampaignLine {
    let document: Value = serde_json::from_str(document).unwrap_or_default();
    let id = text(&document, "/id");
    CampaignLine {
        mark: mark("c", &id),
        href: format!("/campaigns/{}", in_query(&id)),
        name: text(&document, "/message"),
        kind: text(&document, "/garita/campaign/kind"),
        class: text(&document, "/garita/class"),
        state: text(&document, "/garita/campaign/state"),
        total: text(&document, "/garita/campaign/total"),
        sensors: texts(&document, "/garita/campaign/sensors").join(", "),
        last: When::of(&document["@timestamp"]).unwrap_or(When(0)),
    }
}

fn texts(document: &Value, place: &str) -> Vec<String> {
    let all = document.pointer(place).and_then(Value::as_array);
    all.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

pub(super) async fn one(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Shown {
    let (words, scope) = (visitor.words, &visitor.who.scope);
    let found = app
        .store
        .campaign(scope, &id)
        .await?
        .ok_or_else(Problem::nothing)?;
    let document: Value = serde_json::from_str(&found.doc).unwrap_or_default();
    let name = text(&document, "/message");
    let shell = Shell::new(&app, &visitor, ("campaigns", name.clone()))
        .await?
        .live("campaign incident", 0);
    let sensors = texts(&document, "/garita/campaign/sensors");
    let mut lanes: Vec<Lane> = sensors
        .iter()
        .map(|sensor| Lane {
            name: sensor.clone(),
            ..Lane::default()
        })
        .collect();
    let mut rows = Vec::new();
    for incident in texts(&document, "/garita/campaign/incidents")
        .iter()
        .rev()
        .take(LATEST)
    {
        // Those of other sites are not for this visitor.
        let Some((latest, _)) = app.store.incident(scope, incident).await? else {
            continue;
        };
        let row = IncidentLine::read(&latest);
        let place = format!("{}/{}", row.site, row.sensor);
        if let Some(lane) = lanes.iter_mut().find(|lane| lane.name == place) {
            let text = format!("{} {}", words.class(&row.class), row.who);
            lane.marks.push(Mark {
                at: row.at_micros,
                tone: "bad",
                text,
            });
        }
        rows.push(row);
    }
    let sites = texts(&document, "/garita/campaign/sites").len().to_string();
    let story = fill(
        words.story_campaign,
        &[
            &name,
            &plain(found.first_at),
            &plain(found.last_at),
            &sensors.len().to_string(),
            &sites,
        ],
    );
    let steps = document
        .pointer("/garita/campaign/timeline")
        .and_then(Value::as_array);
    let steps = steps.into_iter().flatten().rev();
    let page = CampaignPage {
        kind: found.kind,
        state: found.state,
        total: text(&document, "/garita/campaign/total"),
        story: vec![story],
        course: course(words.course, &lanes),
        marks: lines(&lanes),
        rows,
        sources: texts(&document, "/garita/sources")
            .into_iter()
            .take(LATEST)
            .collect(),
        steps: steps
            .filter_map(|step| Some((When::of(&step["at"])?, text(step, "/what"))))
            .take(LATEST)
            .collect(),
        id,
        name,
        shell,
    };
    Ok(html(&page))
}
