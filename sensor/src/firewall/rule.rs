//! The rules of the table `inet garita`, each as its steps: whom it drops, and which part of their traffic.
//! Nothing here talks to the kernel.

use super::ruleset::{Chain, Family, Set, Tracking};

/// FIN, SYN, RST and ACK of a TCP header (RFC 9293), and the SYN among them that opens.
const TCP_CONTROLS: u8 = 0x17;
const TCP_SYN: u8 = 0x02;
/// `NF_CT_STATE_BIT(IP_CT_NEW)` of linux/netfilter/nf_conntrack_common.h: nobody has answered yet.
const CT_NEW: u32 = 8;

/// Which address of a packet a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Source,
    Destination,
}

/// A rule: drop what has an address in `blocked` that is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) chain: Chain,
    part: Part,
    blocked: Set,
}

/// Which part of somebody's traffic a rule drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// All from it or to it, unless it is unproven.
    All(Side),
    /// What it opens.
    Opening(Opened),
}

/// What is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opened {
    /// A TCP connection: its first segment says so.
    Connection,
    /// An exchange of datagrams that nobody has answered.
    Exchange,
    /// An ICMP query that belongs to none before it.
    Query,
}

/// Where something is loaded: so many times four bytes into the registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At(pub(super) u32);

/// Where what is compared or looked up begins.
const FIRST: At = At(0);

/// One step of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Load the network protocol.
    Protocol,
    /// Load the transport protocol.
    Transport(At),
    /// Load this part of the network header.
    Load { offset: u32, bytes: u32, at: At },
    /// Load the destination port of whatever has ports.
    Port(At),
    /// Load the flags of the TCP header.
    TcpFlags,
    /// Load the state of the connection.
    Connection,
    /// Keep only these bits of what is loaded.
    Mask(Vec<u8>),
    /// Go on where it is this.
    Equals(Vec<u8>),
    /// Go on where it is not this.
    Differs(Vec<u8>),
    /// Go on where the address is in the set.
    In(String),
    /// Go on where the address is not in the set.
    NotIn(String),
    /// Count with the counter of this name.
    Count(String),
    /// Drop.
    Drop,
    /// Something none of our rules does; the kernel's name for it.
    Foreign(String),
}

impl Rule {
    /// All, in order. None returns on an allowed address: the other address of the packet must be looked at too.
    pub(super) fn all(tracking: Tracking) -> impl Iterator<Item = Self> {
        let places = [
            (Chain::Prerouting, Part::All(Side::Source)),
            (Chain::Prerouting, Part::All(Side::Destination)),
            (Chain::Prerouting, Part::Opening(Opened::Connection)),
            (Chain::Opening, Part::Opening(Opened::Exchange)),
            (Chain::Opening, Part::Opening(Opened::Query)),
            (Chain::Output, Part::All(Side::Destination)),
        ];
        let sets = |chain, part| {
            let kind: Option<fn(Family) -> Set> = match (chain, part) {
                (_, Part::Opening(_)) => Some(Set::Service),
                (_, Part::All(Side::Source)) => Some(Set::Port),
                (_, Part::All(Side::Destination)) => None,
            };
            Set::blocked().chain(kind.map(Set::each).into_iter().flatten())
        };
        let possible =
            move |chain: Chain| tracking == Tracking::Connections || chain != Chain::Opening;
        let places = places
            .into_iter()
            .filter(move |(chain, _)| possible(*chain));
        places.flat_map(move |(chain, part)| {
            sets(chain, part).map(move |blocked| Self {
                chain,
                part,
                blocked,
            })
        })
    }

    /// The name of the counter that only this rule counts with.
    pub(super) fn counter(&self) -> String {
        let way = match (self.chain, self.part) {
            (_, Part::Opening(Opened::Connection)) => "syn_from",
            (_, Part::Opening(Opened::Exchange)) => "udp_from",
            (_, Part::Opening(Opened::Query)) => "icmp_from",
            (_, Part::All(Side::Source)) => "from",
            (Chain::Output, Part::All(Side::Destination)) => "sent_to",
            (_, Part::All(Side::Destination)) => "to",
        };
        format!("{way}_{}", self.blocked.name())
    }

    pub(super) fn steps(&self) -> Vec<Step> {
        let family = self.blocked.family();
        let side = match self.part {
            Part::All(side) => side,
            Part::Opening(_) => Side::Source,
        };
        let load = side.load(family, FIRST);
        let mut steps = vec![Step::Protocol, Step::Equals(vec![family.protocol()])];
        let words = family.bytes() / 4;
        let service = [
            load.clone(),
            Side::Destination.load(family, At(words)),
            Step::Transport(At(2 * words)),
            Step::Port(At(2 * words + 1)),
        ];
        // Most packets open nothing, and to look somebody up is dearer than to see that.
        if let Part::Opening(opened) = self.part {
            steps.extend(opened.steps(family));
        }
        match self.blocked {
            Set::Service(_) | Set::Port(_) => steps.extend(service),
            _ => steps.push(load.clone()),
        }
        steps.extend([
            Step::In(self.blocked.name()),
            load.clone(),
            Step::NotIn(Set::AllowedNet(family).name()),
        ]);
        // Who is proven has been dropped before what somebody opens is looked at.
        if let (Part::All(_), Set::Blocked(_) | Set::BlockedNet(_)) = (self.part, self.blocked) {
            steps.extend([load, Step::NotIn(self.blocked.unproven().name())]);
        }
        steps.extend([Step::Count(self.counter()), Step::Drop]);
        steps
    }
}

impl Side {
    fn load(self, family: Family, at: At) -> Step {
        // Offsets of the addresses in the headers of RFC 791 and RFC 8200.
        let offset = match (family, self) {
            (Family::V4, Self::Source) => 12,
            (Family::V4, Self::Destination) => 16,
            (Family::V6, Self::Source) => 8,
            (Family::V6, Self::Destination) => 24,
        };
        Step::Load {
            offset,
            bytes: family.bytes(),
            at,
        }
    }
}

impl Opened {
    fn steps(self, family: Family) -> Vec<Step> {
        // IANA's protocol numbers.
        let transport = match (self, family) {
            (Self::Connection, _) => 6,
            (Self::Exchange, _) => 17,
            (Self::Query, Family::V4) => 1,
            (Self::Query, Family::V6) => 58,
        };
        let mut steps = vec![Step::Transport(FIRST), Step::Equals(vec![transport])];
        steps.extend(match self {
            Self::Connection => [
                Step::TcpFlags,
                Step::Mask(vec![TCP_CONTROLS]),
                Step::Equals(vec![TCP_SYN]),
            ],
            Self::Exchange | Self::Query => [
                Step::Connection,
                Step::Mask(CT_NEW.to_ne_bytes().to_vec()),
                Step::Differs(vec![0; 4]),
            ],
        });
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_spares_the_allowed_and_has_a_counter_of_its_own() {
        let all = || Rule::all(Tracking::Connections);
        let mut counters: Vec<_> = all().map(|rule| rule.counter()).collect();
        assert_eq!(counters.len(), 32);
        for rule in all() {
            let spared = Step::NotIn(Set::AllowedNet(rule.blocked.family()).name());
            assert!(rule.steps().contains(&spared), "{rule:?}");
        }
        counters.sort();
        counters.dedup();
        assert_eq!(counters.len(), 32);
    }

    #[test]
    fn nothing_drops_what_an_unproven_address_answers_or_is_sent() {
        for rule in Rule::all(Tracking::Connections) {
            let steps = rule.steps();
            let spares = matches!(rule.part, Part::All(_))
                && steps.contains(&Step::NotIn(rule.blocked.unproven().name()));
            let opens = matches!(rule.part, Part::Opening(_));
            let port = matches!(rule.blocked, Set::Port(_));
            assert!(port || spares != opens, "{rule:?}");
        }
        let without = Rule::all(Tracking::Nothing);
        assert!(
            without
                .flat_map(|rule| rule.steps())
                .all(|step| step != Step::Connection)
        );
    }
}
