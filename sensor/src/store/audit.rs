//! The audit trail: entries chained by hash, so that a change, a gap and a missing end show.
//! Who may do what is not decided here.

use rusqlite::{Connection, OptionalExtension, Result, Row, params};
use sha2::{Digest, Sha256};

use super::column::moment;
use super::rows::{AuditCheck, AuditHead};
use contract::printable::hex;
use contract::record::AuditEntry;
use contract::timestamp::Timestamp;

/// What stands before the first entry: as many zeros as a hash has digits.
const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The last entry.
const HEAD: &str = "audit_head";
/// The last entry that was deleted because of its age.
const ANCHOR: &str = "audit_anchor";

/// Who did what, before it is chained.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    pub(super) at: Timestamp,
    pub(super) by: &'a str,
    pub(super) action: &'a str,
    pub(super) object: &'a str,
    pub(super) outcome: &'a str,
}

/// Chains an entry to the trail.
pub(super) fn append(db: &Connection, said: &Said<'_>) -> Result<()> {
    let before = head(db)?.unwrap_or_else(beginning);
    let mut entry = AuditEntry {
        seq: before.seq + 1,
        at: said.at,
        by: said.by.to_owned(),
        action: said.action.to_owned(),
        object: said.object.to_owned(),
        outcome: said.outcome.to_owned(),
        previous: before.hash,
        hash: String::new(),
    };
    entry.hash = digest(&entry);
    db.prepare_cached("INSERT INTO audit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
        .execute(params![
            entry.seq,
            entry.at.micros(),
            entry.by,
            entry.action,
            entry.object,
            entry.outcome,
            entry.previous,
            entry.hash,
        ])?;
    set_mark(db, HEAD, (entry.seq, &entry.hash))
}

/// Where the trail ends; nothing before its first entry.
pub(super) fn head(db: &Connection) -> Result<Option<AuditHead>> {
    mark(db, HEAD)
}

/// Deletes up to `limit` entries from the beginning, those older than `cutoff` or of the `excess` that are too many;
/// says how many. The anchor keeps the rest verifiable.
pub(super) fn forget(
    db: &Connection,
    cutoff: Timestamp,
    (excess, limit): (u64, u32),
) -> Result<usize> {
    // The clock may have been set back: the first entry that is young enough ends it, whatever comes after.
    let mut oldest = db.prepare_cached("SELECT seq, at, hash FROM audit ORDER BY seq LIMIT ?1")?;
    let mut rows = oldest.query([limit])?;
    let (mut gone, mut last) = (0, None);
    while let Some(row) = rows.next()?
        && (moment(row, 1)? < cutoff || gone < excess)
    {
        gone += 1;
        last = Some((row.get::<_, u64>(0)?, row.get::<_, String>(2)?));
    }
    if let Some((seq, hash)) = last {
        set_mark(db, ANCHOR, (seq, &hash))?;
        return db
            .prepare_cached("DELETE FROM audit WHERE seq <= ?1")?
            .execute([seq]);
    }
    Ok(0)
}

/// Follows the whole trail from the anchor to the head.
pub(super) fn verify(db: &Connection) -> Result<AuditCheck> {
    let mut before = mark(db, ANCHOR)?.unwrap_or_else(beginning);
    let head = head(db)?;
    let mut all = db.prepare("SELECT * FROM audit ORDER BY seq")?;
    let mut entries = 0;
    for read in all.query_map([], entry)? {
        let entry = read?;
        let seq = before.seq + 1;
        let why = if entry.seq != seq {
            "an entry is missing"
        } else if entry.previous != before.hash {
            "it does not follow from the entry before"
        } else if entry.hash != digest(&entry) {
            "it is not as it was written"
        } else {
            before = AuditHead {
                seq,
                hash: entry.hash,
            };
            entries += 1;
            continue;
        };
        return Ok(AuditCheck::Broken { seq, why });
    }
    match &head {
        Some(head) if *head == before => {}
        None if before.seq == 0 => {}
        Some(head) if head.seq > before.seq => {
            return Ok(AuditCheck::Broken {
                seq: before.seq + 1,
                why: "the trail goes on, and its end was cut off",
            });
        }
        _ => {
            return Ok(AuditCheck::Broken {
                seq: before.seq,
                why: "the trail does not end with this entry",
            });
        }
    }
    Ok(AuditCheck::Whole { entries, head })
}

/// Reads an entry from a row of the whole table.
pub(super) fn entry(row: &Row<'_>) -> Result<AuditEntry> {
    Ok(AuditEntry {
        seq: row.get(0)?,
        at: moment(row, 1)?,
        by: row.get(2)?,
        action: row.get(3)?,
        object: row.get(4)?,
        outcome: row.get(5)?,
        previous: row.get(6)?,
        hash: row.get(7)?,
    })
}

/// The hash of an entry: over its number, its time and its texts with their lengths, so that no two entries give the
/// same bytes.
fn digest(entry: &AuditEntry) -> String {
    let mut hash = Sha256::new()
        .chain_update(entry.seq.to_be_bytes())
        .chain_update(entry.at.micros().to_be_bytes());
    let texts = [
        &entry.by,
        &entry.action,
        &entry.object,
        &entry.outcome,
        &entry.previous,
    ];
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hex(&hash.finalize())
}

fn beginning() -> AuditHead {
    AuditHead {
        seq: 0,
        hash: ZEROS.to_owned(),
    }
}

fn mark(db: &Connection, name: &str) -> Result<Option<AuditHead>> {
    let written: Option<String> = db
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(written.and_then(|written| {
        let (seq, hash) = written.split_once(' ')?;
        Some(AuditHead {
            seq: seq.parse().ok()?,
            hash: hash.to_owned(),
        })
    }))
}

fn set_mark(db: &Connection, name: &str, (seq, hash): (u64, &str)) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")?
        .execute(params![name, format!("{seq} {hash}")])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::file::scratch;
    use super::*;

    fn trail(entries: u64) -> Connection {
        let db = scratch();
        (1..=entries).for_each(|number| add(&db, number));
        db
    }

    fn add(db: &Connection, number: u64) {
        let said = Said {
            at: Timestamp::from_micros(number as i64 * 1_000),
            by: "root (uid 0)",
            action: "blocks add",
            object: &format!("192.0.2.{number}"),
            outcome: "blocked",
        };
        append(db, &said).unwrap();
    }

    fn broken_at(db: &Connection) -> u64 {
        match verify(db).unwrap() {
            AuditCheck::Broken { seq, .. } => seq,
            whole => panic!("{whole:?}"),
        }
    }

    fn entries(db: &Connection) -> u64 {
        match verify(db).unwrap() {
            AuditCheck::Whole { entries, .. } => entries,
            broken => panic!("{broken:?}"),
        }
    }

    #[test]
    fn an_untouched_trail_is_whole_and_every_touched_column_shows() {
        assert_eq!(entries(&trail(0)), 0);
        assert_eq!(entries(&trail(5)), 5);
        for change in [
            "at = at + 1",
            "by = 'nobody'",
            "action = 'blocks remove'",
            "object = '192.0.2.99'",
            "outcome = ''",
            "by = by || action, action = ''",
            "previous = hash",
            "hash = previous",
        ] {
            let db = trail(5);
            db.execute(&format!("UPDATE audit SET {change} WHERE seq = 3"), [])
                .unwrap();
            assert_eq!(broken_at(&db), 3, "{change}");
        }
    }

    #[test]
    fn a_missing_entry_shows_at_the_beginning_in_the_middle_and_at_the_end() {
        for gone in 1..=5 {
            let db = trail(5);
            db.execute("DELETE FROM audit WHERE seq = ?1", [gone])
                .unwrap();
            assert_eq!(broken_at(&db), gone);
        }
        let db = trail(5);
        db.execute("DELETE FROM audit", []).unwrap();
        assert_eq!(broken_at(&db), 1);
    }

    #[test]
    fn an_entry_changed_with_its_hash_shows_at_the_next() {
        let db = trail(5);
        let sql = "SELECT * FROM audit WHERE seq = 3";
        let mut forged = db.query_row(sql, [], entry).unwrap();
        forged.outcome = "refused".to_owned();
        let sql = "UPDATE audit SET outcome = ?1, hash = ?2 WHERE seq = 3";
        db.execute(sql, params![forged.outcome, digest(&forged)])
            .unwrap();
        assert_eq!(broken_at(&db), 4);
    }

    #[test]
    fn what_age_and_number_leave_can_still_be_verified() {
        let db = trail(100);
        assert_eq!(
            forget(&db, Timestamp::from_micros(10_500), (0, 200)).unwrap(),
            10
        );
        assert_eq!(entries(&db), 90);
        assert_eq!(
            forget(&db, Timestamp::from_micros(0), (50, 20)).unwrap(),
            20
        );
        assert_eq!(entries(&db), 70);
        add(&db, 101);
        assert_eq!(entries(&db), 71);
        db.execute("DELETE FROM audit WHERE seq = 31", []).unwrap();
        assert_eq!(broken_at(&db), 31);

        let db = trail(3);
        assert_eq!(
            forget(&db, Timestamp::from_micros(i64::MAX), (0, 200)).unwrap(),
            3
        );
        assert_eq!(entries(&db), 0);
        add(&db, 4);
        assert_eq!((entries(&db), head(&db).unwrap().unwrap().seq), (1, 4));
    }
}
