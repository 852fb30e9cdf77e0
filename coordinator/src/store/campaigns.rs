//! Campaigns: what was concluded from several sensors together, as documents of the same form as an incident.

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};

use super::page::{Page, Query, Scope};
use super::sql::{Columns, Sql};
use super::{Error, Store};

/// A campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignRow {
    /// Its name in the API.
    pub id: String,
    /// `offender`, `guessing`, `network` or `victim`.
    pub kind: String,
    /// What it is about: an address, a network, a service.
    pub subject: String,
    /// What is done.
    pub class: String,
    /// `open` or `closed`.
    pub state: String,
    /// The sites it was seen at.
    pub sites: Scope,
    /// When it began.
    pub first_at: i64,
    /// When it was last seen.
    pub last_at: i64,
    /// Counts changes.
    pub version: i64,
    /// The document.
    pub doc: String,
}

pub(super) async fn write(
    on: &mut Transaction<'static, Any>,
    campaigns: &[CampaignRow],
) -> Result<(), Error> {
    for campaign in campaigns {
        let mut sql = Sql::new(
            "INSERT INTO campaign (id, kind, subject, class, state, sites, first_at, last_at, version, doc)",
        );
        sql.rows(&[campaign], |to, row| {
            to.add(row.id.clone())
                .add(row.kind.clone())
                .add(row.subject.clone())
                .add(row.class.clone())
                .add(row.state.clone())
                .add(row.sites.write())
                .add(row.first_at)
                .add(row.last_at)
                .add(row.version)
                .add(row.doc.clone());
        });
        sql.push(
            " ON CONFLICT (id) DO UPDATE SET state = excluded.state, sites = excluded.sites, first_at = \
             excluded.first_at, last_at = excluded.last_at, version = excluded.version, doc = excluded.doc",
        );
        sql.run("store campaigns", &mut **on).await?;
    }
    Ok(())
}

impl Store {
    /// Campaigns that go on, for who leads.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn open_campaigns(&self) -> Result<Vec<CampaignRow>, Error> {
        let sql = Sql::new("SELECT * FROM campaign WHERE state = 'open'");
        let rows = sql.all("read campaigns", &self.pool).await?;
        rows.iter().map(campaign).collect()
    }

    /// Campaigns by page, as JSON texts. Who is limited to sites sees those that were seen at one of them.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list_campaigns(
        &self,
        scope: &Scope,
        filter: [(&'static str, Option<String>); 3],
        page: &Page,
    ) -> Result<(Vec<String>, Option<String>), Error> {
        let query = Query {
            columns: "*",
            table: "campaign",
            order: ("last_at", "id"),
        };
        let limit = |sql: &mut Sql| {
            visible(scope, sql);
            for (column, value) in filter {
                if let Some(value) = value {
                    sql.push(" AND ").push(column).push(" = ").bind(value);
                }
            }
        };
        query
            .page((&self.pool, page), limit, |row| Ok(campaign(row)?.doc))
            .await
    }

    /// A campaign.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn campaign(&self, scope: &Scope, id: &str) -> Result<Option<CampaignRow>, Error> {
        let mut sql = Sql::new("SELECT * FROM campaign WHERE id = ");
        sql.bind(id.to_owned());
        visible(scope, &mut sql);
        let row = sql.one("read a campaign", &self.pool).await?;
        row.as_ref().map(campaign).transpose()
    }
}

fn visible(scope: &Scope, sql: &mut Sql) {
    if scope.is_all() {
        return;
    }
    sql.push(" AND (1 = 0");
    for site in &scope.0 {
        sql.push(" OR ',' || sites || ',' LIKE ");
        sql.bind(format!("%,{site},%"));
    }
    sql.push(")");
}

fn campaign(row: &AnyRow) -> Result<CampaignRow, Error> {
    Ok(CampaignRow {
        id: row.get_text("id")?,
        kind: row.get_text("kind")?,
        subject: row.get_text("subject")?,
        class: row.get_text("class")?,
        state: row.get_text("state")?,
        sites: Scope::read(&row.get_text("sites")?),
        first_at: row.get_number("first_at")?,
        last_at: row.get_number("last_at")?,
        version: row.get_number("version")?,
        doc: row.get_text("doc")?,
    })
}
