//! The configuration in force, and what made no sense.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use serde_json::Value;

use super::door::Visitor;
use super::format::{When, text};
use super::page::{Shell, Shown, html};
use crate::api::App;
use crate::api::listings::{configuration, whole};
use crate::store::Page;

/// A kind of nonsense.
struct Odd {
    last: Option<When>,
    topic: String,
    reason: String,
    count: String,
    sample: String,
}

/// A section's name, and its settings with their values.
type Section = (String, Vec<(String, String)>);

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    shell: Shell,
    parts: Vec<Section>,
    quarantine: Vec<Odd>,
}

pub(super) async fn show(State(app): State<App>, Extension(visitor): Extension<Visitor>) -> Shown {
    whole(&visitor.who)?;
    let shell = Shell::new(&app, &visitor, ("settings", visitor.words.settings)).await?;
    let document = configuration(&app);
    let sections = document.as_object().into_iter().flatten();
    let (odd, _) = app
        .store
        .list_quarantine(&Page {
            after: None,
            limit: 50,
        })
        .await?;
    let odd = odd.iter().map(|one| Odd {
        last: When::of(&one["last"]),
        topic: text(one, "/topic"),
        reason: text(one, "/reason"),
        count: text(one, "/count"),
        sample: text(one, "/sample"),
    });
    let page = SettingsPage {
        parts: sections
            .map(|(name, settings)| section(name, settings))
            .collect(),
        quarantine: odd.collect(),
        shell,
    };
    Ok(html(&page))
}

fn section(name: &str, settings: &Value) -> Section {
    let lines = settings.as_object().into_iter().flatten();
    let lines = lines.map(|(name, value)| {
        let value = match value {
            Value::String(text) if text.is_empty() => "\"\"".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        (name.clone(), value)
    });
    (name.to_owned(), lines.collect())
}
