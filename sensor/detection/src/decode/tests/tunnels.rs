//! Tunnels are entered with their options, and only where they lead to IP.

use super::*;

#[test]
fn gre_is_entered_with_its_options() {
    let ip = inner();
    let gre = |id| Tag::new(TagKind::Gre, id);
    let framed = ethernet(0x0800, &ip);
    let labelled = join(&[&[0, 1, 0x11, 64], &ip]);
    let ppp = join(&[&[0xff, 0x03, 0, 0x21], &ip]);
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
        (
            &[0x30, 1, 0x88, 0x0b, 0, 44, 0, 1, 0, 0, 0, 1],
            &ppp,
            gre(0),
        ),
        (
            &[0x30, 0x81, 0x88, 0x0b, 0, 44, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1],
            &ppp,
            gre(0),
        ),
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
        // PPTP as it mostly is, encrypted; and a version of GRE nobody defined.
        v4(
            47,
            &join(&[&[0x20, 1, 0x88, 0x0b, 0, 40, 0, 1, 0, 0xfd], &inner()]),
        ),
        v4(47, &join(&[&[0, 2, 8, 0], &inner()])),
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
