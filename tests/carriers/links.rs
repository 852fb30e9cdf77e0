//! Link types that systems and standards define.

use super::{Carrier, ETHERNET, behind, by_family, ether_type, framed, link, only, ppp, pppoe};
use super::{snap, unknown_to_tshark, wireless};
use crate::kernel::frames::ethernet;

/// Frame control of data to and from an access point, and of data with quality of service.
const TO: [u8; 2] = [0x08, 1];
const FROM: [u8; 2] = [0x08, 2];
const QUALITY: [u8; 2] = [0x88, 1];
const BETWEEN: [u8; 2] = [0x88, 3];
/// The fourth address of a frame between access points.
const FOURTH: [u8; 6] = [2, 0, 0, 0, 0, 4];

pub(super) static CARRIERS: &[Carrier] = &[
    link("Ethernet", ETHERNET, |packet| ethernet(&[], packet)),
    link("BSD null, little-endian", 0, |packet| {
        behind(&[by_family(packet, 2, 30), 0, 0, 0], packet)
    }),
    link("BSD loop, big-endian", 108, |packet| {
        behind(&[0, 0, 0, by_family(packet, 2, 24)], packet)
    }),
    link("raw IP", 101, <[u8]>::to_vec),
    link("raw IP, old number", 12, <[u8]>::to_vec),
    link("PPP", 9, |packet| {
        behind(&[0, by_family(packet, 0x21, 0x57)], packet)
    }),
    link("PPP in HDLC framing", 50, |packet| {
        behind(&[0xff, 3, 0, by_family(packet, 0x21, 0x57)], packet)
    }),
    link("Cisco HDLC", 104, |packet| {
        behind(&[&[0x0f, 0], &ether_type(packet)[..]].concat(), packet)
    }),
    link("PPPoE without Ethernet", 51, pppoe),
    link("PPPoE", ETHERNET, |packet| {
        framed(&[0x88, 0x64], &pppoe(packet))
    }),
    link("Linux cooked", 113, |packet| {
        let header = [0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0];
        behind(&[&header[..], &ether_type(packet)].concat(), packet)
    }),
    link("Linux cooked 2", 276, |packet| {
        let rest = [0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0];
        behind(&[&ether_type(packet)[..], &rest].concat(), packet)
    }),
    link("MPLS", ETHERNET, |packet| {
        let labels = [0, 1, 0x10, 64, 0, 2, 0x11, 64];
        framed(&[0x88, 0x47], &behind(&labels, packet))
    }),
    link("Cisco HDLC as serial PPP", 50, |packet| {
        behind(&[&[0x0f, 0], &ether_type(packet)[..]].concat(), packet)
    }),
    link("Linux cooked, LLC", 113, |packet| {
        let header = [0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0, 4];
        behind(&header, &snap(packet))
    }),
    link("IEEE 802.3 with LLC and SNAP", ETHERNET, |packet| {
        let [high, low] = (packet.len() as u16 + 8).to_be_bytes();
        framed(&[high, low], &snap(packet))
    }),
    only(
        4,
        link("IEEE 802.3 with LLC", ETHERNET, |packet| {
            let [high, low] = (packet.len() as u16 + 3).to_be_bytes();
            framed(&[high, low, 6, 6, 3], packet)
        }),
    ),
    link("ATM with LLC and SNAP", 100, snap),
    link("frame relay", 107, |packet| {
        behind(&[0x18, 0x41, 3, by_family(packet, 0xcc, 0x8e)], packet)
    }),
    link("frame relay with SNAP", 107, |packet| {
        let header = [&[0x18, 0x41, 3, 0, 0x80, 0, 0, 0], &ether_type(packet)[..]];
        behind(&header.concat(), packet)
    }),
    link("frame relay, Cisco", 107, |packet| {
        behind(&[&[0x18, 0x41], &ether_type(packet)[..]].concat(), packet)
    }),
    unknown_to_tshark(link("multilink frame relay", 182, |packet| {
        let header = [0xc0, 1, 0x18, 0x41, 3, by_family(packet, 0xcc, 0x8e)];
        behind(&header, packet)
    })),
    unknown_to_tshark(link("SLIP", 8, |packet| behind(&[0; 16], packet))),
    link("ARCNET", 7, |packet| {
        behind(&[1, 2, by_family(packet, 0xd4, 0xc4), 0, 0, 1], packet)
    }),
    link("ARCNET of Linux", 129, |packet| {
        behind(
            &[1, 2, 0, 0, by_family(packet, 0xd4, 0xc4), 0, 0, 1],
            packet,
        )
    }),
    link("IP over InfiniBand", 242, |packet| {
        behind(
            &[&[0; 40], &ether_type(packet)[..], &[0, 0]].concat(),
            packet,
        )
    }),
    link("802.11", 105, |packet| wireless(TO, &[], &snap(packet))),
    link("802.11 from an access point", 105, |packet| {
        wireless(FROM, &[], &snap(packet))
    }),
    link("802.11 with quality of service", 105, |packet| {
        wireless(QUALITY, &[0, 0], &snap(packet))
    }),
    link("802.11 with high throughput control", 105, |packet| {
        wireless([0x88, 0x81], &[0; 6], &snap(packet))
    }),
    link("802.11 in a mesh", 105, |packet| {
        let control = [&FOURTH[..], &[0, 1], &[0, 31, 1, 0, 0, 0]].concat();
        wireless(BETWEEN, &control, &snap(packet))
    }),
    link("802.11 in a mesh, two addresses more", 105, |packet| {
        let control = [&FOURTH[..], &[0, 1], &[2, 31, 1, 0, 0, 0], &[6; 12]].concat();
        wireless(BETWEEN, &control, &snap(packet))
    }),
    link("802.11, aggregate", 105, |packet| {
        let [high, low] = (packet.len() as u16 + 8).to_be_bytes();
        let subframe = [
            &[0x80, 0],
            &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, high, low][..],
        ];
        wireless(QUALITY, &subframe.concat(), &snap(packet))
    }),
    link("radiotap", 127, |packet| {
        behind(&[0, 0, 8, 0, 0, 0, 0, 0], &wireless(TO, &[], &snap(packet)))
    }),
    link("radiotap, padded", 127, |packet| {
        // Time, flags with the padding bit, and a second word of presence bits.
        let mut header = vec![0, 0, 26, 0, 3, 0, 0, 0x80, 0, 0, 0, 0];
        header.extend([0; 4]);
        header.extend([9; 8]);
        header.extend([0x20, 0]);
        behind(&header, &wireless(QUALITY, &[0, 0, 0, 0], &snap(packet)))
    }),
    link("Prism", 119, |packet| {
        let mut header = vec![0x44, 0, 0, 0, 144, 0, 0, 0];
        header.resize(144, 0);
        behind(&header, &wireless(TO, &[], &snap(packet)))
    }),
    link("AVS", 163, |packet| {
        let mut header = vec![0x80, 0x21, 0x10, 1, 0, 0, 0, 64];
        header.resize(64, 0);
        behind(&header, &wireless(TO, &[], &snap(packet)))
    }),
    link("per-packet information, 802.11", 192, |packet| {
        let header = [0, 0, 16, 0, 105, 0, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0];
        behind(&header, &wireless(TO, &[], &snap(packet)))
    }),
    link("per-packet information, Ethernet", 192, |packet| {
        behind(&[0, 0, 8, 0, 1, 0, 0, 0], &ethernet(&[], packet))
    }),
    link("PPP frames without framing", 9, ppp),
];
