//! Wireless frames: IEEE 802.11 data in clear, and the headers that receivers put before it.
//! Of an aggregate only the first frame is followed: one frame of a capture is one packet here.

use super::Undecodable;
use super::link::{Layer, Step, split};
use crate::frame::LinkType;

/// Bytes of an 802.11 header with three addresses.
const HEADER: usize = 24;
/// What every SNAP header begins with, as far as IP is concerned.
const SNAP: &[u8] = &[0xaa, 0xaa, 3];
/// Destination, source and length of one frame in an aggregate (IEEE 802.11 section 9.3.2.2).
const SUBFRAME: usize = 14;

/// A data frame (IEEE 802.11 section 9.3.2.1); `padded` where the receiver aligned what follows to four bytes.
pub(super) fn data(bytes: &[u8], padded: bool) -> Step<'_> {
    let (&[kind, flags], _) = split::<2>(bytes)?;
    body(bytes, (kind, flags), padded)
}

fn body(bytes: &[u8], (kind, flags): (u8, u8), padded: bool) -> Step<'_> {
    let (header, _) = split::<HEADER>(bytes)?;
    // Version 0, type 2, and a subtype that has data.
    if kind & 0x0f != 0x08 || kind & 0x40 != 0 {
        return Err(Undecodable::NotIp);
    }
    if flags & 0x40 != 0 {
        return Err(Undecodable::Encrypted);
    }
    if header[22] & 0x0f != 0 {
        return Err(Undecodable::Fragment);
    }
    let to_and_from = flags & 0x03 == 0x03;
    let mut length = HEADER + if to_and_from { 6 } else { 0 };
    let mut aggregate = false;
    let mut mesh = false;
    if kind & 0x80 != 0 {
        let (control, _) = split::<2>(bytes.get(length..).ok_or(Undecodable::Cut)?)?;
        aggregate = control[0] & 0x80 != 0;
        mesh = control[1] & 0x01 != 0;
        length += 2;
        if flags & 0x80 != 0 {
            length += 4;
        }
    }
    if padded {
        length = length.next_multiple_of(4);
    }
    if aggregate {
        length += SUBFRAME;
    }
    let rest = bytes.get(length..).ok_or(Undecodable::Cut)?;
    Ok((Layer::Llc, if mesh { behind_mesh(rest) } else { rest }))
}

/// What follows a mesh control field of 6, 12 or 18 bytes (IEEE 802.11 section 9.2.4.8.3). The bit that announces it means
/// something else outside of a mesh, so SNAP must follow it.
fn behind_mesh(body: &[u8]) -> &[u8] {
    let extension = match body {
        [flags @ 0..=2, ..] => usize::from(*flags) * 6,
        _ => return body,
    };
    match body.get(6 + extension..) {
        Some(rest) if rest.starts_with(SNAP) && !body.starts_with(SNAP) => rest,
        _ => body,
    }
}

/// A header of fields in the order of bits, always little-endian; only the flags matter.
pub(super) fn radiotap(bytes: &[u8]) -> Step<'_> {
    let (&[version, _, low, high], _) = split::<4>(bytes)?;
    let length = usize::from(u16::from_le_bytes([low, high]));
    if version != 0 || length < 8 {
        return Err(Undecodable::NotIp);
    }
    let frame = bytes.get(length..).ok_or(Undecodable::Cut)?;
    let padded = flags(bytes.get(..length).unwrap_or_default()).unwrap_or(0) & 0x20 != 0;
    Ok((Layer::Dot11 { padded }, frame))
}

/// The flags field: behind all words of presence bits, and a time of eight aligned bytes where there is one.
fn flags(header: &[u8]) -> Option<u8> {
    let present = header.get(4)?;
    let mut at = 8;
    // The highest bit of each word says that another follows.
    while header.get(at - 1)? & 0x80 != 0 {
        at += 4;
    }
    if present & 1 != 0 {
        at = at.next_multiple_of(8) + 8;
    }
    match present & 2 {
        0 => None,
        _ => header.get(at).copied(),
    }
}

/// Prism's header says its length in the order of the machine; AVS's came under the same number.
pub(super) fn prism(bytes: &[u8]) -> Step<'_> {
    let (&[a, b, c, d, w, x, y, z], _) = split::<8>(bytes)?;
    if [a, b, c & 0xf0] == [0x80, 0x21, 0x10] {
        return avs(bytes);
    }
    if [a, b, c, d] == [0; 4] {
        return Err(Undecodable::NotIp);
    }
    let length = u32::from_le_bytes([w, x, y, z]).min(u32::from_be_bytes([w, x, y, z]));
    behind(bytes, length)
}

/// AVS's header is big-endian: a magic number, then the length.
pub(super) fn avs(bytes: &[u8]) -> Step<'_> {
    let (&[_, _, _, _, w, x, y, z], _) = split::<8>(bytes)?;
    behind(bytes, u32::from_be_bytes([w, x, y, z]))
}

fn behind(bytes: &[u8], length: u32) -> Step<'_> {
    match bytes.get(length as usize..) {
        Some(frame) if length >= 8 => Ok((Layer::Dot11 { padded: false }, frame)),
        Some(_) => Err(Undecodable::NotIp),
        None => Err(Undecodable::Cut),
    }
}

/// Version, flags, length and a link type, all little-endian, before fields that do not matter here.
pub(super) fn per_packet_information(bytes: &[u8]) -> Step<'_> {
    let (&[_, _, low, high, a, b, c, d], _) = split::<8>(bytes)?;
    let length = usize::from(u16::from_le_bytes([low, high]));
    let link_type = LinkType::from_number(u32::from_le_bytes([a, b, c, d]));
    match bytes.get(length..) {
        Some(frame) if length >= 8 => Ok((Layer::Link(link_type), frame)),
        Some(_) => Err(Undecodable::NotIp),
        None => Err(Undecodable::Cut),
    }
}

/// A data frame whose two bytes of frame control may be swapped, as some access controllers send them.
pub(super) fn maybe_swapped(bytes: &[u8]) -> Step<'_> {
    let (&[first, second], _) = split::<2>(bytes)?;
    if first & 0x0f != 0x08 && second & 0x0f == 0x08 {
        body(bytes, (second, first), false)
    } else {
        body(bytes, (first, second), false)
    }
}
