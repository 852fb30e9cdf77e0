//! What others count or know, told in their own numbers when Prometheus asks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::firewall::Counter;
use crate::pipeline::Figures;
use contract::condition::Name;

/// How the parts of the sensor do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SensorState {
    /// How often each condition stands, by its name.
    pub conditions: BTreeMap<String, u64>,
    /// Whether the broker is connected; nothing where nobody is reported to.
    pub connected: Option<bool>,
    /// Whether records reach the disk.
    pub store_failing: bool,
    /// Records that wait to be written.
    pub store_waiting: u64,
    /// Records that were lost.
    pub store_lost: u64,
    /// Bytes of the store's file.
    pub store_bytes: u64,
}

/// What is told.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) figures: Figures,
    pub(super) state: SensorState,
    pub(super) dropped: Vec<Counter>,
}

/// Tells it.
#[derive(Debug)]
pub(super) struct Seen(pub(super) Arc<Mutex<Counted>>);

impl Collector for Seen {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pipeline(&mut encoder, &counted.figures)?;
        parts(&mut encoder, &counted.state)?;
        let rules = || counted.dropped.iter();
        let packets = rules().map(|rule| (rule.name.as_str(), rule.packets));
        let words = "Packets of blocked addresses that a rule of the table has dropped";
        counters(&mut encoder, ("dropped_packets", words, "rule"), packets)?;
        let bytes = rules().map(|rule| (rule.name.as_str(), rule.bytes));
        let words = "Bytes of these packets";
        counters(&mut encoder, ("dropped_bytes", words, "rule"), bytes)
    }
}

fn pipeline(encoder: &mut DescriptorEncoder<'_>, figures: &Figures) -> fmt::Result {
    let tap = &figures.tap;
    let packets = tap
        .interfaces
        .iter()
        .map(|interface| (interface.name.as_str(), interface.packets));
    counters(encoder, ("packets", "Packets seen", "interface"), packets)?;
    let losses = tap.losses.iter().copied();
    let words = "Frames, packets and snapshots that could not be counted as they should";
    counters(encoder, ("capture_drops", words, "cause"), losses)?;
    counter(encoder, ("snapshots", "Snapshots taken"), figures.snapshots)?;
    let tables = || tap.tables.iter();
    let evictions = tables().map(|table| (table.table, table.evictions));
    let words = "Entries evicted for want of room";
    let suspects = ("suspects", figures.suspects_dropped);
    counters(
        encoder,
        ("evictions", words, "table"),
        evictions.chain([suspects]),
    )?;
    let entries = tables().map(|table| (table.table, table.entries as u64));
    let suspects = ("suspects", figures.suspects as u64);
    let words = "Entries in a table";
    gauges(
        encoder,
        ("table_entries", words, "table"),
        entries.chain([suspects]),
    )
}

fn parts(encoder: &mut DescriptorEncoder<'_>, state: &SensorState) -> fmt::Result {
    let standing = Name::ALL.iter().map(|name| {
        let name = name.as_str();
        (
            name,
            state.conditions.get(name).copied().unwrap_or_default(),
        )
    });
    let words = "How often a condition stands: what `garita status` shows as wrong";
    gauges(encoder, ("conditions", words, "condition"), standing)?;
    if let Some(connected) = state.connected {
        let words = "Whether the broker is connected";
        gauge(encoder, ("broker_connected", words), u64::from(connected))?;
    }
    let words = "Whether records cannot be written now";
    gauge(
        encoder,
        ("store_failing", words),
        u64::from(state.store_failing),
    )?;
    let words = "Records that wait to be written";
    gauge(encoder, ("store_waiting", words), state.store_waiting)?;
    let words = "Size of the store's file";
    gauge(encoder, ("store_bytes", words), state.store_bytes)?;
    let words =
        "Records that were lost, because they did not fit while the disk could not be written";
    counter(encoder, ("store_lost", words), state.store_lost)
}

fn counter(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    count: u64,
) -> fmt::Result {
    let counter = ConstCounter::new(count);
    let metric = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
    counter.encode(metric)
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    value: u64,
) -> fmt::Result {
    let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
    let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
    gauge.encode(metric)
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

/// A family of gauges that somebody else sets.
fn gauges<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help, label): (&str, &str, &str),
    values: impl Iterator<Item = (&'a str, u64)>,
) -> fmt::Result {
    let example = ConstGauge::new(0i64);
    let mut family = encoder.encode_descriptor(name, help, None, example.metric_type())?;
    for (value, number) in values {
        let gauge = ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX));
        gauge.encode(family.encode_family(&[(label, value)])?)?;
    }
    Ok(())
}
