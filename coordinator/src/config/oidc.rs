//! `[oidc]`: whose word counts beside our own users and tokens.

use serde::{Deserialize, Serialize};

/// `[oidc]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Oidc {
    /// The provider's URL, as it calls itself; empty asks nobody.
    pub issuer: String,
    /// Whom tokens of programs must be for.
    pub audience: String,
    /// Our name at the provider, for people's logins.
    pub client_id: String,
    /// The file that holds our secret there.
    pub client_secret_file: String,
    /// What a login asks for.
    pub scope: String,
    /// The claim that names roles.
    pub role_claim: String,
    /// What stands in front of a role's name there.
    pub role_prefix: String,
    /// The claim that names sites; empty lets everybody see all.
    pub site_claim: String,
    /// Whose signature the provider's certificate needs.
    pub ca_file: String,
}

impl Default for Oidc {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audience: "garita-coordinator".to_owned(),
            client_id: "garita-coordinator".to_owned(),
            client_secret_file: String::new(),
            scope: "openid profile".to_owned(),
            role_claim: "roles".to_owned(),
            role_prefix: "garita-".to_owned(),
            site_claim: String::new(),
            ca_file: "/etc/ssl/certs/ca-certificates.crt".to_owned(),
        }
    }
}
