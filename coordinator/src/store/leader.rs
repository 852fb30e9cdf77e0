//! Which coordinator takes messages in. In PostgreSQL it holds an advisory lock, which ends with its connection; for a
//! SQLite file, a lock on a file beside it. A term that only grows keeps one that was overtaken from writing.

use std::fs::File;

use sqlx::pool::PoolConnection;
use sqlx::{Any, Row, Transaction};
use tokio::sync::Mutex;

use super::sql::Sql;
use super::{Error, Kind, Store};

/// The advisory lock: the bytes of `garita`.
const LOCK: i64 = 0x67_61_72_69_74_61;

/// The right to take messages in.
#[derive(Debug)]
pub struct Leadership {
    term: i64,
    held: Held,
}

#[derive(Debug)]
enum Held {
    /// By the lock on this file.
    File(#[expect(dead_code, reason = "the lock ends with the descriptor")] File),
    /// By this connection.
    Connection(Mutex<PoolConnection<Any>>),
}

/// Why a leader must stop.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// Another one leads.
    #[error("another coordinator leads")]
    Overtaken,
    /// The database does not answer.
    #[error(transparent)]
    Database(#[from] Error),
}

impl Store {
    /// Takes the lead if nobody has it.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn lead(&self) -> Result<Option<Leadership>, Error> {
        let act = "choose who leads";
        let held = match &self.kind {
            Kind::Sqlite(path) => {
                let mut beside = path.clone().into_os_string();
                beside.push(".lead");
                let file = File::create(&beside).map_err(|error| Error {
                    act,
                    source: error.into(),
                })?;
                match file.try_lock() {
                    Ok(()) => Held::File(file),
                    Err(_) => return Ok(None),
                }
            }
            Kind::Postgres => {
                let wrong = |source| Error { act, source };
                let mut connection = self.pool.acquire().await.map_err(wrong)?;
                // It must not go back into the pool with the lock.
                connection.close_on_drop();
                let row = sqlx::query("SELECT pg_try_advisory_lock($1) AS held")
                    .bind(LOCK)
                    .fetch_one(&mut *connection)
                    .await
                    .map_err(wrong)?;
                if !row.try_get::<bool, _>("held").map_err(wrong)? {
                    return Ok(None);
                }
                Held::Connection(Mutex::new(connection))
            }
        };
        let mut on = self.begin().await?;
        let sql =
            Sql::new("UPDATE counter SET value = value + 1 WHERE name = 'term' RETURNING value");
        let row = sql.one(act, &mut *on).await?;
        let term = row.map(|row| row.try_get::<i64, _>("value"));
        let term = term.unwrap_or(Err(sqlx::Error::RowNotFound));
        let term = term.map_err(|source| Error { act, source })?;
        self.commit(on).await?;
        Ok(Some(Leadership { term, held }))
    }
}

impl Store {
    /// Says that who leads hears the broker.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn beat(&self, now: i64) -> Result<(), Error> {
        let mut sql = Sql::new("UPDATE counter SET value = ");
        sql.bind(now).push(" WHERE name = 'beat'");
        sql.run("say that it hears the broker", &self.pool)
            .await
            .map(drop)
    }

    /// When who leads last heard the broker.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn last_beat(&self) -> Result<i64, Error> {
        let sql = Sql::new("SELECT value FROM counter WHERE name = 'beat'");
        let row = sql.one("tell who hears the broker", &self.pool).await?;
        let value = row.map_or(Ok(0), |row| row.try_get::<i64, _>("value"));
        value.map_err(|source| Error {
            act: "tell who hears the broker",
            source,
        })
    }
}

impl Leadership {
    /// Whether it still leads: the connection that holds the lock answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn check(&self) -> Result<(), Error> {
        match &self.held {
            Held::File(_) => Ok(()),
            Held::Connection(connection) => {
                let mut connection = connection.lock().await;
                let answer = sqlx::query("SELECT 1").execute(&mut **connection).await;
                answer.map(drop).map_err(|source| Error {
                    act: "keep the lead",
                    source,
                })
            }
        }
    }

    /// Keeps everybody else from leading until the transaction ends, or fails if somebody does.
    pub(super) async fn hold(&self, on: &mut Transaction<'static, Any>) -> Result<(), Lost> {
        let mut sql = Sql::new("UPDATE counter SET value = value WHERE name = 'term' AND value = ");
        sql.bind(self.term);
        match sql.run("keep the lead", &mut **on).await? {
            1 => Ok(()),
            _ => Err(Lost::Overtaken),
        }
    }
}
