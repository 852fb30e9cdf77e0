//! Packets in somebody else's name: first TCP segments as fast as one thread sends them, and others one by one.
//! Nothing leaves the namespaces; the senders are documentation addresses that nobody there has.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, sendto, socket,
};

use super::testbed::WEB;

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;

/// Sends `count` first segments from `senders` to the web server at `to`, each from a port of its own; returns how many
/// the kernel took.
pub(crate) fn flood(to: IpAddr, count: u32, senders: impl Fn(u32) -> IpAddr) -> u32 {
    let family = match to {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    let socket = raw(family);
    // The port of a raw destination says nothing and must be 0 over IPv6.
    let destination = SockaddrStorage::from(SocketAddr::new(to, 0));
    let mut sent = 0;
    for number in 0..count {
        let packet = packet(senders(number), to, number);
        loop {
            match sendto(socket.as_raw_fd(), &packet, &destination, MsgFlags::empty()) {
                Ok(_) => sent += 1,
                Err(Errno::ENOBUFS | Errno::EINTR) => continue,
                Err(error) => panic!("packet {number}: {error}"),
            }
            break;
        }
    }
    sent
}

/// A raw socket of this protocol sends the header it is given (raw(7)).
fn raw(family: AddressFamily) -> OwnedFd {
    let socket = socket(
        family,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::Raw,
    );
    socket.expect("root may send what it likes")
}

/// What a forger writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A first segment as Linux sends it.
    Syn,
    Reset,
    Datagram,
    Ping,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Syn, Self::Reset, Self::Datagram, Self::Ping];
}

/// Writes packets over IPv4 in anybody's name.
pub(crate) struct Forger(OwnedFd);

impl Forger {
    /// In the network namespace of the calling thread.
    pub(crate) fn new() -> Self {
        Self(raw(AddressFamily::Inet))
    }

    /// Sends a packet that arrives with this time to live, to a port, or with such a number in a ping.
    pub(crate) fn send(
        &self,
        kind: Kind,
        (from, to): (Ipv4Addr, Ipv4Addr),
        (port, ttl): (u16, u8),
    ) {
        let addresses = [from.octets(), to.octets()].concat();
        let (protocol, content) = match kind {
            Kind::Syn => (TCP, tcp(&addresses, (SYN, port), &LINUX)),
            Kind::Reset => (TCP, tcp(&addresses, (RST, port), &[])),
            Kind::Datagram => (UDP, datagram(port)),
            Kind::Ping => (ICMP, ping(port)),
        };
        let mut bytes = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, ttl, protocol, 0, 0];
        bytes.extend(addresses);
        bytes.extend(content);
        let destination = SockaddrStorage::from(SocketAddr::new(to.into(), 0));
        while let Err(error) = sendto(self.0.as_raw_fd(), &bytes, &destination, MsgFlags::empty()) {
            let full = matches!(error, Errno::ENOBUFS | Errno::EINTR);
            assert!(full, "the forger cannot send: {error}");
        }
    }
}

/// The options of Linux' first segment: segment size, selective acknowledgement, timestamps, window scale.
const LINUX: [u8; 20] = [
    2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7,
];

fn tcp(addresses: &[u8], (flags, port): (u8, u16), options: &[u8]) -> Vec<u8> {
    let mut segment = vec![0; 20];
    segment[..2].copy_from_slice(&(40_000 + port % 20_000).to_be_bytes());
    segment[2..4].copy_from_slice(&port.to_be_bytes());
    segment[4..8].copy_from_slice(&u32::from(port).wrapping_mul(2_654_435_761).to_be_bytes());
    segment[12] = ((20 + options.len()) as u8 / 4) << 4;
    segment[13] = flags;
    segment[14..16].copy_from_slice(&64_240_u16.to_be_bytes());
    segment.extend(options);
    let length = (segment.len() as u32).to_be_bytes();
    let pseudo = [addresses, &[0, TCP], &length[2..]].concat();
    let sum = checksum(&[&pseudo[..], &segment].concat());
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    segment
}

/// To a port; without a checksum, as IPv4 allows (RFC 768).
fn datagram(port: u16) -> Vec<u8> {
    let from = 40_000 + port % 20_000;
    let mut bytes = [from, port, 8 + 16, 0].map(u16::to_be_bytes).concat();
    bytes.extend([b'x'; 16]);
    bytes
}

fn ping(number: u16) -> Vec<u8> {
    let mut bytes = vec![8, 0, 0, 0];
    bytes.extend(number.to_be_bytes());
    bytes.extend([0; 18]);
    let sum = checksum(&bytes);
    bytes[2..4].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// Of an even number of bytes (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2);
    let mut sum: u32 = words
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn packet(from: IpAddr, to: IpAddr, number: u32) -> Vec<u8> {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => v4(from, to, number),
        (IpAddr::V6(from), IpAddr::V6(to)) => v6(from, to, number),
        _ => panic!("{from} and {to} are of two families"),
    }
}

fn v4(from: Ipv4Addr, to: Ipv4Addr, number: u32) -> Vec<u8> {
    // The kernel fills in the header's length and checksum.
    let mut bytes = vec![0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, TCP, 0, 0];
    bytes.extend(from.octets());
    bytes.extend(to.octets());
    let addresses = [from.octets(), to.octets()].concat();
    bytes.extend(segment(&addresses, number));
    bytes
}

fn v6(from: Ipv6Addr, to: Ipv6Addr, number: u32) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0, 0, 20, TCP, 64];
    bytes.extend(from.octets());
    bytes.extend(to.octets());
    let addresses = [from.octets(), to.octets()].concat();
    bytes.extend(segment(&addresses, number));
    bytes
}

/// A first segment with its checksum over `addresses` (RFC 9293), so that a real server answers.
fn segment(addresses: &[u8], number: u32) -> [u8; 20] {
    let port = 1_024 + (number % 60_000) as u16;
    let mut segment = [0; 20];
    segment[..2].copy_from_slice(&port.to_be_bytes());
    segment[2..4].copy_from_slice(&WEB.to_be_bytes());
    segment[4..8].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_be_bytes());
    segment[12] = 5 << 4;
    segment[13] = SYN;
    segment[14..16].copy_from_slice(&64_240_u16.to_be_bytes());
    let pseudo = [addresses, &[0, TCP, 0, segment.len() as u8]].concat();
    let sum = checksum(&[&pseudo[..], &segment].concat());
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    segment
}
