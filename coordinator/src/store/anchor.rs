//! Anchors of the audit trail: which hash it had when. Whoever can write to the database can chain the trail anew; that it
//! then differs from what was anchored, here and in the journal of the machine, shows.

use super::sql::{Columns, Sql};
use super::{Error, Store};

impl Store {
    /// Anchors the trail where it has grown since the last time: the number and hash of its last entry.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn anchor_audit(&self, now: i64) -> Result<Option<(i64, String)>, Error> {
        let act = "anchor the audit trail";
        let mut on = self.begin().await?;
        let sql = Sql::new("SELECT seq, hash FROM audit_mark WHERE name = 'head' AND seq > 0");
        let Some(head) = sql.one(act, &mut *on).await? else {
            return Ok(None);
        };
        let (seq, hash) = (head.get_number("seq")?, head.get_text("hash")?);
        let mut sql = Sql::new("INSERT INTO audit_anchor (seq, at, hash)");
        sql.rows(&[()], |to, ()| {
            to.add(seq).add(now).add(hash.clone());
        });
        sql.push(" ON CONFLICT (seq) DO NOTHING");
        let anchored = sql.run(act, &mut *on).await?;
        self.commit(on).await?;
        Ok((anchored > 0).then_some((seq, hash)))
    }

    /// The first entry that is not what was anchored.
    pub(super) async fn unanchored(&self) -> Result<Option<i64>, Error> {
        let sql = Sql::new(
            "SELECT audit.seq AS seq FROM audit JOIN audit_anchor ON audit_anchor.seq = audit.seq WHERE \
             audit_anchor.hash <> audit.hash ORDER BY audit.seq LIMIT 1",
        );
        let row = sql.one("read the audit trail", &self.pool).await?;
        row.map(|row| row.get_number("seq")).transpose()
    }
}
