//! Labelled captures on disk, metered into labelled rows.
//! It sees what the engine would see and adds nothing but the labels.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ebpf::snapshot::Snapshot;

use crate::capture::file::File;
use crate::capture::{CaptureError, Source};
use crate::replay::Setup;
use contract::class::Class;
use detection::dataplane::DataPlane;
use detection::evidence::Grounds;
use detection::features;
use detection::features::{Features, features};
use detection::frame::{Frame, Timestamp};
use learning::labels::{CaptureLabels, Labels};
use learning::{Capture, Dataset, Sample, Watch, parallel};

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

/// How much slower than life a training scan or brute force is metered again: an attacker in no hurry does the same,
/// only later, and few captures are long enough to show one.
const PACES: [u32; 2] = [8, 64];

/// Labelled rows, and the captures that hold no IP.
#[derive(Debug)]
pub struct Corpus {
    /// The rows of all captures that could be metered.
    pub dataset: Dataset,
    /// Why the others could not.
    pub skipped: Vec<CaptureError>,
}

/// Meters one capture into rows; a capture cut in the middle gives what came before the cut. Its clock is slowed by `pace`.
///
/// # Errors
/// When the capture cannot be opened.
pub fn rows(labels: &CaptureLabels, setup: &Setup, pace: u32) -> Result<Vec<Row>, CaptureError> {
    let mut file = File::open(&labels.path)?;
    let mut first = None;
    let mut plane = DataPlane::new(setup.caps, setup.limits);
    plane.decode_with(setup.decoder.clone());
    let mut rows = Rows {
        labels,
        setup,
        addresses: BTreeMap::new(),
        rows: Vec::new(),
    };
    let mut snapshots = Vec::new();
    while let Some(frame) = file.next_frame()? {
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
    while plane.next_silence(&mut snapshots).is_some() {}
    snapshots
        .drain(..)
        .for_each(|snapshot| rows.push(&snapshot));
    Ok(rows.rows)
}

/// Meters the captures of `labels` whose split is in `splits` into one corpus to learn from, on as many threads as the
/// machine has. Scans and brute forces are metered at several paces.
///
/// # Errors
/// The first capture, in the order of the labels, that cannot be read; one whose link type carries no IP is skipped.
pub fn corpus(
    labels: &[Labels],
    splits: &[&str],
    setup: &Setup,
    watch: &Watch<'_>,
) -> Result<Corpus, CaptureError> {
    let mut tasks = Vec::new();
    for capture in labels
        .iter()
        .flat_map(Labels::captures)
        .filter(|capture| splits.contains(&capture.split.as_str()))
    {
        tasks.push((capture, 1));
        if matches!(capture.class(), Class::Scan | Class::BruteForce) {
            tasks.extend(PACES.map(|pace| (capture, pace)));
        }
    }
    let metered = parallel(&tasks, watch, |(capture, pace)| rows(capture, setup, *pace));
    let mut corpus = Corpus {
        dataset: Dataset::new(features::COUNT),
        skipped: Vec::new(),
    };
    for ((capture, pace), rows) in tasks.iter().zip(metered) {
        let rows = match rows {
            Ok(rows) => rows,
            Err(error @ CaptureError::LinkType { .. }) => {
                corpus.skipped.push(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        let name = if *pace == 1 {
            capture.name.clone()
        } else {
            format!("{} ×{pace}", capture.name)
        };
        let (source, split) = (capture.source.clone(), capture.split.clone());
        let number = corpus.dataset.add_capture(Capture {
            name,
            source,
            split,
        });
        for row in rows {
            corpus.dataset.push(
                Sample {
                    capture: number,
                    ..row.sample
                },
                &row.features,
            );
        }
    }
    Ok(corpus)
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
            active: !Grounds::of(snapshot, &self.setup.evidence.auth_ports).is_empty(),
        };
        self.rows.push(Row {
            sample,
            address,
            features: features(snapshot),
        });
    }
}
