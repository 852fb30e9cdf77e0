//! Logins as people see and end them. A login is named by the first digits of its hash, which open nothing.

use super::sql::{Columns, Sql};
use super::{Error, Store};

/// A login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginRow {
    /// Its name.
    pub id: String,
    /// Whose.
    pub account: String,
    /// Since when.
    pub begun: i64,
    /// Until when.
    pub ends: i64,
}

impl Store {
    /// Logins that are not over, the latest first; of one account where it is named.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn logins(&self, account: Option<&str>, now: i64) -> Result<Vec<LoginRow>, Error> {
        let mut sql = Sql::new(
            "SELECT substr(hash, 1, 16) AS id, account, created, expires FROM session WHERE expires > ",
        );
        sql.bind(now);
        if let Some(account) = account {
            sql.push(" AND account = ").bind(account.to_owned());
        }
        sql.push(" ORDER BY created DESC LIMIT 200");
        let rows = sql.all("read logins", &self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(LoginRow {
                    id: row.get_text("id")?,
                    account: row.get_text("account")?,
                    begun: row.get_number("created")?,
                    ends: row.get_number("expires")?,
                })
            })
            .collect()
    }

    /// Ends a login, of one account where it is named; `false` where there is none of that name.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn end_login(&self, id: &str, account: Option<&str>) -> Result<bool, Error> {
        let mut sql = Sql::new("DELETE FROM session WHERE substr(hash, 1, 16) = ");
        sql.bind(id.to_owned());
        if let Some(account) = account {
            sql.push(" AND account = ").bind(account.to_owned());
        }
        Ok(sql.run("end a login", &self.pool).await? > 0)
    }
}
