//! Rows written at once, as one JSON text: a statement with one value, however many rows there are, which both databases
//! prepare once and take apart faster than thousands of values. Text never becomes SQL by way of it.

use serde::{Serialize, Serializer};
use sqlx::{Any, Transaction};

use super::Error;
use super::sql::Sql;

/// Rows of one statement: SQLite looks each of them up in the text.
const ROWS: usize = 500;

/// A table that rows are written to. They have fields of the names of its columns.
pub(super) struct Table {
    /// Its name.
    pub(super) name: &'static str,
    /// The columns that are written.
    pub(super) columns: &'static [&'static str],
    /// What is done where the key is there already.
    pub(super) conflict: &'static str,
}

impl Table {
    /// Writes rows; says how many were written.
    ///
    /// # Errors
    /// The database does not take them.
    pub(super) async fn write<T: Serialize>(
        &self,
        on: &mut Transaction<'static, Any>,
        (act, rows): (&'static str, &[T]),
    ) -> Result<u64, Error> {
        let mut written = 0;
        for chunk in rows.chunks(ROWS) {
            let mut sql = self.insert(on.backend_name() == "PostgreSQL");
            let text = serde_json::to_string(chunk).map_err(|error| Error {
                act,
                source: sqlx::Error::Encode(error.into()),
            })?;
            sql.value(text);
            written += sql.run(act, &mut **on).await?;
        }
        Ok(written)
    }

    /// The statement; its value is the rows.
    fn insert(&self, is_postgres: bool) -> Sql {
        let (name, columns) = (self.name, self.columns.join(", "));
        let rows = if is_postgres {
            format!("SELECT {columns} FROM json_populate_recordset(NULL::{name}, $1::json)")
        } else {
            let read = self.columns.iter();
            let read: Vec<String> = read.map(|column| format!("value ->> '$.{column}'")).collect();
            // Without a WHERE the parser would take ON CONFLICT for a join's condition.
            format!("SELECT {} FROM json_each($1) WHERE true", read.join(", "))
        };
        let conflict = self.conflict;
        Sql::new(&format!("INSERT INTO {name} ({columns}) {rows} {conflict}"))
    }
}

/// Whether something is so, as the databases keep it.
pub(super) fn flag<S: Serializer>(flag: &bool, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u8(u8::from(*flag))
}

/// A document, as text.
pub(super) fn text<S: Serializer>(body: &serde_json::Value, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(body)
}
