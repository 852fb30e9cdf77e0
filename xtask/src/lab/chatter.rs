//! What devices say to everybody on their own link: mDNS, SSDP, LLMNR, NetBIOS, DHCP and ARP.
//! Written by hand, because it never crosses the routers of a stage.

use std::net::{IpAddr, Ipv4Addr};

use super::frames::{Frame, UDP, ethernet, packet, udp};

/// Everything `device` says in one round; the rarer things in one of four.
pub(crate) fn says(device: u8, round: u16) -> Vec<Vec<u8>> {
    let from = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 100 + device));
    let say = |to: [u8; 4], ports, length| {
        let ends = (from, IpAddr::V4(to.into()));
        packet(ends, UDP, &udp(ends, ports, &vec![b'd'; length]))
    };
    let mut packets = vec![
        say([224, 0, 0, 251], (5_353, 5_353), 46 + usize::from(device)),
        say(
            [239, 255, 255, 250],
            (50_000 + u16::from(device), 1_900),
            94,
        ),
    ];
    if round.is_multiple_of(4) {
        packets.push(say([224, 0, 0, 252], (51_000 + round, 5_355), 24));
        packets.push(say([192, 0, 2, 255], (137, 137), 50));
        packets.push(say([255, 255, 255, 255], (68, 67), 300));
        packets.push(ethernet(0x0806, &ARP));
    }
    packets
}

/// A request (RFC 826): 192.0.2.1 looks for 192.0.2.9.
const ARP: [u8; 28] = [
    0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 9,
];

/// `frames` with the chatter of `devices` among them, a round every ten seconds or so each.
pub(crate) fn among(mut frames: Vec<Frame>, devices: u8, seed: u64) -> Vec<Frame> {
    let (Some(first), Some(last)) = (frames.first(), frames.last()) else {
        return frames;
    };
    let (first, last) = (first.at, last.at);
    let mut random = fastrand::Rng::with_seed(seed);
    for device in 1..=devices {
        let mut at = first + random.u64(..10_000_000);
        let mut round = 0;
        while at < last {
            for bytes in says(device, round) {
                frames.push(Frame::new(at, bytes));
                at += random.u64(1_000..200_000);
            }
            at += random.u64(3_000_000..17_000_000);
            round += 1;
        }
    }
    frames.sort_by_key(|frame| frame.at);
    frames
}
