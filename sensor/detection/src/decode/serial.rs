//! Lines between two ends: PPP, HDLC, frame relay, ATM, SLIP.
//! A frame that an option compressed or split is no IP packet any more.

use etherparse::EtherType;

use super::Undecodable;
use super::ethertype::{MPLS, MPLS_MULTICAST};
use super::link::{Layer, Step, may_be_ip, snap, split, typed};

/// A PPP frame, with or without address and control bytes, its protocol in two bytes or, compressed, in one
/// (RFC 1661 section 6.5).
pub(super) fn ppp(bytes: &[u8]) -> Step<'_> {
    let bytes = match bytes {
        [0xff, 0x03, rest @ ..] => rest,
        _ => bytes,
    };
    let (protocol, rest) = match bytes {
        [protocol, rest @ ..] if protocol & 1 == 1 => (u16::from(*protocol), rest),
        [high, low, rest @ ..] => (u16::from_be_bytes([*high, *low]), rest),
        _ => return Err(Undecodable::Cut),
    };
    match protocol {
        0x0021 => Ok((Layer::Type(EtherType::IPV4), rest)),
        0x0057 => Ok((Layer::Type(EtherType::IPV6), rest)),
        0x0281 => Ok((Layer::Type(MPLS), rest)),
        0x0283 => Ok((Layer::Type(MPLS_MULTICAST), rest)),
        0x0031 => bridged(rest),
        0x003d => multilink(rest),
        0x0053 | 0x00fd => Err(Undecodable::Encrypted),
        _ => Err(Undecodable::NotIp),
    }
}

/// A bridged frame (RFC 3518): flags, the kind of network, and perhaps its number.
fn bridged(bytes: &[u8]) -> Step<'_> {
    let (&[flags, kind], rest) = split::<2>(bytes)?;
    let number = if flags & 0x40 == 0 { 0 } else { 4 };
    match kind {
        1 => Ok((Layer::Ethernet, rest.get(number..).ok_or(Undecodable::Cut)?)),
        _ => Err(Undecodable::NotIp),
    }
}

/// The first fragment of a bundle's packet (RFC 1990), which is the whole where the end bit is set, too. The header has
/// four bytes, or two where both ends agreed; the packet's own protocol tells which.
fn multilink(bytes: &[u8]) -> Step<'_> {
    let (&[flags, _], short) = split::<2>(bytes)?;
    if flags & 0x80 == 0 {
        return Err(Undecodable::Fragment);
    }
    let is_packet = |rest: &[u8]| matches!(rest, [0x21 | 0x57, ..] | [0, 0x21 | 0x57, ..]);
    match split::<2>(short) {
        Ok((_, long)) if is_packet(long) => Ok((Layer::Ppp, long)),
        _ => Ok((Layer::Ppp, short)),
    }
}

/// Cisco's framing has an ethertype where PPP in HDLC framing has its protocol.
pub(super) fn cisco_hdlc(bytes: &[u8]) -> Step<'_> {
    match bytes {
        [0xff, 0x03, ..] => Ok((Layer::Ppp, bytes)),
        _ => typed(bytes, 2),
    }
}

/// A serial line's PPP, unless the address byte is one of Cisco's two.
pub(super) fn ppp_serial(bytes: &[u8]) -> Step<'_> {
    match bytes {
        [0x0f | 0x8f, ..] => typed(bytes, 2),
        _ => Ok((Layer::Ppp, bytes)),
    }
}

/// A Q.922 address of two to four bytes, the last with its low bit set; then RFC 2427's control and protocol bytes, or
/// Cisco's ethertype.
pub(super) fn frame_relay(bytes: &[u8]) -> Step<'_> {
    let end = bytes.iter().take(4).position(|byte| byte & 1 == 1);
    let rest = match end {
        Some(last @ 1..) => bytes.get(last + 1..).unwrap_or_default(),
        _ if bytes.len() < 4 => return Err(Undecodable::Cut),
        _ => return Err(Undecodable::NotIp),
    };
    match rest {
        // A zero may pad the protocol to an even place.
        [0x03, 0, protocol, rest @ ..] | [0x03, protocol, rest @ ..] => match protocol {
            0xcc => Ok((Layer::Type(EtherType::IPV4), rest)),
            0x8e => Ok((Layer::Type(EtherType::IPV6), rest)),
            0xcf => Ok((Layer::Ppp, rest)),
            0x80 => snap(rest, 0),
            _ => Err(Undecodable::NotIp),
        },
        _ => typed(rest, 0),
    }
}

/// FRF.16.1: two bytes of sequence before the first fragment, or the whole, of a frame.
pub(super) fn multilink_frame_relay(bytes: &[u8]) -> Step<'_> {
    let (&[flags, _], rest) = split::<2>(bytes)?;
    match flags {
        // Control of the bundle.
        flags if flags & 0x20 != 0 => Err(Undecodable::NotIp),
        flags if flags & 0x80 != 0 => Ok((Layer::FrameRelay, rest)),
        _ => Err(Undecodable::Fragment),
    }
}

/// Direction and traffic type, path and channel, then what the type says.
pub(super) fn sun_atm(bytes: &[u8]) -> Step<'_> {
    let (&[flags, ..], rest) = split::<4>(bytes)?;
    match flags & 0x0f {
        // LAN emulation, with two bytes of the client's number.
        1 => Ok((Layer::Ethernet, split::<2>(rest)?.1)),
        2 => Ok((Layer::Llc, rest)),
        _ if may_be_ip(rest) => Ok((Layer::Ip, rest)),
        _ => Err(Undecodable::NotIp),
    }
}

/// Sixteen bytes of direction and compression, which some tools leave out.
pub(super) fn slip(bytes: &[u8]) -> Step<'_> {
    if may_be_ip(bytes) {
        return Ok((Layer::Ip, bytes));
    }
    Ok((Layer::Ip, split::<16>(bytes)?.1))
}
