//! One incident: what happened in words, why, where, what was done and whether it holds.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::course::{MarkLine, lanes, lines};
use super::door::Visitor;
use super::format::{When, in_query, plain, text};
use super::page::{Shell, Shown, html};
use super::picture::{Picture, course};
use super::rows::{Gate, gates, state};
use super::story::{Reason, facts, reasons, scores, story};
use super::words::Words;
use crate::api::{App, Problem};
use crate::moment;
use crate::store::Page;

/// Sensors that are listed although they have nothing to do with it.
const OTHERS: usize = 12;

/// A revision.
struct Revision {
    number: String,
    state: String,
    at: When,
    text: String,
}

/// A campaign it belongs to.
struct Part {
    href: String,
    name: String,
}

#[derive(Template)]
#[template(path = "incident.html")]
struct IncidentPage {
    shell: Shell,
    id: String,
    id_query: String,
    class: String,
    site: String,
    sensor: String,
    at: When,
    who: String,
    who_href: String,
    who_query: String,
    export: String,
    severity: String,
    state: String,
    story: Vec<String>,
    message: String,
    course: Picture,
    marks: Vec<MarkLine>,
    why_text: &'static str,
    reasons: Vec<Reason>,
    scores: Vec<Reason>,
    gates: Vec<Gate>,
    facts: Vec<(&'static str, String)>,
    revisions: Vec<Revision>,
    campaigns: Vec<Part>,
    printed: String,
}

pub(super) async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Shown {
    let (words, scope) = (visitor.words, &visitor.who.scope);
    let (latest, older) = app
        .store
        .incident(scope, &id)
        .await?
        .ok_or_else(Problem::nothing)?;
    let document: Value = serde_json::from_str(&latest).unwrap_or_default();
    let get = |place: &str| text(&document, place);
    let who = get("/garita/offender");
    let title = format!("{} {who}", words.class(&get("/garita/class")));
    let shell = Shell::new(&app, &visitor, ("incidents", title)).await?;
    let shell = shell.live("incident block order fleet-block", 0);
    let (mut gates, campaigns) = concerned((&app, &visitor), &who).await?;
    let others = gates.iter().filter(|gate| !gate.is_concerned).count();
    if others > OTHERS {
        gates.retain(|gate| gate.is_concerned);
    }
    let mut all: Vec<Value> = older
        .iter()
        .filter_map(|text| serde_json::from_str(text).ok())
        .collect();
    all.insert(0, document.clone());
    let lanes = lanes((&app, &visitor), (&who, &all), &gates).await?;
    let proven = document
        .pointer("/garita/evidence/proven")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let page = IncidentPage {
        id_query: in_query(&id),
        class: get("/garita/class"),
        site: get("/site"),
        sensor: get("/sensor"),
        at: When::of(&document["@timestamp"]).unwrap_or(When(0)),
        who_href: if who.is_empty() {
            String::new()
        } else {
            format!("/addresses/{}", in_query(&who))
        },
        who_query: in_query(&who),
        export: format!("/incidents/{}/export", in_query(&id)),
        severity: get("/event/severity"),
        state: state(&document),
        story: story(words, &document),
        message: get("/message"),
        course: course(words.course, &lanes),
        marks: lines(&lanes),
        why_text: if proven {
            words.why_proven
        } else {
            words.why_forged
        },
        reasons: reasons(&document),
        scores: scores(&document),
        gates,
        facts: facts(words, &document),
        revisions: all.iter().map(|one| revision(words, one)).collect(),
        campaigns,
        printed: plain(moment::now()),
        who,
        id,
        shell,
    };
    Ok(html(&page))
}

/// Everything known of an incident as one file.
pub(super) async fn export(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Shown {
    let scope = &visitor.who.scope;
    let (latest, older) = app
        .store
        .incident(scope, &id)
        .await?
        .ok_or_else(Problem::nothing)?;
    let parse = |text: &String| serde_json::from_str::<Value>(text).unwrap_or_default();
    let document = parse(&latest);
    let who = text(&document, "/garita/offender");
    let target = who.parse::<std::net::IpAddr>().map(ipnet::IpNet::from);
    let target = target.map_or_else(|_| who.clone(), |net| net.to_string());
    let said = crate::store::Said {
        at: moment::now(),
        by: visitor.who.name.clone(),
        action: "incident export".to_owned(),
        object: id.clone(),
        outcome: "done".to_owned(),
    };
    app.store.audit(&said).await?;
    let bundle = json!({
        "exported": moment::text(said.at), "by": said.by, "incident": document,
        "revisions": older.iter().map(parse).collect::<Vec<_>>(),
        "sightings": app.store.sightings(scope, &who).await?, "held": app.store.held_of(scope, &target).await?,
    });
    let name: String = id
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-')
        .take(64)
        .collect();
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"incident-{name}.json\""),
        ),
    ];
    Ok((
        headers,
        serde_json::to_string_pretty(&bundle).unwrap_or_default(),
    )
        .into_response())
}

/// The sensors and campaigns that have to do with an address.
async fn concerned(
    (app, visitor): (&App, &Visitor),
    who: &str,
) -> Result<(Vec<Gate>, Vec<Part>), Problem> {
    let Ok(address) = who.parse::<std::net::IpAddr>() else {
        return Ok((Vec::new(), Vec::new()));
    };
    let scope = &visitor.who.scope;
    let target = ipnet::IpNet::from(address).to_string();
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
    let about = [
        ("kind", Some("offender".to_owned())),
        ("subject", Some(who.to_owned())),
        ("state", None),
    ];
    let campaigns = app.store.list_campaigns(scope, about, &page).await?.0;
    let campaigns = campaigns.iter().map(|document| {
        let document: Value = serde_json::from_str(document).unwrap_or_default();
        Part {
            href: format!("/campaigns/{}", in_query(&text(&document, "/id"))),
            name: text(&document, "/message"),
        }
    });
    let campaigns = campaigns.collect();
    Ok((gates((app, visitor), &target, &causes).await?, campaigns))
}

fn revision(words: &Words, document: &Value) -> Revision {
    let until = document.pointer("/garita/block/expires").and_then(When::of);
    Revision {
        number: text(document, "/garita/revision"),
        state: state(document),
        at: When::of(&document["@timestamp"]).unwrap_or(When(0)),
        text: match until {
            Some(until) => format!("{} {}", words.until, plain(until.0)),
            None => text(document, "/garita/reason"),
        },
    }
}
