//! Scenes by schedule: what everyday programs and attackers put on the wire, written packet by packet.
//! Nothing here knows how they are judged, but for what each scene says should come of it.

mod attacks;
mod innocents;
mod wire;

use crate::kernel::frames::Frame;

pub(crate) use attacks::attacks;
pub(crate) use innocents::innocents;
use wire::Wire;

/// Bytes of TCP options each scene is tried with.
pub(crate) const OPTIONS: [usize; 3] = [0, 12, 20];

const SECOND: u64 = 1_000_000;
const START: u64 = 1_700_000_000 * SECOND;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// What happens on the wire, and what should come of it.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) class: &'static str,
    pub(crate) decision: &'static str,
    /// The offender, the victim or the target of the block.
    pub(crate) whom: &'static str,
    write: fn(&mut Wire),
}

impl Scene {
    /// Its frames in the order of time.
    pub(crate) fn frames(&self, options: usize) -> Vec<Frame> {
        let mut wire = Wire {
            options,
            ttl: 64,
            tag: None,
            next_port: 40_000,
            frames: Vec::new(),
        };
        (self.write)(&mut wire);
        wire.frames.sort_by_key(|frame| frame.time);
        wire.frames
    }
}

/// A little-endian pcap of these frames.
pub(crate) fn pcap(frames: &[Frame]) -> Vec<u8> {
    let header: [u32; 6] = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1];
    let mut bytes = header.map(u32::to_le_bytes).concat();
    for frame in frames {
        let length = frame.bytes.len() as u32;
        let seconds = (frame.time / SECOND) as u32;
        let record = [seconds, (frame.time % SECOND) as u32, length, length];
        bytes.extend(record.map(u32::to_le_bytes).concat());
        bytes.extend(&frame.bytes);
    }
    bytes
}
