//! What a reader hands out. Plain facts; text in them came from outside and is not yet safe to print.

use std::net::IpAddr;

use ipnet::IpNet;

use contract::class::Class;
use contract::record::{Allowance, Block, Review};
use contract::timestamp::Timestamp;

use super::entry::{LastRevision, Message};

/// Everything that has to be known again after a restart.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Blocks neither released nor expired.
    pub blocks: Vec<Block>,
    /// Offences that were counted.
    pub offences: Vec<Offences>,
    /// Allowances neither taken back nor expired.
    pub allowances: Vec<Allowance>,
    /// Reviews that still wait, lapsed or not.
    pub reviews: Vec<Review>,
    /// Incidents that nobody has ended.
    pub open: Vec<LastRevision>,
    /// The settings.
    pub settings: std::collections::HashMap<String, String>,
    /// Where the audit trail ends.
    pub audit_head: Option<AuditHead>,
}

/// The offences of one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offences {
    /// Whose.
    pub address: IpAddr,
    /// How many.
    pub count: u32,
    /// When the block for the last one ends or ended.
    pub served: Timestamp,
}

/// The last entry of the audit trail: whoever knows it can tell that nothing before it was changed or cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditHead {
    /// Its number.
    pub seq: u64,
    /// Its hash, hexadecimal.
    pub hash: String,
}

/// What a look through the audit trail finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditCheck {
    /// Every entry follows from the one before.
    Whole {
        /// How many there are.
        entries: u64,
        /// Where it ends; nothing in an empty trail.
        head: Option<AuditHead>,
    },
    /// Something was changed, put in or taken out.
    Broken {
        /// The first number at which it shows.
        seq: u64,
        /// How.
        why: &'static str,
    },
}

/// Part of a longer list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// How many at most.
    pub limit: u32,
    /// How many to pass over.
    pub skip: u32,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            limit: 100,
            skip: 0,
        }
    }
}

/// Which incidents are wanted; an empty query wants all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentQuery {
    /// Those that changed at this time or later.
    pub since: Option<Timestamp>,
    /// Those that last changed before this time.
    pub before: Option<Timestamp>,
    /// Those whose offender or victim is in it.
    pub net: Option<IpNet>,
    /// Those of this class.
    pub class: Option<Class>,
}

/// An incident as it was last known, or one revision of it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredIncident {
    /// Its `event.id`.
    pub id: String,
    /// Counts from 1.
    pub revision: u32,
    /// `begun`, `changed` or `ended`.
    pub stage: String,
    /// What was done.
    pub class: Class,
    /// What was decided.
    pub decision: String,
    /// 1 to 4.
    pub severity: u8,
    /// The offender, or the victim where there is none.
    pub address: IpAddr,
    /// When the incident began.
    pub begun: Timestamp,
    /// When this was decided.
    pub updated: Timestamp,
    /// The ECS document, JSON.
    pub document: String,
    /// The feature vector of the deciding snapshot, in the order of `feature_list`.
    pub features: Vec<f32>,
    /// Which list of features, by the hash of their names.
    pub feature_list: String,
}

/// A block and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastBlock {
    /// As it last was.
    pub block: Block,
    /// How it ended before it expired.
    pub released: Option<Released>,
}

/// How a block ended before it expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A person's answer beside what the model saw: a label for training.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// The answered review.
    pub review: Review,
    /// The revision that was asked about.
    pub incident: StoredIncident,
}

/// A message in the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Its number, never used twice in this file.
    pub seq: u64,
    /// The message.
    pub message: Message,
    /// Whether the broker has taken it.
    pub sent: bool,
}

/// What the outbox holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutboxExtent {
    /// Messages the broker has not taken.
    pub pending: u64,
    /// Messages it has, which can be sent again.
    pub sent: u64,
    /// Bytes of both.
    pub bytes: u64,
    /// The oldest that can be sent, or sent again.
    pub first: Option<u64>,
    /// The last that was ever numbered; 0 before the first.
    pub last: u64,
}

/// Messages that were dropped, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped {
    /// The first of them.
    pub first: u64,
    /// The last of them.
    pub last: u64,
}
