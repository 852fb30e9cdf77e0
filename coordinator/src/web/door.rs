//! The way to every page: the limit of the client, whose login it is, whether the role is enough, and whether a change
//! really comes from a page of ours. What goes wrong is told as a page, or as a notice where only a part was asked for.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::Value;

use super::page::{self, Broken};
use super::words::{Language, Words};
use crate::access::{Principal, Role};
use crate::api::{App, CSRF, Credential, Needs, Problem, changes};

/// The largest page, bytes.
const LARGEST: usize = 16 * 1_024 * 1_024;

/// Who looks at a page.
#[derive(Clone)]
pub(super) struct Visitor {
    /// Who.
    pub(super) who: Principal,
    /// What their changes bring along.
    pub(super) csrf: String,
    /// The hash of their login.
    pub(super) session: String,
    /// The texts in their language.
    pub(super) words: &'static Words,
}

impl Visitor {
    /// Whether they may do what takes this role.
    pub(super) fn may(&self, role: Role) -> bool {
        self.who.role >= role
    }

    /// Whether they see all sites and may give access.
    pub(super) fn is_admin(&self) -> bool {
        self.may(Role::Admin) && self.who.scope.is_all()
    }
}

/// The way to pages that take a login.
pub(super) async fn door(
    State((app, needs)): State<(App, Needs)>,
    mut request: Request,
    next: Next,
) -> Response {
    let asked = Asked::of(&request);
    // A body cannot be looked at from two threads, and a request has one.
    let (client, headers) = (client(&request), request.headers().clone());
    let found = visitor((&app, needs), client, (&headers, request.method().clone())).await;
    let answer = match found {
        Ok(visitor) => {
            request
                .extensions_mut()
                .insert(Credential::Session(visitor.session.clone()));
            request.extensions_mut().insert(visitor.who.clone());
            request.extensions_mut().insert(visitor);
            next.run(request).await
        }
        Err(Stop::Login) if asked.is_part => redirect(&asked.login()),
        Err(Stop::Login) => Redirect::to(&asked.login()).into_response(),
        Err(Stop::Problem(problem)) => problem.into_response(),
    };
    asked.finish(answer).await
}

/// The way to pages for everybody.
pub(super) async fn porch(
    State((app, needs)): State<(App, Needs)>,
    mut request: Request,
    next: Next,
) -> Response {
    let asked = Asked::of(&request);
    let is_change = changes(request.method());
    let answer = if !app.may_ask(client(&request), needs == Needs::Login) {
        Problem::busy().into_response()
    } else if is_change && !is_ours(request.headers()) {
        Problem::new(StatusCode::FORBIDDEN, "this comes from another site").into_response()
    } else {
        request.extensions_mut().insert(asked.words);
        next.run(request).await
    };
    asked.finish(answer).await
}

/// Why somebody is not let in.
enum Stop {
    Login,
    Problem(Problem),
}

async fn visitor(
    (app, needs): (&App, Needs),
    client: IpAddr,
    (headers, method): (&HeaderMap, Method),
) -> Result<Visitor, Stop> {
    if !app.may_ask(client, false) {
        return Err(Stop::Problem(Problem::busy()));
    }
    // Tokens are for programs: what a browser sends by itself is the cookie.
    let credential = App::cookie(headers).ok_or(Stop::Login)?;
    let found = app.principal(&credential).await;
    let found = found.map_err(|error| Stop::Problem(error.into()))?;
    let (Some((who, Some(csrf))), Credential::Session(session)) = (found, credential) else {
        return Err(Stop::Login);
    };
    if changes(&method) {
        let shown = headers.get(CSRF);
        if shown.is_none_or(|shown| shown.as_bytes() != csrf.as_bytes()) {
            let why = "this page is not of your present login: load it again";
            return Err(Stop::Problem(Problem::new(StatusCode::FORBIDDEN, why)));
        }
    }
    if let Needs::Role(role) = needs
        && who.role < role
    {
        let why = format!("this takes the role {role}; yours is {}", who.role);
        return Err(Stop::Problem(Problem::new(StatusCode::FORBIDDEN, why)));
    }
    Ok(Visitor {
        who,
        csrf,
        session,
        words: words(headers),
    })
}

fn client(request: &Request) -> IpAddr {
    let client = request.extensions().get::<ConnectInfo<SocketAddr>>();
    client.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| {
        info.0.ip().to_canonical()
    })
}

/// Whether a form without a login was sent by a page of ours. Every browser says so since 2023; a program that says
/// nothing has no cookies of somebody else's either.
fn is_ours(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some() && host == text("host")
        }
        (None, None) => true,
    }
}

/// The texts a browser wants: what was chosen, else what it prefers.
pub(super) fn words(headers: &HeaderMap) -> &'static Words {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let cookies = text(header::COOKIE).unwrap_or_default();
    let chosen = cookies
        .split(';')
        .find_map(|cookie| cookie.trim().strip_prefix("garita-language="))
        .and_then(|code| Language::from_str(code).ok());
    let preferred = || {
        let list = text(header::ACCEPT_LANGUAGE)?;
        list.split(',').find_map(|item| {
            let code = item.split([';', '-']).next()?.trim();
            Language::from_str(code).ok()
        })
    };
    Words::of(chosen.or_else(preferred).unwrap_or(Language::English))
}

/// Sends htmx, which follows no redirect for a page, somewhere else.
pub(super) fn redirect(to: &str) -> Response {
    let mut response = StatusCode::OK.into_response();
    if let Ok(to) = HeaderValue::from_str(to) {
        response.headers_mut().insert("hx-redirect", to);
    }
    response
}

/// What has to be known of a request once it is answered.
struct Asked {
    uri: Uri,
    is_part: bool,
    is_read: bool,
    takes_gzip: bool,
    words: &'static Words,
}

impl Asked {
    fn of(request: &Request) -> Self {
        let headers = request.headers();
        Self {
            uri: request.uri().clone(),
            is_part: headers.contains_key("hx-request"),
            is_read: !changes(request.method()),
            takes_gzip: super::assets::takes(headers, "gzip"),
            words: words(headers),
        }
    }

    /// The login, from where it goes on to what was asked for.
    fn login(&self) -> String {
        let wanted = self.uri.path_and_query().map_or("/", |path| path.as_str());
        match self.is_read && wanted != "/" && !self.is_part {
            true => format!("/login?next={}", super::format::in_query(wanted)),
            false => "/login".to_owned(),
        }
    }

    /// Tells a problem in the form that was asked for, and packs pages.
    async fn finish(&self, answer: Response) -> Response {
        let kind = answer.headers().get(header::CONTENT_TYPE);
        let is_problem = kind.is_some_and(|kind| kind == "application/problem+json");
        let answer = match is_problem {
            true => self.told(answer).await,
            false => answer,
        };
        let kind = answer.headers().get(header::CONTENT_TYPE);
        let is_page = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        match is_page && self.takes_gzip {
            true => packed(answer).await,
            false => answer,
        }
    }

    async fn told(&self, answer: Response) -> Response {
        let status = answer.status();
        let bytes = to_bytes(answer.into_body(), LARGEST)
            .await
            .unwrap_or_default();
        let document: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let why = document["detail"].as_str().unwrap_or_default().to_owned();
        if self.is_part && !self.is_read {
            let mut response = page::notice(&why, false);
            *response.status_mut() = status;
            return response;
        }
        let title = match status {
            StatusCode::NOT_FOUND => self.words.not_found,
            StatusCode::FORBIDDEN => self.words.not_allowed,
            _ => self.words.went_wrong,
        };
        let mut response = page::html(&Broken::new(self.words, title, why));
        *response.status_mut() = status;
        response
    }
}

/// Packs a page. Its secrets cannot be guessed from its length: pages go only to who asks for them from this site.
async fn packed(answer: Response) -> Response {
    let (mut parts, body) = answer.into_parts();
    let Ok(bytes) = to_bytes(body, LARGEST).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    if let Some(packed) = page::gzip(&bytes) {
        parts.headers.remove(header::CONTENT_LENGTH);
        let coding = HeaderValue::from_static("gzip");
        parts.headers.insert(header::CONTENT_ENCODING, coding);
        return Response::from_parts(parts, Body::from(packed));
    }
    Response::from_parts(parts, Body::from(bytes))
}
