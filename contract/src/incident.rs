//! The keys of an incident, in the order they are written; the names are ECS's, and what ECS has no place for is below
//! `garita`. Other programs rely on them, so none is ever renamed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::class::Class;
use crate::printable::printable;
use crate::record::Service;
use crate::timestamp::Timestamp;

/// The version of the Elastic Common Schema whose names are used.
pub const ECS_VERSION: &str = "8.17.0";

/// One revision of an incident. Fields are written in this order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Incident {
    /// When it was decided what is told here.
    #[serde(rename = "@timestamp")]
    pub timestamp: Timestamp,
    /// The schema.
    pub ecs: Ecs,
    /// What kind of event it is, how bad, and how long it lasted.
    pub event: Event,
    /// The initiator of the deciding flow; nothing where there are many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Endpoint>,
    /// The responder of the deciding flow.
    pub destination: Endpoint,
    /// The deciding flow.
    pub network: Network,
    /// Every address that is named.
    pub related: Related,
    /// What the attack is called in ATT&CK; nothing where it has no name there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threat: Option<Threat>,
    /// Who saw it.
    pub observer: ObservedBy,
    /// What happened, in one sentence.
    pub message: String,
    /// What ECS has no place for.
    pub garita: Garita,
}

/// `ecs`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ecs {
    /// Version of the schema.
    pub version: Cow<'static, str>,
}

/// `event`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// The same for all revisions of an incident, and for each replay of it.
    pub id: String,
    /// Always `alert`.
    pub kind: Cow<'static, str>,
    /// Always network and intrusion detection.
    pub category: [Cow<'static, str>; 2],
    /// `block`, `review` or `alert`.
    pub action: Cow<'static, str>,
    /// `success` where a block holds, `failure` where it could not be set, else `unknown`.
    pub outcome: Cow<'static, str>,
    /// 1 (low) to 4 (critical).
    pub severity: u8,
    /// 0 to 100.
    pub risk_score: u8,
    /// The offender's first packet in this matter.
    pub start: Timestamp,
    /// Its last so far.
    pub end: Timestamp,
}

/// `source` and `destination`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Endpoint {
    /// Address.
    pub ip: IpAddr,
    /// Port, where the transport has ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// `network`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Network {
    /// Transport protocol, by its IANA name or number.
    pub transport: String,
    /// The name of the flow that other tools use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub community_id: Option<String>,
}

/// `related`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Related {
    /// Addresses, each once, the subject first.
    pub ip: Vec<IpAddr>,
}

/// `threat`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Threat {
    /// The technique.
    pub technique: TechniqueName,
}

/// `threat.technique`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TechniqueName {
    /// Its number.
    pub id: Cow<'static, str>,
    /// Its title.
    pub name: Cow<'static, str>,
}

/// A sensor, as the documents it writes name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// The program's version.
    pub version: &'static str,
}

impl Identity {
    /// This sensor, having seen something on `interface`.
    pub fn seen_on(&self, interface: Option<&str>) -> ObservedBy {
        ObservedBy {
            name: self.name.clone(),
            version: self.version.into(),
            kind: "sensor".into(),
            ingress: interface.map(|name| Ingress {
                interface: InterfaceName {
                    name: printable(name).into_owned(),
                },
            }),
        }
    }
}

/// `observer`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObservedBy {
    /// The sensor's name.
    pub name: String,
    /// The program's version.
    pub version: Cow<'static, str>,
    /// Always `sensor`.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// Where the deciding flow came in, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress: Option<Ingress>,
}

/// `observer.ingress`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ingress {
    /// The interface.
    pub interface: InterfaceName,
}

/// `observer.ingress.interface`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InterfaceName {
    /// Its name.
    pub name: String,
}

/// `garita`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Garita {
    /// Who to act on; nothing in a `ddos`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offender: Option<IpAddr>,
    /// What is being done.
    pub class: Class,
    /// What is to be done about it.
    pub decision: Cow<'static, str>,
    /// Why a person decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What enforcement made of it: `enforced`, `observed`, `exempt` or `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Cow<'static, str>>,
    /// Counts from 1.
    pub revision: u32,
    /// What has accumulated.
    pub evidence: EvidenceSummary,
    /// What spoke most for the decision, strongest first.
    pub explanation: Vec<Explanation>,
    /// The model that scored.
    pub model: ModelScore,
    /// The block, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<BlockSummary>,
    /// Who suffers a `ddos`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub victim: Option<IpAddr>,
    /// Some of those who send most in a `ddos`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<IpAddr>>,
    /// Who carried the deciding flow, where it came through a tunnel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<Carrier>,
    /// What was left out to fit the broker's largest packet; missing where nothing was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub reduced: Vec<String>,
}

/// `garita.tunnel`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Carrier {
    /// The outer address on the initiator's side.
    pub source: IpAddr,
    /// The outer address on the responder's side.
    pub destination: IpAddr,
}

/// `garita.evidence`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceSummary {
    /// The highest sum that was reached.
    pub log_odds: Rounded,
    /// Snapshots that spoke against the address.
    pub snapshots: u32,
    /// Its first packet in this matter.
    pub first_seen: Timestamp,
    /// Its last so far.
    pub last_seen: Timestamp,
    /// Packets it had sent by the decision.
    pub packets_before: u64,
    /// Whether the address is proven to be the sender's own.
    pub proven: bool,
}

/// An item of `garita.explanation`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// Name of the feature.
    pub feature: Cow<'static, str>,
    /// Its value.
    pub value: Rounded,
    /// How far it moved the score.
    pub contribution: Rounded,
    /// The same in words.
    pub text: String,
}

/// `garita.model`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelScore {
    /// Its name.
    pub name: String,
    /// Hash of its file.
    pub sha256: String,
    /// Probability of each class in the deciding snapshot.
    pub score: BTreeMap<Class, Rounded>,
}

/// `garita.block`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BlockSummary {
    /// Address or prefix.
    pub target: String,
    /// Until when.
    pub expires: Timestamp,
    /// Seconds from its beginning.
    pub ttl: u64,
    /// Which of the address's offences it answers; 0 where it does not count as one.
    pub offence: u32,
    /// The one use of others that the target is kept from; missing where it is all: whoever acts on `target` alone hits
    /// others that share it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
}

/// A number written with at most four digits after the point, so that a last bit does not make a new document.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rounded(f64);

impl From<f64> for Rounded {
    fn from(value: f64) -> Self {
        let finite = if value.is_finite() { value } else { 0.0 };
        // Adding 0 turns a negative zero into a positive one.
        Self((finite * 1e4).round() / 1e4 + 0.0)
    }
}

impl Rounded {
    /// The number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Rounded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self::from)
    }
}

impl Serialize for Rounded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

impl JsonSchema for Rounded {
    fn schema_name() -> Cow<'static, str> {
        "Rounded".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        f64::json_schema(generator)
    }
}
