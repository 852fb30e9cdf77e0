//! What was decided for the fleet: campaigns, blocks, and orders.

use coordinator::moment::{self, SECOND};
use coordinator::store::{Batch, CampaignRow, FleetBlock, HeldBlock, Order, OrderState, Scope};
use serde_json::json;

/// Adds it.
pub(crate) fn decided(batch: &mut Batch, gates: &[(String, String)], now: i64) {
    for n in 0_i64..6 {
        let offender = format!("198.51.100.{}", 3 + n * 4);
        let begun = now - (n * n * 1_700 + 240) * SECOND;
        let id = format!("fleet-{:016x}", 0x51_ab_03_i64 * (n + 3));
        let state = [
            "active",
            "active",
            "observed",
            "active",
            "withdrawn",
            "expired",
        ][usize::try_from(n).unwrap_or(0)];
        batch.fleet.push(FleetBlock {
            id: id.clone(),
            target: format!("{offender}/32"),
            sites: Scope::default(),
            sensor: String::new(),
            state: state.to_owned(),
            origin: "fleet".to_owned(),
            ordered_by: "fleet policy".to_owned(),
            approved_by: None,
            reason: format!("{offender}: brute-force proven at 2 sensors"),
            campaign: Some(format!("campaign-{n}")),
            begun,
            expires: Some(begun + 4 * 3_600 * SECOND),
            version: 1,
            why: "{}".to_owned(),
        });
        for (at, (site, sensor)) in gates.iter().enumerate().filter(|_| state == "active") {
            let order_state = if at % 17 == 13 {
                OrderState::Queued
            } else {
                OrderState::Done
            };
            batch.orders.push(Order {
                id: format!("o{n}-{at}"),
                cause: id.clone(),
                site: site.clone(),
                sensor: sensor.clone(),
                action: "block".to_owned(),
                command:
                    json!({"action": "block", "target": format!("{offender}/32"), "ttl": 14_400})
                        .to_string(),
                state: order_state,
                reason: None,
                message: (order_state == OrderState::Done).then(|| "blocked".to_owned()),
                ordered_by: "fleet policy".to_owned(),
                why: "{}".to_owned(),
                created: begun,
                holds_until: begun + 4 * 3_600 * SECOND,
                attempts: 1,
                sent_at: Some(begun),
                answered_at: (order_state == OrderState::Done)
                    .then_some(begun + 180_000 + i64::try_from(at).unwrap_or(0) * 9_000),
            });
            if order_state == OrderState::Done {
                batch.blocks.push(HeldBlock {
                    site: site.clone(),
                    sensor: sensor.clone(),
                    target: format!("{offender}/32"),
                    state: "enforced".to_owned(),
                    expires: Some(begun + 4 * 3_600 * SECOND),
                    at: begun + SECOND,
                    doc: "{}".to_owned(),
                });
            }
        }
        campaign(batch, (n, &offender), gates, begun);
    }
}

fn campaign(batch: &mut Batch, (n, offender): (i64, &str), gates: &[(String, String)], begun: i64) {
    let (kind, name) = match n % 3 {
        0 => (
            "offender",
            format!("brute-force by {offender} at 2 sensors"),
        ),
        1 => (
            "guessing",
            "distributed ssh guessing from 12 sources at 2 sensors".to_owned(),
        ),
        _ => ("network", "7 offenders of 203.0.113.0/24".to_owned()),
    };
    let sensors: Vec<String> = gates
        .iter()
        .take(2)
        .map(|(site, sensor)| format!("{site}/{sensor}"))
        .collect();
    let document = json!({
        "id": format!("campaign-{n}"), "@timestamp": moment::text(begun), "message": name,
        "event": {"start": moment::text(begun - 900 * SECOND), "end": moment::text(begun)},
        "garita": {"class": "brute-force", "sources": [offender], "victims": ["192.0.2.10"], "campaign": {
            "kind": kind, "subject": offender, "name": name, "state": if n < 4 { "open" } else { "closed" }, "total": 1 + n * 3,
            "sites": ["berlin", "lisboa"], "sensors": sensors, "incidents": [],
            "timeline": [{"at": moment::text(begun), "what": format!("{offender} was proven at the second sensor")}],
        }},
    });
    batch.campaigns.push(CampaignRow {
        id: format!("campaign-{n}"),
        kind: kind.to_owned(),
        subject: offender.to_owned(),
        class: "brute-force".to_owned(),
        state: if n < 4 { "open" } else { "closed" }.to_owned(),
        sites: Scope(vec!["berlin".to_owned(), "lisboa".to_owned()]),
        first_at: begun - 900 * SECOND,
        last_at: begun,
        version: 1,
        doc: document.to_string(),
    });
}
