//! The figures of each minute, through the outbox like everything else, and the digest of the block list.
//! It goes on while the broker is away, and counts nothing itself.

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::blocklist::BlocklistHandle;
use crate::clock;
use crate::condition::Conditions;
use crate::store::{AuditHead, Entry, Health, Message, OutboxExtent, Store, StoreError};
use contract::digest::Digest;
use contract::telemetry::{AuditFigures, Figures, OutboxFigures, StoreFigures, Telemetry};
use contract::topics::Topic;
use contract::topics::Topics;

/// The least severe: the first to go when the outbox is full.
const SEVERITY: u8 = 1;

/// What it works with.
pub(super) struct TelemetryTask {
    pub(super) topics: Topics,
    pub(super) store: Store,
    pub(super) blocklist: BlocklistHandle,
    pub(super) conditions: Conditions,
    pub(super) figures: Box<dyn Fn() -> Figures + Send + Sync>,
    pub(super) every: std::time::Duration,
    /// Where the digest is told to who keeps the status.
    pub(super) digest: watch::Sender<Option<Digest>>,
}

impl TelemetryTask {
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
        let blocks = self.blocklist.blocks().await.ok();
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
            outbox: outbox_figures(&outbox),
            store: store_figures(self.store.health()),
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

fn outbox_figures(extent: &OutboxExtent) -> OutboxFigures {
    OutboxFigures {
        pending: extent.pending,
        sent: extent.sent,
        bytes: extent.bytes,
        first: extent.first,
        last: extent.last,
    }
}

fn store_figures(health: Health) -> StoreFigures {
    let lost = health.lost.iter();
    StoreFigures {
        waiting: health.waiting as u64,
        lost: lost
            .map(|(kind, count)| (kind.as_str().to_owned(), *count))
            .collect(),
        bytes: health.file_bytes,
    }
}
