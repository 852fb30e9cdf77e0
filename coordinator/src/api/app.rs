//! What every handler works with, and who is asking: a bearer token, or a browser's session with its CSRF token.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, Method, header};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::sync::{Semaphore, watch};

use crate::access::oidc::{OidcError, Provider};
use crate::access::{Principal, Role, digest};
use crate::config::Config;
use crate::intake::Health;
use crate::moment;
use crate::store::{self, Store};

/// The cookie of a session. Browsers send it only over TLS or to loopback.
pub(crate) const COOKIE: &str = "garita-session";
/// The header that a changing request of a browser brings along.
pub(crate) const CSRF: &str = "x-csrf-token";

/// What every handler works with; clones share it.
#[derive(Clone)]
pub struct App {
    pub(crate) config: Arc<Config>,
    pub(crate) store: Store,
    pub(crate) health: watch::Receiver<Health>,
    /// Told when the program ends: streams end then.
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) limits: Arc<Limits>,
    /// The OpenID provider whose word counts.
    pub(crate) oidc: Option<Arc<Provider>>,
}

/// What is bounded and counted.
pub(crate) struct Limits {
    requests: DefaultKeyedRateLimiter<IpAddr>,
    logins: DefaultKeyedRateLimiter<IpAddr>,
    /// Passwords hashed at once: each takes a core and 19 MiB.
    pub(crate) hashing: Semaphore,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) answered: AtomicU64,
    pub(crate) refused: AtomicU64,
}

/// Why the API cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A limit of 0.
    #[error("{0} must be above 0")]
    Limit(&'static str),
    /// The OpenID provider cannot be spoken to.
    #[error(transparent)]
    Oidc(#[from] OidcError),
}

/// What somebody shows to be let in.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A token's hash.
    Token(String),
    /// A session's hash.
    Session(String),
    /// A token that an OpenID provider has signed.
    Signed(String),
}

impl App {
    /// What handlers work with.
    ///
    /// # Errors
    /// A limit of 0, or authorities of the OpenID provider that cannot be read.
    pub fn new(
        config: Config,
        store: Store,
        (health, stop): (watch::Receiver<Health>, watch::Receiver<bool>),
    ) -> Result<Self, AppError> {
        let quota = |name, count| {
            let count = NonZeroU32::new(count).ok_or(AppError::Limit(name))?;
            Ok::<_, AppError>(Quota::per_minute(count))
        };
        let http = &config.http;
        let limits = Limits {
            requests: RateLimiter::keyed(quota(
                "http.requests_per_minute",
                http.requests_per_minute,
            )?),
            logins: RateLimiter::keyed(quota("http.logins_per_minute", http.logins_per_minute)?),
            hashing: Semaphore::new(2),
            streams: Arc::new(Semaphore::new(http.max_streams as usize)),
            answered: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        };
        let oidc = Provider::new(&config.oidc)?;
        Ok(Self {
            oidc: oidc.map(Arc::new),
            config: Arc::new(config),
            store,
            health,
            stop,
            limits: Arc::new(limits),
        })
    }

    /// Forgets clients who have not asked for a while.
    pub fn forget_clients(&self) {
        self.limits.requests.retain_recent();
        self.limits.logins.retain_recent();
    }

    /// What somebody shows; nothing where a browser changes something without its CSRF token, or nothing is shown.
    pub(crate) fn credential(headers: &HeaderMap) -> Option<Credential> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(token) = text(header::AUTHORIZATION.as_str()) {
            let (scheme, token) = token.split_once(' ')?;
            let is_bearer = scheme.eq_ignore_ascii_case("bearer");
            let token = token.trim();
            return is_bearer.then(|| match Provider::looks_signed(token) {
                true => Credential::Signed(token.to_owned()),
                false => Credential::Token(digest(token)),
            });
        }
        // The way CrowdSec's bouncers show theirs.
        if let Some(key) = text("x-api-key") {
            return Some(Credential::Token(digest(key.trim())));
        }
        Self::cookie(headers)
    }

    /// The session of a browser.
    pub(crate) fn cookie(headers: &HeaderMap) -> Option<Credential> {
        let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
        let session = cookies.split(';').find_map(|cookie| {
            let (name, value) = cookie.trim().split_once('=')?;
            (name == COOKIE).then_some(value)
        })?;
        Some(Credential::Session(digest(session)))
    }

    /// Who shows this; nothing where it opens nothing any more.
    pub(crate) async fn principal(
        &self,
        credential: &Credential,
    ) -> Result<Option<(Principal, Option<String>)>, store::Error> {
        match credential {
            Credential::Token(hash) => {
                let found = self.store.token(hash).await?;
                Ok(found.and_then(|(name, role, scope)| {
                    let role = role.parse::<Role>().ok()?;
                    let name = format!("token {name}");
                    Some((Principal { name, role, scope }, None))
                }))
            }
            Credential::Signed(token) => {
                let Some(provider) = &self.oidc else {
                    return Ok(None);
                };
                match provider.verify(token).await {
                    Ok(principal) => Ok(Some((principal, None))),
                    Err(error) => {
                        tracing::info!("{error}");
                        Ok(None)
                    }
                }
            }
            Credential::Session(hash) => {
                let found = self.store.session(hash, moment::now()).await?;
                Ok(found.and_then(|(session, account)| {
                    let role = account.role.parse::<Role>().ok()?;
                    let name = format!("user {}", account.name);
                    let scope = account.sites;
                    Some((Principal { name, role, scope }, Some(session.csrf)))
                }))
            }
        }
    }

    /// Whether a client may ask once more.
    pub(crate) fn may_ask(&self, client: IpAddr, is_login: bool) -> bool {
        let limits = &self.limits;
        let may = limits.requests.check_key(&client).is_ok()
            && (!is_login || limits.logins.check_key(&client).is_ok());
        let counter = if may {
            &limits.answered
        } else {
            &limits.refused
        };
        counter.fetch_add(1, Ordering::Relaxed);
        may
    }
}

/// Whether a request changes something.
pub(crate) fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}
