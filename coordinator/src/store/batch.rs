//! One transaction of the intake: everything a batch of messages says and everything concluded from it, or nothing.
//! A leader that was overtaken writes nothing.

use std::borrow::Cow;

use serde::Serialize;
use sqlx::{Any, Transaction};

use super::campaigns::{self, CampaignRow};
use super::fleet::{self, FleetBlock, HeldBlock};
use super::leader::{Leadership, Lost};
use super::orders::{self, Order};
use super::reviews::{self, Review};
use super::rows::{Row, Table, flag};
use super::sensors::{self, SensorRow, SequenceRow};
use super::sql::Sql;
use super::stream::{self, Happened};
use super::{Error, Store};

/// The latest revision of an incident, as a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IncidentRow {
    /// Its name in the API: `event.id`, or with site and sensor behind it where somebody else's has that already.
    pub id: String,
    /// When its first revision was made: which month it is kept with.
    pub first: i64,
    /// Whether a revision of it is stored already.
    #[serde(skip)]
    pub is_known: bool,
    /// The site it was published at.
    pub site: String,
    /// The sensor that published it.
    pub sensor: String,
    /// `event.id`
    pub event_id: String,
    /// `garita.revision`
    pub revision: i64,
    /// `@timestamp`
    pub at: i64,
    /// Who to act on.
    pub offender: Option<String>,
    /// Who suffers: the destination, or the victim of a `ddos`.
    pub victim: Option<String>,
    /// The destination's port.
    pub port: Option<i64>,
    /// What is done.
    pub class: String,
    /// What is to be done about it.
    pub decision: String,
    /// 1 to 4.
    pub severity: i64,
    /// Whether the offender's address is proven.
    #[serde(serialize_with = "flag")]
    pub proven: bool,
    /// Until when the sensor blocks the offender.
    #[serde(rename = "blocked_until")]
    pub until: Option<i64>,
    /// Whether it has ended.
    #[serde(serialize_with = "flag")]
    pub ended: bool,
    /// The document as published.
    #[serde(skip)]
    pub doc: String,
}

impl Row for IncidentRow {
    fn document(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(&self.doc))
    }
}

/// A kind of nonsense that was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Where.
    pub topic: String,
    /// What is wrong with it, in a sentence that does not change from message to message.
    pub reason: String,
    /// The last message, shortened.
    pub sample: String,
    /// How many.
    pub count: i64,
}

/// What a transaction of the intake writes.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The time it is written.
    pub at: i64,
    /// Latest revisions, each incident once.
    pub incidents: Vec<IncidentRow>,
    /// Revisions that are not the latest.
    pub older: Vec<IncidentRow>,
    /// Conditions: identifier, site, sensor, name, action, time, document.
    pub conditions: Vec<ConditionRow>,
    /// Telemetry.
    pub telemetry: Vec<TelemetryRow>,
    /// Blocks of sensors as they are now.
    pub blocks: Vec<HeldBlock>,
    /// Sensors as they are now.
    pub sensors: Vec<SensorRow>,
    /// What was heard of whose numbers.
    pub sequences: Vec<SequenceRow>,
    /// Nonsense.
    pub quarantine: Vec<Quarantined>,
    /// Reviews that are new.
    pub reviews: Vec<Review>,
    /// Reviews that nobody has to answer any more, and what became of them.
    pub settled: Vec<(String, &'static str)>,
    /// Campaigns as they are now.
    pub campaigns: Vec<CampaignRow>,
    /// Fleet blocks that are new or have changed.
    pub fleet: Vec<FleetBlock>,
    /// Orders that are new or have changed.
    pub orders: Vec<Order>,
    /// What to tell those who follow.
    pub events: Vec<Happened>,
}

/// A condition of a sensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionRow {
    /// `event.id` with site and sensor.
    pub id: String,
    /// Where.
    pub site: String,
    /// Whose.
    pub sensor: String,
    /// Its name.
    pub name: String,
    /// Raised, passed or happened.
    pub action: String,
    /// When.
    pub at: i64,
    /// The document as published.
    pub doc: String,
}

/// Figures of a sensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TelemetryRow {
    /// Where.
    pub site: String,
    /// Whose.
    pub sensor: String,
    /// When.
    pub at: i64,
    /// The document as published.
    #[serde(skip)]
    pub doc: String,
}

impl Row for TelemetryRow {
    fn document(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(&self.doc))
    }
}

impl Batch {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.incidents.is_empty()
            && self.older.is_empty()
            && self.conditions.is_empty()
            && self.telemetry.is_empty()
            && self.blocks.is_empty()
            && self.sensors.is_empty()
            && self.sequences.is_empty()
            && self.quarantine.is_empty()
            && self.reviews.is_empty()
            && self.settled.is_empty()
            && self.campaigns.is_empty()
            && self.fleet.is_empty()
            && self.orders.is_empty()
            && self.events.is_empty()
    }
}

impl Store {
    /// Writes a batch, whole or not at all.
    ///
    /// # Errors
    /// Another coordinator leads, or the database does not answer; nothing was written then.
    pub async fn write(
        &self,
        leadership: &Leadership,
        (batch, max_quarantine): (&Batch, u32),
    ) -> Result<(), Lost> {
        let mut on = self.begin().await?;
        leadership.hold(&mut on).await?;
        incidents(&mut on, batch).await?;
        conditions(&mut on, &batch.conditions).await?;
        let told = ("store telemetry", batch.telemetry.as_slice());
        TELEMETRY.write(&mut on, told).await?;
        fleet::hold(&mut on, &batch.blocks).await?;
        sensors::write(&mut on, (&batch.sensors, &batch.sequences)).await?;
        quarantine(&mut on, batch, max_quarantine).await?;
        reviews::open(&mut on, &batch.reviews).await?;
        reviews::settle(&mut on, &batch.settled, batch.at).await?;
        campaigns::write(&mut on, &batch.campaigns).await?;
        fleet::write(&mut on, &batch.fleet).await?;
        orders::write(&mut on, &batch.orders).await?;
        stream::tell(&mut on, &batch.events).await?;
        self.commit(on).await?;
        Ok(())
    }
}

const INCIDENTS: Table = Table {
    name: "incident",
    columns: &[
        "id",
        "first",
        "site",
        "sensor",
        "event_id",
        "revision",
        "at",
        "offender",
        "victim",
        "port",
        "class",
        "decision",
        "severity",
        "proven",
        "blocked_until",
        "ended",
    ],
    document: Some("doc"),
    conflict: "ON CONFLICT (id, first) DO UPDATE SET revision = excluded.revision, at = excluded.at, offender = \
               excluded.offender, victim = excluded.victim, port = excluded.port, class = excluded.class, decision = \
               excluded.decision, severity = excluded.severity, proven = excluded.proven, blocked_until = \
               excluded.blocked_until, ended = excluded.ended, doc = excluded.doc WHERE excluded.revision > \
               incident.revision",
};

const REVISIONS: Table = Table {
    name: "revision",
    columns: &["incident", "revision", "at"],
    document: Some("doc"),
    conflict: "ON CONFLICT DO NOTHING",
};

const TELEMETRY: Table = Table {
    name: "telemetry",
    columns: &["site", "sensor", "at"],
    document: Some("doc"),
    conflict: "ON CONFLICT DO NOTHING",
};

/// A revision that is not the latest.
#[derive(Serialize)]
struct Revision<'a> {
    incident: &'a str,
    revision: i64,
    at: i64,
    #[serde(skip)]
    doc: &'a str,
}

impl Row for Revision<'_> {
    fn document(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.doc))
    }
}

async fn incidents(on: &mut Transaction<'static, Any>, batch: &Batch) -> Result<(), Error> {
    let act = "store incidents";
    // What is no longer the latest makes room for it.
    for row in batch.incidents.iter().filter(|row| row.is_known) {
        let mut sql = Sql::new(
            "INSERT INTO revision (incident, revision, at, doc) SELECT id, revision, at, doc FROM incident WHERE id = ",
        );
        sql.bind(row.id.clone())
            .push(" AND first = ")
            .bind(row.first);
        sql.push(" ON CONFLICT DO NOTHING");
        sql.run(act, &mut **on).await?;
    }
    INCIDENTS.write(on, (act, &batch.incidents)).await?;
    let older = batch.older.iter().map(|row| Revision {
        incident: &row.id,
        revision: row.revision,
        at: row.at,
        doc: &row.doc,
    });
    let older: Vec<Revision> = older.collect();
    REVISIONS.write(on, (act, &older)).await?;
    Ok(())
}

async fn conditions(
    on: &mut Transaction<'static, Any>,
    conditions: &[ConditionRow],
) -> Result<(), Error> {
    for row in conditions {
        let mut sql = Sql::new("INSERT INTO condition (id, site, sensor, name, action, at, doc)");
        sql.rows(&[row], |to, row| {
            to.add(row.id.clone())
                .add(row.site.clone())
                .add(row.sensor.clone())
                .add(row.name.clone())
                .add(row.action.clone())
                .add(row.at)
                .add(row.doc.clone());
        });
        sql.push(
            " ON CONFLICT (id) DO UPDATE SET action = excluded.action, at = excluded.at, doc = excluded.doc WHERE \
             excluded.at >= condition.at",
        );
        sql.run("store a condition", &mut **on).await?;
    }
    Ok(())
}

async fn quarantine(
    on: &mut Transaction<'static, Any>,
    batch: &Batch,
    most: u32,
) -> Result<(), Error> {
    let act = "store what was quarantined";
    for row in &batch.quarantine {
        let mut sql =
            Sql::new("INSERT INTO quarantine (topic, reason, count, first_at, last_at, sample)");
        sql.rows(&[row], |to, row| {
            to.add(row.topic.clone())
                .add(row.reason.clone())
                .add(row.count)
                .add(batch.at)
                .add(batch.at)
                .add(row.sample.clone());
        });
        sql.push(
            " ON CONFLICT (topic, reason) DO UPDATE SET count = quarantine.count + excluded.count, last_at = \
             excluded.last_at, sample = excluded.sample",
        );
        sql.run(act, &mut **on).await?;
    }
    if !batch.quarantine.is_empty() {
        let mut sql = Sql::new(
            "DELETE FROM quarantine WHERE (topic, reason) NOT IN (SELECT topic, reason FROM quarantine ORDER BY last_at \
             DESC, topic, reason LIMIT ",
        );
        sql.bind(i64::from(most)).push(")");
        sql.run(act, &mut **on).await?;
    }
    Ok(())
}
