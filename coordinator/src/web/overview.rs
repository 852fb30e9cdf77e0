//! The overview: whether everything is all right, what needs a person, and what goes on.

use std::collections::BTreeMap;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use serde_json::json;

use super::door::Visitor;
use super::format::{When, number, text};
use super::page::{Shell, Shown, html};
use super::rows::{IncidentLine, presence};
use super::words::{Words, fill};
use crate::api::{App, Problem};
use crate::moment::{self, SECOND};
use crate::store::{IncidentFilter, Page, SensorRow};

/// The span that is looked at, and its pieces, microseconds.
const DAY: i64 = 86_400 * SECOND;
const PIECE: i64 = 1_800 * SECOND;
/// How long who leads may give no sign of life.
const YOUNG: i64 = 15 * SECOND;
/// Sensors that are named in one sentence.
const NAMED: usize = 4;
/// Conditions that are shown one by one.
const SINGLE: usize = 6;

/// Something that needs a person.
struct Need {
    tone: &'static str,
    word: String,
    text: String,
    since: Option<When>,
    href: String,
    act: &'static str,
}

/// A piece of the day.
struct Hour {
    at: When,
    values: Vec<String>,
}

/// A campaign in a few words.
struct CampaignLine {
    href: String,
    name: String,
    last: When,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    shell: Shell,
    tone: &'static str,
    verdict: String,
    summary: String,
    needs: Vec<Need>,
    day: String,
    blocked: String,
    campaigns: usize,
    online: usize,
    sensors: usize,
    series: Vec<String>,
    chart: String,
    volume_words: String,
    hours: Vec<Hour>,
    latest: Vec<IncidentLine>,
    open_campaigns: Vec<CampaignLine>,
}

pub(super) async fn show(State(app): State<App>, Extension(visitor): Extension<Visitor>) -> Shown {
    let (words, scope) = (visitor.words, &visitor.who.scope);
    let shell = Shell::new(&app, &visitor, ("overview", words.overview)).await?;
    let shell = shell.live(
        "incident sensor block order review campaign condition fleet-block",
        30,
    );
    let now = moment::now();
    let sensors = app.store.roster(scope).await?;
    let online = sensors
        .iter()
        .filter(|row| presence(row) == "online")
        .count();
    let blocked = app.store.count_kept_out(scope, now).await?;
    let since = (now / PIECE - DAY / PIECE + 1) * PIECE;
    let counts = app.store.volume(scope, (since, PIECE)).await?;
    let day: i64 = counts.iter().map(|(_, _, number)| number).sum();
    let page = Page {
        after: None,
        limit: 8,
    };
    let filter = IncidentFilter::default();
    let latest = app.store.list_incidents((scope, &filter), &page).await?.0;
    let about = [
        ("kind", None),
        ("state", Some("open".to_owned())),
        ("class", None),
    ];
    let open = Page {
        after: None,
        limit: 200,
    };
    let campaigns = app.store.list_campaigns(scope, about, &open).await?.0;
    let needs = needs((&app, &visitor), &sensors).await?;
    let (series, chart, hours) = volume(words, since, &counts);
    let is_bad = needs.iter().any(|need| need.tone == "bad");
    let tone = match (needs.is_empty(), is_bad) {
        (true, _) => "good",
        (false, true) => "bad",
        (false, false) => "warn",
    };
    let page = OverviewPage {
        tone,
        verdict: match needs.len() {
            0 => words.all_well.to_owned(),
            1 => words.one_need.to_owned(),
            many => fill(words.many_needs, &[&many.to_string()]),
        },
        summary: fill(
            words.summary_sensors,
            &[
                &online.to_string(),
                &sensors.len().to_string(),
                &number(blocked),
                &number(day),
            ],
        ),
        needs,
        day: number(day),
        blocked: number(blocked),
        campaigns: campaigns.len(),
        online,
        sensors: sensors.len(),
        volume_words: said(words, &counts),
        series,
        chart,
        hours,
        latest: latest.iter().map(|text| IncidentLine::read(text)).collect(),
        open_campaigns: campaigns
            .iter()
            .take(6)
            .map(|text| campaign(text))
            .collect(),
        shell,
    };
    Ok(html(&page))
}

fn campaign(document: &str) -> CampaignLine {
    let document = serde_json::from_str(document).unwrap_or_default();
    CampaignLine {
        href: format!(
            "/campaigns/{}",
            super::format::in_query(&text(&document, "/id"))
        ),
        name: text(&document, "/message"),
        last: When::of(&document["@timestamp"]).unwrap_or(When(0)),
    }
}

async fn needs(
    (app, visitor): (&App, &Visitor),
    sensors: &[SensorRow],
) -> Result<Vec<Need>, Problem> {
    let (words, scope) = (visitor.words, &visitor.who.scope);
    let mut needs = Vec::new();
    let health = app.health.borrow().clone();
    let is_set = app.config.mqtt.url.get().is_some();
    let hears =
        health.hears || (!health.leads && moment::now() - app.store.last_beat().await? < YOUNG);
    if is_set && !hears {
        needs.push(need(
            ("bad", words.state("offline")),
            words.need_broker.to_owned(),
            ("/sensors", words.act_look),
        ));
    }
    let (waiting, oldest) = app.store.waiting_reviews(scope).await?;
    if waiting > 0 {
        let sentence = fill(words.need_reviews, &[&number(waiting)]);
        let mut need = need(
            ("warn", words.state("review")),
            sentence,
            ("/reviews", words.act_answer),
        );
        need.since = oldest.map(When);
        needs.push(need);
    }
    let page = Page {
        after: None,
        limit: 50,
    };
    let two = app
        .store
        .list_fleet_blocks(scope, (None, Some("waiting")), &page)
        .await?
        .0;
    if !two.is_empty() {
        let sentence = fill(words.need_two, &[&two.len().to_string()]);
        needs.push(need(
            ("warn", words.state("waiting")),
            sentence,
            ("/blocks/fleet?state=waiting", words.act_look),
        ));
    }
    needs.extend(away(words, sensors));
    for row in sensors
        .iter()
        .filter(|row| row.digest == "differs")
        .take(NAMED)
    {
        let sentence = fill(
            words.need_differs,
            &[&format!("{}/{}", row.site, row.sensor)],
        );
        let mut need = need(
            ("bad", words.state("differs")),
            sentence,
            ("", words.act_look),
        );
        need.href = sensor_page(&row.site, &row.sensor);
        needs.push(need);
    }
    for one in app.store.conditions(scope, None).await?.iter().take(SINGLE) {
        let document = serde_json::from_str(&one.doc).unwrap_or_default();
        let said = text(&document, "/message");
        let sentence = fill(
            words.need_condition,
            &[&format!("{}/{}", one.site, one.sensor), &said],
        );
        let mut need = need(("warn", &one.name), sentence, ("", words.act_look));
        need.href = sensor_page(&one.site, &one.sensor);
        need.since = Some(When(one.at));
        needs.push(need);
    }
    let silent = app.store.count_silent(scope).await?;
    if silent > 0 {
        let sentence = fill(words.need_orders, &[&number(silent)]);
        needs.push(need(
            ("warn", words.state("silent")),
            sentence,
            ("/blocks/fleet", words.act_look),
        ));
    }
    Ok(needs)
}

/// Sensors that are not heard: one sentence each state.
fn away(words: &'static Words, sensors: &[SensorRow]) -> Vec<Need> {
    let mut by_state: BTreeMap<&str, Vec<&SensorRow>> = BTreeMap::new();
    for row in sensors {
        let state = presence(row);
        if !matches!(state, "online" | "unknown") {
            by_state.entry(state).or_default().push(row);
        }
    }
    by_state
        .iter()
        .map(|(state, rows)| {
            let mut names: Vec<String> = rows
                .iter()
                .take(NAMED)
                .map(|row| format!("{}/{}", row.site, row.sensor))
                .collect();
            if rows.len() > NAMED {
                names.push(format!("+ {}", rows.len() - NAMED));
            }
            let sentence = match rows.len() {
                1 => fill(
                    words.need_away,
                    &[&names.join(", "), &words.state(state).to_lowercase()],
                ),
                many => fill(
                    words.need_many_away,
                    &[&many.to_string(), &names.join(", ")],
                ),
            };
            let tone = if *state == "stopped" { "warn" } else { "bad" };
            let mut need = need(
                (tone, words.state(state)),
                sentence,
                ("/sensors?state=trouble", words.act_look),
            );
            need.since = rows.iter().map(|row| row.last_heard).min().map(When);
            need
        })
        .collect()
}

fn sensor_page(site: &str, sensor: &str) -> String {
    format!(
        "/sensors/{}/{}",
        super::format::in_query(site),
        super::format::in_query(sensor)
    )
}

fn need(
    (tone, word): (&'static str, &str),
    text: String,
    (href, act): (&str, &'static str),
) -> Need {
    Need {
        tone,
        word: word.to_owned(),
        text,
        since: None,
        href: href.to_owned(),
        act,
    }
}

/// The day in pieces: the classes that occur, the chart's numbers, and the table's rows.
fn volume(
    words: &Words,
    since: i64,
    counts: &[(i64, String, i64)],
) -> (Vec<String>, String, Vec<Hour>) {
    let mut classes: Vec<String> = counts.iter().map(|(_, class, _)| class.clone()).collect();
    classes.sort();
    classes.dedup();
    let pieces: Vec<i64> = (0..DAY / PIECE)
        .map(|piece| since + piece * PIECE)
        .collect();
    let found: BTreeMap<(i64, &str), i64> = counts
        .iter()
        .map(|(at, class, number)| ((*at, class.as_str()), *number))
        .collect();
    let value = |at: i64, class: &str| found.get(&(at, class)).copied().unwrap_or(0);
    let series: Vec<_> = classes
        .iter()
        .map(|class| {
            let values: Vec<i64> = pieces.iter().map(|at| value(*at, class)).collect();
            json!({"name": words.class(class), "colour": format!("--c-{class}"), "values": values})
        })
        .collect();
    let at: Vec<i64> = pieces.iter().map(|at| at / SECOND).collect();
    let chart = json!({"at": at, "unit": words.time, "series": series}).to_string();
    let hours = pieces
        .iter()
        .rev()
        .filter(|at| classes.iter().any(|class| value(**at, class) > 0))
        .map(|at| Hour {
            at: When(*at),
            values: classes
                .iter()
                .map(|class| number(value(*at, class)))
                .collect(),
        })
        .collect();
    (classes, chart, hours)
}

/// The chart in words.
fn said(words: &Words, counts: &[(i64, String, i64)]) -> String {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for (_, class, number) in counts {
        *sums.entry(class).or_default() += number;
    }
    let said: Vec<String> = sums
        .iter()
        .map(|(class, sum)| format!("{} {sum}", words.class(class)))
        .collect();
    said.join(", ")
}
