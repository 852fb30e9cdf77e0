//! From a captured frame to the IP packet in it: link layers, tags and tunnels are peeled and remembered.
//! The packet itself is not parsed here; the meter's own parser does, in the kernel as in user space.

mod cooked;
mod ethertype;
mod gre;
mod link;
pub(crate) mod nflog;
mod outer;
mod ports;
mod serial;
mod tag;
mod tunnel;
mod udp;
mod vendor;
mod wireless;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::IpNet;

use crate::frame::{Frame, LinkType};

pub use ports::{Carrier, Ports};
pub use tag::{Tag, TagKind};

/// An IP packet found in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InnerPacket<'a> {
    /// From the IP header on, as captured: it may be cut by the snap length or followed by padding.
    /// Not empty, and its first four bits say 4 or 6; nothing else is checked.
    pub ip: &'a [u8],
    /// Length on the wire in bytes from that header on, padding included.
    pub wire_len: u32,
    /// The VLAN or tunnel it came through, part of its flow's key.
    pub tag: Tag,
    /// The endpoints of the outermost tunnel it came through.
    pub tunnel: Option<TunnelEnds>,
    /// The mirror that copied it here, and to whom: the packet itself was on somebody else's wire.
    pub mirror: Option<TunnelEnds>,
    /// Whether its carrier may have cut it: then its own length is what was on the wire.
    cut: bool,
    /// Whether the capture has lost the outer one of two VLANs.
    pub lost_vlan: bool,
}

/// Who carries a tunnel: the addresses really on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TunnelEnds {
    /// Sender of the outer packet.
    pub source: IpAddr,
    /// Receiver of the outer packet.
    pub destination: IpAddr,
}

impl TunnelEnds {
    /// The same tunnel in the other direction.
    pub const fn reversed(self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
        }
    }
}

/// Where tunnels are looked for, and which of them are mirrors.
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    ports: Ports,
    mirrors: Vec<IpNet>,
}

/// What [`decode`] uses.
static DEFAULT: LazyLock<Decoder> = LazyLock::new(Decoder::default);

/// Finds the innermost IP packet of a frame, with the ports that the standards name and without a mirror.
pub fn decode<'a>(frame: &Frame<'a>) -> Result<InnerPacket<'a>, Undecodable> {
    DEFAULT.decode(frame)
}

impl Decoder {
    /// Tunnels at these ports; those whose sender lies in `mirrors` carry copies of somebody else's traffic.
    pub fn new(ports: Ports, mirrors: &[IpNet]) -> Self {
        Self {
            ports,
            mirrors: mirrors.to_vec(),
        }
    }

    /// Finds the innermost IP packet of a frame.
    ///
    /// A tunnel whose inside is not a readable IP packet is not peeled: what is on the wire is then an
    /// ordinary packet between its endpoints, and is metered as such.
    #[inline]
    pub fn decode<'a>(&self, frame: &Frame<'a>) -> Result<InnerPacket<'a>, Undecodable> {
        let (ip, tag) = link::peel(frame)?;
        let outer = InnerPacket {
            ip,
            wire_len: wire_len(frame, ip),
            tag,
            tunnel: None,
            mirror: None,
            cut: false,
            lost_vlan: frame.link_type == LinkType::LinuxCooked2 && cooked::lost_a_tag(frame, ip),
        };
        if !tunnel::is_likely(ip, self) {
            return Ok(outer);
        }
        let inner = tunnel::peel(outer, self)?;
        let wire_len = wire_len(frame, inner.ip);
        Ok(InnerPacket {
            wire_len: match inner.cut {
                true => wire_len.max(claimed_len(inner.ip)),
                false => wire_len,
            },
            ..inner
        })
    }

    /// Whether a mirror sends from this address.
    fn is_mirror(&self, sender: IpAddr) -> bool {
        let sender = sender.to_canonical();
        self.mirrors.iter().any(|net| net.contains(&sender))
    }

    /// The same of an IP packet's sender.
    fn is_mirror_of(&self, ip: &[u8]) -> bool {
        match ip {
            [first, ..] if first >> 4 == 4 => match ip.get(12..16) {
                Some(&[a, b, c, d]) => self.is_mirror(Ipv4Addr::new(a, b, c, d).into()),
                _ => false,
            },
            _ => match ip.get(8..24).and_then(<[u8]>::first_chunk::<16>) {
                Some(octets) => self.is_mirror(Ipv6Addr::from(*octets).into()),
                None => false,
            },
        }
    }
}

/// The length that an IP packet says of itself.
fn claimed_len(ip: &[u8]) -> u32 {
    let at = |at: usize| match ip.get(at..at + 2) {
        Some(&[high, low]) => u32::from(u16::from_be_bytes([high, low])),
        _ => 0,
    };
    match ip {
        [first, ..] if first >> 4 == 4 => at(2),
        _ => 40 + at(4),
    }
}

/// Bytes on the wire from `part` to the end of `frame`, of which `part` is a piece.
fn wire_len(frame: &Frame<'_>, part: &[u8]) -> u32 {
    let peeled = part.as_ptr().addr() - frame.bytes.as_ptr().addr();
    frame.wire_len.saturating_sub(peeled as u32)
}

/// Why a frame yields no IP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Undecodable {
    /// It carries something else: ARP, LLDP, spanning tree, 802.3 LLC, industrial protocols.
    NotIp,
    /// It ends inside a link layer header, or where the IP header should begin.
    Cut,
    /// What claims to be IP begins with neither version 4 nor 6, or with the other one.
    IpVersion,
    /// More link layer headers, or MPLS labels, than any network stacks.
    TooDeep,
    /// The interface has a link type without a decoder, beside others that have one.
    LinkType,
    /// Its payload is encrypted below IP: Wi-Fi, MACsec, PPP.
    Encrypted,
    /// The link layer has split the packet, and this is not its beginning.
    Fragment,
    /// A mirror's copy of something else, or not the beginning of a copy.
    Mirrored,
}

impl Undecodable {
    /// Every cause, in the order of the counters.
    pub const ALL: [Undecodable; 8] = [
        Undecodable::NotIp,
        Undecodable::Cut,
        Undecodable::IpVersion,
        Undecodable::TooDeep,
        Undecodable::LinkType,
        Undecodable::Encrypted,
        Undecodable::Fragment,
        Undecodable::Mirrored,
    ];

    /// The name under which the cause is counted and printed.
    pub const fn name(self) -> &'static str {
        match self {
            Undecodable::NotIp => "not-ip",
            Undecodable::Cut => "cut-link-header",
            Undecodable::IpVersion => "wrong-ip-version",
            Undecodable::TooDeep => "too-many-link-headers",
            Undecodable::LinkType => "unknown-link-type",
            Undecodable::Encrypted => "encrypted-below-ip",
            Undecodable::Fragment => "link-fragment",
            Undecodable::Mirrored => "mirrored-not-ip",
        }
    }
}

/// Frames without an IP packet, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DecodeCounters([u64; Undecodable::ALL.len()]);

impl DecodeCounters {
    /// Counts one frame.
    pub fn count(&mut self, cause: Undecodable) {
        if let Some(counter) = self.0.get_mut(cause as usize) {
            *counter = counter.saturating_add(1);
        }
    }

    /// Every cause with its count, zeros included.
    pub fn iter(&self) -> impl Iterator<Item = (Undecodable, u64)> {
        Undecodable::ALL.into_iter().zip(self.0)
    }

    /// Frames counted, whatever the cause.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}
