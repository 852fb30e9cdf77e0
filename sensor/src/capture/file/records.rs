//! Captures of plain records, each with a header that says its length: pcap in all its varieties, snoop, ERF.
//! A record that makes no sense ends the file; what was read before it is good.

use std::io::Read;

use super::End;
use crate::capture::pcapng_block::{MAX_FRAME_LEN, Record};
use detection::frame::{LinkType, Timestamp};

/// Bytes read at once; several of the longest records fit.
const BUFFER_LEN: usize = 1 << 20;

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// The order of a file's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    pub(super) fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            ByteOrder::Little => u16::from_le_bytes(bytes),
            ByteOrder::Big => u16::from_be_bytes(bytes),
        }
    }

    pub(super) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            ByteOrder::Little => u32::from_le_bytes(bytes),
            ByteOrder::Big => u32::from_be_bytes(bytes),
        }
    }
}

/// Which of a pcap record's two lengths comes first: before version 2.3 the wire length, since 2.4 the captured one, and
/// in between it depends on who wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lengths {
    CapturedFirst,
    WireFirst,
    SmallerIsCaptured,
}

/// How records are laid out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Layout {
    /// Seconds, a fraction, both lengths, and so many bytes more.
    Pcap {
        order: ByteOrder,
        nanoseconds: bool,
        lengths: Lengths,
        more: usize,
        link_type: LinkType,
    },
    /// RFC 1761, always big-endian.
    Snoop { link_type: LinkType },
    /// Endace's records, whose header is part of the frame.
    Erf,
}

/// What the header of a record says.
struct Header {
    time: i64,
    captured: usize,
    wire_len: u32,
    /// Bytes before the frame, and behind it.
    before: usize,
    behind: usize,
}

impl Layout {
    /// Bytes of a record's header.
    const fn header_len(self) -> usize {
        match self {
            Layout::Pcap { more, .. } => 16 + more,
            Layout::Snoop { .. } => 24,
            Layout::Erf => 16,
        }
    }

    pub(super) const fn link_type(self) -> LinkType {
        match self {
            Layout::Pcap { link_type, .. } | Layout::Snoop { link_type } => link_type,
            Layout::Erf => LinkType::Erf,
        }
    }

    /// Reads a header of at least [`Layout::header_len`] bytes; nothing if it makes no sense.
    fn header(self, bytes: &[u8]) -> Option<Header> {
        match self {
            Layout::Pcap {
                order,
                nanoseconds,
                lengths,
                more,
                ..
            } => {
                let word = |at: usize| word(bytes, at).map(|word| order.u32(word));
                let (first, second) = (word(8)?, word(12)?);
                let (captured, wire_len) = match lengths {
                    Lengths::CapturedFirst => (first, second),
                    Lengths::WireFirst => (second, first),
                    Lengths::SmallerIsCaptured => (first.min(second), first.max(second)),
                };
                let unit = if nanoseconds { 1 } else { 1_000 };
                Some(Header {
                    time: time(word(0)?, u64::from(word(4)?) * unit),
                    captured: captured as usize,
                    wire_len,
                    before: 16 + more,
                    behind: 0,
                })
            }
            Layout::Snoop { .. } => {
                let word = |at: usize| word(bytes, at).map(u32::from_be_bytes);
                let (captured, length) = (word(4)? as usize, word(8)? as usize);
                Some(Header {
                    time: time(word(16)?, u64::from(word(20)?) * 1_000),
                    captured,
                    wire_len: word(0)?,
                    before: 24,
                    behind: length.checked_sub(captured.checked_add(24)?)?,
                })
            }
            Layout::Erf => erf(bytes),
        }
    }
}

/// Endace's header: a time in seconds and 2⁻³² of them, little-endian; type, flags; then big-endian the record's length,
/// a counter and the wire length.
fn erf(bytes: &[u8]) -> Option<Header> {
    let (stamp, rest) = bytes.split_first_chunk::<8>()?;
    let stamp = u64::from_le_bytes(*stamp);
    let &[_, _, a, b, _, _, c, d] = rest.first_chunk::<8>()?;
    let captured = usize::from(u16::from_be_bytes([a, b]));
    let wire_len = u32::from(u16::from_be_bytes([c, d]));
    let fraction = ((stamp & 0xffff_ffff) * SECOND) >> 32;
    (captured >= 16).then_some(Header {
        time: time((stamp >> 32) as u32, fraction),
        captured,
        wire_len: wire_len.saturating_add(18),
        before: 0,
        behind: 0,
    })
}

/// The type of a record about the capture itself.
const METADATA: u8 = 27;

/// Whether the beginning of a file can only be ERF, which has no magic number: every record's type is known, its length
/// is possible, time goes on, and the last is at the end of what is here.
pub(super) fn is_erf(head: &[u8], whole: bool) -> bool {
    let (mut rest, mut records, mut before) = (head, 0, 0);
    while records < 16 && rest.len() >= 16 {
        let Some(header) = erf(rest) else {
            return false;
        };
        let kind = rest[8] & 0x7f;
        // 2001 to 2096, and no jump of more than a day.
        let possible = (SECOND as i64 * 978_307_200..SECOND as i64 * 4_000_000_000)
            .contains(&header.time)
            && (before == 0 || (header.time - before).abs() < SECOND as i64 * 86_400);
        // What describes the capture itself need not have a time.
        if kind != METADATA {
            if !matches!(kind, 1..=26 | 48) || !possible {
                return false;
            }
            before = header.time;
        }
        records += 1;
        rest = match rest.get(header.captured..) {
            Some(next) => next,
            None if whole => return false,
            None => break,
        };
    }
    records > 0 && (records >= 3 || whole && rest.is_empty())
}

fn word(bytes: &[u8], at: usize) -> Option<[u8; 4]> {
    bytes.get(at..at + 4)?.first_chunk().copied()
}

fn time(seconds: u32, nanoseconds: u64) -> i64 {
    let total = u64::from(seconds)
        .saturating_mul(SECOND)
        .saturating_add(nanoseconds);
    i64::try_from(total).unwrap_or(i64::MAX)
}

/// A file of records being read.
pub(super) struct Records {
    input: Box<dyn Read + Send>,
    layout: Layout,
    buffer: Vec<u8>,
    /// Where the unread bytes begin and end.
    start: usize,
    end: usize,
}

impl Records {
    /// Records from `input`, of which the file's own header is read already.
    pub(super) fn new(input: Box<dyn Read + Send>, layout: Layout) -> Self {
        Self {
            input,
            layout,
            buffer: vec![0; BUFFER_LEN],
            start: 0,
            end: 0,
        }
    }

    pub(super) const fn layout(&self) -> Layout {
        self.layout
    }

    /// Where the ranges of records point into.
    pub(super) fn data(&self) -> &[u8] {
        &self.buffer
    }

    /// The next record, or how the file ends.
    pub(super) fn next(&mut self) -> Result<Record, End> {
        let needed = self.layout.header_len();
        if !self.has(needed) {
            return Err(match self.start == self.end {
                true => End::Whole,
                false => End::Cut,
            });
        }
        let header = self
            .buffer
            .get(self.start..self.end)
            .and_then(|bytes| self.layout.header(bytes))
            .ok_or(End::Damage)?;
        if header.captured > MAX_FRAME_LEN || header.behind > MAX_FRAME_LEN {
            return Err(End::Damage);
        }
        if !self.has(header.before + header.captured + header.behind) {
            return Err(End::Cut);
        }
        let begin = self.start + header.before;
        self.start = begin + header.captured + header.behind;
        Ok(Record {
            time: Timestamp::from_nanoseconds(header.time),
            wire_len: header.wire_len.max(header.captured as u32),
            link_type: self.layout.link_type(),
            interface: 0,
            range: begin..begin + header.captured,
        })
    }

    /// Whether so many bytes are at hand, after reading on.
    fn has(&mut self, needed: usize) -> bool {
        if self.end - self.start >= needed {
            return true;
        }
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        while self.end < needed {
            let Some(space) = self.buffer.get_mut(self.end..) else {
                return false;
            };
            match self.input.read(space) {
                // A failure ends the file as well; whoever reads below remembers it.
                Ok(0) | Err(_) => return false,
                Ok(read) => self.end += read,
            }
        }
        true
    }
}
