//! Whom an OpenID provider vouches for: tokens that it has signed, and people whom it sends back with a code. A key is only
//! ever used with an algorithm of its own kind; what is not signed, or signed with a shared secret, is refused.

mod keys;
mod login;

use jsonwebtoken::{Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::{Principal, Role};
use crate::config::Oidc;
use crate::store::Scope;

use keys::Keys;
pub use login::{Begun, LoginError};

/// How far the provider's clock may be ahead of ours or behind, seconds.
const LEEWAY: u64 = 30;
/// The longest token, bytes: providers put every group of a person into it.
const MAX_TOKEN: usize = 16 * 1_024;
/// The longest name, characters.
const MAX_NAME: usize = 128;

type Claims = Map<String, Value>;

/// Why somebody is not let in by a provider's word.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// The provider cannot be asked.
    #[error("the OpenID provider {0} cannot be asked: {1}")]
    Provider(String, String),
    /// What was shown is no token that counts.
    #[error("the token does not count: {0}")]
    Token(#[from] jsonwebtoken::errors::Error),
    /// It is signed in a way that proves nothing, or with a key that the provider does not have.
    #[error("the token is not signed with a key of the provider")]
    Key,
    /// It says nothing of a role.
    #[error("the token's claim {0:?} names no role")]
    Role(String),
    /// It says nothing of sites.
    #[error("the token's claim {0:?} names no sites")]
    Sites(String),
}

/// A provider, and the keys it has published.
#[derive(Debug)]
pub struct Provider {
    settings: Oidc,
    keys: Keys,
}

impl Provider {
    /// The provider of the settings; nothing where none is set. It is not asked before somebody shows a token.
    ///
    /// # Errors
    /// The file of its authorities cannot be used.
    pub fn new(settings: &Oidc) -> Result<Option<Self>, OidcError> {
        if settings.issuer.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            settings: settings.clone(),
            keys: Keys::new(settings)?,
        }))
    }

    /// Whether something shown as a bearer token looks as if a provider had signed it. Our own have no dots.
    pub fn looks_signed(token: &str) -> bool {
        token.len() <= MAX_TOKEN && token.starts_with("eyJ") && token.matches('.').count() == 2
    }

    /// Who shows a token.
    ///
    /// # Errors
    /// It is not signed by the provider, is not for us, does not hold now, or names no role.
    pub async fn verify(&self, token: &str) -> Result<Principal, OidcError> {
        let claims = self.claims(token, &self.settings.audience).await?;
        self.principal(&claims)
    }

    async fn claims(&self, token: &str, audience: &str) -> Result<Claims, OidcError> {
        let header = decode_header(token)?;
        let key = self.keys.find(&header).await?;
        let mut validation = Validation::new(header.alg);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&self.settings.issuer]);
        validation.set_audience(&[audience]);
        Ok(decode::<Claims>(token, &key, &validation)?.claims)
    }

    fn principal(&self, claims: &Claims) -> Result<Principal, OidcError> {
        let Oidc {
            role_claim,
            role_prefix,
            site_claim,
            ..
        } = &self.settings;
        let words = words(claims, role_claim);
        let roles = words.iter().filter_map(|word| {
            let word = word.strip_prefix(role_prefix.as_str())?;
            word.parse::<Role>().ok()
        });
        let role = roles.max();
        let role = role.ok_or_else(|| OidcError::Role(role_claim.clone()))?;
        let scope = match site_claim.as_str() {
            "" => Scope::default(),
            claim => sites(claims, claim)?,
        };
        let subject = claims
            .get("sub")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let subject = contract::printable::printable(subject);
        let subject: String = subject.chars().take(MAX_NAME).collect();
        Ok(Principal {
            name: format!("oidc {subject}"),
            role,
            scope,
        })
    }
}

/// The sites of a claim; `*` is all of them.
fn sites(claims: &Claims, claim: &str) -> Result<Scope, OidcError> {
    let words = words(claims, claim);
    if words.iter().any(|word| word == "*") {
        return Ok(Scope::default());
    }
    let sites: Vec<String> = words
        .into_iter()
        .filter(|word| contract::topics::is_name(word))
        .collect();
    match sites.is_empty() {
        true => Err(OidcError::Sites(claim.to_owned())),
        false => Ok(Scope(sites)),
    }
}

/// The words of a claim, which is a text with spaces or a list of texts; dots lead into objects, as in `realm_access.roles`.
fn words(claims: &Claims, claim: &str) -> Vec<String> {
    let nested = || {
        let mut parts = claim.split('.');
        let first = claims.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    };
    match claims.get(claim).or_else(nested) {
        Some(Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
        Some(Value::Array(items)) => {
            let texts = items.iter().filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn provider(change: impl FnOnce(&mut Oidc)) -> Provider {
        let mut settings = Oidc {
            issuer: "https://login.example".to_owned(),
            ca_file: String::new(),
            ..Oidc::default()
        };
        change(&mut settings);
        Provider::new(&settings).unwrap().unwrap()
    }

    fn claims(value: Value) -> Claims {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn the_highest_role_of_a_claim_counts_and_a_claim_may_lie_deep() {
        let provider = provider(|settings| {
            settings.role_claim = "realm_access.roles".to_owned();
            settings.role_prefix = "garita-".to_owned();
        });
        let said = json!({"sub": "anna", "realm_access": {"roles": ["garita-viewer", "garita-responder", "admin"]}});
        let who = provider.principal(&claims(said)).unwrap();
        assert_eq!(
            (who.name.as_str(), who.role),
            ("oidc anna", Role::Responder)
        );
        let none = json!({"sub": "anna", "realm_access": {"roles": ["admin"]}});
        assert!(provider.principal(&claims(none)).is_err());
    }

    #[test]
    fn who_names_no_site_sees_none_where_sites_are_asked_for() {
        let provider = provider(|settings| settings.site_claim = "sites".to_owned());
        let with = |sites: Value| {
            let role = &provider.settings.role_claim;
            provider.principal(&claims(
                json!({"sub": "a", role: "garita-viewer", "sites": sites}),
            ))
        };
        assert_eq!(
            with(json!("north south")).unwrap().scope.0,
            ["north", "south"]
        );
        assert!(with(json!(["*"])).unwrap().scope.is_all());
        for none in [json!(null), json!([]), json!("' OR 1=1")] {
            assert!(matches!(with(none), Err(OidcError::Sites(_))));
        }
    }
}
