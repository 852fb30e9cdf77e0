//! Tunnels: from an outer IP packet to the one it carries.
//! What cannot be read to an inner IP header stays unpeeled; that decision is made here, never an error.

use etherparse::{EtherType, IpNumber};

use super::ethertype::MPLS;
use super::link::{self, Layer, split};
use super::outer::{Fragment, OuterPacket};
use super::{Decoder, InnerPacket, Tag, TagKind, Undecodable, gre, udp};

/// Tunnels entered in one frame. Overlays over a site-to-site tunnel make two, a virtual machine's own
/// VPN three; deeper nesting is a way to hide or to burn time, and is metered as the fourth level's flow.
const MAX_TUNNELS: usize = 4;

/// Ethernet in IP (RFC 3378), L2TP version 3 (RFC 3931), MPLS in IP (RFC 4023), and Ethernet behind a segment routing
/// header (RFC 8986).
const ETHER_IP: IpNumber = IpNumber(97);
const L2TP_3: IpNumber = IpNumber(115);
const MPLS_IN_IP: IpNumber = IpNumber(137);
const ETHERNET: IpNumber = IpNumber(143);

/// Answers in a few instructions for nearly every packet that it is no tunnel; a yes is to be checked.
#[inline]
pub(super) fn is_likely(ip: &[u8], decoder: &Decoder) -> bool {
    let (protocol, header_len) = match ip {
        [first, ..] if first >> 4 == 4 => (ip.get(9), usize::from(first & 0xf) * 4),
        _ => (ip.get(6), 40),
    };
    match protocol.copied().map(IpNumber) {
        Some(IpNumber::TCP | IpNumber::ICMP | IpNumber::IPV6_ICMP) | None => false,
        Some(IpNumber::UDP) => match ip.get(header_len..header_len + 4) {
            // A later fragment has no ports, and where it comes from a mirror it is no packet of its own.
            Some(&[a, b, c, d]) => {
                let (source, destination) =
                    (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
                decoder.ports.may_carry(source, destination)
                    || !decoder.mirrors.is_empty() && decoder.is_mirror_of(ip)
            }
            _ => false,
        },
        Some(
            IpNumber::IPV4
            | IpNumber::IPV6
            | IpNumber::GRE
            | ETHER_IP
            | L2TP_3
            | MPLS_IN_IP
            | ETHERNET,
        ) => true,
        // A chain of extension headers: what ends it may be any of the above.
        Some(other) => other.is_ipv6_ext_header_value(),
    }
}

/// Enters tunnels as far as they lead to an IP packet, at most [`MAX_TUNNELS`] deep.
///
/// What a mirror sends and is no IP packet inside is an error: the copy is not traffic between mirror and sensor.
#[cold]
pub(super) fn peel<'a>(
    outer: InnerPacket<'a>,
    decoder: &Decoder,
) -> Result<InnerPacket<'a>, Undecodable> {
    let mut packet = outer;
    for _ in 0..MAX_TUNNELS {
        match enter(packet, decoder)? {
            Some(inner) => packet = inner,
            None => break,
        }
    }
    Ok(packet)
}

/// What a tunnel header says of what follows it.
pub(super) struct Inside<'a> {
    pub(super) layer: Layer,
    pub(super) bytes: &'a [u8],
    pub(super) kind: TagKind,
    pub(super) id: u32,
    /// Whether the carrier has cut what it carries, or spread it over several packets.
    pub(super) cut: bool,
}

fn enter<'a>(
    packet: InnerPacket<'a>,
    decoder: &Decoder,
) -> Result<Option<InnerPacket<'a>>, Undecodable> {
    let Some(outer) = OuterPacket::read(packet.ip) else {
        return Ok(None);
    };
    let outermost = packet.tunnel.is_none() && packet.mirror.is_none();
    let is_mirror = outermost && decoder.is_mirror(outer.ends.source);
    // Only a packet's first fragment has the headers, and with them enough to find the inner flow.
    if outer.fragment == Fragment::Later {
        let carrier = matches!(outer.protocol, IpNumber::GRE | IpNumber::UDP);
        return match is_mirror && carrier {
            true => Err(Undecodable::Mirrored),
            false => Ok(None),
        };
    }
    let Some(inside) = inside(outer.protocol, outer.payload, decoder) else {
        return Ok(None);
    };
    let tag = match is_mirror {
        true => Tag::NONE,
        false => packet.tag.with(inside.kind, inside.id),
    };
    let (ip, tag) = match link::descend(inside.layer, inside.bytes, tag) {
        Ok(found) => found,
        Err(_) if is_mirror => return Err(Undecodable::Mirrored),
        Err(_) => return Ok(None),
    };
    let tunnel = packet.tunnel.or(Some(outer.ends));
    Ok(Some(InnerPacket {
        ip,
        tag,
        tunnel: if is_mirror { None } else { tunnel },
        mirror: if is_mirror {
            Some(outer.ends)
        } else {
            packet.mirror
        },
        cut: packet.cut || is_mirror || inside.cut || outer.fragment == Fragment::First,
        ..packet
    }))
}

fn inside<'a>(protocol: IpNumber, bytes: &'a [u8], decoder: &Decoder) -> Option<Inside<'a>> {
    let (layer, bytes) = match protocol {
        IpNumber::GRE => return gre::inside(bytes),
        IpNumber::UDP => return udp::inside(bytes, &decoder.ports),
        L2TP_3 => return udp::l2tp_3(bytes),
        IpNumber::IPV4 => (Layer::Type(EtherType::IPV4), bytes),
        IpNumber::IPV6 => (Layer::Type(EtherType::IPV6), bytes),
        MPLS_IN_IP => (Layer::Type(MPLS), bytes),
        ETHERNET => (Layer::Ethernet, bytes),
        // Version 3, and twelve reserved bits.
        ETHER_IP => match split::<2>(bytes).ok()? {
            (&[0x30, _], frame) => (Layer::Ethernet, frame),
            _ => return None,
        },
        _ => return None,
    };
    Some(Inside {
        layer,
        bytes,
        kind: TagKind::IpInIp,
        id: 0,
        cut: false,
    })
}
