//! The sensors, what was heard of their numbers, their conditions and telemetry, and what was quarantined.

use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{Any, Transaction};

use super::page::{Page, Query, Scope};
use super::rows::{Row, Table};
use super::sql::{Columns, Sql};
use super::{Error, Rows, Store};
use crate::moment;

/// A sensor as it was last heard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SensorRow {
    /// Where.
    pub site: String,
    /// Who.
    pub sensor: String,
    /// `online`, `stopped`, `offline`, or `unknown` before its first status.
    pub state: String,
    /// The program's version.
    pub version: String,
    /// When it was first heard of.
    pub first_heard: i64,
    /// When it was last heard.
    pub last_heard: i64,
    /// How far its clock is ahead of ours, microseconds.
    pub skew: i64,
    /// The outbox its numbers belong to.
    pub epoch: Option<String>,
    /// Its last status.
    pub status: Option<String>,
    /// Its last telemetry.
    pub telemetry: Option<String>,
    /// `agrees`, `differs`, or `unknown`: its block list against what its messages told.
    pub digest: String,
}

/// What was heard of a sensor's numbers in one epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SequenceRow {
    /// Where.
    pub site: String,
    /// Who.
    pub sensor: String,
    /// The outbox.
    pub epoch: String,
    /// The highest number heard.
    pub high: i64,
    /// Ranges below that were not heard, as JSON.
    pub gaps: String,
    /// Ranges that never will be, as JSON.
    pub lost: String,
    /// Different messages heard.
    pub heard: i64,
    /// Messages that came again.
    pub repeated: i64,
    /// When it was last heard.
    pub at: i64,
}

const SENSORS: Table = Table {
    name: "sensor",
    columns: &[
        "site",
        "sensor",
        "state",
        "version",
        "first_heard",
        "last_heard",
        "skew",
        "epoch",
        "status",
        "telemetry",
        "digest",
    ],
    document: None,
    conflict: "ON CONFLICT (site, sensor) DO UPDATE SET state = excluded.state, version = excluded.version, last_heard \
               = excluded.last_heard, skew = excluded.skew, epoch = excluded.epoch, status = excluded.status, telemetry \
               = excluded.telemetry, digest = excluded.digest",
};

const SEQUENCES: Table = Table {
    name: "sequence",
    columns: &[
        "site", "sensor", "epoch", "high", "gaps", "lost", "heard", "repeated", "at",
    ],
    document: None,
    conflict: "ON CONFLICT (site, sensor, epoch) DO UPDATE SET high = excluded.high, gaps = excluded.gaps, lost = \
               excluded.lost, heard = excluded.heard, repeated = excluded.repeated, at = excluded.at",
};

impl Row for SensorRow {}

impl Row for SequenceRow {}

pub(super) async fn write(
    on: &mut Transaction<'static, Any>,
    (sensors, sequences): (&[SensorRow], &[SequenceRow]),
) -> Result<(), Error> {
    SENSORS.write(on, ("store sensors", sensors)).await?;
    SEQUENCES.write(on, ("store sequences", sequences)).await?;
    Ok(())
}

impl Store {
    /// Every sensor, for who leads.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn sensors(&self) -> Result<Vec<SensorRow>, Error> {
        let sql = Sql::new("SELECT * FROM sensor ORDER BY site, sensor");
        let rows = sql.all("read sensors", &self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(SensorRow {
                    site: row.get_text("site")?,
                    sensor: row.get_text("sensor")?,
                    state: row.get_text("state")?,
                    version: row.get_text("version")?,
                    first_heard: row.get_number("first_heard")?,
                    last_heard: row.get_number("last_heard")?,
                    skew: row.get_number("skew")?,
                    epoch: row.get_maybe("epoch")?,
                    status: row.get_maybe("status")?,
                    telemetry: row.get_maybe("telemetry")?,
                    digest: row.get_text("digest")?,
                })
            })
            .collect()
    }

    /// What was heard of everybody's numbers.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn sequences(&self) -> Result<Vec<SequenceRow>, Error> {
        let sql = Sql::new("SELECT * FROM sequence");
        sequences(&sql.all("read sequences", &self.pool).await?)
    }

    /// Sensors for the API, by site and name.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list_sensors(
        &self,
        scope: &Scope,
        (site, sensor): (Option<&str>, Option<&str>),
    ) -> Result<Vec<Value>, Error> {
        let rows = self.sensors().await?;
        let mut all = Vec::new();
        for row in rows {
            let wanted = scope.covers(&row.site)
                && site.is_none_or(|site| site == row.site)
                && sensor.is_none_or(|sensor| sensor == row.sensor);
            if !wanted {
                continue;
            }
            let mut sql = Sql::new("SELECT * FROM sequence WHERE site = ");
            sql.bind(row.site.clone())
                .push(" AND sensor = ")
                .bind(row.sensor.clone())
                .push(" ORDER BY at DESC");
            let heard = sequences(&sql.all("read sequences", &self.pool).await?)?;
            all.push(shown(&row, &heard));
        }
        Ok(all)
    }

    /// What was quarantined, the latest first.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list_quarantine(
        &self,
        page: &Page,
    ) -> Result<(Vec<Value>, Option<String>), Error> {
        let query = Query {
            columns: "topic, reason, count, first_at, last_at, sample",
            table: "quarantine",
            order: ("last_at", "topic"),
        };
        query
            .page(
                (&self.pool, page),
                |_| {},
                |row| {
                    Ok(json!({
                        "topic": row.get_text("topic")?, "reason": row.get_text("reason")?,
                        "count": row.get_number("count")?, "sample": row.get_text("sample")?,
                        "first": moment::text(row.get_number("first_at")?),
                        "last": moment::text(row.get_number("last_at")?),
                    }))
                },
            )
            .await
    }
}

fn sequences(rows: &Rows) -> Result<Vec<SequenceRow>, Error> {
    rows.iter()
        .map(|row| {
            Ok(SequenceRow {
                site: row.get_text("site")?,
                sensor: row.get_text("sensor")?,
                epoch: row.get_text("epoch")?,
                high: row.get_number("high")?,
                gaps: row.get_text("gaps")?,
                lost: row.get_text("lost")?,
                heard: row.get_number("heard")?,
                repeated: row.get_number("repeated")?,
                at: row.get_number("at")?,
            })
        })
        .collect()
}

fn shown(row: &SensorRow, heard: &[SequenceRow]) -> Value {
    let parse = |text: &Option<String>| -> Value {
        let text = text.as_deref().unwrap_or("null");
        serde_json::from_str(text).unwrap_or_default()
    };
    let ranges = |text: &str| -> Value { serde_json::from_str(text).unwrap_or_default() };
    let epochs: Vec<Value> = heard
        .iter()
        .map(|row| {
            json!({
                "epoch": row.epoch, "high": row.high, "heard": row.heard, "repeated": row.repeated,
                "gaps": ranges(&row.gaps), "lost": ranges(&row.lost), "at": moment::text(row.at),
            })
        })
        .collect();
    json!({
        "site": row.site, "sensor": row.sensor, "state": row.state, "version": row.version,
        "first_heard": moment::text(row.first_heard), "last_heard": moment::text(row.last_heard),
        "clock_skew_ms": row.skew / 1_000, "digest": row.digest,
        "status": parse(&row.status), "telemetry": parse(&row.telemetry), "sequences": epochs,
    })
}
