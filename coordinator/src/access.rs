//! Who may do what: roles and sites, passwords, tokens. Routes state the role they take elsewhere.

pub mod oidc;
mod password;
mod secret;

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::store::Scope;

pub use password::{PasswordError, hash, verify};
pub use secret::{digest, secret};

/// What somebody may do; each may do what those before may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Look.
    Viewer,
    /// Answer reviews.
    Analyst,
    /// Block, allow, release.
    Responder,
    /// Give access.
    Admin,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Analyst, Self::Responder, Self::Admin];

    /// The role in one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Analyst => "analyst",
            Self::Responder => "responder",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a role; allowed are viewer, analyst, responder or admin")]
pub struct NoRole(String);

impl FromStr for Role {
    type Err = NoRole;

    fn from_str(word: &str) -> Result<Self, NoRole> {
        let known = Self::ALL.into_iter().find(|role| role.as_str() == word);
        known.ok_or_else(|| NoRole(word.to_owned()))
    }
}

/// Somebody who was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// As the audit trail writes it: `user anna`, `token siem`.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Where.
    pub scope: Scope,
}
