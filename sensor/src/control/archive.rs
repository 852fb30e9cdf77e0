//! What control asks of the store. It must not change anything there, but for entering a change that was refused.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::answer::{AuditVerification, IncidentHistory, Labelled, PastBlock};
use contract::class::Class;
use contract::record::{AuditEntry, Review, ReviewState};
use contract::timestamp::Timestamp;

/// The records as they were committed. Every question may read files, so none is asked on an asynchronous thread.
pub trait Archive: Send + Sync {
    /// The last revisions of incidents, the newest first.
    fn incidents(&self, filter: &IncidentFilter) -> Result<Vec<Value>, ArchiveError>;

    /// One incident; nothing where there is none of that id.
    fn incident(&self, id: &str) -> Result<Option<IncidentHistory>, ArchiveError>;

    /// Blocks of an address and of prefixes that hold it, the newest first.
    fn history(&self, address: IpAddr, limit: usize) -> Result<Vec<PastBlock>, ArchiveError>;

    /// Reviews in this state, or in any, the newest first.
    fn reviews(
        &self,
        state: Option<ReviewState>,
        limit: usize,
    ) -> Result<Vec<Review>, ArchiveError>;

    /// Snapshots that people have labelled, the oldest first, from the one numbered `from` on.
    fn labelled(&self, from: usize, limit: usize) -> Result<Vec<Labelled>, ArchiveError>;

    /// Audit entries in order, from this number on, or else the last ones.
    fn audit(&self, from: Option<u64>, limit: usize) -> Result<Vec<AuditEntry>, ArchiveError>;

    /// Checks the whole audit chain.
    fn verify_audit(&self) -> Result<AuditVerification, ArchiveError>;

    /// Has a change audited that never reached the blocklist. It returns at once.
    fn refused(&self, change: RefusedChange);
}

/// Which incidents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentFilter {
    /// At most so many.
    pub limit: usize,
    /// Decided at this time or later.
    pub since: Option<Timestamp>,
    /// Decided before this time.
    pub before: Option<Timestamp>,
    /// About an offender or victim in this network.
    pub net: Option<IpNet>,
    /// Of this class.
    pub class: Option<Class>,
}

/// A change that somebody asked for who may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedChange {
    /// Who.
    pub by: String,
    /// What, in the words of the command line.
    pub action: String,
    /// To what.
    pub object: String,
    /// Why it was refused.
    pub outcome: String,
}

/// The store cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the store cannot be read: {0}")]
pub struct ArchiveError(pub String);
