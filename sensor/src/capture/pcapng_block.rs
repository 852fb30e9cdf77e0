//! What one block of a pcapng file says: a frame, an interface, or nothing that matters here.
//! It keeps the interfaces of the current section and does no reading of its own.

use std::ops::Range;

use pcap_parser::{
    Block, IDB_MAGIC, InterfaceDescriptionBlock, PcapBlockOwned, SimplePacketBlock, UnknownBlock,
};

use detection::frame::{LinkType, Timestamp};

/// Longest frame accepted, in bytes: libpcap's own maximum snap length. A longer one is a damaged record.
pub(super) const MAX_FRAME_LEN: usize = 256 * 1024;

/// Interfaces remembered for a pcapng section, far above what any machine has.
const MAX_INTERFACES: usize = 4096;

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// The interfaces described so far, and the time reached.
#[derive(Default)]
pub(super) struct Blocks {
    interfaces: Vec<Interface>,
    time: Timestamp,
    untimed: u64,
}

/// The type of the packet block that early Wireshark wrote, as it stands in files of either order.
const OBSOLETE_LITTLE: u32 = 2;
const OBSOLETE_BIG: u32 = OBSOLETE_LITTLE.swap_bytes();

/// How two and four bytes are read in a section's order.
type Numbers = (fn([u8; 2]) -> u16, fn([u8; 4]) -> u32);

/// What a capture says of one interface.
#[derive(Clone, Copy)]
struct Interface {
    link_type: LinkType,
    ticks_per_second: u64,
    offset_seconds: i64,
    snap_len: u32,
}

/// Where a frame lies in the reader's buffer, and what the capture says of it.
pub(super) struct Record {
    pub(super) time: Timestamp,
    pub(super) wire_len: u32,
    pub(super) link_type: LinkType,
    pub(super) interface: u32,
    pub(super) range: Range<usize>,
}

pub(super) enum Content {
    Frame(Record),
    Other,
    Nonsense,
}

/// A frame as its block gives it, before the interface is looked up.
struct Raw {
    interface: u32,
    ticks: Option<u64>,
    wire_len: u32,
    range: Range<usize>,
}

impl Blocks {
    /// Link types of the interfaces of the current section.
    pub(super) fn link_types(&self) -> impl Iterator<Item = LinkType> {
        self.interfaces.iter().map(|interface| interface.link_type)
    }

    /// Frames without a time of their own.
    pub(super) fn untimed(&self) -> u64 {
        self.untimed
    }

    /// Reads the block that begins the reader's buffer.
    pub(super) fn read(&mut self, block: &PcapBlockOwned<'_>) -> Content {
        match block {
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => self.frame(Raw {
                interface: packet.if_id,
                ticks: Some(u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low)),
                wire_len: packet.origlen,
                range: 28..28 + packet.caplen as usize,
            }),
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => self.frame(self.of_simple(packet)),
            PcapBlockOwned::NG(Block::InterfaceDescription(description)) => {
                self.describe(Interface::of_pcapng(description))
            }
            PcapBlockOwned::NG(Block::SectionHeader(_)) => {
                // Interface numbers begin again in every section.
                self.interfaces.clear();
                Content::Other
            }
            PcapBlockOwned::NG(Block::Unknown(block)) => match block.block_type {
                OBSOLETE_LITTLE => self.obsolete(block, (u16::from_le_bytes, u32::from_le_bytes)),
                OBSOLETE_BIG => self.obsolete(block, (u16::from_be_bytes, u32::from_be_bytes)),
                _ => Content::Other,
            },
            PcapBlockOwned::NG(_) | PcapBlockOwned::Legacy(_) | PcapBlockOwned::LegacyHeader(_) => {
                Content::Other
            }
        }
    }

    fn describe(&mut self, interface: Interface) -> Content {
        if self.interfaces.len() == MAX_INTERFACES {
            return Content::Nonsense;
        }
        self.interfaces.push(interface);
        Content::Other
    }

    /// The packet block before the enhanced one: the interface has two bytes, and drops are counted in two more.
    fn obsolete(&mut self, block: &UnknownBlock<'_>, (half, word): Numbers) -> Content {
        let Some((header, packet)) = block.data.split_first_chunk::<20>() else {
            return Content::Nonsense;
        };
        let at = |at: usize| match header.get(at..at + 4) {
            Some(&[a, b, c, d]) => word([a, b, c, d]),
            _ => 0,
        };
        let len = at(12) as usize;
        if len > packet.len() {
            return Content::Nonsense;
        }
        self.frame(Raw {
            interface: half([header[0], header[1]]).into(),
            ticks: Some(u64::from(at(4)) << 32 | u64::from(at(8))),
            wire_len: at(16),
            range: 28..28 + len,
        })
    }

    /// A simple packet block has no captured length: it is the wire length up to the snap length.
    fn of_simple(&self, packet: &SimplePacketBlock<'_>) -> Raw {
        let snap_len = match self.interfaces.first().map(|interface| interface.snap_len) {
            None | Some(0) => u32::MAX,
            Some(limit) => limit,
        };
        let len = (packet.origlen.min(snap_len) as usize).min(packet.data.len());
        Raw {
            interface: 0,
            ticks: None,
            wire_len: packet.origlen,
            range: 12..12 + len,
        }
    }

    fn frame(&mut self, raw: Raw) -> Content {
        let len = raw.range.len();
        let Some(interface) = self.interfaces.get(raw.interface as usize) else {
            return Content::Nonsense;
        };
        if len > MAX_FRAME_LEN {
            return Content::Nonsense;
        }
        // A block without a time belongs to the moment of the one before it.
        match raw.ticks {
            Some(ticks) => self.time = interface.time(ticks),
            None => self.untimed += 1,
        }
        Content::Frame(Record {
            time: self.time,
            wire_len: raw.wire_len.max(len as u32),
            link_type: interface.link_type,
            interface: raw.interface,
            range: raw.range,
        })
    }
}

impl Interface {
    fn of_pcapng(description: &InterfaceDescriptionBlock<'_>) -> Interface {
        // The parser reads the offset as little-endian whatever the section says.
        let big_endian = description.block_type != IDB_MAGIC;
        let offset = description.if_tsoffset;
        Interface {
            link_type: LinkType::from_number(description.linktype.0 as u32),
            ticks_per_second: ticks_per_second(description.if_tsresol),
            offset_seconds: if big_endian {
                offset.swap_bytes()
            } else {
                offset
            },
            snap_len: description.snaplen,
        }
    }

    fn time(&self, ticks: u64) -> Timestamp {
        let seconds = ticks / self.ticks_per_second;
        let rest = u128::from(ticks % self.ticks_per_second);
        let nanoseconds =
            rest * u128::from(NANOSECONDS_PER_SECOND) / u128::from(self.ticks_per_second);
        let since_epoch = i128::from(seconds) + i128::from(self.offset_seconds);
        let total = since_epoch * i128::from(NANOSECONDS_PER_SECOND) + nanoseconds as i128;
        Timestamp::from_nanoseconds(total.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
    }
}

/// `if_tsresol` of pcapng: a negative power of ten or, with the high bit set, of two.
/// A resolution finer than 64 bits of ticks can count is taken for the default, microseconds.
fn ticks_per_second(resolution: u8) -> u64 {
    let exponent = u32::from(resolution & 0x7f);
    let ticks = match resolution & 0x80 {
        0 => 10u64.checked_pow(exponent),
        _ => 1u64.checked_shl(exponent),
    };
    ticks.unwrap_or(1_000_000)
}
