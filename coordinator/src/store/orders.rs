//! Orders to sensors, kept until they are answered or hold no longer.

use std::str::FromStr;

use serde_json::{Value, json};
use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};

use super::page::{Page, Query, Scope};
use super::sql::{Columns, Sql};
use super::{Error, Store};
use crate::moment;

/// An order to one sensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its name; the commands that carry it begin with it.
    pub id: String,
    /// What it belongs to: a fleet block, a review, a request.
    pub cause: String,
    /// Where.
    pub site: String,
    /// To whom.
    pub sensor: String,
    /// What, in one word.
    pub action: String,
    /// What, as the command says it.
    pub command: String,
    /// What became of it.
    pub state: OrderState,
    /// Why it was refused, in one word.
    pub reason: Option<String>,
    /// What the sensor said.
    pub message: Option<String>,
    /// Who ordered it.
    pub ordered_by: String,
    /// Why, and from what it was concluded.
    pub why: String,
    /// When it was given; one that can still be taken back is dated ahead, and leaves then.
    pub created: i64,
    /// Until when it is worth carrying out.
    pub holds_until: i64,
    /// Commands that were sent for it.
    pub attempts: i64,
    /// When the last was sent.
    pub sent_at: Option<i64>,
    /// When it was answered.
    pub answered_at: Option<i64>,
}

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderState {
    /// It waits to be sent: the sensor is away.
    Queued,
    /// It was sent.
    Sent,
    /// It was carried out.
    Done,
    /// It was refused.
    Refused,
    /// It holds no longer, and was never answered.
    Expired,
    /// The sensor is there and does not answer; it is sent again.
    Silent,
    /// What it belongs to was taken back before it was carried out.
    Withdrawn,
}

impl OrderState {
    /// The state in one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Silent => "silent",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Whether something can still become of it.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Sent | Self::Silent)
    }
}

impl FromStr for OrderState {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        let all = [
            Self::Queued,
            Self::Sent,
            Self::Done,
            Self::Refused,
            Self::Expired,
            Self::Silent,
            Self::Withdrawn,
        ];
        all.into_iter()
            .find(|state| state.as_str() == word)
            .ok_or(())
    }
}

impl Order {
    /// As the API shows it.
    pub fn shown(&self) -> Value {
        let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        json!({
            "id": self.id, "cause": self.cause, "site": self.site, "sensor": self.sensor, "action": self.action,
            "command": parse(&self.command), "state": self.state.as_str(), "reason": self.reason,
            "message": self.message, "ordered_by": self.ordered_by, "why": parse(&self.why),
            "created": moment::text(self.created), "holds_until": moment::text(self.holds_until),
            "attempts": self.attempts, "sent": self.sent_at.map(moment::text),
            "answered": self.answered_at.map(moment::text),
        })
    }
}

pub(super) async fn write(
    on: &mut Transaction<'static, Any>,
    orders: &[Order],
) -> Result<(), Error> {
    if orders.is_empty() {
        return Ok(());
    }
    let mut sql = Sql::new(
        "INSERT INTO orders (id, cause, site, sensor, action, command, state, reason, message, ordered_by, why, created, \
         holds_until, attempts, sent_at, answered_at)",
    );
    sql.rows(orders, |to, row| {
        to.add(row.id.clone())
            .add(row.cause.clone())
            .add(row.site.clone())
            .add(row.sensor.clone())
            .add(row.action.clone())
            .add(row.command.clone())
            .add(row.state.as_str().to_owned())
            .add(row.reason.clone())
            .add(row.message.clone())
            .add(row.ordered_by.clone())
            .add(row.why.clone())
            .add(row.created)
            .add(row.holds_until)
            .add(row.attempts)
            .add(row.sent_at)
            .add(row.answered_at);
    });
    sql.push(
        " ON CONFLICT (id) DO UPDATE SET command = excluded.command, state = excluded.state, reason = excluded.reason, \
         message = excluded.message, holds_until = excluded.holds_until, attempts = excluded.attempts, sent_at = \
         excluded.sent_at, answered_at = excluded.answered_at",
    );
    sql.run("store orders", &mut **on).await.map(drop)
}

impl Store {
    /// Orders that are not over.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn open_orders(&self) -> Result<Vec<Order>, Error> {
        let sql = Sql::new(
            "SELECT * FROM orders WHERE state IN ('queued', 'sent', 'silent') ORDER BY created, id",
        );
        let rows = sql.all("read orders", &self.pool).await?;
        rows.iter().map(order).collect()
    }

    /// Orders by page.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list_orders(
        &self,
        scope: &Scope,
        filter: [(&'static str, Option<String>); 4],
        page: &Page,
    ) -> Result<(Vec<Value>, Option<String>), Error> {
        let query = Query {
            columns: "*",
            table: "orders",
            order: ("created", "id"),
        };
        let limit = |sql: &mut Sql| {
            scope.limit(sql);
            for (column, value) in filter {
                if let Some(value) = value {
                    sql.push(" AND ").push(column).push(" = ").bind(value);
                }
            }
        };
        query
            .page((&self.pool, page), limit, |row| Ok(order(row)?.shown()))
            .await
    }

    /// Orders of some causes, the newest first.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn orders_of(&self, scope: &Scope, causes: &[String]) -> Result<Vec<Order>, Error> {
        let mut sql = Sql::new("SELECT * FROM orders WHERE cause");
        sql.among(causes.iter().map(String::as_str));
        scope.limit(&mut sql);
        sql.push(" ORDER BY created DESC, id DESC LIMIT 10000");
        let rows = sql.all("read orders", &self.pool).await?;
        rows.iter().map(order).collect()
    }

    /// An order.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn order(&self, scope: &Scope, id: &str) -> Result<Option<Order>, Error> {
        let mut sql = Sql::new("SELECT * FROM orders WHERE id = ");
        sql.bind(id.to_owned());
        scope.limit(&mut sql);
        let row = sql.one("read an order", &self.pool).await?;
        row.as_ref().map(order).transpose()
    }
}

fn order(row: &AnyRow) -> Result<Order, Error> {
    let state = row.get_text("state")?;
    Ok(Order {
        id: row.get_text("id")?,
        cause: row.get_text("cause")?,
        site: row.get_text("site")?,
        sensor: row.get_text("sensor")?,
        action: row.get_text("action")?,
        command: row.get_text("command")?,
        state: state.parse().unwrap_or(OrderState::Expired),
        reason: row.get_maybe("reason")?,
        message: row.get_maybe("message")?,
        ordered_by: row.get_text("ordered_by")?,
        why: row.get_text("why")?,
        created: row.get_number("created")?,
        holds_until: row.get_number("holds_until")?,
        attempts: row.get_number("attempts")?,
        sent_at: row.get_maybe_number("sent_at")?,
        answered_at: row.get_maybe_number("answered_at")?,
    })
}
