//! People: sent to the provider, and back with a code that only who sent them can redeem (authorization code flow with PKCE,
//! RFC 7636). Whoever calls this keeps what was begun with the browser, and lets it be redeemed once.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{OidcError, Principal, Provider};
use crate::access::secret;

/// A login that has begun. The browser must not be able to change it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// What the provider gives back unchanged; it has to be the same.
    pub state: String,
    /// Stands in the token that answers this login, and in no other.
    pub nonce: String,
    /// What redeems the code.
    pub verifier: String,
}

/// Why nobody is logged in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random,
    /// The provider, or its token.
    #[error(transparent)]
    Oidc(#[from] OidcError),
    /// The token answers another login.
    #[error("the provider's answer belongs to another login")]
    Other,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

impl Provider {
    /// Begins a login: where to send the browser, and what to keep of it. `redirect` is where it comes back.
    ///
    /// # Errors
    /// The provider cannot be asked where its page is.
    pub async fn begin(&self, redirect: &str) -> Result<(String, Begun), LoginError> {
        let made = || secret("o").map_err(|_| LoginError::Random);
        let begun = Begun {
            state: made()?,
            nonce: made()?,
            verifier: made()?,
        };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&begun.verifier));
        let metadata = self.keys.metadata().await?;
        let query = [
            ("response_type", "code"),
            ("client_id", &self.settings.client_id),
            ("redirect_uri", redirect),
            ("scope", &self.settings.scope),
            ("state", &begun.state),
            ("nonce", &begun.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let query: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{name}={}", escaped(value)))
            .collect();
        let place = &metadata.authorization_endpoint;
        let joint = if place.contains('?') { '&' } else { '?' };
        Ok((format!("{place}{joint}{}", query.join("&")), begun))
    }

    /// Redeems the code that the browser has brought back with the same state.
    ///
    /// # Errors
    /// The provider does not take it, its token does not count, or it answers another login.
    pub async fn finish(
        &self,
        (code, state, redirect): (&str, &str, &str),
        begun: &Begun,
    ) -> Result<Principal, LoginError> {
        if state != begun.state {
            return Err(LoginError::Other);
        }
        let metadata = self.keys.metadata().await?;
        let mut form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", redirect.to_owned()),
            ("client_id", self.settings.client_id.clone()),
            ("code_verifier", begun.verifier.clone()),
        ];
        if let Some(secret) = self.client_secret()? {
            form.push(("client_secret", secret));
        }
        let tokens: Tokens = self.keys.post(&metadata.token_endpoint, form).await?;
        let claims = self
            .claims(&tokens.id_token, &self.settings.client_id)
            .await?;
        let nonce = claims.get("nonce").and_then(serde_json::Value::as_str);
        if nonce != Some(begun.nonce.as_str()) {
            return Err(LoginError::Other);
        }
        Ok(self.principal(&claims)?)
    }
}

impl Provider {
    /// Our secret at the provider, read anew each time; a client without one proves itself by its verifier alone.
    fn client_secret(&self) -> Result<Option<String>, OidcError> {
        let path = match self.settings.client_secret_file.as_str() {
            "" => match std::env::var_os("CREDENTIALS_DIRECTORY") {
                Some(folder) => Path::new(&folder).join("oidc-client-secret"),
                None => return Ok(None),
            },
            path => PathBuf::from(path),
        };
        if self.settings.client_secret_file.is_empty() && !path.is_file() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let why = format!("oidc.client_secret_file {}: {error}", path.display());
            OidcError::Provider(self.settings.issuer.clone(), why)
        })?;
        Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

/// A value of a query (RFC 3986, section 2.3).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}
