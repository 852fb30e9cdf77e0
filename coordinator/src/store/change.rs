//! What a person or program changes by one request: everything with its audit entry and its answer, or nothing.

use sqlx::{Any, Transaction};

use super::audit::{self, Said};
use super::fleet::{self, FleetBlock};
use super::orders::{self, Order};
use super::reviews::{self, Answer};
use super::sql::{Columns, Sql};
use super::stream::{self, Happened};
use super::{Error, Store};
use crate::moment;

/// A request that named a key, and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyed {
    /// Whose request.
    pub owner: String,
    /// The key.
    pub key: String,
    /// Hash of what was asked.
    pub request: String,
    /// Status of the answer.
    pub status: u16,
    /// Body of the answer.
    pub body: String,
}

/// What a request changes, in one transaction with its audit entry.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// The entry; always there.
    pub said: Option<Said>,
    /// An answer to a review, which must still be open in that version.
    pub answer: Option<(String, Answer)>,
    /// An answer to take back: the review, the version it has now, and since when it may have been given.
    pub undo: Option<(String, i64, i64)>,
    /// Fleet blocks that are new or changed, and the version they must have had; 0 for new ones.
    pub fleet: Vec<(FleetBlock, i64)>,
    /// Orders that are new or have changed.
    pub orders: Vec<Order>,
    /// What to tell.
    pub events: Vec<Happened>,
    /// The answer to keep for the request's key.
    pub keyed: Option<Keyed>,
}

impl Store {
    /// Has a change made, whole or not at all; `false` where somebody else changed the same before.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn change(&self, change: &Change) -> Result<bool, Error> {
        let mut on = self.begin().await?;
        if let Some((id, answer)) = &change.answer
            && !reviews::answer(&mut on, (id, answer)).await?
        {
            return Ok(false);
        }
        if let (Some((id, version, since)), Some(said)) = (&change.undo, &change.said)
            && !reviews::reopen(&mut on, (id, *version), (&said.by, *since)).await?
        {
            return Ok(false);
        }
        for (block, version) in &change.fleet {
            if *version > 0 {
                let mut sql = Sql::new("UPDATE fleet_block SET version = version WHERE version = ");
                sql.bind(*version).push(" AND id = ").bind(block.id.clone());
                if sql.run("change a fleet block", &mut *on).await? == 0 {
                    return Ok(false);
                }
            }
            fleet::write(&mut on, std::slice::from_ref(block)).await?;
        }
        orders::write(&mut on, &change.orders).await?;
        stream::tell(&mut on, &change.events).await?;
        if let Some(said) = &change.said {
            audit::append(&mut on, said).await?;
        }
        if let Some(keyed) = &change.keyed {
            keep(&mut on, keyed).await?;
        }
        let sql = Sql::new("UPDATE counter SET value = value + 1 WHERE name = 'asked'");
        sql.run("tell who leads", &mut *on).await?;
        if self.is_postgres() {
            let sql = Sql::new("NOTIFY garita, 'asked'");
            sql.run("tell who leads", &mut *on).await?;
        }
        self.commit(on).await?;
        self.tell_asked();
        Ok(true)
    }

    /// How much was asked for so far, by whichever process.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn asked(&self) -> Result<i64, Error> {
        let sql = Sql::new("SELECT value FROM counter WHERE name = 'asked'");
        let row = sql.one("tell what was asked for", &self.pool).await?;
        row.map_or(Ok(0), |row| row.get_number("value"))
    }

    /// The answer that was given to the same key before: its request's hash, status and body.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn keyed(&self, owner: &str, key: &str) -> Result<Option<Keyed>, Error> {
        let mut sql = Sql::new("SELECT request, status, body FROM idempotency WHERE owner = ");
        sql.bind(owner.to_owned())
            .push(" AND key = ")
            .bind(key.to_owned());
        let row = sql.one("look for a request", &self.pool).await?;
        row.map(|row| {
            Ok(Keyed {
                owner: owner.to_owned(),
                key: key.to_owned(),
                request: row.get_text("request")?,
                status: u16::try_from(row.get_number("status")?).unwrap_or(200),
                body: row.get_text("body")?,
            })
        })
        .transpose()
    }
}

async fn keep(on: &mut Transaction<'static, Any>, keyed: &Keyed) -> Result<(), Error> {
    let mut sql = Sql::new("INSERT INTO idempotency (owner, key, request, status, body, at)");
    sql.rows(&[keyed], |to, row| {
        to.add(row.owner.clone())
            .add(row.key.clone())
            .add(row.request.clone())
            .add(i64::from(row.status))
            .add(row.body.clone())
            .add(moment::now());
    });
    sql.run("keep an answer", &mut **on).await.map(drop)
}
