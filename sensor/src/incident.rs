//! The record of a decision about an offender, as the ECS document that is stored, reported and printed.
//! It must not decide anything, and writes the same verdicts as the same bytes.

mod book;
mod community;
mod rating;
mod timestamp;
mod words;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use ebpf::packet::protocol;
use serde::{Serialize, Serializer};

use crate::class::{Class, Technique};
use crate::policy::{Cause, Decision, Outcome};
use crate::printable::printable;
use crate::verdict::{Flow, Subject, Verdict};

pub use book::{Book, Observer, Revision, Stage};
pub use timestamp::Timestamp;

/// The version of the Elastic Common Schema whose names are used.
const ECS_VERSION: &str = "8.17.0";

/// One revision of an incident. Fields are written in this order.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ecs {
    /// Version of the schema.
    pub version: &'static str,
}

/// `event`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// The same for all revisions of an incident, and for each replay of it.
    pub id: String,
    /// Always `alert`.
    pub kind: &'static str,
    /// Always network and intrusion detection.
    pub category: [&'static str; 2],
    /// `block`, `review` or `alert`.
    pub action: &'static str,
    /// `success` where a block holds, `failure` where it could not be set, else `unknown`.
    pub outcome: &'static str,
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
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Endpoint {
    /// Address.
    pub ip: IpAddr,
    /// Port, where the transport has ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// `network`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Network {
    /// Transport protocol, by its IANA name or number.
    pub transport: String,
    /// The name of the flow that other tools use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub community_id: Option<String>,
}

/// `related`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Related {
    /// Addresses, each once, the subject first.
    pub ip: Vec<IpAddr>,
}

/// `threat`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Threat {
    /// The technique.
    pub technique: TechniqueName,
}

/// `threat.technique`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TechniqueName {
    /// Its number.
    pub id: &'static str,
    /// Its title.
    pub name: &'static str,
}

/// `observer`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ObservedBy {
    /// The sensor's name.
    pub name: String,
    /// The program's version.
    pub version: &'static str,
    /// Always `sensor`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Where the deciding flow came in, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress: Option<Ingress>,
}

/// `observer.ingress`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ingress {
    /// The interface.
    pub interface: InterfaceName,
}

/// `observer.ingress.interface`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InterfaceName {
    /// Its name.
    pub name: String,
}

/// `garita`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Garita {
    /// Who to act on; nothing in a `ddos`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offender: Option<IpAddr>,
    /// What is being done.
    pub class: Class,
    /// What is to be done about it.
    pub decision: &'static str,
    /// Why a person decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What enforcement made of it: `enforced`, `observed`, `exempt` or `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'static str>,
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
}

/// `garita.evidence`
#[derive(Debug, Clone, PartialEq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// Name of the feature.
    pub feature: &'static str,
    /// Its value.
    pub value: Rounded,
    /// How far it moved the score.
    pub contribution: Rounded,
    /// The same in words.
    pub text: String,
}

/// `garita.model`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelScore {
    /// Its name.
    pub name: String,
    /// Hash of its file.
    pub sha256: String,
    /// Probability of each class in the deciding snapshot.
    pub score: BTreeMap<Class, Rounded>,
}

/// `garita.block`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BlockSummary {
    /// Address or prefix.
    pub target: String,
    /// Until when.
    pub expires: Timestamp,
    /// Seconds from its beginning.
    pub ttl: u64,
    /// Which of the address's offences it answers; 0 where it does not count as one.
    pub offence: u32,
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

impl Serialize for Rounded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

impl Incident {
    /// The document of a verdict. `id` and `start` are those of the incident; times are labelled by the observer.
    fn new(observer: &Observer, verdict: &Verdict, record: &book::Record) -> Self {
        let evidence = &verdict.evidence;
        let severity = rating::severity(verdict.class, &verdict.decision);
        let (offender, victim, sources) = match &verdict.subject {
            Subject::Offender(address) => (Some(address.to_canonical()), None, None),
            Subject::Victim { address, sources } => (
                None,
                Some(address.to_canonical()),
                Some(sources.iter().map(IpAddr::to_canonical).collect()),
            ),
        };
        Self {
            timestamp: observer.label(record.decided),
            ecs: Ecs {
                version: ECS_VERSION,
            },
            event: Event {
                id: record.id.clone(),
                kind: "alert",
                category: ["intrusion_detection", "network"],
                action: verdict.decision.as_str(),
                outcome: match verdict.outcome {
                    Some(Outcome::Enforced) => "success",
                    Some(Outcome::Failed(_)) => "failure",
                    _ => "unknown",
                },
                severity,
                risk_score: rating::risk(severity, evidence.log_odds),
                start: observer.label(record.start),
                end: observer.label(evidence.last_seen),
            },
            source: offender.map(|_| endpoint(&verdict.flow, verdict.flow.initiator)),
            destination: endpoint(&verdict.flow, verdict.flow.responder),
            network: Network {
                transport: transport(verdict.flow.protocol),
                community_id: offender.and_then(|_| community::community_id(&verdict.flow)),
            },
            related: related(verdict),
            threat: technique(verdict).map(|technique| Threat {
                technique: TechniqueName {
                    id: technique.id,
                    name: technique.name,
                },
            }),
            observer: observer.seen_on(verdict.interface.as_deref()),
            message: words::message(verdict),
            garita: Garita {
                offender,
                class: verdict.class,
                decision: verdict.decision.as_str(),
                reason: reason(verdict),
                outcome: verdict.outcome.as_ref().map(Outcome::as_str),
                revision: record.revision,
                evidence: EvidenceSummary {
                    log_odds: evidence.log_odds.into(),
                    snapshots: evidence.snapshots,
                    first_seen: observer.label(evidence.first_seen),
                    last_seen: observer.label(evidence.last_seen),
                    packets_before: evidence.packets_before,
                    proven: evidence.proven,
                },
                explanation: explanation(verdict),
                model: ModelScore {
                    name: observer.model_name.clone(),
                    sha256: observer.model_sha256.clone(),
                    score: verdict
                        .scores
                        .iter()
                        .map(|&(class, score)| (class, score.into()))
                        .collect(),
                },
                block: verdict.decision.block().map(|block| BlockSummary {
                    target: block.target.to_string(),
                    expires: observer.label(block.expires),
                    ttl: block.ttl.as_secs(),
                    offence: block.offence,
                }),
                victim,
                sources,
            },
        }
    }
}

fn endpoint(flow: &Flow, end: SocketAddr) -> Endpoint {
    let has_ports = !matches!(flow.protocol, protocol::ICMP | protocol::ICMPV6);
    Endpoint {
        ip: end.ip().to_canonical(),
        port: has_ports.then_some(end.port()),
    }
}

/// The name of a transport protocol, or its IANA number where it has none here.
pub fn transport(number: u8) -> String {
    match number {
        protocol::TCP => "tcp".to_owned(),
        protocol::UDP => "udp".to_owned(),
        protocol::ICMP => "icmp".to_owned(),
        protocol::ICMPV6 => "ipv6-icmp".to_owned(),
        community::SCTP => "sctp".to_owned(),
        other => other.to_string(),
    }
}

fn related(verdict: &Verdict) -> Related {
    let flow = &verdict.flow;
    let mut ip = vec![verdict.subject.address().to_canonical()];
    let others = match &verdict.subject {
        Subject::Offender(_) => vec![flow.initiator.ip(), flow.responder.ip()],
        Subject::Victim { sources, .. } => sources.clone(),
    };
    for address in others {
        let address = address.to_canonical();
        if !ip.contains(&address) {
            ip.push(address);
        }
    }
    Related { ip }
}

/// Scanning from outside has another name than looking around inside.
fn technique(verdict: &Verdict) -> Option<Technique> {
    match (verdict.class, &verdict.decision) {
        (Class::Scan, Decision::Review(Cause::Home)) => Class::Scan.technique(),
        (Class::Scan, _) => Some(Technique::ACTIVE_SCANNING),
        (class, _) => class.technique(),
    }
}

fn reason(verdict: &Verdict) -> Option<String> {
    let reason = match (&verdict.decision, &verdict.outcome) {
        (Decision::Review(cause), _) => cause.to_string(),
        (_, Some(Outcome::Exempt(exemption))) => exemption.to_string(),
        (_, Some(Outcome::Failed(failure))) => failure.clone(),
        _ => return None,
    };
    Some(printable(&reason).into_owned())
}

fn explanation(verdict: &Verdict) -> Vec<Explanation> {
    let parts = verdict.contributions.iter();
    parts
        .map(|part| Explanation {
            feature: part.feature,
            value: part.value.into(),
            contribution: part.contribution.into(),
            text: words::contribution(part),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::policy::{Block, Exemption, Origin};
    use crate::verdict::{Contribution, Evidence, Facts};

    /// When the offender of these tests begins, microseconds.
    pub(super) const START: u64 = 1_700_000_000_000_000;

    /// A verdict about 203.0.113.7 that attacks ssh of 192.0.2.10, eight seconds after it began.
    pub(super) fn verdict(class: Class) -> Verdict {
        let subject = match class {
            Class::Ddos => Subject::Victim {
                address: "192.0.2.10".parse().unwrap(),
                sources: vec![
                    "198.51.100.1".parse().unwrap(),
                    "198.51.100.2".parse().unwrap(),
                ],
            },
            _ => Subject::Offender("203.0.113.7".parse().unwrap()),
        };
        Verdict {
            time: START + 8_000_000,
            class,
            subject,
            decision: Decision::Alert,
            outcome: None,
            flow: Flow {
                initiator: "203.0.113.7:40000".parse().unwrap(),
                responder: "192.0.2.10:22".parse().unwrap(),
                protocol: protocol::TCP,
                icmp_type: 0,
            },
            interface: Some("eth0\u{1b}[2J".to_owned()),
            evidence: Evidence {
                log_odds: 8.123_456,
                snapshots: 5,
                first_seen: START,
                last_seen: START + 8_000_000,
                packets_before: 40,
                proven: true,
            },
            scores: vec![(Class::Benign, 0.03), (Class::Scan, 0.970_000_04)],
            contributions: vec![Contribution {
                feature: "unanswered_share",
                meaning: "Share of the minute's flows without an answer.",
                unit: "per mille",
                value: 971.0,
                contribution: 0.123_456,
            }],
            facts: Facts {
                seconds: 8.0,
                opened: 100,
                unanswered: 97,
                ports: 90,
                hosts: 1,
                ..Facts::default()
            },
        }
    }

    pub(super) fn block(expires: u64, offence: u32) -> Decision {
        Decision::Block(Block {
            target: "203.0.113.7/32".parse().unwrap(),
            reason: "scan".to_owned(),
            expires,
            ttl: Duration::from_secs(600),
            offence,
            origin: Origin::Detection,
        })
    }

    pub(super) fn observer() -> Observer {
        Observer {
            name: "replay".to_owned(),
            version: "0.1.0",
            model_name: "forest".to_owned(),
            model_sha256: "ab".repeat(32),
            timeline: crate::timeline::Timeline::anchored(0, crate::capture::Timestamp::default()),
        }
    }

    fn document(verdict: &Verdict) -> Value {
        let mut book = Book::new(&Default::default(), observer());
        let revisions = book.record(verdict);
        serde_json::to_value(&revisions[0].incident).unwrap()
    }

    #[test]
    fn a_block_is_told_with_every_fixed_key() {
        let mut verdict = verdict(Class::Scan);
        verdict.decision = block(START + 608_000_000, 1);
        verdict.outcome = Some(Outcome::Observed);
        assert_eq!(
            document(&verdict),
            json!({
                "@timestamp": "2023-11-14T22:13:28.000000Z",
                "ecs": {"version": "8.17.0"},
                "event": {
                    "id": "7ab1ea6bc0a3a4fbdb2cd8d6dcc2c1f2",
                    "kind": "alert",
                    "category": ["intrusion_detection", "network"],
                    "action": "block",
                    "outcome": "unknown",
                    "severity": 2,
                    "risk_score": 38,
                    "start": "2023-11-14T22:13:20.000000Z",
                    "end": "2023-11-14T22:13:28.000000Z",
                },
                "source": {"ip": "203.0.113.7", "port": 40000},
                "destination": {"ip": "192.0.2.10", "port": 22},
                "network": {"transport": "tcp", "community_id": "1:+8yfWaw5JERpfgm9/Us3hSLRkWc="},
                "related": {"ip": ["203.0.113.7", "192.0.2.10"]},
                "threat": {"technique": {"id": "T1595", "name": "Active Scanning"}},
                "observer": {
                    "name": "replay",
                    "version": "0.1.0",
                    "type": "sensor",
                    "ingress": {"interface": {"name": "eth0[2J"}},
                },
                "message": "203.0.113.7 scanned: opened 100 connections to 90 ports of one host in 8 s; 97 % unanswered",
                "garita": {
                    "offender": "203.0.113.7",
                    "class": "scan",
                    "decision": "block",
                    "outcome": "observed",
                    "revision": 1,
                    "evidence": {
                        "log_odds": 8.1235,
                        "snapshots": 5,
                        "first_seen": "2023-11-14T22:13:20.000000Z",
                        "last_seen": "2023-11-14T22:13:28.000000Z",
                        "packets_before": 40,
                        "proven": true,
                    },
                    "explanation": [{
                        "feature": "unanswered_share",
                        "value": 971.0,
                        "contribution": 0.1235,
                        "text": "Share of the minute's flows without an answer: 97 %",
                    }],
                    "model": {
                        "name": "forest",
                        "sha256": "ab".repeat(32),
                        "score": {"benign": 0.03, "scan": 0.97},
                    },
                    "block": {
                        "target": "203.0.113.7/32",
                        "expires": "2023-11-14T22:23:28.000000Z",
                        "ttl": 600,
                        "offence": 1,
                    },
                },
            })
        );
    }

    #[test]
    fn a_ddos_has_a_victim_and_sources_instead_of_an_offender() {
        let document = document(&verdict(Class::Ddos));
        assert!(document.get("source").is_none());
        assert!(document["network"].get("community_id").is_none());
        assert!(document["garita"].get("offender").is_none());
        assert_eq!(document["destination"]["ip"], "192.0.2.10");
        assert_eq!(document["garita"]["victim"], "192.0.2.10");
        assert_eq!(
            document["garita"]["sources"],
            json!(["198.51.100.1", "198.51.100.2"])
        );
        assert_eq!(
            document["related"]["ip"],
            json!(["192.0.2.10", "198.51.100.1", "198.51.100.2"])
        );
    }

    #[test]
    fn the_outcome_says_whether_a_block_holds_and_why_not() {
        let mut told = verdict(Class::Scan);
        told.decision = block(START + 608_000_000, 1);
        for (outcome, ecs, own) in [
            (Outcome::Enforced, "success", "enforced"),
            (Outcome::Observed, "unknown", "observed"),
            (
                Outcome::Failed("no nf_tables".to_owned()),
                "failure",
                "failed",
            ),
            (Outcome::Exempt(Exemption::TooWide), "unknown", "exempt"),
        ] {
            told.outcome = Some(outcome);
            let document = document(&told);
            assert_eq!(document["event"]["outcome"], ecs);
            assert_eq!(document["garita"]["outcome"], own);
        }
        told.decision = Decision::Review(Cause::Home);
        told.outcome = None;
        let document = document(&told);
        assert_eq!(document["event"]["action"], "review");
        assert_eq!(
            document["garita"]["reason"],
            "it is inside the home networks"
        );
        assert_eq!(document["threat"]["technique"]["id"], "T1046");
    }

    #[test]
    fn icmp_has_no_ports() {
        let mut ping = verdict(Class::Scan);
        ping.flow.protocol = protocol::ICMP;
        ping.flow.icmp_type = 8;
        let document = document(&ping);
        assert_eq!(document["source"], json!({"ip": "203.0.113.7"}));
        assert_eq!(document["network"]["transport"], "icmp");
    }

    #[test]
    fn numbers_are_rounded_and_always_numbers() {
        let written = |value: f64| serde_json::to_string(&Rounded::from(value)).unwrap();
        assert_eq!(written(1.0 / 3.0), "0.3333");
        assert_eq!(written(-0.000_01), "0.0");
        assert_eq!(written(f64::NAN), "0.0");
    }
}
