//! Floods from many forged sources, as frames: hosts can only speak for themselves.
//! Real servers answer them, and the answers go nowhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::frames::{Frame, SYN, Segment, TCP, UDP, packet, tcp, udp};
use super::topology::Family;

/// What each packet of the flood is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A first TCP segment to this port.
    Syn(u16),
    /// A datagram of this many bytes to this port.
    Udp(u16, usize),
    /// An answer nobody asked for, from this port, of this many bytes.
    Reflection(u16, usize),
}

/// A flood, as a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flood {
    pub(crate) kind: Kind,
    /// Sources it pretends to have.
    pub(crate) sources: u16,
    pub(crate) packets: u32,
    /// Packets a second.
    pub(crate) rate: u32,
}

impl Flood {
    /// The packets towards `victim`; the first leaves at time zero.
    pub(crate) fn frames(self, victim: IpAddr, seed: u64) -> Vec<Frame> {
        let mut random = fastrand::Rng::with_seed(seed);
        let family = if victim.is_ipv4() {
            Family::V4
        } else {
            Family::V6
        };
        (0..self.packets)
            .map(|n| {
                let ends = (self.source(family, random.u16(..self.sources)), victim);
                let bytes = self.bytes(ends, &mut random);
                // Sent at random moments within their slots, so that the pace is no comb.
                let slot = u64::from(n) * 1_000_000 / u64::from(self.rate);
                let jitter = random.u64(..1_000_000 / u64::from(self.rate));
                Frame::new(slot + jitter, bytes)
            })
            .collect()
    }

    fn bytes(self, ends: (IpAddr, IpAddr), random: &mut fastrand::Rng) -> Vec<u8> {
        let from = random.u16(1_024..);
        match self.kind {
            Kind::Syn(port) => {
                let says = Segment {
                    seq: random.u32(..),
                    ack: 0,
                    flags: SYN,
                };
                packet(ends, TCP, &tcp(ends, (from, port), says, &[]))
            }
            Kind::Udp(port, length) => {
                packet(ends, UDP, &udp(ends, (from, port), &vec![b'u'; length]))
            }
            Kind::Reflection(port, length) => {
                packet(ends, UDP, &udp(ends, (port, from), &vec![b'r'; length]))
            }
        }
    }
}

/// The last byte of the first forged source in the attackers' own network.
const FIRST: u8 = 64;

/// Forged sources that fit into the attackers' own network.
const FEW: u16 = 190;

impl Flood {
    /// The prefix every forged source comes from.
    pub(crate) fn prefix(self, family: Family) -> &'static str {
        match family {
            Family::V4 if self.sources <= FEW => "203.0.113.0/24",
            // Kept for benchmarks (RFC 2544): documentation networks have too few addresses.
            Family::V4 => "198.18.0.0/15",
            Family::V6 => "2001:db8:f::/48",
        }
    }

    /// Whether `address` is one of its sources.
    pub(crate) fn pretends(self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) if self.sources <= FEW => {
                v4.octets()[..3] == [203, 0, 113] && v4.octets()[3] >= FIRST
            }
            IpAddr::V4(v4) => v4.octets()[..2] == [198, 18],
            IpAddr::V6(v6) => v6.segments()[..3] == [0x2001, 0xdb8, 0xf],
        }
    }

    fn source(self, family: Family, number: u16) -> IpAddr {
        let [high, low] = number.to_be_bytes();
        match family {
            Family::V4 if self.sources <= FEW => Ipv4Addr::new(203, 0, 113, FIRST + low).into(),
            Family::V4 => Ipv4Addr::new(198, 18, high, low).into(),
            Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0xf, 0, 0, 0, 0, number).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_sources_stay_in_the_attackers_network() {
        let flood = Flood {
            kind: Kind::Syn(80),
            sources: FEW,
            packets: 4_000,
            rate: 100,
        };
        let last = flood.source(Family::V4, FEW - 1);
        assert_eq!(last, IpAddr::from([203, 0, 113, 253]));
        let frames = flood.frames(IpAddr::from([192, 0, 2, 11]), 7);
        let sources: Vec<_> = frames.iter().filter_map(Frame::source).collect();
        assert_eq!(sources.len(), 4_000);
        assert!(sources.iter().all(|source| flood.pretends(*source)));
        assert!(frames.is_sorted_by_key(|frame| frame.at));
    }
}
