//! The engine: snapshots in, requests out. It scores, weighs, and asks policy.
//! It does no IO and never reads a clock; time comes with the snapshots.

mod conclusion;
mod crowds;
mod findings;
mod paused;
mod proof;
mod recollection;
mod services;
mod victims;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use ebpf::flow::state;
use ebpf::host::HostKey;
use ebpf::packet::Address;
use ebpf::snapshot::Snapshot;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::evidence::{Evidence, Grounds, Observation};
use crate::features::{Features, features};
use crate::meter::table::Table;
use crate::model::{Model, Score};
use crate::policy::{Guard, Offence, Policy, Proof};
use crate::statistics::{Alarm, alarms};
use crate::verdict::{Contribution, Subject, Verdict};
use contract::address::is_host;
use contract::class::Class;
use contract::record::Service;

use crowds::{Asked, Crowds};
use paused::Paused;
use proof::{converses, earlier_proof};
use recollection::Recollection;
use services::Services;
use victims::Victims;

/// How long an address is left alone after a review or an alert, microseconds: the incident is revised once a minute.
const PAUSE: u64 = 60_000_000;
/// Evidence not heard of for this long is dropped, microseconds: five half-lives leave nothing that matters.
const FORGET: u64 = 600_000_000;
/// What is on its way when a block begins may still arrive, microseconds.
const GRACE: u64 = 2_000_000;
/// A proof of the address counts for this long, microseconds.
const PROOF: u64 = 1_800_000_000;
/// Features named in an explanation.
const REASONS: usize = 5;

/// What the engine wants done.
#[derive(Debug)]
pub enum Request {
    /// Take snapshots of this host more often, or no longer.
    Suspect(HostKey, bool),
    /// Enforce the verdict's block, if it has one, then report it.
    Conclude(Box<Verdict>),
    /// Blocks ran out or were lifted: forget what these addresses did.
    Forget(Vec<Address>),
    /// The address is blocked, and goes on conversing.
    Doubt(IpAddr),
}

/// Evidence against an address that has not led to a decision, or not to a new one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suspicion {
    /// Log-odds now, faded.
    pub log_odds: f64,
    /// Log-odds at which it would be decided.
    pub block_at: f64,
    /// What most of it is for.
    pub class: Class,
    /// Snapshots heard.
    pub snapshots: u32,
}

/// Evidence against every address under suspicion, and who is blocked or paused.
#[derive(Debug)]
pub struct Engine {
    model: Arc<Model>,
    policy: Policy,
    auth_ports: Vec<u16>,
    evidence: Table<HostKey, Evidence, 1>,
    paused: Paused,
    services: Services,
    crowds: Crowds,
    asked: Asked,
    victims: Victims,
    recollection: Recollection,
    requests: VecDeque<Request>,
    /// Addresses to be forgotten, in one go: the meter looks at all of its tables for it.
    forgotten: Vec<Address>,
    scored: u64,
    crowded_out: u64,
}

impl Engine {
    /// An engine that suspects nobody.
    pub fn new(model: Arc<Model>, policy: Policy, evidence: &settings::Evidence) -> Self {
        let max_addresses = evidence.max_addresses.size();
        let paused = Paused::new(max_addresses.max(policy.max_blocks()));
        Self {
            model,
            policy,
            paused,
            auth_ports: evidence.auth_ports.to_vec(),
            evidence: Table::new([max_addresses]),
            services: Services::default(),
            crowds: Crowds::default(),
            asked: Asked::default(),
            victims: Victims::default(),
            recollection: Recollection::new(evidence),
            requests: VecDeque::new(),
            forgotten: Vec::new(),
            scored: 0,
            crowded_out: 0,
        }
    }

    /// Judges one snapshot; what follows from it waits in [`Engine::next_request`].
    pub fn hear(&mut self, snapshot: &Snapshot) {
        // Who began is unknown: nobody is accused by it.
        if snapshot.flow.is_unopened(snapshot.key.protocol) {
            return;
        }
        self.victims.note(snapshot);
        // What gets no answer because it is stopped is no evidence; what was under way goes on, and is.
        let stopped = !snapshot.flow.is(state::PROVEN) && self.services.cover(snapshot);
        for alarm in alarms(snapshot) {
            if !(stopped && alarm.class.is_claimed()) {
                self.raise(snapshot, &alarm);
            }
        }
        if stopped {
            return;
        }
        let [(initiator, _), _] = snapshot.charged();
        // A review or an alert shelters nobody: only a block makes more evidence idle.
        if let Some(since) = self.paused.held_since(initiator.into(), snapshot.time) {
            if converses(snapshot, since) {
                self.requests.push_back(Request::Doubt(initiator.into()));
            }
        } else {
            self.recollect(snapshot);
            self.weigh(
                snapshot,
                HostKey {
                    address: initiator,
                    link: snapshot.key.link,
                    reserved: 0,
                },
            );
        }
    }

    /// Lets time pass: blocks run out, evidence is forgotten.
    pub fn tick(&mut self, now: u64) {
        while let Some((target, blocked)) = self.paused.next_released(now) {
            if blocked {
                self.forget(target);
            }
        }
        self.services.tick(now);
        self.recollection.tick(now);
        while let Some(oldest) = self.evidence.oldest(0) {
            if now.saturating_sub(self.evidence.value(oldest).last_seen) < FORGET {
                break;
            }
            let host = *self.evidence.key(oldest);
            self.drop_evidence(&host);
        }
    }

    /// The next thing to be done.
    pub fn next_request(&mut self) -> Option<Request> {
        let request = self.requests.pop_front();
        request.or_else(|| {
            let forgotten = std::mem::take(&mut self.forgotten);
            (!forgotten.is_empty()).then_some(Request::Forget(forgotten))
        })
    }

    /// Snapshots the model has scored.
    pub fn scored(&self) -> u64 {
        self.scored
    }

    /// A block that policy did not decide: nothing is heard against its target meanwhile.
    pub fn hold(&mut self, target: IpNet, now: u64, until: u64) {
        self.paused.block(target, now, until);
    }

    /// The same of a service that an address is kept from.
    pub fn hold_service(&mut self, address: IpAddr, service: &Service, until: u64) {
        self.services.hold(address, service, until);
    }

    /// A block was lifted before its time: its target is judged anew.
    pub fn release(&mut self, target: IpNet, now: u64) {
        self.policy.release(target, now);
        self.services.release(target);
        self.paused.release(target);
        self.forget(target);
    }

    /// An address has offended before the program began.
    pub fn recall(&mut self, address: IpAddr, offence: &Offence) {
        self.policy.recall(address, offence);
    }

    /// Takes other settings and another guard from now on.
    pub fn revise(&mut self, policy: &settings::Policy, guard: Guard) {
        self.policy.revise(policy, guard);
    }

    /// Scores with another model from now on. Evidence under the old one is dropped: the two weigh differently.
    pub fn adopt(&mut self, model: Arc<Model>) {
        self.model = model;
        while let Some(oldest) = self.evidence.oldest(0) {
            let host = *self.evidence.key(oldest);
            self.drop_evidence(&host);
        }
    }

    /// What is held against an address at `now`, the heaviest where several interfaces saw it.
    pub fn suspicion(&self, address: IpAddr, now: u64) -> Option<Suspicion> {
        let calibration = self.model.calibration();
        let records = self.evidence.iter();
        let own = records.filter(|(host, _)| IpAddr::from(host.address) == address.to_canonical());
        let suspicions = own.map(|(_, evidence)| Suspicion {
            log_odds: evidence.at(now, calibration).into(),
            block_at: calibration.block_at.into(),
            class: evidence.class(),
            snapshots: evidence.snapshots,
        });
        suspicions.max_by(|a, b| a.log_odds.total_cmp(&b.log_odds))
    }

    /// Addresses with evidence against them, and evidence dropped for want of room.
    pub fn suspects(&self) -> (usize, u64) {
        (self.evidence.len(), self.crowded_out)
    }

    /// The policy, for whoever enforces.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Adds what the model says of a snapshot to the evidence, and decides if that is enough.
    fn weigh(&mut self, snapshot: &Snapshot, host: HostKey) {
        // Whether somebody searches is told by whom it asks, not by what its packets look like.
        let grounds = Grounds::of(snapshot, &self.auth_ports).without(Class::Scan);
        let known = self.evidence.find(&host);
        if grounds.is_empty() && known.is_none() {
            return;
        }
        let row = features(snapshot);
        let score = self.model.score(&row);
        self.scored += 1;
        let calibration = *self.model.calibration();
        let observation = Observation::new(snapshot, &score, grounds, &calibration);
        let record = match known {
            Some(record) => {
                self.evidence.touch(record);
                record
            }
            None if observation.weight > 0.0 => {
                self.make_room();
                self.requests.push_back(Request::Suspect(host, true));
                self.evidence.insert(host, Evidence::default(), 0)
            }
            None => return,
        };
        let evidence = self.evidence.value_mut(record);
        evidence.hear(&observation, &calibration);
        let evidence = *evidence;
        if evidence.suffices(&calibration) {
            self.conclude_against(snapshot, host, (&evidence, &score, row));
        } else if evidence.is_forgotten(snapshot.time, &calibration) {
            self.drop_evidence(&host);
        }
    }

    /// Evidence suffices: policy decides, the address is paused, and the evidence is spent.
    fn conclude_against(
        &mut self,
        snapshot: &Snapshot,
        host: HostKey,
        (evidence, score, row): (&Evidence, &Score, Features),
    ) {
        let address = IpAddr::from(host.address);
        let class = evidence.class();
        let proof = if evidence.is_proven() {
            Proof::Proven
        } else {
            earlier_proof(snapshot)
        };
        let decision = self.decide(address, class, (proof, snapshot));
        let contributions = findings::contributions(&self.model.explain(&row, REASONS));
        let scores = findings::scores(score, self.model.content());
        self.drop_evidence(&host);
        let mut verdict =
            findings::verdict(snapshot, class, (Subject::Offender(address), decision));
        verdict.evidence = findings::evidence(evidence, snapshot);
        verdict.scores = scores;
        verdict.contributions = contributions;
        verdict.features = row.to_vec();
        self.conclude(address, verdict);
    }

    /// A statistic crossed its threshold.
    fn raise(&mut self, snapshot: &Snapshot, alarm: &Alarm) {
        let [(initiator, _), (responder, _)] = snapshot
            .charged()
            .map(|(end, port)| (IpAddr::from(end), port));
        let (subject, address) = match alarm.class {
            Class::Ddos => {
                let sources = self.victims.sources(responder);
                (
                    Subject::Victim {
                        address: responder,
                        sources,
                    },
                    responder,
                )
            }
            Class::C2 | Class::Tunnel => {
                let inward = self.policy.guard().is_home(responder)
                    && !self.policy.guard().is_home(initiator);
                let offender = if inward { initiator } else { responder };
                (Subject::Offender(offender), offender)
            }
            _ => (Subject::Offender(initiator), initiator),
        };
        if self.paused.holds(address, snapshot.time) {
            return;
        }
        let decision = self.decide(address, alarm.class, (earlier_proof(snapshot), snapshot));
        if self.is_pending(&decision, (address, alarm.class), snapshot.time) {
            return;
        }
        let mut verdict = findings::verdict(snapshot, alarm.class, (subject, decision));
        verdict.contributions = vec![Contribution::from(alarm)];
        verdict.features = features(snapshot).to_vec();
        self.conclude(address, verdict);
    }

    /// Drops the evidence unheard of for longest if there is no room for more.
    fn make_room(&mut self) {
        if self.evidence.is_full(0)
            && let Some(oldest) = self.evidence.oldest(0)
        {
            let host = *self.evidence.key(oldest);
            self.drop_evidence(&host);
            self.crowded_out += 1;
        }
    }

    /// Has the meter forget an address, or the offenders known in a prefix.
    fn forget(&mut self, target: IpNet) {
        let first = self.forgotten.len();
        if is_host(&target) {
            self.forgotten.push(target.addr().into());
        } else {
            let known = self.policy.offenders(target);
            self.forgotten.extend(known.map(Address::from));
        }
        if let Some(forgotten) = self.forgotten.get(first..) {
            self.recollection.forget(forgotten);
        }
    }

    fn drop_evidence(&mut self, host: &HostKey) {
        if let Some(found) = self.evidence.find(host) {
            self.evidence.remove(found);
            self.requests.push_back(Request::Suspect(*host, false));
        }
    }
}
