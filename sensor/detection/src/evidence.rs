//! Evidence: what has accumulated against one address, as log-odds that fade.
//! It reads no clock and decides nothing; policy draws the conclusion.

use ebpf::flow::state;
use ebpf::host::Bitmap;
use ebpf::packet::protocol;
use ebpf::snapshot::Snapshot;

use crate::features::distinct;
use crate::model::{Calibration, Score};
use crate::service::Service;
use contract::class::Class;

/// Flows in a minute below which nobody is accused: one page load opens as many.
const ACTIVE_FLOWS: u32 = 4;
/// Flows in half an hour that make a slow attacker active.
const ACTIVE_HABIT_FLOWS: u32 = 8;
/// Packets in a minute that make a single flow worth judging.
const ACTIVE_PACKETS: u32 = 1_000;
/// Distinct services a minute, or twice as many in half an hour, that look like searching.
const SEARCHED_SERVICES: f64 = 4.0;
/// Answered flows at one service within the hour that look like guessing.
const GUESSES: u32 = 5;
/// Payload of a login attempt, at least, bytes: a banner alone is less.
const WORDS: u64 = 64;
/// Flows to one service in a minute that look like a flood; a busy page or a poller makes half as many.
const FLOOD_FLOWS: u32 = 256;
/// Packets sent for each one sent back, from which on a stream of packets looks like a flood.
const FLOOD_ONE_SIDED: u32 = 4;
/// Answered flows left open that look like holding a server's connections.
const HELD_FLOWS: u32 = 8;
/// Packets with payload from a server that serves: a TLS handshake and a first page take as many.
const SERVED_PACKETS: u32 = 8;
/// A connection that is held is older than this, microseconds: one that has just been opened waits for its answer, and
/// a hundred downloads begin alike.
const HELD_FOR: u64 = 5_000_000;
/// Log-odds at which a record is as good as none.
const FORGOTTEN: f32 = 0.05;

/// The classes a snapshot gives grounds to accuse its initiator of: no accusation counts that cannot be named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grounds(u16);

impl Grounds {
    /// What `snapshot` gives grounds for; passwords can also be tried at `auth_ports`.
    pub fn of(snapshot: &Snapshot, auth_ports: &[u16]) -> Self {
        let (minute, habits) = (&snapshot.initiator.minute, &snapshot.initiator.habits);
        let active = minute.opened >= ACTIVE_FLOWS
            || habits.opened >= ACTIVE_HABIT_FLOWS
            || minute.packets_out >= ACTIVE_PACKETS;
        let [_, (responder, port)] = snapshot.charged();
        let service = Service::of(port, snapshot.key.protocol);
        // Clients cannot help how their resolver answers, and groups never answer those who stream to them.
        if !active || service == Service::Infrastructure || responder.is_group() {
            return Self::default();
        }
        let mut grounds = Self::default();
        let services = distinct(snapshot.initiator.services, Bitmap::<8>::BITS);
        let habit_services = distinct(snapshot.initiator.habit_services, Bitmap::<8>::BITS);
        // Who answers a broadcast or a forged question sends datagrams nobody asked him for, as far as we saw.
        let answers = snapshot.key.protocol == protocol::UDP && snapshot.flow.is(state::REVERSED);
        if !answers && (services >= SEARCHED_SERVICES || habit_services >= 2.0 * SEARCHED_SERVICES)
        {
            grounds.add(Class::Scan);
        }
        let tcp = snapshot.key.protocol == protocol::TCP;
        let password = service == Service::Authentication || (tcp && auth_ports.contains(&port));
        let (forward, backward) = snapshot.flow.halves();
        // Who connects and closes without a word has tried nothing.
        let tried = forward.payload > 0
            || snapshot.pair.payload_sum >= WORDS * u64::from(snapshot.pair.closed.max(1));
        if password && tried && snapshot.pair.attempts >= GUESSES {
            grounds.add(Class::BruteForce);
        }
        let crowded = f64::from(minute.opened) >= f64::from(FLOOD_FLOWS) * services.max(1.0);
        let icmp = matches!(snapshot.key.protocol, protocol::ICMP | protocol::ICMPV6);
        let one_sided =
            icmp || minute.packets_in.saturating_mul(FLOOD_ONE_SIDED) <= minute.packets_out;
        // What a receiver acknowledges comes as fast as it wants it.
        let wanted = tcp && snapshot.flow.is(state::PROVEN) && !crowded;
        if crowded || (minute.packets_out >= ACTIVE_PACKETS && one_sided && !wanted) {
            grounds.add(Class::Flood);
        }
        let held = habits.answered.saturating_sub(habits.closed);
        // A forged first packet holds nothing: only who completes the handshake does. And where a server answers one
        // request after another, a connection is kept, not held.
        let served = backward.payload_packets >= SERVED_PACKETS
            && 2 * backward.payload_packets >= forward.payload_packets;
        if tcp
            && !served
            && snapshot.flow.is(state::PROVEN)
            && held >= HELD_FLOWS
            && snapshot.time.saturating_sub(snapshot.flow.first) >= HELD_FOR
            && snapshot.pair.attempts.saturating_sub(snapshot.pair.closed) >= HELD_FLOWS
        {
            grounds.add(Class::SlowDos);
        }
        grounds
    }

    /// These, but for `class`, which something else decides.
    pub fn without(self, class: Class) -> Self {
        Self(self.0 & !(1 << class.index()))
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `class` is among them.
    pub fn allow(self, class: Class) -> bool {
        self.0 & (1 << class.index()) != 0
    }

    /// The class with the largest share among those there are grounds for.
    pub fn name(self, score: &Score) -> Option<Class> {
        let allowed = Class::CLAIMED
            .into_iter()
            .filter(|&class| self.allow(class));
        allowed.reduce(|best, class| {
            if score.share(class) > score.share(best) {
                class
            } else {
                best
            }
        })
    }

    fn add(&mut self, class: Class) {
        self.0 |= 1 << class.index();
    }
}

/// One scored snapshot, as far as evidence is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Observation {
    /// When, monotonic microseconds.
    pub time: u64,
    /// What it says, log-odds.
    pub weight: f32,
    /// What it says if it speaks for an attack; `None` if there are no grounds.
    pub class: Option<Class>,
    /// Whether the flow it was taken of is proven not to be spoofed.
    pub proven: bool,
}

impl Observation {
    /// What a scored snapshot says under `calibration`.
    pub fn new(
        snapshot: &Snapshot,
        score: &Score,
        grounds: Grounds,
        calibration: &Calibration,
    ) -> Self {
        Self {
            time: snapshot.time,
            weight: calibration.evidence(score.attack()),
            class: grounds.name(score),
            proven: snapshot.flow.is(state::PROVEN),
        }
    }
}

/// What has accumulated against one address on one interface.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence {
    /// Log-odds at `last_seen`.
    pub log_odds: f32,
    /// Snapshots heard.
    pub snapshots: u32,
    /// Of these, counted for an attack.
    pub positive: u32,
    /// Of the positive ones, taken of proven flows.
    pub proven: u32,
    /// When the first one was heard, monotonic microseconds.
    pub first_seen: u64,
    /// When the last one was heard, monotonic microseconds.
    pub last_seen: u64,
    weights: [f32; Class::ALL.len()],
}

impl Evidence {
    /// Hears one observation: evidence fades with `calibration`'s half-life, and never falls below zero.
    pub fn hear(&mut self, observation: &Observation, calibration: &Calibration) {
        if self.snapshots == 0 {
            self.first_seen = observation.time;
        }
        self.log_odds = self.at(observation.time, calibration);
        self.last_seen = self.last_seen.max(observation.time);
        self.snapshots = self.snapshots.saturating_add(1);
        if observation.weight <= 0.0 {
            self.log_odds = (self.log_odds + observation.weight).max(0.0);
        } else if let Some(class) = observation.class {
            self.log_odds += observation.weight;
            self.positive = self.positive.saturating_add(1);
            self.proven = self.proven.saturating_add(u32::from(observation.proven));
            self.weights[class.index()] += observation.weight;
        }
        if self.log_odds < FORGOTTEN {
            self.positive = 0;
            self.proven = 0;
            self.weights = Default::default();
        }
    }

    /// Log-odds at `time`, faded.
    pub fn at(&self, time: u64, calibration: &Calibration) -> f32 {
        let seconds = time.saturating_sub(self.last_seen) as f32 / 1e6;
        self.log_odds * (-seconds / calibration.half_life).exp2()
    }

    /// Whether nothing is left of it at `time`.
    pub fn is_forgotten(&self, time: u64, calibration: &Calibration) -> bool {
        self.at(time, calibration) < FORGOTTEN
    }

    /// Whether it is enough to act on.
    pub fn suffices(&self, calibration: &Calibration) -> bool {
        self.log_odds >= calibration.block_at && self.positive >= calibration.min_positive
    }

    /// The class most of it is for.
    pub fn class(&self) -> Class {
        let heavier = |best: Class, class: Class| {
            if self.weights[class.index()] > self.weights[best.index()] {
                class
            } else {
                best
            }
        };
        Class::CLAIMED
            .into_iter()
            .reduce(heavier)
            .unwrap_or(Class::Scan)
    }

    /// Whether most of the snapshots that counted were taken of proven flows.
    pub fn is_proven(&self) -> bool {
        2 * self.proven >= self.positive && self.positive > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Calibration = Calibration::UNFITTED;

    fn observation(seconds: u64, weight: f32) -> Observation {
        Observation {
            time: seconds * 1_000_000,
            weight,
            class: Some(Class::Scan),
            proven: false,
        }
    }

    #[test]
    fn four_strong_snapshots_suffice_and_three_do_not() {
        let mut evidence = Evidence::default();
        for second in 1..=3 {
            evidence.hear(&observation(second, 3.0), &RULE);
            assert!(!evidence.suffices(&RULE));
        }
        evidence.hear(&observation(4, 3.0), &RULE);
        assert!(evidence.suffices(&RULE));
        assert_eq!(evidence.class(), Class::Scan);
    }

    #[test]
    fn evidence_halves_with_time() {
        let mut evidence = Evidence::default();
        evidence.hear(&observation(0, 2.0), &RULE);
        let later = (RULE.half_life * 1e6) as u64;
        assert!((evidence.at(later, &RULE) - 1.0).abs() < 1e-6);
        assert!(evidence.is_forgotten(20 * later, &RULE));
    }

    #[test]
    fn what_cannot_be_named_does_not_count_against_anyone() {
        let mut evidence = Evidence::default();
        evidence.hear(
            &Observation {
                class: None,
                ..observation(1, 2.0)
            },
            &RULE,
        );
        assert_eq!((evidence.log_odds, evidence.positive), (0.0, 0));
        evidence.hear(&observation(1, 2.0), &RULE);
        evidence.hear(
            &Observation {
                class: None,
                ..observation(1, -1.0)
            },
            &RULE,
        );
        assert_eq!(evidence.log_odds, 1.0);
    }

    #[test]
    fn a_resolver_client_gives_no_grounds() {
        let mut snapshot = Snapshot::default();
        snapshot.initiator.minute.opened = 500;
        snapshot.initiator.services = 100;
        snapshot.key.protocol = protocol::UDP;
        snapshot.key.high_port = 53;
        assert!(Grounds::of(&snapshot, &[]).is_empty());
        snapshot.key.high_port = 9;
        assert!(Grounds::of(&snapshot, &[]).allow(Class::Scan));
    }
}
