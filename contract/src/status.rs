//! The retained status of a sensor, and, as its last will, that it is not there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::telemetry::ModelFigures;
use crate::timestamp::Timestamp;

/// The retained status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// Whether the sensor is connected.
    pub state: State,
    /// When this was written; of a last will, when the connection began that is lost.
    pub at: Timestamp,
    /// The sensor's site.
    pub site: String,
    /// The sensor.
    pub sensor: String,
    /// The program's version.
    pub version: String,
    /// The machine's boot: another one after each reboot.
    pub boot_id: String,
    /// When the program began.
    pub started: Timestamp,
    /// The model that scores.
    pub model: ModelFigures,
    /// The outbox to which `seq` belongs; nothing while the store cannot be used.
    pub epoch: Option<String>,
    /// The last number of the outbox: whoever has not seen it misses something, or will see it soon.
    pub seq: u64,
    /// The block list; nothing while it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks: Option<Digest>,
}

/// Whether the sensor is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is.
    Online,
    /// It was stopped.
    Stopped,
    /// Its connection broke.
    Offline,
}

impl State {
    /// The state in one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Stopped => "stopped",
            Self::Offline => "offline",
        }
    }
}
