//! Brings the tables up to date, from any state that was released. A database of a newer program is refused.

use std::fs::File;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use super::{Error, Kind, Store};

/// Every step, in order. One that was released is never changed: its checksum is in each database.
const STEPS: [(i64, &str, &str); 4] = [
    (1, "records", include_str!("migrations/0001-records.sql")),
    (2, "access", include_str!("migrations/0002-access.sql")),
    (3, "months", include_str!("migrations/0003-months.sql")),
    (4, "anchors", include_str!("migrations/0004-anchors.sql")),
];

pub(super) async fn run(store: &Store) -> Result<(), Error> {
    let steps = STEPS.map(|(version, name, text)| {
        let text = match store.is_postgres() {
            true => text.replace("--postgres ", ""),
            false => text.to_owned(),
        };
        let sql = AssertSqlSafe(text).into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    });
    let run = Migrator::with_migrations(steps.to_vec())
        .run(&store.pool)
        .await;
    run.map_err(|error| Error {
        act: "bring its tables up to date",
        source: sqlx::Error::Migrate(Box::new(error)),
    })
}

/// Lets one process after the other open a SQLite file: the first makes it and its tables, and switches its journal, which
/// another one would take for an error. PostgreSQL has locks for that, and the library uses them.
pub(super) async fn turn(kind: &Kind) -> Result<Option<File>, Error> {
    let Kind::Sqlite(path) = kind else {
        return Ok(None);
    };
    let mut beside = path.clone().into_os_string();
    beside.push(".migrate");
    let locked = tokio::task::spawn_blocking(move || {
        let file = File::create(beside)?;
        file.lock()?;
        Ok(file)
    });
    let locked = locked
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)));
    locked.map(Some).map_err(|error| Error {
        act: "be opened by one process after the other",
        source: error.into(),
    })
}
