//! What a verdict tells: the snapshot, the score and the evidence, put in the verdict's terms.
//! It concludes nothing.

use std::net::{IpAddr, SocketAddr};

use ebpf::host::Bitmap;
use ebpf::packet::protocol;
use ebpf::snapshot::Snapshot;

use super::crowds::{self, Crowd};
use crate::evidence;
use crate::features::{LIST, distinct};
use crate::model::{self, Content, Score};
use crate::policy::Decision;
use crate::service::password_service;
use crate::statistics::{Alarm, Measure};
use crate::verdict::{Contribution, Evidence, Facts, Subject, Verdict};
use contract::class::Class;
use contract::flow::Flow;

/// A verdict about `subject`, with nothing but the snapshot behind it.
pub(super) fn verdict(
    snapshot: &Snapshot,
    class: Class,
    (subject, decision): (Subject, Decision),
) -> Verdict {
    Verdict {
        time: snapshot.time,
        class,
        subject,
        decision,
        outcome: None,
        flow: flow(snapshot),
        link: snapshot.key.link,
        interface: None,
        tunnel: None,
        evidence: Evidence {
            log_odds: 0.0,
            snapshots: 1,
            first_seen: snapshot.flow.first,
            last_seen: snapshot.time,
            packets_before: packets(snapshot),
            proven: snapshot.flow.is(ebpf::flow::state::PROVEN),
        },
        scores: Vec::new(),
        contributions: Vec::new(),
        features: Vec::new(),
        facts: facts(snapshot, class),
        quiet: false,
    }
}

/// What is told of a crowd, where `last` is about the last of it.
pub(super) fn crowd(last: &Verdict, crowd: Crowd) -> Verdict {
    let mut verdict = last.clone();
    verdict.subject = Subject::Victim {
        address: last.flow.responder.ip(),
        sources: crowd.sources.into(),
    };
    verdict.decision = Decision::Alert;
    verdict.quiet = false;
    verdict.scores = Vec::new();
    verdict.evidence.first_seen = crowd.first;
    verdict.evidence.snapshots = crowd.count;
    verdict.facts.initiators = crowd.count;
    verdict.facts.seconds = last.time.saturating_sub(crowd.first) as f64 / 1e6;
    verdict.contributions = vec![Contribution::from(&Alarm {
        class: last.class,
        measure: Measure::UnprovenSources,
        value: crowd.count.into(),
        threshold: crowds::EACH.into(),
    })];
    verdict
}

/// The evidence as a verdict tells it.
pub(super) fn evidence(evidence: &evidence::Evidence, snapshot: &Snapshot) -> Evidence {
    Evidence {
        log_odds: f64::from(evidence.log_odds),
        snapshots: evidence.snapshots,
        first_seen: evidence.first_seen,
        last_seen: evidence.last_seen,
        packets_before: packets(snapshot),
        proven: evidence.is_proven(),
    }
}

/// The probabilities of the classes the model knows.
pub(super) fn scores(score: &Score, content: &Content) -> Vec<(Class, f64)> {
    content
        .classes
        .iter()
        .map(|&class| (class, f64::from(score.share(class))))
        .collect()
}

/// The model's contributions under their features' names.
pub(super) fn contributions(explained: &[model::Contribution]) -> Vec<Contribution> {
    let named = |contribution: &model::Contribution| {
        LIST.get(contribution.feature).map(|feature| Contribution {
            feature: feature.name,
            meaning: feature.meaning,
            unit: feature.unit,
            value: f64::from(contribution.value),
            contribution: f64::from(contribution.weight),
        })
    };
    explained.iter().filter_map(named).collect()
}

impl From<&Alarm> for Contribution {
    fn from(alarm: &Alarm) -> Self {
        let (feature, unit, meaning) = match alarm.measure {
            Measure::PacketRate => (
                "packet_rate",
                "packets/s",
                "Packets a second from one source, hardly answered.",
            ),
            Measure::Initiators => (
                "initiators",
                "hosts",
                "Distinct initiators of one responder in a minute.",
            ),
            Measure::QueryPayload => (
                "dns_query_payload",
                "bytes",
                "Mean payload of the minute's DNS queries.",
            ),
            Measure::ReplyPayload => (
                "dns_reply_payload",
                "bytes",
                "Mean payload of the minute's DNS replies.",
            ),
            Measure::EchoLengths => (
                "echo_lengths",
                "bytes",
                "Deviation of the lengths of an ICMP echo flow.",
            ),
            Measure::RegularCalls => (
                "beacon_gaps",
                "ratio",
                "Median deviation of the gaps between calls, of the middle one.",
            ),
            Measure::FirstContacts => (
                "first_contacts",
                "services",
                "Services asked for the first time and in vain, less those that answered.",
            ),
            Measure::AlikeAttempts => (
                "alike_attempts",
                "attempts",
                "Login attempts alike in size, none of which got on.",
            ),
            Measure::UnprovenSources => (
                "unproven_sources",
                "hosts",
                "Addresses that turn against one victim and prove nothing: they may be forged.",
            ),
            Measure::GuessingSources => (
                "guessing_sources",
                "hosts",
                "Addresses that try one login service, each with the same short exchange.",
            ),
        };
        Self {
            feature,
            meaning,
            unit,
            value: alarm.value,
            contribution: alarm.value / alarm.threshold,
        }
    }
}

fn flow(snapshot: &Snapshot) -> Flow {
    let [initiator, responder] = snapshot
        .charged()
        .map(|(end, port)| SocketAddr::new(IpAddr::from(end), port));
    Flow {
        initiator,
        responder,
        protocol: snapshot.key.protocol,
        icmp_type: snapshot.key.icmp_type,
    }
}

fn packets(snapshot: &Snapshot) -> u64 {
    let (forward, _) = snapshot.flow.halves();
    u64::from(snapshot.initiator.minute.packets_out.max(forward.packets))
}

fn facts(snapshot: &Snapshot, class: Class) -> Facts {
    match class {
        Class::Ddos => victim_facts(snapshot),
        _ => initiator_facts(snapshot, class),
    }
}

fn victim_facts(snapshot: &Snapshot) -> Facts {
    let received = &snapshot.responder.minute;
    Facts {
        opened: received.opened,
        unanswered: received.opened.saturating_sub(received.answered),
        packets: u64::from(received.packets_in),
        initiators: distinct(snapshot.responder.initiators, Bitmap::<16>::BITS) as u32,
        ..Facts::default()
    }
}

fn initiator_facts(snapshot: &Snapshot, class: Class) -> Facts {
    let (minute, habits, pair) = (
        &snapshot.initiator.minute,
        &snapshot.initiator.habits,
        &snapshot.pair,
    );
    let [_, (_, port)] = snapshot.charged();
    let set = |ones| distinct(ones, Bitmap::<8>::BITS) as u32;
    let tunnel = class == Class::Tunnel && minute.dns_queries > 0;
    let gaps = f64::from(pair.attempts.saturating_sub(1).max(1));
    let together = pair.last.saturating_sub(pair.first) as f64 / 1e6;
    let gap = together / gaps;
    let gap_squares = pair.gap_squares as f64 / 1e6 / gaps;
    let (attempts, attempt_bytes) = if tunnel {
        (
            minute.dns_queries,
            f64::from(minute.dns_query_payload) / f64::from(minute.dns_queries),
        )
    } else {
        (
            pair.attempts,
            pair.payload_sum as f64 / f64::from(pair.closed.max(1)),
        )
    };
    let openings = f64::from(minute.gap_sum) / 1e6;
    let seconds = match class {
        Class::BruteForce | Class::SlowDos | Class::C2 => together,
        Class::Flood => openings.max(snapshot.flow.duration() as f64 / 1e6),
        _ => openings,
    };
    Facts {
        seconds,
        opened: minute.opened,
        unanswered: minute.opened.saturating_sub(minute.answered),
        refused: minute.refused,
        open: habits.answered.saturating_sub(habits.closed),
        ports: set(snapshot.initiator.ports),
        hosts: set(snapshot.initiator.peers),
        attempts,
        attempt_bytes,
        attempt_gap: gap,
        attempt_gap_deviation: (gap_squares - gap * gap).max(0.0).sqrt(),
        service: password_service(port).filter(|_| snapshot.key.protocol == protocol::TCP),
        packets: packets(snapshot),
        packets_per_second: packets(snapshot) as f64 / seconds.max(1.0),
        initiators: 0,
    }
}
