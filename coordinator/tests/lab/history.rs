//! A fleet's history, written into a database as the intake would: what the console is looked at and measured with. The
//! same numbers give the same history.

mod decided;
mod incident;

use coordinator::access::{Role, hash};
use coordinator::moment::{self, SECOND};
use coordinator::store::{
    Batch, ConditionRow, HeldBlock, IncidentRow, NewAccount, Review, Said, Scope, SensorRow,
    SequenceRow, Store, TelemetryRow,
};
use serde_json::{Value, json};

use decided::decided;
use incident::document;

/// How much there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amount {
    pub(crate) sensors: usize,
    pub(crate) incidents: usize,
    /// Over how many days.
    pub(crate) days: i64,
}

/// Who can log in to what was written.
pub(crate) const NAME: &str = "anna";
pub(crate) const PASSWORD: &str = "a sentence that nobody guesses";

const SITES: [&str; 5] = ["berlin", "lisboa", "madrid", "oslo", "wien"];
const CLASSES: [(&str, u16, &str); 8] = [
    ("scan", 443, "203.0.113"),
    ("brute-force", 22, "198.51.100"),
    ("scan", 23, "203.0.113"),
    ("flood", 443, "192.0.2"),
    ("brute-force", 3389, "198.51.100"),
    ("ddos", 443, "203.0.113"),
    ("c2", 8443, "198.51.100"),
    ("tunnel", 53, "192.0.2"),
];
const BATCH: usize = 500;

/// Numbers that look random and are not: a linear congruence with the constants of Knuth's MMIX.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % sides.max(1)
    }
}

/// Writes a history that ends now, and an admin.
pub(crate) async fn write(url: &str, amount: Amount) {
    let store = Store::open(url, 4).await.expect("the database opens");
    let now = moment::now();
    store
        .prepare_months(now)
        .await
        .expect("its months are prepared");
    let leadership = store
        .lead()
        .await
        .expect("it answers")
        .expect("nobody leads yet");
    let mut dice = Dice(7);
    let gates: Vec<(String, String)> = (0..amount.sensors)
        .map(|at| {
            (
                SITES[at % SITES.len()].to_owned(),
                format!("edge-{:02}", at / SITES.len() + 1),
            )
        })
        .collect();
    let mut first = Batch {
        at: now,
        ..Batch::default()
    };
    for (at, gate) in gates.iter().enumerate() {
        sensor(&mut first, (at, gate), now);
    }
    store
        .write(&leadership, (&first, 100))
        .await
        .expect("it is written");
    let span = amount.days * 86_400 * SECOND;
    let mut at = 0;
    while at < amount.incidents {
        let many = BATCH.min(amount.incidents - at);
        let mut batch = Batch {
            at: now,
            ..Batch::default()
        };
        for n in at..at + many {
            // More of them lately than long ago.
            let share = (n + 1) as f64 / amount.incidents as f64;
            let ago = (span as f64 * (1.0 - share).powi(2)) as i64;
            let gate = &gates[dice.roll(gates.len())];
            incident(&mut batch, (n, gate), (now - ago, now), &mut dice);
        }
        store
            .write(&leadership, (&batch, 100))
            .await
            .expect("it is written");
        at += many;
    }
    let mut last = Batch {
        at: now,
        ..Batch::default()
    };
    decided(&mut last, &gates, now);
    store
        .write(&leadership, (&last, 100))
        .await
        .expect("it is written");
    let admin = NewAccount {
        name: NAME.to_owned(),
        hash: hash(PASSWORD).expect("it is long enough"),
        role: Role::Admin.as_str().to_owned(),
        sites: Scope::default(),
    };
    let said = Said {
        at: now,
        by: "the code of the first start".to_owned(),
        action: "user add".to_owned(),
        object: NAME.to_owned(),
        outcome: "admin of all sites".to_owned(),
    };
    store
        .add_account(&admin, &said)
        .await
        .expect("it is written");
    drop(leadership);
    store.close().await;
}

fn sensor(batch: &mut Batch, (at, (site, name)): (usize, &(String, String)), now: i64) {
    let state = match at % 17 {
        13 => "offline",
        _ => "online",
    };
    let heard = if state == "online" {
        now
    } else {
        now - 5_400 * SECOND
    };
    let model = json!({"name": "forest-12", "sha256": "4be1c2a97d0f55e1a6b0f6b4a90e1b7c"});
    let status = json!({
        "state": state, "at": moment::text(heard), "site": site, "sensor": name, "version": "0.1.0", "boot_id": "b",
        "started": moment::text(now - 86_400 * SECOND * 9), "model": model, "epoch": "e1", "seq": 120,
        "blocks": {"count": 3 + at % 7, "sha256": "0"},
    });
    let is_full = at % 11 == 4;
    let telemetry = |minute: i64| {
        // Counts that grow faster by day than by night.
        let grown = (2_000 - minute) as f64;
        let packets = (grown * 54_000.0 + (grown / 220.0).sin() * 220.0 * 24_000.0) as i64;
        json!({
            "at": moment::text(heard - minute * 60 * SECOND), "site": site, "sensor": name,
            "figures": {
                "model": model, "uptime": 1000, "packets": {"wan0": packets},
                "losses": {"kernel-buffer": if is_full { (2_000 - minute) * 40 } else { 0 }}, "snapshots": 1, "decisions": {},
                "tables": {},
            },
            "outbox": {"pending": 0, "sent": 0, "bytes": 0, "first": null, "last": 120},
            "store": {"waiting": 0, "lost": {}, "bytes": 4_200_000 + at * 91_000},
            "conditions": if is_full { vec!["capture-drops"] } else { vec![] }, "audit": null, "blocks": null,
        })
    };
    if at < 3 {
        batch
            .telemetry
            .extend((0..1_400).step_by(5).map(|minute| TelemetryRow {
                site: site.clone(),
                sensor: name.clone(),
                at: heard - minute * 60 * SECOND,
                doc: telemetry(minute).to_string(),
            }));
    }
    if is_full {
        let condition = json!({
            "@timestamp": moment::text(now - 2_400 * SECOND), "message": "The kernel's buffer overflowed: packets are lost.",
            "garita": {"condition": "capture-drops"},
        });
        batch.conditions.push(ConditionRow {
            id: format!("{site}/{name}/c1"),
            site: site.clone(),
            sensor: name.clone(),
            name: "capture-drops".to_owned(),
            action: "raised".to_owned(),
            at: now - 2_400 * SECOND,
            doc: condition.to_string(),
        });
    }
    batch.sensors.push(SensorRow {
        site: site.clone(),
        sensor: name.clone(),
        state: state.to_owned(),
        version: "0.1.0".to_owned(),
        first_heard: now - 86_400 * SECOND * 40,
        last_heard: heard,
        skew: 0,
        epoch: Some("e1".to_owned()),
        status: Some(status.to_string()),
        telemetry: Some(telemetry(0).to_string()),
        digest: if at % 19 == 7 { "differs" } else { "agrees" }.to_owned(),
    });
    batch.sequences.push(SequenceRow {
        site: site.clone(),
        sensor: name.clone(),
        epoch: "e1".to_owned(),
        high: 120,
        gaps: "[]".to_owned(),
        lost: "[]".to_owned(),
        heard: 120,
        repeated: 2,
        at: now,
    });
}

fn incident(
    batch: &mut Batch,
    (n, (site, sensor)): (usize, &(String, String)),
    (at, now): (i64, i64),
    dice: &mut Dice,
) {
    let (class, port, net) = CLASSES[dice.roll(CLASSES.len()).min(dice.roll(CLASSES.len()))];
    let offender = format!("{net}.{}", 1 + dice.roll(60));
    let victim = format!("192.0.2.{}", 10 + dice.roll(30));
    let id = format!("{:08x}-{site}-{sensor}-{n}", n.wrapping_mul(2_654_435_761));
    let decision = match (class, n % 9) {
        ("ddos" | "c2" | "tunnel", _) => "alert",
        (_, 4) => "review",
        _ => "block",
    };
    let revisions = 1 + dice.roll(3);
    let expires = at + 4 * 3_600 * SECOND;
    let first = at - (3 + i64::try_from(dice.roll(70)).unwrap_or(0)) * SECOND;
    for revision in 1..=revisions {
        let said = at + i64::try_from(revision - 1).unwrap_or(0) * 20 * SECOND;
        let mut row = IncidentRow {
            id: id.clone(),
            first: at,
            is_known: false,
            site: site.clone(),
            sensor: sensor.clone(),
            event_id: id.clone(),
            revision: i64::try_from(revision).unwrap_or(1),
            at: said.min(now),
            offender: (class != "ddos").then(|| offender.clone()),
            victim: Some(victim.clone()),
            port: Some(port.into()),
            class: class.to_owned(),
            decision: decision.to_owned(),
            severity: i64::try_from(1 + n % 4).unwrap_or(1),
            proven: n % 5 != 0,
            until: (decision == "block").then_some(expires),
            ended: revision == revisions && n % 3 == 0,
            doc: String::new(),
        };
        row.doc = document(&row, (first, expires)).to_string();
        if revision == revisions {
            ask(batch, &row, now);
            hold(batch, &row, now);
            batch.incidents.push(row);
        } else {
            batch.older.push(row);
        }
    }
}

fn ask(batch: &mut Batch, row: &IncidentRow, now: i64) {
    let lapses = row.at + 86_400 * SECOND;
    let Some(address) = row.offender.clone().filter(|_| row.decision == "review") else {
        return;
    };
    if lapses < now {
        return;
    }
    let document: Value = serde_json::from_str(&row.doc).unwrap_or_default();
    batch.reviews.push(Review {
        id: row.id.clone(),
        site: row.site.clone(),
        sensor: row.sensor.clone(),
        event_id: row.event_id.clone(),
        address,
        class: row.class.clone(),
        message: document["message"].as_str().unwrap_or_default().to_owned(),
        asked: row.at,
        lapses,
        state: "open".to_owned(),
        version: 1,
        answered_by: None,
        answered_at: None,
        reason: None,
    });
}

fn hold(batch: &mut Batch, row: &IncidentRow, now: i64) {
    let (Some(offender), Some(until)) = (&row.offender, row.until) else {
        return;
    };
    // One row each address and sensor in a batch: what comes later there counts.
    let target = format!("{offender}/32");
    batch.blocks.retain(|held| {
        !(held.site == row.site && held.sensor == row.sensor && held.target == target)
    });
    batch.blocks.push(HeldBlock {
        site: row.site.clone(),
        sensor: row.sensor.clone(),
        target,
        state: if until > now { "enforced" } else { "released" }.to_owned(),
        expires: Some(until),
        at: row.at,
        doc: "{}".to_owned(),
    });
}
