//! The incidents, live, with the filter in the page's address.

use std::collections::HashMap;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use contract::class::Class;

use super::door::Visitor;
use super::format::in_query;
use super::page::{Shell, Shown, html};
use super::rows::{IncidentLine, View};
use super::words::Words;
use crate::api::{App, Problem};
use crate::moment::{self, SECOND};
use crate::store::{Cursor, IncidentFilter, Page};

/// Incidents of a page.
const ROWS: u32 = 50;
/// The spans that can be chosen, with their length in seconds.
const SPANS: [(&str, i64); 4] = [
    ("1h", 3_600),
    ("24h", 86_400),
    ("7d", 604_800),
    ("30d", 2_592_000),
];

/// What was asked for.
#[derive(Default)]
struct Asked {
    offender: String,
    class: String,
    decision: String,
    site: String,
    sensor: String,
    since: String,
    cursor: String,
}

#[derive(Template)]
#[template(path = "incidents.html")]
struct IncidentsPage {
    shell: Shell,
    asked: Asked,
    views: Vec<View>,
    classes: Vec<&'static str>,
    sites: Vec<String>,
    spans: Vec<(&'static str, &'static str)>,
    is_filtered: bool,
    why: Option<String>,
    rows: Vec<IncidentLine>,
    is_first: bool,
    first: String,
    next: Option<String>,
}

pub(super) async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<HashMap<String, String>>,
) -> Shown {
    let words = visitor.words;
    let asked = Asked::read(&query);
    let shell = Shell::new(&app, &visitor, ("incidents", words.incidents)).await?;
    let is_first = asked.cursor.is_empty();
    // A page of the past does not change.
    let shell = if is_first {
        shell.live("incident", 0)
    } else {
        shell
    };
    let (found, why) = match asked.filter() {
        Ok((filter, page)) => (
            app.store
                .list_incidents((&visitor.who.scope, &filter), &page)
                .await?,
            None,
        ),
        Err(problem) => ((Vec::new(), None), Some(problem.detail().to_owned())),
    };
    let (rows, next) = found;
    let page = IncidentsPage {
        views: views(words, &asked),
        classes: Class::ALL
            .into_iter()
            .filter(|class| class.is_attack())
            .map(Class::as_str)
            .collect(),
        sites: sites(&app, &visitor).await?,
        spans: vec![
            ("", words.ever),
            ("1h", words.last_hour),
            ("24h", words.last_day),
            ("7d", words.last_week),
            ("30d", words.last_month),
        ],
        is_filtered: !asked.query().is_empty(),
        why,
        rows: rows
            .iter()
            .map(|document| IncidentLine::read(document))
            .collect(),
        is_first,
        first: asked.address(None),
        next: next.map(|cursor| asked.address(Some(&cursor))),
        asked,
        shell,
    };
    Ok(html(&page))
}

/// The sites a visitor can see sensors of.
pub(super) async fn sites(app: &App, visitor: &Visitor) -> Result<Vec<String>, Problem> {
    let sensors = app.store.roster(&visitor.who.scope).await?;
    let mut sites: Vec<String> = sensors.into_iter().map(|row| row.site).collect();
    sites.sort();
    sites.dedup();
    Ok(sites)
}

fn views(words: &Words, asked: &Asked) -> Vec<View> {
    let here = asked.address(None);
    [
        (words.all, "/incidents"),
        (words.view_blocked, "/incidents?decision=block"),
        (words.view_review, "/incidents?decision=review"),
        (words.view_alerts, "/incidents?decision=alert"),
        (words.last_hour, "/incidents?since=1h"),
        (words.last_day, "/incidents?since=24h"),
    ]
    .into_iter()
    .map(|(name, href)| View {
        name: name.to_owned(),
        href: href.to_owned(),
        is_here: here == href,
    })
    .collect()
}

impl Asked {
    fn read(query: &HashMap<String, String>) -> Self {
        let get = |name: &str| {
            query
                .get(name)
                .map(|text| text.trim().chars().take(256).collect())
                .unwrap_or_default()
        };
        Self {
            offender: get("offender"),
            class: get("class"),
            decision: get("decision"),
            site: get("site"),
            sensor: get("sensor"),
            since: get("since"),
            cursor: get("cursor"),
        }
    }

    fn filter(&self) -> Result<(IncidentFilter, Page), Problem> {
        let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let offender = match said(&self.offender) {
            Some(text) => {
                let address = text.parse::<std::net::IpAddr>();
                let address = address.map_err(|_| {
                    Problem::field("offender", format!("{text:?} is no IP address"))
                })?;
                Some(address.to_canonical().to_string())
            }
            None => None,
        };
        let since = SPANS.iter().find(|(name, _)| *name == self.since);
        let after = match said(&self.cursor) {
            Some(text) => Some(Cursor::read(&text).ok_or_else(Problem::nothing)?),
            None => None,
        };
        let filter = IncidentFilter {
            offender,
            class: said(&self.class),
            site: said(&self.site),
            sensor: said(&self.sensor),
            decision: said(&self.decision),
            since: since.map(|(_, seconds)| moment::now() - seconds * SECOND),
            until: None,
        };
        Ok((filter, Page { after, limit: ROWS }))
    }

    fn query(&self) -> String {
        let fields = [
            ("offender", &self.offender),
            ("class", &self.class),
            ("decision", &self.decision),
            ("site", &self.site),
            ("sensor", &self.sensor),
            ("since", &self.since),
        ];
        let said = fields.iter().filter(|(_, value)| !value.is_empty());
        let said: Vec<String> = said
            .map(|(name, value)| format!("{name}={}", in_query(value)))
            .collect();
        said.join("&")
    }

    /// The page's address with another cursor.
    fn address(&self, cursor: Option<&str>) -> String {
        let mut query = self.query();
        if let Some(cursor) = cursor {
            let joint = if query.is_empty() { "" } else { "&" };
            query.push_str(&format!("{joint}cursor={}", in_query(cursor)));
        }
        match query.is_empty() {
            true => "/incidents".to_owned(),
            false => format!("/incidents?{query}"),
        }
    }
}
