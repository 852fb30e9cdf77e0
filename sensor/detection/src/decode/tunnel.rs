//! Tunnels: from an outer IP packet to the one it carries.
//! What cannot be read to an inner IP header stays unpeeled; that decision is made here, never an error.

use etherparse::{EtherType, IpNumber, Ipv6ExtensionSlice, LaxIpSlice, UdpHeaderSlice};

use super::{
    Outer, Peeled, TagKind,
    link::{self, MPLS, TRANSPARENT_ETHERNET, split},
};

/// Tunnels entered in one frame. Overlays over a site-to-site tunnel make two, a virtual machine's own
/// VPN three; deeper nesting is a way to hide or to burn time, and is metered as the fourth level's flow.
const MAX_TUNNELS: usize = 4;

/// UDP destination port of VXLAN (RFC 7348).
const VXLAN_PORT: u16 = 4789;
/// UDP destination port of Geneve (RFC 8926).
const GENEVE_PORT: u16 = 6081;

/// MPLS in IP (RFC 4023).
const MPLS_IN_IP: IpNumber = IpNumber(137);

/// Answers in a few instructions for nearly every packet that it is no tunnel; a yes is to be checked.
#[inline]
pub(super) fn is_likely(ip: &[u8]) -> bool {
    let (protocol, header_len) = match ip {
        [first, ..] if first >> 4 == 4 => (ip.get(9), usize::from(first & 0xf) * 4),
        _ => (ip.get(6), 40),
    };
    match protocol.copied().map(IpNumber) {
        Some(IpNumber::TCP | IpNumber::ICMP | IpNumber::IPV6_ICMP) | None => false,
        Some(IpNumber::UDP) => match ip.get(header_len + 2..header_len + 4) {
            Some(&[high, low]) => {
                matches!(u16::from_be_bytes([high, low]), VXLAN_PORT | GENEVE_PORT)
            }
            _ => false,
        },
        Some(IpNumber::IPV4 | IpNumber::IPV6 | IpNumber::GRE | MPLS_IN_IP) => true,
        // A chain of extension headers: what ends it may be any of the above.
        Some(other) => other.is_ipv6_ext_header_value(),
    }
}

/// Enters tunnels as far as they lead to an IP packet, at most [`MAX_TUNNELS`] deep.
#[cold]
pub(super) fn peel(outer: Peeled<'_>) -> Peeled<'_> {
    let mut packet = outer;
    for _ in 0..MAX_TUNNELS {
        match enter(packet) {
            Some(inner) => packet = inner,
            None => break,
        }
    }
    packet
}

/// What a tunnel header says of what follows it.
struct Inside<'a> {
    ether_type: EtherType,
    bytes: &'a [u8],
    kind: TagKind,
    id: u32,
}

fn enter(packet: Peeled<'_>) -> Option<Peeled<'_>> {
    let (outer, unread) = LaxIpSlice::from_slice(packet.ip).ok()?;
    // Only a packet's first fragment has the headers, and with them enough to find the inner flow.
    if unread.is_some() || is_later_fragment(&outer) {
        return None;
    }
    let inside = inside(outer.payload_ip_number(), outer.payload().payload)?;
    let tag = packet.tag.with(inside.kind, inside.id);
    let (ip, tag) = link::payload(inside.ether_type, inside.bytes, tag).ok()?;
    Some(Peeled {
        ip,
        tag,
        tunnel: packet.tunnel.or(Some(Outer {
            source: outer.source_addr(),
            destination: outer.destination_addr(),
        })),
        ..packet
    })
}

fn is_later_fragment(packet: &LaxIpSlice<'_>) -> bool {
    match packet {
        LaxIpSlice::Ipv4(v4) => v4.header().fragments_offset().value() != 0,
        LaxIpSlice::Ipv6(v6) => v6.extensions().clone().into_iter().any(|extension| {
            matches!(extension, Ipv6ExtensionSlice::Fragment(fragment) if fragment.fragment_offset().value() != 0)
        }),
    }
}

fn inside(protocol: IpNumber, bytes: &[u8]) -> Option<Inside<'_>> {
    let ether_type = match protocol {
        IpNumber::GRE => return gre(bytes),
        IpNumber::UDP => return udp(bytes),
        IpNumber::IPV4 => EtherType::IPV4,
        IpNumber::IPV6 => EtherType::IPV6,
        MPLS_IN_IP => MPLS,
        _ => return None,
    };
    Some(Inside {
        ether_type,
        bytes,
        kind: TagKind::IpInIp,
        id: 0,
    })
}

/// GRE with optional checksum, key and sequence number (RFC 2784, RFC 2890), and PPTP's version 1, which adds an
/// acknowledgment (RFC 2637). The source routes of RFC 1701 were abandoned; ERSPAN's copies of traffic seen
/// elsewhere have an ethertype of their own and stay unpeeled.
fn gre(bytes: &[u8]) -> Option<Inside<'_>> {
    let (&[flags, version, high, low], rest) = split::<4>(bytes).ok()?;
    let pptp = version & 0x07 == 1;
    if flags & 0x40 != 0 || version & 0x07 > 1 {
        return None;
    }
    let mut bytes = rest;
    let mut id = 0;
    if flags & 0x80 != 0 {
        bytes = split::<4>(bytes).ok()?.1;
    }
    if flags & 0x20 != 0 {
        let (key, rest) = split::<4>(bytes).ok()?;
        // PPTP has its payload length here, and a call number that differs by direction.
        id = if pptp { 0 } else { u32::from_be_bytes(*key) };
        bytes = rest;
    }
    for present in [flags & 0x10 != 0, pptp && version & 0x80 != 0] {
        if present {
            bytes = split::<4>(bytes).ok()?.1;
        }
    }
    Some(Inside {
        ether_type: EtherType(u16::from_be_bytes([high, low])),
        bytes,
        kind: TagKind::Gre,
        id,
    })
}

/// The fixed bits are checked, because a port number alone may be anybody's.
fn udp(bytes: &[u8]) -> Option<Inside<'_>> {
    let header = UdpHeaderSlice::from_slice(bytes).ok()?;
    let rest = bytes.get(header.slice().len()..)?;
    match (header.destination_port(), split::<8>(rest).ok()?) {
        // The I flag, alone or with the G flag of the group policy extension.
        (VXLAN_PORT, (&[0x08 | 0x88, _, _, _, a, b, c, 0], bytes)) => Some(Inside {
            ether_type: TRANSPARENT_ETHERNET,
            bytes,
            kind: TagKind::Vxlan,
            id: u32::from_be_bytes([0, a, b, c]),
        }),
        (GENEVE_PORT, (&[first @ ..0x40, _, high, low, a, b, c, 0], rest)) => Some(Inside {
            ether_type: EtherType(u16::from_be_bytes([high, low])),
            // The six low bits are the length of the options in words.
            bytes: rest.get(usize::from(first) * 4..)?,
            kind: TagKind::Geneve,
            id: u32::from_be_bytes([0, a, b, c]),
        }),
        _ => None,
    }
}
