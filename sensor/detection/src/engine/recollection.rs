//! What hours of memory say beside the model: scans, guessing by one and by many, and beacons, each concluded by itself.
//! What else the address does neither shelters nor accuses it here.

use std::net::IpAddr;

use ebpf::flow::state;
use ebpf::packet::{Address, protocol};
use ebpf::snapshot::Snapshot;

use super::proof::earlier_proof;
use super::{Engine, findings};
use crate::memory::{
    Beacons, Contacts, DistributedGuessing, Guessing, Logins, PORTS_PER_HOST, Regular, ScanFound,
    Targets, Usage,
};
use crate::policy::{Decision, Proof, Suspect};
use crate::service::{self, Login};
use crate::statistics::{Alarm, Measure};
use crate::verdict::{Contribution, Subject, Verdict};
use contract::class::Class;
use contract::record::Service;

use super::PROOF;

/// What one failure of a stranger adds to the log-odds: four to one, as in the paper.
const FAILURE: f64 = 1.386;

/// Everything remembered of addresses beyond the meter's windows.
#[derive(Debug)]
pub(super) struct Recollection {
    contacts: Contacts,
    logins: Logins,
    targets: Targets,
    beacons: Beacons,
    usage: Usage,
}

/// What a snapshot completes.
#[derive(Debug, Default)]
struct Findings {
    scan: Option<ScanFound>,
    guessing: Option<Guessing>,
    distributed: Option<DistributedGuessing>,
    regular: Option<Regular>,
}

impl Recollection {
    pub(super) fn new(settings: &settings::Evidence) -> Self {
        let cap = settings.max_addresses.size();
        Self {
            contacts: Contacts::new(cap),
            logins: Logins::new(cap),
            targets: Targets::default(),
            beacons: Beacons::new(cap),
            usage: Usage::default(),
        }
    }

    pub(super) fn tick(&mut self, now: u64) {
        self.contacts.tick(now);
    }

    pub(super) fn forget(&mut self, addresses: &[Address]) {
        for address in addresses {
            self.contacts.forget(address);
        }
        self.logins.forget(addresses);
        self.beacons.forget(addresses);
    }

    /// `service`, but for what `address` has used of it lately.
    pub(super) fn spare(&self, address: &Address, service: Service, now: u64) -> Service {
        self.usage.spare(address, service, now)
    }

    /// Whether others than one guesser converse from the address that a snapshot charges.
    pub(super) fn is_shared(&self, snapshot: &Snapshot) -> bool {
        let [(initiator, _), _] = snapshot.charged();
        self.contacts.is_shared(&initiator, snapshot.time)
    }

    fn hear(&mut self, snapshot: &Snapshot, auth_ports: &[u16]) -> Findings {
        self.usage.hear(snapshot);
        let login = login(snapshot, auth_ports);
        Findings {
            scan: self
                .contacts
                .hear(snapshot, |port| auth_ports.contains(&port)),
            guessing: login.and_then(|login| self.logins.hear(snapshot, &login)),
            distributed: login.and_then(|login| self.targets.hear(snapshot, &login)),
            // Who comes to log in as regularly as a clock guesses, or works: it is not called by the server.
            regular: match login {
                Some(_) => None,
                None => self.beacons.hear(snapshot),
            },
        }
    }
}

impl Engine {
    /// Adds a snapshot to what is remembered, and concludes what follows.
    pub(super) fn recollect(&mut self, snapshot: &Snapshot) {
        let found = self.recollection.hear(snapshot, &self.auth_ports);
        if let Some(scan) = found.scan {
            self.conclude_scan(snapshot, &scan);
        }
        if let Some(guessing) = found.guessing {
            self.conclude_guessing(snapshot, &guessing);
        }
        if let Some(distributed) = found.distributed {
            self.conclude_distributed(snapshot, distributed);
        }
        if let Some(regular) = found.regular {
            self.conclude_regular(snapshot, &regular);
        }
    }

    fn conclude_scan(&mut self, snapshot: &Snapshot, scan: &ScanFound) {
        let [(initiator, _), _] = snapshot.ends();
        let address = IpAddr::from(initiator);
        let proven_lately = scan.proven != 0 && snapshot.time.saturating_sub(scan.proven) < PROOF;
        let mut suspect = self.suspect(snapshot, (address, Class::Scan));
        suspect.service = self.scanned(snapshot, scan);
        suspect.subnet = scan.source.subnet;
        suspect.shared = scan.shared;
        suspect.proof = match (proven_lately, scan.own_arrival) {
            (true, true) => Proof::Own,
            (true, false) => Proof::ProvenBefore,
            // Who uses a service over datagrams has never proven who it is, and is not cut off from that either.
            (false, _) if self.recollection.usage.knows(&initiator, snapshot.time) => Proof::Own,
            (false, _) => Proof::Unproven,
        };
        let Some(mut verdict) = self.verdict(snapshot, &suspect) else {
            return;
        };
        verdict.evidence.log_odds = scan.score * FAILURE;
        verdict.evidence.snapshots = scan.failed;
        verdict.evidence.first_seen = scan.first;
        verdict.evidence.proven = false;
        let facts = &mut verdict.facts;
        facts.seconds = snapshot.time.saturating_sub(scan.first) as f64 / 1e6;
        facts.opened = scan.failed;
        facts.refused = scan.refused.min(scan.failed);
        facts.unanswered = scan.failed.saturating_sub(scan.refused);
        // Estimates of sets are never told larger than what was counted.
        facts.hosts = scan.hosts.min(scan.failed);
        facts.ports = scan.ports.min(scan.failed);
        verdict.contributions = vec![Contribution::from(&Alarm {
            class: Class::Scan,
            measure: Measure::FirstContacts,
            value: scan.score,
            threshold: scan.threshold,
        })];
        self.conclude(address, verdict);
    }

    /// What a scanner is kept from where it cannot be kept from everything: the ports of a host, a port of all hosts, or
    /// pings; but for what its address uses.
    fn scanned(&self, snapshot: &Snapshot, scan: &ScanFound) -> Service {
        let [(initiator, _), (responder, port)] = snapshot.ends();
        let protocol = snapshot.key.protocol;
        let is_icmp = matches!(protocol, protocol::ICMP | protocol::ICMPV6);
        let many_ports = f64::from(scan.ports) >= PORTS_PER_HOST * f64::from(scan.hosts);
        let (address, port) = match (is_icmp, many_ports) {
            (true, _) => (None, None),
            (false, true) => (Some(responder.into()), None),
            (false, false) => (None, Some(port)),
        };
        let service = Service {
            protocol,
            address,
            port,
            spared: Vec::new(),
        };
        self.recollection.spare(&initiator, service, snapshot.time)
    }

    fn conclude_guessing(&mut self, snapshot: &Snapshot, guessing: &Guessing) {
        let [(initiator, _), _] = snapshot.ends();
        let address = IpAddr::from(initiator);
        let accepted = snapshot.key.protocol == protocol::TCP && snapshot.flow.is(state::PROVEN);
        let mut suspect = self.suspect(snapshot, (address, Class::BruteForce));
        suspect.shared = self.recollection.is_shared(snapshot);
        suspect.proof = match accepted {
            true => Proof::Proven,
            false => earlier_proof(snapshot),
        };
        // Who guesses there uses it, too.
        suspect.service.spared = Vec::new();
        let Some(mut verdict) = self.verdict(snapshot, &suspect) else {
            return;
        };
        verdict.evidence.log_odds = f64::from(guessing.attempts) * FAILURE;
        verdict.evidence.snapshots = guessing.attempts;
        verdict.evidence.first_seen = guessing.first;
        verdict.contributions = vec![Contribution::from(&Alarm {
            class: Class::BruteForce,
            measure: Measure::AlikeAttempts,
            value: guessing.attempts.into(),
            threshold: guessing.threshold.into(),
        })];
        let facts = &mut verdict.facts;
        facts.attempts = guessing.attempts;
        facts.attempt_bytes = guessing.bytes;
        facts.attempt_gap = guessing.gap;
        facts.seconds = snapshot.time.saturating_sub(guessing.first) as f64 / 1e6;
        facts.service = login(snapshot, &self.auth_ports).map(|login| login.name);
        self.conclude(address, verdict);
    }

    fn conclude_distributed(&mut self, snapshot: &Snapshot, distributed: DistributedGuessing) {
        let [_, (responder, _)] = snapshot.ends();
        let address = IpAddr::from(responder);
        if self
            .paused
            .is_paused(address, Class::BruteForce, snapshot.time)
        {
            return;
        }
        let count = distributed.sources.len();
        let subject = Subject::Victim {
            address,
            sources: distributed.sources,
        };
        let mut verdict =
            findings::verdict(snapshot, Class::BruteForce, (subject, Decision::Alert));
        verdict.evidence.log_odds = f64::from(distributed.attempts) * FAILURE;
        verdict.evidence.snapshots = distributed.attempts;
        verdict.evidence.first_seen = distributed.first;
        verdict.contributions = vec![Contribution::from(&Alarm {
            class: Class::BruteForce,
            measure: Measure::GuessingSources,
            value: count as f64,
            threshold: crate::memory::DISTRIBUTED_SOURCES as f64,
        })];
        verdict.facts.initiators = count as u32;
        verdict.facts.attempts = distributed.attempts;
        verdict.facts.attempt_bytes = distributed.bytes;
        verdict.facts.seconds = snapshot.time.saturating_sub(distributed.first) as f64 / 1e6;
        verdict.facts.service = login(snapshot, &self.auth_ports).map(|login| login.name);
        verdict.features = crate::features::features(snapshot).to_vec();
        self.conclude(address, verdict);
    }

    fn conclude_regular(&mut self, snapshot: &Snapshot, regular: &Regular) {
        let [initiator, responder] = snapshot.ends().map(|(end, _)| IpAddr::from(end));
        let guard = self.policy.guard();
        let inward = guard.is_home(responder) && !guard.is_home(initiator);
        let address = if inward { initiator } else { responder };
        let suspect = self.suspect(snapshot, (address, Class::C2));
        let Some(mut verdict) = self.verdict(snapshot, &suspect) else {
            return;
        };
        verdict.evidence.first_seen = regular.first;
        verdict.evidence.snapshots = regular.calls;
        verdict.contributions = vec![Contribution::from(&Alarm {
            class: Class::C2,
            measure: Measure::RegularCalls,
            value: regular.deviation / regular.gap.max(1.0),
            threshold: crate::memory::CALL_JITTER,
        })];
        let facts = &mut verdict.facts;
        facts.attempts = regular.calls;
        facts.attempt_bytes = regular.bytes;
        facts.attempt_gap = regular.gap;
        facts.attempt_gap_deviation = regular.deviation;
        facts.seconds = snapshot.time.saturating_sub(regular.first) as f64 / 1e6;
        self.conclude(suspect.address, verdict);
    }

    /// What policy makes of a suspect, as a verdict still without its grounds; nothing where the matter is pending.
    fn verdict(&mut self, snapshot: &Snapshot, suspect: &Suspect) -> Option<Verdict> {
        let (address, time) = (suspect.address, snapshot.time);
        if self.paused.holds(address, time) {
            return None;
        }
        let decision = self.settle(suspect, time);
        if self.is_pending(&decision, (address, suspect.class), time) {
            return None;
        }
        let subject = Subject::Offender(address);
        let mut verdict = findings::verdict(snapshot, suspect.class, (subject, decision));
        verdict.features = crate::features::features(snapshot).to_vec();
        Some(verdict)
    }
}

/// The login service the flow's responder offers.
fn login(snapshot: &Snapshot, auth_ports: &[u16]) -> Option<Login> {
    let [_, (_, port)] = snapshot.ends();
    service::login(port, snapshot.key.protocol, auth_ports)
}
