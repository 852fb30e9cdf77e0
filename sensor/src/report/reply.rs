//! The answer to a command. It says what the blocklist said, and adds nothing.

use contract::reply::Reply;
use rumqttc::v5::mqttbytes::v5::PublishProperties;

use super::connection::Packed;
use super::envelope::Dispatch;
use contract::envelope::Envelope;
use contract::topics::Topics;

/// How long a reply is worth delivering: the longest a command can be valid.
const WORTH: std::time::Duration = std::time::Duration::from_secs(86_400);

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
        };
        let dispatch = Dispatch {
            envelope,
            expiry: Some(WORTH),
        };
        let packed = dispatch.pack(topics.reply(&self.reply.id), body);
        Some(Packed {
            properties: PublishProperties {
                correlation_data: self.correlation.map(Into::into),
                ..packed.properties
            },
            ..packed
        })
    }
}
