//! What a verdict becomes as a document.

use std::time::Duration;

use serde_json::{Value, json};

use contract::incident::{Identity, Rounded};
use ebpf::packet::protocol;

use super::*;
use contract::record::{Origin, Scope};
use detection::policy::{Block, Exemption};
use detection::verdict::{Contribution, Evidence, Facts};

/// When the offender of these tests begins, microseconds.
pub(super) const START: u64 = 1_700_000_000_000_000;

/// A verdict about 203.0.113.7 that attacks ssh of 192.0.2.10, eight seconds after it began.
pub(crate) fn verdict(class: Class) -> Verdict {
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
        link: 0,
        interface: Some("eth0\u{1b}[2J".to_owned()),
        tunnel: None,
        evidence: Evidence {
            log_odds: 8.123_456,
            snapshots: 5,
            first_seen: START,
            last_seen: START + 8_000_000,
            packets_before: 40,
            proven: true,
        },
        scores: vec![(Class::Benign, 0.03), (Class::Scan, 0.970_000_04)],
        features: Vec::new(),
        contributions: vec![Contribution {
            feature: "unanswered_share",
            meaning: "Share of the minute's flows without an answer.",
            unit: "per mille",
            value: 971.0,
            contribution: 0.123_456,
        }],
        quiet: false,
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

pub(crate) fn block(expires: u64, offence: u32) -> Decision {
    Decision::Block(Block {
        target: "203.0.113.7/32".parse().unwrap(),
        reason: "scan".to_owned(),
        expires,
        ttl: Duration::from_secs(600),
        offence,
        origin: Origin::Detection,
        scope: match offence {
            0 => Scope::Opening,
            _ => Scope::All,
        },
        service: None,
    })
}

pub(crate) fn observer() -> Observer {
    Observer {
        identity: Identity {
            name: "replay".to_owned(),
            version: "0.1.0",
        },
        model_name: "forest".to_owned(),
        model_sha256: "ab".repeat(32),
        timeline: detection::timeline::Timeline::anchored(
            0,
            detection::frame::Timestamp::default(),
        ),
    }
}

fn document(verdict: &Verdict) -> Value {
    let mut log = IncidentLog::new(&Default::default(), observer());
    let revisions = log.record(verdict);
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
