//! A wire being written on, packet by packet, and the conversations everybody has.
//! It knows no scene.

use std::net::IpAddr;

use super::{SECOND, START, TCP, UDP};
use crate::kernel::frames::{ACK, FIN, Frame, PSH, RST, SYN, address, ethernet, ip, udp};

/// A wire being written on; times are microseconds since the scene began.
pub(super) struct Wire {
    pub(super) options: usize,
    pub(super) ttl: u8,
    pub(super) tag: Option<u16>,
    pub(super) next_port: u16,
    pub(super) frames: Vec<Frame>,
}

/// An address and a port.
pub(super) type End = (IpAddr, u16);

/// A conversation: exchanges, payload of each way, pause between them, and whether the server ends it.
#[derive(Clone, Copy)]
pub(super) struct Talk {
    pub(super) exchanges: u32,
    pub(super) out: usize,
    pub(super) back: usize,
    pub(super) pause: u64,
    pub(super) served_end: bool,
}

pub(super) const REFUSED_LOGIN: Talk = Talk {
    exchanges: 6,
    out: 210,
    back: 330,
    pause: 200_000,
    served_end: true,
};
pub(super) const PAGE: Talk = Talk {
    exchanges: 4,
    out: 240,
    back: 1_200,
    pause: 20_000,
    served_end: false,
};

impl Wire {
    pub(super) fn port(&mut self) -> u16 {
        self.next_port = if self.next_port >= 60_000 {
            40_000
        } else {
            self.next_port + 1
        };
        self.next_port
    }

    pub(super) fn put(
        &mut self,
        time: u64,
        ends: (IpAddr, IpAddr),
        (protocol, payload): (u8, &[u8]),
    ) {
        let mut packet = ip(ends, protocol, payload);
        let at = if ends.0.is_ipv4() { 8 } else { 7 };
        packet[at] = self.ttl;
        let tags = self.tag.map(|tag| vec![tag]).unwrap_or_default();
        self.frames
            .push(Frame::new(START + time, ethernet(&tags, &packet)));
    }

    pub(super) fn tcp(
        &mut self,
        time: u64,
        (from, to): (End, End),
        (flags, numbers, payload): (u8, (u32, u32), usize),
    ) {
        let mut segment = Vec::new();
        segment.extend(from.1.to_be_bytes());
        segment.extend(to.1.to_be_bytes());
        segment.extend(numbers.0.to_be_bytes());
        segment.extend(numbers.1.to_be_bytes());
        segment.extend([
            (((20 + self.options) / 4) << 4) as u8,
            flags,
            0x20,
            0,
            0,
            0,
            0,
            0,
        ]);
        let mut options = vec![
            2, 4, 5, 0xb4, 1, 3, 3, 7, 1, 1, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0,
        ];
        options.resize(self.options, 0);
        segment.extend(options);
        segment.extend(vec![7; payload]);
        self.put(time, (from.0, to.0), (TCP, &segment));
    }

    pub(super) fn udp(&mut self, time: u64, (from, to): (End, End), payload: &[u8]) {
        self.put(time, (from.0, to.0), (UDP, &udp((from.1, to.1), payload)));
    }

    /// A SYN, and a reset a millisecond later.
    pub(super) fn refuse(&mut self, time: u64, (from, to): (End, End)) {
        self.tcp(time, (from, to), (SYN, (77, 0), 0));
        self.tcp(time + 1_000, (to, from), (RST | ACK, (0, 78), 0));
    }

    /// A SYN that nobody answers, and `again` more of it at one, three and seven seconds.
    pub(super) fn ignore(&mut self, time: u64, ends: (End, End), again: u32) {
        for turn in 0..=again {
            self.tcp(time + ((1 << turn) - 1) * SECOND, ends, (SYN, (5, 0), 0));
        }
    }

    pub(super) fn talk(&mut self, mut time: u64, (client, server): (IpAddr, End), talk: &Talk) {
        let client = (client, self.port());
        let (there, back) = ((client, server), (server, client));
        let (mut ours, mut theirs) = (1_001, 9_001);
        self.tcp(time, there, (SYN, (1_000, 0), 0));
        self.tcp(time + 5_000, back, (SYN | ACK, (9_000, ours), 0));
        self.tcp(time + 10_000, there, (ACK, (ours, theirs), 0));
        time += 10_000;
        for _ in 0..talk.exchanges {
            self.tcp(time, there, (PSH | ACK, (ours, theirs), talk.out));
            ours += talk.out as u32;
            self.tcp(time + 5_000, back, (PSH | ACK, (theirs, ours), talk.back));
            theirs += talk.back as u32;
            time += 5_000 + talk.pause;
        }
        let (first, second, mine, yours) = if talk.served_end {
            (back, there, theirs, ours)
        } else {
            (there, back, ours, theirs)
        };
        self.tcp(time, first, (FIN | ACK, (mine, yours), 0));
        self.tcp(time + 5_000, second, (FIN | ACK, (yours, mine + 1), 0));
        self.tcp(time + 10_000, first, (ACK, (mine + 1, yours + 1), 0));
    }
}

pub(super) fn home(host: u16) -> IpAddr {
    address(0, host)
}

pub(super) fn away(host: u16) -> IpAddr {
    address(1, host)
}

pub(super) fn stranger(host: u16) -> IpAddr {
    address(2, host)
}
