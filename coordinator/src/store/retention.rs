//! What is kept for how long. PostgreSQL drops the month of a partition whole; otherwise rows go in small batches, so that
//! nobody waits for them.

use sqlx::AssertSqlSafe;
use time::{Date, Month, OffsetDateTime};

use super::sql::{Columns, Sql};
use super::{Error, Store};
use crate::config::Retention;

/// Rows deleted in one transaction.
const BATCH: i64 = 2_000;

/// Tables with a partition a month in PostgreSQL.
const MONTHLY: [&str; 3] = ["incident", "revision", "telemetry"];

/// PostgreSQL's word for rows that stand in the default partition already.
const HELD: &str = "23514";
/// PostgreSQL's word for a lock that was not to be had in time.
const LOCKED: &str = "55P03";

/// What was let go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Rows.
    pub rows: u64,
    /// Partitions.
    pub partitions: u64,
}

impl Store {
    /// Makes the partitions of this month and the next two; nothing to do with SQLite.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn prepare_months(&self, now: i64) -> Result<(), Error> {
        if !self.is_postgres() {
            return Ok(());
        }
        for table in MONTHLY {
            for ahead in 0..3 {
                let (name, from) = month(now, ahead);
                let (_, to) = month(now, ahead + 1);
                let made = sqlx::query(AssertSqlSafe(format!(
                    "CREATE TABLE IF NOT EXISTS {table}_{name} PARTITION OF {table} FOR VALUES FROM ({from}) TO ({to})"
                )))
                .execute(&self.pool)
                .await;
                // Rows of that month that came earlier are in the table of all others, and stay there.
                match made {
                    Err(error) if !is_code(&error, HELD) => {
                        return Err(Error {
                            act: "make a month's partition",
                            source: error,
                        });
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Lets go of what is too old. One call does a bounded amount of work; it says what went, and is called again until
    /// nothing does.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn sweep(&self, settings: &Retention, now: i64) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        let incidents = now - settings.incidents.micros();
        let telemetry = now - settings.telemetry.micros();
        let closed = now - settings.closed.micros();
        if self.is_postgres() {
            for (table, cutoff) in [
                ("incident", incidents),
                ("revision", incidents),
                ("telemetry", telemetry),
            ] {
                swept.partitions += self.drop_months(table, cutoff).await?;
            }
        }
        for (table, key, rule, cutoff) in [
            ("revision", "incident", "at < ", incidents),
            ("telemetry", "at", "at < ", telemetry),
            ("incident", "id", "at < ", incidents),
            ("condition", "id", "at < ", closed),
            ("review", "id", "state <> 'open' AND asked < ", closed),
            ("campaign", "id", "state = 'closed' AND last_at < ", closed),
            (
                "fleet_block",
                "id",
                "state IN ('withdrawn', 'expired', 'observed') AND begun < ",
                closed,
            ),
            (
                "orders",
                "id",
                "state NOT IN ('queued', 'sent', 'silent') AND created < ",
                closed,
            ),
            ("block", "target", "state = 'released' AND at < ", now - DAY),
            ("idempotency", "key", "at < ", now - DAY),
            ("session", "hash", "expires < ", now),
            ("sequence", "epoch", "at < ", incidents),
        ] {
            // Where there are months, rows go with theirs; only what came before there were any goes by itself.
            let other = format!("{table}_other");
            let table = match self.is_postgres() && MONTHLY.contains(&table) {
                true => other.as_str(),
                false => table,
            };
            let mut sql = Sql::new("DELETE FROM ");
            sql.push(table).push(" WHERE ").push(rule).bind(cutoff);
            sql.push(" AND ").push(key).push(" IN (SELECT ").push(key);
            sql.push(" FROM ")
                .push(table)
                .push(" WHERE ")
                .push(rule)
                .bind(cutoff);
            sql.push(" LIMIT ").bind(BATCH).push(")");
            swept.rows += sql.run("let go of old rows", &self.pool).await?;
        }
        let mut sql = Sql::new(
            "DELETE FROM event WHERE seq <= (SELECT value FROM counter WHERE name = 'event') - ",
        );
        sql.bind(i64::from(settings.events));
        swept.rows += sql.run("let go of old events", &self.pool).await?;
        swept.rows += self.forget_audit(now - settings.audit.micros()).await?;
        Ok(swept)
    }

    async fn drop_months(&self, table: &'static str, cutoff: i64) -> Result<u64, Error> {
        let act = "let go of a month";
        let (oldest, _) = month(cutoff, 0);
        let mut sql = Sql::new(
            "SELECT relname::text AS name FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = ",
        );
        sql.bind(table.to_owned()).push("::regclass AND relname < ");
        sql.bind(format!("{table}_{oldest}"));
        let rows = sql.all(act, &self.pool).await?;
        let mut gone = 0;
        for row in rows {
            let name = row.get_text("name")?;
            let ours = name.strip_prefix(table).is_some_and(|rest| {
                rest.bytes()
                    .all(|byte| byte == b'_' || byte.is_ascii_digit())
            });
            if ours {
                // Everybody who comes after us waits while we wait for a long reader: rather later than for long.
                let mut on = self.begin().await?;
                let patience = Sql::new("SET LOCAL lock_timeout = '500ms'");
                patience.run(act, &mut *on).await?;
                let drop = sqlx::query(AssertSqlSafe(format!("DROP TABLE {name}")));
                match drop.execute(&mut *on).await {
                    Ok(_) => {
                        let done = on.commit().await;
                        done.map_err(|source| Error { act, source })?;
                        gone += 1;
                    }
                    Err(source) if is_code(&source, LOCKED) => {
                        tracing::info!("{name} is being read, and goes later");
                    }
                    Err(source) => return Err(Error { act, source }),
                }
            }
        }
        Ok(gone)
    }
}

fn is_code(error: &sqlx::Error, wanted: &str) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code == wanted)
}

/// A day, microseconds.
const DAY: i64 = 86_400_000_000;

/// The month `ahead` of the one that `now` is in: its name for a table, and when it begins.
fn month(now: i64, ahead: i32) -> (String, i64) {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(now) * 1_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let months = moment.year() * 12 + i32::from(u8::from(moment.month())) - 1 + ahead;
    let (year, number) = (months.div_euclid(12), months.rem_euclid(12) + 1);
    let number = u8::try_from(number).unwrap_or(1);
    let first = Month::try_from(number)
        .ok()
        .and_then(|month| Date::from_calendar_date(year, month, 1).ok())
        .map_or(0, |date| date.midnight().assume_utc().unix_timestamp());
    (format!("{year:04}_{number:02}"), first * 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment;

    #[test]
    fn months_follow_each_other_over_the_end_of_a_year() {
        let now = moment::read("2026-11-27T12:00:00Z").unwrap();
        let (name, from) = month(now, 0);
        assert_eq!(
            (name.as_str(), moment::text(from).as_str()),
            ("2026_11", "2026-11-01T00:00:00.000000Z")
        );
        let (name, from) = month(now, 2);
        assert_eq!(
            (name.as_str(), moment::text(from).as_str()),
            ("2027_01", "2027-01-01T00:00:00.000000Z")
        );
    }
}
