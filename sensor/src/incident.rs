//! The record of a decision about an offender, as the ECS document that is stored, reported and printed.
//! It must not decide anything, and writes the same verdicts as the same bytes.

mod log;
mod rating;
mod words;

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use contract::class::{Class, Technique};
use contract::flow::Flow;
use contract::incident::{
    BlockSummary, Carrier, ECS_VERSION, Ecs, Endpoint, Event, EvidenceSummary, Explanation, Garita,
    Incident, ModelScore, Network, Related, TechniqueName, Threat,
};
use contract::printable::printable;
use detection::policy::{Cause, Decision, Outcome};
use detection::verdict::{Subject, Verdict};

pub use log::{IncidentLog, Observer, Revision, Stage};

/// The document of a verdict. `id` and `start` are those of the incident; times are labelled by the observer.
fn document(observer: &Observer, verdict: &Verdict, record: &log::Record) -> Incident {
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
    Incident {
        timestamp: observer.label(record.decided),
        ecs: Ecs {
            version: ECS_VERSION.into(),
        },
        event: Event {
            id: record.id.clone(),
            kind: "alert".into(),
            category: ["intrusion_detection".into(), "network".into()],
            action: verdict.decision.as_str().into(),
            outcome: Cow::Borrowed(match verdict.outcome {
                Some(Outcome::Enforced) => "success",
                Some(Outcome::Failed(_)) => "failure",
                _ => "unknown",
            }),
            severity,
            risk_score: rating::risk(severity, evidence.log_odds),
            start: observer.label(record.start),
            end: observer.label(evidence.last_seen),
        },
        source: offender.map(|_| endpoint(&verdict.flow, verdict.flow.initiator)),
        destination: endpoint(&verdict.flow, verdict.flow.responder),
        network: Network {
            transport: verdict.flow.transport(),
            community_id: offender.and_then(|_| verdict.flow.community_id()),
        },
        related: related(verdict),
        threat: technique(verdict).map(|technique| Threat {
            technique: TechniqueName {
                id: technique.id.into(),
                name: technique.name.into(),
            },
        }),
        observer: observer.identity.seen_on(verdict.interface.as_deref()),
        message: words::message(verdict),
        garita: Garita {
            offender,
            class: verdict.class,
            decision: verdict.decision.as_str().into(),
            reason: reason(verdict),
            outcome: verdict
                .outcome
                .as_ref()
                .map(|outcome| outcome.as_str().into()),
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
                service: block.service.clone(),
            }),
            victim,
            sources,
            tunnel: verdict.tunnel.map(|outer| Carrier {
                source: outer.source.to_canonical(),
                destination: outer.destination.to_canonical(),
            }),
            reduced: Vec::new(),
        },
    }
}

fn endpoint(flow: &Flow, end: SocketAddr) -> Endpoint {
    Endpoint {
        ip: end.ip().to_canonical(),
        port: flow.has_ports().then_some(end.port()),
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
            feature: part.feature.into(),
            value: part.value.into(),
            contribution: part.contribution.into(),
            text: words::contribution(part),
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests;
