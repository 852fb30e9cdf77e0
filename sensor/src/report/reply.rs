//! The answer to a command. It says what the warden said, and adds nothing.

use rumqttc::v5::mqttbytes::v5::PublishProperties;
use schemars::JsonSchema;
use serde::Serialize;

use super::envelope::Envelope;
use super::link::Packed;
use super::topics::Topics;
use crate::timestamp::Timestamp;

/// How long a reply is worth delivering: the longest a command can be valid.
const WORTH: std::time::Duration = std::time::Duration::from_secs(86_400);

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Reply {
    /// The command's id.
    pub(super) id: String,
    /// The site of the sensor that answers.
    pub(super) site: String,
    /// The sensor that answers.
    pub(super) sensor: String,
    /// When.
    pub(super) at: Timestamp,
    /// What came of the command.
    pub(super) outcome: ReplyOutcome,
    /// Why it was refused, in one word for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'static str>,
    /// What is the case now, or why it was refused, in a sentence.
    pub(super) message: String,
    /// What is sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resync: Option<ResyncReply>,
}

/// What came of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ReplyOutcome {
    /// It was carried out.
    Done,
    /// It was not.
    Refused,
}

/// What is sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct ResyncReply {
    /// The outbox these numbers belong to.
    pub(super) epoch: Option<String>,
    /// The first number that is still kept, from the one that was asked for on.
    pub(super) first: u64,
    /// The last number there is.
    pub(super) last: u64,
    /// Ranges in between that were dropped before they were sent, the first of them if they are very many.
    pub(super) dropped: Vec<Span>,
}

/// Numbers from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Span {
    /// The first.
    pub(super) first: u64,
    /// The last.
    pub(super) last: u64,
}

/// A reply and what its command wanted to see on it.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) reply: Reply,
    pub(super) correlation: Option<Vec<u8>>,
}

impl Answer {
    /// The message as it goes out.
    pub(super) fn pack(self, topics: &Topics) -> Option<Packed> {
        let body = serde_json::to_string(&self.reply).ok()?;
        let envelope = Envelope {
            id: format!("{}-reply", self.reply.id),
            kind: "garita.reply".to_owned(),
            time: self.reply.at,
            source: topics.root(),
            place: None,
            expiry: Some(WORTH),
        };
        let packed = envelope.pack(topics.reply(&self.reply.id), body);
        Some(Packed {
            properties: PublishProperties {
                correlation_data: self.correlation.map(Into::into),
                ..packed.properties
            },
            ..packed
        })
    }
}
