//! Frames written by hand, one per link type and tunnel, and properties over those nobody would write.

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{PacketBuilder, SlicedPacket, VlanId};
use proptest::prelude::*;

use super::*;
use crate::capture::{LinkType, Timestamp};

const MACS: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

/// Captured bytes are 1000 fewer than those on the wire, to see that the wire length is carried along.
fn frame(link_type: LinkType, bytes: &[u8]) -> Frame<'_> {
    Frame {
        time: Timestamp::default(),
        wire_len: bytes.len() as u32 + 1000,
        bytes,
        link_type,
        interface: 0,
    }
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    join(&[&MACS, &ether_type.to_be_bytes(), payload])
}

/// A minimal IPv4 packet between 192.0.2.1 and 192.0.2.2.
fn v4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let len = (20 + payload.len() as u16).to_be_bytes();
    let header = [
        0x45, 0, len[0], len[1], 0, 1, 0, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
    ];
    join(&[&header, payload])
}

/// A minimal IPv6 packet between 2001:db8::1 and 2001:db8::2.
fn v6(next_header: u8, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u16).to_be_bytes();
    let mut header = [0; 40];
    header[..8].copy_from_slice(&[0x60, 0, 0, 0, len[0], len[1], next_header, 64]);
    header[8..24].copy_from_slice(&"2001:db8::1".parse::<Ipv6Addr>().unwrap().octets());
    header[24..].copy_from_slice(&"2001:db8::2".parse::<Ipv6Addr>().unwrap().octets());
    join(&[&header, payload])
}

fn udp(destination_port: u16, payload: &[u8]) -> Vec<u8> {
    let len = 8 + payload.len() as u16;
    let ports = [40_000u16, destination_port, len, 0].map(u16::to_be_bytes);
    join(&[ports.as_flattened(), payload])
}

/// The packet every tunnel test looks for.
fn inner() -> Vec<u8> {
    v4(6, &[7; 20])
}

const OUTER_V4: Option<Outer> = Some(Outer {
    source: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    destination: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)),
});

#[track_caller]
fn assert_peels(link_type: LinkType, bytes: &[u8], ip: &[u8], tag: Tag) {
    let peeled = decode(&frame(link_type, bytes)).unwrap();
    assert_eq!(
        (peeled.ip, peeled.tag, peeled.tunnel),
        (ip, tag, None),
        "{link_type:?}"
    );
    assert_eq!(peeled.wire_len, ip.len() as u32 + 1000);
}

#[track_caller]
fn assert_refused(link_type: LinkType, bytes: &[u8], cause: Undecodable) {
    assert_eq!(decode(&frame(link_type, bytes)), Err(cause));
}

#[track_caller]
fn assert_tunnel(outer: &[u8], inner: &[u8], tag: Tag) {
    let bytes = ethernet(if outer[0] >> 4 == 4 { 0x0800 } else { 0x86dd }, outer);
    let peeled = decode(&frame(LinkType::Ethernet, &bytes)).unwrap();
    assert_eq!((peeled.ip, peeled.tag), (inner, tag), "{}", peeled.tag);
    let outer = peeled.tunnel.unwrap();
    if bytes[12] == 0x08 {
        assert_eq!(Some(outer), OUTER_V4);
    } else {
        assert_eq!(outer.source, "2001:db8::1".parse::<IpAddr>().unwrap());
        assert_eq!(outer.destination, "2001:db8::2".parse::<IpAddr>().unwrap());
    }
}

/// The outer packet is metered as it is.
#[track_caller]
fn assert_not_entered(outer: &[u8]) {
    assert_peels(LinkType::RawIp, outer, outer, Tag::NONE);
}

#[test]
fn every_link_type_leads_to_ip() {
    for (ether_type, family, ppp, ip) in [
        (0x0800u16, [2u8, 2, 2], 0x21u8, v4(17, &udp(53, b"q"))),
        (0x86dd, [10, 24, 30], 0x57, v6(17, &udp(53, b"q"))),
    ] {
        let [high, low] = ether_type.to_be_bytes();
        let sll = [0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, high, low];
        let mut sll2 = [0; 20];
        sll2[..2].copy_from_slice(&[high, low]);
        let pppoe = [0x11, 0, 0, 9, 0, 42, 0, ppp];
        let cases: &[(LinkType, &[u8])] = &[
            (LinkType::Ethernet, &[&MACS[..], &[high, low]].concat()),
            (LinkType::RawIp, &[]),
            (LinkType::LinuxCooked, &sll),
            (LinkType::LinuxCooked2, &sll2),
            (LinkType::Loopback, &[family[0], 0, 0, 0]),
            (LinkType::Loopback, &[family[1], 0, 0, 0]),
            (LinkType::Loopback, &[0, 0, 0, family[2]]),
            (LinkType::Ppp, &[0xff, 0x03, 0, ppp]),
            (LinkType::Ppp, &[0, ppp]),
            (LinkType::Ppp, &[ppp]),
            (LinkType::CiscoHdlc, &[0xff, 0x03, 0, ppp]),
            (LinkType::CiscoHdlc, &[0x0f, 0, high, low]),
            (LinkType::PppoE, &pppoe),
            (
                LinkType::Ethernet,
                &[&MACS[..], &[0x88, 0x64], &pppoe].concat(),
            ),
        ];
        for (link_type, header) in cases {
            assert_peels(*link_type, &join(&[header, &ip]), &ip, Tag::NONE);
        }
    }
}

#[test]
fn trailing_padding_is_left_to_the_ip_length() {
    let padded = join(&[&v4(17, &udp(53, b"q")), &[0; 17]]);
    assert_peels(
        LinkType::Ethernet,
        &ethernet(0x0800, &padded),
        &padded,
        Tag::NONE,
    );
}

#[test]
fn vlans_make_the_tag() {
    let ip = inner();
    let vlan = |id: u16| Tag::new(TagKind::Vlan, id.into());
    let qinq = Tag::new(TagKind::QinQ, 100 << 12 | 5);
    assert_eq!(vlan(5).get(), 5, "what the kernel gives");
    // Priority bits are not part of the number, and VLAN 0 is only a priority.
    let cases: &[(&[u8], Tag)] = &[
        (&[0x81, 0x00, 0xe0, 5, 0x08, 0x00], vlan(5)),
        (&[0x81, 0x00, 0xe0, 0, 0x08, 0x00], Tag::NONE),
        (&[0x88, 0xa8, 0, 100, 0x81, 0x00, 0, 5, 0x08, 0x00], qinq),
        (&[0x91, 0x00, 0, 100, 0x81, 0x00, 0, 5, 0x08, 0x00], qinq),
        (
            &[0x81, 0x00, 0, 100, 0x81, 0x00, 0, 0, 0x08, 0x00],
            vlan(100),
        ),
        (&[0x81, 0x00, 0, 0, 0x81, 0x00, 0, 5, 0x08, 0x00], vlan(5)),
    ];
    for (header, tag) in cases {
        assert_peels(LinkType::Ethernet, &join(&[&MACS, header, &ip]), &ip, *tag);
    }
    assert_eq!(qinq.to_string(), "vlan 100.5");
}

#[test]
fn mpls_labels_are_popped_and_not_part_of_the_tag() {
    for ip in [inner(), v6(58, &[128, 0, 0, 0])] {
        let stack = [0, 1, 0x10, 64, 0, 2, 0x21, 64];
        let bytes = ethernet(0x8847, &join(&[&stack, &ip]));
        assert_peels(LinkType::Ethernet, &bytes, &ip, Tag::NONE);
        let vlan = [0, 5, 0x88, 0x47];
        let bytes = ethernet(0x8100, &join(&[&vlan, &stack, &ip]));
        assert_peels(LinkType::Ethernet, &bytes, &ip, Tag::new(TagKind::Vlan, 5));
    }
}

#[test]
fn what_is_not_ip_is_counted_by_cause() {
    use Undecodable::{Cut, IpVersion, NotIp, TooDeep};
    let arp = ethernet(0x0806, &[0; 28]);
    let llc = ethernet(38, &[0x42, 0x42, 3, 0, 0]);
    let goose = ethernet(0x88b8, &[0; 40]);
    let pppoe_discovery = ethernet(0x8863, &[0x11, 9, 0, 0, 0, 4]);
    let lcp = [0xff, 0x03, 0xc0, 0x21, 1, 1, 0, 4];
    let pseudowire = ethernet(0x8847, &[0, 1, 1, 64, 0, 0, 0, 0, 2, 0, 0, 0]);
    let endless_vlans = ethernet(0x8100, &[0x00, 0x05, 0x81, 0x00].repeat(20));
    let endless_labels = ethernet(0x8847, &[0; 100]);
    let eth = LinkType::Ethernet;
    let cases: &[(LinkType, &[u8], Undecodable)] = &[
        (eth, &arp, NotIp),
        (eth, &llc, NotIp),
        (eth, &goose, NotIp),
        (eth, &pppoe_discovery, NotIp),
        (LinkType::Ppp, &lcp, NotIp),
        (LinkType::Loopback, &[7, 0, 0, 0, 0x45], NotIp),
        (eth, &[], Cut),
        (eth, &MACS, Cut),
        (eth, &ethernet(0x0800, &[]), Cut),
        (eth, &ethernet(0x8100, &[0, 5, 8]), Cut),
        (eth, &ethernet(0x8847, &[0, 5, 1]), Cut),
        (eth, &ethernet(0x8864, &[0x11, 0]), Cut),
        (LinkType::RawIp, &[], Cut),
        (LinkType::LinuxCooked, &[0; 15], Cut),
        (LinkType::LinuxCooked2, &[0; 19], Cut),
        (LinkType::Loopback, &[2, 0, 0], Cut),
        (eth, &ethernet(0x0800, &v6(6, &[])), IpVersion),
        (eth, &ethernet(0x86dd, &v4(6, &[])), IpVersion),
        (LinkType::RawIp, &[0x12; 40], IpVersion),
        (eth, &pseudowire, IpVersion),
        (eth, &endless_vlans, TooDeep),
        (eth, &endless_labels, TooDeep),
        (LinkType::Other(127), &[0; 60], Undecodable::LinkType),
    ];
    let mut counters = DecodeCounters::default();
    for (link_type, bytes, cause) in cases {
        assert_refused(*link_type, bytes, *cause);
        counters.count(*cause);
    }
    let counted: Vec<_> = counters
        .iter()
        .map(|(cause, n)| (cause.name(), n))
        .collect();
    assert_eq!(
        counted,
        [
            ("not-ip", 6),
            ("cut-link-header", 10),
            ("wrong-ip-version", 4),
            ("too-many-link-headers", 2),
            ("unknown-link-type", 1)
        ]
    );
    assert_eq!(counters.total(), cases.len() as u64);
}

#[test]
fn gre_is_entered_with_its_options() {
    let ip = inner();
    let gre = |id| Tag::new(TagKind::Gre, id);
    let framed = ethernet(0x0800, &ip);
    let labelled = join(&[&[0, 1, 0x11, 64], &ip]);
    let cases: &[(&[u8], &[u8], Tag)] = &[
        (&[0, 0, 8, 0], &ip, gre(0)),
        (&[0x20, 0, 8, 0, 0, 0, 0, 9], &ip, gre(9)),
        (&[0x80, 0, 8, 0, 1, 2, 0, 0], &ip, gre(0)),
        (
            &[0xb0, 0, 8, 0, 1, 2, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1],
            &ip,
            gre(9),
        ),
        (&[0x20, 0, 0x65, 0x58, 0, 0, 0, 9], &framed, gre(9)),
        (&[0, 0, 0x88, 0x47], &labelled, gre(0)),
    ];
    for (header, payload, tag) in cases {
        let payload = join(&[header, payload]);
        assert_tunnel(&v4(47, &payload), &ip, *tag);
        assert_tunnel(&v6(47, &payload), &ip, *tag);
    }
}

#[test]
fn ip_in_ip_is_entered_in_every_combination() {
    let tag = Tag::new(TagKind::IpInIp, 0);
    for ip in [inner(), v6(6, &[7; 20])] {
        let protocol = if ip[0] >> 4 == 4 { 4 } else { 41 };
        assert_tunnel(&v4(protocol, &ip), &ip, tag);
        assert_tunnel(&v6(protocol, &ip), &ip, tag);
        // What Linux puts before it: destination options with a tunnel encapsulation limit (RFC 2473).
        let limited = join(&[&[protocol, 0, 4, 1, 4, 1, 0, 0], &ip]);
        assert_tunnel(&v6(60, &limited), &ip, tag);
        assert_tunnel(&v4(137, &join(&[&[0, 1, 0x11, 64], &ip])), &ip, tag);
    }
}

#[test]
fn vxlan_and_geneve_are_entered() {
    let ip = inner();
    let framed = ethernet(0x0800, &ip);
    let vlan = ethernet(0x8100, &join(&[&[0, 5, 8, 0], &ip]));
    let vxlan = |header: [u8; 8], frame: &[u8]| v4(17, &udp(4789, &join(&[&header, frame])));
    let tag = Tag::new(TagKind::Vxlan, 0x0001_0203);
    assert_tunnel(&vxlan([8, 0, 0, 0, 1, 2, 3, 0], &framed), &ip, tag);
    assert_tunnel(&vxlan([0x88, 0, 0, 7, 1, 2, 3, 0], &framed), &ip, tag);
    let nested = tag.with(TagKind::Vlan, 5);
    assert_tunnel(&vxlan([8, 0, 0, 0, 1, 2, 3, 0], &vlan), &ip, nested);
    assert_ne!(nested, Tag::new(TagKind::Vxlan, 4).with(TagKind::Vlan, 5));

    let tag = Tag::new(TagKind::Geneve, 9);
    let plain = join(&[&[0, 0, 0x65, 0x58, 0, 0, 9, 0], &framed]);
    assert_tunnel(&v6(17, &udp(6081, &plain)), &ip, tag);
    let with_option = join(&[&[2, 0, 8, 0, 0, 0, 9, 0], &[1, 2, 3, 1, 0, 0, 0, 0], &ip]);
    assert_tunnel(&v4(17, &udp(6081, &with_option)), &ip, tag);
}

#[test]
fn nested_tunnels_keep_the_outermost_endpoints() {
    let ip = inner();
    let gre = v6(47, &join(&[&[0x20, 0, 8, 0, 0, 0, 0, 9], &ip]));
    let tag = Tag::new(TagKind::IpInIp, 0).with(TagKind::Gre, 9);
    assert_tunnel(&v4(41, &gre), &ip, tag);
}

#[test]
fn nesting_is_bounded() {
    let mut packets = vec![inner()];
    for level in 0..6 {
        packets.push(v4(4, &packets[level]));
    }
    let peeled = decode(&frame(LinkType::RawIp, &packets[6])).unwrap();
    assert_eq!(peeled.ip, packets[2], "four of six levels are entered");
    assert_eq!(peeled.tunnel, OUTER_V4);
}

#[test]
fn what_only_looks_like_a_tunnel_stays_outside() {
    let framed = ethernet(0x0800, &inner());
    let arp = ethernet(0x0806, &[0; 28]);
    let vxlan = |header: &[u8], rest: &[u8]| v4(17, &udp(4789, &join(&[header, rest])));
    for outer in [
        vxlan(&[0, 0, 0, 0, 1, 2, 3, 0], &framed),
        vxlan(&[8, 0, 0, 0, 1, 2, 3, 1], &framed),
        vxlan(&[8, 0, 0, 0, 1, 2, 3, 0], &arp),
        vxlan(&[8, 0, 0, 0, 1, 2, 3, 0], &framed[..10]),
        vxlan(&[8, 0, 0], &[]),
        // Sent from the port, not to it.
        v4(
            17,
            &join(&[
                &[0x12, 0xb5, 0, 53, 0, 8, 0, 0],
                &[8, 0, 0, 0, 1, 2, 3, 0],
                &framed,
            ]),
        ),
        v4(
            17,
            &udp(6081, &join(&[&[0x3f, 0, 8, 0, 0, 0, 9, 0], &inner()])),
        ),
        v4(
            17,
            &udp(6081, &join(&[&[0x40, 0, 8, 0, 0, 0, 9, 0], &inner()])),
        ),
        v4(47, &join(&[&[0x20, 1, 0x88, 0x0b, 0, 40, 0, 1], &inner()])),
        v4(47, &join(&[&[0x40, 0, 8, 0, 0, 0, 0, 0], &inner()])),
        v4(47, &join(&[&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1], &framed])),
        v4(47, &[0x20, 0, 8, 0]),
        v4(4, &v6(6, &[])),
        v4(41, &[]),
        v6(44, &join(&[&[4, 0, 0, 8, 0, 0, 0, 1], &inner()])),
        v6(50, &[0x45; 60]),
    ] {
        assert_not_entered(&outer);
    }
    let mut later_fragment = v4(4, &inner());
    later_fragment[7] = 1;
    assert_not_entered(&later_fragment);
}

#[test]
fn a_first_fragment_is_entered_and_a_lying_length_is_not_believed() {
    let ip = inner();
    let mut outer = v4(4, &ip);
    outer[6] = 0x20;
    assert_tunnel(&outer, &ip, Tag::new(TagKind::IpInIp, 0));
    for length in [0, 19, 0xffff_u16] {
        outer[2..4].copy_from_slice(&length.to_be_bytes());
        assert_tunnel(&outer, &ip, Tag::new(TagKind::IpInIp, 0));
    }
    // A length that is true ends the inner packet before the frame's padding.
    let padded = join(&[&v4(4, &ip), &[0; 30]]);
    assert_tunnel(&padded, &ip, Tag::new(TagKind::IpInIp, 0));
}

const LINK_TYPES: [LinkType; 9] = [
    LinkType::Ethernet,
    LinkType::RawIp,
    LinkType::LinuxCooked,
    LinkType::LinuxCooked2,
    LinkType::Loopback,
    LinkType::Ppp,
    LinkType::CiscoHdlc,
    LinkType::PppoE,
    LinkType::Other(127),
];

/// Bytes that get further than random ones: protocol numbers in the places where they matter.
fn plausible() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(vec![0x81, 0x00]),
        Just(vec![0x88, 0x64]),
        Just(vec![0x88, 0x47, 0, 0, 1, 1]),
        Just(vec![0x08, 0x00, 0x45, 0, 0, 60, 0, 0, 0, 0, 64]),
        Just(vec![0x86, 0xdd, 0x60, 0, 0, 0, 0, 60]),
        prop::sample::select(vec![4u8, 17, 41, 43, 44, 47, 51, 60, 137]).prop_map(|b| vec![b]),
        Just(udp(4789, &[8, 0, 0, 0, 0, 0, 1, 0])),
        Just(udp(6081, &[1, 0, 0x65, 0x58, 0, 0, 1, 0])),
        Just(MACS.to_vec()),
        prop::collection::vec(any::<u8>(), 0..24),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn no_bytes_panic_and_what_is_found_lies_in_the_frame(
        bytes in prop_oneof![plausible(), prop::collection::vec(any::<u8>(), 0..200)],
        link_type in prop::sample::select(LINK_TYPES.to_vec()),
    ) {
        if let Ok(peeled) = decode(&frame(link_type, &bytes)) {
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
        port in any::<u16>().prop_filter("not a tunnel", |port| ![4789, 6081].contains(port)),
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
