//! What is kept: one database, SQLite or PostgreSQL, with one set of tables and statements. Nothing is decided here.

mod access;
mod anchor;
mod audit;
mod backup;
mod batch;
mod campaigns;
mod change;
mod figures;
mod fleet;
mod incidents;
mod leader;
mod migrate;
mod orders;
mod page;
mod retention;
mod reviews;
mod rows;
mod sensors;
mod sessions;
mod sql;
mod stream;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::{AnyPoolOptions, AnyRow};
use sqlx::{Any, AnyPool, Transaction};
use tokio::sync::watch;

pub use access::{Account, NewAccount, Session, Token};
pub use audit::{AuditCheck, AuditEntry, Said};
pub use backup::BackupError;
pub use batch::{Batch, ConditionRow, IncidentRow, Quarantined, TelemetryRow};
pub use campaigns::CampaignRow;
pub use change::{Change, Keyed};
pub use figures::{KeptOut, Month, Standing};
pub use fleet::{FleetBlock, HeldBlock};
pub use incidents::{IncidentFilter, Seen};
pub use leader::{Leadership, Lost};
pub use orders::{Order, OrderState};
pub use page::{Cursor, Page, Scope};
pub use retention::Swept;
pub use reviews::{Answer, Review};
pub use sensors::{SensorRow, SequenceRow};
pub use sessions::LoginRow;
pub use stream::Happened;

type Rows = Vec<AnyRow>;

/// How long a writer waits for another.
const BUSY: Duration = Duration::from_secs(30);

/// What the database could not do.
#[derive(Debug, thiserror::Error)]
#[error("the database cannot {act}: {source}")]
pub struct Error {
    act: &'static str,
    #[source]
    source: sqlx::Error,
}

impl Error {
    /// Whether a row of that key is there already.
    pub fn is_taken(&self) -> bool {
        let database = self.source.as_database_error();
        database.is_some_and(sqlx::error::DatabaseError::is_unique_violation)
    }
}

/// Which database it is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// A file.
    Sqlite(PathBuf),
    /// A server.
    Postgres,
}

/// The database; clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    pool: AnyPool,
    kind: Kind,
    url: String,
    changed: Arc<watch::Sender<u64>>,
    asked: Arc<watch::Sender<u64>>,
}

impl Store {
    /// Opens the database, makes it where it is a file that is not there yet, and brings its tables up to date.
    ///
    /// # Errors
    /// It cannot be reached, or is newer than this program.
    pub async fn open(url: &str, connections: u32) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        let kind = match url.strip_prefix("sqlite:") {
            Some(rest) => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                Kind::Sqlite(path.split('?').next().unwrap_or(path).into())
            }
            None => Kind::Postgres,
        };
        let _turn = migrate::turn(&kind).await?;
        let (full, first) = match &kind {
            Kind::Sqlite(_) if url.contains('?') => (format!("{url}&mode=rwc"), SQLITE),
            Kind::Sqlite(_) => (format!("{url}?mode=rwc"), SQLITE),
            Kind::Postgres => (url.to_owned(), POSTGRES),
        };
        let pool = AnyPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(BUSY)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    for statement in first {
                        sqlx::query(*statement).execute(&mut *connection).await?;
                    }
                    Ok(())
                })
            })
            .connect(&full)
            .await
            .map_err(|source| Error {
                act: "be opened",
                source,
            })?;
        let store = Self {
            pool,
            kind,
            url: url.to_owned(),
            changed: Arc::new(watch::Sender::new(0)),
            asked: Arc::new(watch::Sender::new(0)),
        };
        migrate::run(&store).await?;
        Ok(store)
    }

    /// Whether it answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<(), Error> {
        let answer = sqlx::query("SELECT 1").execute(&self.pool).await;
        answer.map(drop).map_err(|source| Error {
            act: "answer",
            source,
        })
    }

    /// Ends all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Told of whatever is written that somebody may wait for.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Told of whatever people or programs have asked for, for who leads.
    pub fn watch_asked(&self) -> watch::Receiver<u64> {
        self.asked.subscribe()
    }

    fn tell_asked(&self) {
        self.asked.send_modify(|count| *count += 1);
    }

    fn tell(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    const fn is_postgres(&self) -> bool {
        matches!(self.kind, Kind::Postgres)
    }

    /// Begins to write. SQLite lets one writer in at a time, and tells the others at once where it is asked at once.
    async fn begin(&self) -> Result<Transaction<'static, Any>, Error> {
        let begun = match self.kind {
            Kind::Sqlite(_) => self.pool.begin_with("BEGIN IMMEDIATE").await,
            Kind::Postgres => self.pool.begin().await,
        };
        begun.map_err(|source| Error {
            act: "begin to write",
            source,
        })
    }

    /// Ends a transaction, and tells who waits, in other coordinators too.
    async fn commit(&self, mut transaction: Transaction<'static, Any>) -> Result<(), Error> {
        let act = "commit";
        if self.is_postgres() {
            let told = sqlx::query("NOTIFY garita").execute(&mut *transaction);
            told.await.map_err(|source| Error { act, source })?;
        }
        let done = transaction.commit().await;
        done.map_err(|source| Error { act, source })?;
        self.tell();
        Ok(())
    }
}

/// A committed transaction survives a power cut (`synchronous = FULL`), readers do not wait for the writer (WAL).
const SQLITE: &[&str] = &[
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA busy_timeout = 30000",
    "PRAGMA cache_size = -16384",
];

/// A coordinator whose machine is gone is noticed within seconds, so that another can lead.
const POSTGRES: &[&str] = &[
    "SET tcp_keepalives_idle = 3",
    "SET tcp_keepalives_interval = 1",
    "SET tcp_keepalives_count = 3",
    "SET idle_in_transaction_session_timeout = '30s'",
];
