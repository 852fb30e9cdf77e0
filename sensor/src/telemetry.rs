//! What the sensor says of itself: the log, in the journal or on stderr, and the metrics. It must not name an address
//! in a metric, nor log per packet.

use std::collections::BTreeMap;
use std::fmt;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use log::{LevelFilter, Log, Metadata, Record};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use systemd_journal_logger::JournalLog;
use tracing_subscriber::EnvFilter;

use crate::blocklist::Counts;
use crate::pipeline::Figures;
use contract::class::Class;

/// From a packet to its element in the kernel: a millisecond is good, a second is the promise.
const BUCKETS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0];

/// What policy can conclude, as it is counted.
const DECISIONS: [&str; 4] = ["watch", "alert", "review", "block"];

/// Who may write to the log: libraries repeat what is said already, and at their own pace.
const OURS: [&str; 2] = ["sensor", "garita"];

/// The journal, for what we say ourselves.
struct Journal(JournalLog);

impl Log for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let origin = metadata.target().split("::").next();
        origin.is_some_and(|origin| OURS.contains(&origin)) && self.0.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.log(record);
        }
    }

    fn flush(&self) {
        self.0.flush();
    }
}

/// Sends the log to the journal where systemd started us, else to stderr. `RUST_LOG` chooses what is said there.
pub fn init() {
    if systemd_journal_logger::connected_to_journal()
        && let Ok(journal) = JournalLog::new()
        && log::set_boxed_logger(Box::new(Journal(journal))).is_ok()
    {
        log::set_max_level(LevelFilter::Info);
        return;
    }
    let usual = OURS.map(|name| format!("{name}=info")).join(",");
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    let stderr = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let colours = std::io::stderr().is_terminal();
    // Somebody else's logger is as good.
    let _ = stderr.with_ansi(colours).with_target(false).try_init();
}

/// The metrics; clones share them.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    decisions: Family<Decided, Counter>,
    blocks: Family<Blocked, Gauge>,
    detect_to_block: Histogram,
    outbox: Gauge,
    seen: Arc<Mutex<Figures>>,
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

/// What the pipeline has counted, told in its own numbers when somebody asks.
#[derive(Debug)]
struct Seen(Arc<Mutex<Figures>>);

impl Metrics {
    /// Metrics that count from nothing.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("garita");
        let decisions = Family::<Decided, Counter>::default();
        let blocks = Family::<Blocked, Gauge>::default();
        let detect_to_block = Histogram::new(BUCKETS);
        let outbox = Gauge::default();
        let seen = Arc::new(Mutex::new(Figures::default()));
        let words = "Decisions by class and decision";
        registry.register("decisions", words, decisions.clone());
        let words = "Blocks in force by address family and origin, observed ones included";
        registry.register("blocks", words, blocks.clone());
        let words = "From the deciding packet to its element in the kernel";
        registry.register("detect_to_block_seconds", words, detect_to_block.clone());
        let words = "Messages that wait for the broker's acknowledgement";
        registry.register("outbox_messages", words, outbox.clone());
        registry.register_collector(Box::new(Seen(Arc::clone(&seen))));
        Self(Arc::new(Inner {
            registry,
            decisions,
            blocks,
            detect_to_block,
            outbox,
            seen,
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

    /// Says what the pipeline has counted.
    pub fn set_figures(&self, figures: Figures) {
        *self.0.seen.lock().unwrap_or_else(PoisonError::into_inner) = figures;
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

impl Collector for Seen {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let figures = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let tap = &figures.tap;
        let packets = tap
            .interfaces
            .iter()
            .map(|interface| (interface.name.as_str(), interface.packets));
        counters(
            &mut encoder,
            ("packets", "Packets seen", "interface"),
            packets,
        )?;
        let losses = tap.losses.iter().copied();
        let words = "Frames, packets and snapshots that could not be counted as they should";
        counters(&mut encoder, ("capture_drops", words, "cause"), losses)?;
        let snapshots = ConstCounter::new(figures.snapshots);
        let metric = encoder.encode_descriptor(
            "snapshots",
            "Snapshots taken",
            None,
            snapshots.metric_type(),
        )?;
        snapshots.encode(metric)?;
        let evictions = tap
            .tables
            .iter()
            .map(|table| (table.table, table.evictions));
        let suspects = ("suspects", figures.suspects_dropped);
        let words = "Entries evicted for want of room";
        counters(
            &mut encoder,
            ("evictions", words, "table"),
            evictions.chain([suspects]),
        )?;
        let example = ConstGauge::new(0i64);
        let mut family = encoder.encode_descriptor(
            "table_entries",
            "Entries in a table",
            None,
            example.metric_type(),
        )?;
        let tables = tap.tables.iter().map(|table| (table.table, table.entries));
        for (table, entries) in tables.chain([("suspects", figures.suspects)]) {
            let gauge = ConstGauge::new(i64::try_from(entries).unwrap_or(i64::MAX));
            gauge.encode(family.encode_family(&[("table", table)])?)?;
        }
        Ok(())
    }
}

/// A family of counters that somebody else counts.
fn counters<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help, label): (&str, &str, &str),
    counts: impl Iterator<Item = (&'a str, u64)>,
) -> fmt::Result {
    let example = ConstCounter::new(0u64);
    let mut family = encoder.encode_descriptor(name, help, None, example.metric_type())?;
    for (value, count) in counts {
        let counter = ConstCounter::new(count);
        counter.encode(family.encode_family(&[(label, value)])?)?;
    }
    Ok(())
}
