//! Decisions that wait for a person, of all sensors in one queue. Nobody answers one twice: an answer counts only for
//! the version it was given to.

use serde_json::{Value, json};
use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};

use super::page::{Page, Query, Scope};
use super::sql::{Columns, Sql};
use super::{Error, Store};
use crate::moment;

/// A decision that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// The incident's name.
    pub id: String,
    /// Where.
    pub site: String,
    /// Who asks.
    pub sensor: String,
    /// The incident's `event.id`, which names the review at the sensor.
    pub event_id: String,
    /// Whom it is about.
    pub address: String,
    /// What it does.
    pub class: String,
    /// What happened.
    pub message: String,
    /// Since when it waits.
    pub asked: i64,
    /// When it lapses.
    pub lapses: i64,
    /// `open`, `approved`, `dismissed`, `allowed`, `superseded`, `lapsed`.
    pub state: String,
    /// Counts changes.
    pub version: i64,
    /// Who answered.
    pub answered_by: Option<String>,
    /// When.
    pub answered_at: Option<i64>,
    /// Why.
    pub reason: Option<String>,
}

/// What a person says to a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The version it was given to.
    pub version: i64,
    /// `approved`, `dismissed` or `allowed`.
    pub state: &'static str,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: i64,
}

impl Review {
    /// As the API shows it.
    pub fn shown(&self) -> Value {
        json!({
            "id": self.id, "site": self.site, "sensor": self.sensor, "event_id": self.event_id,
            "address": self.address, "class": self.class, "message": self.message, "asked": moment::text(self.asked),
            "lapses": moment::text(self.lapses), "state": self.state, "version": self.version,
            "answered_by": self.answered_by, "answered": self.answered_at.map(moment::text), "reason": self.reason,
        })
    }
}

pub(super) async fn open(
    on: &mut Transaction<'static, Any>,
    reviews: &[Review],
) -> Result<(), Error> {
    if reviews.is_empty() {
        return Ok(());
    }
    let mut sql = Sql::new(
        "INSERT INTO review (id, site, sensor, event_id, address, class, message, asked, lapses, state, version)",
    );
    sql.rows(reviews, |to, row| {
        to.add(row.id.clone())
            .add(row.site.clone())
            .add(row.sensor.clone())
            .add(row.event_id.clone())
            .add(row.address.clone())
            .add(row.class.clone())
            .add(row.message.clone())
            .add(row.asked)
            .add(row.lapses)
            .add("open".to_owned())
            .add(1_i64);
    });
    sql.push(" ON CONFLICT (id) DO NOTHING");
    sql.run("store reviews", &mut **on).await.map(drop)
}

pub(super) async fn settle(
    on: &mut Transaction<'static, Any>,
    settled: &[(String, &'static str)],
    at: i64,
) -> Result<(), Error> {
    for (id, state) in settled {
        let mut sql = Sql::new("UPDATE review SET state = ");
        sql.bind((*state).to_owned())
            .push(", version = version + 1, answered_at = ")
            .bind(at)
            .push(" WHERE state = 'open' AND id = ")
            .bind(id.clone());
        sql.run("settle a review", &mut **on).await?;
    }
    Ok(())
}

pub(super) async fn answer(
    on: &mut Transaction<'static, Any>,
    (id, answer): (&str, &Answer),
) -> Result<bool, Error> {
    let mut sql = Sql::new("UPDATE review SET state = ");
    sql.bind(answer.state.to_owned())
        .push(", version = version + 1, answered_by = ")
        .bind(answer.by.clone())
        .push(", answered_at = ")
        .bind(answer.at)
        .push(", reason = ")
        .bind(answer.reason.clone())
        .push(" WHERE state = 'open' AND version = ")
        .bind(answer.version)
        .push(" AND id = ")
        .bind(id.to_owned());
    let touched = sql.run("answer a review", &mut **on).await?;
    Ok(touched == 1)
}

/// Takes an answer back that was given within the span; whether it still was that version, and theirs.
pub(super) async fn reopen(
    on: &mut Transaction<'static, Any>,
    (id, version): (&str, i64),
    (by, since): (&str, i64),
) -> Result<bool, Error> {
    let mut sql = Sql::new(
        "UPDATE review SET state = 'open', version = version + 1, answered_by = NULL, answered_at = NULL, reason = NULL \
         WHERE state IN ('approved', 'dismissed', 'allowed') AND version = ",
    );
    sql.bind(version)
        .push(" AND answered_by = ")
        .bind(by.to_owned())
        .push(" AND answered_at >= ")
        .bind(since)
        .push(" AND id = ")
        .bind(id.to_owned());
    let touched = sql.run("take an answer back", &mut **on).await?;
    Ok(touched == 1)
}

impl Store {
    /// Reviews by page; those of one address stand together under the same `address`.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list_reviews(
        &self,
        scope: &Scope,
        (state, address): (Option<&str>, Option<&str>),
        page: &Page,
    ) -> Result<(Vec<Value>, Option<String>), Error> {
        let query = Query {
            columns: "*",
            table: "review",
            order: ("asked", "id"),
        };
        let filter = |sql: &mut Sql| {
            scope.limit(sql);
            if let Some(state) = state {
                sql.push(" AND state = ").bind(state.to_owned());
            }
            if let Some(address) = address {
                sql.push(" AND address = ").bind(address.to_owned());
            }
        };
        query
            .page((&self.pool, page), filter, |row| Ok(review(row)?.shown()))
            .await
    }

    /// The latest reviews that a person has answered.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn answered_reviews(&self, scope: &Scope, limit: i64) -> Result<Vec<Review>, Error> {
        let mut sql = Sql::new("SELECT * FROM review WHERE answered_by IS NOT NULL");
        scope.limit(&mut sql);
        sql.push(" ORDER BY answered_at DESC, id LIMIT ")
            .bind(limit);
        let rows = sql.all("read reviews", &self.pool).await?;
        rows.iter().map(review).collect()
    }

    /// A review.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn review(&self, scope: &Scope, id: &str) -> Result<Option<Review>, Error> {
        let mut sql = Sql::new("SELECT * FROM review WHERE id = ");
        sql.bind(id.to_owned());
        scope.limit(&mut sql);
        let row = sql.one("read a review", &self.pool).await?;
        row.as_ref().map(review).transpose()
    }

    /// Ends the reviews that nobody answered in time.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn lapse_reviews(&self, now: i64) -> Result<u64, Error> {
        let mut sql =
            Sql::new("UPDATE review SET state = 'lapsed', version = version + 1, answered_at = ");
        sql.bind(now)
            .push(" WHERE state = 'open' AND lapses < ")
            .bind(now);
        sql.run("let reviews lapse", &self.pool).await
    }
}

fn review(row: &AnyRow) -> Result<Review, Error> {
    Ok(Review {
        id: row.get_text("id")?,
        site: row.get_text("site")?,
        sensor: row.get_text("sensor")?,
        event_id: row.get_text("event_id")?,
        address: row.get_text("address")?,
        class: row.get_text("class")?,
        message: row.get_text("message")?,
        asked: row.get_number("asked")?,
        lapses: row.get_number("lapses")?,
        state: row.get_text("state")?,
        version: row.get_number("version")?,
        answered_by: row.get_maybe("answered_by")?,
        answered_at: row.get_maybe_number("answered_at")?,
        reason: row.get_maybe("reason")?,
    })
}
