//! The record of a decision about an offender, as the ECS document that is stored, reported and printed.
//! It must not decide anything, and writes the same verdicts as the same bytes.

mod book;
mod community;
mod document;
mod rating;
mod timestamp;
mod words;

use std::net::{IpAddr, SocketAddr};

use ebpf::packet::protocol;

use crate::class::{Class, Technique};
use crate::policy::{Cause, Decision, Outcome};
use crate::printable::printable;
use crate::verdict::{Flow, Subject, Verdict};

pub use book::{Book, Observer, Revision, Stage};
pub use document::{
    BlockSummary, Ecs, Endpoint, Event, EvidenceSummary, Explanation, Garita, Incident, Ingress,
    InterfaceName, ModelScore, Network, ObservedBy, Related, Rounded, TechniqueName, Threat,
};
pub use timestamp::Timestamp;

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
                version: document::ECS_VERSION,
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
                    "id": "a2b528673527a85da14ad78f543ff379",
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
                "network": {"transport": "tcp", "community_id": "1:jdhD3WBWv57cRo47WdWpqXMzsk0="},
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
