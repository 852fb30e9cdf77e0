//! Tags that networks and switches put between Ethernet and IP.

use detection::decode::{Tag, TagKind};

use super::{ADDRESSES, Carrier, behind, by_family, ether_type, framed, link, pppoe, tagged};
use super::{ETHERNET, unknown_to_tshark};
use crate::kernel::frames::ethernet;

/// The ethertype of a packet behind a tag.
fn typed(header: &[u8], packet: &[u8]) -> Vec<u8> {
    framed(&[header, &ether_type(packet)].concat(), packet)
}

/// An Ethernet frame behind a tag.
fn bridged(header: &[u8], packet: &[u8]) -> Vec<u8> {
    framed(header, &ethernet(&[], packet))
}

pub(super) static CARRIERS: &[Carrier] = &[
    tagged("VLAN", Tag::new(TagKind::Vlan, 100), |packet| {
        ethernet(&[100], packet)
    }),
    tagged("QinQ", Tag::new(TagKind::QinQ, 7 << 12 | 100), |packet| {
        ethernet(&[7, 100], packet)
    }),
    tagged("PPPoE in a VLAN", Tag::new(TagKind::Vlan, 9), |packet| {
        framed(&[0x81, 0, 0, 9, 0x88, 0x64], &pppoe(packet))
    }),
    tagged(
        "three VLANs, two of them priorities",
        Tag::new(TagKind::Vlan, 4),
        |packet| {
            let tags = [0x88, 0xa8, 0x20, 0, 0x81, 0, 0x40, 0, 0x81, 0, 0, 4];
            typed(&tags, packet)
        },
    ),
    tagged(
        "provider backbone",
        Tag::new(TagKind::Backbone, 0x0001_0203),
        |packet| bridged(&[0x88, 0xe7, 0, 1, 2, 3], packet),
    ),
    link("E-tag", ETHERNET, |packet| {
        typed(&[0x89, 0x3f, 0, 0, 0, 1, 0, 0], packet)
    }),
    link("VN-tag", ETHERNET, |packet| {
        typed(&[0x89, 0x26, 0x80, 1, 0, 2], packet)
    }),
    link("Cisco metadata", ETHERNET, |packet| {
        typed(&[0x89, 0x09, 1, 1, 0, 1, 0, 7], packet)
    }),
    link("NSH, metadata 1", ETHERNET, |packet| {
        let mut header = vec![
            0x89,
            0x4f,
            0x0f,
            0xc6,
            1,
            by_family(packet, 1, 2),
            0,
            0,
            1,
            255,
        ];
        header.resize(26, 0);
        framed(&header, packet)
    }),
    link("NSH, metadata 2, Ethernet", ETHERNET, |packet| {
        let header = [
            0x89, 0x4f, 0x0f, 0xc4, 2, 3, 0, 0, 1, 255, 0, 1, 2, 4, 9, 9, 9, 9,
        ];
        bridged(&header, packet)
    }),
    link("HSR", ETHERNET, |packet| {
        typed(&[0x89, 0x2f, 0x10, 60, 0, 7], packet)
    }),
    link("PRP trailer", ETHERNET, |packet| {
        let [high, low] = (packet.len() as u16 + 6).to_be_bytes();
        let trailer = [0, 7, 0xa0 | high, low, 0x88, 0xfb];
        [ethernet(&[], packet), trailer.to_vec()].concat()
    }),
    link("MACsec in clear", ETHERNET, |packet| {
        let tag = [0x88, 0xe5, 0x20, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0, 1];
        [typed(&tag, packet), vec![0; 16]].concat()
    }),
    link("MACsec in clear, short", ETHERNET, |packet| {
        [typed(&[0x88, 0xe5, 0, 0, 0, 0, 0, 1], packet), vec![0; 16]].concat()
    }),
    link("redundancy tag", ETHERNET, |packet| {
        typed(&[0xf1, 0xc1, 0, 0, 0, 7], packet)
    }),
    link("TRILL", ETHERNET, |packet| {
        bridged(&[0x22, 0xf3, 0, 0x10, 0, 1, 0, 2], packet)
    }),
    unknown_to_tshark(link("MPLS pseudowire", ETHERNET, |packet| {
        bridged(&[0x88, 0x47, 0, 1, 0x11, 64, 0, 0, 0, 1], packet)
    })),
    unknown_to_tshark(link(
        "MPLS pseudowire without control word",
        ETHERNET,
        |packet| bridged(&[0x88, 0x47, 0, 1, 0x11, 64], packet),
    )),
    unknown_to_tshark(link("Broadcom tag", 281, |packet| {
        switched(&[0x20, 0, 0, 1], packet)
    })),
    unknown_to_tshark(link("Broadcom tag, first", 282, |packet| {
        behind(&[0x20, 0, 0, 1], &ethernet(&[], packet))
    })),
    unknown_to_tshark(link("DSA tag", 284, |packet| {
        switched(&[0xc0, 8, 0, 1], packet)
    })),
    unknown_to_tshark(Carrier {
        tag: Tag::new(TagKind::Vlan, 5),
        ..link("DSA tag in a VLAN", 284, |packet| {
            switched(&[0x20, 8, 0, 5], packet)
        })
    }),
    unknown_to_tshark(link("EDSA tag", 285, |packet| {
        switched(&[0xda, 0xda, 0, 0, 0xc0, 8, 0, 1], packet)
    })),
    Carrier {
        tag: Tag::new(TagKind::Vlan, 5),
        ..link("Linux cooked, VLAN", 113, |packet| {
            let header = [0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x81, 0, 0, 5];
            behind(&[&header[..], &ether_type(packet)].concat(), packet)
        })
    },
    unknown_to_tshark(Carrier {
        tag: Tag::new(TagKind::Vlan, 7),
        ..link("Linux cooked 2, hidden VLAN", 276, |packet| {
            let ether_type = ether_type(packet);
            let rest = [
                0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x40, 7,
            ];
            behind(&[&ether_type[..], &rest, &ether_type].concat(), packet)
        })
    }),
    unknown_to_tshark(Carrier {
        tag: Tag::new(TagKind::QinQ, 5 << 12 | 7),
        ..link("Linux cooked, hidden inner VLAN", 113, |packet| {
            let ether_type = ether_type(packet);
            let header = [0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x88, 0xa8, 0, 5];
            behind(
                &[&header[..], &ether_type, &[0x60, 7], &ether_type].concat(),
                packet,
            )
        })
    }),
];

/// A switch's tag behind the addresses.
fn switched(tag: &[u8], packet: &[u8]) -> Vec<u8> {
    [
        &ethernet(&[], &[])[..ADDRESSES],
        tag,
        &ether_type(packet),
        packet,
    ]
    .concat()
}
