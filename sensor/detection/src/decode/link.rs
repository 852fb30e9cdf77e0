//! Link layers: from the first byte of a frame, or of what a tunnel carries, to the IP header.
//! Every length is that of the slice; none is taken from a header.

use etherparse::{EtherType, Ethernet2HeaderSlice, SingleVlanHeaderSlice};

use super::{Tag, TagKind, Undecodable};
use crate::frame::LinkType;

/// Headers peeled between Ethernet and IP. Providers stack two VLANs, PPPoE, PPP and MPLS: five.
/// Eight leaves room, and bounds what a frame of nothing but tags costs.
const MAX_HEADERS: usize = 8;

/// Labels in one MPLS stack. Networks use two to five; RFC 6790 entropy labels may double that.
const MAX_LABELS: usize = 16;

/// The ethertype of MPLS, also what IP protocol 137 carries.
pub(super) const MPLS: EtherType = EtherType(0x8847);
const MPLS_MULTICAST: EtherType = EtherType(0x8848);
const PPPOE_SESSION: EtherType = EtherType(0x8864);
/// An Ethernet frame inside GRE or Geneve.
pub(super) const TRANSPARENT_ETHERNET: EtherType = EtherType(0x6558);
/// PPP inside GRE (PPTP, RFC 2637).
const PPP: EtherType = EtherType(0x880b);

type Peeled<'a> = Result<(&'a [u8], Tag), Undecodable>;

/// Peels what `link_type` says comes before IP.
#[inline]
pub(super) fn peel(link_type: LinkType, bytes: &[u8]) -> Peeled<'_> {
    match link_type {
        LinkType::Ethernet => ethernet(bytes, Tag::NONE),
        LinkType::RawIp => ip(bytes, None).map(|ip| (ip, Tag::NONE)),
        LinkType::LinuxCooked => {
            let (header, rest) = split::<16>(bytes)?;
            payload(be16(header, 14), rest, Tag::NONE)
        }
        LinkType::LinuxCooked2 => {
            let (header, rest) = split::<20>(bytes)?;
            payload(be16(header, 0), rest, Tag::NONE)
        }
        LinkType::Loopback => loopback(bytes),
        LinkType::Ppp => payload(PPP, bytes, Tag::NONE),
        LinkType::CiscoHdlc => cisco_hdlc(bytes),
        LinkType::PppoE => payload(PPPOE_SESSION, bytes, Tag::NONE),
        LinkType::Other(_) => Err(Undecodable::LinkType),
    }
}

#[inline]
fn ethernet(bytes: &[u8], tag: Tag) -> Peeled<'_> {
    let header = Ethernet2HeaderSlice::from_slice(bytes).map_err(|_| Undecodable::Cut)?;
    let rest = bytes.get(header.slice().len()..).unwrap_or_default();
    match header.ether_type() {
        EtherType::IPV4 => Ok((ip(rest, Some(4))?, tag)),
        other => payload(other, rest, tag),
    }
}

/// Peels until IP what an ethertype announces.
pub(super) fn payload(mut ether_type: EtherType, mut bytes: &[u8], mut tag: Tag) -> Peeled<'_> {
    for _ in 0..MAX_HEADERS {
        (ether_type, bytes) = match ether_type {
            EtherType::IPV4 => return Ok((ip(bytes, Some(4))?, tag)),
            EtherType::IPV6 => return Ok((ip(bytes, Some(6))?, tag)),
            EtherType::VLAN_TAGGED_FRAME
            | EtherType::PROVIDER_BRIDGING
            | EtherType::VLAN_DOUBLE_TAGGED_FRAME => {
                let header =
                    SingleVlanHeaderSlice::from_slice(bytes).map_err(|_| Undecodable::Cut)?;
                tag = tag.with(TagKind::Vlan, header.vlan_identifier().value().into());
                let rest = bytes.get(header.slice().len()..).unwrap_or_default();
                (header.ether_type(), rest)
            }
            TRANSPARENT_ETHERNET => {
                let header =
                    Ethernet2HeaderSlice::from_slice(bytes).map_err(|_| Undecodable::Cut)?;
                let rest = bytes.get(header.slice().len()..).unwrap_or_default();
                (header.ether_type(), rest)
            }
            MPLS | MPLS_MULTICAST => return Ok((ip(labels(bytes)?, None)?, tag)),
            PPPOE_SESSION => (PPP, split::<6>(bytes)?.1),
            PPP => ppp(bytes)?,
            _ => return Err(Undecodable::NotIp),
        };
    }
    Err(Undecodable::TooDeep)
}

/// Checks the version; `None` where the layer before does not say which.
#[inline]
fn ip(bytes: &[u8], version: Option<u8>) -> Result<&[u8], Undecodable> {
    let first = bytes.first().ok_or(Undecodable::Cut)? >> 4;
    match version {
        Some(expected) if first == expected => Ok(bytes),
        None if first == 4 || first == 6 => Ok(bytes),
        _ => Err(Undecodable::IpVersion),
    }
}

/// The family is in the order of the machine that captured, and its IPv6 number differs by system.
fn loopback(bytes: &[u8]) -> Peeled<'_> {
    let (family, rest) = split::<4>(bytes)?;
    let version = match u32::from_le_bytes(*family).min(u32::from_be_bytes(*family)) {
        2 => 4,
        10 | 24 | 28 | 30 => 6,
        _ => return Err(Undecodable::NotIp),
    };
    Ok((ip(rest, Some(version))?, Tag::NONE))
}

/// Cisco's framing has an ethertype where PPP in HDLC framing has its protocol.
fn cisco_hdlc(bytes: &[u8]) -> Peeled<'_> {
    let (header, rest) = split::<4>(bytes)?;
    match header {
        [0xff, 0x03, ..] => payload(PPP, bytes, Tag::NONE),
        _ => payload(be16(header, 2), rest, Tag::NONE),
    }
}

/// A PPP frame, with or without address and control bytes, its protocol in two bytes or,
/// compressed, in one (RFC 1661 section 6.5).
fn ppp(bytes: &[u8]) -> Result<(EtherType, &[u8]), Undecodable> {
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
        0x0021 => Ok((EtherType::IPV4, rest)),
        0x0057 => Ok((EtherType::IPV6, rest)),
        0x0281 => Ok((MPLS, rest)),
        0x0283 => Ok((MPLS_MULTICAST, rest)),
        _ => Err(Undecodable::NotIp),
    }
}

/// Pops an MPLS stack (RFC 3032). What follows has no type: the IP version tells, and a pseudowire's
/// control word or Ethernet header shows as no version.
fn labels(mut bytes: &[u8]) -> Result<&[u8], Undecodable> {
    for _ in 0..MAX_LABELS {
        let (label, rest) = split::<4>(bytes)?;
        bytes = rest;
        if label[2] & 1 == 1 {
            return Ok(bytes);
        }
    }
    Err(Undecodable::TooDeep)
}

/// A header of `N` bytes and what follows it.
pub(super) fn split<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), Undecodable> {
    bytes.split_first_chunk::<N>().ok_or(Undecodable::Cut)
}

fn be16(header: &[u8], at: usize) -> EtherType {
    match header.get(at..at + 2) {
        Some(&[high, low]) => EtherType(u16::from_be_bytes([high, low])),
        _ => EtherType(0),
    }
}
