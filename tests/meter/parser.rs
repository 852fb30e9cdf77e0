//! What the parser reads from packets written by hand, and which lies it refuses.

use std::net::IpAddr;

use ebpf::packet::{Endpoints, HEAD, Kind, Packet, Refusal, parse};

use super::{ACK, a, address, b, icmp, ip, tcp, udp};
use crate::kernel::frames::extension;

/// Parses the first `captured` of `bytes`, which were `wire` bytes long on the wire.
fn parse_cut(bytes: &[u8], captured: usize, wire: u32) -> Result<Packet, Refusal> {
    let mut head = [0; HEAD];
    let captured = captured.min(HEAD).min(bytes.len());
    head[..captured].copy_from_slice(&bytes[..captured]);
    let mut packet = Packet {
        bytes: wire,
        ..Packet::default()
    };
    parse(&head, captured as u32, &mut packet).map(|()| packet)
}

fn parsed(bytes: &[u8]) -> Result<Packet, Refusal> {
    parse_cut(bytes, bytes.len(), bytes.len() as u32)
}

pub(super) fn read(bytes: &[u8]) -> Packet {
    parsed(bytes).expect("a valid packet")
}

pub(super) fn ports(packet: &Packet) -> (u16, u16) {
    (
        packet.endpoints.source_port,
        packet.endpoints.destination_port,
    )
}

/// `bytes` with those at `at` replaced.
fn with(mut bytes: Vec<u8>, at: usize, new: &[u8]) -> Vec<u8> {
    bytes[at..at + new.len()].copy_from_slice(new);
    bytes
}

pub(super) fn ends6() -> (IpAddr, IpAddr) {
    (address(6, 1), address(6, 2))
}

/// An IPv4 packet with `words` of options.
pub(super) fn optioned(words: u8, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = ip((a(), b()), protocol, &[]);
    packet[0] = 0x45 + words;
    packet.resize(20 + 4 * usize::from(words), 1);
    packet.extend(payload);
    let total = packet.len() as u16;
    with(packet, 2, &total.to_be_bytes())
}

#[test]
fn each_lie_is_refused_by_its_name() {
    let four = ip((a(), b()), 6, &tcp((1, 2), (3, 4), ACK, &[5; 9]));
    let datagram = ip((a(), b()), 17, &udp((1, 2), &[5; 9]));
    let echo = ip((a(), b()), 1, &icmp((8, 0), [0, 7, 0, 1], &[]));
    let v6 = ip(ends6(), 17, &udp((1, 2), &[5; 9]));
    let options = |count| {
        let inner = (0..count).fold((17, udp((1, 2), &[])), |(next, rest), _| {
            (60, extension(next, 0, &rest))
        });
        ip(ends6(), inner.0, &inner.1)
    };
    let cut = |bytes: &Vec<u8>, captured| parse_cut(bytes, captured, bytes.len() as u32);
    let cases = [
        ("nothing", cut(&four, 0), Refusal::Truncated),
        ("v4 header cut", cut(&four, 19), Refusal::Truncated),
        ("TCP flags cut", cut(&four, 33), Refusal::Truncated),
        ("UDP length cut", cut(&datagram, 25), Refusal::Truncated),
        ("echo identifier cut", cut(&echo, 25), Refusal::Truncated),
        ("v6 header cut", cut(&v6, 39), Refusal::Truncated),
        ("extension cut", cut(&options(1), 41), Refusal::Truncated),
        (
            "extensions beyond the head",
            parsed(&ip(ends6(), 60, &extension(17, 16, &[0; 8]))),
            Refusal::Truncated,
        ),
        (
            "version 0",
            parsed(&with(four.clone(), 0, &[0x05])),
            Refusal::Version,
        ),
        (
            "version 5",
            parsed(&with(four.clone(), 0, &[0x55])),
            Refusal::Version,
        ),
        (
            "header of 16",
            parsed(&with(four.clone(), 0, &[0x44])),
            Refusal::Length,
        ),
        (
            "total below header",
            parsed(&with(four.clone(), 2, &[0, 19])),
            Refusal::Length,
        ),
        (
            "total beyond the wire",
            parsed(&with(four.clone(), 2, &[0, 50])),
            Refusal::Length,
        ),
        (
            "TCP header of 16",
            parsed(&with(four.clone(), 32, &[0x40])),
            Refusal::Length,
        ),
        (
            "TCP header beyond the packet",
            parsed(&with(four.clone(), 32, &[0xf0])),
            Refusal::Length,
        ),
        (
            "UDP length 7",
            parsed(&with(datagram.clone(), 24, &[0, 7])),
            Refusal::Length,
        ),
        (
            "UDP header cut by the total",
            parsed(&with(datagram.clone(), 2, &[0, 27])),
            Refusal::Length,
        ),
        (
            "ICMP of 7",
            parsed(&with(echo, 2, &[0, 27])),
            Refusal::Length,
        ),
        (
            "SCTP of 11",
            parsed(&ip((a(), b()), 132, &[0; 11])),
            Refusal::Length,
        ),
        (
            "UDP-Lite of 7",
            parsed(&ip((a(), b()), 136, &[0; 7])),
            Refusal::Length,
        ),
        (
            "v6 payload beyond the wire",
            parsed(&with(v6, 4, &[0, 99])),
            Refusal::Length,
        ),
        (
            "extension beyond the packet",
            parsed(&ip(ends6(), 60, &[17, 1, 0, 0, 0, 0, 0, 0])),
            Refusal::Length,
        ),
        ("eight extensions", parsed(&options(8)), Refusal::Extensions),
    ];
    for (name, found, expected) in cases {
        assert_eq!(found.err(), Some(expected), "{name}");
    }
    assert_eq!(
        ports(&read(&options(7))),
        (1, 2),
        "seven extensions are followed"
    );
}

#[test]
fn lengths_are_those_of_the_packet() {
    let segment = tcp((1000, 80), (1, 2), ACK, &[5; 9]);
    let datagram = ip((a(), b()), 17, &udp((1, 2), &[5; 9]));
    let v6 = ip(ends6(), 6, &segment);
    let padded = [ip((a(), b()), 17, &udp((1, 2), &[])), vec![0; 18]].concat();
    let plain = ip((a(), b()), 6, &segment);
    let cases = [
        ("TCP", read(&plain), (49, 9)),
        (
            "one word of options",
            read(&optioned(1, 6, &segment)),
            (53, 9),
        ),
        (
            "ten words of options",
            read(&optioned(10, 6, &segment)),
            (89, 9),
        ),
        (
            "no total length",
            read(&with(plain.clone(), 2, &[0, 0])),
            (49, 9),
        ),
        ("padding", read(&padded), (28, 0)),
        ("v6", read(&v6), (69, 9)),
        ("no v6 payload length", read(&with(v6, 4, &[0, 0])), (69, 9)),
        ("an empty v6 packet", read(&ip(ends6(), 59, &[])), (40, 0)),
        ("UDP", read(&datagram), (37, 9)),
        (
            "no UDP length",
            read(&with(datagram.clone(), 24, &[0, 0])),
            (37, 9),
        ),
        (
            "UDP shorter than IP says",
            read(&with(datagram.clone(), 24, &[0, 10])),
            (37, 2),
        ),
        (
            "UDP to be continued",
            read(&with(datagram, 24, &[9, 0])),
            (37, 9),
        ),
        ("SCTP", read(&ip((a(), b()), 132, &[0; 30])), (50, 18)),
        ("DCCP", read(&ip((a(), b()), 33, &[0; 30])), (50, 18)),
        ("UDP-Lite", read(&ip((a(), b()), 136, &[0; 30])), (50, 22)),
        ("GRE", read(&ip((a(), b()), 47, &[0; 30])), (50, 30)),
    ];
    for (name, packet, (bytes, payload)) in cases {
        let found = (
            packet.bytes,
            packet.payload,
            packet.segments,
            packet.segment_len,
        );
        assert_eq!(found, (bytes, payload, 1, bytes), "{name}");
    }
    let packet = read(&optioned(10, 6, &segment));
    assert_eq!(
        packet.endpoints,
        Endpoints {
            source: a().into(),
            destination: b().into(),
            source_port: 1000,
            destination_port: 80,
            protocol: 6,
            icmp_type: 0,
        }
    );
    assert_eq!((packet.seq, packet.ack, packet.flags), (1, 2, ACK));
}

#[test]
fn extension_headers_lead_to_the_transport() {
    let rest = udp((1, 2), &[5; 9]);
    let chain = extension(43, 0, &extension(60, 1, &extension(17, 0, &rest)));
    // An authentication header of 24 bytes: 4 words and 2.
    let authenticated = [vec![17, 4], vec![0; 22], rest.clone()].concat();
    let first = [vec![17, 0, 0, 1, 0, 0, 0, 9], rest.clone()].concat();
    let later = [vec![17, 0, 0, 8, 0, 0, 0, 9], rest.clone()].concat();
    let cases = [
        (
            "hop-by-hop, routing, options",
            0,
            chain,
            (17, (1, 2), 9, Kind::Flow),
        ),
        (
            "authentication",
            51,
            authenticated,
            (17, (1, 2), 9, Kind::Flow),
        ),
        ("first fragment", 44, first, (17, (1, 2), 9, Kind::Flow)),
        (
            "later fragment",
            44,
            later,
            (17, (0, 0), 17, Kind::LaterFragment),
        ),
        ("encrypted", 50, vec![1; 20], (50, (0, 0), 20, Kind::Flow)),
        ("nothing", 59, vec![1; 20], (59, (0, 0), 20, Kind::Flow)),
    ];
    for (name, next, rest, expected) in cases {
        let packet = read(&ip(ends6(), next, &rest));
        let found = (
            packet.endpoints.protocol,
            ports(&packet),
            packet.payload,
            packet.kind,
        );
        assert_eq!(found, expected, "{name}");
        assert_eq!(packet.bytes as usize, 40 + rest.len(), "{name}");
    }
}

#[test]
fn fragments_of_ipv4_have_ports_in_the_first_alone() {
    let whole = ip((a(), b()), 17, &udp((1, 2), &[5; 9]));
    for (offset, kind, ends) in [
        ([0x40, 0], Kind::Flow, (1, 2)),
        ([0x20, 0], Kind::Flow, (1, 2)),
        ([0x20, 1], Kind::LaterFragment, (0, 0)),
        ([0x1f, 0xff], Kind::LaterFragment, (0, 0)),
    ] {
        let packet = read(&with(whole.clone(), 6, &offset));
        assert_eq!((packet.kind, ports(&packet)), (kind, ends), "{offset:?}");
    }
}

#[test]
fn merged_frames_count_as_their_segments() {
    let segment = |payload: usize| ip((a(), b()), 6, &tcp((1, 2), (0, 0), ACK, &vec![5; payload]));
    let merged = |bytes: &[u8], segments| {
        let mut head = [0; HEAD];
        head.copy_from_slice(&bytes[..HEAD]);
        let mut packet = Packet {
            bytes: bytes.len() as u32,
            segments,
            ..Packet::default()
        };
        parse(&head, HEAD as u32, &mut packet).expect("a valid packet");
        (
            packet.segments,
            packet.bytes,
            packet.segment_len,
            packet.payload,
        )
    };
    // Not over-long; as an offload says; as the payload of Ethernet segments says.
    assert_eq!(merged(&segment(1460), 0), (1, 1500, 1500, 1460));
    assert_eq!(merged(&segment(3000), 3), (3, 3040 + 80, 1040, 3000));
    assert_eq!(merged(&segment(300), 3), (3, 340 + 80, 140, 300));
    assert_eq!(merged(&segment(1461), 0), (2, 1501 + 40, 40 + 731, 1461));
    assert_eq!(
        merged(&segment(28_960), 0),
        (20, 29_000 + 760, 1488, 28_960)
    );
    assert_eq!(
        merged(&segment(28_960), 1),
        (20, 29_000 + 760, 1488, 28_960)
    );
    // A wire length out of this world, as a damaged capture may claim.
    let endless = with(segment(100), 2, &[0, 0]);
    let packet = parse_cut(&endless, HEAD, u32::MAX).expect("lengths agree");
    assert_eq!((packet.bytes, packet.payload), (u32::MAX, u32::MAX - 40));
}
