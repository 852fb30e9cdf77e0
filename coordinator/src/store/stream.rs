//! What has changed, numbered in the order of commits, for those who follow: server-sent events, WebSockets, programs.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use sqlx::postgres::PgListener;
use sqlx::{Any, Transaction};

use super::page::Scope;
use super::rows::{Row, Table};
use super::sql::{Columns, Sql};
use super::{Error, Store};

/// Something that has changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Happened {
    /// Its number; 0 until it is stored.
    #[serde(skip)]
    pub seq: i64,
    /// When.
    pub at: i64,
    /// What kind of thing: `incident`, `sensor`, `block`, `order`, `review`, `campaign`, `condition`, `fleet-block`.
    pub kind: String,
    /// Where; nothing where it concerns no single site.
    pub site: Option<String>,
    /// What there is to know.
    #[serde(skip)]
    pub body: Value,
}

impl Happened {
    /// Something that has changed now.
    pub fn new(at: i64, (kind, site): (&str, Option<&str>), body: Value) -> Self {
        Self {
            seq: 0,
            at,
            kind: kind.to_owned(),
            site: site.map(str::to_owned),
            body,
        }
    }
}

const EVENTS: Table = Table {
    name: "event",
    columns: &["seq", "at", "kind", "site"],
    document: Some("body"),
    conflict: "",
};

#[derive(Serialize)]
struct Numbered<'a> {
    seq: i64,
    #[serde(flatten)]
    event: &'a Happened,
}

impl Row for Numbered<'_> {
    fn document(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Owned(self.event.body.to_string()))
    }
}

/// Gives events their numbers. The counter's row is held until the transaction ends, so numbers are committed in order.
pub(super) async fn tell(
    on: &mut Transaction<'static, Any>,
    events: &[Happened],
) -> Result<(), Error> {
    let act = "store events";
    if events.is_empty() {
        return Ok(());
    }
    let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
    let mut sql = Sql::new("UPDATE counter SET value = value + ");
    sql.bind(count)
        .push(" WHERE name = 'event' RETURNING value");
    let last = sql.one(act, &mut **on).await?;
    let last = last.map_or(Ok(count), |row| row.get_number("value"))?;
    let numbered = (last - count + 1..).zip(events);
    let numbered = numbered.map(|(seq, event)| Numbered { seq, event });
    let numbered: Vec<Numbered> = numbered.collect();
    EVENTS.write(on, (act, &numbered)).await.map(drop)
}

impl Store {
    /// The number of the last event.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn last_event(&self) -> Result<i64, Error> {
        let sql = Sql::new("SELECT value FROM counter WHERE name = 'event'");
        let row = sql.one("read the last event", &self.pool).await?;
        row.map_or(Ok(0), |row| row.get_number("value"))
    }

    /// The number of the first event that is kept; 0 where there is none.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn first_event(&self) -> Result<i64, Error> {
        let sql = Sql::new("SELECT COALESCE(MIN(seq), 0) AS seq FROM event");
        let row = sql.one("read the first event", &self.pool).await?;
        row.map_or(Ok(0), |row| row.get_number("seq"))
    }

    /// Events after a number, at most `limit` of them read; and the number up to which was read.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn events_after(
        &self,
        scope: &Scope,
        (after, limit): (i64, u32),
    ) -> Result<(Vec<Happened>, i64), Error> {
        let mut sql = Sql::new("SELECT seq, at, kind, site, body FROM event WHERE seq > ");
        sql.bind(after)
            .push(" ORDER BY seq LIMIT ")
            .bind(i64::from(limit));
        let rows = sql.all("read events", &self.pool).await?;
        let (mut events, mut last) = (Vec::new(), after);
        for row in rows {
            last = row.get_number("seq")?;
            let site = row.get_maybe("site")?;
            let visible = match &site {
                Some(site) => scope.covers(site),
                None => scope.is_all(),
            };
            if visible {
                events.push(Happened {
                    seq: last,
                    at: row.get_number("at")?,
                    kind: row.get_text("kind")?,
                    site,
                    body: serde_json::from_str(&row.get_text("body")?).unwrap_or_default(),
                });
            }
        }
        Ok((events, last))
    }

    /// Passes on what other coordinators tell of their writes, until the connection breaks; does nothing with SQLite.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn listen(&self) -> Result<(), Error> {
        if !self.is_postgres() {
            return std::future::pending().await;
        }
        let wrong = |source| Error {
            act: "listen",
            source,
        };
        let mut listener = PgListener::connect(&self.url).await.map_err(wrong)?;
        listener.listen("garita").await.map_err(wrong)?;
        loop {
            let told = listener.recv().await.map_err(wrong)?;
            match told.payload() {
                "asked" => self.tell_asked(),
                _ => self.tell(),
            }
        }
    }
}
