//! Linux netfilter log: a header of four bytes, then attributes, one of which is the packet and one its time.
//! The attributes are in the byte order of the machine that captured, which nothing says.

use super::Undecodable;
use super::link::{Layer, Step, split};
use crate::frame::Timestamp;

/// Attributes of a record that are looked at; the kernel knows some twenty.
const MAX_ATTRIBUTES: usize = 64;
/// `NFULA_TIMESTAMP`: seconds and microseconds since 1970, eight bytes each, big-endian.
const TIME: u16 = 3;
/// `NFULA_PAYLOAD`: the packet, from the IP header on.
const PAYLOAD: u16 = 9;
/// The largest number that an attribute may have, far above the kernel's.
const MAX_TYPE: u16 = 0xff;
/// Bits of a type that say how the value is built.
const TYPE_MASK: u16 = 0x3fff;

/// The packet that was logged.
pub(super) fn payload(bytes: &[u8]) -> Step<'_> {
    let packet = attribute(bytes, PAYLOAD)?.ok_or(Undecodable::NotIp)?;
    Ok((Layer::Ip, packet))
}

/// When the packet was seen: the record's own time is that of reading, up to a second later. Not every kernel says it.
pub(crate) fn time(bytes: &[u8]) -> Option<Timestamp> {
    let stamp: &[u8; 16] = attribute(bytes, TIME).ok()??.first_chunk()?;
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte))
    };
    let (seconds, micros) = (number(&stamp[..8]), number(&stamp[8..]));
    let nanoseconds = i64::try_from(seconds).ok()?.checked_mul(1_000_000_000)?;
    let rest = i64::try_from(micros).ok()?.checked_mul(1_000)?;
    nanoseconds
        .checked_add(rest)
        .map(Timestamp::from_nanoseconds)
}

/// The value of the first attribute of this type, cut where the capture is.
fn attribute(bytes: &[u8], wanted: u16) -> Result<Option<&[u8]>, Undecodable> {
    let (_, mut rest) = split::<4>(bytes)?;
    for _ in 0..MAX_ATTRIBUTES {
        let Some((&[a, b, c, d], _)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let little = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
        let big = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let (length, kind) = if little.1 & TYPE_MASK <= MAX_TYPE {
            little
        } else {
            big
        };
        let length = usize::from(length);
        if length < 4 {
            return Ok(None);
        }
        if kind & TYPE_MASK == wanted {
            let end = length.min(rest.len());
            return Ok(rest.get(4..end));
        }
        rest = match rest.get(length.next_multiple_of(4)..) {
            Some(next) => next,
            None => return Ok(None),
        };
    }
    Ok(None)
}
