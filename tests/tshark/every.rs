//! The packets inside every carrier that tshark looks into. Their bytes are tested where the flows are.

use super::carried::plain;
use super::{Conversations, ask, is_skipped, parse_frames};
use crate::carriers::{carriers, pcap};
use crate::kernel::frames::address;

#[test]
fn packets_inside_every_carrier_are_those_of_tshark() {
    if is_skipped("packets_inside_every_carrier_are_those_of_tshark") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("carried.pcap");
    let (mut compared, mut different) = (0, Vec::new());
    for carrier in carriers().filter(|carrier| carrier.in_tshark) {
        for ends in [
            (address(2, 7), address(0, 10)),
            (address(3, 7), address(4, 10)),
        ] {
            if !carrier.carries(ends.0) {
                continue;
            }
            std::fs::write(&path, pcap(carrier, &plain(ends))).expect("a capture is written");
            let (told, ours) = (ask(&path).exact, parse_frames(&path).conversations);
            assert_eq!(ours.len(), 2, "{}", carrier.name);
            if packets(&ours) != packets(&told) {
                different.push((carrier.name, ends.0));
            }
            compared += 1;
        }
    }
    assert!(different.is_empty(), "not as tshark: {different:?}");
    assert!(compared > 100, "too little to judge: {compared}");
}

/// Conversations with the packets of each way.
fn packets(conversations: &Conversations) -> Vec<impl PartialEq> {
    let counted = conversations.iter();
    counted
        .map(|(name, totals)| (*name, totals.map(|(packets, _)| packets)))
        .collect()
}
