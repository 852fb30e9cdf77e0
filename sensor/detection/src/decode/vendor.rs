//! Headers that one maker's equipment or system puts before a frame.
//! Where such a header does not say what follows, only bytes that may be IP are taken for it.

use etherparse::EtherType;

use super::Undecodable;
use super::link::{Layer, Step, may_be_ip, split};
use crate::frame::LinkType;

/// What Juniper's header begins with.
const JUNIPER: [u8; 3] = [0x4d, 0x47, 0x43];

/// Juniper: flags, perhaps extensions, then what the link type's hardware puts before a packet.
pub(super) fn juniper(number: u16, bytes: &[u8]) -> Step<'_> {
    let (&[a, b, c, flags], rest) = split::<4>(bytes)?;
    if [a, b, c] != JUNIPER {
        return Err(Undecodable::NotIp);
    }
    let rest = if flags & 0x80 == 0 {
        rest
    } else {
        let (&length, rest) = split::<2>(rest)?;
        let length = usize::from(u16::from_be_bytes(length));
        rest.get(length..).ok_or(Undecodable::Cut)?
    };
    // No link layer, but perhaps a family.
    if flags & 0x02 != 0 {
        return find_ip(rest, &[0, 4]);
    }
    match number {
        178 => Ok((Layer::Ethernet, rest)),
        179 => Ok((Layer::Ppp, rest)),
        180 => Ok((Layer::FrameRelay, rest)),
        181 => Ok((Layer::Link(LinkType::CiscoHdlc), rest)),
        167 => Ok((Layer::Ethernet, rest)),
        135 | 137 => atm(rest
            .get(if number == 135 { 8 } else { 4 }..)
            .unwrap_or_default()),
        // A cookie of the services' hardware, or the encryption's security association, comes before IP.
        _ => find_ip(rest, &[0, 4, 8, 12, 16]),
    }
}

/// What ATM hardware hands over: LLC, PPP with or without it, or IP.
fn atm(bytes: &[u8]) -> Step<'_> {
    match bytes {
        [0xaa | 0xfe, 0xaa | 0xfe, 3, ..] => Ok((Layer::Llc, bytes)),
        [0xff, 3, ..] | [0, 0x21 | 0x57, ..] => Ok((Layer::Ppp, bytes)),
        _ => find_ip(bytes, &[0, 1]),
    }
}

/// The first of these places where IP may begin.
fn find_ip<'a>(bytes: &'a [u8], places: &[usize]) -> Step<'a> {
    places
        .iter()
        .filter_map(|at| bytes.get(*at..))
        .find(|rest| may_be_ip(rest))
        .map(|rest| (Layer::Ip, rest))
        .ok_or(Undecodable::NotIp)
}

/// ARCNET from its protocol on: RFC 1051's follows at once, RFC 1201's behind a fragment flag and a sequence number.
pub(super) fn arcnet(bytes: &[u8]) -> Step<'_> {
    match bytes {
        [0xf0, rest @ ..] => Ok((Layer::Type(EtherType::IPV4), rest)),
        // An exception frame repeats the protocol behind padding.
        [0xd4, 0xff, _, _, _, _, _, _, rest @ ..] => Ok((Layer::Type(EtherType::IPV4), rest)),
        [0xd4, 0, _, _, rest @ ..] => Ok((Layer::Type(EtherType::IPV4), rest)),
        [0xc4, 0, _, _, rest @ ..] => Ok((Layer::Type(EtherType::IPV6), rest)),
        // Odd flags are first fragments, the others of them later ones.
        [0xd4, flag, _, _, rest @ ..] if flag & 1 == 1 => Ok((Layer::Type(EtherType::IPV4), rest)),
        [0xd4 | 0xc4, _, _, _, ..] => Err(Undecodable::Fragment),
        [_, _, _, _, ..] => Err(Undecodable::NotIp),
        _ => Err(Undecodable::Cut),
    }
}

/// The packet filter's log: its length without padding, and the family.
pub(super) fn filter_log(bytes: &[u8]) -> Step<'_> {
    let (&[length, ..], _) = split::<4>(bytes)?;
    let length = usize::from(length).next_multiple_of(4);
    Ok((Layer::Ip, bytes.get(length..).ok_or(Undecodable::Cut)?))
}

/// Apple's: its own length, then whether and of which link type a packet follows, in the order of the machine.
pub(super) fn packet_tap(bytes: &[u8]) -> Step<'_> {
    let (header, _) = split::<12>(bytes)?;
    let word = |at: usize| -> (u32, u32) {
        match header.get(at..at + 4) {
            Some(&[a, b, c, d]) => {
                let bytes = [a, b, c, d];
                (u32::from_le_bytes(bytes), u32::from_be_bytes(bytes))
            }
            _ => (0, 0),
        }
    };
    // The length is small, so its order shows.
    let ((little, big), kind, link) = (word(0), word(4), word(8));
    let (length, kind, link) = if little <= big {
        (little, kind.0, link.0)
    } else {
        (big, kind.1, link.1)
    };
    match bytes.get(length as usize..) {
        Some(frame) if length >= 12 && kind == 1 => {
            Ok((Layer::Link(LinkType::from_number(link)), frame))
        }
        Some(_) => Err(Undecodable::NotIp),
        None => Err(Undecodable::Cut),
    }
}

/// Endace's record: a header of 16 bytes, extensions of eight each while their highest bit is set, then what the type says.
pub(super) fn erf(bytes: &[u8]) -> Step<'_> {
    let (header, mut rest) = split::<16>(bytes)?;
    let mut more = header[8] & 0x80 != 0;
    while more {
        let (extension, behind) = split::<8>(rest)?;
        more = extension[0] & 0x80 != 0;
        rest = behind;
    }
    match header[8] & 0x7f {
        // Packet over SONET, plain, coloured or sorted.
        1 | 5 | 10 | 15 => Ok((Layer::Link(LinkType::CiscoHdlc), rest)),
        // Ethernet, likewise: an offset and a reserved byte come before it.
        2 | 11 | 16 | 20 => Ok((Layer::Ethernet, split::<2>(rest)?.1)),
        22 => Ok((Layer::Type(EtherType::IPV4), rest)),
        23 => Ok((Layer::Type(EtherType::IPV6), rest)),
        _ => Err(Undecodable::NotIp),
    }
}
