//! The review queue: those of one address together, one key an answer, ten seconds to take it back.

use std::collections::BTreeMap;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::act::{Fields, Said, body, done};
use super::door::Visitor;
use super::format::{When, in_query, mark, text};
use super::page::{Shell, Shown, html};
use super::words::{Words, fill};
use crate::api::{App, Problem, reviews};
use crate::moment::{self, SECOND};
use crate::store::Page;

/// Reviews of a page, and of those that are looked at for it.
const ROWS: usize = 25;
const READ: u32 = 500;
/// How far back it is shown who saw an address, microseconds, and how many of them.
const LATELY: i64 = 7 * 86_400 * SECOND;
const LINES: usize = 8;
/// Answered ones that are shown.
const ANSWERED: u32 = 20;
/// How long an answer can be taken back, seconds.
const UNDO: i64 = 10;

/// A review that waits.
struct Waiting {
    mark: String,
    id_query: String,
    class: String,
    who: String,
    who_href: String,
    site: String,
    sensor: String,
    message: String,
    asked: When,
    lapses: When,
    version: String,
    seen: Vec<String>,
    others: usize,
    others_text: String,
}

/// A review that was answered.
struct Answered {
    mark: String,
    id_query: String,
    who: String,
    site: String,
    sensor: String,
    state: String,
    reason: String,
    by: String,
    version: String,
    answered: Option<When>,
    order: String,
    confirmed: Option<When>,
    /// Until when it can be taken back, milliseconds since 1970; 0 where it cannot.
    until: i64,
}

#[derive(Template)]
#[template(path = "reviews.html")]
struct ReviewsPage {
    shell: Shell,
    total: i64,
    groups: Vec<Waiting>,
    more: Option<String>,
    answered: Vec<Answered>,
}

pub(super) async fn show(State(app): State<App>, Extension(visitor): Extension<Visitor>) -> Shown {
    let (words, scope) = (visitor.words, &visitor.who.scope);
    let shell = Shell::new(&app, &visitor, ("reviews", words.reviews))
        .await?
        .live("review order", 15);
    let page = Page {
        after: None,
        limit: READ,
    };
    let mut open = app
        .store
        .list_reviews(scope, (Some("open"), None), &page)
        .await?
        .0;
    // The oldest first, and with it whatever else was asked of its address.
    open.reverse();
    let mut order: BTreeMap<String, usize> = BTreeMap::new();
    for (at, review) in open.iter().enumerate() {
        order.entry(text(review, "/address")).or_insert(at);
    }
    open.sort_by_key(|review| order.get(&text(review, "/address")).copied());
    open.truncate(ROWS);
    let mut addresses: Vec<String> = open.iter().map(|review| text(review, "/address")).collect();
    addresses.sort();
    addresses.dedup();
    let lately = (addresses.as_slice(), moment::now() - LATELY);
    let seen = app.store.seen_lately(scope, lately).await?;
    let groups: Vec<Waiting> = open
        .iter()
        .map(|review| {
            let address = text(review, "/address");
            let same = open
                .iter()
                .filter(|other| other["address"] == review["address"]);
            let lines = seen.iter().filter(|(who, ..)| *who == address);
            let lines = lines.take(LINES).map(|(_, site, sensor, class, number)| {
                let place = format!("{site}/{sensor}");
                fill(
                    words.saw_line,
                    &[&place, &number.to_string(), words.class(class)],
                )
            });
            waiting(words, review, (lines.collect(), same.count() - 1))
        })
        .collect();
    let total = shell.reviews;
    let rest = total - i64::try_from(groups.len()).unwrap_or(0);
    let page = ReviewsPage {
        total,
        groups,
        more: (rest > 0).then(|| fill(words.more_reviews, &[&rest.to_string()])),
        answered: answered((&app, &visitor)).await?,
        shell,
    };
    Ok(html(&page))
}

fn waiting(words: &Words, review: &Value, (seen, others): (Vec<String>, usize)) -> Waiting {
    let get = |place: &str| text(review, place);
    let id = get("/id");
    Waiting {
        mark: mark("r", &id),
        id_query: in_query(&id),
        class: get("/class"),
        who_href: format!("/addresses/{}", in_query(&get("/address"))),
        who: get("/address"),
        site: get("/site"),
        sensor: get("/sensor"),
        message: get("/message"),
        asked: When::of(&review["asked"]).unwrap_or(When(0)),
        lapses: When::of(&review["lapses"]).unwrap_or(When(0)),
        version: get("/version"),
        seen,
        others,
        others_text: fill(words.others_ask, &[&others.to_string()]),
    }
}

async fn answered((app, visitor): (&App, &Visitor)) -> Result<Vec<Answered>, Problem> {
    let scope = &visitor.who.scope;
    let rows = app
        .store
        .answered_reviews(scope, i64::from(ANSWERED))
        .await?;
    let causes: Vec<String> = rows.iter().map(|review| review.id.clone()).collect();
    let orders = app.store.orders_of(scope, &causes).await?;
    let now = moment::now();
    let mut all = Vec::new();
    for review in &rows {
        let order = orders.iter().find(|order| order.cause == review.id);
        let state = order.map_or("", |order| order.state.as_str()).to_owned();
        let until = review.answered_at.unwrap_or(0) + UNDO * SECOND;
        let is_own = review.answered_by.as_deref() == Some(visitor.who.name.as_str());
        all.push(Answered {
            mark: mark("r", &review.id),
            id_query: in_query(&review.id),
            who: review.address.clone(),
            site: review.site.clone(),
            sensor: review.sensor.clone(),
            state: review.state.clone(),
            reason: review.reason.clone().unwrap_or_default(),
            by: review.answered_by.clone().unwrap_or_default(),
            version: review.version.to_string(),
            answered: review.answered_at.map(When),
            confirmed: order.and_then(|order| order.answered_at).map(When),
            until: if is_own && state == "queued" && now < until {
                until / 1_000
            } else {
                0
            },
            order: state,
        });
    }
    Ok(all)
}

pub(super) async fn answer(
    state: State<App>,
    Extension(visitor): Extension<Visitor>,
    (who, id): (Extension<crate::access::Principal>, Path<String>),
    fields: Fields,
) -> Shown {
    let (said, words) = (Said::new(fields), visitor.words);
    let answer = said.text("answer");
    let reason = match (said.text("reason"), answer) {
        ("", "approve") => words.usual_approve,
        ("", "dismiss") => words.usual_dismiss,
        (reason, _) => reason,
    };
    let asked = body(&json!({"answer": answer, "reason": reason, "undo_within": UNDO}));
    let app = state.0.clone();
    let review = app
        .store
        .review(&visitor.who.scope, &id.0)
        .await?
        .ok_or_else(Problem::nothing)?;
    let answered = reviews::answer(state, who, (id, said.version()), asked).await;
    done(answered, &fill(words.said_answer, &[&review.address]))
}

pub(super) async fn undo(
    state: State<App>,
    Extension(visitor): Extension<Visitor>,
    (who, id): (Extension<crate::access::Principal>, Path<String>),
    fields: Fields,
) -> Shown {
    let said = Said::new(fields);
    let review = state
        .0
        .store
        .review(&visitor.who.scope, &id.0)
        .await?
        .ok_or_else(Problem::nothing)?;
    let undone = reviews::undo(state, who, (id, said.version())).await;
    done(undone, &fill(visitor.words.said_undone, &[&review.address]))
}
