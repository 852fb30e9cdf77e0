//! Documents as sensors publish them.

use std::time::Duration;

use contract::timestamp::Timestamp;
use serde_json::{Value, json};

/// The moment now.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_micros(coordinator::moment::now())
}

/// An incident: who, seen by which sensor, under which `event.id`.
pub(crate) fn incident((offender, class): (&str, &str), sensor: &str, id: &str) -> Value {
    let now = now();
    let port = if class == "brute-force" { 22 } else { 443 };
    json!({
        "@timestamp": now, "ecs": {"version": "8.17.0"},
        "event": {
            "id": id, "kind": "alert", "category": ["network", "intrusion_detection"], "action": "block",
            "outcome": "success", "severity": 3, "risk_score": 80, "start": now, "end": now,
        },
        "source": {"ip": offender, "port": 40_000}, "destination": {"ip": "192.0.2.1", "port": port},
        "network": {"transport": "tcp"}, "related": {"ip": [offender, "192.0.2.1"]},
        "observer": {"name": sensor, "version": "0.1.0", "type": "sensor"},
        "message": format!("{offender} attacks"),
        "garita": {
            "offender": offender, "class": class, "decision": "block", "outcome": "enforced", "revision": 1,
            "evidence": {
                "log_odds": 9.5, "snapshots": 5, "first_seen": now, "last_seen": now, "packets_before": 20, "proven": true,
            },
            "explanation": [], "model": {"name": "m", "sha256": "0", "score": {class: 0.9}},
            "block": {
                "target": offender, "expires": now.after(Duration::from_secs(600)), "ttl": 600, "offence": 1,
            },
        },
    })
}

/// A block message.
pub(crate) fn block((event, target): (&str, &str), by: &str, ttl: u64) -> Value {
    let now = now();
    let origin = if by.starts_with("key ") {
        "command"
    } else {
        "detection"
    };
    json!({
        "event": event, "at": now, "by": by, "reason": "seen", "block": {
            "target": target, "state": "enforced", "origin": origin, "by": by, "reason": "seen", "class": null,
            "incident": null, "offence": 1, "begun": now, "expires": now.after(Duration::from_secs(ttl)),
            "confirm_by": null, "forced": false,
        },
    })
}
