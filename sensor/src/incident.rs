//! The record of a decision about an offender, as the ECS document that is stored, reported and printed.
//! It must not decide anything, and writes the same verdicts as the same bytes.

mod book;
mod community;
mod condition;
mod document;
mod rating;
mod words;

use std::net::{IpAddr, SocketAddr};

use ebpf::packet::protocol;

use crate::class::{Class, Technique};
use crate::policy::{Cause, Decision, Outcome};
use crate::printable::printable;
use crate::verdict::{Flow, Subject, Verdict};

pub use crate::timestamp::Timestamp;
pub use book::{Book, Observer, Revision, Stage, Teller};
pub use condition::{ConditionDetail, ConditionDocument, ConditionEvent};
pub use document::{
    BlockSummary, Carrier, Ecs, Endpoint, Event, EvidenceSummary, Explanation, Garita, Incident,
    Ingress, InterfaceName, ModelScore, Network, ObservedBy, Related, Rounded, TechniqueName,
    Threat,
};

impl Incident {
    /// The document of a verdict. `id` and `start` are those of the incident; times are labelled by the observer.
    fn new(observer: &Observer, verdict: &Verdict, record: &book::Record) -> Self {
        let evidence = &verdict.evidence;
        let severity = rating::severity(verdict.class, &verdict.decision);
        let (offender, victim, sources) = match &verdict.subject {
            Subject::Offender(address) => (Some(address.to_canonical()), None, None),
            Subject::Victim { address, sources } => (
                None,
                Some(address.to_canonical()),
                Some(sources.iter().map(IpAddr::to_canonical).collect()),
            ),
        };
        Self {
            timestamp: observer.label(record.decided),
            ecs: Ecs {
                version: document::ECS_VERSION,
            },
            event: Event {
                id: record.id.clone(),
                kind: "alert",
                category: ["intrusion_detection", "network"],
                action: verdict.decision.as_str(),
                outcome: match verdict.outcome {
                    Some(Outcome::Enforced) => "success",
                    Some(Outcome::Failed(_)) => "failure",
                    _ => "unknown",
                },
                severity,
                risk_score: rating::risk(severity, evidence.log_odds),
                start: observer.label(record.start),
                end: observer.label(evidence.last_seen),
            },
            source: offender.map(|_| endpoint(&verdict.flow, verdict.flow.initiator)),
            destination: endpoint(&verdict.flow, verdict.flow.responder),
            network: Network {
                transport: transport(verdict.flow.protocol),
                community_id: offender.and_then(|_| community::community_id(&verdict.flow)),
            },
            related: related(verdict),
            threat: technique(verdict).map(|technique| Threat {
                technique: TechniqueName {
                    id: technique.id,
                    name: technique.name,
                },
            }),
            observer: observer.teller.seen_on(verdict.interface.as_deref()),
            message: words::message(verdict),
            garita: Garita {
                offender,
                class: verdict.class,
                decision: verdict.decision.as_str(),
                reason: reason(verdict),
                outcome: verdict.outcome.as_ref().map(Outcome::as_str),
                revision: record.revision,
                evidence: EvidenceSummary {
                    log_odds: evidence.log_odds.into(),
                    snapshots: evidence.snapshots,
                    first_seen: observer.label(evidence.first_seen),
                    last_seen: observer.label(evidence.last_seen),
                    packets_before: evidence.packets_before,
                    proven: evidence.proven,
                },
                explanation: explanation(verdict),
                model: ModelScore {
                    name: observer.model_name.clone(),
                    sha256: observer.model_sha256.clone(),
                    score: verdict
                        .scores
                        .iter()
                        .map(|&(class, score)| (class, score.into()))
                        .collect(),
                },
                block: verdict.decision.block().map(|block| BlockSummary {
                    target: block.target.to_string(),
                    expires: observer.label(block.expires),
                    ttl: block.ttl.as_secs(),
                    offence: block.offence,
                }),
                victim,
                sources,
                tunnel: verdict.tunnel.map(|outer| Carrier {
                    source: outer.source.to_canonical(),
                    destination: outer.destination.to_canonical(),
                }),
            },
        }
    }
}

fn endpoint(flow: &Flow, end: SocketAddr) -> Endpoint {
    let has_ports = !matches!(flow.protocol, protocol::ICMP | protocol::ICMPV6);
    Endpoint {
        ip: end.ip().to_canonical(),
        port: has_ports.then_some(end.port()),
    }
}

/// The name of a transport protocol, or its IANA number where it has none here.
pub fn transport(number: u8) -> String {
    match number {
        protocol::TCP => "tcp".to_owned(),
        protocol::UDP => "udp".to_owned(),
        protocol::ICMP => "icmp".to_owned(),
        protocol::ICMPV6 => "ipv6-icmp".to_owned(),
        community::SCTP => "sctp".to_owned(),
        other => other.to_string(),
    }
}

fn related(verdict: &Verdict) -> Related {
    let flow = &verdict.flow;
    let mut ip = vec![verdict.subject.address().to_canonical()];
    let others = match &verdict.subject {
        Subject::Offender(_) => vec![flow.initiator.ip(), flow.responder.ip()],
        Subject::Victim { sources, .. } => sources.clone(),
    };
    let outer = verdict
        .tunnel
        .map(|outer| [outer.source, outer.destination]);
    for address in others.into_iter().chain(outer.into_iter().flatten()) {
        let address = address.to_canonical();
        if !ip.contains(&address) {
            ip.push(address);
        }
    }
    Related { ip }
}

/// Scanning from outside has another name than looking around inside.
fn technique(verdict: &Verdict) -> Option<Technique> {
    match (verdict.class, &verdict.decision) {
        (Class::Scan, Decision::Review(Cause::Home)) => Class::Scan.technique(),
        (Class::Scan, _) => Some(Technique::ACTIVE_SCANNING),
        (class, _) => class.technique(),
    }
}

fn reason(verdict: &Verdict) -> Option<String> {
    let reason = match (&verdict.decision, &verdict.outcome) {
        (Decision::Review(cause), _) => cause.to_string(),
        (_, Some(Outcome::Exempt(exemption))) => exemption.to_string(),
        (_, Some(Outcome::Failed(failure))) => failure.clone(),
        _ => return None,
    };
    Some(printable(&reason).into_owned())
}

fn explanation(verdict: &Verdict) -> Vec<Explanation> {
    let parts = verdict.contributions.iter();
    parts
        .map(|part| Explanation {
            feature: part.feature,
            value: part.value.into(),
            contribution: part.contribution.into(),
            text: words::contribution(part),
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests;
