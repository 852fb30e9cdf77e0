//! Linux cooked captures, of the "any" device: an ethertype and no MAC header.
//! A kernel that hides VLAN tags from them leaves an inner one in front of IP; it is looked for here and nowhere else.

use etherparse::EtherType;

use super::link::{Layer, be16, descend, in_vlan, split};
use super::{Tag, Undecodable};
use crate::frame::{Frame, LinkType};

/// Device types whose frames do not begin with what the protocol field says: 802.11, and 802.11 behind radiotap.
const WIRELESS: u16 = 801;
const WIRELESS_RADIOTAP: u16 = 803;
/// The protocol field of IEEE 802.2 frames.
const LLC: u16 = 4;

/// Peels a cooked header, version 1 or 2.
#[cold]
pub(super) fn peel<'a>(frame: &Frame<'a>) -> Result<(&'a [u8], Tag), Undecodable> {
    let (protocol, device, rest) = match frame.link_type {
        LinkType::LinuxCooked2 => {
            let (header, rest) = split::<20>(frame.bytes)?;
            (be16(header, 0), be16(header, 8), rest)
        }
        _ => {
            let (header, rest) = split::<16>(frame.bytes)?;
            (be16(header, 14), be16(header, 2), rest)
        }
    };
    match (device.0, protocol.0) {
        (WIRELESS, _) => return descend(Layer::Dot11 { padded: false }, rest, Tag::NONE),
        (WIRELESS_RADIOTAP, _) => {
            return descend(Layer::Link(LinkType::Radiotap), rest, Tag::NONE);
        }
        (_, LLC) => return descend(Layer::Llc, rest, Tag::NONE),
        _ => {}
    }
    let (mut ether_type, mut bytes, mut tag) = (protocol, rest, Tag::NONE);
    // The tag that the kernel gave apart, which libpcap puts back with the protocol behind it.
    if let (EtherType::VLAN_TAGGED_FRAME | EtherType::PROVIDER_BRIDGING, [a, b, c, d, rest @ ..]) =
        (ether_type, bytes)
    {
        tag = in_vlan(tag, [*a, *b]);
        (ether_type, bytes) = (EtherType(u16::from_be_bytes([*c, *d])), rest);
    }
    let header = frame.bytes.len() - bytes.len();
    let wire_len = frame.wire_len.saturating_sub(header as u32);
    if let Some((control, inner, rest)) = hidden_tag(ether_type, bytes, wire_len) {
        tag = in_vlan(tag, control);
        (ether_type, bytes) = (inner, rest);
    }
    descend(Layer::Type(ether_type), bytes, tag)
}

/// Whether the frame's outer VLAN tag is lost, which only shows where an inner one is left in front of IP.
pub(super) fn lost_a_tag(frame: &Frame<'_>, ip: &[u8]) -> bool {
    let protocol = be16(frame.bytes, 0);
    let begun = ip.as_ptr().addr() - frame.bytes.as_ptr().addr();
    frame.link_type == LinkType::LinuxCooked2
        && matches!(protocol, EtherType::IPV4 | EtherType::IPV6)
        && begun == 24
}

/// How well bytes fit as an IP packet of so many bytes.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    No,
    Loose,
    Exact,
}

/// A tag's control bytes and ethertype before the IP packet that `ether_type` announces, where that fits better.
fn hidden_tag(
    ether_type: EtherType,
    bytes: &[u8],
    wire_len: u32,
) -> Option<([u8; 2], EtherType, &[u8])> {
    if !matches!(ether_type, EtherType::IPV4 | EtherType::IPV6) {
        return None;
    }
    let (&[a, b, c, d], rest) = split::<4>(bytes).ok()?;
    let inner = EtherType(u16::from_be_bytes([c, d]));
    let inside = fit(inner, rest, wire_len.saturating_sub(4));
    (inside > fit(ether_type, bytes, wire_len)).then_some(([a, b], inner, rest))
}

fn fit(ether_type: EtherType, bytes: &[u8], wire_len: u32) -> Fit {
    let length = match (ether_type, bytes) {
        (EtherType::IPV4, [0x45..=0x4f, _, high, low, ..]) => {
            u32::from(u16::from_be_bytes([*high, *low]))
        }
        (EtherType::IPV6, [0x60..=0x6f, _, _, _, high, low, ..]) => {
            40 + u32::from(u16::from_be_bytes([*high, *low]))
        }
        _ => return Fit::No,
    };
    match length {
        // An offload leaves the length to the driver.
        0 | 40 => Fit::Loose,
        exact if exact == wire_len => Fit::Exact,
        shorter if shorter < wire_len && shorter >= 20 => Fit::Loose,
        _ => Fit::No,
    }
}
