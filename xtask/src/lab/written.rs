//! Golden cases written frame by frame, for what no tool here sends: fragments, extension headers, tags.
//! Each is a few short conversations whose packets and bytes can be counted by hand.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::chatter;
use super::frames::{ACK, FIN, Fragment, Frame, PSH, RST, SYN, Segment, TCP, UDP};
use super::frames::{ethernet, ipv4, ipv6, packet, tag, tcp, udp};

/// When every written capture starts: 2026-01-01T00:00:00Z, in microseconds.
const START: u64 = 1_767_225_600_000_000;

/// A case: name, purpose and frames.
pub(crate) struct Written {
    pub(crate) name: &'static str,
    pub(crate) purpose: &'static str,
    pub(crate) frames: fn() -> Vec<Frame>,
}

/// All of them.
pub(crate) static CASES: &[Written] = &[
    Written {
        name: "fragments",
        purpose: "A UDP answer of 4,000 bytes in three IPv4 fragments, in order and out of order, a datagram whose \
                  first fragment never comes, and a whole TCP conversation beside them.",
        frames: fragments,
    },
    Written {
        name: "ipv6-extension",
        purpose: "TCP and UDP behind IPv6 extension headers: hop-by-hop, destination options, routing, fragment \
                  (atomic and real), and an authentication header; and one chain that ends in no next header.",
        frames: extensions,
    },
    Written {
        name: "qinq",
        purpose: "The same TCP conversation untagged, in one VLAN, in another, and in a VLAN inside a provider's: \
                  four conversations, not one.",
        frames: qinq,
    },
    Written {
        name: "tcp-oddities",
        purpose: "Half-open, refused, reset, retransmitted, simultaneous-close, data in the SYN, keep-alive and \
                  trailing-ACK conversations, and the port of an old one used again.",
        frames: oddities,
    },
    Written {
        name: "home-chatter",
        purpose: "What devices say to everybody: mDNS, SSDP, LLMNR, NetBIOS, DHCP and ARP. Benign: no address of it may be blocked.",
        frames: home_chatter,
    },
];

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));
const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
const CLIENT6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 7);
const SERVER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 7);

/// Frames one millisecond apart.
fn paced(packets: impl IntoIterator<Item = Vec<u8>>) -> Vec<Frame> {
    packets
        .into_iter()
        .zip(0..)
        .map(|(bytes, n)| Frame::new(START + n * 1_000, bytes))
        .collect()
}

/// A TCP conversation, spoken line by line.
struct Talk {
    ends: (IpAddr, IpAddr),
    ports: (u16, u16),
    next: (u32, u32),
    lines: Vec<Vec<u8>>,
}

impl Talk {
    fn new(ends: (IpAddr, IpAddr), ports: (u16, u16)) -> Self {
        Self {
            ends,
            ports,
            next: (1_000, 9_000),
            lines: Vec::new(),
        }
    }

    /// The initiator speaks.
    fn asks(self, flags: u8, payload: usize) -> Self {
        self.speaks(true, flags, payload)
    }

    /// The responder speaks.
    fn answers(self, flags: u8, payload: usize) -> Self {
        self.speaks(false, flags, payload)
    }

    fn speaks(mut self, forward: bool, flags: u8, payload: usize) -> Self {
        let (mine, theirs) = if forward {
            self.next
        } else {
            (self.next.1, self.next.0)
        };
        let (ends, ports) = if forward {
            (self.ends, self.ports)
        } else {
            ((self.ends.1, self.ends.0), (self.ports.1, self.ports.0))
        };
        let ack = if flags & ACK == 0 { 0 } else { theirs };
        let segment = tcp(
            ends,
            ports,
            Segment {
                seq: mine,
                ack,
                flags,
            },
            &vec![b'x'; payload],
        );
        self.lines.push(packet(ends, TCP, &segment));
        let taken =
            u32::try_from(payload).unwrap_or_default() + u32::from(flags & (SYN | FIN) != 0);
        let spoken = if forward {
            &mut self.next.0
        } else {
            &mut self.next.1
        };
        *spoken = spoken.wrapping_add(taken);
        self
    }

    fn opened(self) -> Self {
        self.asks(SYN, 0).answers(SYN | ACK, 0).asks(ACK, 0)
    }

    fn closed(self) -> Self {
        self.asks(FIN | ACK, 0).answers(FIN | ACK, 0).asks(ACK, 0)
    }

    /// The last line once more, as a retransmission is.
    fn again(mut self) -> Self {
        self.lines.extend(self.lines.last().cloned());
        self
    }
}

fn visit(ports: (u16, u16)) -> Vec<Vec<u8>> {
    let talk = Talk::new((CLIENT, SERVER), ports).opened();
    talk.asks(PSH | ACK, 120)
        .answers(ACK, 1_400)
        .answers(PSH | ACK, 600)
        .asks(ACK, 0)
        .closed()
        .lines
}

fn fragments() -> Vec<Frame> {
    let (Some(client), Some(server)) = (v4(CLIENT), v4(SERVER)) else {
        return Vec::new();
    };
    let answer = udp((SERVER, CLIENT), (53, 40_000), &[b'a'; 4_000]);
    let part = |id, number: usize| {
        let (from, to) = (number * 1_480, answer.len().min((number + 1) * 1_480));
        let offset = u16::try_from(from).unwrap_or_default();
        let part = Fragment {
            id,
            offset,
            more: to < answer.len(),
        };
        ethernet(
            0x0800,
            &ipv4((server, client), UDP, part, &answer[from..to]),
        )
    };
    let question = |port| {
        packet(
            (CLIENT, SERVER),
            UDP,
            &udp((CLIENT, SERVER), (port, 53), &[b'q'; 40]),
        )
    };
    let mut packets = vec![question(40_000), part(1, 0), part(1, 1), part(1, 2)];
    packets.extend([question(40_000), part(2, 2), part(2, 0), part(2, 1)]);
    packets.extend([part(3, 1), part(3, 2)]);
    packets.extend(visit((41_000, 80)));
    paced(packets)
}

fn v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

/// Extension header numbers (IANA): hop-by-hop, routing, fragment, authentication, none, destination options.
const HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const NOTHING: u8 = 59;
const DESTINATION: u8 = 60;

fn extensions() -> Vec<Frame> {
    let ends = (CLIENT6.into(), SERVER6.into());
    let syn = |port| {
        tcp(
            ends,
            (port, 22),
            Segment {
                seq: 1,
                ack: 0,
                flags: SYN,
            },
            &[],
        )
    };
    // PadN fills the options; a routing header of type 2 carries one address.
    let options = |next| vec![next, 0, 1, 4, 0, 0, 0, 0];
    let routing = |next| [vec![next, 2, 2, 1, 0, 0, 0, 0], SERVER6.octets().to_vec()].concat();
    let fragment = |next, place: u16| {
        [
            vec![next, 0],
            place.to_be_bytes().to_vec(),
            vec![0, 0, 0, 9],
        ]
        .concat()
    };
    let authentication = |next| {
        vec![
            next, 4, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
        ]
    };
    let send =
        |first, payload: Vec<u8>| ethernet(0x86dd, &ipv6((CLIENT6, SERVER6), first, &payload));
    let long = udp(ends, (5_006, 53), &[b'f'; 2_000]);
    paced([
        send(TCP, syn(5_000)),
        send(HOP, [options(TCP), syn(5_001)].concat()),
        send(
            HOP,
            [options(DESTINATION), options(TCP), syn(5_002)].concat(),
        ),
        send(ROUTING, [routing(TCP), syn(5_003)].concat()),
        send(FRAGMENT, [fragment(TCP, 0), syn(5_004)].concat()),
        send(AUTHENTICATION, [authentication(TCP), syn(5_005)].concat()),
        send(
            FRAGMENT,
            [fragment(UDP, 1), long[..1_448].to_vec()].concat(),
        ),
        send(
            FRAGMENT,
            [fragment(UDP, 1_448), long[1_448..].to_vec()].concat(),
        ),
        send(HOP, options(NOTHING)),
        send(UDP, udp(ends, (5_007, 53), &[b'q'; 40])),
    ])
}

fn qinq() -> Vec<Frame> {
    let tags: [&[u8]; 4] = [
        &[],
        &tag(0x8100, 100),
        &tag(0x8100, 200),
        &[tag(0x88a8, 10), tag(0x8100, 100)].concat(),
    ];
    let mut frames = Vec::new();
    for bytes in visit((42_000, 80)) {
        for tag in tags {
            let at = START + frames.len() as u64 * 250;
            frames.push(Frame::new(at, bytes.clone()).tagged(tag));
        }
    }
    frames
}

fn oddities() -> Vec<Frame> {
    let talk = |port| Talk::new((CLIENT, SERVER), (port, 80));
    let talks = [
        talk(43_000).asks(SYN, 0).again().again(),
        talk(43_001).asks(SYN, 0).answers(RST | ACK, 0),
        talk(43_002).opened().asks(PSH | ACK, 50).answers(RST, 0),
        talk(43_003)
            .opened()
            .asks(PSH | ACK, 50)
            .again()
            .again()
            .answers(ACK, 700)
            .again()
            .closed(),
        talk(43_004)
            .opened()
            .asks(FIN | ACK, 0)
            .answers(FIN | ACK, 0)
            .asks(ACK, 0)
            .answers(ACK, 0),
        talk(43_005)
            .asks(SYN, 100)
            .answers(SYN | ACK, 0)
            .asks(ACK, 0)
            .closed(),
        talk(43_006)
            .opened()
            .answers(ACK, 1)
            .asks(ACK, 0)
            .answers(ACK, 1)
            .asks(ACK, 0),
        talk(43_007).opened().closed().answers(ACK, 0).asks(ACK, 0),
        talk(43_007).opened().asks(PSH | ACK, 10).closed(),
        talk(43_008).answers(SYN | ACK, 0).asks(RST, 0),
        talk(43_009).asks(FIN | PSH | 0x20, 0),
        talk(43_010).asks(0, 0),
    ];
    paced(talks.into_iter().flat_map(|talk| talk.lines))
}

fn home_chatter() -> Vec<Frame> {
    let rounds = (0..20).flat_map(|round| (1..=6).map(move |device| (device, round)));
    let packets = rounds.flat_map(|(device, round)| chatter::says(device, round));
    let mut frames = paced(packets);
    // A round of all devices takes three seconds.
    for frame in &mut frames {
        frame.at = START + (frame.at - START) * 180;
    }
    frames
}
