//! Who has something done, and how it is answered. Nothing here acts; the blocklist does.

use contract::record::Origin;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use detection::policy::Exemption;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// By what authority.
    pub origin: Origin,
    /// The user or the key, as the audit writes it: `root (uid 0)`, `key ops-1`.
    pub name: String,
}

/// What came of an action, in one sentence for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// What is the case now.
    pub message: String,
}

impl Done {
    /// This is the case now.
    pub const fn new(message: String) -> Self {
        Self { message }
    }
}

/// Why an action was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The target must not be blocked.
    #[error("{target} cannot be blocked: {exemption}")]
    Exempt {
        /// Who.
        target: IpNet,
        /// Why.
        exemption: Exemption,
    },
    /// There is nothing of that name.
    #[error("{0}")]
    NotFound(String),
    /// It makes no sense as it stands.
    #[error("{0}")]
    Invalid(String),
    /// It is not possible now.
    #[error("{0}")]
    Conflict(String),
    /// The kernel refused.
    #[error("{0}")]
    Failed(String),
}
