//! A message in its envelope as MQTT 5 carries it, and when it is worthless.
//! It must not look into the body.

use std::time::Duration;

use contract::envelope::{Envelope, JSON};
use rumqttc::v5::mqttbytes::v5::{LastWillProperties, PublishProperties};

use super::connection::Packed;

/// What a packet takes beside its topic, body and user properties, at most, bytes: headers, lengths, identifier,
/// expiry, content type and format.
const HEADERS: usize = 64;
/// What a user property takes beside its text, bytes.
const PROPERTY: usize = 5;

/// A message's envelope and how long it is worth delivering.
#[derive(Debug, Clone)]
pub(super) struct Dispatch {
    pub(super) envelope: Envelope,
    /// How much longer it is worth delivering.
    pub(super) expiry: Option<Duration>,
}

impl Dispatch {
    /// How many bytes of a packet of at most `max` bytes are left for the body.
    pub(super) fn left(&self, topic: &str, max: usize) -> usize {
        let attributes = self.envelope.attributes();
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
                user_properties: self.envelope.attributes(),
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
            user_properties: self.envelope.attributes(),
        }
    }
}
