//! The metrics over HTTP, for Prometheus. Nothing else is answered there.

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::telemetry::Metrics;

/// OpenMetrics, which Prometheus asks for first.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves `/metrics` until `stop` becomes true or its sender is gone.
pub async fn serve_metrics(
    listener: TcpListener,
    metrics: Metrics,
    mut stop: watch::Receiver<bool>,
) {
    let answer = move || async move { scrape(&metrics) };
    let router = Router::new().route("/metrics", get(answer));
    let stopped = async move {
        let _ = stop.wait_for(|stop| *stop).await;
    };
    let served = axum::serve(listener, router)
        .with_graceful_shutdown(stopped)
        .await;
    if let Err(error) = served {
        tracing::error!("the metrics are not served any more: {error}");
    }
}

fn scrape(metrics: &Metrics) -> Response {
    match metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
