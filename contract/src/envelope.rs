//! What stands around a body: CloudEvents 1.0 in binary mode, as MQTT user properties, and the message's place in its
//! sensor's outbox. It must not look into the body.

use crate::timestamp::Timestamp;

/// The media type of every body.
pub const JSON: &str = "application/json";

/// The attributes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The CloudEvents `id`.
    pub id: String,
    /// The CloudEvents `type`, such as `garita.incident`.
    pub kind: String,
    /// The CloudEvents `time`.
    pub time: Timestamp,
    /// The CloudEvents `source`: what the sensor's topics begin with.
    pub source: String,
    /// Where it stands in the outbox; nothing where it never was in one.
    pub place: Option<Place>,
}

/// A number in a sensor's outbox. Numbers never repeat within an epoch, so a gap is visible.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Which outbox: another one after the sensor has lost its store.
    pub epoch: String,
    /// The number in it.
    pub seq: u64,
}

/// An attribute is missing or says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the user property `{0}` is missing or cannot be read")]
pub struct NoEnvelope(pub &'static str);

impl Envelope {
    /// The attributes as user properties.
    pub fn attributes(&self) -> Vec<(String, String)> {
        let mut attributes = vec![
            ("specversion".to_owned(), "1.0".to_owned()),
            ("id".to_owned(), self.id.clone()),
            ("source".to_owned(), self.source.clone()),
            ("type".to_owned(), self.kind.clone()),
            ("time".to_owned(), self.time.to_string()),
            ("datacontenttype".to_owned(), JSON.to_owned()),
        ];
        if let Some(place) = &self.place {
            attributes.push(("seq".to_owned(), place.seq.to_string()));
            attributes.push(("epoch".to_owned(), place.epoch.clone()));
        }
        attributes
    }

    /// The envelope that user properties spell out; others among them are passed over.
    ///
    /// # Errors
    /// The first attribute that is missing or malformed.
    pub fn from_attributes(attributes: &[(String, String)]) -> Result<Self, NoEnvelope> {
        let optional = |name: &str| {
            let mut named = attributes.iter().filter(|(key, _)| key == name);
            named.next().map(|(_, value)| value.as_str())
        };
        let wanted = |name| optional(name).ok_or(NoEnvelope(name));
        if wanted("specversion")? != "1.0" {
            return Err(NoEnvelope("specversion"));
        }
        let place = match (optional("seq"), optional("epoch")) {
            (None, None) => None,
            (seq, epoch) => Some(Place {
                seq: seq
                    .and_then(|seq| seq.parse().ok())
                    .ok_or(NoEnvelope("seq"))?,
                epoch: epoch.ok_or(NoEnvelope("epoch"))?.to_owned(),
            }),
        };
        Ok(Self {
            id: wanted("id")?.to_owned(),
            kind: wanted("type")?.to_owned(),
            time: wanted("time")?.parse().map_err(|_| NoEnvelope("time"))?,
            source: wanted("source")?.to_owned(),
            place,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(place: Option<Place>) -> Envelope {
        Envelope {
            id: "a-1".to_owned(),
            kind: "garita.incident".to_owned(),
            time: Timestamp::from_micros(1_700_000_000_000_000),
            source: "garita/v1/lab/edge-1".to_owned(),
            place,
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let place = Place {
            epoch: "e".to_owned(),
            seq: 7,
        };
        for envelope in [envelope(None), envelope(Some(place))] {
            let read = Envelope::from_attributes(&envelope.attributes());
            assert_eq!(read, Ok(envelope));
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let place = Place {
            epoch: "e".to_owned(),
            seq: 7,
        };
        let whole = envelope(Some(place)).attributes();
        for name in [
            "specversion",
            "id",
            "source",
            "type",
            "time",
            "seq",
            "epoch",
        ] {
            let mut part = whole.clone();
            part.retain(|(key, _)| key != name);
            assert_eq!(Envelope::from_attributes(&part), Err(NoEnvelope(name)));
        }
    }
}
