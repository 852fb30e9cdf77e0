//! The one table of routes: what each is for, and who may use it. Router and OpenAPI document are both made from it, and a
//! test walks it with every role.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get, patch, post};

use super::app::App;
use super::guard::guard;
use super::problem::Problem;
use super::{access, blocks, bouncer, health, listings, openapi, orders, reviews, stream};
use crate::access::Role;

/// What a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// Nothing, but slowly: passwords are tried here.
    Login,
    /// At least this role.
    Role(Role),
}

/// A route.
#[derive(Clone)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: &'static str,
    /// Who may.
    pub needs: Needs,
    /// What for.
    pub what: &'static str,
    make: fn() -> MethodRouter<App>,
}

const VIEWER: Needs = Needs::Role(Role::Viewer);
const ANALYST: Needs = Needs::Role(Role::Analyst);
const RESPONDER: Needs = Needs::Role(Role::Responder);
const ADMIN: Needs = Needs::Role(Role::Admin);

/// Every route.
pub fn routes() -> Vec<Route> {
    let route = |method, path, needs, (what, make)| Route {
        method,
        path,
        needs,
        what,
        make,
    };
    type Made = (&'static str, fn() -> MethodRouter<App>);
    let read = |path, needs, made: Made| route(Method::GET, path, needs, made);
    let create = |path, needs, made: Made| route(Method::POST, path, needs, made);
    let remove = |path, needs, made: Made| route(Method::DELETE, path, needs, made);
    vec![
        read(
            "/healthz",
            Needs::Nothing,
            ("Whether the program runs", || get(health::health)),
        ),
        read(
            "/readyz",
            Needs::Nothing,
            ("Whether it hears the broker and the database", || {
                get(health::ready)
            }),
        ),
        read(
            "/metrics",
            Needs::Nothing,
            ("Figures for Prometheus", || get(health::metrics)),
        ),
        read(
            "/api/v1/openapi.json",
            Needs::Nothing,
            ("This document", || get(openapi::document)),
        ),
        read(
            "/api/docs",
            Needs::Nothing,
            ("This document as a page", || get(openapi::page)),
        ),
        create(
            "/api/v1/first-admin",
            Needs::Login,
            (
                "Make the first admin with the code of the first start",
                || post(access::first_admin),
            ),
        ),
        create(
            "/api/v1/session",
            Needs::Login,
            ("Log in", || post(access::log_in)),
        ),
        read(
            "/api/v1/session",
            VIEWER,
            ("Who is logged in", || get(access::who)),
        ),
        remove(
            "/api/v1/session",
            VIEWER,
            ("Log out", || delete(access::log_out)),
        ),
        read(
            "/api/v1/sensors",
            VIEWER,
            ("Sensors: alive, numbers, gaps, digest", || {
                get(listings::sensors)
            }),
        ),
        read(
            "/api/v1/sensors/{site}/{sensor}",
            VIEWER,
            ("One sensor", || get(listings::sensor)),
        ),
        create(
            "/api/v1/sensors/{site}/{sensor}/orders",
            RESPONDER,
            ("Order something of one sensor", || post(orders::order)),
        ),
        read(
            "/api/v1/incidents",
            VIEWER,
            ("Incidents, the newest first", || get(listings::incidents)),
        ),
        read(
            "/api/v1/incidents/{id}",
            VIEWER,
            ("One incident", || get(listings::incident)),
        ),
        read(
            "/api/v1/incidents/{id}/revisions",
            VIEWER,
            ("Its revisions, the latest first", || {
                get(listings::revisions)
            }),
        ),
        read(
            "/api/v1/addresses/{address}",
            VIEWER,
            ("Everything known of an address", || get(listings::address)),
        ),
        read(
            "/api/v1/campaigns",
            VIEWER,
            ("What was concluded from several sensors", || {
                get(listings::campaigns)
            }),
        ),
        read(
            "/api/v1/campaigns/{id}",
            VIEWER,
            ("One campaign", || get(listings::campaign)),
        ),
        read(
            "/api/v1/blocks",
            VIEWER,
            ("What the fleet keeps out", || get(blocks::list)),
        ),
        create(
            "/api/v1/blocks",
            RESPONDER,
            ("Have somebody kept out", || post(blocks::add)),
        ),
        read(
            "/api/v1/blocks/preview",
            VIEWER,
            ("Whom a block would reach", || get(blocks::preview)),
        ),
        read(
            "/api/v1/blocks/{id}",
            VIEWER,
            ("One fleet block", || get(blocks::one)),
        ),
        create(
            "/api/v1/blocks/{id}/approval",
            RESPONDER,
            ("Agree to what takes two people", || post(blocks::approve)),
        ),
        remove(
            "/api/v1/blocks/{id}",
            RESPONDER,
            ("Take a fleet block back", || delete(blocks::withdraw)),
        ),
        read(
            "/api/v1/allowances",
            VIEWER,
            ("Who was allowed, at which sensor", || {
                get(orders::allowances)
            }),
        ),
        create(
            "/api/v1/allowances",
            RESPONDER,
            ("Keep a network from being blocked", || post(orders::allow)),
        ),
        read(
            "/api/v1/reviews",
            VIEWER,
            ("Decisions that wait for a person", || get(reviews::list)),
        ),
        read(
            "/api/v1/reviews/{id}",
            VIEWER,
            ("One review", || get(reviews::one)),
        ),
        create(
            "/api/v1/reviews/{id}/answer",
            ANALYST,
            ("Approve, dismiss or allow", || post(reviews::answer)),
        ),
        remove(
            "/api/v1/reviews/{id}/answer",
            ANALYST,
            ("Take an answer back whose order has not left", || {
                delete(reviews::undo)
            }),
        ),
        read(
            "/api/v1/orders",
            VIEWER,
            ("Orders and what became of them", || get(orders::list)),
        ),
        read(
            "/api/v1/orders/{id}",
            VIEWER,
            ("One order", || get(orders::one)),
        ),
        read(
            "/api/v1/quarantine",
            ADMIN,
            ("Messages that made no sense", || get(listings::quarantine)),
        ),
        read(
            "/api/v1/audit",
            ADMIN,
            ("Who did what", || get(listings::audit)),
        ),
        read(
            "/api/v1/audit/verification",
            ADMIN,
            ("Whether the audit trail is whole", || {
                get(listings::verify_audit)
            }),
        ),
        read(
            "/api/v1/settings",
            ADMIN,
            ("The configuration in force", || get(listings::settings)),
        ),
        read(
            "/api/v1/users",
            ADMIN,
            ("Local users", || get(access::users)),
        ),
        create(
            "/api/v1/users",
            ADMIN,
            ("Make a user", || post(access::add_user)),
        ),
        route(
            Method::PATCH,
            "/api/v1/users/{name}",
            ADMIN,
            ("Change a user; logins end", || patch(access::change_user)),
        ),
        read("/api/v1/tokens", ADMIN, ("Tokens", || get(access::tokens))),
        create(
            "/api/v1/tokens",
            ADMIN,
            ("Make a token", || post(access::add_token)),
        ),
        remove(
            "/api/v1/tokens/{id}",
            ADMIN,
            ("Revoke a token", || delete(access::revoke_token)),
        ),
        read(
            "/api/v1/events",
            VIEWER,
            ("What changes, as server-sent events", || {
                get(stream::events)
            }),
        ),
        read(
            "/api/v1/ws",
            VIEWER,
            ("The same over a WebSocket", || get(stream::socket)),
        ),
        read(
            "/v1/decisions",
            VIEWER,
            ("Decisions for CrowdSec's bouncers", || {
                get(bouncer::decisions)
            }),
        ),
        read(
            "/v1/decisions/stream",
            VIEWER,
            ("The same as a stream of changes", || get(bouncer::stream)),
        ),
    ]
}

/// The router of all routes, and of the pages beside them.
pub(super) fn router(app: &App, pages: Router<App>) -> Router {
    let mut router = pages;
    for route in routes() {
        let guarded = (route.make)().layer(from_fn_with_state((app.clone(), route.needs), guard));
        router = router.route(route.path, guarded);
    }
    let most = app.config.http.max_body_kib as usize * 1_024;
    let is_tls = app.config.http.tls != crate::config::Tls::Off;
    router
        .fallback(|| async { Problem::nothing() })
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path does not know that method",
            )
        })
        .layer(DefaultBodyLimit::max(most))
        .layer(map_response(move |response: Response| async move {
            secured(response, is_tls)
        }))
        .with_state(app.clone())
}

/// What a browser is told of every answer: it holds no script, belongs into no frame, and is what it says.
fn secured(mut response: Response, is_tls: bool) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; frame-ancestors 'none'",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    if is_tls {
        let a_year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, a_year);
    }
    response
}
