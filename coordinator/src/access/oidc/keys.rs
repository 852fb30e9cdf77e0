//! What the provider publishes of itself: its endpoints and its keys, read when they are needed and kept for a while. A key
//! that is not known yet is looked for again, but not for everybody who invents one.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{Jwk, JwkSet, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio_rustls::rustls::crypto::ring;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::OidcError;
use crate::config::Oidc;

/// How long what was read counts: a provider announces a new key at least for so long before it signs with it.
const FRESH: Duration = Duration::from_secs(3_600);
/// The provider is not asked more often than this, whatever anybody shows.
const PAUSE: Duration = Duration::from_secs(30);
/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most it may say, bytes.
const MAX_ANSWER: u64 = 1_024 * 1_024;

/// What the provider says of itself (OpenID Connect Discovery 1.0, section 3).
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Metadata {
    issuer: String,
    jwks_uri: String,
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
}

/// The provider's keys.
#[derive(Debug)]
pub(super) struct Keys {
    issuer: String,
    agent: Agent,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    asked: Option<Instant>,
    read: Option<(Instant, Arc<Metadata>, Arc<JwkSet>)>,
}

impl Keys {
    pub(super) fn new(settings: &Oidc) -> Result<Self, OidcError> {
        let roots = match settings.ca_file.as_str() {
            "" => Ok(Vec::new()),
            path => authorities(Path::new(path)),
        };
        let roots = roots.map_err(|why| OidcError::Provider(settings.issuer.clone(), why))?;
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .root_certs(RootCerts::Specific(Arc::new(roots)));
        let agent = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .max_redirects(0)
            .tls_config(tls.build())
            .build();
        Ok(Self {
            issuer: settings.issuer.clone(),
            agent: agent.into(),
            known: Mutex::default(),
        })
    }

    /// The key that a token says it is signed with.
    pub(super) async fn find(&self, header: &Header) -> Result<DecodingKey, OidcError> {
        if matches!(
            header.alg,
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512
        ) {
            return Err(OidcError::Key);
        }
        let (_, set) = self.read(false).await?;
        let known = key(&set, header);
        let found = match known {
            Some(known) => known,
            None => {
                let (_, set) = self.read(true).await?;
                key(&set, header).ok_or(OidcError::Key)?
            }
        };
        Ok(DecodingKey::from_jwk(&found)?)
    }

    /// What the provider says of itself.
    pub(super) async fn metadata(&self) -> Result<Arc<Metadata>, OidcError> {
        self.read(false).await.map(|(metadata, _)| metadata)
    }

    /// Has a form answered by the provider.
    pub(super) async fn post<T: DeserializeOwned + Send + 'static>(
        &self,
        url: &str,
        form: Vec<(&'static str, String)>,
    ) -> Result<T, OidcError> {
        let (agent, to) = (self.agent.clone(), url.to_owned());
        self.ask(move || {
            let mut answer = agent.post(&to).send_form(form)?;
            answer
                .body_mut()
                .with_config()
                .limit(MAX_ANSWER)
                .read_json()
        })
        .await
    }

    async fn read(&self, anew: bool) -> Result<(Arc<Metadata>, Arc<JwkSet>), OidcError> {
        // Who comes while somebody asks waits for the same answer.
        let mut known = self.known.lock().await;
        let is_quiet = known.asked.is_some_and(|asked| asked.elapsed() < PAUSE);
        if let Some((at, metadata, set)) = &known.read
            && (is_quiet || (!anew && at.elapsed() < FRESH))
        {
            return Ok((Arc::clone(metadata), Arc::clone(set)));
        }
        if is_quiet {
            let why = "it was asked a moment ago, without an answer".to_owned();
            return Err(OidcError::Provider(self.issuer.clone(), why));
        }
        known.asked = Some(Instant::now());
        let place = self.issuer.trim_end_matches('/');
        let metadata: Metadata = self
            .get(format!("{place}/.well-known/openid-configuration"))
            .await?;
        if metadata.issuer != self.issuer {
            let why = format!("it calls itself {:?}", metadata.issuer);
            return Err(OidcError::Provider(self.issuer.clone(), why));
        }
        let set: JwkSet = self.get(metadata.jwks_uri.clone()).await?;
        let (metadata, set) = (Arc::new(metadata), Arc::new(set));
        known.read = Some((Instant::now(), Arc::clone(&metadata), Arc::clone(&set)));
        Ok((metadata, set))
    }

    async fn get<T: DeserializeOwned + Send + 'static>(&self, url: String) -> Result<T, OidcError> {
        let agent = self.agent.clone();
        self.ask(move || {
            let mut answer = agent.get(&url).call()?;
            answer
                .body_mut()
                .with_config()
                .limit(MAX_ANSWER)
                .read_json()
        })
        .await
    }

    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce() -> Result<T, ureq::Error> + Send + 'static,
    ) -> Result<T, OidcError> {
        let wrong = |why: String| OidcError::Provider(self.issuer.clone(), why);
        let asked = tokio::task::spawn_blocking(ask).await;
        let answer = asked.map_err(|error| wrong(error.to_string()))?;
        answer.map_err(|error| wrong(error.to_string()))
    }
}

/// The key of a set that a header names, if it may sign, and in that way.
fn key(set: &JwkSet, header: &Header) -> Option<Jwk> {
    let signs = |jwk: &&Jwk| {
        let common = &jwk.common;
        let used = common.public_key_use.as_ref();
        let operations = common.key_operations.as_ref();
        used.is_none_or(|used| *used == PublicKeyUse::Signature)
            && operations.is_none_or(|all| all.contains(&KeyOperations::Verify))
            && common.key_algorithm.is_none_or(|algorithm| {
                algorithm.to_string().parse::<Algorithm>().ok() == Some(header.alg)
            })
    };
    let mut signing = set.keys.iter().filter(signs);
    match &header.kid {
        Some(kid) => signing
            .find(|jwk| jwk.common.key_id.as_ref() == Some(kid))
            .cloned(),
        // Who names none means the only one.
        None => signing.next().filter(|_| signing.next().is_none()).cloned(),
    }
}

fn authorities(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let items = ureq::tls::parse_pem(&text);
    let certificates = items.filter_map(|item| match item {
        Ok(ureq::tls::PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let certificates: Vec<_> = certificates.collect();
    match certificates.is_empty() {
        true => Err(format!("{} holds no certificate in PEM", path.display())),
        false => Ok(certificates),
    }
}
