//! What a file is by its first bytes: compressed or not, of which format, or of one that other tools convert.
//! It reads no further than the file's own header.

use std::io::{self, Cursor, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use flate2::read::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder;
use pcap_parser::{PcapError, PcapNGReader};
use ruzstd::decoding::StreamingDecoder;

use super::records::{ByteOrder, Layout, Lengths, Records, is_erf};
use detection::frame::LinkType;

/// Bytes read ahead to recognise the format; more than any file header takes.
const HEAD_LEN: u64 = 64 * 1024;

/// Bytes buffered at first: several of the largest frames, small enough to stay in a CPU cache.
const BUFFER_LEN: usize = 1 << 20;

/// A file of a known format, at its first block or record.
pub(super) enum Format {
    /// pcapng.
    Blocks(PcapNGReader<Input>),
    /// Any other.
    Records(Records),
}

type Input = Box<dyn Read + Send>;

/// Why a file is not read.
pub(super) enum Refusal {
    Read(io::Error),
    Empty,
    Cut,
    Unknown,
    /// It has a format, or is packed, in a way that this command undoes.
    Foreign(&'static str, &'static str),
}

/// Compressions that are not undone here, and formats that Wireshark's editcap or another tool converts.
const FOREIGN: &[(&[u8], &str, &str)] = &[
    (b"BZh", "compressed with bzip2", "bunzip2"),
    (b"\xfd7zXZ\0", "compressed with xz", "unxz"),
    (b"PK\x03\x04", "a zip archive", "unzip"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z x"),
    (b"\x1f\x9d", "compressed with compress", "uncompress"),
    (b"LZIP", "compressed with lzip", "lzip -d"),
    (b"\x02\x21\x4c\x18", "in lz4's legacy format", "lz4 -d"),
    (b"GMBU", "a Network Monitor capture", EDITCAP),
    (b"RTSS", "a Network Monitor capture", EDITCAP),
    (b"TRSNIFF data    \x1a", "a Sniffer capture", EDITCAP),
    (b"XCP\0", "a NetXRay capture", EDITCAP),
    (b"\x7fver", "an EtherPeek capture", EDITCAP),
    (b"\x7fpkt", "an EtherPeek capture", EDITCAP),
    (b"iptrace 1.0", "an AIX iptrace", EDITCAP),
    (b"iptrace 2.0", "an AIX iptrace", EDITCAP),
    (b"btsnoop\0", "a Bluetooth log", EDITCAP),
    (b"\x01\x00\x01\x00", "a LANalyzer capture", EDITCAP),
    (b"\x54\x52\x00\x64\x00", "an nettl trace", EDITCAP),
    (b"\x05VNF", "a Visual Networks capture", EDITCAP),
];

/// Wireshark's converter.
const EDITCAP: &str = "editcap -F pcapng";

/// The beginning of an event trace of Windows is the size of its buffers; where this stands it is one.
const ETL_MARK: (usize, &[u8]) = (0x68, b"S\0y\0s\0t\0e\0m\0");

/// Looks at the first bytes, undoes the compression, and picks the reader.
pub(super) fn recognise(
    mut input: impl Read + Send + 'static,
    failed: &Arc<AtomicBool>,
) -> Result<Format, Refusal> {
    let (head, failure) = read_head(&mut input);
    if let Some(error) = failure {
        return Err(Refusal::Read(error));
    }
    let (gzip, zstd, lz4) = (
        head.starts_with(&[0x1f, 0x8b]),
        head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]),
        head.starts_with(&[0x04, 0x22, 0x4d, 0x18]),
    );
    if !(gzip || zstd || lz4) {
        return format(head, Box::new(input), failed);
    }
    let packed = Cursor::new(head).chain(input);
    let mut plain: Input = if gzip {
        Box::new(MultiGzDecoder::new(packed))
    } else if lz4 {
        Box::new(FrameDecoder::new(packed))
    } else {
        match StreamingDecoder::new(packed) {
            Ok(decoder) => Box::new(decoder),
            Err(error) => return Err(Refusal::Read(io::Error::other(error.to_string()))),
        }
    };
    match read_head(&mut plain) {
        (head, Some(error)) if head.is_empty() => Err(Refusal::Read(error)),
        // A short archive cut in the middle fails here; what it held before the cut is good.
        (head, _) => format(head, plain, failed),
    }
}

/// The first [`HEAD_LEN`] bytes or the fewer there are, and what kept it from reading more.
fn read_head(input: &mut impl Read) -> (Vec<u8>, Option<io::Error>) {
    let mut head = Vec::new();
    let outcome = input.by_ref().take(HEAD_LEN).read_to_end(&mut head);
    (head, outcome.err())
}

fn format(head: Vec<u8>, rest: Input, failed: &Arc<AtomicBool>) -> Result<Format, Refusal> {
    let rest = UntilFailure {
        input: rest,
        failed: Arc::clone(failed),
    };
    let whole = (head.len() as u64) < HEAD_LEN;
    let from = |at: usize, head: Vec<u8>| -> Input {
        let mut cursor = Cursor::new(head);
        cursor.set_position(at as u64);
        Box::new(cursor.chain(rest))
    };
    match head.as_slice() {
        [] => Err(Refusal::Empty),
        // Too short to tell a format by.
        [_] | [_, _] | [_, _, _] => Err(Refusal::Unknown),
        [0x0a, 0x0d, 0x0d, 0x0a, ..] => match PcapNGReader::new(BUFFER_LEN, from(0, head)) {
            Ok(reader) => Ok(Format::Blocks(reader)),
            Err(PcapError::Incomplete(_)) => Err(Refusal::Cut),
            Err(_) => Err(Refusal::Unknown),
        },
        [b's', b'n', b'o', b'o', b'p', 0, 0, 0, ..] => match head.get(12..16) {
            Some(&[a, b, c, d]) => {
                let link_type = snoop_link_type(u32::from_be_bytes([a, b, c, d]));
                let records = Records::new(from(16, head), Layout::Snoop { link_type });
                Ok(Format::Records(records))
            }
            _ => Err(Refusal::Cut),
        },
        _ => match pcap(&head) {
            Some(Ok((layout, at))) => Ok(Format::Records(Records::new(from(at, head), layout))),
            Some(Err(refusal)) => Err(refusal),
            None if is_erf(&head, whole) => {
                Ok(Format::Records(Records::new(from(0, head), Layout::Erf)))
            }
            None => Err(foreign(&head)),
        },
    }
}

/// The layout that a pcap file's header describes and where its records begin, if it is one.
///
/// Beside the two resolutions there are a magic number whose records say interface and protocol, and two of a maker
/// that has the length of all records behind the header.
fn pcap(head: &[u8]) -> Option<Result<(Layout, usize), Refusal>> {
    let &magic = head.first_chunk::<4>()?;
    let (order, (nanoseconds, more, behind)) = [ByteOrder::Little, ByteOrder::Big]
        .into_iter()
        .find_map(|order| {
            let known = match order.u32(magic) {
                0xa1b2_c3d4 => (false, 0, 0),
                0xa1b2_3c4d => (true, 0, 0),
                0xa1b2_cd34 => (false, 8, 0),
                0x1c00_01ac | 0x1c00_01ab => (true, 0, 4),
                _ => return None,
            };
            Some((order, known))
        })?;
    let Some(header) = head.first_chunk::<24>() else {
        return Some(Err(Refusal::Cut));
    };
    let major = order.u16([header[4], header[5]]);
    let minor = order.u16([header[6], header[7]]);
    let lengths = match (major, minor) {
        // Digital's libpcap wrote 543.
        (543, _) | (2, ..3) => Lengths::WireFirst,
        (2, 3) => Lengths::SmallerIsCaptured,
        (2, _) => Lengths::CapturedFirst,
        _ => return Some(Err(Refusal::Unknown)),
    };
    // The upper bits say how long the frame check sequence is.
    let network = order.u32([header[20], header[21], header[22], header[23]]) & 0x03ff_ffff;
    let layout = Layout::Pcap {
        order,
        nanoseconds,
        lengths,
        more,
        link_type: LinkType::from_number(network),
    };
    Some(Ok((layout, 24 + behind)))
}

/// The link types of snoop that carry IP, by their numbers (RFC 1761 and Solaris' additions).
const fn snoop_link_type(number: u32) -> LinkType {
    match number {
        0 | 4 => LinkType::Ethernet,
        2 => LinkType::TokenRing,
        8 => LinkType::Fddi,
        18 => LinkType::SunAtm,
        other => LinkType::Other(other),
    }
}

/// The name and the tool for a file that somebody else reads.
fn foreign(head: &[u8]) -> Refusal {
    let (at, mark) = ETL_MARK;
    if head.get(at..).is_some_and(|rest| rest.starts_with(mark)) {
        return Refusal::Foreign("an event trace of Windows", "pktmon etl2pcap");
    }
    let known = FOREIGN.iter().find(|(magic, ..)| head.starts_with(magic));
    match known {
        Some((_, what, tool)) => Refusal::Foreign(what, tool),
        None => Refusal::Unknown,
    }
}

/// Ends the file where reading fails, and remembers that it did: a compressed stream that stops before its
/// trailer, or a failing disk. The parser would otherwise drop what it holds, or take a signal for a failure.
struct UntilFailure<R> {
    input: R,
    failed: Arc<AtomicBool>,
}

impl<R: Read> Read for UntilFailure<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.input.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.failed.store(true, Relaxed);
                    return Ok(0);
                }
                read => return read,
            }
        }
    }
}
