//! What a model is worth on labelled captures: snapshots called right, addresses blocked, and how soon.
//! It judges with no exempt and no home networks, and counts the short blocks of unproven addresses as blocks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use crate::capture::file::File;
use crate::capture::{CaptureError, Source};
use crate::corpus::{self, Row};
use crate::replay::{Replay, Setup};
use contract::class::Class;
use detection::dataplane::Metered;
use detection::engine::Engine;
use detection::model::{Calibration, Model, Score};
use detection::policy::{Decision, Guard, LocalNetwork, Policy};
use detection::verdict::Verdict;
use learning::labels::CaptureLabels;
use learning::{ClassMetrics, Metrics};

/// The figures, in the form `garita evaluate --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// Snapshots of the classes the model claims, and benign ones.
    pub snapshots: Snapshots,
    /// Addresses over all captures.
    pub addresses: Addresses,
    /// Each capture.
    pub captures: Vec<Capture>,
}

/// How snapshots were called.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshots {
    /// How many.
    pub total: usize,
    /// Share called right, attack against benign.
    pub accuracy: f64,
    /// Mean F1 of the classes that occur.
    pub macro_f1: f64,
    /// Share of attacks above the score that 0.5 % of the benign snapshots exceed.
    pub recall_at_half_percent: f64,
    /// Precision, recall and support of each class that occurs.
    pub per_class: BTreeMap<Class, ClassMetrics>,
}

/// What became of addresses.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Addresses {
    /// Attackers of claimed classes.
    pub attackers: usize,
    /// Of these, blocked.
    pub attackers_blocked: usize,
    /// Other addresses.
    pub benign: usize,
    /// Of these, blocked.
    pub benign_blocked: usize,
    /// Of these, put before a person.
    pub benign_reviewed: usize,
    /// Alerts raised in vain: of another class than the capture's, or about nobody of its attack.
    pub false_alerts: usize,
}

/// What became of one capture.
#[derive(Clone, Debug, Serialize)]
pub struct Capture {
    /// Its name in the labels file.
    pub capture: String,
    /// The attack in it, or benign.
    pub class: Class,
    /// Attackers seen, of a claimed class.
    pub attackers: usize,
    /// Of these, blocked; for other classes 1 if an incident of that class was raised.
    pub blocked: usize,
    /// From an attacker's first packet to its block, the median of those blocked.
    pub seconds_to_block: Option<f64>,
    /// Packets an attacker had sent by then, the median of those blocked.
    pub packets_to_block: Option<u64>,
    /// Conversations it had begun by then: connections tried, ports probed; the median of those blocked.
    pub conversations_to_block: Option<u64>,
    /// Other addresses seen.
    pub benign: usize,
    /// Of these, blocked.
    pub benign_blocked: usize,
    /// Of these, put before a person.
    pub benign_reviewed: usize,
    /// Alerts raised in vain.
    pub false_alerts: usize,
    /// From the first packet to the last.
    pub seconds: f64,
}

/// One capture after judgement.
#[derive(Clone, Debug)]
pub struct Judged {
    figures: Capture,
    reviewed: usize,
    calls: Vec<(Class, Score)>,
}

/// Replays one capture under `model` and holds the outcome against its labels.
///
/// # Errors
/// When the capture cannot be opened; one cut in the middle is judged up to the cut.
pub fn judge(
    labels: &CaptureLabels,
    model: &Arc<Model>,
    setup: &Setup,
) -> Result<Judged, CaptureError> {
    let calls = corpus::rows(labels, setup, 1)?
        .iter()
        .filter_map(|row| call(row, model))
        .collect();
    let mut file = File::open(&labels.path)?;
    let mut replay = Replay::new(setup, engine(model, setup));
    let mut suspects = Suspects {
        labels,
        seen: BTreeMap::new(),
        span: None,
        raised: false,
        false_alerts: BTreeSet::new(),
    };
    let mut verdicts = Vec::new();
    while let Some(frame) = file.next_frame()? {
        let metered = replay.take(&frame, &mut verdicts);
        suspects.note(&metered);
        verdicts
            .drain(..)
            .for_each(|verdict| suspects.conclude_against(&verdict));
    }
    let (figures, reviewed) = suspects.figures();
    Ok(Judged {
        figures,
        reviewed,
        calls,
    })
}

/// Adds up judged captures.
pub fn sum(judged: &[Judged]) -> Evaluation {
    let calls: Vec<(Class, Score)> = judged
        .iter()
        .flat_map(|one| one.calls.iter().copied())
        .collect();
    let metrics = Metrics::of(&calls, &Calibration::UNFITTED);
    let mut addresses = Addresses::default();
    for Judged {
        figures, reviewed, ..
    } in judged
    {
        if figures.class.is_claimed() {
            addresses.attackers += figures.attackers;
            addresses.attackers_blocked += figures.blocked;
        }
        addresses.benign += figures.benign;
        addresses.benign_blocked += figures.benign_blocked;
        addresses.benign_reviewed += reviewed;
        addresses.false_alerts += figures.false_alerts;
    }
    Evaluation {
        snapshots: Snapshots {
            total: metrics.total,
            accuracy: metrics.accuracy,
            macro_f1: metrics.macro_f1,
            recall_at_half_percent: metrics.recall_at_half_percent,
            per_class: metrics.per_class,
        },
        addresses,
        captures: judged.iter().map(|one| one.figures.clone()).collect(),
    }
}

/// The score of a row that counts: benign, or of a class the model claims. Without grounds nobody is accused.
fn call(row: &Row, model: &Model) -> Option<(Class, Score)> {
    let class = row.sample.class;
    if class.is_attack() && !class.is_claimed() {
        return None;
    }
    let score = if row.sample.active {
        model.score(&row.features)
    } else {
        Score::sure(Class::Benign)
    };
    Some((class, score))
}

fn engine(model: &Arc<Model>, setup: &Setup) -> Engine {
    let settings = settings::Policy {
        exempt: Default::default(),
        ..settings::Policy::default()
    };
    let policy = Policy::new(&settings, Guard::new(&settings, LocalNetwork::default()));
    Engine::new(Arc::clone(model), policy, &setup.evidence)
}

/// What was seen of one address.
#[derive(Clone, Debug, Default)]
struct Seen {
    first: u64,
    packets: u64,
    /// Receivers, their ports and its own: what it said first in them begins a conversation.
    conversations: BTreeSet<(IpAddr, u16, u16)>,
    /// When it was blocked first, and what it had sent by then.
    blocked: Option<Block>,
    reviewed: bool,
}

/// When an address was blocked, and what it had sent by then.
#[derive(Clone, Copy, Debug)]
struct Block {
    /// Since its first packet, microseconds.
    after: u64,
    packets: u64,
    conversations: u64,
}

struct Suspects<'a> {
    labels: &'a CaptureLabels,
    seen: BTreeMap<IpAddr, Seen>,
    /// Time of the first packet and of the last.
    span: Option<(u64, u64)>,
    raised: bool,
    /// Whom alerts were raised about in vain, and of what class.
    false_alerts: BTreeSet<(IpAddr, Class)>,
}

impl Suspects<'_> {
    fn note(&mut self, metered: &Metered) {
        let Metered { time, ends, ports } = *metered;
        let Some((source, destination)) = ends else {
            return;
        };
        self.span.get_or_insert((time, time)).1 = time;
        let attacks = self.labels.is_attacker(source);
        let seen = self.seen.entry(source).or_insert(Seen {
            first: time,
            ..Seen::default()
        });
        seen.packets += 1;
        if attacks && seen.blocked.is_none() {
            seen.conversations.insert((destination, ports.1, ports.0));
        }
    }

    fn conclude_against(&mut self, verdict: &Verdict) {
        self.raised |= verdict.class == self.labels.class();
        if verdict.decision == Decision::Alert && !self.concerns(verdict) {
            let about = (verdict.subject.address(), verdict.class);
            self.false_alerts.insert(about);
        }
        let Some(seen) = self.seen.get_mut(&verdict.subject.address()) else {
            return;
        };
        match verdict.decision {
            Decision::Block(_) => {
                seen.blocked.get_or_insert(Block {
                    after: verdict.time.saturating_sub(seen.first),
                    packets: seen.packets,
                    conversations: seen.conversations.len() as u64,
                });
            }
            Decision::Review(_) => seen.reviewed = true,
            Decision::Alert | Decision::Watch => {}
        }
    }

    /// Whether a verdict is about the capture's attack.
    fn concerns(&self, verdict: &Verdict) -> bool {
        let [initiator, responder] =
            [verdict.flow.initiator, verdict.flow.responder].map(|end| end.ip());
        let attack = self.labels.class().is_attack();
        let part = self.labels.is_attacker(initiator) || self.labels.is_attacker(responder);
        attack && (part || verdict.class == self.labels.class())
    }

    fn figures(&self) -> (Capture, usize) {
        let class = self.labels.class();
        let (attackers, benign): (Vec<_>, Vec<_>) = self
            .seen
            .iter()
            .partition(|(address, _)| self.labels.is_attacker(**address));
        let blocked = attackers.iter().filter_map(|(_, seen)| seen.blocked);
        let mut blocks: Vec<Block> = blocked.collect();
        blocks.sort_unstable_by_key(|block| (block.after, block.packets));
        let median = blocks.get(blocks.len().saturating_sub(1) / 2);
        let claimed = class.is_claimed();
        let figures = Capture {
            capture: self.labels.name.clone(),
            class,
            attackers: if claimed { attackers.len() } else { 0 },
            blocked: if claimed {
                blocks.len()
            } else {
                usize::from(self.raised && class.is_attack())
            },
            seconds_to_block: median.map(|block| block.after as f64 / 1e6),
            packets_to_block: median.map(|block| block.packets),
            conversations_to_block: median.map(|block| block.conversations),
            benign: benign.len(),
            benign_blocked: benign
                .iter()
                .filter(|(_, seen)| seen.blocked.is_some())
                .count(),
            benign_reviewed: benign.iter().filter(|(_, seen)| seen.reviewed).count(),
            false_alerts: self.false_alerts.len(),
            seconds: self
                .span
                .map_or(0.0, |(first, last)| last.saturating_sub(first) as f64 / 1e6),
        };
        (
            figures,
            benign.iter().filter(|(_, seen)| seen.reviewed).count(),
        )
    }
}
