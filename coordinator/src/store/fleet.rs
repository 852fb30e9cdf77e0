//! Blocks: what each sensor keeps out, as its messages tell it, and what the fleet is to keep out.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};
use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};

use super::page::{Page, Query, Scope};
use super::rows::{Row, Table};
use super::sql::{Columns, Sql};
use super::{Error, Store};
use crate::moment;

/// A block of a sensor's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldBlock {
    /// Where.
    pub site: String,
    /// Whose.
    pub sensor: String,
    /// Who is kept out, as the sensor writes it.
    pub target: String,
    /// `enforced`, `observed`, `failed`, or `released` once it has ended.
    pub state: String,
    /// Until when; nothing where it is permanent.
    pub expires: Option<i64>,
    /// When this was said.
    pub at: i64,
    /// The message as published.
    #[serde(skip)]
    pub doc: String,
}

impl Row for HeldBlock {
    fn document(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(&self.doc))
    }
}

/// Something the fleet is to keep out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetBlock {
    /// Its name.
    pub id: String,
    /// Who is kept out.
    pub target: String,
    /// At these sites; all where none is named.
    pub sites: Scope,
    /// At this sensor alone; empty for every one.
    pub sensor: String,
    /// `observed` (only concluded), `waiting` (for a second person), `active`, `withdrawn`, `expired`.
    pub state: String,
    /// `fleet` or `person`.
    pub origin: String,
    /// Who ordered it.
    pub ordered_by: String,
    /// Who else agreed, where two are needed.
    pub approved_by: Option<String>,
    /// Why, in a sentence.
    pub reason: String,
    /// The campaign it answers.
    pub campaign: Option<String>,
    /// Since when.
    pub begun: i64,
    /// Until when; nothing where it is permanent.
    pub expires: Option<i64>,
    /// Counts changes.
    pub version: i64,
    /// What it was concluded from, as JSON.
    pub why: String,
}

impl FleetBlock {
    /// Whether it still holds.
    pub fn holds(&self, now: i64) -> bool {
        self.state == "active" && self.expires.is_none_or(|expires| expires > now)
    }

    /// Whether a sensor is to keep it out.
    pub fn reaches(&self, site: &str, sensor: &str) -> bool {
        self.sites.covers(site) && (self.sensor.is_empty() || self.sensor == sensor)
    }

    /// As the API shows it.
    pub fn shown(&self) -> Value {
        json!({
            "id": self.id, "target": self.target, "sites": self.sites.0, "state": self.state, "origin": self.origin,
            "sensor": (!self.sensor.is_empty()).then_some(&self.sensor), "ordered_by": self.ordered_by,
            "approved_by": self.approved_by, "reason": self.reason, "campaign": self.campaign,
            "begun": moment::text(self.begun), "expires": self.expires.map(moment::text), "version": self.version,
            "why": serde_json::from_str::<Value>(&self.why).unwrap_or_default(),
        })
    }
}

const HELD: Table = Table {
    name: "block",
    columns: &["site", "sensor", "target", "state", "expires", "at"],
    document: Some("doc"),
    conflict: "ON CONFLICT (site, sensor, target) DO UPDATE SET state = excluded.state, expires = excluded.expires, at = \
               excluded.at, doc = excluded.doc WHERE excluded.at >= block.at",
};

pub(super) async fn hold(
    on: &mut Transaction<'static, Any>,
    blocks: &[HeldBlock],
) -> Result<(), Error> {
    HELD.write(on, ("store blocks", blocks)).await.map(drop)
}

pub(super) async fn write(
    on: &mut Transaction<'static, Any>,
    blocks: &[FleetBlock],
) -> Result<(), Error> {
    for block in blocks {
        let mut sql = Sql::new(
            "INSERT INTO fleet_block (id, target, sites, sensor, state, origin, ordered_by, approved_by, reason, \
             campaign, begun, expires, version, why)",
        );
        sql.rows(&[block], |to, row| {
            to.add(row.id.clone())
                .add(row.target.clone())
                .add(row.sites.write())
                .add(row.sensor.clone())
                .add(row.state.clone())
                .add(row.origin.clone())
                .add(row.ordered_by.clone())
                .add(row.approved_by.clone())
                .add(row.reason.clone())
                .add(row.campaign.clone())
                .add(row.begun)
                .add(row.expires)
                .add(row.version)
                .add(row.why.clone());
        });
        sql.push(
            " ON CONFLICT (id) DO UPDATE SET state = excluded.state, approved_by = excluded.approved_by, reason = \
             excluded.reason, campaign = excluded.campaign, expires = excluded.expires, version = excluded.version, \
             why = excluded.why WHERE fleet_block.version < excluded.version",
        );
        sql.run("store fleet blocks", &mut **on).await?;
    }
    Ok(())
}

impl Store {
    /// Fleet blocks that are not over, for who leads.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn open_fleet_blocks(&self) -> Result<Vec<FleetBlock>, Error> {
        let sql = Sql::new(
            "SELECT * FROM fleet_block WHERE state IN ('active', 'observed', 'waiting') ORDER BY begun, id",
        );
        let rows = sql.all("read fleet blocks", &self.pool).await?;
        rows.iter().map(fleet_block).collect()
    }

    /// Blocks of sensors that have not ended, for who leads.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn held_blocks(&self) -> Result<Vec<HeldBlock>, Error> {
        let sql = Sql::new("SELECT * FROM block WHERE state <> 'released'");
        let rows = sql.all("read blocks", &self.pool).await?;
        rows.iter().map(held_block).collect()
    }

    /// A fleet block.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn fleet_block(&self, id: &str) -> Result<Option<FleetBlock>, Error> {
        let mut sql = Sql::new("SELECT * FROM fleet_block WHERE id = ");
        sql.bind(id.to_owned());
        let row = sql.one("read a fleet block", &self.pool).await?;
        row.as_ref().map(fleet_block).transpose()
    }

    /// Fleet blocks by page. Who is limited to sites sees those that reach one of them.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list_fleet_blocks(
        &self,
        scope: &Scope,
        (target, state): (Option<&str>, Option<&str>),
        page: &Page,
    ) -> Result<(Vec<Value>, Option<String>), Error> {
        let query = Query {
            columns: "*",
            table: "fleet_block",
            order: ("begun", "id"),
        };
        let filter = |sql: &mut Sql| {
            if let Some(target) = target {
                sql.push(" AND target = ").bind(target.to_owned());
            }
            if let Some(state) = state {
                sql.push(" AND state = ").bind(state.to_owned());
            }
            if !scope.is_all() {
                sql.push(" AND (sites = ''");
                for site in &scope.0 {
                    sql.push(" OR ',' || sites || ',' LIKE ");
                    sql.bind(format!("%,{site},%"));
                }
                sql.push(")");
            }
        };
        query
            .page((&self.pool, page), filter, |row| {
                Ok(fleet_block(row)?.shown())
            })
            .await
    }

    /// Which sensors keep a target out now.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn held_of(&self, scope: &Scope, target: &str) -> Result<Vec<Value>, Error> {
        let mut sql = Sql::new("SELECT * FROM block WHERE target = ");
        sql.bind(target.to_owned());
        scope.limit(&mut sql);
        sql.push(" AND state <> 'released' ORDER BY site, sensor");
        let rows = sql.all("read blocks", &self.pool).await?;
        rows.iter()
            .map(|row| {
                let held = held_block(row)?;
                Ok(json!({
                    "site": held.site, "sensor": held.sensor, "target": held.target, "state": held.state,
                    "expires": held.expires.map(moment::text), "since": moment::text(held.at),
                }))
            })
            .collect()
    }

    /// Everything that sensors keep out now, for bouncers: target, latest expiry, class and number.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn decisions(&self, scope: &Scope, now: i64) -> Result<Vec<HeldBlock>, Error> {
        let mut sql = Sql::new(
            "SELECT * FROM block WHERE state = 'enforced' AND (expires IS NULL OR expires > ",
        );
        sql.bind(now).push(")");
        scope.limit(&mut sql);
        sql.push(" ORDER BY target, expires LIMIT 50000");
        let rows = sql.all("read blocks", &self.pool).await?;
        rows.iter().map(held_block).collect()
    }

    /// Blocks that ended within a span, for bouncers.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn ended(
        &self,
        scope: &Scope,
        (from, to): (i64, i64),
    ) -> Result<Vec<HeldBlock>, Error> {
        let mut sql = Sql::new("SELECT * FROM block WHERE ((state = 'released' AND at >= ");
        sql.bind(from)
            .push(") OR (expires > ")
            .bind(from)
            .push(" AND expires <= ")
            .bind(to)
            .push("))");
        scope.limit(&mut sql);
        sql.push(" ORDER BY target, expires LIMIT 50000");
        let rows = sql.all("read blocks", &self.pool).await?;
        rows.iter().map(held_block).collect()
    }
}

fn held_block(row: &AnyRow) -> Result<HeldBlock, Error> {
    Ok(HeldBlock {
        site: row.get_text("site")?,
        sensor: row.get_text("sensor")?,
        target: row.get_text("target")?,
        state: row.get_text("state")?,
        expires: row.get_maybe_number("expires")?,
        at: row.get_number("at")?,
        doc: row.get_text("doc")?,
    })
}

fn fleet_block(row: &AnyRow) -> Result<FleetBlock, Error> {
    Ok(FleetBlock {
        id: row.get_text("id")?,
        target: row.get_text("target")?,
        sites: Scope::read(&row.get_text("sites")?),
        sensor: row.get_text("sensor")?,
        state: row.get_text("state")?,
        origin: row.get_text("origin")?,
        ordered_by: row.get_text("ordered_by")?,
        approved_by: row.get_maybe("approved_by")?,
        reason: row.get_text("reason")?,
        campaign: row.get_maybe("campaign")?,
        begun: row.get_number("begun")?,
        expires: row.get_maybe_number("expires")?,
        version: row.get_number("version")?,
        why: row.get_text("why")?,
    })
}
