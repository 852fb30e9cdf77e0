//! The sensor's figures as telemetry sends them. It only names them; the agent counts.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// What the sensor has counted since it started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ModelFigures {
    /// Its name.
    pub name: String,
    /// SHA-256 of its file, in hexadecimal.
    pub sha256: String,
}
