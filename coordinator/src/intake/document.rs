//! What is needed of each document that sensors publish. A sensor of an older contract may leave out the rest; what is
//! there has to be of the right kind.

use std::borrow::Cow;
use std::net::IpAddr;

use contract::class::Class;
use contract::digest::Digest;
use contract::record::{BlockChange, BlockState, Origin};
use contract::reply::{ReplyOutcome, ResyncReply, Span};
use contract::status::State;
use contract::timestamp::Timestamp;
use contract::topics::Topics;
use ipnet::IpNet;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Longest sentence that is passed on, characters.
const SENTENCE: usize = 1_000;

/// Whose document it says it is.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Whose {
    site: Option<String>,
    sensor: Option<String>,
}

impl Whose {
    /// Whether it is that of the sensor whose topic it came on.
    ///
    /// # Errors
    /// It names another one.
    pub fn names(&self, topics: &Topics) -> Result<(), String> {
        let same = |said: &Option<String>, known| said.as_deref().is_none_or(|said| said == known);
        match same(&self.site, topics.site()) && same(&self.sensor, topics.sensor()) {
            true => Ok(()),
            false => Err("the body names another site or sensor than the topic".to_owned()),
        }
    }
}

/// The retained status.
#[derive(Debug, Clone, Deserialize)]
pub struct Presence {
    /// Whether the sensor is there.
    pub state: State,
    /// When it said so, by its clock.
    pub at: Option<Timestamp>,
    /// The program's version.
    #[serde(default)]
    pub version: String,
    /// The outbox its numbers belong to.
    pub epoch: Option<String>,
    /// The last number.
    #[serde(default)]
    pub seq: u64,
    /// Its block list in two numbers.
    pub blocks: Option<Digest>,
    /// Whose it is.
    #[serde(flatten)]
    pub whose: Whose,
}

/// The figures of a minute.
#[derive(Debug, Clone, Deserialize)]
pub struct Figures {
    /// When they were taken.
    pub at: Timestamp,
    /// Its block list in two numbers.
    pub blocks: Option<Digest>,
    /// Whose they are.
    #[serde(flatten)]
    pub whose: Whose,
}

/// What happened to a block.
#[derive(Debug, Clone, Deserialize)]
pub struct Change {
    /// What.
    pub event: BlockChange,
    /// When.
    pub at: Timestamp,
    /// Who did it.
    #[serde(default)]
    pub by: String,
    /// The block.
    pub block: Blocked,
}

/// A block.
#[derive(Debug, Clone, Deserialize)]
pub struct Blocked {
    /// Who is kept out.
    pub target: IpNet,
    /// Whether the kernel drops its traffic.
    pub state: Option<BlockState>,
    /// By what authority.
    pub origin: Option<Origin>,
    /// Until when.
    pub expires: Option<Timestamp>,
    /// The one use of others that it is kept from; nothing where it is all.
    pub service: Option<IgnoredAny>,
}

/// What came of a command.
#[derive(Debug, Clone, Deserialize)]
pub struct Answer {
    /// The command's id.
    pub id: String,
    /// What came of it.
    pub outcome: ReplyOutcome,
    /// Why it was refused, in one word.
    pub reason: Option<Cow<'static, str>>,
    /// What is the case, in a sentence.
    #[serde(default)]
    pub message: String,
    /// What is sent again.
    pub resync: Option<ResyncReply>,
    /// Whose it is.
    #[serde(flatten)]
    pub whose: Whose,
}

/// A condition of the sensor itself.
#[derive(Debug, Clone, Deserialize)]
pub struct Trouble {
    /// When.
    #[serde(rename = "@timestamp")]
    pub timestamp: Timestamp,
    /// Which.
    pub event: TroubleEvent,
    /// In words.
    #[serde(default)]
    pub message: String,
    /// What ECS has no place for.
    pub garita: TroubleDetail,
    observer: Option<Observer>,
}

/// `event` of a condition.
#[derive(Debug, Clone, Deserialize)]
pub struct TroubleEvent {
    /// The same when it is raised and when it has passed.
    pub id: String,
    /// Raised, passed or happened.
    pub action: String,
}

/// `garita` of a condition.
#[derive(Debug, Clone, Deserialize)]
pub struct TroubleDetail {
    /// Its name.
    pub condition: String,
    /// Numbers that will never come.
    #[serde(default)]
    pub dropped: Vec<Span>,
}

impl Trouble {
    /// Whether it is that of the sensor whose topic it came on.
    ///
    /// # Errors
    /// It names another one.
    pub fn names(&self, sensor: &str) -> Result<(), String> {
        match self
            .observer
            .as_ref()
            .is_none_or(|observer| observer.name == sensor)
        {
            true => Ok(()),
            false => Err("observer.name is another sensor than the topic's".to_owned()),
        }
    }
}

/// What is needed of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attack {
    /// `event.id`
    pub id: String,
    /// `garita.revision`
    pub revision: u32,
    /// `@timestamp`
    pub at: Timestamp,
    /// Who to act on.
    pub offender: Option<IpAddr>,
    /// Who suffers.
    pub victim: Option<IpAddr>,
    /// The port that was aimed at.
    pub port: Option<u16>,
    /// Who else takes part.
    pub sources: Vec<IpAddr>,
    /// What is done.
    pub class: Class,
    /// What is to be done about it.
    pub decision: String,
    /// 1 to 4.
    pub severity: u8,
    /// Whether the offender's address is proven.
    pub proven: bool,
    /// Until when the sensor blocks it.
    pub blocked_until: Option<Timestamp>,
    /// Whether it has ended.
    pub ended: bool,
    /// What happened, in words.
    pub message: String,
}

/// An incident, as far as it is looked at.
#[derive(Debug, Deserialize)]
pub(super) struct Document {
    #[serde(rename = "@timestamp")]
    timestamp: Timestamp,
    event: Event,
    destination: Option<End>,
    observer: Option<Observer>,
    #[serde(default)]
    message: String,
    garita: Garita,
    // Under these keys the API says whose document it is.
    id: Option<IgnoredAny>,
    site: Option<IgnoredAny>,
    sensor: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct Event {
    id: String,
    action: Option<String>,
    severity: u8,
}

#[derive(Debug, Deserialize)]
struct End {
    ip: IpAddr,
    port: Option<u16>,
}

#[derive(Debug, Clone, Deserialize)]
struct Observer {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Garita {
    class: Class,
    offender: Option<IpAddr>,
    victim: Option<IpAddr>,
    sources: Option<Vec<IpAddr>>,
    decision: Option<String>,
    revision: Option<u32>,
    evidence: Option<Evidence>,
    block: Option<Held>,
}

#[derive(Debug, Deserialize)]
struct Evidence {
    #[serde(default)]
    proven: bool,
}

#[derive(Debug, Deserialize)]
struct Held {
    expires: Option<Timestamp>,
    /// The one use of others that the offender is kept from, because it shares its address with others.
    service: Option<IgnoredAny>,
}

/// What an incident says, or what of it makes no sense.
pub(super) fn attack(document: Document, (sensor, ended): (&str, bool)) -> Result<Attack, String> {
    let Document { event, garita, .. } = document;
    if document.id.is_some() || document.site.is_some() || document.sensor.is_some() {
        return Err("id, site and sensor are not keys of an incident".to_owned());
    }
    if document
        .observer
        .is_some_and(|observer| observer.name != sensor)
    {
        return Err("observer.name is another sensor than the topic's".to_owned());
    }
    if !garita.class.is_attack() {
        return Err("garita.class is no attack".to_owned());
    }
    if !(1..=4).contains(&event.severity) {
        return Err("event.severity is not 1 to 4".to_owned());
    }
    let decision = garita.decision.or(event.action).unwrap_or_default();
    if !["block", "review", "alert"].contains(&decision.as_str()) {
        return Err("garita.decision is none of block, review, alert".to_owned());
    }
    let destination = document.destination.as_ref();
    let shared = garita
        .block
        .as_ref()
        .is_some_and(|held| held.service.is_some());
    let sources = garita.sources.unwrap_or_default().into_iter();
    Ok(Attack {
        id: event.id,
        revision: garita.revision.unwrap_or(1),
        at: document.timestamp,
        offender: garita.offender.map(|address| address.to_canonical()),
        victim: garita
            .victim
            .or(destination.map(|end| end.ip))
            .map(|address| address.to_canonical()),
        port: destination.and_then(|end| end.port),
        sources: sources.map(|address| address.to_canonical()).collect(),
        class: garita.class,
        decision,
        severity: event.severity,
        // Who shares an address is not to be kept out by it.
        proven: garita.evidence.is_some_and(|evidence| evidence.proven) && !shared,
        blocked_until: garita.block.and_then(|held| held.expires),
        ended,
        message: document.message.chars().take(SENTENCE).collect(),
    })
}
