//! The figures of each minute, through the outbox like everything else, and the digest of the block list.
//! It goes on while the broker is away, and counts nothing itself.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::digest::Digest;
use super::figures::Figures;
use super::topics::Topics;
use crate::clock;
use crate::condition::Conditions;
use crate::store::{AuditHead, Entry, Health, Message, OutboxExtent, Store, StoreError, Topic};
use crate::timestamp::Timestamp;
use crate::warden::Desk;

/// The least severe: the first to go when the outbox is full.
const SEVERITY: u8 = 1;

/// The figures of a minute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Telemetry {
    /// When they were taken.
    at: Timestamp,
    /// The sensor's site.
    site: String,
    /// The sensor.
    sensor: String,
    /// What was counted since the program began.
    figures: Figures,
    /// The outbox.
    outbox: OutboxFigures,
    /// The records.
    store: StoreFigures,
    /// Where the audit trail ends: whoever keeps it can tell that nothing before was changed or cut off.
    audit: Option<AuditFigures>,
    /// Conditions that stand, by name.
    conditions: Vec<String>,
    /// The block list; nothing where the sensor was too busy to say.
    blocks: Option<Digest>,
}

/// The outbox in figures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
struct OutboxFigures {
    /// Messages the broker has not taken.
    pending: u64,
    /// Messages it has, which can be sent again.
    sent: u64,
    /// Bytes of both.
    bytes: u64,
    /// The oldest that can be sent again.
    first: Option<u64>,
    /// The last number before this message.
    last: u64,
}

/// The store in figures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
struct StoreFigures {
    /// Entries that wait to be written.
    waiting: u64,
    /// Entries that were given up, by kind.
    lost: BTreeMap<String, u64>,
    /// Size of the file, bytes.
    bytes: u64,
}

/// The end of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
struct AuditFigures {
    /// The last entry's number.
    seq: u64,
    /// Its hash, in hexadecimal.
    hash: String,
}

/// What the clerk works with.
pub(super) struct Clerk {
    pub(super) topics: Topics,
    pub(super) store: Store,
    pub(super) desk: Desk,
    pub(super) conditions: Conditions,
    pub(super) figures: Box<dyn Fn() -> Figures + Send + Sync>,
    pub(super) every: std::time::Duration,
    /// Where the digest is told to who keeps the status.
    pub(super) digest: watch::Sender<Option<Digest>>,
}

impl Clerk {
    /// Sends figures again and again, the first at once.
    pub(super) async fn serve(self) {
        let mut turns = interval(self.every);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            self.send().await;
        }
    }

    async fn send(&self) {
        let blocks = self.desk.blocks().await.ok();
        let blocks = blocks.map(|blocks| Digest::of(&blocks));
        self.digest.send_if_modified(|digest| {
            let other = blocks.is_some() && *digest != blocks;
            if other {
                digest.clone_from(&blocks);
            }
            other
        });
        let store = self.store.clone();
        let read = tokio::task::spawn_blocking(move || read(&store)).await;
        let (outbox, audit) = match read {
            Ok(Ok((extent, head))) => (extent, head),
            // The store says itself, as a condition, that it cannot be used.
            _ => (OutboxExtent::default(), None),
        };
        let at = clock::wall();
        let telemetry = Telemetry {
            at,
            site: self.topics.site().to_owned(),
            sensor: self.topics.sensor().to_owned(),
            figures: (self.figures)(),
            outbox: outbox.into(),
            store: self.store.health().into(),
            audit: audit.map(|head| AuditFigures {
                seq: head.seq,
                hash: head.hash,
            }),
            conditions: self.standing(),
            blocks,
        };
        let Ok(body) = serde_json::to_string(&telemetry) else {
            return;
        };
        self.store.record(Entry::Publish(Message {
            topic: Topic::Telemetry,
            severity: SEVERITY,
            id: format!("telemetry-{}", at.micros()),
            kind: "garita.telemetry".to_owned(),
            at,
            body,
        }));
    }

    fn standing(&self) -> Vec<String> {
        let standing = self.conditions.standing().into_iter();
        let mut names: Vec<String> = standing.map(|condition| condition.name).collect();
        names.dedup();
        names
    }
}

fn read(store: &Store) -> Result<(OutboxExtent, Option<AuditHead>), StoreError> {
    let reader = store.reader()?;
    Ok((reader.outbox_extent()?, reader.audit_head()?))
}

impl From<OutboxExtent> for OutboxFigures {
    fn from(extent: OutboxExtent) -> Self {
        Self {
            pending: extent.pending,
            sent: extent.sent,
            bytes: extent.bytes,
            first: extent.first,
            last: extent.last,
        }
    }
}

impl From<Health> for StoreFigures {
    fn from(health: Health) -> Self {
        let lost = health.lost.iter();
        Self {
            waiting: health.waiting as u64,
            lost: lost
                .map(|(kind, count)| (kind.as_str().to_owned(), *count))
                .collect(),
            bytes: health.file_bytes,
        }
    }
}
