//! Whether it runs, whether it hears, and figures.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::time::timeout;

use super::app::App;
use super::problem::Problem;
use crate::moment::{self, SECOND};

/// A sign of life of who leads is young for as long.
const YOUNG: i64 = 10 * SECOND;

/// How long the database may take to say that it is there.
const SOON: Duration = Duration::from_secs(2);

/// Whether the program runs.
pub(super) async fn health() -> Response {
    Json(json!({"status": "ok"})).into_response()
}

/// Whether it hears the broker, itself or by who leads, and the database.
pub(super) async fn ready(State(app): State<App>) -> Response {
    let health = app.health.borrow().clone();
    let asked = timeout(SOON, async {
        app.store.ping().await?;
        app.store.last_beat().await
    });
    let (database, beat) = match asked.await {
        Ok(Ok(beat)) => (Ok(()), beat),
        Ok(Err(error)) => (Err(error.to_string()), 0),
        Err(_) => (Err("the database does not answer".to_owned()), 0),
    };
    let is_set = app.config.mqtt.url.get().is_some();
    let hears = !is_set || health.hears || (!health.leads && moment::now() - beat < YOUNG);
    let broker = match (is_set, hears) {
        (false, _) => "none is set".to_owned(),
        (true, true) => "heard".to_owned(),
        (true, false) if health.why.is_empty() => "not heard yet".to_owned(),
        (true, false) => health.why.clone(),
    };
    let status = match hears && database.is_ok() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let database = database.map_or_else(|error| error, |()| "heard".to_owned());
    let body = json!({"broker": broker, "database": database, "leads": health.leads});
    (status, Json(body)).into_response()
}

/// Figures. No address ever is one's label.
pub(super) async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    let health = app.health.borrow().clone();
    let mut registry = Registry::with_prefix("garita_coordinator");
    let counts = health.counts;
    for (name, help, value) in [
        (
            "messages_new",
            "Messages of sensors that counted",
            counts.new,
        ),
        (
            "messages_repeated",
            "Messages that had been heard before",
            counts.repeated,
        ),
        (
            "messages_quarantined",
            "Messages that made no sense",
            counts.quarantined,
        ),
        ("resyncs", "Resyncs asked for", counts.resyncs),
        (
            "numbers_lost",
            "Numbers of sensors named as lost",
            counts.lost,
        ),
        (
            "requests_answered",
            "Requests let through",
            app.limits.answered.load(Ordering::Relaxed),
        ),
        (
            "requests_refused",
            "Requests above a limit",
            app.limits.refused.load(Ordering::Relaxed),
        ),
    ] {
        let counter: Counter = Counter::default();
        counter.inc_by(value);
        registry.register(name, help, counter);
    }
    let open = i64::try_from(health.open_orders).unwrap_or(i64::MAX);
    for (name, help, value) in [
        (
            "leads",
            "Whether this one takes messages in",
            i64::from(health.leads),
        ),
        (
            "broker_connected",
            "Whether it hears the broker",
            i64::from(health.hears),
        ),
        ("orders_open", "Orders that wait for an answer", open),
    ] {
        let gauge: Gauge = Gauge::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    }
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|_| {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the figures cannot be written",
        )
    })?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
