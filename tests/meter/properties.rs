//! No bytes do harm, and on valid packets etherparse's own parser agrees.

use ebpf::packet::{HEAD, Kind, Packet, parse};
use etherparse::{IpHeaders, TcpOptionElement};
use etherparse::{PacketBuilder, PacketBuilderStep, SlicedPacket, TransportSlice};
use proptest::prelude::*;

use super::cases;

/// Bytes that get further than random ones: headers in the places where they matter.
fn plausible() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(vec![0x45, 0, 0, 60, 0, 0, 0x40, 0, 64, 6]),
        Just(vec![0x4f, 0, 0, 0, 0, 0, 0, 0, 64, 1]),
        Just(vec![0x60, 0, 0, 0, 0, 60, 44, 64]),
        Just(vec![0x60, 0, 0, 0, 0, 0, 51, 64]),
        prop::sample::select(vec![0u8, 1, 6, 17, 43, 44, 51, 58, 60, 132])
            .prop_map(|next| vec![next, 0]),
        Just(vec![0; 16]),
        prop::collection::vec(any::<u8>(), 0..24),
    ];
    prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

fn packet_of(bytes: &[u8], wire: u32, segments: u32) -> Option<Packet> {
    let mut head = [0; HEAD];
    let captured = bytes.len().min(HEAD);
    head[..captured].copy_from_slice(&bytes[..captured]);
    let mut packet = Packet {
        bytes: wire,
        segments,
        ..Packet::default()
    };
    parse(&head, captured as u32, &mut packet)
        .ok()
        .map(|()| packet)
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn no_bytes_panic_the_parser(
        bytes in plausible(),
        wire in prop_oneof![0..3000u32, any::<u32>()],
        segments in prop_oneof![0..50u32, any::<u32>()],
    ) {
        if let Some(packet) = packet_of(&bytes, wire, segments) {
            prop_assert!(packet.segments >= 1);
            prop_assert!(packet.payload <= packet.bytes);
            prop_assert!(packet.segment_len <= packet.bytes);
            prop_assert!(packet.segments > 1 || packet.bytes <= wire);
        }
    }
}

/// The IP layer of a packet to be built.
fn network(
    v4: ([u8; 4], [u8; 4]),
    v6: Option<([u8; 16], [u8; 16])>,
    words: usize,
) -> PacketBuilderStep<IpHeaders> {
    match v6 {
        Some((from, to)) => PacketBuilder::ipv6(from, to, 9),
        None => {
            let mut header = etherparse::Ipv4Header::new(0, 9, etherparse::IpNumber(0), v4.0, v4.1)
                .expect("a header");
            let options = vec![1; 4 * words];
            header.options = options
                .as_slice()
                .try_into()
                .expect("options of whole words");
            PacketBuilder::ip(IpHeaders::Ipv4(header, Default::default()))
        }
    }
}

proptest! {
    #![proptest_config(cases(5_000))]

    #[test]
    fn agrees_with_etherparse(
        kind in 0..4,
        v4 in any::<([u8; 4], [u8; 4])>(),
        v6 in any::<Option<([u8; 16], [u8; 16])>>(),
        numbers in any::<(u16, u16, u32, u32)>(),
        words in 0..=10usize,
        payload in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let (source, destination, seq, ack) = numbers;
        let step = network(v4, v6, words);
        let mut bytes = Vec::new();
        match kind {
            0 => step.udp(source, destination).write(&mut bytes, &payload),
            1 => step
                .tcp(source, destination, seq, 9)
                .ack(ack)
                .options(&[TcpOptionElement::MaximumSegmentSize(1400)])
                .expect("an option")
                .write(&mut bytes, &payload),
            2 => step.tcp(source, destination, seq, 9).syn().psh().write(&mut bytes, &payload),
            _ if v6.is_some() => step.icmpv6_echo_request(source, 1).write(&mut bytes, &payload),
            _ => step.icmpv4_echo_request(source, 1).write(&mut bytes, &payload),
        }.expect("a valid packet");
        let oracle = SlicedPacket::from_ip(&bytes).expect("a valid packet");
        let packet = packet_of(&bytes, bytes.len() as u32, 0).expect("a valid packet");
        let ends = &packet.endpoints;
        prop_assert_eq!(packet.kind, Kind::Flow);
        prop_assert_eq!(packet.bytes as usize, bytes.len());
        let (ports, rest) = match oracle.transport.expect("a transport") {
            TransportSlice::Udp(udp) => ((udp.source_port(), udp.destination_port()), udp.payload().len()),
            TransportSlice::Tcp(tcp) => {
                prop_assert_eq!((packet.seq, packet.ack), (tcp.sequence_number(), tcp.acknowledgment_number()));
                prop_assert_eq!(packet.flags & 0x3f, tcp.slice()[13] & 0x3f);
                ((tcp.source_port(), tcp.destination_port()), tcp.payload().len())
            }
            TransportSlice::Icmpv4(icmp) => ((source, source), icmp.payload().len()),
            TransportSlice::Icmpv6(icmp) => ((source, source), icmp.payload().len()),
            TransportSlice::Igmp(_) => return Err(TestCaseError::fail("no IGMP was built")),
        };
        prop_assert_eq!((ends.source_port, ends.destination_port), ports);
        prop_assert_eq!(packet.payload as usize, rest);
        let [from, to] = match v6 {
            Some((from, to)) => [from.into(), to.into()],
            None => [v4.0.into(), v4.1.into()],
        };
        let mapped = |address: std::net::IpAddr| ebpf::packet::Address::from(address);
        prop_assert_eq!((ends.source, ends.destination), (mapped(from), mapped(to)));
    }
}
