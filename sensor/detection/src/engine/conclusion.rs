//! What follows from evidence that suffices: a suspect for policy, its decision, and who is told of it how.
//! It weighs nothing.

use std::net::IpAddr;

use ebpf::packet::protocol;
use ebpf::snapshot::Snapshot;

use super::crowds::Telling;
use super::proof::is_tunnelled;
use super::{Engine, PAUSE, Request, findings};
use crate::policy::{Cause, Decision, Proof, Suspect};
use crate::verdict::Verdict;
use contract::class::Class;
use contract::record::Service;

impl Engine {
    pub(super) fn decide(
        &mut self,
        address: IpAddr,
        class: Class,
        (proof, snapshot): (Proof, &Snapshot),
    ) -> Decision {
        let mut suspect = self.suspect(snapshot, (address, class));
        suspect.proof = proof;
        if class == Class::BruteForce {
            suspect.shared = self.recollection.is_shared(snapshot);
            suspect.service.spared = Vec::new();
        }
        self.settle(&suspect, snapshot.time)
    }

    /// What policy makes of a suspect; nothing new where it is kept from the very service, unless by now it is proven to
    /// be its own doing.
    pub(super) fn settle(&mut self, suspect: &Suspect, now: u64) -> Decision {
        let held = self.services.holds(suspect.address, &suspect.service, now);
        let alone = suspect.proof == Proof::Proven && !suspect.shared;
        match held && !alone {
            true => Decision::Watch,
            false => self.policy.decide(suspect, now),
        }
    }

    /// Somebody convincing of whom nothing is proven, kept from the service of the flow where it is not from all.
    pub(super) fn suspect(
        &self,
        snapshot: &Snapshot,
        (address, class): (IpAddr, Class),
    ) -> Suspect {
        let [(initiator, _), (responder, port)] = snapshot.charged();
        let has_ports = !matches!(snapshot.key.protocol, protocol::ICMP | protocol::ICMPV6);
        let service = Service {
            protocol: snapshot.key.protocol,
            address: Some(responder.into()),
            port: has_ports.then_some(port),
            spared: Vec::new(),
        };
        Suspect {
            address,
            class,
            convincing: true,
            proof: Proof::Unproven,
            subnet: false,
            shared: false,
            tunnelled: is_tunnelled(snapshot),
            victim: responder.into(),
            arrival: snapshot.flow.arrival,
            service: self.recollection.spare(&initiator, service, snapshot.time),
        }
    }

    pub(super) fn conclude(&mut self, address: IpAddr, mut verdict: Verdict) {
        if let Decision::Block(block) = &verdict.decision
            && block.service.is_some()
            && self.services.is_full(address)
        {
            verdict.decision = Decision::Review(Cause::Shared);
        }
        // Anybody could have written the packets: a person is not asked again and again, nor of each one of many.
        let unproven = match &verdict.decision {
            Decision::Watch => return,
            Decision::Block(block) => {
                match &block.service {
                    Some(service) => self.services.hold(address, service, block.expires),
                    None => self.paused.block(block.target, verdict.time, block.expires),
                }
                block.offence == 0
            }
            decision @ (Decision::Review(_) | Decision::Alert) => {
                if self.paused.is_paused(address, verdict.class, verdict.time) {
                    return;
                }
                let matter = (address, verdict.class);
                self.paused
                    .pause(matter, verdict.time, verdict.time + PAUSE);
                let unproven = matches!(decision, Decision::Review(_)) && !verdict.evidence.proven;
                if unproven && !self.asked.take(address, verdict.time) {
                    return;
                }
                unproven
            }
        };
        if unproven {
            self.tell_unproven(address, verdict);
        } else {
            self.requests
                .push_back(Request::Conclude(Box::new(verdict)));
        }
    }

    /// Tells of an address that may be forged: alone while there are few, else the crowd of them.
    fn tell_unproven(&mut self, address: IpAddr, mut verdict: Verdict) {
        let matter = (verdict.flow.responder.ip(), verdict.class);
        let asks = verdict.decision.block().is_none();
        let telling = self.crowds.enter(matter, (address, asks), verdict.time);
        verdict.quiet = telling != Telling::Alone;
        if let Telling::Crowd(crowd) = telling {
            let crowd = findings::crowd(&verdict, crowd);
            self.requests.push_back(Request::Conclude(Box::new(crowd)));
        }
        // A review that nobody is told of asks nobody.
        if !(asks && verdict.quiet) {
            self.requests
                .push_back(Request::Conclude(Box::new(verdict)));
        }
    }

    /// Whether nothing new comes of a decision: a block always counts, whatever a person was asked before.
    pub(super) fn is_pending(
        &self,
        decision: &Decision,
        (address, class): (IpAddr, Class),
        now: u64,
    ) -> bool {
        decision.block().is_none() && self.paused.is_paused(address, class, now)
    }
}
