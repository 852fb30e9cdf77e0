//! The last headers of addresses under suspicion, kept as evidence and handed out as a pcap file.
//! It must not keep more than the settings allow, nor payload on purpose.

use std::collections::VecDeque;
use std::net::IpAddr;

use detection::frame::{Frame, LinkType};
use detection::meter::table::Table;

/// Bytes kept of a frame: Ethernet, a tag, IPv6 and TCP with all options fit.
const HEADER_LEN: usize = 128;

/// Nanosecond pcap, written in this machine's byte order, which is what the magic number tells.
const MAGIC: u32 = 0xa1b2_3c4d;

/// A frame's first bytes.
#[derive(Debug, Clone, Copy)]
struct Header {
    /// Nanoseconds since 1970, as the kernel stamped it.
    wall: i64,
    wire_len: u32,
    link_type: LinkType,
    len: u8,
    bytes: [u8; HEADER_LEN],
}

/// Rings of headers, one an address.
#[derive(Debug)]
pub(super) struct Headers {
    /// Which ring is whose; the address not heard of for longest goes first.
    owners: Table<IpAddr, usize, 1>,
    rings: Vec<VecDeque<Header>>,
    per_address: usize,
}

impl Headers {
    /// At most `per_address` headers for each of `addresses`.
    pub(super) fn new(addresses: usize, per_address: usize) -> Self {
        Self {
            owners: Table::new([addresses]),
            rings: Vec::new(),
            per_address,
        }
    }

    /// Keeps headers of an address from now on.
    pub(super) fn follow(&mut self, address: IpAddr) {
        let address = address.to_canonical();
        if self.owners.find(&address).is_some() {
            return;
        }
        let freed = self.owners.oldest(0).filter(|_| self.owners.is_full(0));
        let ring = match freed {
            Some(oldest) => *self.owners.value(oldest),
            None => {
                self.rings.push(VecDeque::new());
                self.rings.len() - 1
            }
        };
        self.rings[ring].clear();
        self.owners.insert(address, ring, 0);
    }

    /// Keeps a frame between two addresses if one of them is followed.
    pub(super) fn keep(&mut self, ends: (IpAddr, IpAddr), frame: &Frame<'_>, wall: i64) {
        if self.rings.is_empty() {
            return;
        }
        for address in [ends.0, ends.1] {
            let Some(owner) = self.owners.find(&address.to_canonical()) else {
                continue;
            };
            self.owners.touch(owner);
            let ring = &mut self.rings[*self.owners.value(owner)];
            if ring.len() >= self.per_address {
                ring.pop_front();
            }
            let mut header = Header {
                wall,
                wire_len: frame.wire_len,
                link_type: frame.link_type,
                len: 0,
                bytes: [0; HEADER_LEN],
            };
            for (kept, byte) in header.bytes.iter_mut().zip(frame.bytes) {
                *kept = *byte;
                header.len += 1;
            }
            ring.push_back(header);
        }
    }

    /// What is kept of an address as a pcap file. One file has one link type: that of the last frame.
    pub(super) fn file(&self, address: IpAddr) -> Option<Vec<u8>> {
        let owner = self.owners.find(&address.to_canonical())?;
        let ring = &self.rings[*self.owners.value(owner)];
        let link_type = ring.back()?.link_type;
        let mut file = Vec::new();
        let mut write = |numbers: &[u32]| {
            for number in numbers {
                file.extend(number.to_ne_bytes());
            }
        };
        write(&[MAGIC]);
        // Version 2.4: two halves of 16 bits.
        let version = u32::from_ne_bytes(join(2u16.to_ne_bytes(), 4u16.to_ne_bytes()));
        write(&[version, 0, 0, HEADER_LEN as u32, link_type.number()]);
        for header in ring.iter().filter(|header| header.link_type == link_type) {
            let (seconds, nanos) = (header.wall / 1_000_000_000, header.wall % 1_000_000_000);
            let stamp = [seconds as u32, nanos as u32];
            let lens = [u32::from(header.len), header.wire_len];
            for number in [stamp, lens].concat() {
                file.extend(number.to_ne_bytes());
            }
            file.extend(&header.bytes[..usize::from(header.len)]);
        }
        Some(file)
    }
}

fn join(first: [u8; 2], second: [u8; 2]) -> [u8; 4] {
    [first[0], first[1], second[0], second[1]]
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::capture::Source;
    use crate::capture::file::File;
    use detection::frame::Timestamp;

    const WALL: i64 = 1_700_000_000_123_456_789;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn keep(headers: &mut Headers, from: u8, bytes: &[u8], wall: i64) {
        let frame = Frame {
            time: Timestamp::default(),
            wire_len: 1_000,
            bytes,
            link_type: LinkType::Ethernet,
            interface: 2,
        };
        headers.keep((address(from), address(200)), &frame, wall);
    }

    fn read(file: Vec<u8>) -> Vec<(i64, u32, Vec<u8>)> {
        let mut file = File::read("headers", Cursor::new(file)).unwrap();
        let mut frames = Vec::new();
        while let Some(frame) = file.next_frame().unwrap() {
            assert_eq!(frame.link_type, LinkType::Ethernet);
            frames.push((
                frame.time.nanoseconds(),
                frame.wire_len,
                frame.bytes.to_vec(),
            ));
        }
        assert!(file.damage().is_none());
        frames
    }

    #[test]
    fn the_last_headers_of_an_address_are_a_capture() {
        let mut headers = Headers::new(4, 3);
        keep(&mut headers, 1, &[1; 60], WALL);
        assert_eq!(headers.file(address(1)), None);
        headers.follow(address(1));
        assert_eq!(headers.file(address(1)), None);
        for frame in 0..5 {
            keep(&mut headers, 1, &[frame; 300], WALL + i64::from(frame));
        }
        keep(&mut headers, 2, &[9; 60], WALL);
        let kept = read(headers.file(address(1)).unwrap());
        let expected =
            [2, 3, 4].map(|frame| (WALL + i64::from(frame), 1_000, vec![frame; HEADER_LEN]));
        assert_eq!(kept, expected);
        assert_eq!(headers.file(address(2)), None);
    }

    #[test]
    fn the_address_not_heard_of_for_longest_makes_room() {
        let mut headers = Headers::new(2, 3);
        headers.follow(address(1));
        headers.follow(address(2));
        keep(&mut headers, 2, &[2; 60], WALL);
        keep(&mut headers, 1, &[1; 60], WALL);
        headers.follow(address(3));
        assert_eq!(headers.file(address(2)), None);
        assert_eq!(headers.file(address(3)), None);
        assert_eq!(read(headers.file(address(1)).unwrap()).len(), 1);
        keep(&mut headers, 3, &[3; 40], WALL);
        let kept = read(headers.file(address(3)).unwrap());
        assert_eq!(kept, [(WALL, 1_000, vec![3; 40])]);
        assert_eq!(headers.rings.len(), 2);
    }
}
