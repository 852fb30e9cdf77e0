//! What is deleted because it is old or too much: in small steps, between which the writer goes on.
//! Nothing that is in force or waits for a person is deleted.

use std::time::Duration;

use rusqlite::{Connection, Result, ToSql, params};

use super::{audit, outbox};
use crate::config::Config;
use crate::timestamp::Timestamp;

/// Rows deleted in one step: some ten milliseconds.
const STEP: u32 = 200;

/// Pages given back in one step, 1 MiB.
const PAGES: u32 = 256;

/// Free pages that are left in the file, 4 MiB: the next entries use them, and a file that shrinks and grows is in pieces.
const SPARE_PAGES: u32 = 1_024;

/// How much is kept, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    records: Duration,
    revisions: u64,
    blocks: u64,
    audit: Duration,
    audit_entries: u64,
    pub(super) outbox: outbox::Bounds,
}

/// What one step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// There is more to delete.
    More,
    /// All is within its bounds.
    Done,
}

impl From<&Config> for Bounds {
    fn from(config: &Config) -> Self {
        Self {
            records: config.store.retention.get(),
            revisions: config.store.max_revisions.get().into(),
            blocks: config.store.max_blocks.get().into(),
            audit: config.store.audit_retention.get(),
            audit_entries: config.store.max_audit.get().into(),
            outbox: (&config.report).into(),
        }
    }
}

/// Records that end, and how the ended are found, the oldest first.
struct Records {
    table: &'static str,
    /// When a row ended; nothing while it lasts.
    ended: &'static str,
}

const ENDING: [Records; 3] = [
    Records {
        table: "block",
        ended: "coalesce(released, expires)",
    },
    Records {
        table: "allowance",
        ended: "coalesce(ended, expires)",
    },
    Records {
        table: "offender",
        ended: "served",
    },
];

/// Takes one step inside a transaction of the caller's.
pub(super) fn step(db: &Connection, bounds: &Bounds, now: Timestamp) -> Result<Step> {
    let cutoff = before(now, bounds.records);
    let mut gone = 0;
    for records in &ENDING {
        gone += forget(db, records, (cutoff, now, bounds.blocks))?;
    }
    gone += reviews(db, cutoff, bounds.revisions)?;
    gone += incidents(db, cutoff, bounds.revisions)?;
    let excess = count(db, "audit")?.saturating_sub(bounds.audit_entries);
    gone += audit::forget(db, before(now, bounds.audit), (excess, STEP))?;
    gone += outbox::expire(db, before(now, bounds.outbox.age), STEP)?;
    Ok(if gone == 0 { Step::Done } else { Step::More })
}

/// Gives free pages back to the file system; not inside a transaction.
pub(super) fn shrink(db: &Connection) -> Result<Step> {
    let free: u32 = db.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
    if free <= SPARE_PAGES {
        return Ok(Step::Done);
    }
    // The pragma frees a page each time it is stepped.
    let mut vacuum = db.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    let mut rows = vacuum.query([])?;
    while rows.next()?.is_some() {}
    Ok(Step::More)
}

fn forget(
    db: &Connection,
    records: &Records,
    (cutoff, now, most): (Timestamp, Timestamp, u64),
) -> Result<usize> {
    let Records { table, ended } = records;
    let key = if *table == "offender" {
        "address"
    } else {
        "rowid"
    };
    let old = format!(
        "DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE {ended} < ?1 ORDER BY {ended} LIMIT ?2)"
    );
    let mut old = db.prepare_cached(&old)?;
    let gone = old.execute(params![cutoff, STEP])?;
    let excess = count(db, table)?.saturating_sub(most).min(STEP.into());
    if excess == 0 {
        return Ok(gone);
    }
    Ok(gone + old.execute(params![now, excess])?)
}

fn reviews(db: &Connection, cutoff: Timestamp, most: u64) -> Result<usize> {
    let excess = count(db, "review")?.saturating_sub(most).min(STEP.into());
    let sql = "DELETE FROM review WHERE id IN (SELECT id FROM review WHERE asked < ?1 AND state <> 'open' ORDER BY asked LIMIT ?2)";
    let mut old = db.prepare_cached(sql)?;
    let gone = old.execute(params![cutoff, STEP])?;
    let any_time = Timestamp::from_micros(i64::MAX);
    Ok(gone + old.execute(params![any_time, excess])?)
}

fn incidents(db: &Connection, cutoff: Timestamp, most: u64) -> Result<usize> {
    let delete = |condition: &str, bound: &[&dyn ToSql]| {
        let sql = format!(
            "DELETE FROM incident WHERE id IN (SELECT id FROM incident {condition} ORDER BY updated LIMIT {STEP})"
        );
        db.prepare_cached(&sql)?.execute(bound)
    };
    let old = delete("WHERE updated < ?1", &[&cutoff])?;
    let excess = count(db, "revision")?.saturating_sub(most);
    if excess == 0 {
        return Ok(old);
    }
    // An incident may have many revisions, so only as many go as are sure to be too many.
    let sql = "SELECT id, (SELECT count(*) FROM revision WHERE incident = id) FROM incident ORDER BY updated LIMIT ?1";
    let mut oldest = db.prepare_cached(sql)?;
    let mut rows = oldest.query([STEP])?;
    let (mut freed, mut gone) = (0, 0);
    while let Some(row) = rows.next()?
        && freed < excess
    {
        freed += row.get::<_, u64>(1)?;
        let id: String = row.get(0)?;
        gone += db
            .prepare_cached("DELETE FROM incident WHERE id = ?1")?
            .execute([id])?;
    }
    Ok(old + gone)
}

fn count(db: &Connection, table: &str) -> Result<u64> {
    db.prepare_cached(&format!("SELECT count(*) FROM {table}"))?
        .query_row([], |row| row.get(0))
}

fn before(now: Timestamp, span: Duration) -> Timestamp {
    let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.micros().saturating_sub(micros))
}
