//! The audit trail: entries chained by hash, so that a change, a gap, another order and a missing end show.
//! Who may do what is not decided here.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};

use super::page::{Page, Query};
use super::sql::{Columns, Sql};
use super::{Error, Store};
use crate::moment;

/// Entries that are followed at once.
const BATCH: i64 = 1_000;

/// Who did what, before it is chained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// When.
    pub at: i64,
    /// Who.
    pub by: String,
    /// What was asked.
    pub action: String,
    /// Of what.
    pub object: String,
    /// What came of it.
    pub outcome: String,
}

/// One link of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Counts from 1 without a gap.
    pub seq: i64,
    /// What was done.
    pub said: Said,
    /// SHA-256 of the entry before, in hexadecimal; zeros before the first.
    pub previous: String,
    /// SHA-256 over `previous` and everything above, in hexadecimal.
    pub hash: String,
}

/// Whether the trail is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditCheck {
    /// It is: so many entries, and the hash it ends with.
    Whole(i64, String),
    /// It is not: from this entry on, and why.
    Broken(i64, &'static str),
}

/// Chains an entry. The mark's row is held until the transaction ends, so entries are chained one after another.
pub(super) async fn append(on: &mut Transaction<'static, Any>, said: &Said) -> Result<(), Error> {
    let act = "write the audit trail";
    let sql =
        Sql::new("UPDATE audit_mark SET seq = seq + 1 WHERE name = 'head' RETURNING seq, hash");
    let Some(head) = sql.one(act, &mut **on).await? else {
        let source = sqlx::Error::RowNotFound;
        return Err(Error { act, source });
    };
    let mut entry = AuditEntry {
        seq: head.get_number("seq")?,
        said: said.clone(),
        previous: head.get_text("hash")?,
        hash: String::new(),
    };
    entry.hash = digest(&entry);
    let mut sql =
        Sql::new("INSERT INTO audit (seq, at, actor, action, object, outcome, previous, hash)");
    sql.rows(&[&entry], |to, entry| {
        to.add(entry.seq)
            .add(entry.said.at)
            .add(entry.said.by.clone())
            .add(entry.said.action.clone())
            .add(entry.said.object.clone())
            .add(entry.said.outcome.clone())
            .add(entry.previous.clone())
            .add(entry.hash.clone());
    });
    sql.run(act, &mut **on).await?;
    let mut sql = Sql::new("UPDATE audit_mark SET hash = ");
    sql.bind(entry.hash).push(" WHERE name = 'head'");
    sql.run(act, &mut **on).await.map(drop)
}

impl Store {
    /// Writes an entry by itself.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn audit(&self, said: &Said) -> Result<(), Error> {
        let mut on = self.begin().await?;
        append(&mut on, said).await?;
        self.commit(on).await
    }

    /// The trail by page, the latest first.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list_audit(&self, page: &Page) -> Result<(Vec<Value>, Option<String>), Error> {
        let query = Query {
            columns: "*",
            table: "audit",
            order: ("seq", "hash"),
        };
        query
            .page((&self.pool, page), |_| {}, |row| {
                let entry = entry(row)?;
                Ok(json!({
                    "seq": entry.seq, "at": moment::text(entry.said.at), "by": entry.said.by,
                    "action": entry.said.action, "object": entry.said.object, "outcome": entry.said.outcome,
                    "previous": entry.previous, "hash": entry.hash,
                }))
            })
            .await
    }

    /// Follows the whole trail from where it begins to where it ends.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn verify_audit(&self) -> Result<AuditCheck, Error> {
        let (mut seq, mut hash) = self.mark("anchor").await?;
        let first = seq;
        // The end is read before the entries: one that is written meanwhile is not missing.
        let (end, end_hash) = self.mark("head").await?;
        loop {
            let mut sql = Sql::new("SELECT * FROM audit WHERE seq > ");
            sql.bind(seq).push(" ORDER BY seq LIMIT ").bind(BATCH);
            let rows = sql.all("read the audit trail", &self.pool).await?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                let entry = entry(row)?;
                let why = if entry.seq != seq + 1 {
                    "an entry is missing"
                } else if entry.previous != hash {
                    "it does not follow from the entry before"
                } else if entry.hash != digest(&entry) {
                    "it is not as it was written"
                } else {
                    (seq, hash) = (entry.seq, entry.hash);
                    if seq == end && hash != end_hash {
                        return Ok(AuditCheck::Broken(
                            seq,
                            "it is not the entry the trail ended with",
                        ));
                    }
                    continue;
                };
                return Ok(AuditCheck::Broken(seq + 1, why));
            }
        }
        if seq < end {
            return Ok(AuditCheck::Broken(
                seq + 1,
                "the trail goes on, and its end was cut off",
            ));
        }
        let mut sql = Sql::new("SELECT COUNT(*) AS number FROM audit WHERE seq <= ");
        sql.bind(first);
        let before = sql.one("read the audit trail", &self.pool).await?;
        if before.map_or(Ok(0), |row| row.get_number("number"))? > 0 {
            let why = "entries stand before its beginning";
            return Ok(AuditCheck::Broken(first, why));
        }
        Ok(match self.unanchored().await? {
            None => AuditCheck::Whole(seq - first, hash),
            Some(seq) => AuditCheck::Broken(
                seq,
                "it is not what was anchored: the trail was written anew",
            ),
        })
    }

    /// Lets go of entries older than `cutoff`; the anchor keeps the rest verifiable.
    pub(super) async fn forget_audit(&self, cutoff: i64) -> Result<u64, Error> {
        let act = "shorten the audit trail";
        let mut on = self.begin().await?;
        let mut sql = Sql::new("SELECT seq, at, hash FROM audit ORDER BY seq LIMIT ");
        sql.bind(BATCH);
        let rows = sql.all(act, &mut *on).await?;
        let mut last = None;
        for row in &rows {
            if row.get_number("at")? >= cutoff {
                break;
            }
            last = Some((row.get_number("seq")?, row.get_text("hash")?));
        }
        let Some((seq, hash)) = last else {
            return Ok(0);
        };
        let mut sql = Sql::new("UPDATE audit_mark SET seq = ");
        sql.bind(seq)
            .push(", hash = ")
            .bind(hash)
            .push(" WHERE name = 'anchor'");
        sql.run(act, &mut *on).await?;
        let mut sql = Sql::new("DELETE FROM audit WHERE seq <= ");
        sql.bind(seq);
        let gone = sql.run(act, &mut *on).await?;
        self.commit(on).await?;
        Ok(gone)
    }

    async fn mark(&self, name: &str) -> Result<(i64, String), Error> {
        let mut sql = Sql::new("SELECT seq, hash FROM audit_mark WHERE name = ");
        sql.bind(name.to_owned());
        let row = sql.one("read the audit trail", &self.pool).await?;
        match row {
            Some(row) => Ok((row.get_number("seq")?, row.get_text("hash")?)),
            None => Ok((i64::MAX, String::new())),
        }
    }
}

fn entry(row: &AnyRow) -> Result<AuditEntry, Error> {
    Ok(AuditEntry {
        seq: row.get_number("seq")?,
        said: Said {
            at: row.get_number("at")?,
            by: row.get_text("actor")?,
            action: row.get_text("action")?,
            object: row.get_text("object")?,
            outcome: row.get_text("outcome")?,
        },
        previous: row.get_text("previous")?,
        hash: row.get_text("hash")?,
    })
}

/// The hash of an entry: over its number, its time and its texts with their lengths, so that no two entries give the
/// same bytes.
fn digest(entry: &AuditEntry) -> String {
    let mut hash = Sha256::new()
        .chain_update(entry.seq.to_be_bytes())
        .chain_update(entry.said.at.to_be_bytes());
    let said = &entry.said;
    for text in [
        &said.by,
        &said.action,
        &said.object,
        &said.outcome,
        &entry.previous,
    ] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    crate::hex(&hash.finalize())
}
