//! Listings by pages: newest first, from a cursor that stays valid whatever is written meanwhile; and what of them
//! somebody who is limited to sites may see.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sqlx::AnyPool;
use sqlx::any::AnyRow;

use super::Error;
use super::sql::{Columns, Sql};

/// The sites somebody may see; none named means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope(pub Vec<String>);

impl Scope {
    /// Reads it as the store keeps it: names with commas between.
    pub fn read(text: &str) -> Self {
        let names = text.split(',').filter(|name| !name.is_empty());
        Self(names.map(str::to_owned).collect())
    }

    /// As the store keeps it.
    pub fn write(&self) -> String {
        self.0.join(",")
    }

    /// Whether it has a site in it.
    pub fn covers(&self, site: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|name| name == site)
    }

    /// Whether it has all sites in it.
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a condition on `site` to a statement.
    pub(super) fn limit(&self, sql: &mut Sql) {
        if !self.is_all() {
            sql.push(" AND site");
            sql.among(self.0.iter().map(String::as_str));
        }
    }
}

/// Where a page begins: after the row with this number and this key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(i64, String);

impl Cursor {
    /// Reads what a page gave as its end.
    pub fn read(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (number, key) = text.split_once(' ')?;
        Some(Self(number.parse().ok()?, key.to_owned()))
    }

    fn write(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{} {}", self.0, self.1))
    }
}

/// Which page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// After what; the newest where nothing is said.
    pub after: Option<Cursor>,
    /// Rows at most.
    pub limit: u32,
}

/// A listing.
pub(super) struct Query {
    /// What is read.
    pub(super) columns: &'static str,
    /// From where.
    pub(super) table: &'static str,
    /// A column of numbers and one of texts that together name a row; the newest comes first.
    pub(super) order: (&'static str, &'static str),
}

impl Query {
    /// One page, and where the next begins.
    pub(super) async fn page<T>(
        self,
        (pool, page): (&AnyPool, &Page),
        filter: impl FnOnce(&mut Sql),
        read: impl Fn(&AnyRow) -> Result<T, Error>,
    ) -> Result<(Vec<T>, Option<String>), Error> {
        let (number, key) = self.order;
        let mut sql = Sql::new("SELECT ");
        sql.push(self.columns)
            .push(" FROM ")
            .push(self.table)
            .push(" WHERE 1 = 1");
        filter(&mut sql);
        if let Some(Cursor(after, name)) = &page.after {
            sql.push(" AND (")
                .push(number)
                .push(", ")
                .push(key)
                .push(") < (");
            sql.bind(*after).push(", ").bind(name.clone()).push(")");
        }
        sql.push(" ORDER BY ")
            .push(number)
            .push(" DESC, ")
            .push(key);
        sql.push(" DESC LIMIT ").bind(i64::from(page.limit) + 1);
        let mut rows = sql.all("read a page", pool).await?;
        let more = rows.len() > page.limit as usize;
        rows.truncate(page.limit as usize);
        let next = match rows.last().filter(|_| more) {
            Some(row) => Some(Cursor(row.get_number(number)?, row.get_text(key)?).write()),
            None => None,
        };
        let items: Result<Vec<T>, Error> = rows.iter().map(read).collect();
        Ok((items?, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let cursor = Cursor(-7, "a b ' c".to_owned());
        assert_eq!(Cursor::read(&cursor.write()), Some(cursor));
        assert_eq!(Cursor::read("nonsense"), None);
        assert_eq!(Cursor::read("'; DROP TABLE incident; --"), None);
    }

    #[test]
    fn a_scope_of_none_is_all() {
        assert!(Scope::read("").covers("north"));
        let some = Scope::read("north,south");
        assert!(some.covers("south") && !some.covers("west") && !some.is_all());
        assert_eq!(Scope::read(&some.write()), some);
    }
}
