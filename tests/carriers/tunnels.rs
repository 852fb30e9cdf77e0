//! Tunnels, whose outer ends are known.

use detection::decode::{Tag, TagKind};
use ebpf::packet::protocol::UDP;

use super::{Carrier, behind, by_family, datagram, ether_type, framed, only, outside, ppp, snap};
use super::{tunnel, unknown_to_tshark, wireless};
use crate::kernel::frames::{address, ethernet, ip, udp};

const GRE: u8 = 47;
/// A mirror's copies, while no mirror is configured.
const MIRROR: Tag = Tag::new(TagKind::Mirror, 0);
const GTP: Tag = Tag::new(TagKind::Gtp, 0);
const L2TP: Tag = Tag::new(TagKind::L2tp, 0);
const TEREDO: Tag = Tag::new(TagKind::Teredo, 0);
const CAPWAP: Tag = Tag::new(TagKind::Capwap, 0);
const IN_IP: Tag = Tag::new(TagKind::IpInIp, 0);

/// What the second header says before a frame, both in GRE.
fn in_gre(header: &[u8], packet: &[u8]) -> Vec<u8> {
    outside(GRE, &behind(header, &ethernet(&[], packet)))
}

/// A G-PDU with these flags and what they add.
fn gtp(flags: u8, more: &[u8], packet: &[u8]) -> Vec<u8> {
    let [high, low] = ((more.len() + packet.len()) as u16).to_be_bytes();
    let header = [0x30 | flags, 0xff, high, low, 0, 0, 0, 9];
    datagram(2_152, &[&header, more, packet].concat())
}

pub(super) static CARRIERS: &[Carrier] = &[
    tunnel("GRE", Tag::new(TagKind::Gre, 0), |packet| {
        outside(47, &[&[0, 0], &ether_type(packet)[..], packet].concat())
    }),
    tunnel(
        "GRE with key and sequence",
        Tag::new(TagKind::Gre, 77),
        |packet| {
            let options = [0, 0, 0, 77, 0, 0, 0, 1];
            outside(
                47,
                &[&[0x30, 0], &ether_type(packet)[..], &options, packet].concat(),
            )
        },
    ),
    tunnel("IP in IPv4", Tag::new(TagKind::IpInIp, 0), |packet| {
        outside(by_family(packet, 4, 41), packet)
    }),
    tunnel("IP in IPv6", Tag::new(TagKind::IpInIp, 0), |packet| {
        let ends = (address(3, 1), address(3, 2));
        ethernet(&[], &ip(ends, by_family(packet, 4, 41), packet))
    }),
    tunnel("VXLAN", Tag::new(TagKind::Vxlan, 7), |packet| {
        let inner = [&[8, 0, 0, 0, 0, 0, 7, 0], &ethernet(&[], packet)[..]].concat();
        outside(UDP, &udp((40_000, 4789), &inner))
    }),
    tunnel("Geneve", Tag::new(TagKind::Geneve, 7), |packet| {
        // One option of two words.
        let header = [2, 0, 0x65, 0x58, 0, 0, 7, 0, 1, 2, 3, 1, 0, 0, 0, 9];
        let inner = [&header[..], &ethernet(&[], packet)].concat();
        outside(UDP, &udp((40_000, 6081), &inner))
    }),
    tunnel("ERSPAN I", MIRROR, |packet| {
        in_gre(&[0, 0, 0x88, 0xbe], packet)
    }),
    tunnel("ERSPAN II", MIRROR, |packet| {
        in_gre(
            &[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 5, 8, 7, 0, 0, 0, 1],
            packet,
        )
    }),
    tunnel("ERSPAN II with key, cut", MIRROR, |packet| {
        let header = [
            0x30, 0, 0x88, 0xbe, 0, 0, 0, 9, 0, 0, 0, 1, 0x10, 5, 0x0c, 7, 0, 0, 0, 1,
        ];
        in_gre(&header, packet)
    }),
    tunnel("ERSPAN III", MIRROR, |packet| {
        let header = [
            0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 5, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0,
        ];
        in_gre(&header, packet)
    }),
    tunnel("ERSPAN III with platform header", MIRROR, |packet| {
        let header = [
            0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 5, 0, 7, 0, 0, 0, 1, 0, 0, 0, 1,
        ];
        in_gre(&[&header[..], &[0; 8]].concat(), packet)
    }),
    unknown_to_tshark(tunnel("ERSPAN III, IP", MIRROR, |packet| {
        let header = [
            0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 5, 0, 7, 0, 0, 0, 1, 0, 0, 8, 0,
        ];
        outside(GRE, &behind(&header, packet))
    })),
    tunnel("TZSP", MIRROR, |packet| {
        datagram(37_008, &behind(&[1, 1, 0, 1, 1], &ethernet(&[], packet)))
    }),
    tunnel("TZSP with tags", MIRROR, |packet| {
        let header = [1, 0, 0, 1, 0x0a, 1, 5, 0, 0, 0x29, 2, 0, 5, 1];
        datagram(37_008, &behind(&header, &ethernet(&[], packet)))
    }),
    tunnel("TZSP, 802.11", MIRROR, |packet| {
        let frame = wireless([0x08, 1], &[], &snap(packet));
        datagram(37_008, &behind(&[1, 0, 0, 18, 1], &frame))
    }),
    tunnel("EoIP", Tag::new(TagKind::Gre, 7), |packet| {
        let [high, low] = (packet.len() as u16 + 14).to_be_bytes();
        in_gre(&[0x20, 1, 0x64, 0, high, low, 7, 0], packet)
    }),
    tunnel("WCCP", Tag::new(TagKind::Gre, 0), |packet| {
        outside(GRE, &behind(&[0, 0, 0x88, 0x3e, 0, 0, 0, 0], packet))
    }),
    unknown_to_tshark(tunnel(
        "VXLAN at Linux' port",
        Tag::new(TagKind::Vxlan, 7),
        |packet| {
            datagram(
                8_472,
                &behind(&[8, 0, 0, 0, 0, 0, 7, 0], &ethernet(&[], packet)),
            )
        },
    )),
    tunnel(
        "VXLAN with group policy",
        Tag::new(TagKind::Vxlan, 7),
        |packet| {
            datagram(
                4_789,
                &behind(&[0x88, 0, 0, 9, 0, 0, 7, 0], &ethernet(&[], packet)),
            )
        },
    ),
    tunnel("VXLAN GPE", Tag::new(TagKind::Vxlan, 7), |packet| {
        datagram(
            4_790,
            &behind(&[0x0c, 0, 0, by_family(packet, 1, 2), 0, 0, 7, 0], packet),
        )
    }),
    tunnel(
        "VXLAN GPE with NSH",
        Tag::new(TagKind::Vxlan, 7),
        |packet| {
            let header = [0x0c, 0, 0, 4, 0, 0, 7, 0, 0x0f, 0xc2, 2, 3, 0, 0, 1, 255];
            datagram(4_790, &behind(&header, &ethernet(&[], packet)))
        },
    ),
    tunnel("GTP-U", GTP, |packet| gtp(0, &[], packet)),
    tunnel("GTP-U with sequence", GTP, |packet| {
        gtp(2, &[0, 1, 0, 0x85], packet)
    }),
    tunnel("GTP-U with N-PDU number", GTP, |packet| {
        gtp(1, &[0, 0, 3, 0], packet)
    }),
    tunnel("GTP-U with three extensions", GTP, |packet| {
        let extensions = [1, 0x10, 5, 0xc0, 1, 0, 1, 0x85, 2, 0, 5, 0, 0, 0, 0, 0];
        gtp(6, &[&[0, 1, 0, 0x85], &extensions[..]].concat(), packet)
    }),
    tunnel("L2TP", L2TP, |packet| {
        let header = [0, 2, 0, 5, 0, 6, 0xff, 3];
        datagram(1_701, &behind(&header, &ppp(packet)))
    }),
    tunnel("L2TP with everything", L2TP, |packet| {
        let [high, low] = (packet.len() as u16 + 20).to_be_bytes();
        let header = [0x4a, 2, high, low, 0, 5, 0, 6, 0, 1, 0, 2, 0, 4, 9, 9, 9, 9];
        datagram(1_701, &behind(&header, &ppp(packet)))
    }),
    tunnel("L2TP, answer", L2TP, |packet| {
        let payload = behind(&[0, 2, 0, 5, 0, 6], &ppp(packet));
        outside(UDP, &udp((1_701, 40_000), &payload))
    }),
    tunnel("PPP in L2TP in PPPoE", L2TP, |packet| {
        let payload = behind(&[0, 2, 0, 5, 0, 6, 0xff, 3], &ppp(packet));
        let ends = (address(1, 1), address(1, 2));
        let outer = ip(ends, UDP, &udp((1_701, 1_701), &payload));
        let [high, low] = (outer.len() as u16 + 2).to_be_bytes();
        framed(&[0x88, 0x64, 0x11, 0, 0, 9, high, low, 0, 0x21], &outer)
    }),
    unknown_to_tshark(tunnel("L2TP version 3 in IP", L2TP, |packet| {
        outside(115, &behind(&[0, 0, 0, 7], &ethernet(&[], packet)))
    })),
    only(
        6,
        tunnel("Teredo", TEREDO, |packet| datagram(3_544, packet)),
    ),
    only(
        6,
        tunnel("Teredo, answer with origin", TEREDO, |packet| {
            let payload = behind(&[0, 0, 0x12, 0x34, 1, 2, 3, 4], packet);
            outside(UDP, &udp((3_544, 40_000), &payload))
        }),
    ),
    only(
        6,
        tunnel("Teredo with authentication and origin", TEREDO, |packet| {
            let mut header = vec![0, 1, 4, 5];
            header.extend([7; 4 + 5 + 9]);
            header.extend([0, 0, 0x12, 0x34, 1, 2, 3, 4]);
            datagram(3_544, &behind(&header, packet))
        }),
    ),
    tunnel("CAPWAP", CAPWAP, |packet| {
        datagram(
            5_247,
            &behind(&[0, 0x10, 2, 0, 0, 0, 0, 0], &ethernet(&[], packet)),
        )
    }),
    tunnel("CAPWAP, to an access point", CAPWAP, |packet| {
        let payload = behind(&[0, 0x10, 2, 0, 0, 0, 0, 0], &ethernet(&[], packet));
        outside(UDP, &udp((5_247, 40_000), &payload))
    }),
    unknown_to_tshark(tunnel("CAPWAP, 802.11", CAPWAP, |packet| {
        let frame = wireless([0x08, 1], &[], &snap(packet));
        datagram(5_247, &behind(&[0, 0x10, 3, 0, 0, 0, 0, 0], &frame))
    })),
    tunnel("CAPWAP, 802.11 with swapped control", CAPWAP, |packet| {
        let frame = wireless([2, 0x88], &[0, 0], &snap(packet));
        datagram(5_247, &behind(&[0, 0x10, 3, 0, 0, 0, 0, 0], &frame))
    }),
    tunnel("LISP", Tag::new(TagKind::Lisp, 7), |packet| {
        datagram(4_341, &behind(&[0x88, 1, 2, 3, 0, 0, 7, 1], packet))
    }),
    tunnel("MPLS over UDP", IN_IP, |packet| {
        datagram(6_635, &behind(&[0, 1, 0x11, 64], packet))
    }),
    tunnel("MPLS in IP", IN_IP, |packet| {
        outside(137, &behind(&[0, 1, 0x11, 64], packet))
    }),
    tunnel("Ethernet in IP", IN_IP, |packet| {
        outside(97, &behind(&[0x30, 0], &ethernet(&[], packet)))
    }),
    tunnel("IP behind a segment routing header", IN_IP, |packet| {
        routed(by_family(packet, 4, 41), packet)
    }),
    tunnel(
        "Ethernet behind a segment routing header",
        IN_IP,
        |packet| routed(143, &ethernet(&[], packet)),
    ),
    tunnel("IP behind an authentication header", IN_IP, |packet| {
        let mut header = vec![by_family(packet, 4, 41), 4];
        header.resize(24, 0);
        outside(51, &behind(&header, packet))
    }),
];

/// A routing header of one segment (RFC 8754) before a packet.
fn routed(next: u8, payload: &[u8]) -> Vec<u8> {
    let ends = (address(3, 1), address(3, 2));
    let mut header = vec![next, 2, 4, 0, 0, 0, 0, 0];
    if let std::net::IpAddr::V6(segment) = ends.1 {
        header.extend(segment.octets());
    }
    ethernet(&[], &ip(ends, 43, &behind(&header, payload)))
}
