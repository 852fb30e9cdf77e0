//! First contacts: whom an address asks for the first time, and how often in vain (Jung et al., "Fast Portscan Detection
//! Using Sequential Hypothesis Testing", 2004). A scanner meets strangers and most do not answer; a monitor asks the same
//! few again and again. Only what is asked counts, never how long the packets are.

use ebpf::packet::{Address, protocol};
use ebpf::snapshot::Snapshot;

use super::bits::{Bits, hash};
use super::burst::{UDP_ANSWERED, answered_share, burst};
use super::question::{Outcome, is_excused, is_loose, is_own, outcome};
use super::{ends_here, has_opener, is_icmp, seconds, service_of, subnet};
use crate::meter::table::Table;
use crate::service;

/// Conversations with known services halve in this time, seconds, and so many are others' at the same address.
const VISIT_LIFE: f64 = 60.0;
const VISITS: f64 = 6.0;

/// A walk halves in this time, seconds: what an everyday client meets in vain over a day does not add up.
const HALF_LIFE: f64 = 3_600.0;
/// Addresses not heard of for this long are forgotten, microseconds.
const FORGET: u64 = 6 * 3_600_000_000;
/// A question repeated within one or two of these is the same question, microseconds: TCP and scanners both repeat.
const REPEAT: u64 = 5_000_000;

/// What a question to a stranger that fails, and one that is answered, moves the walk by.
const STEP: f64 = 1.0;
/// What an old question asked again takes off: a scanner that asks everybody twice still rises.
const AGAIN: f64 = 0.5;

/// Strangers in vain, less those that answered, at which many ports of few hosts are a scan.
const PORTS: f64 = 10.0;
/// The same for one service on many hosts, where that service is often searched for, or asks for a password.
pub(super) const SOUGHT: f64 = 16.0;
/// For other services: a cluster's health checks begin with as many pods.
const HOSTS: f64 = 32.0;
/// For other services asked patiently, as a program's own connections are: monitoring begins with all of its targets.
const PATIENT: f64 = 128.0;

/// Ports per host from which on a search is for ports.
pub(crate) const PORTS_PER_HOST: f64 = 3.0;
/// The same for datagrams to ports no service is known at: peers of calls and downloads have a few each.
pub(super) const PEER_PORTS: f64 = 8.0;

/// Distinct addresses of a /64 from which on it is judged as one.
const SUBNET_ADDRESSES: u32 = 4;

/// An address, or the /64 it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// The address; of a /64 its first.
    pub address: Address,
    /// Whether all of its /64 is meant.
    pub subnet: bool,
}

/// A scan that suffices to act on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScanFound {
    /// Who scans.
    pub source: Source,
    /// Strangers asked in vain, less those that answered, faded.
    pub score: f64,
    /// The score at which it is a scan.
    pub threshold: f64,
    /// Strangers asked in vain.
    pub failed: u32,
    /// Of these, refused.
    pub refused: u32,
    /// Distinct hosts and ports asked.
    pub hosts: u32,
    /// See `hosts`.
    pub ports: u32,
    /// When the first was asked, microseconds.
    pub first: u64,
    /// Whether most of them came as the conversations do that the address has proven to be its own.
    pub own_arrival: bool,
    /// Whether the address converses, somewhere else and more than once, while it scans: others share it.
    pub shared: bool,
    /// When it last proved to converse under its own name, microseconds; 0 for never.
    pub proven: u64,
}

/// The walk of one source.
#[derive(Clone, Copy, Debug, Default)]
struct Walk {
    known: Bits<16>,
    recent: Bits<16>,
    before: Bits<16>,
    /// When `recent` began, microseconds.
    turned: u64,
    hosts: Bits<4>,
    ports: Bits<4>,
    addresses: Bits<1>,
    score: f64,
    /// The part of it that only counts where it is a search for ports: peers, and patient connections.
    loose: f64,
    first: u64,
    last: u64,
    failed: u32,
    refused: u32,
    own: u32,
    /// Strangers that count in any search, and of these, at services that are often searched for.
    strict: u32,
    sought: u32,
    /// Conversations with services it knows that ended lately, faded.
    visits: f64,
    proven: u64,
}

/// Walks of every source, the one unheard of for longest forgotten first.
#[derive(Debug)]
pub struct Contacts(Table<Source, Walk, 1>);

impl Contacts {
    /// Nobody known, and at most `cap` at once.
    pub fn new(cap: usize) -> Self {
        Self(Table::new([cap]))
    }

    /// Hears a snapshot; `is_login` says of a TCP port whether the configuration has passwords tried there.
    pub fn hear(
        &mut self,
        snapshot: &Snapshot,
        is_login: impl Fn(u16) -> bool,
    ) -> Option<ScanFound> {
        let [(initiator, _), (responder, port)] = snapshot.ends();
        if !has_opener(snapshot) || responder.is_group() || is_excused(snapshot) {
            return None;
        }
        let sought = is_icmp(snapshot.key.protocol)
            || service::is_searched(port, snapshot.key.protocol)
            || is_login(port);
        let own = Source {
            address: initiator,
            subnet: false,
        };
        let shared = self.is_shared(&initiator, snapshot.time);
        let burst = burst(snapshot, (own, shared), sought);
        let Some(outcome) = outcome(snapshot) else {
            return burst;
        };
        let found = self.step(own, snapshot, (outcome, sought));
        let subnet = subnet(&initiator).and_then(|address| {
            let source = Source {
                address,
                subnet: true,
            };
            self.step(source, snapshot, (outcome, sought))
        });
        let excused =
            snapshot.key.protocol == protocol::UDP && answered_share(snapshot) > UDP_ANSWERED;
        burst.or(found.or(subnet).filter(|_| !excused))
    }

    /// Whether others than a single guesser converse from `address`.
    pub fn is_shared(&self, address: &Address, time: u64) -> bool {
        let source = Source {
            address: *address,
            subnet: false,
        };
        self.0.find(&source).is_some_and(|found| {
            let walk = self.0.value(found);
            let fading = (-seconds(walk.last, time) / VISIT_LIFE).exp2();
            walk.visits * fading >= VISITS
        })
    }

    /// What `address` did, and its /64, is forgotten.
    pub fn forget(&mut self, address: &Address) {
        let sources = [
            Some((*address, false)),
            subnet(address).map(|net| (net, true)),
        ];
        for (address, subnet) in sources.into_iter().flatten() {
            if let Some(found) = self.0.find(&Source { address, subnet }) {
                self.0.remove(found);
            }
        }
    }

    /// Forgets who has not been heard of for long.
    pub fn tick(&mut self, now: u64) {
        while let Some(oldest) = self.0.oldest(0)
            && now.saturating_sub(self.0.value(oldest).last) >= FORGET
        {
            self.0.remove(oldest);
        }
    }

    fn step(
        &mut self,
        source: Source,
        snapshot: &Snapshot,
        (outcome, sought): (Outcome, bool),
    ) -> Option<ScanFound> {
        let record = match self.0.find(&source) {
            Some(record) => {
                self.0.touch(record);
                record
            }
            None => self.0.insert(source, Walk::default(), 0),
        };
        let walk = self.0.value_mut(record);
        if !walk.take(snapshot, (outcome, sought)) {
            return None;
        }
        let (score, threshold) = walk.verdict(snapshot)?;
        let crowd = !source.subnet || walk.addresses.distinct() >= SUBNET_ADDRESSES;
        crowd.then(|| walk.scan(source, (score, threshold)))
    }
}

impl Walk {
    /// Takes one outcome, and returns whether it was a stranger's failure.
    fn take(&mut self, snapshot: &Snapshot, (outcome, sought): (Outcome, bool)) -> bool {
        let time = snapshot.time;
        let asked = snapshot.flow.first;
        let service = service_of(snapshot);
        let target = hash(&[
            service.responder.high,
            service.responder.low,
            u64::from(service.port) << 8 | u64::from(service.protocol),
        ]);
        self.fade(time);
        if asked.saturating_sub(self.turned) >= REPEAT {
            let lapsed = asked.saturating_sub(self.turned) >= 2 * REPEAT;
            self.before = if lapsed { Bits::default() } else { self.recent };
            self.recent = Bits::default();
            self.turned = asked;
        }
        if self.known.is_full() {
            self.known = Bits::default();
        }
        let repeated = self.recent.contains(target) || self.before.contains(target);
        self.recent.insert(target);
        let known = !self.known.insert(target);
        self.proven = self.proven.max(snapshot.initiator.proven);
        if known {
            let conversed = snapshot.flow.low.payload > 0 && snapshot.flow.high.payload > 0;
            if outcome == Outcome::Answered && conversed && ends_here(snapshot) && !sought {
                self.visits += 1.0;
            }
            if outcome != Outcome::Answered && (!repeated || outcome == Outcome::Refused) {
                self.score = (self.score - AGAIN).max(0.0);
                self.loose = (self.loose - AGAIN).max(0.0);
            }
            return false;
        }
        if outcome == Outcome::Answered {
            self.score = (self.score - STEP).max(0.0);
            self.loose = (self.loose - STEP).max(0.0);
            return false;
        }
        if self.failed == 0 {
            self.first = asked;
        }
        let [(initiator, _), _] = snapshot.ends();
        self.hosts
            .insert(hash(&[service.responder.high, service.responder.low]));
        self.ports.insert(hash(&[
            u64::from(service.port),
            u64::from(service.protocol),
        ]));
        self.addresses
            .insert(hash(&[initiator.high, initiator.low]));
        self.failed = self.failed.saturating_add(1);
        self.refused += u32::from(outcome == Outcome::Refused);
        self.own += u32::from(is_own(snapshot));
        self.sought += u32::from(sought);
        if is_loose(snapshot) && !sought {
            self.loose += STEP;
        } else {
            self.strict += 1;
            self.score += STEP;
        }
        true
    }

    fn fade(&mut self, time: u64) {
        let fading = (-seconds(self.last, time) / HALF_LIFE).exp2();
        if self.last != 0 {
            self.visits *= (-seconds(self.last, time) / VISIT_LIFE).exp2();
            self.score *= fading;
            self.loose *= fading;
        }
        if self.score + self.loose < STEP / 4.0 {
            (self.hosts, self.ports, self.addresses) = Default::default();
            (self.failed, self.refused, self.own) = (0, 0, 0);
            (self.strict, self.sought) = (0, 0);
        }
        self.last = self.last.max(time);
    }

    fn ports_per_host(&self) -> f64 {
        f64::from(self.ports.distinct()) / f64::from(self.hosts.distinct().max(1))
    }

    /// The score and its threshold, where this walk is a scan.
    fn verdict(&self, snapshot: &Snapshot) -> Option<(f64, f64)> {
        let spread = self.ports_per_host();
        let all = self.score + self.loose;
        let strict = if 2 * self.sought >= self.strict {
            SOUGHT
        } else {
            HOSTS
        };
        let ports = if spread >= PEER_PORTS {
            all
        } else {
            self.score
        };
        let patient = spread <= 1.0 / PEER_PORTS && snapshot.key.protocol != protocol::UDP;
        let counts = [
            (spread >= PORTS_PER_HOST).then_some((ports, PORTS)),
            Some((self.score, strict)),
            patient.then_some((all, PATIENT)),
        ];
        let reached = |&(score, threshold): &(f64, f64)| score >= threshold;
        counts.into_iter().flatten().find(reached)
    }

    fn scan(&self, source: Source, (score, threshold): (f64, f64)) -> ScanFound {
        ScanFound {
            source,
            score,
            threshold,
            failed: self.failed,
            refused: self.refused,
            hosts: self.hosts.distinct(),
            ports: self.ports.distinct(),
            first: self.first,
            own_arrival: 4 * self.own >= 3 * self.failed && self.own > 0,
            shared: self.visits >= VISITS,
            proven: self.proven,
        }
    }
}
