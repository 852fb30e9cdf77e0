//! Link types of one maker's equipment or system.

use super::{Carrier, behind, by_family, ether_type, link, snap, unknown_to_tshark};
use crate::kernel::frames::ethernet;

/// Juniper's magic number and flags.
const JUNIPER: [u8; 4] = [0x4d, 0x47, 0x43, 1];

pub(super) static CARRIERS: &[Carrier] = &[
    link("NFLOG", 239, |packet| nflog(packet, u16::to_le_bytes)),
    unknown_to_tshark(link("NFLOG, big-endian", 239, |packet| {
        nflog(packet, u16::to_be_bytes)
    })),
    link("PKTAP", 258, |packet| tap(108, 1, &ethernet(&[], packet))),
    link("PKTAP, longer, raw IP", 149, |packet| tap(156, 12, packet)),
    link("IPNET", 226, |packet| {
        let [high, low] = (packet.len() as u16).to_be_bytes();
        let mut header = vec![
            1,
            by_family(packet, 2, 26),
            0,
            1,
            0,
            0,
            high,
            low,
            0,
            0,
            0,
            1,
        ];
        header.resize(24, 0);
        behind(&header, packet)
    }),
    link("SunATM", 123, |packet| {
        behind(&[2, 0, 0, 100], &snap(packet))
    }),
    link("SunATM, LAN emulation", 123, |packet| {
        behind(&[1, 0, 0, 100, 0, 1], &ethernet(&[], packet))
    }),
    link("Juniper Ethernet", 178, |packet| {
        behind(&JUNIPER, &ethernet(&[], packet))
    }),
    link("Juniper Ethernet, extensions", 178, |packet| {
        let header = [0x4d, 0x47, 0x43, 0x81, 0, 6, 1, 1, 0, 2, 1, 0];
        behind(&header, &ethernet(&[], packet))
    }),
    link("Juniper without link layer", 178, |packet| {
        behind(
            &[0x4d, 0x47, 0x43, 3, by_family(packet, 2, 6), 0, 0, 0],
            packet,
        )
    }),
    link("Juniper ATM", 137, |packet| {
        behind(&[&JUNIPER[..], &[0, 0, 0, 1]].concat(), &snap(packet))
    }),
    unknown_to_tshark(link("Juniper encryption", 132, |packet| {
        behind(&[&JUNIPER[..], &[0; 16]].concat(), packet)
    })),
    unknown_to_tshark(link("Juniper monitor", 164, |packet| {
        behind(&[&JUNIPER[..], &[0; 8]].concat(), packet)
    })),
    unknown_to_tshark(link("packet filter log", 117, |packet| {
        let mut header = vec![61, by_family(packet, 2, 24)];
        header.resize(64, 0);
        behind(&header, packet)
    })),
    link("ERF", 197, |packet| {
        let frame = ethernet(&[], packet);
        let [high, low] = (frame.len() as u16 + 18).to_be_bytes();
        let [wire_high, wire_low] = (frame.len() as u16 + 4).to_be_bytes();
        let mut record = vec![0, 0, 0, 0, 0, 0xf1, 0x53, 0x65, 2, 4, high, low, 0, 0];
        record.extend([wire_high, wire_low, 0, 0]);
        behind(&record, &frame)
    }),
    link("Token ring", 6, |packet| {
        let header = [0x10, 0x40, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        behind(&header, &snap(packet))
    }),
    link("FDDI", 10, |packet| {
        let header = [0x50, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        behind(&header, &snap(packet))
    }),
];

/// Attributes in one machine's order: the packet's own kind, a prefix, the time, the packet.
fn nflog(packet: &[u8], order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let mut record = vec![by_family(packet, 2, 10), 0, 0, 5];
    let [high, low] = ether_type(packet);
    let time = [&1_700_000_000_u64.to_be_bytes()[..], &5_u64.to_be_bytes()].concat();
    for (kind, value) in [
        (1, &[high, low, 1, 0][..]),
        (10, b"test\0"),
        (3, &time),
        (9, packet),
    ] {
        record.extend(order(value.len() as u16 + 4));
        record.extend(order(kind));
        record.extend(value);
        record.resize(record.len().next_multiple_of(4), 0);
    }
    record
}

/// Apple's header of this length before a frame of this link type.
fn tap(length: u32, link_type: u32, frame: &[u8]) -> Vec<u8> {
    let mut header = [length, 1, link_type].map(u32::to_le_bytes).concat();
    header.resize(length as usize, 0);
    behind(&header, frame)
}
