//! What can be looked at: each listing within the sites of who asks.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use contract::class::Class;
use serde_json::{Value, json};

use super::app::App;
use super::ask::Asked;
use super::problem::Problem;
use super::reply::{json_text, listing, listing_of_texts, versioned};
use crate::access::Principal;
use crate::store::{AuditCheck, IncidentFilter};

type Answer = Result<Response, Problem>;

pub(super) async fn sensors(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    asked: Asked,
) -> Answer {
    let site = asked.text("site");
    let found = app
        .store
        .list_sensors(&who.scope, (site.as_deref(), None))
        .await?;
    Ok(listing((found, None)))
}

pub(super) async fn sensor(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path((site, sensor)): Path<(String, String)>,
) -> Answer {
    let about = (Some(site.as_str()), Some(sensor.as_str()));
    let found = app.store.list_sensors(&who.scope, about).await?;
    let found = found.into_iter().next().ok_or_else(Problem::nothing)?;
    Ok(axum::Json(found).into_response())
}

pub(super) async fn incidents(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    asked: Asked,
) -> Answer {
    let filter = IncidentFilter {
        offender: asked.address("offender")?,
        class: asked.word("class", &Class::ALL.map(Class::as_str))?,
        site: asked.text("site"),
        sensor: asked.text("sensor"),
        decision: asked.word("decision", &["block", "review", "alert"])?,
        since: asked.moment("since")?,
        until: asked.moment("until")?,
    };
    let page = asked.page()?;
    Ok(listing_of_texts(
        app.store
            .list_incidents((&who.scope, &filter), &page)
            .await?,
    ))
}

pub(super) async fn incident(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
) -> Answer {
    let found = app.store.incident(&who.scope, &id).await?;
    let (latest, _) = found.ok_or_else(Problem::nothing)?;
    Ok(json_text(StatusCode::OK, latest))
}

pub(super) async fn revisions(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
) -> Answer {
    let found = app.store.incident(&who.scope, &id).await?;
    let (latest, mut older) = found.ok_or_else(Problem::nothing)?;
    older.insert(0, latest);
    Ok(listing_of_texts((older, None)))
}

pub(super) async fn address(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(address): Path<String>,
) -> Answer {
    let Ok(address) = address.parse::<std::net::IpAddr>() else {
        return Err(Problem::field("address", "it is no IP address"));
    };
    let address = address.to_canonical();
    let text = address.to_string();
    let target = ipnet::IpNet::from(address).to_string();
    let page = Asked::default().page()?;
    let blocks = app
        .store
        .list_fleet_blocks(&who.scope, (Some(&target), None), &page)
        .await?;
    let reviews = app
        .store
        .list_reviews(&who.scope, (None, Some(&text)), &page)
        .await?;
    let about = [
        ("kind", Some("offender".to_owned())),
        ("subject", Some(text.clone())),
        ("state", None),
    ];
    let campaigns = app.store.list_campaigns(&who.scope, about, &page).await?.0;
    let campaigns: Vec<Value> = campaigns
        .iter()
        .filter_map(|text| serde_json::from_str(text).ok())
        .collect();
    let document = json!({
        "address": text, "sensors": app.store.sightings(&who.scope, &text).await?,
        "held": app.store.held_of(&who.scope, &target).await?, "blocks": blocks.0, "reviews": reviews.0,
        "campaigns": campaigns,
    });
    Ok(axum::Json(document).into_response())
}

pub(super) async fn campaigns(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    asked: Asked,
) -> Answer {
    let filter = [
        (
            "kind",
            asked.word("kind", &["offender", "guessing", "network", "victim"])?,
        ),
        ("state", asked.word("state", &["open", "closed"])?),
        (
            "class",
            asked.word("class", &Class::ALL.map(Class::as_str))?,
        ),
    ];
    let page = asked.page()?;
    Ok(listing_of_texts(
        app.store.list_campaigns(&who.scope, filter, &page).await?,
    ))
}

pub(super) async fn campaign(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
) -> Answer {
    let found = app.store.campaign(&who.scope, &id).await?;
    Ok(json_text(
        StatusCode::OK,
        found.ok_or_else(Problem::nothing)?.doc,
    ))
}

pub(super) async fn quarantine(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    asked: Asked,
) -> Answer {
    whole(&who)?;
    Ok(listing(app.store.list_quarantine(&asked.page()?).await?))
}

pub(super) async fn audit(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    asked: Asked,
) -> Answer {
    whole(&who)?;
    Ok(listing(app.store.list_audit(&asked.page()?).await?))
}

pub(super) async fn verify_audit(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
) -> Answer {
    whole(&who)?;
    let document = match app.store.verify_audit().await? {
        AuditCheck::Whole(entries, hash) => {
            json!({"whole": true, "entries": entries, "hash": hash})
        }
        AuditCheck::Broken(seq, why) => json!({"whole": false, "seq": seq, "why": why}),
    };
    Ok(axum::Json(document).into_response())
}

pub(super) async fn settings(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
) -> Answer {
    whole(&who)?;
    Ok(versioned(configuration(&app)))
}

/// The configuration in force, without what should stay secret.
pub(crate) fn configuration(app: &App) -> Value {
    let mut document = serde_json::to_value(&*app.config).unwrap_or_default();
    // The URL may hold a password.
    document["database"]["url"] = json!(match app.config.database.url.starts_with("sqlite:") {
        true => app.config.database.url.as_str(),
        false => "postgres://…",
    });
    document
}

/// What concerns everybody is for those who may see all sites.
pub(crate) fn whole(who: &Principal) -> Result<(), Problem> {
    match who.scope.is_all() {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "this concerns all sites, and yours are limited",
        )),
    }
}
