//! An incident as it was stored: the part of the ECS document that is worded for a person.
//! What is not there is left out; an older document is no error.

use std::net::IpAddr;

use contract::timestamp::Timestamp;
use serde::Deserialize;

/// The document.
#[derive(Debug, Clone, Deserialize)]
pub struct StoredIncident {
    /// When it was decided.
    #[serde(rename = "@timestamp")]
    pub at: Timestamp,
    /// `event`
    pub event: Event,
    /// What happened, in one sentence.
    #[serde(default)]
    pub message: String,
    /// `garita`
    pub garita: Garita,
}

/// `event`
#[derive(Debug, Clone, Deserialize)]
pub struct Event {
    /// The incident.
    pub id: String,
    /// 1 to 4.
    #[serde(default)]
    pub severity: u8,
    /// 0 to 100.
    #[serde(default)]
    pub risk_score: u8,
    /// The first packet.
    pub start: Timestamp,
    /// The last packet so far.
    pub end: Timestamp,
}

/// `garita`
#[derive(Debug, Clone, Deserialize)]
pub struct Garita {
    /// Who to act on.
    pub offender: Option<IpAddr>,
    /// Who suffers a `ddos`.
    pub victim: Option<IpAddr>,
    /// What is being done.
    pub class: String,
    /// `block`, `review` or `alert`.
    pub decision: String,
    /// Why a person decides.
    pub reason: Option<String>,
    /// What enforcement made of it.
    pub outcome: Option<String>,
    /// Counts from 1.
    #[serde(default)]
    pub revision: u32,
    /// What has accumulated.
    pub evidence: Option<Evidence>,
    /// What spoke for the decision.
    #[serde(default)]
    pub explanation: Vec<Explanation>,
    /// The block.
    pub block: Option<Block>,
    /// Which model scored.
    pub model: Option<Model>,
}

/// `garita.evidence`
#[derive(Debug, Clone, Deserialize)]
pub struct Evidence {
    /// The highest sum.
    pub log_odds: f64,
    /// Snapshots against the address.
    pub snapshots: u32,
    /// Packets by the decision.
    pub packets_before: u64,
    /// Whether the address is its own.
    pub proven: bool,
}

/// An item of `garita.explanation`
#[derive(Debug, Clone, Deserialize)]
pub struct Explanation {
    /// In words.
    pub text: String,
    /// How far it moved the decision, negative away from an attack.
    pub contribution: f64,
}

/// `garita.block`
#[derive(Debug, Clone, Deserialize)]
pub struct Block {
    /// Address or prefix.
    pub target: String,
    /// Until when.
    pub expires: Timestamp,
}

/// `garita.model`
#[derive(Debug, Clone, Deserialize)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Hash of its file.
    pub sha256: String,
}

impl StoredIncident {
    /// The offender, or the victim where there are too many.
    pub fn subject(&self) -> String {
        let address = self.garita.offender.or(self.garita.victim);
        address.map_or_else(|| "-".to_owned(), |address| address.to_string())
    }

    /// The decision, and what came of it: `block (enforced)`.
    pub fn decided(&self) -> String {
        match &self.garita.outcome {
            Some(outcome) => format!("{} ({outcome})", self.garita.decision),
            None => self.garita.decision.clone(),
        }
    }
}
