//! What all pages share: the frame around them, and how they are sent.

use std::io::Write;

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::assets;
use super::door::Visitor;
use super::words::Words;
use crate::access::Role;
use crate::api::{App, Problem};

/// What a page may load and do: nothing but what this program serves, and no script in its text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// Shorter pages are sent as they are, bytes.
const SHORT: usize = 1_024;

/// What a handler of a page gives.
pub(super) type Shown = Result<Response, Problem>;

/// The frame of a page.
pub(super) struct Shell {
    pub(super) words: &'static Words,
    pub(super) title: String,
    /// The section it belongs to.
    pub(super) section: &'static str,
    pub(super) who: String,
    pub(super) role: Role,
    pub(super) is_admin: bool,
    pub(super) csrf: String,
    /// Reviews that wait.
    pub(super) reviews: i64,
    /// The last event before the page was made: what comes after it is heard of.
    pub(super) after: i64,
    /// The kinds of events that concern the page.
    pub(super) live: &'static str,
    /// How often its live part is asked for without an event, seconds; 0 never.
    pub(super) every: u32,
}

impl Shell {
    /// The frame for a visitor.
    pub(super) async fn new(
        app: &App,
        visitor: &Visitor,
        (section, title): (&'static str, impl Into<String>),
    ) -> Result<Self, Problem> {
        // Before anything else is read, so that nothing falls in between.
        let after = app.store.last_event().await?;
        let (reviews, _) = app.store.waiting_reviews(&visitor.who.scope).await?;
        let name = visitor.who.name.as_str();
        Ok(Self {
            words: visitor.words,
            title: title.into(),
            section,
            who: name.strip_prefix("user ").unwrap_or(name).to_owned(),
            role: visitor.who.role,
            is_admin: visitor.is_admin(),
            csrf: visitor.csrf.clone(),
            reviews,
            after,
            live: "",
            every: 0,
        })
    }

    /// Has the page follow these kinds of events, and look by itself every so many seconds.
    pub(super) fn live(mut self, kinds: &'static str, every: u32) -> Self {
        self.live = kinds;
        self.every = every;
        self
    }

    /// Whether the visitor may do what takes this role.
    pub(super) fn may(&self, role: &str) -> bool {
        role.parse::<Role>().is_ok_and(|role| self.role >= role)
    }

    pub(super) fn asset(&self, name: &str) -> String {
        assets::path(name)
    }

    pub(super) fn is(&self, section: &str) -> bool {
        self.section == section
    }
}

/// A page that says what is wrong.
#[derive(Template)]
#[template(path = "broken.html")]
pub(super) struct Broken {
    words: &'static Words,
    title: &'static str,
    why: String,
    style: String,
    mark: String,
}

impl Broken {
    pub(super) fn new(words: &'static Words, title: &'static str, why: String) -> Self {
        Self {
            words,
            title,
            why,
            style: assets::path("console.css"),
            mark: assets::path("mark.svg"),
        }
    }
}

/// A sentence on what was done, or why it was not.
#[derive(Template)]
#[template(path = "notice.html")]
struct Notice<'a> {
    text: &'a str,
    done: bool,
}

/// Sends a page.
pub(super) fn html(template: &impl Template) -> Response {
    let text = match template.render() {
        Ok(text) => text,
        Err(error) => {
            tracing::warn!("a page cannot be made: {error}");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(POLICY),
        ),
    ];
    (headers, text).into_response()
}

/// Tells what was done; the live part of the page is asked for anew then.
pub(super) fn notice(text: &str, done: bool) -> Response {
    let mut response = html(&Notice { text, done });
    if done {
        let refresh = HeaderValue::from_static("refresh");
        response.headers_mut().insert("hx-trigger", refresh);
    }
    response
}

/// Packs what is worth it.
pub(super) fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() < SHORT {
        return None;
    }
    let mut packer = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::new(5));
    packer.write_all(bytes).ok()?;
    packer.finish().ok()
}
