//! Everything in one file, and back: one JSON document a line, table by table, from one moment, and the same for both
//! databases, so that a fleet can outgrow SQLite.

use std::io::{BufRead, Write};

use serde_json::{Map, Value, json};
use sqlx::any::AnyRow;
use sqlx::{Column, Row, TypeInfo};

use super::sql::{Columns, Sql};
use super::{Error, Store};

/// What the first line says.
const FORMAT: &str = "garita-coordinator-backup-1";

/// Every table, those others refer to first.
const TABLES: [&str; 22] = [
    "counter",
    "sensor",
    "sequence",
    "incident",
    "revision",
    "telemetry",
    "condition",
    "block",
    "review",
    "campaign",
    "fleet_block",
    "orders",
    "quarantine",
    "event",
    "account",
    "session",
    "token",
    "once",
    "idempotency",
    "audit",
    "audit_mark",
    "audit_anchor",
];

/// Rows read, or written, at once.
const BATCH: i64 = 500;

/// Why a backup was not made, or not taken back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database did not do it.
    #[error(transparent)]
    Database(#[from] Error),
    /// The file could not be read or written.
    #[error("the backup cannot be {0}: {1}")]
    File(&'static str, std::io::Error),
    /// It is no backup of ours.
    #[error("line {0} of the backup is not what this program writes")]
    Line(usize),
    /// There is something already.
    #[error("the database holds records already: a backup can only be restored into an empty one")]
    NotEmpty,
}

impl Store {
    /// Writes everything to `to`; says how many rows.
    ///
    /// # Errors
    /// The database does not answer, or the file cannot be written.
    pub async fn back_up(&self, to: &mut (dyn Write + Send)) -> Result<u64, BackupError> {
        let act = "be backed up";
        let wrong = |error| BackupError::File("written", error);
        let mut on = self
            .pool
            .begin()
            .await
            .map_err(|source| Error { act, source })?;
        if self.is_postgres() {
            let sql = Sql::new("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY");
            sql.run(act, &mut *on).await?;
        }
        writeln!(to, "{}", json!({"format": FORMAT})).map_err(wrong)?;
        let mut count = 0;
        for table in TABLES {
            let mut offset = 0;
            loop {
                let mut sql = Sql::new("SELECT * FROM ");
                sql.push(table).push(" ORDER BY 1, 2 LIMIT ").bind(BATCH);
                sql.push(" OFFSET ").bind(offset);
                let rows = sql.all(act, &mut *on).await?;
                for row in &rows {
                    let line = json!({"table": table, "row": values(row)?});
                    writeln!(to, "{line}").map_err(wrong)?;
                    count += 1;
                }
                if i64::try_from(rows.len()).unwrap_or(0) < BATCH {
                    break;
                }
                offset += BATCH;
            }
        }
        to.flush().map_err(wrong)?;
        Ok(count)
    }

    /// Takes a backup back into an empty database, whole or not at all; says how many rows.
    ///
    /// # Errors
    /// It is not empty, does not answer, or the file is no backup.
    pub async fn restore(&self, from: &mut (dyn BufRead + Send)) -> Result<u64, BackupError> {
        let act = "be restored";
        let mut on = self.begin().await?;
        for table in ["sensor", "incident", "account", "audit"] {
            let mut sql = Sql::new("SELECT COUNT(*) AS number FROM ");
            sql.push(table);
            let row = sql.one(act, &mut *on).await?;
            if row.map_or(Ok(0), |row| row.get_number("number"))? > 0 {
                return Err(BackupError::NotEmpty);
            }
        }
        for table in ["counter", "audit_mark"] {
            let mut sql = Sql::new("DELETE FROM ");
            sql.push(table);
            sql.run(act, &mut *on).await?;
        }
        let mut count = 0;
        for (at, line) in from.lines().enumerate() {
            let line = line.map_err(|error| BackupError::File("read", error))?;
            let odd = || BackupError::Line(at + 1);
            let line: Value = serde_json::from_str(&line).map_err(|_| odd())?;
            if at == 0 {
                match line["format"] == FORMAT {
                    true => continue,
                    false => return Err(odd()),
                }
            }
            let name = line["table"].as_str().ok_or_else(odd)?;
            let table = TABLES
                .into_iter()
                .find(|table| *table == name)
                .ok_or_else(odd)?;
            let row = line["row"].as_object().ok_or_else(odd)?;
            insert(table, row)
                .ok_or_else(odd)?
                .run(act, &mut *on)
                .await?;
            count += 1;
        }
        if count == 0 {
            return Err(BackupError::Line(1));
        }
        self.commit(on).await?;
        Ok(count)
    }
}

fn values(row: &AnyRow) -> Result<Map<String, Value>, Error> {
    let mut values = Map::new();
    for column in row.columns() {
        let name = column.name();
        let text = column.type_info().name() == "TEXT";
        let value = match text {
            true => row.get_maybe(name)?.map_or(Value::Null, Value::from),
            false => row.get_maybe_number(name)?.map_or(Value::Null, Value::from),
        };
        values.insert(name.to_owned(), value);
    }
    Ok(values)
}

fn insert(table: &str, row: &Map<String, Value>) -> Option<Sql> {
    let plain = |name: &String| {
        name.bytes()
            .all(|byte| byte == b'_' || byte.is_ascii_lowercase())
    };
    if row.is_empty() || !row.keys().all(plain) {
        return None;
    }
    let names: Vec<&str> = row.keys().map(String::as_str).collect();
    let mut sql = Sql::new("INSERT INTO ");
    sql.push(table).push(" (").push(&names.join(", ")).push(")");
    let mut odd = false;
    sql.rows(&[()], |to, ()| {
        for value in row.values() {
            match value {
                Value::String(text) => to.add(text.clone()),
                Value::Number(number) => to.add(number.as_i64().unwrap_or(0)),
                _ => to.add(None::<String>),
            };
        }
    });
    odd |= row
        .values()
        .any(|value| value.is_object() || value.is_array());
    (!odd).then_some(sql)
}
