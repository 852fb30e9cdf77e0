//! The way to every handler: the limit of the client, who it is, whether the role is enough.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;

use super::app::{App, CSRF, changes};
use super::problem::Problem;
use super::routes::Needs;

/// Lets a request through, or says why not.
pub(super) async fn guard(
    State((app, needs)): State<(App, Needs)>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let client = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let client = client.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip());
    if !app.may_ask(client.to_canonical(), needs == Needs::Login) {
        return Err(Problem::busy());
    }
    let Needs::Role(role) = needs else {
        return Ok(next.run(request).await);
    };
    let stranger = || {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "this takes a token: `Authorization: Bearer TOKEN`, or a login",
        )
    };
    let credential = App::credential(request.headers()).ok_or_else(stranger)?;
    let found = app.principal(&credential).await?;
    let (principal, csrf) = found.ok_or_else(stranger)?;
    if let Some(csrf) = &csrf
        && changes(request.method())
    {
        let shown = request.headers().get(CSRF);
        if shown.is_none_or(|shown| shown.as_bytes() != csrf.as_bytes()) {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "a change by a browser brings along the CSRF token of its login in x-csrf-token",
            ));
        }
    }
    if principal.role < role {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            format!("this takes the role {role}; yours is {}", principal.role),
        ));
    }
    request.extensions_mut().insert(principal);
    request.extensions_mut().insert(credential);
    Ok(next.run(request).await)
}
