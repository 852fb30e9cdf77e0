//! The one table of pages: who may open each. A test walks it with every role.

use axum::Router;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};

use super::door::{door, porch};
use super::{
    account, address, assets, audit, blocks, campaigns, figures, incident, incidents, login,
    overview, people, preview, reviews, sensors, settings,
};
use crate::access::Role;
use crate::api::{App, Needs};

/// A page, or what a page asks to be changed.
#[derive(Clone)]
pub struct Page {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: &'static str,
    /// Who may.
    pub needs: Needs,
    make: fn() -> MethodRouter<App>,
}

const OPEN: Needs = Needs::Nothing;
const LOGIN: Needs = Needs::Login;
const VIEWER: Needs = Needs::Role(Role::Viewer);
const ANALYST: Needs = Needs::Role(Role::Analyst);
const RESPONDER: Needs = Needs::Role(Role::Responder);
const ADMIN: Needs = Needs::Role(Role::Admin);

/// Every page.
pub fn pages() -> Vec<Page> {
    let page = |method, path, needs, make| Page {
        method,
        path,
        needs,
        make,
    };
    let show = |path, needs, make| page(Method::GET, path, needs, make);
    let change = |path, needs, make| page(Method::POST, path, needs, make);
    vec![
        show("/", VIEWER, || get(overview::show)),
        show("/incidents", VIEWER, || get(incidents::show)),
        show("/incidents/{id}", VIEWER, || get(incident::show)),
        show("/incidents/{id}/export", VIEWER, || get(incident::export)),
        show("/campaigns", VIEWER, || get(campaigns::list)),
        show("/campaigns/{id}", VIEWER, || get(campaigns::one)),
        show("/reviews", VIEWER, || get(reviews::show)),
        change("/reviews/{id}/answer", ANALYST, || post(reviews::answer)),
        change("/reviews/{id}/undo", ANALYST, || post(reviews::undo)),
        show("/blocks", VIEWER, || get(blocks::matrix)),
        show("/blocks/fleet", VIEWER, || get(blocks::fleet)),
        show("/blocks/new", RESPONDER, || get(preview::show)),
        change("/blocks", RESPONDER, || post(preview::block)),
        show("/blocks/{id}", VIEWER, || get(blocks::one)),
        change("/blocks/{id}/approve", RESPONDER, || post(blocks::approve)),
        change("/blocks/{id}/withdraw", RESPONDER, || {
            post(blocks::withdraw)
        }),
        show("/sensors", VIEWER, || get(sensors::list)),
        show("/sensors/{site}/{sensor}", VIEWER, || get(sensors::one)),
        show("/addresses", VIEWER, || get(address::search)),
        show("/addresses/{address}", VIEWER, || get(address::show)),
        change("/addresses/{address}/release", RESPONDER, || {
            post(address::release)
        }),
        change("/addresses/{address}/allow", RESPONDER, || {
            post(address::allow)
        }),
        show("/figures", VIEWER, || get(figures::show)),
        show("/audit", ADMIN, || get(audit::show)),
        show("/access", ADMIN, || get(people::show)),
        change("/access/users", ADMIN, || post(people::add_user)),
        change("/access/users/{name}", ADMIN, || post(people::change_user)),
        change("/access/tokens", ADMIN, || post(people::add_token)),
        change("/access/tokens/{id}/revoke", ADMIN, || {
            post(people::revoke_token)
        }),
        change("/access/sessions/{id}/end", ADMIN, || {
            post(people::end_session)
        }),
        show("/settings", ADMIN, || get(settings::show)),
        show("/account", VIEWER, || get(account::show)),
        change("/account/password", VIEWER, || post(account::password)),
        change("/account/sessions/{id}/end", VIEWER, || {
            post(account::end_session)
        }),
        change("/logout", VIEWER, || post(login::log_out)),
        show("/login", OPEN, || get(login::show)),
        change("/login", LOGIN, || post(login::log_in)),
        show("/welcome", OPEN, || get(login::welcome)),
        change("/welcome", LOGIN, || post(login::first_admin)),
        change("/language", OPEN, || post(login::language)),
    ]
}

/// The router of all pages.
pub fn router(app: &App) -> Router<App> {
    let mut router = Router::new();
    for page in pages() {
        let handler = match page.needs {
            Needs::Role(_) => {
                (page.make)().layer(from_fn_with_state((app.clone(), page.needs), door))
            }
            _ => (page.make)().layer(from_fn_with_state((app.clone(), page.needs), porch)),
        };
        router = router.route(page.path, handler);
    }
    router
        .route("/assets/{name}", get(assets::serve))
        .layer(axum::Extension(figures::Cache::default()))
}
