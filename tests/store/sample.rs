//! Things to keep, and how long to wait for them. Nothing here looks into the store.

use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use ipnet::IpNet;

use contract::class::Class;
use contract::incident::{
    Ecs, Endpoint, Event, EvidenceSummary, Garita, Incident, ModelScore, Network, ObservedBy,
    Related,
};
use contract::record::Origin;
use contract::record::{Block, BlockState, Scope};
use contract::timestamp::Timestamp;
use contract::topics::Topic;
use sensor::incident::{Revision, Stage};
use sensor::store::{Entry, Message};
use settings::Config;

/// The clock of these tests stands still.
pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

pub(crate) fn now() -> Timestamp {
    NOW
}

/// So many seconds from now.
pub(crate) fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_micros(NOW.micros() + seconds * 1_000_000)
}

/// The defaults with this file, and these lines of TOML.
pub(crate) fn config(path: &Path, settings: &str) -> Config {
    let broker = "mqtt://127.0.0.1";
    let set = [
        ("GARITA__STORE__PATH", path.to_str().unwrap()),
        ("GARITA__REPORT__URL", broker),
    ];
    let set = set.map(|(key, value)| (key.to_owned(), value.to_owned()));
    Config::layered(settings, "the test", HashMap::from(set)).unwrap()
}

pub(crate) fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// A block that begins and expires so many seconds from now.
pub(crate) fn block(target: &str, begun: i64, expires: Option<i64>) -> Block {
    Block {
        forced: false,
        scope: Scope::Opening,
        service: None,
        quiet: false,
        target: net(target),
        state: BlockState::Enforced,
        origin: Origin::Detection,
        by: "detection".to_owned(),
        reason: "scans: 100 connections, of which 97 without an answer".to_owned(),
        class: Some(Class::Scan),
        incident: Some("0123456789abcdef0123456789abcdef".to_owned()),
        offence: 1,
        begun: seconds(begun),
        expires: expires.map(seconds),
        confirm_by: None,
    }
}

/// That somebody did something to `object`.
pub(crate) fn said(object: &str) -> Entry {
    Entry::Audit {
        by: "root (uid 0)".to_owned(),
        action: "blocks add".to_owned(),
        object: object.to_owned(),
        outcome: "blocked for 10m".to_owned(),
    }
}

/// A message of this severity, as long as an incident's.
pub(crate) fn message(id: &str, severity: u8) -> Message {
    Message {
        topic: Topic::Incident,
        severity,
        id: id.to_owned(),
        kind: "garita.incident".to_owned(),
        at: NOW,
        body: format!("{{\"message\":\"{}\"}}", "x".repeat(2_000)),
    }
}

/// A revision of an incident, with its message.
pub(crate) fn incident(id: &str, offender: &str, revision: u32) -> Entry {
    let at = seconds(i64::from(revision));
    let end = |ip: &str, port| Endpoint {
        ip: ip.parse().unwrap(),
        port: Some(port),
    };
    let incident = Incident {
        timestamp: at,
        ecs: Ecs {
            version: "8.17.0".into(),
        },
        event: Event {
            id: id.to_owned(),
            kind: "alert".into(),
            category: ["network".into(), "intrusion_detection".into()],
            action: "review".into(),
            outcome: "unknown".into(),
            severity: 2,
            risk_score: 40,
            start: NOW,
            end: at,
        },
        source: Some(end(offender, 40_000)),
        destination: end("192.0.2.10", 22),
        network: Network {
            transport: "tcp".to_owned(),
            community_id: None,
        },
        related: Related {
            ip: vec![offender.parse().unwrap()],
        },
        threat: None,
        observer: ObservedBy {
            name: "gate".to_owned(),
            version: "0.1.0".into(),
            kind: "sensor".into(),
            ingress: None,
        },
        message: format!("{offender} scans. {}", "It goes on and on. ".repeat(60)),
        garita: Garita {
            offender: Some(offender.parse().unwrap()),
            class: Class::Scan,
            decision: "review".into(),
            reason: None,
            outcome: None,
            revision,
            evidence: EvidenceSummary {
                log_odds: 8.0.into(),
                snapshots: 5,
                first_seen: NOW,
                last_seen: at,
                packets_before: 40,
                proven: true,
            },
            explanation: Vec::new(),
            model: ModelScore {
                name: "forest".to_owned(),
                sha256: "00".repeat(32),
                score: [(Class::Scan, 0.97.into())].into(),
            },
            block: None,
            victim: None,
            sources: None,
            tunnel: None,
            reduced: Vec::new(),
        },
    };
    let stage = if revision == 1 {
        Stage::Begun
    } else {
        Stage::Changed
    };
    Entry::Incident {
        revision: Box::new(Revision { stage, incident }),
        features: vec![1.0, -2.5, 3.25],
        message: Some(message(&format!("{id}/{revision}"), 2)),
    }
}

/// The end of an incident, as it is told: nothing was decided any more, so there is no vector.
pub(crate) fn ended(id: &str, offender: &str, number: u32) -> Entry {
    let mut entry = incident(id, offender, number);
    if let Entry::Incident {
        revision, features, ..
    } = &mut entry
    {
        revision.stage = Stage::Ended;
        features.clear();
    }
    entry
}

/// Looks again and again until it is so; fails after half a minute.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let (_open, never) = mpsc::channel::<()>();
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        _ = never.recv_timeout(Duration::from_millis(10));
    }
}
