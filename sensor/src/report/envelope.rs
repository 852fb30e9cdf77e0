//! What stands around a body: CloudEvents 1.0 in binary mode, as user properties, and when the message is worthless.
//! It must not look into the body.

use std::time::Duration;

use rumqttc::v5::mqttbytes::v5::{LastWillProperties, PublishProperties};

use super::link::Packed;
use crate::timestamp::Timestamp;

/// The media type of every body.
const JSON: &str = "application/json";
/// What a packet takes beside its topic, body and user properties, at most, bytes: headers, lengths, identifier,
/// expiry, content type and format.
const HEADERS: usize = 64;
/// What a user property takes beside its text, bytes.
const PROPERTY: usize = 5;

/// The attributes of a message.
#[derive(Debug, Clone)]
pub(super) struct Envelope {
    /// The CloudEvents `id`.
    pub(super) id: String,
    /// The CloudEvents `type`.
    pub(super) kind: String,
    /// The CloudEvents `time`.
    pub(super) time: Timestamp,
    /// The CloudEvents `source`.
    pub(super) source: String,
    /// Its number in the outbox, and of which outbox; nothing where it never was in one.
    pub(super) place: Option<(u64, String)>,
    /// How much longer it is worth delivering.
    pub(super) expiry: Option<Duration>,
}

impl Envelope {
    fn attributes(&self) -> Vec<(String, String)> {
        let mut attributes = vec![
            ("specversion".to_owned(), "1.0".to_owned()),
            ("id".to_owned(), self.id.clone()),
            ("source".to_owned(), self.source.clone()),
            ("type".to_owned(), self.kind.clone()),
            ("time".to_owned(), self.time.to_string()),
            ("datacontenttype".to_owned(), JSON.to_owned()),
        ];
        if let Some((seq, epoch)) = &self.place {
            attributes.push(("seq".to_owned(), seq.to_string()));
            attributes.push(("epoch".to_owned(), epoch.clone()));
        }
        attributes
    }

    /// How many bytes of a packet of at most `max` bytes are left for the body.
    pub(super) fn left(&self, topic: &str, max: usize) -> usize {
        let attributes = self.attributes();
        let attributes = attributes
            .iter()
            .map(|(key, value)| PROPERTY + key.len() + value.len());
        max.saturating_sub(HEADERS + topic.len() + attributes.sum::<usize>())
    }

    /// The message as it goes out.
    pub(super) fn pack(&self, topic: String, body: String) -> Packed {
        let expiry = self
            .expiry
            .map(|left| u32::try_from(left.as_secs()).unwrap_or(u32::MAX).max(1));
        Packed {
            topic,
            retain: false,
            body,
            properties: PublishProperties {
                payload_format_indicator: Some(1),
                message_expiry_interval: expiry,
                content_type: Some(JSON.to_owned()),
                user_properties: self.attributes(),
                ..PublishProperties::default()
            },
        }
    }

    /// The same for a last will.
    pub(super) fn last(&self) -> LastWillProperties {
        LastWillProperties {
            delay_interval: None,
            payload_format_indicator: Some(1),
            message_expiry_interval: None,
            content_type: Some(JSON.to_owned()),
            response_topic: None,
            correlation_data: None,
            user_properties: self.attributes(),
        }
    }
}
