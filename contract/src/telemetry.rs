//! The figures of each minute, as a sensor publishes them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::timestamp::Timestamp;

/// The figures of a minute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Telemetry {
    /// When they were taken.
    pub at: Timestamp,
    /// The sensor's site.
    pub site: String,
    /// The sensor.
    pub sensor: String,
    /// What was counted since the program began.
    pub figures: Figures,
    /// The outbox.
    pub outbox: OutboxFigures,
    /// The records.
    pub store: StoreFigures,
    /// Where the audit trail ends: whoever keeps it can tell that nothing before was changed or cut off.
    pub audit: Option<AuditFigures>,
    /// Conditions that stand, by name.
    pub conditions: Vec<String>,
    /// The block list; nothing where the sensor was too busy to say.
    pub blocks: Option<Digest>,
}

/// The outbox in figures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutboxFigures {
    /// Messages the broker has not taken.
    pub pending: u64,
    /// Messages it has, which can be sent again.
    pub sent: u64,
    /// Bytes of both.
    pub bytes: u64,
    /// The oldest that can be sent again.
    pub first: Option<u64>,
    /// The last number before this message.
    pub last: u64,
}

/// The store in figures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StoreFigures {
    /// Entries that wait to be written.
    pub waiting: u64,
    /// Entries that were given up, by kind.
    pub lost: BTreeMap<String, u64>,
    /// Size of the file, bytes.
    pub bytes: u64,
}

/// The end of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditFigures {
    /// The last entry's number.
    pub seq: u64,
    /// Its hash, in hexadecimal.
    pub hash: String,
}

/// What the sensor has counted since it started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Figures {
    /// The model that scores.
    pub model: ModelFigures,
    /// Seconds since the program began.
    pub uptime: u64,
    /// Packets seen, by interface.
    pub packets: BTreeMap<String, u64>,
    /// Frames, packets and snapshots that could not be counted as they should, by cause.
    pub losses: BTreeMap<String, u64>,
    /// Snapshots judged.
    pub snapshots: u64,
    /// Decisions, by class and decision, as `scan/block`.
    pub decisions: BTreeMap<String, u64>,
    /// Entries in each table.
    pub tables: BTreeMap<String, u64>,
}

/// A model's name and hash.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelFigures {
    /// Its name.
    pub name: String,
    /// SHA-256 of its file, in hexadecimal.
    pub sha256: String,
}
