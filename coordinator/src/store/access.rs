//! Accounts, sessions and tokens. Only hashes of secrets are kept.

use serde_json::{Value, json};
use sqlx::any::AnyRow;

use super::audit::{self, Said};
use super::page::{Page, Query, Scope};
use super::sql::{Columns, Sql};
use super::{Error, Store};
use crate::moment;

/// A local user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Name.
    pub name: String,
    /// Hash of the password.
    pub hash: String,
    /// Role.
    pub role: String,
    /// Sites; all where none is named.
    pub sites: Scope,
    /// Whether it may log in.
    pub disabled: bool,
    /// Wrong passwords since the last right one.
    pub failures: i64,
    /// Until when it may not.
    pub locked_until: i64,
    /// Counts changes.
    pub version: i64,
}

/// A user to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// Name.
    pub name: String,
    /// Hash of the password.
    pub hash: String,
    /// Role.
    pub role: String,
    /// Sites; all where none is named.
    pub sites: Scope,
}

/// A login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Whose.
    pub account: String,
    /// What a changing request of a browser must bring along.
    pub csrf: String,
}

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its number in the API.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Hash of the secret.
    pub hash: String,
    /// Role.
    pub role: String,
    /// Sites; all where none is named.
    pub sites: Scope,
    /// Who made it.
    pub by: String,
}

impl Store {
    /// Makes an account; `false` where the name is taken.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn add_account(&self, account: &NewAccount, said: &Said) -> Result<bool, Error> {
        let mut on = self.begin().await?;
        let mut sql = Sql::new(
            "INSERT INTO account (name, hash, role, sites, created, disabled, failures, locked_until, version)",
        );
        sql.rows(&[account], |to, row| {
            to.add(row.name.clone())
                .add(row.hash.clone())
                .add(row.role.clone())
                .add(row.sites.write())
                .add(said.at)
                .add(0_i64)
                .add(0_i64)
                .add(0_i64)
                .add(1_i64);
        });
        sql.push(" ON CONFLICT (name) DO NOTHING");
        if sql.run("make an account", &mut *on).await? == 0 {
            return Ok(false);
        }
        audit::append(&mut on, said).await?;
        self.commit(on).await?;
        Ok(true)
    }

    /// An account.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn account(&self, name: &str) -> Result<Option<Account>, Error> {
        let mut sql = Sql::new("SELECT * FROM account WHERE name = ");
        sql.bind(name.to_owned());
        let row = sql.one("read an account", &self.pool).await?;
        row.as_ref().map(account).transpose()
    }

    /// All accounts, by name.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn accounts(&self) -> Result<Vec<Account>, Error> {
        let sql = Sql::new("SELECT * FROM account ORDER BY name");
        let rows = sql.all("read accounts", &self.pool).await?;
        rows.iter().map(account).collect()
    }

    /// Changes an account that still has this version; its sessions end. `false` where it has not.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn change_account(&self, account: &Account, said: &Said) -> Result<bool, Error> {
        let act = "change an account";
        let mut on = self.begin().await?;
        let mut sql = Sql::new(
            "UPDATE account SET version = version + 1, failures = 0, locked_until = 0, hash = ",
        );
        sql.bind(account.hash.clone())
            .push(", role = ")
            .bind(account.role.clone())
            .push(", sites = ")
            .bind(account.sites.write())
            .push(", disabled = ")
            .bind(i64::from(account.disabled))
            .push(" WHERE version = ")
            .bind(account.version)
            .push(" AND name = ")
            .bind(account.name.clone());
        if sql.run(act, &mut *on).await? == 0 {
            return Ok(false);
        }
        let mut sql = Sql::new("DELETE FROM session WHERE account = ");
        sql.bind(account.name.clone());
        sql.run(act, &mut *on).await?;
        audit::append(&mut on, said).await?;
        self.commit(on).await?;
        Ok(true)
    }

    /// Notes a wrong password, or with `None` a right one.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn note_login(&self, name: &str, wrong: Option<(i64, i64)>) -> Result<(), Error> {
        let mut sql = Sql::new("UPDATE account SET ");
        match wrong {
            None => sql.push("failures = 0, locked_until = 0"),
            Some((most, until)) => sql
                .push("failures = failures + 1, locked_until = CASE WHEN failures + 1 >= ")
                .bind(most)
                .push(" THEN ")
                .bind(until)
                .push(" ELSE locked_until END"),
        };
        sql.push(" WHERE name = ").bind(name.to_owned());
        sql.run("note a login", &self.pool).await.map(drop)
    }

    /// Begins a session.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn begin_session(
        &self,
        (hash, session): (&str, &Session),
        (now, expires): (i64, i64),
    ) -> Result<(), Error> {
        let mut sql = Sql::new("INSERT INTO session (hash, account, csrf, created, expires)");
        sql.rows(&[session], |to, row| {
            to.add(hash.to_owned())
                .add(row.account.clone())
                .add(row.csrf.clone())
                .add(now)
                .add(expires);
        });
        sql.run("begin a session", &self.pool).await.map(drop)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn end_session(&self, hash: &str) -> Result<(), Error> {
        let mut sql = Sql::new("DELETE FROM session WHERE hash = ");
        sql.bind(hash.to_owned());
        sql.run("end a session", &self.pool).await.map(drop)
    }

    /// The session with this hash, and its account; nothing where it is over or the account may not log in.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn session(&self, hash: &str, now: i64) -> Result<Option<(Session, Account)>, Error> {
        let mut sql = Sql::new(
            "SELECT account.*, session.csrf FROM session JOIN account ON account.name = session.account WHERE \
             account.disabled = 0 AND session.expires > ",
        );
        sql.bind(now)
            .push(" AND session.hash = ")
            .bind(hash.to_owned());
        let row = sql.one("look for a session", &self.pool).await?;
        row.map(|row| {
            let account = account(&row)?;
            let session = Session {
                account: account.name.clone(),
                csrf: row.get_text("csrf")?,
            };
            Ok((session, account))
        })
        .transpose()
    }

    /// Makes a token.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn add_token(&self, token: &Token, said: &Said) -> Result<(), Error> {
        let mut on = self.begin().await?;
        let mut sql =
            Sql::new("INSERT INTO token (id, name, hash, role, sites, created, created_by)");
        sql.rows(&[token], |to, row| {
            to.add(row.id.clone())
                .add(row.name.clone())
                .add(row.hash.clone())
                .add(row.role.clone())
                .add(row.sites.write())
                .add(said.at)
                .add(row.by.clone());
        });
        sql.run("make a token", &mut *on).await?;
        audit::append(&mut on, said).await?;
        self.commit(on).await
    }

    /// What a token's hash opens: its name, role and sites.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn token(&self, hash: &str) -> Result<Option<(String, String, Scope)>, Error> {
        let mut sql =
            Sql::new("SELECT name, role, sites FROM token WHERE revoked IS NULL AND hash = ");
        sql.bind(hash.to_owned());
        let row = sql.one("look for a token", &self.pool).await?;
        row.map(|row| {
            Ok((
                row.get_text("name")?,
                row.get_text("role")?,
                Scope::read(&row.get_text("sites")?),
            ))
        })
        .transpose()
    }

    /// Tokens by page.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list_tokens(&self, page: &Page) -> Result<(Vec<Value>, Option<String>), Error> {
        let query = Query {
            columns: "id, name, role, sites, created, created_by, revoked",
            table: "token",
            order: ("created", "id"),
        };
        query
            .page((&self.pool, page), |_| {}, |row| {
                Ok(json!({
                    "id": row.get_text("id")?, "name": row.get_text("name")?, "role": row.get_text("role")?,
                    "sites": Scope::read(&row.get_text("sites")?).0, "created_by": row.get_text("created_by")?,
                    "created": moment::text(row.get_number("created")?),
                    "revoked": row.get_maybe_number("revoked")?.map(moment::text),
                }))
            })
            .await
    }

    /// Revokes a token, from its next request on; `false` where there is none of that number or name.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn revoke_token(&self, id: &str, said: &Said) -> Result<bool, Error> {
        let mut on = self.begin().await?;
        let mut sql = Sql::new("UPDATE token SET revoked = ");
        sql.bind(said.at)
            .push(" WHERE revoked IS NULL AND (id = ")
            .bind(id.to_owned())
            .push(" OR name = ")
            .bind(id.to_owned())
            .push(")");
        if sql.run("revoke a token", &mut *on).await? == 0 {
            return Ok(false);
        }
        audit::append(&mut on, said).await?;
        self.commit(on).await?;
        Ok(true)
    }

    /// Keeps the hash of a code that works once.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn offer_once(&self, name: &str, (hash, expires): (&str, i64)) -> Result<(), Error> {
        let mut sql = Sql::new("INSERT INTO once (name, hash, expires)");
        sql.rows(&[name], |to, name| {
            to.add((*name).to_owned()).add(hash.to_owned()).add(expires);
        });
        sql.push(
            " ON CONFLICT (name) DO UPDATE SET hash = excluded.hash, expires = excluded.expires",
        );
        sql.run("keep a code", &self.pool).await.map(drop)
    }

    /// Uses a code up; whether it was the right one, in time.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn use_once(&self, name: &str, (hash, now): (&str, i64)) -> Result<bool, Error> {
        let mut sql = Sql::new("DELETE FROM once WHERE name = ");
        sql.bind(name.to_owned())
            .push(" AND hash = ")
            .bind(hash.to_owned())
            .push(" AND expires > ")
            .bind(now);
        Ok(sql.run("use a code", &self.pool).await? == 1)
    }
}

fn account(row: &AnyRow) -> Result<Account, Error> {
    Ok(Account {
        name: row.get_text("name")?,
        hash: row.get_text("hash")?,
        role: row.get_text("role")?,
        sites: Scope::read(&row.get_text("sites")?),
        disabled: row.get_number("disabled")? != 0,
        failures: row.get_number("failures")?,
        locked_until: row.get_number("locked_until")?,
        version: row.get_number("version")?,
    })
}
