//! What stands behind an ethertype before IP does: tags of networks and of switches, labels, sessions.
//! Nothing here is a tunnel: there are no addresses outside.

use etherparse::EtherType;

use super::link::{Layer, Step, in_vlan, may_be_ip, snap, split, typed};
use super::{Tag, TagKind, Undecodable};

/// Labels in one MPLS stack. Networks use two to five; RFC 6790 entropy labels may double that.
const MAX_LABELS: usize = 16;

/// The ethertype of MPLS, also what IP protocol 137 carries.
pub(super) const MPLS: EtherType = EtherType(0x8847);
pub(super) const MPLS_MULTICAST: EtherType = EtherType(0x8848);
const PPPOE_SESSION: EtherType = EtherType(0x8864);
/// An Ethernet frame inside GRE or Geneve.
const TRANSPARENT_ETHERNET: EtherType = EtherType(0x6558);
/// PPP inside GRE (PPTP, RFC 2637).
const PPP: EtherType = EtherType(0x880b);
/// Providers' VLANs before and beside 802.1ad.
const VLAN_9200: EtherType = EtherType(0x9200);
/// A provider's backbone service instance (IEEE 802.1ah).
const BACKBONE: EtherType = EtherType(0x88e7);
/// Port extenders (IEEE 802.1BR), and Cisco's own before it.
const E_TAG: EtherType = EtherType(0x893f);
const VN_TAG: EtherType = EtherType(0x8926);
/// Cisco's metadata: a security group.
const CISCO_METADATA: EtherType = EtherType(0x8909);
/// Seamless redundancy (IEC 62439-3), and the tag of IEEE 802.1CB for the same purpose.
const HSR: EtherType = EtherType(0x892f);
const R_TAG: EtherType = EtherType(0xf1c1);
/// Congestion notification (IEEE 802.1Qau).
const CN_TAG: EtherType = EtherType(0x22e9);
/// MAC security (IEEE 802.1AE).
const MACSEC: EtherType = EtherType(0x88e5);
/// The network service header (RFC 8300).
pub(super) const NSH: EtherType = EtherType(0x894f);
/// TRILL (RFC 6325) and Cisco's FabricPath.
const TRILL: EtherType = EtherType(0x22f3);
const FABRIC_PATH: EtherType = EtherType(0x8903);
/// Switch tags as Linux sees them on the port to the switch: Marvell's behind a type, and Broadcom's old one.
const MARVELL: EtherType = EtherType(0xdada);
const BROADCOM: EtherType = EtherType(0x8874);
/// LLC behind a type, for frames whose length does not fit (IEEE 802.1AC).
const JUMBO_LLC: EtherType = EtherType(0x8870);
/// The largest value of the field that is a length (IEEE 802.3).
const MAX_LENGTH: u16 = 1500;

/// Peels what `ether_type` announces.
pub(super) fn step<'a>(ether_type: EtherType, bytes: &'a [u8], tag: &mut Tag) -> Step<'a> {
    match ether_type {
        EtherType::VLAN_TAGGED_FRAME
        | EtherType::PROVIDER_BRIDGING
        | EtherType::VLAN_DOUBLE_TAGGED_FRAME
        | VLAN_9200 => {
            let (&control, _) = split::<2>(bytes)?;
            let next = typed(bytes, 2)?;
            *tag = in_vlan(*tag, control);
            Ok(next)
        }
        TRANSPARENT_ETHERNET => Ok((Layer::Ethernet, bytes)),
        MPLS | MPLS_MULTICAST => labels(bytes),
        PPPOE_SESSION => Ok((Layer::Ppp, split::<6>(bytes)?.1)),
        PPP => Ok((Layer::Ppp, bytes)),
        BACKBONE => {
            let (&[_, a, b, c], rest) = split::<4>(bytes)?;
            *tag = tag.with(TagKind::Backbone, u32::from_be_bytes([0, a, b, c]));
            Ok((Layer::Ethernet, rest))
        }
        E_TAG => typed(bytes, 6),
        VN_TAG | HSR | R_TAG | BROADCOM => typed(bytes, 4),
        CN_TAG => typed(bytes, 2),
        CISCO_METADATA => {
            // A version, the length in words, and so many words of options.
            let (&[_, words], _) = split::<2>(bytes)?;
            typed(bytes, 2 + usize::from(words) * 4)
        }
        MARVELL => switch_tag(split::<2>(bytes)?.1, tag),
        MACSEC => macsec(bytes),
        NSH => nsh(bytes),
        TRILL => {
            // Five bits of the first two bytes are the length of the options in words.
            let (&[high, low, ..], rest) = split::<6>(bytes)?;
            let words = u16::from_be_bytes([high, low]) >> 6 & 0x1f;
            let frame = rest.get(usize::from(words) * 4..);
            Ok((Layer::Ethernet, frame.ok_or(Undecodable::Cut)?))
        }
        FABRIC_PATH => Ok((Layer::Ethernet, split::<2>(bytes)?.1)),
        JUMBO_LLC | EtherType(..=MAX_LENGTH) => Ok((Layer::Llc, bytes)),
        _ => Err(Undecodable::NotIp),
    }
}

/// Pops an MPLS stack (RFC 3032). What follows has no type: the version tells IP; a pseudowire's control word begins
/// with zero (RFC 4385), and what is none of these may be its Ethernet frame without one.
pub(super) fn labels(mut bytes: &[u8]) -> Step<'_> {
    for _ in 0..MAX_LABELS {
        let (label, rest) = split::<4>(bytes)?;
        bytes = rest;
        if label[2] & 1 == 1 {
            return match bytes {
                [] => Err(Undecodable::Cut),
                [first, ..] if matches!(first >> 4, 4 | 6) => Ok((Layer::Ip, bytes)),
                [0..0x10, _, _, _, frame @ ..] if is_frame(frame) => Ok((Layer::Ethernet, frame)),
                _ if is_frame(bytes) => Ok((Layer::Ethernet, bytes)),
                _ => Err(Undecodable::IpVersion),
            };
        }
    }
    Err(Undecodable::TooDeep)
}

/// Whether this may be an Ethernet frame with IP close behind: for where nothing says so.
pub(super) fn is_frame(bytes: &[u8]) -> bool {
    match bytes.get(12..) {
        Some([0x08, 0x00, ip @ ..] | [0x86, 0xdd, ip @ ..]) => may_be_ip(ip),
        Some([0x81, 0x00, ..] | [0x88, 0xa8, ..]) => true,
        Some([_, _, 0xaa, 0xaa, 3, oui @ ..]) => snap(oui, 0).is_ok(),
        _ => false,
    }
}

/// MAC security without encryption: the E and C bits are both clear, an identifier follows where SC is set, and the
/// check value is behind the packet.
fn macsec(bytes: &[u8]) -> Step<'_> {
    let (&[control, ..], rest) = split::<6>(bytes)?;
    match control {
        control if control & 0x80 != 0 => Err(Undecodable::NotIp),
        control if control & 0x0c != 0 => Err(Undecodable::Encrypted),
        control if control & 0x20 != 0 => typed(rest, 8),
        _ => typed(rest, 0),
    }
}

/// The network service header: its length in words is in the second byte, whatever the metadata's type.
pub(super) fn nsh(bytes: &[u8]) -> Step<'_> {
    let (&[version, words, _, next, ..], _) = split::<8>(bytes)?;
    let words = usize::from(words & 0x3f);
    if version >> 6 != 0 || words < 2 {
        return Err(Undecodable::NotIp);
    }
    let rest = bytes.get(words * 4..).ok_or(Undecodable::Cut)?;
    Ok((next_protocol(next)?, rest))
}

/// The numbers that NSH and VXLAN's extension share.
pub(super) fn next_protocol(number: u8) -> Result<Layer, Undecodable> {
    match number {
        1 => Ok(Layer::Type(EtherType::IPV4)),
        2 => Ok(Layer::Type(EtherType::IPV6)),
        3 => Ok(Layer::Ethernet),
        4 => Ok(Layer::Type(NSH)),
        5 => Ok(Layer::Type(MPLS)),
        _ => Err(Undecodable::NotIp),
    }
}

/// A Marvell switch tag, which stands where a VLAN tag would and replaces one where its bit says so.
pub(super) fn switch_tag<'a>(bytes: &'a [u8], tag: &mut Tag) -> Step<'a> {
    let (&[mode, _, high, low], _) = split::<4>(bytes)?;
    if mode & 0x20 != 0 {
        *tag = in_vlan(*tag, [high, low]);
    }
    typed(bytes, 4)
}
