//! Frames written by hand, and the pcap file format around them.
//! It knows just enough of each header to write it down; it parses nothing but pcap records.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use anyhow::{Context, Result, bail};

/// IP protocol numbers (IANA).
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;

/// TCP flags (RFC 9293).
pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const PSH: u8 = 0x08;
pub(crate) const ACK: u8 = 0x10;

/// Classic pcap, microseconds, this byte order, Ethernet.
const MAGIC: u32 = 0xa1b2_c3d4;
const HEADER: usize = 24;
const RECORD: usize = 16;

/// One record of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Microseconds since 1970.
    pub(crate) at: u64,
    pub(crate) bytes: Vec<u8>,
    /// Length on the wire; more than `bytes` when cut.
    pub(crate) wire: u32,
}

impl Frame {
    /// A whole frame.
    pub(crate) fn new(at: u64, bytes: Vec<u8>) -> Self {
        let wire = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Self { at, bytes, wire }
    }

    /// The source of the IP packet it carries, if there is no tag before it.
    pub(crate) fn source(&self) -> Option<IpAddr> {
        let kind = self.bytes.get(12..14)?;
        match u16::from_be_bytes(*kind.first_chunk()?) {
            0x0800 => Some(IpAddr::from(*self.bytes.get(26..30)?.first_chunk::<4>()?)),
            0x86dd => Some(IpAddr::from(*self.bytes.get(22..38)?.first_chunk::<16>()?)),
            _ => None,
        }
    }

    /// The same frame with `header` between its link addresses and what follows.
    pub(crate) fn tagged(mut self, header: &[u8]) -> Self {
        let tail = self.bytes.split_off(12.min(self.bytes.len()));
        self.bytes.extend_from_slice(header);
        self.bytes.extend(tail);
        self.wire += u32::try_from(header.len()).unwrap_or_default();
        self
    }
}

/// An 802.1Q tag; `kind` is 0x8100, or 0x88a8 for an outer one.
pub(crate) fn tag(kind: u16, vlan: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (kind.to_be_bytes(), vlan.to_be_bytes());
    [a, b, c, d]
}

/// An Ethernet frame from a made-up neighbour to the link address that a stage's routers have.
pub(crate) fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    let neighbours = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    [&neighbours[..], &kind.to_be_bytes(), payload].concat()
}

/// An IP packet in an Ethernet frame, of the version the addresses have.
pub(crate) fn packet(ends: (IpAddr, IpAddr), protocol: u8, payload: &[u8]) -> Vec<u8> {
    match ends {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let fragment = Fragment {
                id: 1,
                offset: 0,
                more: false,
            };
            ethernet(0x0800, &ipv4((from, to), protocol, fragment, payload))
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            ethernet(0x86dd, &ipv6((from, to), protocol, payload))
        }
        _ => Vec::new(),
    }
}

/// Where a packet's payload belongs in the whole.
#[derive(Clone, Copy)]
pub(crate) struct Fragment {
    pub(crate) id: u16,
    /// In bytes, a multiple of eight.
    pub(crate) offset: u16,
    pub(crate) more: bool,
}

/// An IPv4 packet (RFC 791) without options.
pub(crate) fn ipv4(
    ends: (Ipv4Addr, Ipv4Addr),
    protocol: u8,
    part: Fragment,
    payload: &[u8],
) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 20)
        .unwrap_or(u16::MAX)
        .to_be_bytes();
    let place = ((part.offset / 8) | (u16::from(part.more) << 13)).to_be_bytes();
    let id = part.id.to_be_bytes();
    let mut header = vec![
        0x45, 0, length[0], length[1], id[0], id[1], place[0], place[1], 64, protocol, 0, 0,
    ];
    header.extend(ends.0.octets());
    header.extend(ends.1.octets());
    let sum = checksum(&header).to_be_bytes();
    header[10..12].copy_from_slice(&sum);
    header.extend_from_slice(payload);
    header
}

/// An IPv6 packet (RFC 8200); extension headers are part of `payload`.
pub(crate) fn ipv6(ends: (Ipv6Addr, Ipv6Addr), next: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len())
        .unwrap_or(u16::MAX)
        .to_be_bytes();
    let mut packet = vec![0x60, 0, 0, 0, length[0], length[1], next, 64];
    packet.extend(ends.0.octets());
    packet.extend(ends.1.octets());
    packet.extend_from_slice(payload);
    packet
}

/// What a TCP header says, but for its ports.
#[derive(Clone, Copy)]
pub(crate) struct Segment {
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
}

/// A TCP segment with its checksum.
pub(crate) fn tcp(
    ends: (IpAddr, IpAddr),
    ports: (u16, u16),
    says: Segment,
    payload: &[u8],
) -> Vec<u8> {
    let mut segment = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
    segment.extend(says.seq.to_be_bytes());
    segment.extend(says.ack.to_be_bytes());
    segment.extend([0x50, says.flags, 0xfa, 0xf0, 0, 0, 0, 0]);
    segment.extend_from_slice(payload);
    seal(ends, TCP, segment, 16)
}

/// A UDP datagram with its checksum.
pub(crate) fn udp(ends: (IpAddr, IpAddr), ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 8).unwrap_or(u16::MAX);
    let mut datagram = [
        ports.0.to_be_bytes(),
        ports.1.to_be_bytes(),
        length.to_be_bytes(),
        [0, 0],
    ]
    .concat();
    datagram.extend_from_slice(payload);
    seal(ends, UDP, datagram, 6)
}

/// Writes the checksum over pseudo header and `message` at `place`.
fn seal(ends: (IpAddr, IpAddr), protocol: u8, mut message: Vec<u8>, place: usize) -> Vec<u8> {
    let mut covered = match ends {
        (IpAddr::V4(from), IpAddr::V4(to)) => [from.octets(), to.octets()].concat(),
        (IpAddr::V6(from), IpAddr::V6(to)) => [from.octets(), to.octets()].concat(),
        _ => Vec::new(),
    };
    covered.extend([0, protocol]);
    covered.extend(
        u16::try_from(message.len())
            .unwrap_or(u16::MAX)
            .to_be_bytes(),
    );
    covered.extend(&message);
    let sum = checksum(&covered).to_be_bytes();
    message[place..place + 2].copy_from_slice(&sum);
    message
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or_default()));
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

/// Writes `frames` as a capture.
pub(crate) fn write(path: &Path, frames: &[Frame]) -> Result<()> {
    let mut file = Vec::new();
    file.extend(MAGIC.to_le_bytes());
    file.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    file.extend(65_535_u32.to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    for frame in frames {
        let (seconds, micros) = (frame.at / 1_000_000, frame.at % 1_000_000);
        for word in [
            seconds,
            micros,
            frame.bytes.len() as u64,
            u64::from(frame.wire),
        ] {
            file.extend(
                u32::try_from(word)
                    .context("a record does not fit pcap")?
                    .to_le_bytes(),
            );
        }
        file.extend(&frame.bytes);
    }
    fs::write(path, file).with_context(|| format!("cannot write {}", path.display()))
}

/// Reads what [`write`] or the recorder wrote.
pub(crate) fn read(path: &Path) -> Result<Vec<Frame>> {
    let file = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let word = |at: usize| {
        let bytes = file
            .get(at..at + 4)
            .and_then(|bytes| bytes.first_chunk::<4>());
        bytes
            .map(|bytes| u32::from_le_bytes(*bytes))
            .context("the capture ends in a header")
    };
    if word(0)? != MAGIC {
        bail!("{} is not a capture of this lab", path.display());
    }
    let mut frames = Vec::new();
    let mut at = HEADER;
    while at < file.len() {
        let (time, length) = ((word(at)?, word(at + 4)?), word(at + 8)? as usize);
        let start = at + RECORD;
        let bytes = file
            .get(start..start + length)
            .context("the capture ends in a frame")?;
        let micros = u64::from(time.0) * 1_000_000 + u64::from(time.1);
        frames.push(Frame {
            at: micros,
            bytes: bytes.to_vec(),
            wire: word(at + 12)?,
        });
        at = start + length;
    }
    Ok(frames)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_rfc_1071s_example() {
        assert_eq!(
            checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]),
            !0xddf2
        );
    }

    #[test]
    fn a_tag_goes_between_addresses_and_type() {
        let frame = Frame::new(0, ethernet(0x0800, &[9])).tagged(&tag(0x8100, 100));
        assert_eq!(frame.bytes[12..], [0x81, 0, 0, 100, 8, 0, 9]);
        assert_eq!(frame.wire, 19);
    }
}
