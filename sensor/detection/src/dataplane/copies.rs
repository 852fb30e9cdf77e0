//! Copies that two mirrors send of one packet: the first counts, the second does not.
//! It must not take a packet that is sent again for a copy of the first, nor grow.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use crate::decode::{InnerPacket, TunnelEnds};

/// Packets that are remembered: a fifth of a second at some 20,000 a second, with room for unevenness.
const REMEMBERED: usize = 4_096;

/// How long a copy may be behind, microseconds: mirrors of one network are milliseconds apart, and the stack of whoever
/// sends a packet again waits 200 ms.
const APART: u64 = 100_000;

/// Bytes of a packet that are compared: what the meter parses.
const COMPARED: usize = 128;

/// A packet by its bytes, and who first sent a copy of it.
#[derive(Debug, Clone, Copy)]
struct Seen {
    hash: u64,
    time: u64,
    mirror: TunnelEnds,
}

/// What mirrors have sent of late. Empty, and without memory, while there is no mirror.
#[derive(Debug, Default)]
pub(super) struct Copies {
    seen: Vec<Option<Seen>>,
    known: u64,
    hasher: BuildHasherDefault<DefaultHasher>,
}

impl Copies {
    /// Whether another mirror has just sent this packet; it is remembered if not.
    #[inline]
    pub(super) fn is_known(&mut self, packet: &InnerPacket<'_>, time: u64) -> bool {
        match packet.mirror {
            None => false,
            Some(mirror) => self.look(packet.ip, mirror, time),
        }
    }

    /// Copies that were known.
    pub(super) fn known(&self) -> u64 {
        self.known
    }

    #[cold]
    fn look(&mut self, ip: &[u8], mirror: TunnelEnds, time: u64) -> bool {
        if self.seen.is_empty() {
            self.seen = vec![None; REMEMBERED];
        }
        let hash = self.hasher.hash_one(lasting(ip));
        let at = hash as usize % REMEMBERED;
        let Some(place) = self.seen.get_mut(at) else {
            return false;
        };
        let known = place.is_some_and(|seen| {
            seen.hash == hash && seen.mirror != mirror && time.saturating_sub(seen.time) <= APART
        });
        if known {
            self.known += 1;
        } else {
            *place = Some(Seen { hash, time, mirror });
        }
        known
    }
}

/// The first bytes of a packet without what routers change: time to live and checksum, or hop limit.
fn lasting(ip: &[u8]) -> [u8; COMPARED] {
    let mut bytes = [0; COMPARED];
    for (kept, byte) in bytes.iter_mut().zip(ip) {
        *kept = *byte;
    }
    match bytes[0] >> 4 {
        4 => (bytes[8], bytes[10], bytes[11]) = (0, 0, 0),
        _ => bytes[7] = 0,
    }
    // What the capture or the link adds behind the packet is no part of it.
    let length = match bytes[0] >> 4 {
        4 => usize::from(u16::from_be_bytes([bytes[2], bytes[3]])),
        _ => 40 + usize::from(u16::from_be_bytes([bytes[4], bytes[5]])),
    };
    for byte in bytes.iter_mut().skip(length.max(20)) {
        *byte = 0;
    }
    bytes
}
