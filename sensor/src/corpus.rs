//! Labelled captures on disk, metered into labelled rows.
//! It sees what the engine would see and adds nothing but the labels.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use ebpf::snapshot::Snapshot;

use crate::capture::file::File;
use crate::capture::{CaptureError, Frame, Source, Timestamp};
use crate::dataplane::DataPlane;
use crate::evidence::Grounds;
use crate::features::{self, Features, features};
use crate::learn::labels::{CaptureLabels, Labels};
use crate::learn::{Capture, Dataset, Progress, Sample, Watch};
use crate::replay::Setup;

/// One snapshot of a labelled capture.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its label.
    pub sample: Sample,
    /// The initiator charged with it.
    pub address: IpAddr,
    /// What a model sees of it.
    pub features: Features,
}

/// Meters one capture into rows; a capture cut in the middle gives what came before the cut.
///
/// Its clock is slowed by `pace`: an attacker in no hurry does the same, only later.
///
/// # Errors
/// When the capture cannot be opened.
pub fn rows(labels: &CaptureLabels, setup: &Setup, pace: u32) -> Result<Vec<Row>, CaptureError> {
    let mut file = File::open(&labels.path)?;
    let mut first = None;
    let mut plane = DataPlane::new(setup.caps, setup.limits);
    let mut rows = Rows {
        labels,
        setup,
        addresses: BTreeMap::new(),
        rows: Vec::new(),
    };
    let mut snapshots = Vec::new();
    loop {
        match file.next_frame() {
            Ok(Some(frame)) => {
                let begin = *first.get_or_insert(frame.time.nanoseconds());
                let since = frame.time.nanoseconds().saturating_sub(begin);
                let slowed = begin.saturating_add(since.saturating_mul(i64::from(pace)));
                plane.take(
                    &Frame {
                        time: Timestamp::from_nanoseconds(slowed),
                        ..frame
                    },
                    &mut snapshots,
                );
                snapshots
                    .drain(..)
                    .for_each(|snapshot| rows.push(&snapshot));
            }
            Ok(None) | Err(CaptureError::Truncated { .. } | CaptureError::Damaged { .. }) => break,
            Err(error) => return Err(error),
        }
    }
    plane.finish(&mut snapshots);
    snapshots
        .drain(..)
        .for_each(|snapshot| rows.push(&snapshot));
    Ok(rows.rows)
}

/// Meters every capture of `labels` into one dataset, on as many threads as the machine has.
///
/// # Errors
/// The first capture, in the order of the labels, that cannot be opened.
pub fn dataset(
    labels: &[Labels],
    setup: &Setup,
    watch: &Watch<'_>,
) -> Result<Dataset, CaptureError> {
    let captures: Vec<&CaptureLabels> = labels.iter().flat_map(Labels::captures).collect();
    let metered = parallel(&captures, watch, |capture| rows(capture, setup, 1));
    let mut dataset = Dataset::new(features::COUNT);
    for (capture, rows) in captures.iter().zip(metered) {
        let number = dataset.add_capture(Capture {
            name: capture.name.clone(),
            source: capture.source.clone(),
            split: capture.split.clone(),
        });
        for row in rows? {
            dataset.push(
                Sample {
                    capture: number,
                    ..row.sample
                },
                &row.features,
            );
        }
    }
    Ok(dataset)
}

/// Does `work` on every item, on as many threads as the machine has, and returns the results in the items' order.
pub fn parallel<T: Sync, R: Send>(
    items: &[T],
    watch: &Watch<'_>,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(items.len().max(1));
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let worker = || {
        let mut results = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else {
                return results;
            };
            results.push((at, work(item)));
            watch(Progress {
                done: done.fetch_add(1, Ordering::Relaxed) + 1,
                total: items.len(),
            });
        }
    };
    let mut results: Vec<(usize, R)> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        handles
            .into_iter()
            .filter_map(|handle| handle.join().ok())
            .flatten()
            .collect()
    });
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

struct Rows<'a> {
    labels: &'a CaptureLabels,
    setup: &'a Setup,
    addresses: BTreeMap<IpAddr, u32>,
    rows: Vec<Row>,
}

impl Rows<'_> {
    fn push(&mut self, snapshot: &Snapshot) {
        let [(initiator, _), (responder, _)] = snapshot.charged();
        let (address, other) = (IpAddr::from(initiator), IpAddr::from(responder));
        let next = self.addresses.len() as u32;
        let number = *self.addresses.entry(address).or_insert(next);
        let sample = Sample {
            capture: 0,
            address: number,
            time: snapshot.time,
            class: self.labels.class_of(address, other),
            attacker: self.labels.is_attacker(address),
            active: !Grounds::of(snapshot, &self.setup.auth_ports).is_empty(),
        };
        self.rows.push(Row {
            sample,
            address,
            features: features(snapshot),
        });
    }
}
