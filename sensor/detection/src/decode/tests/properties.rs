//! No bytes do harm, and on valid packets etherparse's own parser agrees.

use etherparse::{PacketBuilder, SlicedPacket, VlanId};
use proptest::prelude::*;

use super::*;

/// Every number that a file may carry, known or not.
fn link_types() -> impl Strategy<Value = LinkType> {
    let known = (0..300u32).map(LinkType::from_number);
    let known: Vec<_> = known.filter(|known| known.is_supported()).collect();
    prop_oneof![
        Just(LinkType::Ethernet),
        prop::sample::select(known),
        Just(LinkType::Other(195)),
    ]
}

/// Bytes that get further than random ones: protocol numbers in the places where they matter.
fn plausible() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(vec![0x81, 0x00]),
        Just(vec![0x88, 0x64]),
        Just(vec![0x88, 0x47, 0, 0, 1, 1]),
        Just(vec![0x08, 0x00, 0x45, 0, 0, 60, 0, 0, 0, 0, 64]),
        Just(vec![0x86, 0xdd, 0x60, 0, 0, 0, 0, 60]),
        prop::sample::select(vec![4u8, 17, 41, 43, 44, 47, 51, 60, 97, 115, 137, 143])
            .prop_map(|b| vec![b]),
        prop::sample::select(TYPES.to_vec()).prop_map(|t| t.to_be_bytes().to_vec()),
        (
            prop::sample::select(PORTS.to_vec()),
            prop::collection::vec(any::<u8>(), 0..24)
        )
            .prop_map(|(port, rest)| udp(port, &rest)),
        Just(udp(4789, &[8, 0, 0, 0, 0, 0, 1, 0])),
        Just(udp(6081, &[1, 0, 0x65, 0x58, 0, 0, 1, 0])),
        Just(udp(
            2152,
            &[0x34, 0xff, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0x85, 1, 0, 0, 0]
        )),
        Just(udp(5247, &[0, 0x10, 2, 0, 0, 0, 0, 0])),
        Just(vec![
            0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 1, 0, 1, 0, 0, 0, 0
        ]),
        Just(vec![0xaa, 0xaa, 3, 0, 0, 0, 8, 0]),
        Just(vec![0, 0, 12, 0, 2, 0, 0, 0, 0x20, 0, 0, 0, 0x88, 0]),
        Just(vec![0x4d, 0x47, 0x43, 0x80, 0, 6]),
        Just(MACS.to_vec()),
        prop::collection::vec(any::<u8>(), 0..24),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Ethertypes of all that is peeled.
const TYPES: [u16; 24] = [
    0x0026, 0x0800, 0x22e9, 0x22f3, 0x6558, 0x8100, 0x86dd, 0x8847, 0x8848, 0x8864, 0x8870, 0x8874,
    0x880b, 0x88a8, 0x88e5, 0x88e7, 0x8903, 0x8909, 0x8926, 0x892f, 0x893f, 0x894f, 0xdada, 0xf1c1,
];

/// Ports of all tunnels over UDP.
const PORTS: [u16; 11] = [
    1701, 2152, 3544, 4341, 4789, 4790, 5247, 6081, 6635, 8472, 37_008,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn no_bytes_panic_and_what_is_found_lies_in_the_frame(
        bytes in prop_oneof![plausible(), prop::collection::vec(any::<u8>(), 0..200)],
        link_type in link_types(),
        mirrored in any::<bool>(),
    ) {
        let mirrors = ["192.0.2.0/24".parse().unwrap(), "::/0".parse().unwrap()];
        let decoder = Decoder::new(Ports::default(), if mirrored { &mirrors } else { &[] });
        if let Ok(peeled) = decoder.decode(&frame(link_type, &bytes)) {
            prop_assert!(matches!(peeled.ip[0] >> 4, 4 | 6));
            let range = peeled.ip.as_ptr_range();
            prop_assert!(bytes.as_ptr_range().start <= range.start);
            prop_assert!(range.end <= bytes.as_ptr_range().end);
            prop_assert!(peeled.wire_len as usize >= peeled.ip.len());
        }
    }
}

proptest! {
    #[test]
    fn agrees_with_etherparse_on_valid_packets(
        link in 0..4u8,
        vlan in 1..4095u16,
        v4 in any::<([u8; 4], [u8; 4])>(),
        v6 in any::<Option<([u8; 16], [u8; 16])>>(),
        port in any::<u16>().prop_filter("not a tunnel", |port| !PORTS.contains(port)),
        payload in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let id = VlanId::try_new(vlan).unwrap();
        let ethernet = || PacketBuilder::ethernet2([2; 6], [4; 6]);
        let outer = VlanId::try_new(7).unwrap();
        let builder = match (link, v6) {
            (0, Some((a, b))) => ethernet().ipv6(a, b, 9),
            (0, None) => ethernet().ipv4(v4.0, v4.1, 9),
            (1, Some((a, b))) => ethernet().single_vlan(id).ipv6(a, b, 9),
            (1, None) => ethernet().single_vlan(id).ipv4(v4.0, v4.1, 9),
            (2, Some((a, b))) => ethernet().double_vlan(outer, id).ipv6(a, b, 9),
            (2, None) => ethernet().double_vlan(outer, id).ipv4(v4.0, v4.1, 9),
            (_, Some((a, b))) => PacketBuilder::ipv6(a, b, 9),
            (_, None) => PacketBuilder::ipv4(v4.0, v4.1, 9),
        };
        let mut bytes = Vec::new();
        builder.udp(1234, port).write(&mut bytes, &payload).unwrap();
        let link_type = if link < 3 { LinkType::Ethernet } else { LinkType::RawIp };
        let oracle = match link_type {
            LinkType::Ethernet => SlicedPacket::from_ethernet(&bytes).unwrap(),
            _ => SlicedPacket::from_ip(&bytes).unwrap(),
        };
        let peeled = decode(&frame(link_type, &bytes)).unwrap();
        let own = SlicedPacket::from_ip(peeled.ip).unwrap();
        prop_assert_eq!(&own.net, &oracle.net);
        prop_assert_eq!(&own.transport, &oracle.transport);
        let tag = match link {
            1 => Tag::new(TagKind::Vlan, vlan.into()),
            2 => Tag::new(TagKind::QinQ, 7 << 12 | u32::from(vlan)),
            _ => Tag::NONE,
        };
        prop_assert_eq!(peeled.tag, tag);
    }
}
