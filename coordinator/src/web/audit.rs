//! The audit trail, and whether it is whole.

use std::collections::HashMap;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};

use super::door::Visitor;
use super::format::{When, in_query, text};
use super::page::{Shell, Shown, html};
use super::words::fill;
use crate::api::App;
use crate::api::listings::whole;
use crate::store::{AuditCheck, Cursor, Page};

/// An entry as a line.
struct Entry {
    seq: String,
    at: When,
    by: String,
    action: String,
    object: String,
    outcome: String,
    hash: String,
    short: String,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    shell: Shell,
    check: Option<String>,
    is_whole: bool,
    rows: Vec<Entry>,
    is_first: bool,
    next: Option<String>,
}

pub(super) async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<HashMap<String, String>>,
) -> Shown {
    whole(&visitor.who)?;
    let words = visitor.words;
    let shell = Shell::new(&app, &visitor, ("audit", words.audit)).await?;
    let after = query.get("cursor").and_then(|text| Cursor::read(text));
    let is_first = after.is_none();
    let shell = if is_first {
        shell.live("review order fleet-block", 0)
    } else {
        shell
    };
    let (check, is_whole) = match query.contains_key("verify") {
        false => (None, true),
        true => match app.store.verify_audit().await? {
            AuditCheck::Whole(count, hash) => {
                let hash: String = hash.chars().take(16).collect();
                (
                    Some(fill(words.audit_whole, &[&count.to_string(), &hash])),
                    true,
                )
            }
            AuditCheck::Broken(seq, why) => (
                Some(fill(words.audit_broken, &[&seq.to_string(), why])),
                false,
            ),
        },
    };
    let (found, next) = app.store.list_audit(&Page { after, limit: 100 }).await?;
    let rows = found.iter().map(|entry| {
        let hash = text(entry, "/hash");
        Entry {
            seq: text(entry, "/seq"),
            at: When::of(&entry["at"]).unwrap_or(When(0)),
            by: text(entry, "/by"),
            action: text(entry, "/action"),
            object: text(entry, "/object"),
            outcome: text(entry, "/outcome"),
            short: hash.chars().take(10).collect(),
            hash,
        }
    });
    let page = AuditPage {
        rows: rows.collect(),
        next: next.map(|cursor| format!("/audit?cursor={}", in_query(&cursor))),
        check,
        is_whole,
        is_first,
        shell,
    };
    Ok(html(&page))
}
