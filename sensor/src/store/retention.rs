//! What is deleted because it is old or too much: in small steps, between which the writer goes on.
//! Nothing that is in force or waits for a person is deleted.

use std::time::Duration;

use rusqlite::{Connection, Result, ToSql, params};

use super::{audit, outbox};
use contract::timestamp::Timestamp;
use settings::Config;

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
    let gone = old.execute(params![cutoff.micros(), STEP])?;
    let excess = count(db, table)?.saturating_sub(most).min(STEP.into());
    if excess == 0 {
        return Ok(gone);
    }
    Ok(gone + old.execute(params![now.micros(), excess])?)
}

fn reviews(db: &Connection, cutoff: Timestamp, most: u64) -> Result<usize> {
    let excess = count(db, "review")?.saturating_sub(most).min(STEP.into());
    let sql = "DELETE FROM review WHERE id IN (SELECT id FROM review WHERE asked < ?1 AND state <> 'open' ORDER BY asked LIMIT ?2)";
    let mut old = db.prepare_cached(sql)?;
    let gone = old.execute(params![cutoff.micros(), STEP])?;
    let any_time = Timestamp::from_micros(i64::MAX);
    Ok(gone + old.execute(params![any_time.micros(), excess])?)
}

fn incidents(db: &Connection, cutoff: Timestamp, most: u64) -> Result<usize> {
    let delete = |condition: &str, bound: &[&dyn ToSql]| {
        let sql = format!(
            "DELETE FROM incident WHERE id IN (SELECT id FROM incident {condition} ORDER BY updated LIMIT {STEP})"
        );
        db.prepare_cached(&sql)?.execute(bound)
    };
    let old = delete("WHERE updated < ?1", &[&cutoff.micros()])?;
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

#[cfg(test)]
mod tests {
    use super::super::entry::Message;
    use super::super::file::{File, scratch};
    use super::super::write;
    use super::*;
    use contract::record::Origin;
    use contract::record::{Block, BlockState};
    use contract::topics::Topic;

    const DAY: i64 = 86_400_000_000;
    const NOW: Timestamp = Timestamp::from_micros(1_000 * DAY);

    fn bounds() -> Bounds {
        let mut config = Config::default();
        config.store.max_blocks = settings::Count::clamped(1_000);
        config.store.max_revisions = settings::Count::clamped(1_000);
        (&config).into()
    }

    fn days(days: i64) -> Timestamp {
        Timestamp::from_micros(NOW.micros() + days * DAY)
    }

    fn block(db: &Connection, number: u32, expires: Option<Timestamp>) {
        let block = Block {
            forced: false,
            scope: contract::record::Scope::All,
            service: None,
            quiet: false,
            target: std::net::IpAddr::from(std::net::Ipv4Addr::from(0xc633_6400 + number)).into(),
            state: BlockState::Observed,
            origin: Origin::Operator,
            by: "root".to_owned(),
            reason: String::new(),
            class: None,
            incident: None,
            offence: 0,
            begun: days(-200),
            expires,
            confirm_by: None,
        };
        write::block(db, &block).unwrap();
    }

    fn all(db: &Connection) -> usize {
        let taken = || {
            let transaction = db.unchecked_transaction().unwrap();
            let taken = step(&transaction, &bounds(), NOW).unwrap();
            transaction.commit().unwrap();
            taken
        };
        std::iter::repeat_with(taken)
            .take_while(|taken| *taken == Step::More)
            .count()
    }

    #[test]
    fn ended_blocks_go_by_age_and_by_number_and_those_in_force_stay() {
        let db = scratch();
        (0..100).for_each(|number| block(&db, number, None));
        (100..1_100).for_each(|number| block(&db, number, Some(days(-1))));
        (1_100..1_700).for_each(|number| block(&db, number, Some(days(-100))));
        assert_eq!(count(&db, "block").unwrap(), 1_700);
        let steps = all(&db);
        assert!(steps >= 2, "{steps} steps");
        assert_eq!(count(&db, "block").unwrap(), 1_000);
        (2_000..3_500).for_each(|number| block(&db, number, None));
        all(&db);
        assert_eq!(count(&db, "block").unwrap(), 1_600, "all that is in force");
    }

    #[test]
    fn the_incidents_longest_unchanged_go_with_their_revisions() {
        let db = scratch();
        for id in 0..700 {
            let updated = if id < 100 {
                days(-91)
            } else {
                days(id / 100 - 8)
            };
            db.execute(
                "INSERT INTO incident VALUES (?1, 'scan', '192.0.2.1', 0, ?2, 2)",
                params![id.to_string(), updated.micros()],
            )
            .unwrap();
            for revision in 1..=2 {
                db.execute(
                    "INSERT INTO revision VALUES (?1, ?2, 'begun', 'alert', 1, ?3, '{}', x'', '')",
                    params![id.to_string(), revision, updated.micros()],
                )
                .unwrap();
            }
        }
        all(&db);
        assert_eq!(count(&db, "revision").unwrap(), 1_000);
        let oldest: i64 = db
            .query_row("SELECT min(CAST(id AS INTEGER)) FROM incident", [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(oldest, 200);
    }

    #[test]
    fn a_file_that_was_emptied_gives_its_space_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("garita.db");
        let mut file = File::open(&path).unwrap();
        let filling = file.db.transaction().unwrap();
        for number in 0..8_000 {
            let message = Message {
                topic: Topic::Block,
                severity: 1,
                id: number.to_string(),
                kind: String::new(),
                at: days(-100),
                body: "x".repeat(2_000),
            };
            outbox::post(&filling, &message).unwrap();
        }
        filling.commit().unwrap();
        let pages = |db: &Connection| {
            db.pragma_query_value(None, "page_count", |row| row.get::<_, u32>(0))
                .unwrap()
        };
        let full = pages(&file.db);
        all(&file.db);
        while shrink(&file.db).unwrap() == Step::More {}
        let left = pages(&file.db);
        assert!(
            left < full / 2 && left <= SPARE_PAGES + 100,
            "{full} pages, then {left}"
        );
    }
}
