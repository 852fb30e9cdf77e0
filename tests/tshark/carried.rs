//! The same two conversations inside each of several carriers, written frame by frame.
//! It compares nothing.

use std::net::IpAddr;

use ebpf::packet::protocol;

use crate::kernel::frames::{Frame, Script, address, ethernet, udp};
use crate::tunnel;

/// Makes a frame that carries an IP packet.
type Carry = fn(&[u8]) -> Vec<u8>;

/// Names of carriers, whether they are tunnels with outer addresses, and their frames.
pub(super) const CARRIERS: [(&str, bool, Carry); 4] = [
    ("MPLS", false, mpls),
    ("PPPoE", false, pppoe),
    ("GRE", true, gre),
    ("VXLAN", true, vxlan),
];

/// Bytes of an Ethernet header, and of its addresses.
const ETHERNET: usize = 14;
const ADDRESSES: usize = 12;

/// One conversation of TCP and one of UDP, inside a carrier.
pub(super) fn conversations(carry: Carry) -> Vec<Frame> {
    let plain = plain((address(2, 7), address(0, 10)));
    let carried = plain
        .iter()
        .map(|frame| Frame::new(frame.time, carry(&frame.bytes[ETHERNET..])));
    carried.collect()
}

/// The same without a carrier.
pub(super) fn plain(ends: (IpAddr, IpAddr)) -> Vec<Frame> {
    let back = (ends.1, ends.0);
    let mut script = Script::at(1_700_000_000_000_000);
    script.converse(ends, (40_000, 5_001), 3);
    for size in 1..5 {
        let query = udp((40_001, 5_002), &vec![1; 10 * size]);
        script.send(ends, protocol::UDP, &query).wait(1_000);
        let answer = udp((5_002, 40_001), &[2; 50]);
        script.send(back, protocol::UDP, &answer).wait(1_000);
    }
    script.frames
}

fn outer() -> (IpAddr, IpAddr) {
    (address(1, 1), address(1, 2))
}

fn mpls(packet: &[u8]) -> Vec<u8> {
    behind(&[0x88, 0x47, 0, 1, 0x11, 64], packet)
}

fn pppoe(packet: &[u8]) -> Vec<u8> {
    let [high, low] = (packet.len() as u16 + 2).to_be_bytes();
    behind(&[0x88, 0x64, 0x11, 0, 0, 9, high, low, 0, 0x21], packet)
}

fn gre(packet: &[u8]) -> Vec<u8> {
    ethernet(&[], &tunnel::gre(outer(), packet))
}

fn vxlan(packet: &[u8]) -> Vec<u8> {
    ethernet(&[], &tunnel::vxlan(outer(), packet))
}

/// An Ethernet frame whose type and what follows it, up to the packet, is `header`.
fn behind(header: &[u8], packet: &[u8]) -> Vec<u8> {
    [&ethernet(&[], &[])[..ADDRESSES], header, packet].concat()
}
