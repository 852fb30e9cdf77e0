//! What should stand in the kernel, as plain values: the sets and chains of the table `inet garita`; its rules are in
//! [`super::rule`]. It talks to nobody; what is written and what is listed back are compared in these terms.

use std::net::IpAddr;

/// The only table that is ever touched; its family is `inet`.
pub(super) const TABLE: &str = "garita";

/// Priority `raw` (`NF_IP_PRI_RAW`): before connection tracking, so a drop also stops what is established.
const RAW: i32 = -300;
/// Priority `mangle` (`NF_IP_PRI_MANGLE`): after connection tracking, before addresses are translated.
const MANGLE: i32 = -150;

/// `NFT_SET_CONCAT` of linux/netfilter/nf_tables.h.
pub(super) const CONCATENATED: u32 = 0x80;

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
    /// Those of the hosts whose conversations go on, because they have proved nothing.
    Unproven(Family),
    /// The same of the prefixes.
    UnprovenNet(Family),
    /// Hosts that are kept from a service: source, destination, protocol and port, the second and the last as ranges.
    Service(Family),
    /// The same of whom nothing goes on there, connections under way included.
    Port(Family),
    /// Networks that are never dropped.
    AllowedNet(Family),
}

/// Whether the kernel knows which packets begin something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tracking {
    Connections,
    /// Only TCP tells by itself.
    Nothing,
}

/// What the kernel says of a set's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// Whether it holds intervals.
    pub(super) interval: bool,
    /// Whether its elements may expire.
    pub(super) timeout: bool,
    /// Whether a key has several parts.
    pub(super) concatenated: bool,
    /// Bytes of a key.
    pub(super) key: u32,
    /// Any other property; none of ours has one.
    pub(super) foreign: bool,
}

/// A chain of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chain {
    Prerouting,
    /// Where connections are known.
    Opening,
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
        Self::blocked()
            .chain(Self::each(Self::Unproven))
            .chain(Self::each(Self::UnprovenNet))
            .chain(Self::each(Self::Service))
            .chain(Self::each(Self::Port))
            .chain(Self::each(Self::AllowedNet))
    }

    /// Those whose elements are kept out.
    pub(super) fn blocked() -> impl Iterator<Item = Self> {
        Self::each(Self::Blocked).chain(Self::each(Self::BlockedNet))
    }

    pub(super) fn each(kind: fn(Family) -> Self) -> impl Iterator<Item = Self> {
        Family::BOTH.into_iter().map(kind)
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::all().find(|set| set.name() == name)
    }

    pub(super) fn name(self) -> String {
        let digit = self.family().digit();
        match self {
            Self::Blocked(_) => format!("blocked{digit}"),
            Self::BlockedNet(_) => format!("blocked{digit}_net"),
            Self::Unproven(_) => format!("unproven{digit}"),
            Self::UnprovenNet(_) => format!("unproven{digit}_net"),
            Self::Service(_) => format!("blocked{digit}_service"),
            Self::Port(_) => format!("blocked{digit}_port"),
            Self::AllowedNet(_) => format!("allowed{digit}_net"),
        }
    }

    pub(super) fn family(self) -> Family {
        match self {
            Self::Blocked(family)
            | Self::BlockedNet(family)
            | Self::Unproven(family)
            | Self::UnprovenNet(family)
            | Self::Service(family)
            | Self::Port(family)
            | Self::AllowedNet(family) => family,
        }
    }

    pub(super) fn form(self) -> Form {
        Form {
            interval: !matches!(self, Self::Blocked(_) | Self::Unproven(_)),
            timeout: !matches!(self, Self::AllowedNet(_)),
            concatenated: matches!(self, Self::Service(_) | Self::Port(_)),
            key: match self {
                // Each part of a key takes a multiple of four bytes.
                Self::Service(family) | Self::Port(family) => 2 * family.bytes() + 8,
                other => other.family().bytes(),
            },
            foreign: false,
        }
    }

    /// Where those are listed whose conversations go on.
    pub(super) fn unproven(self) -> Self {
        match self {
            Self::BlockedNet(family) => Self::UnprovenNet(family),
            other => Self::Unproven(other.family()),
        }
    }
}

impl Chain {
    pub(super) fn all(tracking: Tracking) -> impl Iterator<Item = Self> {
        let all = [Self::Prerouting, Self::Opening, Self::Output];
        all.into_iter()
            .filter(move |chain| tracking == Tracking::Connections || *chain != Self::Opening)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Prerouting => "prerouting",
            Self::Opening => "opening",
            Self::Output => "output",
        }
    }

    pub(super) fn hooked(self) -> Hooked {
        // NF_INET_PRE_ROUTING and NF_INET_LOCAL_OUT of linux/netfilter.h.
        let (hook, priority) = match self {
            Self::Prerouting => (0, RAW),
            Self::Opening => (0, MANGLE),
            Self::Output => (3, RAW),
        };
        Hooked {
            hook,
            priority,
            kind: "filter".to_owned(),
            accepts: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_found_by_its_name() {
        assert_eq!(Set::all().count(), 14);
        for set in Set::all() {
            assert_eq!(Set::named(&set.name()), Some(set));
        }
        assert_eq!(Set::named("blocked5"), None);
    }
}
