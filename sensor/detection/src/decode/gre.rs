//! GRE and what is carried in it beside IP: PPTP's PPP, mirrors' copies, one maker's Ethernet.
//! A header's version and flags decide; nothing is guessed.

use etherparse::EtherType;

use super::TagKind;
use super::link::{Layer, split};
use super::tunnel::Inside;

/// An Ethernet frame in MikroTik's EoIP, which borrows PPTP's header.
const EOIP: u16 = 0x6400;
/// Cisco's copies of a switch's frames: types I and II, and type III (draft-foschiano-erspan-03).
const ERSPAN: u16 = 0x88be;
const ERSPAN_3: u16 = 0x22eb;
/// Packets redirected to a web cache, behind a word of their own in version 2.
const WCCP: u16 = 0x883e;

/// GRE with optional checksum, key and sequence number (RFC 2784, RFC 2890), and PPTP's version 1, which adds an
/// acknowledgment (RFC 2637). The source routes of RFC 1701 were abandoned.
pub(super) fn inside(bytes: &[u8]) -> Option<Inside<'_>> {
    let (&[flags, version, high, low], rest) = split::<4>(bytes).ok()?;
    let pptp = version & 0x07 == 1;
    if flags & 0x40 != 0 || version & 0x07 > 1 {
        return None;
    }
    let mut bytes = rest;
    let mut key = [0; 4];
    if flags & 0x80 != 0 {
        bytes = split::<4>(bytes).ok()?.1;
    }
    if flags & 0x20 != 0 {
        (key, bytes) = split::<4>(bytes).ok().map(|(key, rest)| (*key, rest))?;
    }
    let sequence = flags & 0x10 != 0;
    for present in [sequence, pptp && version & 0x80 != 0] {
        if present {
            bytes = split::<4>(bytes).ok()?.1;
        }
    }
    let [_, _, third, fourth] = key;
    let (layer, kind, id) = match u16::from_be_bytes([high, low]) {
        // The length, and the tunnel's number in little-endian.
        EOIP if pptp => {
            let number = u16::from_le_bytes([third, fourth]);
            (Layer::Ethernet, TagKind::Gre, number.into())
        }
        ERSPAN | ERSPAN_3 if pptp => return None,
        // Type I has no header of its own, and no sequence number.
        ERSPAN if !sequence => (Layer::Ethernet, TagKind::Mirror, 0),
        ERSPAN | ERSPAN_3 => return erspan(bytes),
        WCCP => {
            let redirected = match bytes {
                [first, ..] if matches!(first >> 4, 4 | 6) => bytes,
                _ => split::<4>(bytes).ok()?.1,
            };
            bytes = redirected;
            (Layer::Ip, TagKind::Gre, 0)
        }
        // PPTP has its payload length in the key, and a call number that differs by direction.
        other if pptp => (Layer::Type(EtherType(other)), TagKind::Gre, 0),
        other => {
            let key = u32::from_be_bytes(key);
            (Layer::Type(EtherType(other)), TagKind::Gre, key)
        }
    };
    Some(Inside {
        layer,
        bytes,
        kind,
        id,
        cut: false,
    })
}

/// ERSPAN's header: eight bytes in type II, twelve in type III and eight more where its last bit says so.
fn erspan(bytes: &[u8]) -> Option<Inside<'_>> {
    let (&[version, _, second, _], _) = bytes.split_first_chunk::<4>()?;
    let (layer, bytes) = match version >> 4 {
        1 => (Layer::Ethernet, bytes.get(8..)?),
        2 => {
            let (header, rest) = bytes.split_first_chunk::<12>()?;
            let rest = rest.get(if header[11] & 1 == 1 { 8 } else { 0 }..)?;
            // The kind of frame: 0 is Ethernet, 2 is IP.
            match header[10] >> 2 & 0x1f {
                0 => (Layer::Ethernet, rest),
                2 => (Layer::Ip, rest),
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(Inside {
        layer,
        bytes,
        kind: TagKind::Mirror,
        id: 0,
        cut: second & 0x04 != 0,
    })
}
