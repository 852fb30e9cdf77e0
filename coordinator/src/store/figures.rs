//! What the console counts: how much of what, since when, and how long things took. Each question is answered within the
//! sites of who asks.

use std::collections::BTreeMap;

use super::page::Scope;
use super::sensors::SensorRow;
use super::sql::{Columns, Sql};
use super::{Error, Store};
use crate::moment;

/// Documents looked at for one month's time to detect.
const SAMPLE: i64 = 2_000;
/// Rows of figures of a sensor read at once.
const MINUTES: i64 = 1_500;

/// A condition of a sensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Where.
    pub site: String,
    /// Whose.
    pub sensor: String,
    /// Its name.
    pub name: String,
    /// `raised`, `passed` or `happened`.
    pub action: String,
    /// When.
    pub at: i64,
    /// The document.
    pub doc: String,
}

/// A target that some sensor keeps out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptOut {
    /// Who.
    pub target: String,
    /// When it was last told.
    pub at: i64,
    /// Where, in which state, and until when.
    pub at_sensors: Vec<(String, String, String, Option<i64>)>,
}

/// How a month went at a site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Month {
    /// Incidents.
    pub incidents: i64,
    /// Time from the first packet to the decision, microseconds: how many were looked at, and their sum.
    pub detect: (i64, i64),
    /// Time from an order to its confirmation.
    pub block: (i64, i64),
    /// Time from a question to a person's answer.
    pub answer: (i64, i64),
    /// Reviews whose address was found innocent.
    pub innocent: i64,
}

impl Store {
    /// Incidents by span of `step` and class since a moment: span's beginning, class, number.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn volume(
        &self,
        scope: &Scope,
        (since, step): (i64, i64),
    ) -> Result<Vec<(i64, String, i64)>, Error> {
        let mut sql = Sql::new("SELECT at / ");
        sql.bind(step)
            .push(" AS span, class, COUNT(*) AS number FROM incident WHERE at >= ")
            .bind(since);
        scope.limit(&mut sql);
        sql.push(" GROUP BY 1, 2 ORDER BY 1");
        let rows = sql.all("count incidents", &self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok((
                    row.get_number("span")? * step,
                    row.get_text("class")?,
                    row.get_number("number")?,
                ))
            })
            .collect()
    }

    /// The sensors within some sites, by site and name, without what they said.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn roster(&self, scope: &Scope) -> Result<Vec<SensorRow>, Error> {
        let mut sql = Sql::new(
            "SELECT site, sensor, state, version, first_heard, last_heard, skew, digest FROM sensor WHERE 1 = 1",
        );
        scope.limit(&mut sql);
        sql.push(" ORDER BY site, sensor");
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
                    epoch: None,
                    status: None,
                    telemetry: None,
                    digest: row.get_text("digest")?,
                })
            })
            .collect()
    }

    /// Reviews that wait: how many, and since when the oldest does.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn waiting_reviews(&self, scope: &Scope) -> Result<(i64, Option<i64>), Error> {
        let mut sql = Sql::new(
            "SELECT COUNT(*) AS number, MIN(asked) AS since FROM review WHERE state = 'open'",
        );
        scope.limit(&mut sql);
        let row = sql.one("count reviews", &self.pool).await?;
        row.map_or(Ok((0, None)), |row| {
            Ok((row.get_number("number")?, row.get_maybe_number("since")?))
        })
    }

    /// What was seen of some addresses since a moment: address, site, sensor, class, number.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn seen_lately(
        &self,
        scope: &Scope,
        (addresses, since): (&[String], i64),
    ) -> Result<Vec<(String, String, String, String, i64)>, Error> {
        let mut sql = Sql::new(
            "SELECT offender, site, sensor, class, COUNT(*) AS number FROM incident WHERE offender",
        );
        sql.among(addresses.iter().map(String::as_str));
        sql.push(" AND at >= ").bind(since);
        scope.limit(&mut sql);
        sql.push(" GROUP BY offender, site, sensor, class ORDER BY site, sensor, class");
        let rows = sql.all("read sightings", &self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok((
                    row.get_text("offender")?,
                    row.get_text("site")?,
                    row.get_text("sensor")?,
                    row.get_text("class")?,
                    row.get_number("number")?,
                ))
            })
            .collect()
    }

    /// Targets that at least one sensor keeps out now.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn count_kept_out(&self, scope: &Scope, now: i64) -> Result<i64, Error> {
        let mut sql = Sql::new("SELECT COUNT(DISTINCT target) AS number FROM block WHERE 1 = 1");
        held(&mut sql, (scope, now), "= 'enforced'");
        self.number(sql).await
    }

    /// Orders that are sent and get no answer.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn count_silent(&self, scope: &Scope) -> Result<i64, Error> {
        let mut sql = Sql::new("SELECT COUNT(*) AS number FROM orders WHERE state = 'silent'");
        scope.limit(&mut sql);
        self.number(sql).await
    }

    /// Conditions: those that stand, or all of one sensor, the latest first.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn conditions(
        &self,
        scope: &Scope,
        of: Option<(&str, &str)>,
    ) -> Result<Vec<Standing>, Error> {
        let mut sql =
            Sql::new("SELECT site, sensor, name, action, at, doc FROM condition WHERE 1 = 1");
        match of {
            None => sql.push(" AND action = 'raised'"),
            Some((site, sensor)) => {
                sql.push(" AND site = ").bind(site.to_owned());
                sql.push(" AND sensor = ").bind(sensor.to_owned())
            }
        };
        scope.limit(&mut sql);
        sql.push(" ORDER BY at DESC, id DESC LIMIT 100");
        let rows = sql.all("read conditions", &self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(Standing {
                    site: row.get_text("site")?,
                    sensor: row.get_text("sensor")?,
                    name: row.get_text("name")?,
                    action: row.get_text("action")?,
                    at: row.get_number("at")?,
                    doc: row.get_text("doc")?,
                })
            })
            .collect()
    }

    /// Targets that sensors keep out now, the latest first, below `before`; and the states of each.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn kept_out(
        &self,
        (scope, now): (&Scope, i64),
        before: Option<(i64, String)>,
        limit: i64,
    ) -> Result<Vec<KeptOut>, Error> {
        let act = "read blocks";
        let mut sql = Sql::new("SELECT target, MAX(at) AS at FROM block WHERE 1 = 1");
        held(&mut sql, (scope, now), "<> 'released'");
        sql.push(" GROUP BY target");
        if let Some((at, target)) = before {
            sql.push(" HAVING (MAX(at), target) < (")
                .bind(at)
                .push(", ")
                .bind(target)
                .push(")");
        }
        sql.push(" ORDER BY 2 DESC, 1 DESC LIMIT ").bind(limit);
        let mut all: Vec<KeptOut> = Vec::new();
        for row in &sql.all(act, &self.pool).await? {
            all.push(KeptOut {
                target: row.get_text("target")?,
                at: row.get_number("at")?,
                at_sensors: Vec::new(),
            });
        }
        let mut sql =
            Sql::new("SELECT site, sensor, target, state, expires FROM block WHERE target");
        sql.among(all.iter().map(|one| one.target.as_str()));
        held(&mut sql, (scope, now), "<> 'released'");
        for row in &sql.all(act, &self.pool).await? {
            let target = row.get_text("target")?;
            if let Some(one) = all.iter_mut().find(|one| one.target == target) {
                one.at_sensors.push((
                    row.get_text("site")?,
                    row.get_text("sensor")?,
                    row.get_text("state")?,
                    row.get_maybe_number("expires")?,
                ));
            }
        }
        Ok(all)
    }

    /// The figures a sensor sent since a moment, the oldest first.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn telemetry_of(
        &self,
        (site, sensor): (&str, &str),
        since: i64,
    ) -> Result<Vec<(i64, String)>, Error> {
        let mut sql = Sql::new("SELECT at, doc FROM telemetry WHERE site = ");
        sql.bind(site.to_owned())
            .push(" AND sensor = ")
            .bind(sensor.to_owned());
        sql.push(" AND at >= ")
            .bind(since)
            .push(" ORDER BY at DESC LIMIT ")
            .bind(MINUTES);
        let rows = sql.all("read telemetry", &self.pool).await?;
        rows.iter()
            .rev()
            .map(|row| Ok((row.get_number("at")?, row.get_text("doc")?)))
            .collect()
    }

    /// How a span went, by site.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn month(
        &self,
        scope: &Scope,
        (from, to): (i64, i64),
    ) -> Result<BTreeMap<String, Month>, Error> {
        let act = "measure a month";
        let mut months: BTreeMap<String, Month> = BTreeMap::new();
        let mut sql = Sql::new("SELECT site, COUNT(*) AS number FROM incident WHERE at >= ");
        sql.bind(from).push(" AND at < ").bind(to);
        scope.limit(&mut sql);
        sql.push(" GROUP BY site");
        for row in &sql.all(act, &self.pool).await? {
            months.entry(row.get_text("site")?).or_default().incidents =
                row.get_number("number")?;
        }
        let mut sql = Sql::new("SELECT site, doc, first AS decided FROM incident WHERE at >= ");
        sql.bind(from).push(" AND at < ").bind(to);
        scope.limit(&mut sql);
        sql.push(" ORDER BY at DESC, id DESC LIMIT ").bind(SAMPLE);
        for row in &sql.all(act, &self.pool).await? {
            let took = began(&row.get_text("doc")?)
                .map(|began| row.get_number("decided").map(|at| at - began));
            if let Some(took) = took.transpose()?.filter(|took| *took >= 0) {
                let (number, sum) = &mut months.entry(row.get_text("site")?).or_default().detect;
                (*number, *sum) = (*number + 1, *sum + took);
            }
        }
        let mut sql = Sql::new(
            "SELECT site, COUNT(*) AS number, CAST(SUM(answered_at - created) AS BIGINT) AS took FROM orders WHERE \
             state = 'done' AND action = 'block' AND created >= ",
        );
        sql.bind(from).push(" AND created < ").bind(to);
        scope.limit(&mut sql);
        sql.push(" GROUP BY site");
        for row in &sql.all(act, &self.pool).await? {
            let month = months.entry(row.get_text("site")?).or_default();
            month.block = (
                row.get_number("number")?,
                row.get_maybe_number("took")?.unwrap_or(0),
            );
        }
        let mut sql = Sql::new(
            "SELECT site, COUNT(*) AS number, CAST(SUM(answered_at - asked) AS BIGINT) AS took, \
             CAST(SUM(CASE WHEN state IN ('dismissed', 'allowed') THEN 1 ELSE 0 END) AS BIGINT) AS innocent FROM review \
             WHERE answered_by IS NOT NULL AND asked >= ",
        );
        sql.bind(from).push(" AND asked < ").bind(to);
        scope.limit(&mut sql);
        sql.push(" GROUP BY site");
        for row in &sql.all(act, &self.pool).await? {
            let month = months.entry(row.get_text("site")?).or_default();
            month.answer = (
                row.get_number("number")?,
                row.get_maybe_number("took")?.unwrap_or(0),
            );
            month.innocent = row.get_maybe_number("innocent")?.unwrap_or(0);
        }
        Ok(months)
    }

    async fn number(&self, sql: Sql) -> Result<i64, Error> {
        let row = sql.one("count", &self.pool).await?;
        row.map_or(Ok(0), |row| row.get_number("number"))
    }
}

fn held(sql: &mut Sql, (scope, now): (&Scope, i64), state: &str) {
    sql.push(" AND state ")
        .push(state)
        .push(" AND (expires IS NULL OR expires > ")
        .bind(now)
        .push(")");
    scope.limit(sql);
}

/// The offender's first packet.
fn began(doc: &str) -> Option<i64> {
    let doc: serde_json::Value = serde_json::from_str(doc).ok()?;
    let first = doc
        .pointer("/garita/evidence/first_seen")
        .or_else(|| doc.pointer("/event/start"));
    first?.as_str().and_then(moment::read)
}
