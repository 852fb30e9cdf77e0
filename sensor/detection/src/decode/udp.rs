//! Tunnels over UDP, one reader each. A port alone may be anybody's, so the fixed bits are checked.
//! What does not follow the carrier's own specification is an ordinary packet.

use etherparse::{EtherType, UdpHeaderSlice};

use super::ethertype::{MPLS, is_frame, next_protocol};
use super::link::{Layer, may_be_ip, split};
use super::ports::{Carrier, Ports};
use super::tunnel::Inside;
use super::{TagKind, wireless};
use crate::frame::LinkType;

/// Extension headers of one GTP-U packet that are followed; networks send two.
const MAX_EXTENSIONS: usize = 8;
/// Tags of one TZSP packet that are followed; a sniffer sends some ten.
const MAX_TAGS: usize = 32;

pub(super) fn inside<'a>(bytes: &'a [u8], ports: &Ports) -> Option<Inside<'a>> {
    let header = UdpHeaderSlice::from_slice(bytes).ok()?;
    let rest = bytes.get(header.slice().len()..)?;
    match ports.carrier(header.source_port(), header.destination_port())? {
        Carrier::Vxlan => vxlan(rest),
        Carrier::VxlanGpe => vxlan_gpe(rest),
        Carrier::Geneve => geneve(rest),
        Carrier::Gtp => gtp(rest),
        Carrier::L2tp => l2tp(rest),
        Carrier::Teredo => teredo(rest),
        Carrier::Capwap => capwap(rest),
        Carrier::Tzsp => tzsp(rest),
        Carrier::Lisp => lisp(rest),
        Carrier::Mpls => Some(found(Layer::Type(MPLS), rest, TagKind::IpInIp, 0)),
    }
}

fn found(layer: Layer, bytes: &[u8], kind: TagKind, id: u32) -> Inside<'_> {
    Inside {
        layer,
        bytes,
        kind,
        id,
        cut: false,
    }
}

/// The I flag, alone or with the G flag of the group policy extension; the other bits are ignored, as RFC 7348 says.
fn vxlan(bytes: &[u8]) -> Option<Inside<'_>> {
    match split::<8>(bytes).ok()? {
        (&[0x08 | 0x88, _, _, _, a, b, c, _], frame) => {
            let id = u32::from_be_bytes([0, a, b, c]);
            Some(found(Layer::Ethernet, frame, TagKind::Vxlan, id))
        }
        _ => None,
    }
}

/// Version 0 and no operations packet; without the P flag the inside is Ethernet.
fn vxlan_gpe(bytes: &[u8]) -> Option<Inside<'_>> {
    let (&[flags, _, _, next, a, b, c, _], rest) = split::<8>(bytes).ok()?;
    if flags & 0x31 != 0 {
        return None;
    }
    let layer = match flags & 0x04 {
        0 => Layer::Ethernet,
        _ => next_protocol(next).ok()?,
    };
    let id = match flags & 0x08 {
        0 => 0,
        _ => u32::from_be_bytes([0, a, b, c]),
    };
    Some(found(layer, rest, TagKind::Vxlan, id))
}

/// Version 0 and no control packet; the six low bits are the length of the options in words.
fn geneve(bytes: &[u8]) -> Option<Inside<'_>> {
    let (&[first, control, high, low, a, b, c, _], rest) = split::<8>(bytes).ok()?;
    if first > 0x3f || control & 0x80 != 0 {
        return None;
    }
    let layer = Layer::Type(EtherType(u16::from_be_bytes([high, low])));
    let id = u32::from_be_bytes([0, a, b, c]);
    let rest = rest.get(usize::from(first) * 4..)?;
    Some(found(layer, rest, TagKind::Geneve, id))
}

/// A G-PDU of version 1. Four optional bytes are there if any of the three flags is set; each extension gives its length
/// in words and, last, the type of the next.
fn gtp(bytes: &[u8]) -> Option<Inside<'_>> {
    let (&[flags, kind, ..], mut rest) = split::<8>(bytes).ok()?;
    if flags >> 4 != 3 || kind != 0xff {
        return None;
    }
    if flags & 0x07 != 0 {
        let (&[_, _, _, mut next], behind) = split::<4>(rest).ok()?;
        rest = behind;
        if flags & 0x04 == 0 {
            next = 0;
        }
        for _ in 0..MAX_EXTENSIONS {
            if next == 0 {
                break;
            }
            let length = usize::from(*rest.first()?) * 4;
            next = *rest.get(length.checked_sub(1)?)?;
            rest = rest.get(length..)?;
        }
        if next != 0 {
            return None;
        }
    }
    let layer = match rest {
        [0xff, 0x03, ..] => Layer::Ppp,
        _ if may_be_ip(rest) => Layer::Ip,
        // A session of kind Ethernet.
        _ if is_frame(rest) => Layer::Ethernet,
        _ => return None,
    };
    Some(found(layer, rest, TagKind::Gtp, 0))
}

/// A data message of version 2: length, sequence numbers and offset are there where their bits say so. Version 3 says
/// neither how long its cookie is nor what follows; where Ethernet shows behind one of its sizes, it is that.
fn l2tp(bytes: &[u8]) -> Option<Inside<'_>> {
    let (&[flags, version], mut rest) = split::<2>(bytes).ok()?;
    if flags & 0x80 != 0 {
        return None;
    }
    match version & 0x0f {
        2 => {}
        3 => return l2tp_3(bytes.get(4..)?),
        _ => return None,
    }
    // Length; tunnel and session; both sequence numbers.
    rest = rest.get(if flags & 0x40 != 0 { 6 } else { 4 }..)?;
    if flags & 0x08 != 0 {
        rest = split::<4>(rest).ok()?.1;
    }
    if flags & 0x02 != 0 {
        let (&offset, behind) = split::<2>(rest).ok()?;
        rest = behind.get(usize::from(u16::from_be_bytes(offset))..)?;
    }
    Some(found(Layer::Ppp, rest, TagKind::L2tp, 0))
}

/// L2TP version 3 from its session identifier on (RFC 3931): a cookie of 0, 4 or 8 bytes, perhaps four of a sublayer.
pub(super) fn l2tp_3(bytes: &[u8]) -> Option<Inside<'_>> {
    let (session, rest) = split::<4>(bytes).ok()?;
    // Session 0 is the control channel.
    if *session == [0; 4] {
        return None;
    }
    let places = [0, 4, 8, 12].into_iter().filter_map(|at| rest.get(at..));
    let mut frames = places.clone().filter(|rest| is_frame(rest));
    let mut packets = places.filter(|rest| may_be_ip(rest));
    match (frames.next(), packets.next()) {
        (Some(frame), _) => Some(found(Layer::Ethernet, frame, TagKind::L2tp, 0)),
        (None, Some(packet)) => Some(found(Layer::Ip, packet, TagKind::L2tp, 0)),
        (None, None) => None,
    }
}

/// IPv6, perhaps behind an authentication indicator and an origin indicator (RFC 4380 section 5.1.1).
fn teredo(bytes: &[u8]) -> Option<Inside<'_>> {
    let mut rest = bytes;
    if let [0, 1, identifier, value, behind @ ..] = rest {
        // Nonce and confirmation are nine bytes.
        rest = behind.get(usize::from(*identifier) + usize::from(*value) + 9..)?;
    }
    if let [0, 0, _, _, _, _, _, _, behind @ ..] = rest {
        rest = behind;
    }
    let layer = Layer::Type(EtherType::IPV6);
    (may_be_ip(rest)).then(|| found(layer, rest, TagKind::Teredo, 0))
}

/// A header whose length in words says whether optional fields are there; then Ethernet, or 802.11 where the T bit is
/// set (RFC 5415 section 4.3, RFC 5416).
fn capwap(bytes: &[u8]) -> Option<Inside<'_>> {
    let (&[preamble, length, binding, flags, _, _, offset, more], _) = split::<8>(bytes).ok()?;
    let words = usize::from(length >> 3);
    let later = flags & 0x80 != 0 && u16::from_be_bytes([offset, more]) >> 3 != 0;
    // Version 0 and no DTLS; no later fragment, no keep-alive.
    if preamble != 0 || words < 2 || later || flags & 0x08 != 0 {
        return None;
    }
    let rest = bytes.get(words * 4..)?;
    let (layer, bytes) = match binding & 1 {
        0 => (Layer::Ethernet, rest),
        _ => wireless::maybe_swapped(rest).ok()?,
    };
    Some(Inside {
        cut: flags & 0x80 != 0,
        ..found(layer, bytes, TagKind::Capwap, 0)
    })
}

/// Version 1, a received packet or one to send, the kind of frame, and tags: 0 pads, 1 ends, the others have a length.
fn tzsp(bytes: &[u8]) -> Option<Inside<'_>> {
    let (&[version, kind, high, low], mut rest) = split::<4>(bytes).ok()?;
    if version != 1 || kind > 1 {
        return None;
    }
    let layer = match u16::from_be_bytes([high, low]) {
        1 => Layer::Ethernet,
        2 => Layer::Link(LinkType::TokenRing),
        4 => Layer::Ppp,
        5 => Layer::Link(LinkType::Fddi),
        7 => Layer::Ip,
        18 => Layer::Dot11 { padded: false },
        119 => Layer::Link(LinkType::Prism),
        127 => Layer::Link(LinkType::Avs),
        _ => return None,
    };
    for _ in 0..MAX_TAGS {
        rest = match rest {
            [0, behind @ ..] => behind,
            [1, frame @ ..] => return Some(found(layer, frame, TagKind::Mirror, 0)),
            [_, length, behind @ ..] => behind.get(usize::from(*length)..)?,
            _ => return None,
        };
    }
    None
}

/// Eight bytes of header; the I flag says that an instance is in them.
fn lisp(bytes: &[u8]) -> Option<Inside<'_>> {
    let (&[flags, _, _, _, a, b, c, _], rest) = split::<8>(bytes).ok()?;
    let id = match flags & 0x08 {
        0 => 0,
        _ => u32::from_be_bytes([0, a, b, c]),
    };
    may_be_ip(rest).then(|| found(Layer::Ip, rest, TagKind::Lisp, id))
}
