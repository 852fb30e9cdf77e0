//! Rows written at once, as one JSON text: a statement with one value, however many rows there are, which both databases
//! prepare once and take apart faster than thousands of values. Text never becomes SQL by way of it.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use sqlx::{Any, Transaction};

use super::Error;
use super::sql::Sql;

/// Rows of one statement: SQLite looks each of them up in the text.
const ROWS: usize = 500;

/// Stands between documents: no JSON text holds it (RFC 8259, section 7).
const BETWEEN: char = '\u{1e}';

/// What a row is written from: fields of the names of its columns, and the document beside them, which would only be quoted
/// and unquoted with the rest.
pub(super) trait Row: Serialize {
    /// The document, a JSON text; nothing where the table has none.
    fn document(&self) -> Option<Cow<'_, str>> {
        None
    }
}

/// A table that rows are written to.
pub(super) struct Table {
    /// Its name.
    pub(super) name: &'static str,
    /// The columns that are written.
    pub(super) columns: &'static [&'static str],
    /// The column of the document.
    pub(super) document: Option<&'static str>,
    /// What is done where the key is there already.
    pub(super) conflict: &'static str,
}

impl Table {
    /// Writes rows; says how many were written.
    ///
    /// # Errors
    /// The database does not take them.
    pub(super) async fn write<T: Row>(
        &self,
        on: &mut Transaction<'static, Any>,
        (act, rows): (&'static str, &[T]),
    ) -> Result<u64, Error> {
        let is_postgres = on.backend_name() == "PostgreSQL";
        let mut written = 0;
        for chunk in rows.chunks(ROWS) {
            let mut sql = self.insert(is_postgres);
            let whole = match is_postgres {
                true => serde_json::to_string(chunk),
                false => self.whole(chunk),
            };
            sql.value(whole.map_err(|error| Error {
                act,
                source: sqlx::Error::Encode(error.into()),
            })?);
            if is_postgres && self.document.is_some() {
                sql.value(apart(chunk));
            }
            written += sql.run(act, &mut **on).await?;
        }
        Ok(written)
    }

    /// The statement; its values are the rows and, for PostgreSQL, the documents.
    fn insert(&self, is_postgres: bool) -> Sql {
        let (name, fields) = (self.name, self.columns.join(", "));
        let columns: Vec<&str> = self.columns.iter().copied().chain(self.document).collect();
        let rows = match (is_postgres, self.document) {
            (true, None) => {
                format!("SELECT {fields} FROM json_populate_recordset(NULL::{name}, $1::json)")
            }
            // Taken apart once: as a plain subquery it would be for every row.
            (true, Some(_)) => format!(
                "WITH apart AS MATERIALIZED (SELECT string_to_array($2, chr({})) AS documents) SELECT {fields}, \
                 documents[ordinality] FROM json_populate_recordset(NULL::{name}, $1::json) WITH ORDINALITY AS row, apart",
                u32::from(BETWEEN)
            ),
            (false, _) => {
                let read: Vec<String> = columns
                    .iter()
                    .map(|column| format!("value ->> '$.{column}'"))
                    .collect();
                // Without a WHERE the parser would take ON CONFLICT for a join's condition.
                format!("SELECT {} FROM json_each($1) WHERE true", read.join(", "))
            }
        };
        let conflict = self.conflict;
        Sql::new(&format!(
            "INSERT INTO {name} ({}) {rows} {conflict}",
            columns.join(", ")
        ))
    }

    /// Rows with their documents in them.
    fn whole<T: Row>(&self, rows: &[T]) -> serde_json::Result<String> {
        let mut text = String::from("[");
        for row in rows {
            if text.len() > 1 {
                text.push(',');
            }
            let fields = serde_json::to_string(row)?;
            text.push_str(fields.strip_suffix('}').unwrap_or(&fields));
            if let (Some(column), Some(document)) = (self.document, row.document()) {
                text.push_str(&format!(
                    ",\"{column}\":{}",
                    serde_json::to_string(&document)?
                ));
            }
            text.push('}');
        }
        text.push(']');
        Ok(text)
    }
}

fn apart<T: Row>(rows: &[T]) -> String {
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        if at > 0 {
            text.push(BETWEEN);
        }
        text.push_str(&row.document().unwrap_or_default());
    }
    text
}

/// Whether something is so, as the databases keep it.
pub(super) fn flag<S: Serializer>(flag: &bool, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u8(u8::from(*flag))
}
