//! Elements of sets: hosts as keys, prefixes as the two edges of an interval, and back.
//! Nothing here talks to the kernel.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};

use super::Element;
use super::ruleset::Family;
use contract::address::{canonical, without};
use contract::record::Scope;

/// The shortest timeout: one tick of the slowest kernel clock (100 Hz). None at all would mean permanent.
pub(super) const SHORTEST: Duration = Duration::from_millis(10);

/// Who has proved nothing is listed as such for this long beyond the block, so that no conversation is stopped between
/// the end of one and the other.
const BEYOND: Duration = Duration::from_secs(1);

/// One key of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) address: IpAddr,
    pub(super) edge: Edge,
    /// For how long from now; nothing where it is permanent.
    pub(super) left: Option<Duration>,
}

/// What a key is to its interval. An end is the first address that is no longer inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Edge {
    End,
    Start,
}

impl Key {
    /// The key of a host.
    pub(super) fn host(address: IpAddr, left: Option<Duration>) -> Self {
        Self {
            address: address.to_canonical(),
            edge: Edge::Start,
            left,
        }
    }

    /// The same key, as it is listed among those who have proved nothing.
    pub(super) fn unproven(self) -> Self {
        Self {
            left: self.left.map(|left| left.saturating_add(BEYOND)),
            ..self
        }
    }

    /// The timeout as the kernel wants it.
    pub(super) fn milliseconds(&self) -> Option<u64> {
        let left = self.left.filter(|_| self.edge == Edge::Start)?;
        Some(u64::try_from(left.max(SHORTEST).as_millis()).unwrap_or(u64::MAX))
    }
}

/// Hosts by family, each once; what is said last counts.
pub(super) fn hosts(hosts: impl Iterator<Item = Key>) -> [(Family, Vec<Key>); 2] {
    let last: HashMap<IpAddr, Key> = hosts.map(|key| (key.address, key)).collect();
    let of = |family| {
        let keys = last
            .values()
            .filter(|key| Family::of(key.address) == family);
        (family, keys.copied().collect())
    };
    Family::BOTH.map(of)
}

/// Prefixes by family as the edges of intervals that do not overlap: what a wider one covers is left out.
pub(super) fn intervals(prefixes: impl Iterator<Item = Element>) -> [(Family, Vec<Key>); 2] {
    let mut longest: HashMap<IpNet, Option<Duration>> = HashMap::new();
    for Element { target, left, .. } in prefixes {
        let known = longest.entry(canonical(target)).or_insert(left);
        *known = known.zip(left).map(|(one, other)| one.max(other));
    }
    // By first address, the widest first.
    let mut sorted: Vec<_> = longest.into_iter().collect();
    sorted.sort_by_key(|(net, _)| *net);
    let mut kept: Vec<(IpNet, Option<Duration>)> = Vec::new();
    for (net, left) in sorted {
        if !kept.last().is_some_and(|(wider, _)| wider.contains(&net)) {
            kept.push((net, left));
        }
    }
    let of = |family| {
        let nets = kept
            .iter()
            .filter(|(net, _)| Family::of(net.addr()) == family);
        let edges = nets.flat_map(|&(net, left)| edges(net, left)).collect();
        (family, edges)
    };
    Family::BOTH.map(of)
}

/// Of `prefixes`, the parts whose conversations go on: those of the unproven ones that no other covers.
pub(super) fn unproven(prefixes: &[Element]) -> Vec<Element> {
    let of = |scope| prefixes.iter().filter(move |prefix| prefix.scope == scope);
    let proven: Vec<IpNet> = of(Scope::All)
        .map(|prefix| canonical(prefix.target))
        .collect();
    let parts = of(Scope::Opening).flat_map(|prefix| {
        let left = prefix.left.map(|left| left.saturating_add(BEYOND));
        let parts = without(canonical(prefix.target), &proven).into_iter();
        parts.map(move |target| Element {
            target,
            left,
            scope: Scope::Opening,
        })
    });
    parts.collect()
}

fn edges(net: IpNet, left: Option<Duration>) -> impl Iterator<Item = Key> {
    let start = Key {
        address: net.network(),
        edge: Edge::Start,
        left,
    };
    // The last interval of all stays open.
    let end = after(net.broadcast()).map(|address| Key {
        address,
        edge: Edge::End,
        left: None,
    });
    std::iter::once(start).chain(end)
}

pub(super) fn after(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => {
            let next = u32::from(address).checked_add(1)?;
            Some(Ipv4Addr::from(next).into())
        }
        IpAddr::V6(address) => {
            let next = u128::from(address).checked_add(1)?;
            Some(Ipv6Addr::from(next).into())
        }
    }
}

pub(super) fn before(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => {
            let last = u32::from(address).checked_sub(1)?;
            Some(Ipv4Addr::from(last).into())
        }
        IpAddr::V6(address) => {
            let last = u128::from(address).checked_sub(1)?;
            Some(Ipv6Addr::from(last).into())
        }
    }
}

/// The prefixes that the edges of one set make. An edge without its other one makes nothing, but the start of the last.
pub(super) fn prefixes(mut keys: Vec<Key>) -> Vec<Element> {
    keys.sort_by_key(|key| (key.address, key.edge));
    let mut found = Vec::new();
    let mut keys = keys.into_iter().peekable();
    while let Some(key) = keys.next() {
        if key.edge == Edge::End {
            continue;
        }
        let last = match keys.peek() {
            Some(end) if end.edge == Edge::End => before(end.address),
            Some(_) => None,
            None => Some(match key.address {
                IpAddr::V4(_) => Ipv4Addr::BROADCAST.into(),
                IpAddr::V6(_) => Ipv6Addr::from(u128::MAX).into(),
            }),
        };
        let subnets = last
            .map(|last| subnets(key.address, last))
            .unwrap_or_default();
        found.extend(subnets.into_iter().map(|target| Element {
            target,
            left: key.left,
            scope: Scope::All,
        }));
    }
    found
}

fn subnets(first: IpAddr, last: IpAddr) -> Vec<IpNet> {
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            Ipv4Subnets::new(first, last, 0).map(IpNet::V4).collect()
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            Ipv6Subnets::new(first, last, 0).map(IpNet::V6).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn element(net: &str, seconds: Option<u64>) -> Element {
        Element {
            target: net.parse().unwrap(),
            left: seconds.map(Duration::from_secs),
            scope: Scope::All,
        }
    }

    fn there_and_back(given: &[Element]) -> Vec<Element> {
        let edges = intervals(given.iter().copied());
        let back = edges.into_iter().flat_map(|(_, keys)| prefixes(keys));
        back.collect()
    }

    #[test]
    fn a_wider_prefix_covers_the_narrower_and_the_longer_life_of_the_same_counts() {
        let given = [
            element("198.51.100.128/25", Some(9)),
            element("198.51.100.0/24", Some(5)),
            element("198.51.100.0/24", Some(7)),
            element("::ffff:192.0.2.0/120", None),
            element("192.0.2.0/24", Some(3)),
            element("2001:db8::/32", None),
            element("ffff:ffff::/32", Some(1)),
            element("255.255.255.0/24", Some(2)),
        ];
        let expected = [
            element("192.0.2.0/24", None),
            element("198.51.100.0/24", Some(7)),
            element("255.255.255.0/24", Some(2)),
            element("2001:db8::/32", None),
            element("ffff:ffff::/32", Some(1)),
        ];
        assert_eq!(there_and_back(&given), expected);
    }

    #[test]
    fn what_is_proven_within_an_unproven_prefix_is_stopped_whole() {
        let opening = |net: &str| Element {
            scope: Scope::Opening,
            ..element(net, Some(9))
        };
        let given = [
            opening("2001:db8::/64"),
            element("2001:db8::8000:0:0:0/65", Some(9)),
            opening("2001:db8:1::/64"),
            element("2001:db8:1::/48", None),
        ];
        let parts: Vec<String> = unproven(&given)
            .iter()
            .map(|part| format!("{} {}", part.target, part.left.unwrap().as_secs()))
            .collect();
        assert_eq!(parts, ["2001:db8::/65 10"]);
    }

    #[test]
    fn an_expired_host_is_not_made_permanent() {
        let address = Ipv4Addr::new(192, 0, 2, 1).into();
        let key = Key::host(address, Some(Duration::ZERO));
        assert_eq!(key.milliseconds(), Some(10));
        assert_eq!(Key::host(address, None).milliseconds(), None);
    }

    #[test]
    fn the_last_word_on_a_host_counts_whichever_way_it_is_written() {
        let key = |address: &str, seconds| {
            Key::host(address.parse().unwrap(), Some(Duration::from_secs(seconds)))
        };
        let [(_, v4), (_, v6)] =
            hosts([key("::ffff:192.0.2.1", 1), key("192.0.2.1", 2)].into_iter());
        assert_eq!((v4, v6), (vec![key("192.0.2.1", 2)], vec![]));
    }

    proptest! {
        #[test]
        fn every_address_of_a_prefix_is_inside_and_intervals_never_overlap(
            nets in proptest::collection::vec((any::<u32>(), 0_u8..=32), 1..20)
        ) {
            let given: Vec<Element> = nets.iter().map(|&(bits, length)| Element {
                target: IpNet::new(Ipv4Addr::from(bits).into(), length).unwrap().trunc(),
                left: None,
                scope: Scope::All,
            }).collect();
            let back = there_and_back(&given);
            for one in &given {
                let within = back.iter().any(|element| element.target.contains(&one.target));
                prop_assert!(within, "{one:?} in {back:?}");
            }
            for pair in back.windows(2) {
                prop_assert!(pair[0].target.broadcast() < pair[1].target.network());
            }
        }
    }
}
