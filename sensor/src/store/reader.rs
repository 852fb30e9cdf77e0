//! Questions to the file, each on a connection of its own that can only read: nobody who asks holds up the writer.
//! Its calls wait for the disk, so asynchronous code asks through `spawn_blocking`.

use std::path::{Path, PathBuf};

use ipnet::IpNet;
use rusqlite::{Connection, Row, ToSql, params};

use super::column::{Text, Word, ends, moment, unpacked};
use super::error::StoreError;
use super::file::open_to_read;
use super::recovery::{self, ALLOWANCE, BLOCK, REVIEW};
use super::rows::{
    AuditCheck, AuditHead, Dropped, IncidentQuery, Labelled, OutboxExtent, Page, PastBlock, Posted,
    Released, StoredIncident,
};
use super::{Message, audit, outbox};
use contract::address::is_host;
use contract::class::Class;
use contract::record::{Allowance, AuditEntry, Review, ReviewState};
use contract::timestamp::Timestamp;
use contract::topics::Topic;

/// A connection that reads. Open one for a question or a few and let it go, so that it follows when the file is replaced.
#[derive(Debug)]
pub struct Reader {
    db: Connection,
    path: PathBuf,
}

const INCIDENT: &str = "incident.id, revision.revision, stage, class, decision, severity, address, begun, decided, document, \
     features, feature_list";

const POSTED: &str = "SELECT seq, topic, severity, id, kind, at, body, sent FROM outbox";

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            db: open_to_read(path)?,
            path: path.to_owned(),
        })
    }

    /// Incidents as they were last known, the latest change first.
    pub fn incidents(
        &self,
        query: &IncidentQuery,
        page: Page,
    ) -> Result<Vec<StoredIncident>, StoreError> {
        let sql = format!(
            "SELECT {INCIDENT} FROM incident
             JOIN revision ON revision.incident = incident.id AND revision.revision = incident.revision
             WHERE (?1 IS NULL OR updated >= ?1) AND (?2 IS NULL OR address = ?2) AND (?7 IS NULL OR inside(address, ?7)) AND (?3 IS NULL OR class = ?3)
             AND (?4 IS NULL OR updated < ?4)
             ORDER BY updated DESC, incident.id LIMIT ?5 OFFSET ?6"
        );
        // An address has an index, a wider network is looked for row by row.
        let host = query.net.filter(is_host).map(|net| Text(net.addr()));
        let wider = query.net.filter(|net| !is_host(net)).map(Text);
        let class = query.class.map(Class::as_str);
        let bound = params![
            query.since.map(Timestamp::micros),
            host,
            class,
            query.before.map(Timestamp::micros),
            page.limit,
            page.skip,
            wider
        ];
        self.all("incidents", (&sql, bound), incident)
    }

    /// Every revision of one incident, the first one first; none where it is not known.
    pub fn incident(&self, id: &str) -> Result<Vec<StoredIncident>, StoreError> {
        let sql = format!(
            "SELECT {INCIDENT} FROM incident JOIN revision ON revision.incident = incident.id
             WHERE incident.id = ?1 ORDER BY revision.revision"
        );
        self.all("an incident", (&sql, params![id]), incident)
    }

    /// Blocks of a network, of any inside it and of any around it, ended ones included, the latest first.
    pub fn blocks(&self, net: IpNet, page: Page) -> Result<Vec<PastBlock>, StoreError> {
        let sql = format!(
            "SELECT {BLOCK}, released, released_by, released_reason FROM block
             WHERE low <= ?2 AND high >= ?1 ORDER BY begun DESC, id DESC LIMIT ?3 OFFSET ?4"
        );
        let (low, high) = ends(net);
        self.all(
            "blocks",
            (&sql, params![low, high, page.limit, page.skip]),
            past_block,
        )
    }

    /// Reviews, of one state or of all, the latest first.
    pub fn reviews(
        &self,
        state: Option<ReviewState>,
        page: Page,
    ) -> Result<Vec<Review>, StoreError> {
        let sql = format!(
            "SELECT {REVIEW} FROM review WHERE ?1 IS NULL OR state = ?1 ORDER BY asked DESC, id LIMIT ?2 OFFSET ?3"
        );
        let bound = params![state.map(Word), page.limit, page.skip];
        self.all("reviews", (&sql, bound), recovery::review)
    }

    /// Reviews that a person has answered, beside the revision that was asked about: labels for training.
    pub fn labelled(&self, page: Page) -> Result<Vec<Labelled>, StoreError> {
        let answered = format!(
            "SELECT {REVIEW} FROM review WHERE state IN ('approved', 'dismissed')
             AND EXISTS (SELECT 1 FROM revision WHERE incident = review.id AND stage <> 'ended')
             ORDER BY asked, id LIMIT ?1 OFFSET ?2"
        );
        let bound = params![page.limit, page.skip];
        let reviews = self.all("reviews", (&answered, bound), recovery::review)?;
        let sql = format!(
            "SELECT {INCIDENT} FROM incident JOIN revision ON revision.incident = incident.id
             WHERE incident.id = ?1 AND stage <> 'ended'
             ORDER BY decision = 'review' DESC, revision.revision DESC LIMIT 1"
        );
        let mut labelled = Vec::new();
        for review in reviews {
            let asked = self.all("an incident", (&sql, params![review.id]), incident)?;
            labelled.extend(asked.into_iter().map(|incident| Labelled {
                review: review.clone(),
                incident,
            }));
        }
        Ok(labelled)
    }

    /// Allowances that stand at `now`, by network.
    pub fn allowances(&self, now: Timestamp, page: Page) -> Result<Vec<Allowance>, StoreError> {
        let sql = format!(
            "SELECT {ALLOWANCE} FROM allowance WHERE ended IS NULL AND (expires IS NULL OR expires > ?1)
             ORDER BY net LIMIT ?2 OFFSET ?3"
        );
        let bound = params![now.micros(), page.limit, page.skip];
        self.all("allowances", (&sql, bound), recovery::allowance)
    }

    /// Entries of the audit trail from number `from` on.
    pub fn audit(&self, from: u64, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let sql = "SELECT * FROM audit WHERE seq >= ?1 ORDER BY seq LIMIT ?2";
        self.all(
            "the audit trail",
            (sql, params![number(from), limit]),
            audit::entry,
        )
    }

    /// Where the audit trail ends; nothing before its first entry.
    pub fn audit_head(&self) -> Result<Option<AuditHead>, StoreError> {
        audit::head(&self.db).map_err(self.unread("the audit trail"))
    }

    /// Follows the audit trail from its beginning to its end.
    pub fn verify_audit(&self) -> Result<AuditCheck, StoreError> {
        // One transaction, so that the end is that of the entries that are followed.
        let snapshot = self.db.unchecked_transaction();
        snapshot
            .and_then(|snapshot| audit::verify(&snapshot))
            .map_err(self.unread("the audit trail"))
    }

    /// Whether the audit trail holds a head that was once published: if not, it was rewritten, or the entry is too old.
    pub fn audit_has(&self, head: &AuditHead) -> Result<bool, StoreError> {
        let entries = self.audit(head.seq, 1)?;
        Ok(entries
            .first()
            .is_some_and(|entry| entry.seq == head.seq && entry.hash == head.hash))
    }

    /// Messages after number `after` that the broker has not taken, in order.
    pub fn outbox(&self, after: u64, limit: u32) -> Result<Vec<Posted>, StoreError> {
        let sql = format!("{POSTED} WHERE sent = 0 AND seq > ?1 ORDER BY seq LIMIT ?2");
        self.all("the outbox", (&sql, params![number(after), limit]), posted)
    }

    /// Messages from number `from` on, whether they were sent or not, in order.
    pub fn messages_from(&self, from: u64, limit: u32) -> Result<Vec<Posted>, StoreError> {
        let sql = format!("{POSTED} WHERE seq >= ?1 ORDER BY seq LIMIT ?2");
        self.all("the outbox", (&sql, params![number(from), limit]), posted)
    }

    /// What the outbox holds.
    pub fn outbox_extent(&self) -> Result<OutboxExtent, StoreError> {
        outbox::extent(&self.db).map_err(self.unread("the outbox"))
    }

    /// Messages that were dropped and of which subscribers have not been told, at most `limit` ranges, in order.
    pub fn dropped_ranges(&self, limit: u32) -> Result<Vec<Dropped>, StoreError> {
        let sql = "SELECT first, last FROM dropped WHERE told = 0 ORDER BY first LIMIT ?1";
        self.all("the outbox", (sql, params![limit]), dropped)
    }

    /// Messages from number `from` on that were dropped, told of or not, at most `limit` ranges, in order.
    pub fn dropped_from(&self, from: u64, limit: u32) -> Result<Vec<Dropped>, StoreError> {
        let sql = "SELECT first, last FROM dropped WHERE last >= ?1 ORDER BY first LIMIT ?2";
        self.all("the outbox", (sql, params![number(from), limit]), dropped)
    }

    fn all<T>(
        &self,
        what: &'static str,
        (sql, bound): (&str, &[&dyn ToSql]),
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = || {
            let mut statement = self.db.prepare_cached(sql)?;
            statement.query_map(bound, read)?.collect::<Result<_, _>>()
        };
        rows().map_err(self.unread(what))
    }

    fn unread(&self, what: &'static str) -> impl FnOnce(rusqlite::Error) -> StoreError {
        let path = self.path.clone();
        move |source| StoreError::Read { what, path, source }
    }
}

/// A number that whoever asks may have made up, as one that a column can hold.
fn number(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn incident(row: &Row<'_>) -> rusqlite::Result<StoredIncident> {
    Ok(StoredIncident {
        id: row.get(0)?,
        revision: row.get(1)?,
        stage: row.get(2)?,
        class: row.get::<_, Text<_>>(3)?.0,
        decision: row.get(4)?,
        severity: row.get(5)?,
        address: row.get::<_, Text<_>>(6)?.0,
        begun: moment(row, 7)?,
        updated: moment(row, 8)?,
        document: row.get(9)?,
        features: unpacked(row.get_ref(10)?.as_blob()?),
        feature_list: row.get(11)?,
    })
}

fn past_block(row: &Row<'_>) -> rusqlite::Result<PastBlock> {
    let at: Option<i64> = row.get("released")?;
    let released = |at| -> rusqlite::Result<Released> {
        Ok(Released {
            at: Timestamp::from_micros(at),
            by: row.get("released_by")?,
            reason: row.get("released_reason")?,
        })
    };
    Ok(PastBlock {
        block: recovery::block(row)?,
        released: at.map(released).transpose()?,
    })
}

fn posted(row: &Row<'_>) -> rusqlite::Result<Posted> {
    Ok(Posted {
        seq: row.get(0)?,
        message: Message {
            topic: row.get::<_, Text<Topic>>(1)?.0,
            severity: row.get(2)?,
            id: row.get(3)?,
            kind: row.get(4)?,
            at: moment(row, 5)?,
            body: row.get(6)?,
        },
        sent: row.get(7)?,
    })
}

fn dropped(row: &Row<'_>) -> rusqlite::Result<Dropped> {
    Ok(Dropped {
        first: row.get(0)?,
        last: row.get(1)?,
    })
}
