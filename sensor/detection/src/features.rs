//! From a snapshot to the vector a model sees: one list, used by training and by scoring.
//! No address, port number, clock time, ttl or window is a feature: those identify a network, not a behaviour.

mod list;

use ebpf::flow::Half;
use ebpf::host::{Bitmap, InitiatorSums, ResponderSums};
use ebpf::packet::protocol;
use ebpf::pair::PairStats;
use ebpf::snapshot::Snapshot;

use crate::model::Schema;
use crate::service::Service;

pub use list::{COUNT, LIST};

/// One feature: how it is named, what it means, and how it is read off a snapshot.
pub struct Feature {
    /// Its name, unique in the list.
    pub name: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// What it says, in a sentence.
    pub meaning: &'static str,
    value: fn(&View<'_>) -> f64,
}

/// The vector, in the order of [`LIST`].
pub type Features = [f32; COUNT];

/// Reads every feature off a snapshot.
pub fn features(snapshot: &Snapshot) -> Features {
    let view = View::new(snapshot);
    let mut values = [0.0; COUNT];
    for (value, feature) in values.iter_mut().zip(&LIST) {
        *value = (feature.value)(&view).round() as f32;
    }
    values
}

/// The names of all features, in order.
pub const NAMES: [&str; COUNT] = {
    let mut names = [""; COUNT];
    let mut at = 0;
    while at < COUNT {
        names[at] = LIST[at].name;
        at += 1;
    }
    names
};

/// Distinct members of a set, estimated from the `ones` bits set in a bitmap of `bits` by linear counting.
pub fn distinct(ones: u16, bits: u32) -> f64 {
    let zeros = f64::from(bits.saturating_sub(u32::from(ones)).max(1));
    (f64::from(bits) * (f64::from(bits) / zeros).ln()).round()
}

/// A snapshot with what several features share already worked out.
struct View<'a> {
    forward: &'a Half,
    backward: &'a Half,
    snapshot: &'a Snapshot,
    initiator: &'a InitiatorSums,
    responder: &'a ResponderSums,
    pair: &'a PairStats,
    service: Service,
    opened: f64,
    unanswered: f64,
    peers: f64,
    ports: f64,
    services: f64,
    habit_unanswered: f64,
    habit_peers: f64,
    received_unanswered: f64,
    initiators: f64,
}

impl<'a> View<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        let (forward, backward) = snapshot.flow.halves();
        let (initiator, responder) = (&snapshot.initiator, &snapshot.responder);
        let [_, (_, port)] = snapshot.ends();
        let set = |ones| distinct(ones, Bitmap::<8>::BITS);
        Self {
            forward,
            backward,
            snapshot,
            initiator,
            responder,
            pair: &snapshot.pair,
            service: Service::of(port, snapshot.key.protocol),
            opened: f64::from(initiator.minute.opened),
            unanswered: f64::from(
                initiator
                    .minute
                    .opened
                    .saturating_sub(initiator.minute.answered),
            ),
            peers: set(initiator.peers),
            ports: set(initiator.ports),
            services: set(initiator.services),
            habit_unanswered: f64::from(
                initiator
                    .habits
                    .opened
                    .saturating_sub(initiator.habits.answered),
            ),
            habit_peers: set(initiator.habit_peers),
            received_unanswered: f64::from(
                responder
                    .minute
                    .opened
                    .saturating_sub(responder.minute.answered),
            ),
            initiators: distinct(responder.initiators, Bitmap::<16>::BITS),
        }
    }

    fn opening(&self, index: usize) -> f64 {
        self.snapshot
            .flow
            .opening_lengths
            .get(index)
            .map_or(0.0, |&length| f64::from(length))
    }
}

fn mean(sum: u64, count: u32) -> f64 {
    if count == 0 {
        0.0
    } else {
        sum as f64 / f64::from(count)
    }
}

/// The standard deviation of `count` values with this sum and sum of squares.
fn deviation(sum: f64, squares: f64, count: u32) -> f64 {
    if count < 2 {
        return 0.0;
    }
    let mean = sum / f64::from(count);
    (squares / f64::from(count) - mean * mean).max(0.0).sqrt()
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

fn per_mille(part: f64, whole: f64) -> f64 {
    (1000.0 * ratio(part, whole)).min(1000.0)
}

fn gaps(half: &Half) -> u32 {
    half.packets.saturating_sub(1)
}

fn pair_gap_mean(pair: &PairStats) -> f64 {
    mean(
        pair.last.saturating_sub(pair.first) / 1000,
        pair.attempts.saturating_sub(1),
    )
}

/// Deviation of the gaps, of their mean; up to ten times the mean.
fn pair_gap_deviation(pair: &PairStats) -> f64 {
    let mean = pair_gap_mean(pair);
    let count = pair.attempts.saturating_sub(1);
    let deviation = deviation(mean * f64::from(count), pair.gap_squares as f64, count);
    (1000.0 * ratio(deviation, mean)).min(10_000.0)
}

fn protocol_class(number: u8) -> f64 {
    match number {
        protocol::TCP => 1.0,
        protocol::UDP => 2.0,
        protocol::ICMP | protocol::ICMPV6 => 3.0,
        _ => 0.0,
    }
}

const fn feature(
    name: &'static str,
    unit: &'static str,
    meaning: &'static str,
    value: fn(&View<'_>) -> f64,
) -> Feature {
    Feature {
        name,
        unit,
        meaning,
        value,
    }
}

/// Raised whenever a feature changes its meaning under the same name.
pub const REVISION: u32 = 1;

/// The list as a model must have been trained on it.
pub const SCHEMA: Schema<'static> = Schema {
    names: &NAMES,
    revision: REVISION,
};
