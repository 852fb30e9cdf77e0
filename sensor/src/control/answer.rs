//! What control answers, beside the records themselves: read by the command line and by whoever speaks HTTP.
//! Plain facts; nothing here looks anything up.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::blocklist::{Enforcement, TargetState};
use contract::class::Class;
use contract::record::{Allowance, Block};
use contract::timestamp::Timestamp;

/// Some of many, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// These.
    pub items: Vec<T>,
    /// What to ask for as `after` to be told more; nothing where these are the last.
    pub next: Option<String>,
}

/// Why something was not done or not found, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorText {
    /// The sentence.
    pub error: String,
}

/// What came of one action of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It was done; what is the case now.
    Message(String),
    /// It was not done, and why.
    Error(String),
}

/// Everything that is known of one address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Which.
    pub address: IpAddr,
    /// What holds now.
    pub standing: TargetState,
    /// Whether blocks are enforced.
    pub enforcement: Enforcement,
    /// Its blocks so far, those in force among them, the newest first.
    pub history: Vec<PastBlock>,
    /// The last revisions of its incidents, the newest first.
    pub incidents: Vec<Value>,
    /// Why history and incidents are missing; nothing where they are not.
    pub missing: Option<String>,
}

/// A block as history keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastBlock {
    /// What was ordered.
    #[serde(flatten)]
    pub block: Block,
    /// When it was lifted before its time.
    pub released: Option<Timestamp>,
    /// Who lifted it.
    pub released_by: Option<String>,
    /// Why it was lifted.
    pub release_reason: Option<String>,
}

/// What lies around an address or prefix: what holds it, and what it holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overlaps {
    /// What was looked for.
    pub target: IpNet,
    /// Blocks that share an address with it.
    pub blocks: Vec<Block>,
    /// Whether there are more of them than are told.
    pub more: bool,
    /// Networks that share an address with it and cannot be blocked.
    pub allowances: Vec<Allowance>,
    /// Why it cannot be blocked, in a sentence; only asked of a single address.
    pub exempt: Option<String>,
    /// Whether it is inside, and so reviewed instead of blocked; only asked of a single address.
    pub home: bool,
}

/// One incident from its beginning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentHistory {
    /// The ECS documents, the oldest first.
    pub revisions: Vec<Value>,
    /// What the model saw in the deciding snapshot of each revision, in the order of [`detection::features::NAMES`]; empty
    /// where it saw nothing.
    pub features: Vec<Vec<f32>>,
}

/// The audit, checked link by link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditVerification {
    /// Entries that follow from one another.
    pub entries: u64,
    /// The first that does not follow from the one before.
    pub broken: Option<u64>,
    /// What is wrong with it, where anything is.
    pub why: Option<String>,
}

/// A snapshot that a person has labelled by answering a review.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Labelled {
    /// The review, which is the incident's `event.id`.
    pub review: String,
    /// Whom it was about.
    pub address: IpAddr,
    /// What it is: the class of the review where it was approved, `benign` where it was dismissed.
    pub class: Class,
    /// Who said so.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What the model saw, in the order of [`detection::features::NAMES`].
    pub features: Vec<f32>,
}
