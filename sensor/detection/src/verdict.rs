//! What the engine concludes about one address at one moment, with everything an incident tells about it.
//! It holds facts; it neither decides nor words anything.

use std::net::{IpAddr, SocketAddr};

use ebpf::host::HostKey;
use ebpf::packet::Address;

use crate::decode::TunnelEnds;
use crate::policy::{Decision, Outcome};
use contract::class::Class;
use contract::flow::Flow;

/// The engine's conclusion. Times are monotonic microseconds.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// When it was reached.
    pub time: u64,
    /// What is being done.
    pub class: Class,
    /// By whom, or to whom.
    pub subject: Subject,
    /// What is to be done about it.
    pub decision: Decision,
    /// What enforcement made of it; nothing where there was nothing to enforce.
    pub outcome: Option<Outcome>,
    /// The flow that decided.
    pub flow: Flow,
    /// Where the flow was seen, as the data plane numbers it.
    pub link: u32,
    /// Where it was seen; nothing where the capture does not say.
    pub interface: Option<String>,
    /// Who carried the flow's initiator; nothing where it came through no tunnel.
    pub tunnel: Option<TunnelEnds>,
    /// The evidence behind it.
    pub evidence: Evidence,
    /// The model's probability of each class it knows, of the deciding snapshot.
    pub scores: Vec<(Class, f64)>,
    /// What spoke most for the decision, strongest first.
    pub contributions: Vec<Contribution>,
    /// The deciding snapshot as the model sees it.
    pub features: Vec<f32>,
    /// What was counted, for the words.
    pub facts: Facts,
    /// Whether it is told as part of a crowd: its block counts, and nobody is told of it alone.
    pub quiet: bool,
}

impl Verdict {
    /// Who carries the flow's initiator, where `carrier` knows of each sender who carries it. Where only answers were
    /// seen, the way they came says so too.
    pub fn carried(&self, carrier: impl Fn(&HostKey) -> Option<TunnelEnds>) -> Option<TunnelEnds> {
        let carrier = |end: SocketAddr| {
            carrier(&HostKey {
                address: Address::from(end.ip()),
                link: self.link,
                reserved: 0,
            })
        };
        let Flow {
            initiator,
            responder,
            ..
        } = self.flow;
        carrier(initiator).or_else(|| carrier(responder).map(TunnelEnds::reversed))
    }
}

/// Whom a verdict is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The address to act on.
    Offender(IpAddr),
    /// There is nobody to act on, because too many take part.
    Victim {
        /// Who suffers.
        address: IpAddr,
        /// Some of those who send most, the worst first.
        sources: Vec<IpAddr>,
    },
}

impl Subject {
    /// The offender's address, or the victim's.
    pub const fn address(&self) -> IpAddr {
        match self {
            Self::Offender(address) | Self::Victim { address, .. } => *address,
        }
    }
}

/// What has accumulated against an address.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// The sum of what the snapshots said, decayed.
    pub log_odds: f64,
    /// Snapshots that spoke against it.
    pub snapshots: u32,
    /// Its first packet in this matter.
    pub first_seen: u64,
    /// Its last packet so far.
    pub last_seen: u64,
    /// Packets it had sent by the decision.
    pub packets_before: u64,
    /// Whether its address is proven to be its own.
    pub proven: bool,
}

/// How one feature, or one statistic, moved the decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Contribution {
    /// Its name.
    pub feature: &'static str,
    /// What it says, in a sentence.
    pub meaning: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Its value.
    pub value: f64,
    /// How far it moved the score, towards the class where positive.
    pub contribution: f64,
}

/// Counts of the deciding moment, for the sentence that tells a person what happened. What a class does not speak
/// of stays 0.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Facts {
    /// The time in which the counts below came together.
    pub seconds: f64,
    /// Flows opened.
    pub opened: u32,
    /// Of these, without an answer.
    pub unanswered: u32,
    /// Of these, answered with a reset.
    pub refused: u32,
    /// Answered flows that are still open.
    pub open: u32,
    /// Distinct responder ports.
    pub ports: u32,
    /// Distinct responders.
    pub hosts: u32,
    /// Uses of the service, for logins, beacons and queries.
    pub attempts: u32,
    /// Payload of each, both ways, bytes.
    pub attempt_bytes: f64,
    /// Time between two of them, seconds.
    pub attempt_gap: f64,
    /// Standard deviation of that time, seconds.
    pub attempt_gap_deviation: f64,
    /// What the responder's port is known for.
    pub service: Option<&'static str>,
    /// Packets sent.
    pub packets: u64,
    /// Packets a second at the peak.
    pub packets_per_second: f64,
    /// Distinct initiators that a victim hears from.
    pub initiators: u32,
}
