//! An incident in words: what happened in sentences, what spoke for it, and the facts.

use serde_json::Value;

use super::format::{When, plain, span, text};
use super::picture::{Picture, part, share};
use super::rows::{aim, state};
use super::words::{Words, fill};

/// A reason, with its bar.
pub(super) struct Reason {
    pub(super) feature: String,
    pub(super) text: String,
    pub(super) value: String,
    pub(super) contribution: String,
    pub(super) bar: Picture,
}

/// What happened, in sentences.
pub(super) fn story(words: &Words, document: &Value) -> Vec<String> {
    let get = |place: &str| text(document, place);
    let did = match get("/garita/class").as_str() {
        "scan" => words.story_scan,
        "brute-force" => words.story_brute_force,
        "flood" => words.story_flood,
        "ddos" => words.story_ddos,
        "slow-dos" => words.story_slow_dos,
        "c2" => words.story_c2,
        "tunnel" => words.story_tunnel,
        _ => words.story_exploit,
    };
    let who = get("/garita/offender");
    let who = if who.is_empty() {
        words.story_many.to_owned()
    } else {
        who
    };
    let place = format!("{}/{}", get("/site"), get("/sensor"));
    let mut story = vec![fill(words.story_who, &[&who, did, &aim(document), &place])];
    let (first, last) = (
        &document["garita"]["evidence"]["first_seen"],
        &document["garita"]["evidence"]["last_seen"],
    );
    if let (Some(first), Some(last)) = (When::of(first), When::of(last)) {
        let (snapshots, packets) = (
            get("/garita/evidence/snapshots"),
            get("/garita/evidence/packets_before"),
        );
        let lasted = span(words, last.0 - first.0);
        story.push(fill(
            words.story_span,
            &[
                &plain(first.0),
                &plain(last.0),
                &lasted,
                &snapshots,
                &packets,
            ],
        ));
    }
    let until = When::of(&document["garita"]["block"]["expires"]).map(|until| plain(until.0));
    let until = until.unwrap_or_else(|| words.for_good.to_lowercase());
    story.push(match state(document).as_str() {
        "blocked" => fill(words.story_block, &[&until, &get("/garita/block/offence")]),
        "observed" | "exempt" | "block" => fill(words.story_observed, &[&until]),
        "failed" => words.story_failed.to_owned(),
        "review" => fill(words.story_review, &[&get("/garita/reason")]),
        _ => words.story_alert.to_owned(),
    });
    story
}

/// What spoke for and against it.
pub(super) fn reasons(document: &Value) -> Vec<Reason> {
    let all = document
        .pointer("/garita/explanation")
        .and_then(Value::as_array);
    let all = all.map(Vec::as_slice).unwrap_or_default();
    let number = |one: &Value, key: &str| one[key].as_f64().unwrap_or(0.0);
    let most = all
        .iter()
        .map(|one| number(one, "contribution").abs())
        .fold(f64::MIN_POSITIVE, f64::max);
    all.iter()
        .map(|one| Reason {
            feature: text(one, "/feature"),
            text: text(one, "/text"),
            value: decimal(number(one, "value")),
            contribution: format!("{:+.2}", number(one, "contribution")),
            bar: share(number(one, "contribution") / most),
        })
        .collect()
}

/// What the model took it for.
pub(super) fn scores(document: &Value) -> Vec<Reason> {
    let all = document
        .pointer("/garita/model/score")
        .and_then(Value::as_object);
    let mut scores: Vec<(String, f64)> = all
        .into_iter()
        .flatten()
        .map(|(class, score)| (class.clone(), score.as_f64().unwrap_or(0.0)))
        .collect();
    scores.sort_by(|a, b| b.1.total_cmp(&a.1));
    scores
        .into_iter()
        .map(|(feature, score)| Reason {
            feature,
            text: String::new(),
            value: format!("{:.1} %", score * 100.0),
            contribution: String::new(),
            bar: part(score),
        })
        .collect()
}

fn decimal(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What is known of it, by name.
pub(super) fn facts(words: &Words, document: &Value) -> Vec<(&'static str, String)> {
    let get = |place: &str| text(document, place);
    let end = |side: &str| {
        let (ip, port) = (get(&format!("/{side}/ip")), get(&format!("/{side}/port")));
        if port.is_empty() {
            ip
        } else {
            format!("{ip} port {port}")
        }
    };
    let technique = format!(
        "{} {}",
        get("/threat/technique/id"),
        get("/threat/technique/name")
    );
    let moment = |place: &str| {
        document
            .pointer(place)
            .and_then(When::of)
            .map(|at| plain(at.0))
            .unwrap_or_default()
    };
    let model = format!(
        "{} {}",
        get("/garita/model/name"),
        get("/garita/model/sha256")
            .chars()
            .take(12)
            .collect::<String>()
    );
    let facts = [
        (words.fact_technique, technique.trim().to_owned()),
        (words.fact_from, end("source")),
        (words.fact_to, end("destination")),
        (words.fact_transport, get("/network/transport")),
        (words.fact_community, get("/network/community_id")),
        (words.fact_first, moment("/garita/evidence/first_seen")),
        (words.fact_last, moment("/garita/evidence/last_seen")),
        (words.fact_risk, get("/event/risk_score")),
        (words.fact_evidence, get("/garita/evidence/log_odds")),
        (
            words.fact_interface,
            get("/observer/ingress/interface/name"),
        ),
        (words.model, model.trim().to_owned()),
        (words.version, get("/observer/version")),
        (words.fact_event, get("/event/id")),
    ];
    facts
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
}
