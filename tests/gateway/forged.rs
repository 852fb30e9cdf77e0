//! Packets in somebody else's name: first TCP segments, as fast as one thread sends them.
//! Nothing leaves the namespaces; the senders are documentation addresses that nobody there has.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrStorage, sendto, socket,
};

use super::testbed::WEB;

const TCP: u8 = 6;
const SYN: u8 = 2;

/// Sends `count` first segments from `senders` to the web server at `to`, each from a port of its own; returns how many
/// the kernel took.
pub(crate) fn flood(to: IpAddr, count: u32, senders: impl Fn(u32) -> IpAddr) -> u32 {
    let family = match to {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    // A raw socket of this protocol sends the header it is given (raw(7)).
    let socket = socket(
        family,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::Raw,
    );
    let socket = socket.expect("root may send what it likes");
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
    let words = addresses.chunks(2).chain(segment.chunks(2));
    let sum: u32 = words
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
        .sum();
    let mut sum = sum + u32::from(TCP) + segment.len() as u32;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    segment[16..18].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    segment
}
