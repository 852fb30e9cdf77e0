//! The outer IP packet of a tunnel: its ends, and where what it carries begins.
//! It is read for nothing else; the meter's own parser reads the innermost one.

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::IpNumber;

use super::TunnelEnds;

/// Extension headers that are followed; RFC 8200 section 4.1 lists seven, and no sane sender sends more.
const MAX_EXTENSIONS: usize = 8;

/// Which part of a packet this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fragment {
    Whole,
    First,
    Later,
}

/// An IP packet that may carry another.
pub(super) struct OuterPacket<'a> {
    pub(super) ends: TunnelEnds,
    /// Behind all extension headers.
    pub(super) protocol: IpNumber,
    /// From that protocol's header to the end of the packet, or of what was captured of it.
    pub(super) payload: &'a [u8],
    pub(super) fragment: Fragment,
}

impl<'a> OuterPacket<'a> {
    /// Reads a packet of either version; nothing if it ends inside a header. A length that contradicts the bytes at hand
    /// is not believed.
    pub(super) fn read(ip: &'a [u8]) -> Option<Self> {
        match ip.first()? >> 4 {
            4 => Self::v4(ip),
            6 => Self::v6(ip),
            _ => None,
        }
    }

    fn v4(ip: &'a [u8]) -> Option<Self> {
        let header = ip.first_chunk::<20>()?;
        let length = usize::from(header[0] & 0xf) * 4;
        let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if length < 20 {
            return None;
        }
        let end = match total {
            total if total < length => ip.len(),
            total => total.min(ip.len()),
        };
        let offset = u16::from_be_bytes([header[6], header[7]]);
        let [.., a, b, c, d, e, f, g, h] = *header;
        let packet = Self {
            ends: TunnelEnds {
                source: Ipv4Addr::new(a, b, c, d).into(),
                destination: Ipv4Addr::new(e, f, g, h).into(),
            },
            protocol: IpNumber(header[9]),
            payload: ip.get(length..end)?,
            fragment: fragment(offset & 0x1fff, offset & 0x2000 != 0),
        };
        packet.behind_extensions()
    }

    fn v6(ip: &'a [u8]) -> Option<Self> {
        let (header, rest) = ip.split_first_chunk::<40>()?;
        let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let end = match length {
            0 => rest.len(),
            length => length.min(rest.len()),
        };
        let address = |at: usize| -> Option<Ipv6Addr> {
            let octets = header.get(at..)?.first_chunk::<16>()?;
            Some(Ipv6Addr::from(*octets))
        };
        let packet = Self {
            ends: TunnelEnds {
                source: address(8)?.into(),
                destination: address(24)?.into(),
            },
            protocol: IpNumber(header[6]),
            payload: rest.get(..end)?,
            fragment: Fragment::Whole,
        };
        packet.behind_extensions()
    }

    /// Skips extension headers (RFC 8200 section 4): hop-by-hop, routing, destination options, mobility, HIP and shim6 are
    /// alike; in IPv4 it is the authentication header.
    fn behind_extensions(mut self) -> Option<Self> {
        for _ in 0..=MAX_EXTENSIONS {
            if self.fragment == Fragment::Later {
                return Some(self);
            }
            let length = match (self.protocol, self.payload) {
                (IpNumber::AUTHENTICATION_HEADER, [_, words, ..]) => (usize::from(*words) + 2) * 4,
                (IpNumber::IPV6_FRAGMENTATION_HEADER, [_, _, high, low, ..]) => {
                    let offset = u16::from_be_bytes([*high, *low]);
                    self.fragment = fragment(offset >> 3, offset & 1 == 1);
                    8
                }
                (IpNumber(0 | 43 | 60 | 135 | 139 | 140), [_, units, ..]) => {
                    (usize::from(*units) + 1) * 8
                }
                _ => return Some(self),
            };
            self.protocol = IpNumber(*self.payload.first()?);
            self.payload = self.payload.get(length..)?;
        }
        None
    }
}

const fn fragment(offset: u16, more: bool) -> Fragment {
    match (offset, more) {
        (0, false) => Fragment::Whole,
        (0, true) => Fragment::First,
        _ => Fragment::Later,
    }
}
