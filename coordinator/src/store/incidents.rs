//! Incidents as they are listed: the document as published, with its name, site and sensor in front.

use serde_json::{Value, json};
use sqlx::any::AnyRow;

use super::batch::IncidentRow;
use super::page::{Page, Query, Scope};
use super::sql::{Columns, Sql};
use super::{Error, Store};
use crate::moment;

/// Which incidents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    /// Of this offender.
    pub offender: Option<String>,
    /// Of this class.
    pub class: Option<String>,
    /// At this site.
    pub site: Option<String>,
    /// Of this sensor.
    pub sensor: Option<String>,
    /// With this decision.
    pub decision: Option<String>,
    /// Not before.
    pub since: Option<i64>,
    /// Before.
    pub until: Option<i64>,
}

/// An incident that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its name.
    pub id: String,
    /// `event.id`
    pub event_id: String,
    /// Where.
    pub site: String,
    /// Who.
    pub sensor: String,
    /// When its first revision was made.
    pub first: i64,
    /// The latest revision.
    pub revision: i64,
    /// What it decides.
    pub decision: String,
}

const ALL: &str = "id, first, site, sensor, event_id, revision, at, offender, victim, port, class, decision, severity, proven, \
                   blocked_until, ended";

impl Store {
    /// Which of these names are given to incidents that are stored.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn seen(&self, ids: &[String]) -> Result<Vec<Seen>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = Sql::new(
            "SELECT id, event_id, site, sensor, first, revision, decision FROM incident WHERE id ",
        );
        sql.push(match self.is_postgres() {
            true => "= ANY(ARRAY(SELECT json_array_elements_text($1::json)))",
            false => "IN (SELECT value FROM json_each($1))",
        });
        sql.value(json!(ids).to_string());
        let rows = sql.all("look for incidents", &self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(Seen {
                    id: row.get_text("id")?,
                    event_id: row.get_text("event_id")?,
                    site: row.get_text("site")?,
                    sensor: row.get_text("sensor")?,
                    first: row.get_number("first")?,
                    revision: row.get_number("revision")?,
                    decision: row.get_text("decision")?,
                })
            })
            .collect()
    }

    /// A page of incidents as JSON texts.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list_incidents(
        &self,
        (scope, filter): (&Scope, &IncidentFilter),
        page: &Page,
    ) -> Result<(Vec<String>, Option<String>), Error> {
        let query = Query {
            columns: "id, site, sensor, at, doc",
            table: "incident",
            order: ("at", "id"),
        };
        let limit = |sql: &mut Sql| {
            scope.limit(sql);
            filter.limit(sql);
        };
        query
            .page((&self.pool, page), limit, |row| {
                Ok(shown(
                    (&row.get_text("id")?, &row.get_text("site")?),
                    (&row.get_text("sensor")?, &row.get_text("doc")?),
                ))
            })
            .await
    }

    /// An incident, and its older revisions, the latest first; nothing where there is none in `scope`.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn incident(
        &self,
        scope: &Scope,
        id: &str,
    ) -> Result<Option<(String, Vec<String>)>, Error> {
        let mut sql = Sql::new("SELECT id, site, sensor, doc FROM incident WHERE id = ");
        sql.bind(id.to_owned());
        scope.limit(&mut sql);
        let Some(row) = sql.one("read an incident", &self.pool).await? else {
            return Ok(None);
        };
        let (site, sensor) = (row.get_text("site")?, row.get_text("sensor")?);
        let latest = shown((id, &site), (&sensor, &row.get_text("doc")?));
        let mut sql = Sql::new("SELECT doc FROM revision WHERE incident = ");
        sql.bind(id.to_owned()).push(" ORDER BY revision DESC");
        let rows = sql.all("read revisions", &self.pool).await?;
        let older: Result<Vec<String>, Error> = rows
            .iter()
            .map(|row| Ok(shown((id, &site), (&sensor, &row.get_text("doc")?))))
            .collect();
        Ok(Some((latest, older?)))
    }

    /// Incidents from a moment on up to another, oldest first, as rows without their documents; at most `limit`, after the
    /// row `after`.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn replay(
        &self,
        (from, to): (i64, i64),
        after: Option<(i64, String)>,
        limit: u32,
    ) -> Result<Vec<IncidentRow>, Error> {
        let mut sql = Sql::new("SELECT ");
        sql.push(ALL).push(" FROM incident WHERE at >= ").bind(from);
        sql.push(" AND at < ").bind(to);
        if let Some((at, id)) = after {
            sql.push(" AND (at, id) > (")
                .bind(at)
                .push(", ")
                .bind(id)
                .push(")");
        }
        sql.push(" ORDER BY at, id LIMIT ").bind(i64::from(limit));
        let rows = sql.all("read incidents", &self.pool).await?;
        rows.iter().map(incident).collect()
    }

    /// Which sensors have proven which offenders since a moment: address, site, sensor, incident, when, until when it is
    /// blocked there, and the class. The latest are given, at most `limit`.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn proofs(&self, since: i64, limit: u32) -> Result<Vec<IncidentRow>, Error> {
        let mut sql = Sql::new("SELECT ");
        sql.push(ALL)
            .push(" FROM incident WHERE proven = 1 AND decision = 'block' AND at >= ")
            .bind(since)
            .push(" ORDER BY at DESC, id DESC LIMIT ")
            .bind(i64::from(limit));
        let rows = sql.all("read proofs", &self.pool).await?;
        rows.iter().rev().map(incident).collect()
    }

    /// What each sensor has seen of an address: the number of incidents, first and last, the latest decision.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn sightings(&self, scope: &Scope, address: &str) -> Result<Vec<Value>, Error> {
        let mut sql = Sql::new(
            "SELECT site, sensor, class, COUNT(*) AS incidents, MIN(at) AS first_at, MAX(at) AS last_at, MAX(proven) AS \
             proven FROM incident WHERE offender = ",
        );
        sql.bind(address.to_owned());
        scope.limit(&mut sql);
        sql.push(" GROUP BY site, sensor, class ORDER BY site, sensor, class");
        let rows = sql.all("read sightings", &self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(json!({
                    "site": row.get_text("site")?, "sensor": row.get_text("sensor")?, "class": row.get_text("class")?,
                    "incidents": row.get_number("incidents")?, "proven": row.get_number("proven")? != 0,
                    "first": moment::text(row.get_number("first_at")?),
                    "last": moment::text(row.get_number("last_at")?),
                }))
            })
            .collect()
    }
}

impl IncidentFilter {
    fn limit(&self, sql: &mut Sql) {
        for (column, value) in [
            (" AND offender = ", &self.offender),
            (" AND class = ", &self.class),
            (" AND site = ", &self.site),
            (" AND sensor = ", &self.sensor),
            (" AND decision = ", &self.decision),
        ] {
            if let Some(value) = value {
                sql.push(column).bind(value.clone());
            }
        }
        if let Some(since) = self.since {
            sql.push(" AND at >= ").bind(since);
        }
        if let Some(until) = self.until {
            sql.push(" AND at < ").bind(until);
        }
    }
}

fn incident(row: &AnyRow) -> Result<IncidentRow, Error> {
    Ok(IncidentRow {
        id: row.get_text("id")?,
        first: row.get_number("first")?,
        is_known: true,
        site: row.get_text("site")?,
        sensor: row.get_text("sensor")?,
        event_id: row.get_text("event_id")?,
        revision: row.get_number("revision")?,
        at: row.get_number("at")?,
        offender: row.get_maybe("offender")?,
        victim: row.get_maybe("victim")?,
        port: row.get_maybe_number("port")?,
        class: row.get_text("class")?,
        decision: row.get_text("decision")?,
        severity: row.get_number("severity")?,
        proven: row.get_number("proven")? != 0,
        until: row.get_maybe_number("blocked_until")?,
        ended: row.get_number("ended")? != 0,
        doc: String::new(),
    })
}

/// The document with its place in front. It was checked to be an object when it came in.
fn shown((id, site): (&str, &str), (sensor, doc): (&str, &str)) -> String {
    let place = json!({"id": id, "site": site, "sensor": sensor}).to_string();
    let place = place.strip_suffix('}').unwrap_or_default();
    let rest = doc.trim_start().strip_prefix('{').unwrap_or("}");
    match rest.trim_start().starts_with('}') {
        true => format!("{place}}}"),
        false => format!("{place},{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn the_place_stands_in_front_and_the_document_stays_as_it_was() {
        let text = shown(("a\"b", "north"), ("edge", " {\"b\":1, \"a\":2}"));
        assert_eq!(
            text,
            r#"{"id":"a\"b","sensor":"edge","site":"north","b":1, "a":2}"#
        );
        assert_eq!(
            shown(("a", "b"), ("c", "{}")),
            r#"{"id":"a","sensor":"c","site":"b"}"#
        );
    }
}
