//! How the retained status is published, and the same document as last will.

use contract::envelope::Envelope;
use contract::status::{State, Status};
use contract::topics::Topics;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::LastWill;

use super::connection::Packed;
use super::envelope::Dispatch;

/// The retained message.
pub(super) fn pack(status: &Status, topics: &Topics) -> Option<Packed> {
    let body = serde_json::to_string(status).ok()?;
    let packed = dispatch(status, topics).pack(topics.status(), body);
    Some(Packed {
        retain: true,
        ..packed
    })
}

/// What the broker is to say if the connection breaks.
pub(super) fn will(status: &Status, topics: &Topics) -> LastWill {
    let offline = Status {
        state: State::Offline,
        blocks: None,
        ..status.clone()
    };
    let body = serde_json::to_vec(&offline).unwrap_or_default();
    let properties = Some(dispatch(&offline, topics).last());
    LastWill::new(topics.status(), body, QoS::AtLeastOnce, true, properties)
}

fn dispatch(status: &Status, topics: &Topics) -> Dispatch {
    let state = status.state.as_str();
    Dispatch {
        envelope: Envelope {
            id: format!("{}-{}-{state}", status.boot_id, status.at.micros()),
            kind: "garita.status".to_owned(),
            time: status.at,
            source: topics.root(),
            place: None,
        },
        expiry: None,
    }
}
