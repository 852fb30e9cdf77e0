//! What is known again after a restart, read from the file; of a damaged file, whatever of it can still be read.
//! It never changes the file it reads.

use rusqlite::{Connection, Result, Row, ToSql};

use super::column::{Text, Word, conversion, moment, moment_if_any};
use super::entry::LastRevision;
use super::error::is_of_the_entry;
use super::rows::{Offences, Recovered};
use super::{audit, write};
use contract::record::{Allowance, Answered, Block, Review, ReviewState, Service};
use contract::timestamp::Timestamp;

/// Open incidents that are taken up at one start, some 3 kB each; no more are open at once by default.
const MAX_OPEN: u32 = 4_096;
/// The columns of a block, in the order in which `block` reads them.
pub(super) const BLOCK: &str = "target, state, origin, by, reason, class, incident, offence, begun, expires, confirm_by, forced, scope, service";
/// The columns of an allowance.
pub(super) const ALLOWANCE: &str = "net, by, reason, since, expires";
/// The columns of a review.
pub(super) const REVIEW: &str =
    "id, address, class, cause, message, asked, lapses, state, answered, answered_by";

impl Recovered {
    /// Everything that stands at `now`, and the first thing that kept something from being read.
    pub(super) fn read(db: &Connection, now: Timestamp) -> (Self, Option<rusqlite::Error>) {
        let mut recovered = Self::default();
        let mut wrong = None;
        let mut note = |result: Result<()>| {
            if let Err(error) = result {
                wrong.get_or_insert(error);
            }
        };
        let standing = format!(
            "SELECT {BLOCK} FROM block WHERE released IS NULL AND (expires IS NULL OR expires > ?1)"
        );
        note(collect(db, (&standing, &[&now.micros()]), block, |block| {
            recovered.blocks.push(block)
        }));
        let offences = "SELECT address, offences, served FROM offender ORDER BY served";
        note(collect(db, (offences, &[]), offender, |offender| {
            recovered.offences.push(offender)
        }));
        let allowed = format!(
            "SELECT {ALLOWANCE} FROM allowance WHERE ended IS NULL AND (expires IS NULL OR expires > ?1)"
        );
        note(collect(
            db,
            (&allowed, &[&now.micros()]),
            allowance,
            |allowance| {
                recovered.allowances.push(allowance);
            },
        ));
        let open = format!("SELECT {REVIEW} FROM review WHERE state = ?1 ORDER BY asked");
        note(collect(
            db,
            (&open, &[&Word(ReviewState::Open)]),
            review,
            |review| {
                recovered.reviews.push(review);
            },
        ));
        let unended = "SELECT id, incident.revision + 1, severity, decided,
                 json_set(document, '$.garita.revision', incident.revision + 1)
             FROM incident JOIN revision ON revision.incident = id AND revision.revision = incident.revision
             WHERE stage <> 'ended' ORDER BY updated LIMIT ?1";
        note(collect(
            db,
            (unended, &[&MAX_OPEN]),
            last_revision,
            |last| {
                recovered.open.push(last);
            },
        ));
        let settings = "SELECT key, value FROM setting";
        note(collect(
            db,
            (settings, &[]),
            |row| Ok((row.get(0)?, row.get(1)?)),
            |(key, value)| {
                recovered.settings.insert(key, value);
            },
        ));
        note(audit::head(db).map(|head| recovered.audit_head = head));
        (recovered, wrong)
    }

    /// Writes all of it into a new file; the audit trail begins anew there.
    pub(super) fn write(&self, db: &Connection) -> Result<()> {
        self.blocks
            .iter()
            .try_for_each(|block| write::block(db, block))?;
        self.offences
            .iter()
            .try_for_each(|offences| write::offences(db, offences))?;
        self.allowances
            .iter()
            .try_for_each(|allowance| write::allowance(db, allowance))?;
        self.reviews
            .iter()
            .try_for_each(|review| write::review(db, review))?;
        self.settings
            .iter()
            .try_for_each(|(key, value)| write::setting(db, key, value))
    }
}

fn last_revision(row: &Row<'_>) -> Result<LastRevision> {
    Ok(LastRevision {
        id: row.get(0)?,
        number: row.get(1)?,
        severity: row.get(2)?,
        at: moment(row, 3)?,
        document: row.get(4)?,
    })
}

/// Reads row by row, so that those before a damaged page count. A row that makes no sense is passed over.
fn collect<T>(
    db: &Connection,
    (sql, bound): (&str, &[&dyn ToSql]),
    read: fn(&Row<'_>) -> Result<T>,
    mut keep: impl FnMut(T),
) -> Result<()> {
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query(bound)?;
    while let Some(row) = rows.next()? {
        match read(row) {
            Ok(value) => keep(value),
            Err(error) if is_of_the_entry(&error) => {
                tracing::warn!("a row of the store cannot be read and is skipped: {error}");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads the columns of [`BLOCK`].
pub(super) fn block(row: &Row<'_>) -> Result<Block> {
    Ok(Block {
        target: row.get::<_, Text<_>>(0)?.0,
        state: row.get::<_, Word<_>>(1)?.0,
        origin: row.get::<_, Word<_>>(2)?.0,
        by: row.get(3)?,
        reason: row.get(4)?,
        class: row.get::<_, Option<Word<_>>>(5)?.map(|class| class.0),
        incident: row.get(6)?,
        offence: row.get(7)?,
        begun: moment(row, 8)?,
        expires: moment_if_any(row, 9)?,
        confirm_by: moment_if_any(row, 10)?,
        forced: row.get(11)?,
        scope: row.get::<_, Word<_>>(12)?.0,
        service: service(row)?,
        quiet: false,
    })
}

/// The service of a block; one that cannot be read makes no sense, and is not taken for all.
fn service(row: &Row<'_>) -> Result<Option<Service>> {
    let text: String = row.get(13)?;
    match text.is_empty() {
        true => Ok(None),
        false => serde_json::from_str(&text).map(Some).map_err(conversion),
    }
}

/// Reads the columns of [`ALLOWANCE`].
pub(super) fn allowance(row: &Row<'_>) -> Result<Allowance> {
    Ok(Allowance {
        net: row.get::<_, Text<_>>(0)?.0,
        by: row.get(1)?,
        reason: row.get(2)?,
        since: moment(row, 3)?,
        expires: moment_if_any(row, 4)?,
    })
}

/// Reads the columns of [`REVIEW`].
pub(super) fn review(row: &Row<'_>) -> Result<Review> {
    let at: Option<Timestamp> = moment_if_any(row, 8)?;
    let by: Option<String> = row.get(9)?;
    Ok(Review {
        id: row.get(0)?,
        address: row.get::<_, Text<_>>(1)?.0,
        class: row.get::<_, Word<_>>(2)?.0,
        cause: row.get(3)?,
        message: row.get(4)?,
        asked: moment(row, 5)?,
        lapses: moment(row, 6)?,
        state: row.get::<_, Word<_>>(7)?.0,
        answered: at.zip(by).map(|(at, by)| Answered { by, at }),
    })
}

fn offender(row: &Row<'_>) -> Result<Offences> {
    Ok(Offences {
        address: row.get::<_, Text<_>>(0)?.0,
        count: row.get(1)?,
        served: moment(row, 2)?,
    })
}
