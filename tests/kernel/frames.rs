//! Frames written by hand, byte for byte, for what captures seldom hold.
//! Nothing here knows the meter: a frame is what a wire would carry.

use std::net::IpAddr;

/// A frame as a capture has it.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// Microseconds.
    pub(crate) time: u64,
    /// What was captured, from the Ethernet header on.
    pub(crate) bytes: Vec<u8>,
    /// Length on the wire.
    pub(crate) wire: u32,
    /// Segments an offload merged, 0 where it does not say.
    pub(crate) segments: u32,
}

impl Frame {
    pub(crate) fn new(time: u64, bytes: Vec<u8>) -> Self {
        let wire = bytes.len() as u32;
        Self {
            time,
            bytes,
            wire,
            segments: 0,
        }
    }
}

/// TCP flags.
pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const PSH: u8 = 0x08;
pub(crate) const ACK: u8 = 0x10;

/// A documentation address of network `net` (0–2: IPv4, RFC 5737; above: IPv6, RFC 3849).
pub(crate) fn address(net: u8, host: u16) -> IpAddr {
    let [high, low] = host.to_be_bytes();
    match net {
        0 => [192, 0, 2, low].into(),
        1 => [198, 51, 100, low].into(),
        2 => [203, 0, 113, low].into(),
        _ => [
            0x2001,
            0xdb8,
            u16::from(net),
            0,
            0,
            0,
            0,
            u16::from_be_bytes([high, low]),
        ]
        .into(),
    }
}

/// An Ethernet frame around the IP packet `packet`, behind VLAN tags with these control bits.
pub(crate) fn ethernet(tags: &[u16], packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    for (place, tag) in tags.iter().enumerate() {
        let outer = place + 1 < tags.len();
        frame.extend(if outer { [0x88, 0xa8] } else { [0x81, 0x00] });
        frame.extend(tag.to_be_bytes());
    }
    let six = packet.first().is_some_and(|byte| byte >> 4 == 6);
    frame.extend(if six { [0x86, 0xdd] } else { [0x08, 0x00] });
    frame.extend(packet);
    frame
}

/// An IP packet of either family without options.
pub(crate) fn ip(ends: (IpAddr, IpAddr), protocol: u8, payload: &[u8]) -> Vec<u8> {
    match ends {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut packet = vec![0x45, 0];
            packet.extend((20 + payload.len() as u16).to_be_bytes());
            packet.extend([0, 1, 0x40, 0, 64, protocol, 0, 0]);
            packet.extend(from.octets());
            packet.extend(to.octets());
            packet.extend(payload);
            packet
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let mut packet = vec![0x60, 0, 0, 0];
            packet.extend((payload.len() as u16).to_be_bytes());
            packet.extend([protocol, 64]);
            packet.extend(from.octets());
            packet.extend(to.octets());
            packet.extend(payload);
            packet
        }
        _ => panic!("two families in one packet"),
    }
}

/// A TCP segment without options.
pub(crate) fn tcp(ports: (u16, u16), numbers: (u32, u32), flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::new();
    segment.extend(ports.0.to_be_bytes());
    segment.extend(ports.1.to_be_bytes());
    segment.extend(numbers.0.to_be_bytes());
    segment.extend(numbers.1.to_be_bytes());
    segment.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend(payload);
    segment
}

/// A UDP datagram.
pub(crate) fn udp(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::new();
    datagram.extend(ports.0.to_be_bytes());
    datagram.extend(ports.1.to_be_bytes());
    datagram.extend((8 + payload.len() as u16).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    datagram
}

/// An ICMP message: type and code, the second word, what follows.
pub(crate) fn icmp(kind: (u8, u8), word: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut message = vec![kind.0, kind.1, 0, 0];
    message.extend(word);
    message.extend(payload);
    message
}

/// An extension header of IPv6: `next`, then `units` of eight octets beyond the first.
pub(crate) fn extension(next: u8, units: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = vec![next, units];
    header.resize(8 * (usize::from(units) + 1), 0);
    header.extend(payload);
    header
}

/// A conversation being written down, packet by packet.
pub(crate) struct Script {
    pub(crate) time: u64,
    pub(crate) frames: Vec<Frame>,
}

impl Script {
    /// Begins at `time`, microseconds.
    pub(crate) fn at(time: u64) -> Self {
        Self {
            time,
            frames: Vec::new(),
        }
    }

    /// Lets `micros` pass.
    pub(crate) fn wait(&mut self, micros: u64) -> &mut Self {
        self.time += micros;
        self
    }

    /// An IP packet now.
    pub(crate) fn send(
        &mut self,
        ends: (IpAddr, IpAddr),
        protocol: u8,
        payload: &[u8],
    ) -> &mut Self {
        self.frame(ethernet(&[], &ip(ends, protocol, payload)))
    }

    /// A frame now.
    pub(crate) fn frame(&mut self, bytes: Vec<u8>) -> &mut Self {
        self.frames.push(Frame::new(self.time, bytes));
        self
    }

    /// A whole TCP conversation: handshake, `requests` of 100 bytes with answers of 1,000, an orderly end.
    pub(crate) fn converse(&mut self, ends: (IpAddr, IpAddr), ports: (u16, u16), requests: u32) {
        let back = (ends.1, ends.0);
        let reply = (ports.1, ports.0);
        let (mut ours, mut theirs) = (1000, 5_000_000);
        self.send(ends, 6, &tcp(ports, (ours, 0), SYN, &[]))
            .wait(300);
        ours += 1;
        self.send(back, 6, &tcp(reply, (theirs, ours), SYN | ACK, &[]))
            .wait(200);
        theirs += 1;
        self.send(ends, 6, &tcp(ports, (ours, theirs), ACK, &[]))
            .wait(50);
        for _ in 0..requests {
            self.send(ends, 6, &tcp(ports, (ours, theirs), PSH | ACK, &[7; 100]))
                .wait(2_000);
            ours += 100;
            self.send(back, 6, &tcp(reply, (theirs, ours), PSH | ACK, &[8; 1000]))
                .wait(1_500);
            theirs += 1000;
        }
        self.send(ends, 6, &tcp(ports, (ours, theirs), FIN | ACK, &[]))
            .wait(400);
        self.send(back, 6, &tcp(reply, (theirs, ours + 1), FIN | ACK, &[]))
            .wait(200);
        self.send(ends, 6, &tcp(ports, (ours + 1, theirs + 1), ACK, &[]))
            .wait(100);
    }
}

/// A small random sequence (Marsaglia's xorshift), the same in every run.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}
