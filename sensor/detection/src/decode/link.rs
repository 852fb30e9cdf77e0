//! Layers below IP: from the first byte of a frame, or of what a tunnel carries, to the IP header.
//! Every length is that of the slice; one taken from a header only ever makes a slice shorter.

use etherparse::EtherType;

use super::{Tag, TagKind, Undecodable, ethertype, serial, vendor, wireless};
use crate::frame::{Frame, LinkType};

/// Headers peeled between the first byte and IP. Providers stack two VLANs, PPPoE, PPP and MPLS, their backbones five
/// more; sixteen leaves room, and bounds what a frame of nothing but tags costs.
const MAX_HEADERS: usize = 16;

/// What the next bytes are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Layer {
    /// The beginning of a frame.
    Link(LinkType),
    /// Two MAC addresses and an ethertype or a length.
    Ethernet,
    /// What an ethertype announces.
    Type(EtherType),
    /// An IP header of either version.
    Ip,
    /// An LLC header (IEEE 802.2).
    Llc,
    /// A PPP frame.
    Ppp,
    /// A frame relay address and what it carries.
    FrameRelay,
    /// An 802.11 header, perhaps padded to four bytes.
    Dot11 { padded: bool },
}

/// A layer less: what comes next, and its bytes.
pub(super) type Step<'a> = Result<(Layer, &'a [u8]), Undecodable>;

type Found<'a> = Result<(&'a [u8], Tag), Undecodable>;

/// Peels what a frame has before IP.
#[inline]
pub(super) fn peel<'a>(frame: &Frame<'a>) -> Found<'a> {
    if frame.link_type == LinkType::Ethernet {
        let (header, rest) = split::<14>(frame.bytes)?;
        return match be16(header, 12) {
            EtherType::IPV4 => Ok((ip(rest, Some(4))?, Tag::NONE)),
            other => descend(Layer::Type(other), rest, Tag::NONE),
        };
    }
    let bytes = match frame.link_type {
        LinkType::RawIp => return Ok((ip(frame.bytes, None)?, Tag::NONE)),
        LinkType::LinuxCooked | LinkType::LinuxCooked2 => {
            return super::cooked::peel(frame);
        }
        _ => frame.bytes,
    };
    descend(Layer::Link(frame.link_type), bytes, Tag::NONE)
}

/// Peels until IP.
pub(super) fn descend(mut layer: Layer, mut bytes: &[u8], mut tag: Tag) -> Found<'_> {
    for _ in 0..MAX_HEADERS {
        (layer, bytes) = match layer {
            Layer::Type(EtherType::IPV4) => return Ok((ip(bytes, Some(4))?, tag)),
            Layer::Type(EtherType::IPV6) => return Ok((ip(bytes, Some(6))?, tag)),
            Layer::Ip => return Ok((ip(bytes, None)?, tag)),
            Layer::Ethernet => {
                let (header, rest) = split::<14>(bytes)?;
                (Layer::Type(be16(header, 12)), rest)
            }
            Layer::Type(ether_type) => ethertype::step(ether_type, bytes, &mut tag)?,
            Layer::Llc => llc(bytes)?,
            Layer::Ppp => serial::ppp(bytes)?,
            Layer::FrameRelay => serial::frame_relay(bytes)?,
            Layer::Dot11 { padded } => wireless::data(bytes, padded)?,
            Layer::Link(link_type) => begin(link_type, bytes, &mut tag)?,
        };
    }
    Err(Undecodable::TooDeep)
}

/// The first header of a frame.
fn begin<'a>(link_type: LinkType, bytes: &'a [u8], tag: &mut Tag) -> Step<'a> {
    match link_type {
        LinkType::Ethernet => Ok((Layer::Ethernet, bytes)),
        LinkType::RawIp => Ok((Layer::Ip, bytes)),
        // Named by a header before it: the frame's own length is not known here, and no kernel writes this.
        LinkType::LinuxCooked => typed(bytes, 14),
        LinkType::LinuxCooked2 => {
            let (header, rest) = split::<20>(bytes)?;
            Ok((Layer::Type(be16(header, 0)), rest))
        }
        LinkType::Loopback => loopback(bytes),
        LinkType::Ppp => Ok((Layer::Ppp, bytes)),
        LinkType::PppSerial => serial::ppp_serial(bytes),
        LinkType::CiscoHdlc => serial::cisco_hdlc(bytes),
        LinkType::PppoE => Ok((Layer::Ppp, split::<6>(bytes)?.1)),
        LinkType::TokenRing => token_ring(bytes),
        // Frame control and two addresses.
        LinkType::Fddi => Ok((Layer::Llc, split::<13>(bytes)?.1)),
        LinkType::Llc => Ok((Layer::Llc, bytes)),
        LinkType::Slip => serial::slip(bytes),
        LinkType::FrameRelay => Ok((Layer::FrameRelay, bytes)),
        LinkType::MultilinkFrameRelay => serial::multilink_frame_relay(bytes),
        LinkType::SunAtm => serial::sun_atm(bytes),
        // Addresses, and in Linux an offset, are before the protocol.
        LinkType::Arcnet => vendor::arcnet(bytes.get(2..).ok_or(Undecodable::Cut)?),
        LinkType::LinuxArcnet => vendor::arcnet(bytes.get(4..).ok_or(Undecodable::Cut)?),
        LinkType::Dot11 => Ok((Layer::Dot11 { padded: false }, bytes)),
        LinkType::Prism => wireless::prism(bytes),
        LinkType::Avs => wireless::avs(bytes),
        LinkType::Radiotap => wireless::radiotap(bytes),
        LinkType::PerPacketInformation => wireless::per_packet_information(bytes),
        LinkType::FilterLog => vendor::filter_log(bytes),
        LinkType::Juniper(number) => vendor::juniper(number, bytes),
        LinkType::Erf => vendor::erf(bytes),
        // Version, family, type, length, two interfaces and two zones.
        LinkType::Ipnet => Ok((Layer::Ip, split::<24>(bytes)?.1)),
        LinkType::Nflog => super::nflog::payload(bytes),
        // A global routing header, the ethertype and two reserved bytes.
        LinkType::InfiniBand => {
            let (header, rest) = split::<44>(bytes)?;
            Ok((Layer::Type(be16(header, 40)), rest))
        }
        LinkType::PacketTap => vendor::packet_tap(bytes),
        LinkType::BroadcomTag => typed(bytes, 16),
        LinkType::BroadcomTagFirst => Ok((Layer::Ethernet, split::<4>(bytes)?.1)),
        LinkType::SwitchTag => ethertype::switch_tag(bytes.get(12..).ok_or(Undecodable::Cut)?, tag),
        // The ethertype and two reserved bytes come before the tag.
        LinkType::TypedSwitchTag => {
            ethertype::switch_tag(bytes.get(16..).ok_or(Undecodable::Cut)?, tag)
        }
        LinkType::Other(_) => Err(Undecodable::LinkType),
    }
}

/// Checks the version; `None` where the layer before does not say which.
#[inline]
pub(super) fn ip(bytes: &[u8], version: Option<u8>) -> Result<&[u8], Undecodable> {
    let first = bytes.first().ok_or(Undecodable::Cut)? >> 4;
    match version {
        Some(expected) if first == expected => Ok(bytes),
        None if first == 4 || first == 6 => Ok(bytes),
        _ => Err(Undecodable::IpVersion),
    }
}

/// Whether these bytes may well be an IP packet: for where nothing says so.
pub(super) fn may_be_ip(bytes: &[u8]) -> bool {
    match bytes {
        [first, _, high, low, ..] if first >> 4 == 4 => {
            let header = u16::from(first & 0xf) * 4;
            let total = u16::from_be_bytes([*high, *low]);
            header >= 20 && bytes.len() >= 20 && (total == 0 || total >= header)
        }
        [first, ..] => first >> 4 == 6 && bytes.len() >= 40,
        [] => false,
    }
}

/// The family is in the order of the machine that captured, and its IPv6 number differs by system.
fn loopback(bytes: &[u8]) -> Step<'_> {
    let (family, rest) = split::<4>(bytes)?;
    match u32::from_le_bytes(*family).min(u32::from_be_bytes(*family)) {
        2 => Ok((Layer::Type(EtherType::IPV4), rest)),
        10 | 24 | 28 | 30 => Ok((Layer::Type(EtherType::IPV6), rest)),
        _ => Err(Undecodable::NotIp),
    }
}

/// Access and frame control, two addresses, and the route where the sender's address announces one (IEEE 802.5).
fn token_ring(bytes: &[u8]) -> Step<'_> {
    let (header, rest) = split::<14>(bytes)?;
    let route = match (header[8] & 0x80, rest.first()) {
        (0, _) => 0,
        (_, Some(first)) => usize::from(first & 0x1f),
        (_, None) => return Err(Undecodable::Cut),
    };
    Ok((Layer::Llc, rest.get(route..).ok_or(Undecodable::Cut)?))
}

/// LLC and SNAP (IEEE 802.2, RFC 1042), and what RFC 2684 has of both on ATM.
fn llc(bytes: &[u8]) -> Step<'_> {
    match bytes {
        [0xaa, 0xaa, 3, oui @ ..] => snap(oui, 2),
        [6, 6, 3, rest @ ..] | [0xfe, 0xfe, 3, 0xcc | 0x8e, rest @ ..] => Ok((Layer::Ip, rest)),
        [0xfe, 0xfe, 3, 0xcf, rest @ ..] => Ok((Layer::Ppp, rest)),
        [] | [_] | [_, _] => Err(Undecodable::Cut),
        _ => Err(Undecodable::NotIp),
    }
}

/// What follows AA-AA-03, or frame relay's 80: an organisation and a type, by it. Bridged frames have `padding` before
/// them.
pub(super) fn snap(bytes: &[u8], padding: usize) -> Step<'_> {
    let (&[a, b, c, high, low], rest) = split::<5>(bytes)?;
    let protocol = u16::from_be_bytes([high, low]);
    match ([a, b, c], protocol) {
        ([0, 0, 0] | [0, 0, 0xf8], 0x0600..) => Ok((Layer::Type(EtherType(protocol)), rest)),
        // Bridged Ethernet, with and without its check sequence.
        ([0, 0x80, 0xc2], 1 | 7) => {
            let frame = rest.get(padding..).ok_or(Undecodable::Cut)?;
            Ok((Layer::Ethernet, frame))
        }
        _ => Err(Undecodable::NotIp),
    }
}

/// An ethertype that stands `at` bytes further, and what follows it.
pub(super) fn typed(bytes: &[u8], at: usize) -> Step<'_> {
    let (ether_type, rest) = split::<2>(bytes.get(at..).ok_or(Undecodable::Cut)?)?;
    Ok((Layer::Type(be16(ether_type, 0)), rest))
}

/// A header of `N` bytes and what follows it.
#[inline]
pub(super) fn split<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), Undecodable> {
    bytes.split_first_chunk::<N>().ok_or(Undecodable::Cut)
}

#[inline]
pub(super) fn be16(header: &[u8], at: usize) -> EtherType {
    match header.get(at..at + 2) {
        Some(&[high, low]) => EtherType(u16::from_be_bytes([high, low])),
        _ => EtherType(0),
    }
}

/// The tag of what has a VLAN's control bytes before it.
pub(super) fn in_vlan(tag: Tag, control: [u8; 2]) -> Tag {
    let id = u16::from_be_bytes(control) & 0x0fff;
    tag.with(TagKind::Vlan, id.into())
}
