//! From a message to what it says, or why it is nonsense. Sensors of an older contract may leave out what is not needed
//! here; what is there has to be of the right kind. Nothing is stored or concluded.

use contract::envelope::Place;
use contract::timestamp::Timestamp;
use contract::topics::{Published, Topic, published};
use serde::Deserialize;

use super::document::{Answer, Attack, Change, Figures, Presence, Trouble, attack};

/// The longest body that is kept, bytes: sensors send 256 KiB at the most.
const MAX_BODY: usize = 1_024 * 1_024;
/// The longest identifier.
const MAX_ID: usize = 128;

/// A message as it came.
#[derive(Debug, Clone, Copy, Default)]
pub struct Letter<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Body.
    pub body: &'a [u8],
    /// User properties.
    pub attributes: &'a [(String, String)],
}

/// A message that makes sense.
#[derive(Debug, Clone)]
pub struct Said {
    /// The site of the topic.
    pub site: String,
    /// The sensor of the topic.
    pub sensor: String,
    /// Its number in the sensor's outbox.
    pub place: Option<Place>,
    /// When the sensor sent it, by its clock.
    pub time: Option<Timestamp>,
    /// What it says.
    pub what: What,
    /// The body as published.
    pub doc: String,
}

/// What a message says.
#[derive(Debug, Clone)]
pub enum What {
    /// Of an attack.
    Incident(Box<Attack>),
    /// Of the sensor itself.
    Condition(Box<Trouble>),
    /// Of its block list.
    Block(Box<Change>),
    /// Figures.
    Telemetry(Box<Figures>),
    /// That it is there, or is not.
    Status(Box<Presence>),
    /// What came of a command.
    Reply(Box<Answer>),
}

/// Reads a message.
///
/// # Errors
/// What is wrong with it, in words that are the same for the same mistake.
pub fn read(letter: &Letter<'_>) -> Result<Said, String> {
    let Some((topics, kind)) = published(letter.topic) else {
        return Err("no sensor publishes to this topic".to_owned());
    };
    if letter.body.len() > MAX_BODY {
        return Err("the body is longer than 1 MiB".to_owned());
    }
    let doc = std::str::from_utf8(letter.body).map_err(|_| "the body is not UTF-8".to_owned())?;
    if doc.contains('\0') {
        return Err("the body holds a zero byte".to_owned());
    }
    let attribute = |name: &str| {
        let mut found = letter.attributes.iter().filter(|(key, _)| key == name);
        found.next().map(|(_, value)| value.as_str())
    };
    let place = match (attribute("seq"), attribute("epoch")) {
        (Some(seq), Some(epoch)) => Some(Place {
            seq: seq
                .parse()
                .ok()
                .filter(|seq| (1..=i64::MAX as u64).contains(seq))
                .ok_or("the user property `seq` is no number")?,
            epoch: match (1..=MAX_ID).contains(&epoch.len()) && !epoch.contains('\0') {
                true => epoch.to_owned(),
                false => return Err("the user property `epoch` is too long".to_owned()),
            },
        }),
        (None, None) => None,
        _ => return Err("of the user properties `seq` and `epoch` one is missing".to_owned()),
    };
    let time = attribute("time").and_then(|time| time.parse().ok());
    let ended = attribute("type") == Some("garita.incident.ended");
    let what = match kind {
        Published::Message(Topic::Incident) => {
            let attack = attack(parse(doc)?, (topics.sensor(), ended))?;
            identifier(&attack.id)?;
            What::Incident(Box::new(attack))
        }
        Published::Message(Topic::Condition) => {
            let trouble: Box<Trouble> = parse(doc)?;
            trouble.names(topics.sensor())?;
            identifier(&trouble.event.id)?;
            What::Condition(trouble)
        }
        Published::Message(Topic::Block) => What::Block(parse(doc)?),
        Published::Message(Topic::Telemetry) => {
            let figures: Box<Figures> = parse(doc)?;
            figures.whose.names(&topics)?;
            What::Telemetry(figures)
        }
        Published::Status => {
            let presence: Box<Presence> = parse(doc)?;
            presence.whose.names(&topics)?;
            What::Status(presence)
        }
        Published::Reply(id) => {
            let answer: Box<Answer> = parse(doc)?;
            answer.whose.names(&topics)?;
            if answer.id != id {
                return Err("the body names another command than the topic".to_owned());
            }
            What::Reply(answer)
        }
    };
    Ok(Said {
        site: topics.site().to_owned(),
        sensor: topics.sensor().to_owned(),
        place,
        time,
        what,
        doc: doc.to_owned(),
    })
}

fn parse<'a, T: Deserialize<'a>>(doc: &'a str) -> Result<T, String> {
    let mut reader = serde_json::Deserializer::from_str(doc);
    let parsed = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let inner = error.inner();
        match inner.is_data() {
            true => match error.path().to_string().as_str() {
                "." => format!("it is not what this topic holds: {}", kind(inner)),
                path => format!("{path} is not what it should be: {}", kind(inner)),
            },
            false => "the body is not JSON".to_owned(),
        }
    })?;
    reader
        .end()
        .map_err(|_| "the body is not JSON".to_owned())?;
    Ok(parsed)
}

/// The kind of mistake, without the values and places in it, which would make each message another kind.
fn kind(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let known = [
        "missing field",
        "invalid type",
        "unknown variant",
        "invalid value",
        "duplicate field",
    ];
    let found = known.into_iter().find(|kind| text.starts_with(kind));
    match found {
        Some("missing field") => text.split(" at line").next().unwrap_or_default().to_owned(),
        Some(kind) => kind.to_owned(),
        None => "invalid value".to_owned(),
    }
}

fn identifier(id: &str) -> Result<(), String> {
    let plain =
        |letter: char| letter.is_ascii_graphic() && !matches!(letter, '/' | '"' | '\\' | '<' | '>');
    match (1..=MAX_ID).contains(&id.len()) && id.chars().all(plain) {
        true => Ok(()),
        false => Err("event.id is not 1 to 128 plain characters".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn incident() -> Value {
        json!({
            "@timestamp": "2026-11-27T12:00:00.000000Z", "ecs": {"version": "8.17.0"},
            "event": {"id": "ab12", "action": "block", "severity": 3},
            "source": {"ip": "203.0.113.9"}, "destination": {"ip": "192.0.2.1", "port": 22},
            "observer": {"name": "edge-1"}, "message": "it guesses passwords",
            "garita": {
                "class": "brute-force", "offender": "::ffff:203.0.113.9", "decision": "block", "revision": 2,
                "evidence": {"proven": true}, "block": {"target": "203.0.113.9", "expires": "2026-11-27T13:00:00Z"},
            },
        })
    }

    fn said(topic: &str, body: &Value) -> Result<Said, String> {
        let body = body.to_string();
        read(&Letter {
            topic: &format!("garita/v1/north/edge-1/{topic}"),
            body: body.as_bytes(),
            attributes: &[],
        })
    }

    #[test]
    fn an_incident_is_read_in_one_form_of_address() {
        let said = said("incident", &incident()).unwrap();
        let What::Incident(attack) = said.what else {
            panic!("no incident")
        };
        assert_eq!(attack.offender.unwrap().to_string(), "203.0.113.9");
        assert_eq!(
            (attack.port, attack.revision, attack.proven),
            (Some(22), 2, true)
        );
    }

    #[test]
    fn nonsense_is_named_and_two_of_a_kind_alike() {
        for (pointer, value, word) in [
            ("/@timestamp", json!("yesterday"), "@timestamp"),
            ("/event/id", json!("<script>"), "event.id"),
            ("/event/severity", json!("high"), "event.severity"),
            ("/event/severity", json!(9), "event.severity"),
            ("/garita/class", json!("portscan"), "garita.class"),
            ("/garita/class", json!("benign"), "garita.class"),
            (
                "/garita/offender",
                json!("'; DROP TABLE incident; --"),
                "garita.offender",
            ),
            ("/garita/decision", json!("watch"), "garita.decision"),
            ("/observer/name", json!("edge-2"), "observer.name"),
        ] {
            let mut document = incident();
            *document.pointer_mut(pointer).unwrap() = value;
            let reason = said("incident", &document).unwrap_err();
            assert!(reason.contains(word), "{reason}");
        }
        let mut forged = incident();
        forged["site"] = json!("south");
        assert!(said("incident", &forged).unwrap_err().contains("site"));
        let reasons = [json!("a"), json!("b")].map(|class| {
            let mut document = incident();
            document["garita"]["class"] = class;
            said("incident", &document).unwrap_err()
        });
        assert_eq!(reasons[0], reasons[1]);
        assert_eq!(
            said("status", &json!({"state": "online", "sensor": "edge-9"})).unwrap_err(),
            "the body names another site or sensor than the topic"
        );
        for body in [json!([]), json!(null), json!("x")] {
            assert!(said("incident", &body).is_err() && said("block", &body).is_err());
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(topic in "garita/v1/[a-z0-9]{1,4}/[a-z]{1,3}/(incident|status|block|reply/a|condition|telemetry)",
            body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = read(&Letter { topic: &topic, body: &body, attributes: &[] });
        }
    }
}
