//! The retained status: whether the sensor is there, what it runs, where its numbers stand, and its block list's digest.
//! The same document, as last will, says that it is not there.

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::LastWill;
use schemars::JsonSchema;
use serde::Serialize;

use super::digest::Digest;
use super::envelope::Envelope;
use super::figures::ModelFigures;
use super::link::Packed;
use super::topics::Topics;
use crate::timestamp::Timestamp;

/// The retained status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Status {
    /// Whether the sensor is connected.
    pub(super) state: State,
    /// When this was written; of a last will, when the connection began that is lost.
    pub(super) at: Timestamp,
    /// The sensor's site.
    pub(super) site: String,
    /// The sensor.
    pub(super) sensor: String,
    /// The program's version.
    pub(super) version: String,
    /// The machine's boot: another one after each reboot.
    pub(super) boot_id: String,
    /// When the program began.
    pub(super) started: Timestamp,
    /// The model that scores.
    pub(super) model: ModelFigures,
    /// The outbox to which `seq` belongs; nothing while the store cannot be used.
    pub(super) epoch: Option<String>,
    /// The last number of the outbox: whoever has not seen it misses something, or will see it soon.
    pub(super) seq: u64,
    /// The block list; nothing while it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) blocks: Option<Digest>,
}

/// Whether the sensor is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// It is.
    Online,
    /// It was stopped.
    Stopped,
    /// Its connection broke.
    Offline,
}

impl Status {
    /// The retained message.
    pub(super) fn pack(&self, topics: &Topics) -> Option<Packed> {
        let body = serde_json::to_string(self).ok()?;
        let packed = self.envelope(topics).pack(topics.status(), body);
        Some(Packed {
            retain: true,
            ..packed
        })
    }

    /// What the broker is to say if the connection breaks.
    pub(super) fn will(&self, topics: &Topics) -> LastWill {
        let offline = Self {
            state: State::Offline,
            blocks: None,
            ..self.clone()
        };
        let body = serde_json::to_vec(&offline).unwrap_or_default();
        let properties = Some(offline.envelope(topics).last());
        LastWill::new(topics.status(), body, QoS::AtLeastOnce, true, properties)
    }

    fn envelope(&self, topics: &Topics) -> Envelope {
        let state = match self.state {
            State::Online => "online",
            State::Stopped => "stopped",
            State::Offline => "offline",
        };
        Envelope {
            id: format!("{}-{}-{state}", self.boot_id, self.at.micros()),
            kind: "garita.status".to_owned(),
            time: self.at,
            source: topics.root(),
            place: None,
            expiry: None,
        }
    }
}
