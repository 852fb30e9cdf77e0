//! Blocking an address: first whom it would reach, then the order.

use std::collections::HashMap;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use serde_json::json;

use super::act::{Fields, Said, answer, body};
use super::door::{Visitor, redirect};
use super::format::text;
use super::incidents::sites;
use super::page::{Shell, Shown, html};
use super::rows::{Gate, gates};
use super::words::fill;
use crate::access::Principal;
use crate::api::{App, Problem, blocks};
use crate::desk::guard;
use crate::store::Scope;

#[derive(Template)]
#[template(path = "preview.html")]
struct PreviewPage {
    shell: Shell,
    target: String,
    why: Option<String>,
    /// Whether whom it would reach can be shown.
    is_asked: bool,
    is_allowed: bool,
    needs_two: bool,
    reach_words: String,
    gates: Vec<Gate>,
    spans: Vec<(&'static str, &'static str)>,
    sites: Vec<String>,
    reason: String,
}

pub(super) async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<HashMap<String, String>>,
) -> Shown {
    let words = visitor.words;
    let get = |name: &str| {
        query
            .get(name)
            .map(|text| text.trim().chars().take(256).collect::<String>())
    };
    let shell = Shell::new(&app, &visitor, ("blocks", words.new_block)).await?;
    let target = get("target").unwrap_or_default();
    let mut page = PreviewPage {
        why: None,
        is_asked: false,
        is_allowed: false,
        needs_two: false,
        reach_words: String::new(),
        gates: Vec::new(),
        spans: vec![
            ("3600", words.an_hour),
            ("14400", words.four_hours),
            ("86400", words.a_day),
            ("604800", words.a_week),
            ("permanent", words.for_good),
        ],
        sites: sites(&app, &visitor).await?,
        reason: get("incident")
            .map(|id| format!("{} {id}", words.incidents))
            .unwrap_or_default(),
        target,
        shell,
    };
    if page.target.is_empty() {
        return Ok(html(&page));
    }
    match blocks::network("target", &page.target) {
        Ok(net) => {
            let judged = guard::check(net, &app.config.fleet.exempt);
            let canonical = net.to_string();
            page.gates = gates((&app, &visitor), &canonical, &[]).await?;
            let mut reached = 0;
            for gate in &mut page.gates {
                let word = match (gate.held.as_str(), gate.is_there) {
                    ("enforced", _) => words.would_not,
                    (_, true) => words.would_order,
                    (_, false) => words.would_wait,
                };
                reached += usize::from(gate.held != "enforced");
                word.clone_into(&mut gate.order_text);
            }
            let counts = [reached.to_string(), page.gates.len().to_string()];
            page.reach_words = fill(words.would_words, &[&counts[0], &counts[1], &page.target]);
            page.needs_two = blocks::needs_two(&app, (&net, &Scope::default()));
            page.is_allowed = judged.is_ok();
            page.why = judged.err().map(|error| error.to_string());
            page.is_asked = true;
        }
        Err(problem) => page.why = Some(problem.detail().to_owned()),
    }
    Ok(html(&page))
}

pub(super) async fn block(
    state: State<App>,
    Extension(visitor): Extension<Visitor>,
    who: Extension<Principal>,
    fields: Fields,
) -> Shown {
    let said = Said::new(fields);
    let all = sites(&state.0, &visitor).await?;
    let ticked = said.list("sites");
    if ticked.is_empty() && !all.is_empty() {
        return Err(Problem::field("sites", visitor.words.no_site_ticked));
    }
    // All of them means those to come as well.
    let wanted = if ticked.len() == all.len() {
        Vec::new()
    } else {
        ticked
    };
    let asked = json!({
        "target": said.text("target"), "ttl": said.span("ttl"), "reason": said.text("reason"), "sites": wanted,
    });
    let made = blocks::add(state, who, HeaderMap::new(), body(&asked)).await?;
    let id = text(&answer(made).await, "/id");
    Ok(redirect(&format!("/blocks/{id}")))
}
