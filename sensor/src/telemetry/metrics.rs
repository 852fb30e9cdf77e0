//! The metrics as they are set, and as Prometheus reads them. It must not name an address.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter as Tally;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::collect::{Counted, Seen, SensorState};
use crate::blocklist::Counts;
use crate::firewall::Counter;
use crate::pipeline::Figures;
use contract::class::Class;

/// From a packet to its element in the kernel: a millisecond is good, a second is the promise.
const BUCKETS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0];

/// What policy can conclude, as it is counted.
const DECISIONS: [&str; 4] = ["watch", "alert", "review", "block"];

/// The metrics; clones share them.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    decisions: Family<Decided, Tally>,
    blocks: Family<Blocked, Gauge>,
    detect_to_block: Histogram,
    outbox: Gauge,
    reviews: Gauge,
    enforcing: Gauge,
    counted: Arc<Mutex<Counted>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decided {
    class: &'static str,
    decision: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Blocked {
    family: &'static str,
    origin: &'static str,
}

impl Metrics {
    /// Metrics that count from nothing.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("garita");
        let decisions = Family::<Decided, Tally>::default();
        let blocks = Family::<Blocked, Gauge>::default();
        let detect_to_block = Histogram::new(BUCKETS);
        let outbox = Gauge::default();
        let reviews = Gauge::default();
        let enforcing = Gauge::default();
        let counted = Arc::new(Mutex::new(Counted::default()));
        let words = "Decisions by class and decision";
        registry.register("decisions", words, decisions.clone());
        let words = "Blocks in force by address family and origin, observed ones included";
        registry.register("blocks", words, blocks.clone());
        let words = "From the deciding packet to its element in the kernel";
        registry.register("detect_to_block_seconds", words, detect_to_block.clone());
        let words = "Messages that wait for the broker's acknowledgement";
        registry.register("outbox_messages", words, outbox.clone());
        let words = "Reviews that wait for a person";
        registry.register("reviews", words, reviews.clone());
        let words = "Whether blocked traffic is dropped now: 1, or 0 where firewall.mode or `garita enforce off` says not";
        registry.register("enforcing", words, enforcing.clone());
        registry.register_collector(Box::new(Seen(Arc::clone(&counted))));
        Self(Arc::new(Inner {
            registry,
            decisions,
            blocks,
            detect_to_block,
            outbox,
            reviews,
            enforcing,
            counted,
        }))
    }

    /// Counts a decision.
    pub fn count_decision(&self, class: Class, decision: &'static str) {
        let class = class.as_str();
        self.0
            .decisions
            .get_or_create(&Decided { class, decision })
            .inc();
    }

    /// The decisions so far, as `scan/block`.
    pub fn decisions(&self) -> BTreeMap<String, u64> {
        let classes = Class::ALL.into_iter().map(Class::as_str);
        let each = classes.flat_map(|class| DECISIONS.map(|decision| Decided { class, decision }));
        let counted = each.filter_map(|decided| {
            let count = self.0.decisions.get(&decided)?.get();
            Some((format!("{}/{}", decided.class, decided.decision), count))
        });
        counted.collect()
    }

    /// Says how many blocks there are.
    pub fn set_blocks(&self, counts: &Counts) {
        self.0.blocks.clear();
        for (&(family, origin), &count) in counts {
            let origin = origin.as_str();
            self.0
                .blocks
                .get_or_create(&Blocked { family, origin })
                .set(count);
        }
    }

    /// Takes the time from the deciding packet to its block.
    pub fn time_block(&self, took: Duration) {
        self.0.detect_to_block.observe(took.as_secs_f64());
    }

    /// Says how many messages wait for the broker.
    pub fn set_outbox(&self, messages: i64) {
        self.0.outbox.set(messages);
    }

    /// Says how many reviews wait.
    pub fn set_reviews(&self, reviews: usize) {
        self.0
            .reviews
            .set(i64::try_from(reviews).unwrap_or(i64::MAX));
    }

    /// Says whether blocked traffic is dropped.
    pub fn set_enforcing(&self, enforcing: bool) {
        self.0.enforcing.set(i64::from(enforcing));
    }

    /// Says what the pipeline has counted.
    pub fn set_figures(&self, figures: Figures) {
        self.counted().figures = figures;
    }

    /// Says how the parts do.
    pub fn set_state(&self, state: SensorState) {
        self.counted().state = state;
    }

    /// Says what each rule has dropped.
    pub fn set_dropped(&self, dropped: Vec<Counter>) {
        self.counted().dropped = dropped;
    }

    /// What each rule has dropped, as it was last told.
    pub fn dropped(&self) -> Vec<Counter> {
        self.counted().dropped.clone()
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.0
            .counted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// All of it in Prometheus's text format.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.0.registry)?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
