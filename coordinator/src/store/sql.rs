//! A statement that grows with its values: `$1`, `$2` … as both databases read them. Text never becomes SQL by way of it.

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{Any, Arguments, AssertSqlSafe, Encode, Executor, Row, Type};

use super::{Error, Rows};

/// Statements with at most so many values stay prepared; longer ones are rarely given twice.
const KEPT: usize = 32;

/// A statement and its values.
pub(super) struct Sql {
    text: String,
    arguments: AnyArguments,
    count: usize,
    wrong: bool,
}

impl Sql {
    /// Begins with `text`, which is ours.
    pub(super) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            arguments: AnyArguments::default(),
            count: 0,
            wrong: false,
        }
    }

    /// Adds text of ours.
    pub(super) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds a value, and its place in the text.
    pub(super) fn bind<'a, T: Encode<'a, Any> + Type<Any> + 'a>(&mut self, value: T) -> &mut Self {
        self.wrong |= self.arguments.add(value).is_err();
        self.count += 1;
        self.text.push('$');
        self.text.push_str(&self.count.to_string());
        self
    }

    /// Adds a value whose place stands in the text already.
    pub(super) fn value(&mut self, value: String) {
        self.wrong |= self.arguments.add(value).is_err();
        self.count += 1;
    }

    /// Adds texts with commas between, in brackets; no text at all is a list that nothing is in.
    pub(super) fn among<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>) -> &mut Self {
        let mut any = false;
        for text in texts {
            self.push(if any { ", " } else { " IN (" });
            self.bind(text.to_owned());
            any = true;
        }
        self.push(if any { ")" } else { " IN (NULL)" })
    }

    /// Adds rows of a `VALUES` list.
    pub(super) fn rows<T>(&mut self, rows: &[T], row: impl Fn(&mut ValueRow<'_>, &T)) -> &mut Self {
        self.push(" VALUES ");
        for (at, item) in rows.iter().enumerate() {
            self.push(if at == 0 { "(" } else { ", (" });
            row(
                &mut ValueRow {
                    sql: self,
                    first: true,
                },
                item,
            );
            self.push(")");
        }
        self
    }

    /// Has it carried out; says how many rows it touched.
    pub(super) async fn run<'c, E>(self, act: &'static str, on: E) -> Result<u64, Error>
    where
        E: Executor<'c, Database = Any>,
    {
        let query = self.query(act)?;
        let done = query.execute(on).await;
        done.map(|done| done.rows_affected())
            .map_err(|source| Error { act, source })
    }

    /// The rows it gives.
    pub(super) async fn all<'c, E>(self, act: &'static str, on: E) -> Result<Rows, Error>
    where
        E: Executor<'c, Database = Any>,
    {
        let rows = self.query(act)?.fetch_all(on).await;
        rows.map_err(|source| Error { act, source })
    }

    /// The first row it gives.
    pub(super) async fn one<'c, E>(self, act: &'static str, on: E) -> Result<Option<AnyRow>, Error>
    where
        E: Executor<'c, Database = Any>,
    {
        let row = self.query(act)?.fetch_optional(on).await;
        row.map_err(|source| Error { act, source })
    }

    fn query(
        self,
        act: &'static str,
    ) -> Result<sqlx::query::Query<'static, Any, AnyArguments>, Error> {
        if self.wrong {
            let source = sqlx::Error::Protocol("a value cannot be encoded".to_owned());
            return Err(Error { act, source });
        }
        // The text is put together from pieces of this program; values only ever stand in the arguments.
        let query = sqlx::query_with(AssertSqlSafe(self.text), self.arguments);
        Ok(query.persistent(self.count <= KEPT))
    }
}

/// One row of a `VALUES` list.
pub(super) struct ValueRow<'a> {
    sql: &'a mut Sql,
    first: bool,
}

impl ValueRow<'_> {
    /// Adds a value.
    pub(super) fn add<'a, T: Encode<'a, Any> + Type<Any> + 'a>(&mut self, value: T) -> &mut Self {
        if !std::mem::take(&mut self.first) {
            self.sql.push(", ");
        }
        self.sql.bind(value);
        self
    }
}

/// Reads columns of a row.
pub(super) trait Columns {
    /// A column.
    fn get_text(&self, name: &str) -> Result<String, Error>;
    /// A column that may be empty.
    fn get_maybe(&self, name: &str) -> Result<Option<String>, Error>;
    /// A number.
    fn get_number(&self, name: &str) -> Result<i64, Error>;
    /// A number that may be missing.
    fn get_maybe_number(&self, name: &str) -> Result<Option<i64>, Error>;
}

impl Columns for AnyRow {
    fn get_text(&self, name: &str) -> Result<String, Error> {
        self.try_get(name).map_err(unread)
    }

    fn get_maybe(&self, name: &str) -> Result<Option<String>, Error> {
        self.try_get(name).map_err(unread)
    }

    fn get_number(&self, name: &str) -> Result<i64, Error> {
        self.try_get(name).map_err(unread)
    }

    fn get_maybe_number(&self, name: &str) -> Result<Option<i64>, Error> {
        self.try_get(name).map_err(unread)
    }
}

fn unread(source: sqlx::Error) -> Error {
    let act = "read a row";
    Error { act, source }
}
