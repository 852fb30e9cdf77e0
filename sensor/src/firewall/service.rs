//! Services that hosts are kept from, as elements of a set whose keys have four parts: source, destination, protocol, port.
//! What is spared of a service lies between two elements. Nothing here talks to the kernel.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use nftnl::set::SetKey;

use super::ServiceElement;
use super::element::{SHORTEST, after, before};
use super::ruleset::Family;
use contract::record::Scope;

/// Addresses and ports that a host is kept from, all between the first and the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    source: IpAddr,
    addresses: [IpAddr; 2],
    protocol: u8,
    ports: [u16; 2],
    left: Duration,
}

/// Types of the parts of a key as the `nft` program numbers them (`TYPE_IPADDR` and so on), six bits each.
const fn parts(address: u32) -> u32 {
    const PROTOCOL: u32 = 12;
    const SERVICE: u32 = 13;
    ((address << 6 | address) << 6 | PROTOCOL) << 6 | SERVICE
}

/// The type of a key of IPv4.
pub(super) struct Use4;
/// The type of a key of IPv6.
pub(super) struct Use6;

impl SetKey for Use4 {
    const TYPE: u32 = parts(7);
    const LEN: u32 = 16;

    fn data(&self) -> Box<[u8]> {
        Box::default()
    }
}

impl SetKey for Use6 {
    const TYPE: u32 = parts(8);
    const LEN: u32 = 40;

    fn data(&self) -> Box<[u8]> {
        Box::default()
    }
}

impl Span {
    /// The first key and the last.
    pub(super) fn keys(&self) -> [Vec<u8>; 2] {
        [0, 1].map(|end| {
            let mut key = octets(self.source);
            key.extend(octets(self.addresses[end]));
            key.extend([self.protocol, 0, 0, 0]);
            key.extend(self.ports[end].to_be_bytes());
            key.extend([0, 0]);
            key
        })
    }

    /// The timeout as the kernel wants it.
    pub(super) fn milliseconds(&self) -> u64 {
        u64::try_from(self.left.max(SHORTEST).as_millis()).unwrap_or(u64::MAX)
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// What the kernel has to hold for the services of one scope, by family.
pub(super) fn spans(services: &[ServiceElement], scope: Scope) -> [(Family, Vec<Span>); 2] {
    Family::BOTH.map(|family| {
        let is_of = |element: &&ServiceElement| {
            Family::of(element.source) == family && element.scope == scope
        };
        let of = services.iter().filter(is_of);
        (family, of.flat_map(parts_of).collect())
    })
}

/// A service without what is spared of it, in parts.
fn parts_of(element: &ServiceElement) -> Vec<Span> {
    let service = &element.service;
    let all = match Family::of(element.source) {
        Family::V4 => [Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::BROADCAST.into()],
        Family::V6 => [
            Ipv6Addr::UNSPECIFIED.into(),
            Ipv6Addr::from(u128::MAX).into(),
        ],
    };
    let span = |addresses, ports| Span {
        source: element.source,
        addresses,
        protocol: service.protocol,
        ports,
        left: element.left,
    };
    match (service.address, service.port) {
        (Some(address), Some(port)) => vec![span([address; 2], [port; 2])],
        (Some(address), None) => {
            let spared = service.spared.iter().map(|asked| asked.port());
            let step = |port: u16, up| match up {
                true => port.checked_add(1),
                false => port.checked_sub(1),
            };
            let ports = between([0, u16::MAX], spared.collect(), step);
            ports
                .into_iter()
                .map(|ports| span([address; 2], ports))
                .collect()
        }
        (None, port) => {
            let ports = port.map_or([0, u16::MAX], |port| [port; 2]);
            let spared = service.spared.iter().map(|asked| asked.ip());
            let step = |address, up| match up {
                true => after(address),
                false => before(address),
            };
            let addresses = between(all, spared.collect(), step);
            addresses
                .into_iter()
                .map(|addresses| span(addresses, ports))
                .collect()
        }
    }
}

/// The parts of a range that lie between these members of it; `step` is the next one up or down.
fn between<T: Copy + Ord>(
    [first, last]: [T; 2],
    mut spared: Vec<T>,
    step: impl Fn(T, bool) -> Option<T>,
) -> Vec<[T; 2]> {
    spared.sort_unstable();
    let mut parts = Vec::new();
    let mut from = Some(first);
    for one in spared {
        if let (Some(from), Some(to)) = (from, step(one, false))
            && from <= to
        {
            parts.push([from, to]);
        }
        from = from.max(step(one, true)).filter(|_| one < last);
    }
    parts.extend(from.map(|from| [from, last]));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(port: u16, up: bool) -> Option<u16> {
        match up {
            true => port.checked_add(1),
            false => port.checked_sub(1),
        }
    }

    #[test]
    fn what_is_spared_lies_between_the_parts() {
        let of = |spared: &[u16]| between([0, u16::MAX], spared.to_vec(), step);
        assert_eq!(of(&[]), [[0, 65_535]]);
        assert_eq!(of(&[443, 80]), [[0, 79], [81, 442], [444, 65_535]]);
        assert_eq!(of(&[0, 1, 65_535]), [[2, 65_534]]);
        assert_eq!(of(&[22, 22]), [[0, 21], [23, 65_535]]);
    }
}
