//! What should stand in the kernel, as plain values: the sets, chains, rules and counters of the table `inet garita`.
//! It talks to nobody; what is written and what is listed back are compared in these terms.

use std::net::IpAddr;

/// The only table that is ever touched; its family is `inet`.
pub(super) const TABLE: &str = "garita";

/// Priority `raw` (`NF_IP_PRI_RAW`): before connection tracking, so a drop also stops what is established.
const RAW: i32 = -300;

/// IPv4 or IPv6; each has its own sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Family {
    V4,
    V6,
}

/// A set of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Set {
    /// Hosts that are kept out.
    Blocked(Family),
    /// Prefixes that are kept out.
    BlockedNet(Family),
    /// Networks that are never dropped.
    AllowedNet(Family),
}

/// What the kernel says of a set's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// Whether it holds intervals.
    pub(super) interval: bool,
    /// Whether its elements may expire.
    pub(super) timeout: bool,
    /// Bytes of a key.
    pub(super) key: u32,
    /// Any other property; none of ours has one.
    pub(super) foreign: bool,
}

/// A chain of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chain {
    Prerouting,
    Output,
}

/// Where a base chain hangs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hooked {
    pub(super) hook: u32,
    pub(super) priority: i32,
    /// `filter`, `nat` or `route`.
    pub(super) kind: String,
    /// Whether what no rule drops passes.
    pub(super) accepts: bool,
}

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
    side: Side,
    blocked: Set,
}

/// One step of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Load the network protocol.
    Protocol,
    /// Go on where it is this family.
    Is(Family),
    /// Load this part of the network header.
    Load { offset: u32, bytes: u32 },
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

impl Family {
    pub(super) const BOTH: [Self; 2] = [Self::V4, Self::V6];

    pub(super) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    fn digit(self) -> char {
        match self {
            Self::V4 => '4',
            Self::V6 => '6',
        }
    }

    /// `NFPROTO_IPV4` and `NFPROTO_IPV6` of linux/netfilter.h.
    pub(super) fn protocol(self) -> u8 {
        match self {
            Self::V4 => 2,
            Self::V6 => 10,
        }
    }

    /// Bytes of an address.
    pub(super) fn bytes(self) -> u32 {
        match self {
            Self::V4 => 4,
            Self::V6 => 16,
        }
    }
}

impl Set {
    /// All, in the order they are made.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        Self::each(Self::Blocked)
            .chain(Self::each(Self::BlockedNet))
            .chain(Self::each(Self::AllowedNet))
    }

    /// Those whose elements are kept out.
    pub(super) fn blocked() -> impl Iterator<Item = Self> {
        Self::each(Self::Blocked).chain(Self::each(Self::BlockedNet))
    }

    fn each(kind: fn(Family) -> Self) -> impl Iterator<Item = Self> {
        Family::BOTH.into_iter().map(kind)
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::all().find(|set| set.name() == name)
    }

    pub(super) fn name(self) -> String {
        match self {
            Self::Blocked(family) => format!("blocked{}", family.digit()),
            Self::BlockedNet(family) => format!("blocked{}_net", family.digit()),
            Self::AllowedNet(family) => format!("allowed{}_net", family.digit()),
        }
    }

    pub(super) fn family(self) -> Family {
        match self {
            Self::Blocked(family) | Self::BlockedNet(family) | Self::AllowedNet(family) => family,
        }
    }

    pub(super) fn form(self) -> Form {
        Form {
            interval: !matches!(self, Self::Blocked(_)),
            timeout: !matches!(self, Self::AllowedNet(_)),
            key: self.family().bytes(),
            foreign: false,
        }
    }
}

impl Chain {
    pub(super) const ALL: [Self; 2] = [Self::Prerouting, Self::Output];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Prerouting => "prerouting",
            Self::Output => "output",
        }
    }

    pub(super) fn hooked(self) -> Hooked {
        // NF_INET_PRE_ROUTING and NF_INET_LOCAL_OUT of linux/netfilter.h.
        let hook = match self {
            Self::Prerouting => 0,
            Self::Output => 3,
        };
        Hooked {
            hook,
            priority: RAW,
            kind: "filter".to_owned(),
            accepts: true,
        }
    }
}

impl Rule {
    /// All, in order. None returns on an allowed address: the other address of the packet must be looked at too.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let places = [
            (Chain::Prerouting, Side::Source),
            (Chain::Prerouting, Side::Destination),
            (Chain::Output, Side::Destination),
        ];
        places.into_iter().flat_map(|(chain, side)| {
            Set::blocked().map(move |blocked| Self {
                chain,
                side,
                blocked,
            })
        })
    }

    /// The name of the counter that only this rule counts with.
    pub(super) fn counter(&self) -> String {
        let way = match (self.chain, self.side) {
            (Chain::Prerouting, Side::Source) => "from",
            (Chain::Prerouting, Side::Destination) => "to",
            (Chain::Output, _) => "sent_to",
        };
        format!("{way}_{}", self.blocked.name())
    }

    pub(super) fn steps(&self) -> Vec<Step> {
        let family = self.blocked.family();
        // Offsets of the addresses in the headers of RFC 791 and RFC 8200.
        let offset = match (family, self.side) {
            (Family::V4, Side::Source) => 12,
            (Family::V4, Side::Destination) => 16,
            (Family::V6, Side::Source) => 8,
            (Family::V6, Side::Destination) => 24,
        };
        let load = Step::Load {
            offset,
            bytes: family.bytes(),
        };
        vec![
            Step::Protocol,
            Step::Is(family),
            load.clone(),
            Step::In(self.blocked.name()),
            load,
            Step::NotIn(Set::AllowedNet(family).name()),
            Step::Count(self.counter()),
            Step::Drop,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_spares_the_allowed_and_has_a_counter_of_its_own() {
        let mut counters: Vec<_> = Rule::all().map(|rule| rule.counter()).collect();
        assert_eq!(counters.len(), 12);
        for rule in Rule::all() {
            let spared = Step::NotIn(Set::AllowedNet(rule.blocked.family()).name());
            assert!(rule.steps().contains(&spared), "{rule:?}");
        }
        counters.sort();
        counters.dedup();
        assert_eq!(counters.len(), 12);
    }

    #[test]
    fn a_set_is_found_by_its_name() {
        assert_eq!(Set::all().count(), 6);
        for set in Set::all() {
            assert_eq!(Set::named(&set.name()), Some(set));
        }
        assert_eq!(Set::named("blocked5"), None);
    }
}
