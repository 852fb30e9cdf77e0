//! An incident as a sensor would have published it.

use coordinator::moment;
use coordinator::store::IncidentRow;
use serde_json::{Value, json};

/// Its document.
pub(crate) fn document(row: &IncidentRow, (first, expires): (i64, i64)) -> Value {
    let attempts = 7 + row.at.unsigned_abs() / 1_000_000 % 90;
    let what = match row.class.as_str() {
        "scan" => format!("asked {attempts} ports of 3 hosts in vain within a minute"),
        "brute-force" => format!("tried {attempts} logins alike and short at a login service"),
        "flood" => "sent 1,900 packets a second, hardly answered".to_owned(),
        "ddos" => format!("{attempts} addresses opened connections that stay half open"),
        "c2" => "called the same service 24 times, as regular as a timer".to_owned(),
        _ => "sent DNS queries of 74 bytes on average that carry 3 kB in a minute".to_owned(),
    };
    let block = (row.decision == "block").then(|| {
        json!({"target": row.offender, "expires": moment::text(expires), "ttl": 14_400, "offence": 1 + attempts % 3})
    });
    json!({
        "@timestamp": moment::text(row.at), "ecs": {"version": "8.17.0"},
        "event": {
            "id": row.event_id, "kind": "alert", "category": ["network", "intrusion_detection"], "action": row.decision,
            "outcome": "success", "severity": row.severity, "risk_score": 40 + row.severity * 14,
            "start": moment::text(first), "end": moment::text(row.at),
        },
        "source": {"ip": row.offender, "port": 40_000 + attempts}, "destination": {"ip": row.victim, "port": row.port},
        "network": {"transport": "tcp", "community_id": "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
        "related": {"ip": [row.offender, row.victim]},
        "threat": {"technique": {"id": "T1110", "name": "Brute Force"}},
        "observer": {"name": row.sensor, "version": "0.1.0", "type": "sensor", "ingress": {"interface": {"name": "wan0"}}},
        "message": format!("{} {what}.", row.offender.as_deref().unwrap_or("Many addresses")),
        "garita": {
            "offender": row.offender, "class": row.class, "decision": row.decision,
            "reason": (row.decision == "review").then_some("others converse from the same address meanwhile"),
            "outcome": (row.decision == "block").then_some("enforced"), "revision": row.revision,
            "evidence": {
                "log_odds": 9.41, "snapshots": 6, "first_seen": moment::text(first), "last_seen": moment::text(row.at),
                "packets_before": attempts * 4, "proven": row.proven,
            },
            "explanation": [
                {"feature": "attempts", "value": attempts, "contribution": 3.12, "text": format!("{attempts} tries alike; ordinary clients make two at most")},
                {"feature": "answered_share", "value": 0.04, "contribution": 2.4, "text": "4 % of its packets were answered; usual is above 60 %"},
                {"feature": "bytes_per_try", "value": 1180.5, "contribution": 1.05, "text": "each try carries as much as the one before"},
                {"feature": "known_services", "value": 1.0, "contribution": -0.62, "text": "it also converses with a known service"},
            ],
            "model": {"name": "forest-12", "sha256": "4be1c2a97d0f55e1a6b0f6b4a90e1b7c", "score": {
                row.class.as_str(): 0.93, "benign": 0.04, "flood": 0.02, "slow-dos": 0.01,
            }},
            "block": block,
        },
    })
}
