//! One capture per link type and tunnel: the same three conversations inside each, and every count of their flows.
//! The captures are written here, frame by frame; nothing is captured anywhere.

mod links;
mod makers;
mod table;
mod tags;
mod tunnels;

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;

use detection::dataplane::DataPlane;
use detection::decode::{Tag, decode};
use ebpf::packet::protocol::{SCTP, TCP, UDP};
use sensor::capture::Source;
use sensor::capture::file::File;
use sensor::replay::Setup;

use crate::garita::garita;
use crate::kernel::frames::{Frame, Script, address, ethernet, ip, udp};

/// LINKTYPE of Ethernet.
const ETHERNET: u32 = 1;

/// Bytes of an Ethernet header, and of its addresses.
const HEADER: usize = 14;
const ADDRESSES: usize = 12;

/// How a frame carries an IP packet.
pub(crate) struct Carrier {
    pub(crate) name: &'static str,
    pub(crate) link_type: u32,
    /// What the flows inside are told apart by.
    tag: Tag,
    /// Whether an address outside the tunnel is known.
    pub(crate) tunnel: bool,
    /// The only family it carries, where there is one.
    pub(crate) only: Option<u8>,
    /// Whether tshark finds the packet, in the version that Debian 12 has and as it is set by default.
    pub(crate) in_tshark: bool,
    pub(crate) carry: fn(&[u8]) -> Vec<u8>,
}

/// Packets, IP bytes and payload bytes of each side, the initiator's first.
type Sides = [(u32, u64, u64); 2];

const fn link(name: &'static str, link_type: u32, carry: fn(&[u8]) -> Vec<u8>) -> Carrier {
    Carrier {
        name,
        link_type,
        tag: Tag::NONE,
        tunnel: false,
        only: None,
        in_tshark: true,
        carry,
    }
}

const fn tagged(name: &'static str, tag: Tag, carry: fn(&[u8]) -> Vec<u8>) -> Carrier {
    Carrier {
        tag,
        ..link(name, ETHERNET, carry)
    }
}

const fn tunnel(name: &'static str, tag: Tag, carry: fn(&[u8]) -> Vec<u8>) -> Carrier {
    Carrier {
        tunnel: true,
        ..tagged(name, tag, carry)
    }
}

/// A carrier that tshark does not look into.
const fn unknown_to_tshark(carrier: Carrier) -> Carrier {
    Carrier {
        in_tshark: false,
        ..carrier
    }
}

const fn only(family: u8, carrier: Carrier) -> Carrier {
    Carrier {
        only: Some(family),
        ..carrier
    }
}

/// Every carrier.
pub(crate) fn carriers() -> impl Iterator<Item = &'static Carrier> {
    let tables = [
        links::CARRIERS,
        makers::CARRIERS,
        tags::CARRIERS,
        tunnels::CARRIERS,
    ];
    tables.into_iter().flatten()
}

impl Carrier {
    /// Whether it carries packets of this address's family.
    pub(crate) fn carries(&self, address: IpAddr) -> bool {
        let family = if address.is_ipv4() { 4 } else { 6 };
        self.only.is_none_or(|only| only == family)
    }
}

#[test]
fn every_carrier_leads_to_the_same_flows() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    for carrier in carriers() {
        let name = carrier.name;
        for ends in [
            (address(2, 7), address(0, 10)),
            (address(3, 7), address(4, 10)),
        ] {
            if !carrier.carries(ends.0) {
                continue;
            }
            let path = folder.path().join("input.pcap");
            let frames = conversations(ends);
            fs::write(&path, pcap(carrier, &frames)).expect("a capture can be written");
            let mut setup = Setup::default();
            setup.limits.separate_tags = 1;
            let mut plane = DataPlane::new(setup.caps, setup.limits);
            let mut file = File::open(&path).expect("the capture opens");
            while let Some(frame) = file.next_frame().expect("the capture can be read") {
                let outer = decode(&frame).map(|peeled| peeled.tunnel.is_some());
                assert_eq!(outer, Ok(carrier.tunnel), "{name}");
                let metered = plane.take(&frame, &mut Vec::new());
                assert!(
                    metered
                        .ends
                        .is_some_and(|(a, b)| ends == (a, b) || ends == (b, a))
                );
            }
            assert_eq!(plane.meter().packets(), 12, "{name}");
            assert_eq!(
                flows(&mut plane, ends.0),
                expected(ends.0, carrier),
                "{name}"
            );
            let path = path.to_str().expect("the folder's path is UTF-8");
            let run = garita(&["replay", path]);
            assert_eq!((run.code, run.said.as_str()), (0, ""), "{name}");
            assert!(
                run.out.contains("12 frames, 12 packets metered"),
                "{name}: {}",
                run.out
            );
        }
    }
}

#[test]
fn a_link_without_ip_is_refused_by_its_number() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("radio.pcap");
    let carrier = link("802.15.4", 195, |packet| behind(&[8; 24], packet));
    let frames = conversations((address(2, 7), address(0, 10)));
    fs::write(&path, pcap(&carrier, &frames)).expect("a capture can be written");
    let path = path.to_str().expect("the folder's path is UTF-8");
    garita(&["replay", path]).assert_refused(1, &["radio.pcap", "195"]);
}

/// One conversation each of TCP, UDP and SCTP; twelve packets.
fn conversations(ends: (IpAddr, IpAddr)) -> Vec<Frame> {
    let back = (ends.1, ends.0);
    let mut script = Script::at(1_700_000_000_000_000);
    script.converse(ends, (40_000, 5_001), 1);
    script
        .send(ends, UDP, &udp((40_001, 5_002), &[1; 30]))
        .wait(900);
    script
        .send(back, UDP, &udp((5_002, 40_001), &[2; 50]))
        .wait(900);
    script.send(ends, SCTP, &sctp((40_002, 5_003), 1)).wait(900);
    script.send(back, SCTP, &sctp((5_003, 40_002), 2)).wait(900);
    script.frames
}

/// An SCTP packet of one chunk, INIT or INIT ACK (RFC 9260).
fn sctp(ports: (u16, u16), chunk: u8) -> Vec<u8> {
    let mut packet = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
    packet.extend([0; 8]);
    packet.extend([chunk, 0, 0, 20]);
    packet.extend([7; 16]);
    packet
}

/// What [`conversations`] come to, by protocol and tag.
fn expected(initiator: IpAddr, carrier: &Carrier) -> BTreeMap<(u8, u32), Sides> {
    let header = if initiator.is_ipv4() { 20 } else { 40 };
    let side = |packets: u32, payload: u64, transport: u64| {
        let bytes = u64::from(packets) * (header + transport) + payload;
        (packets, bytes, payload)
    };
    let tag = carrier.tag.get();
    BTreeMap::from([
        ((TCP, tag), [side(5, 100, 20), side(3, 1000, 20)]),
        ((UDP, tag), [side(1, 30, 8), side(1, 50, 8)]),
        ((SCTP, tag), [side(1, 20, 12), side(1, 20, 12)]),
    ])
}

/// The flows in the tables.
fn flows(plane: &mut DataPlane, initiator: IpAddr) -> BTreeMap<(u8, u32), Sides> {
    let flows = plane.meter().flows().map(|(key, flow)| {
        let mut sides =
            [&flow.low, &flow.high].map(|half| (half.packets, half.bytes, half.payload));
        if IpAddr::from(key.low) != initiator {
            sides.reverse();
        }
        ((key.protocol, key.tag), sides)
    });
    flows.collect()
}

/// A little-endian pcap of these packets, carried.
pub(crate) fn pcap(carrier: &Carrier, frames: &[Frame]) -> Vec<u8> {
    let header = [
        0xa1b2_c3d4,
        0x0004_0002,
        0,
        0,
        0x0004_0000,
        carrier.link_type,
    ];
    let mut bytes = header.map(u32::to_le_bytes).concat();
    for frame in frames {
        let carried = (carrier.carry)(&frame.bytes[HEADER..]);
        let (seconds, micros) = (frame.time / 1_000_000, frame.time % 1_000_000);
        let length = carried.len() as u32;
        let record = [seconds as u32, micros as u32, length, length];
        bytes.extend(record.map(u32::to_le_bytes).concat());
        bytes.extend(&carried);
    }
    bytes
}

fn behind(header: &[u8], packet: &[u8]) -> Vec<u8> {
    [header, packet].concat()
}

/// An Ethernet frame whose type, and what else comes before `rest`, is `types`.
fn framed(types: &[u8], rest: &[u8]) -> Vec<u8> {
    [&ethernet(&[], &[])[..ADDRESSES], types, rest].concat()
}

fn pppoe(packet: &[u8]) -> Vec<u8> {
    let [high, low] = (packet.len() as u16 + 2).to_be_bytes();
    behind(&[0x11, 0, 0, 9, high, low], &ppp(packet))
}

/// A PPP frame without address and control.
fn ppp(packet: &[u8]) -> Vec<u8> {
    behind(&[0, by_family(packet, 0x21, 0x57)], packet)
}

/// An LLC and SNAP header before a packet.
fn snap(packet: &[u8]) -> Vec<u8> {
    behind(
        &[&[0xaa, 0xaa, 3, 0, 0, 0], &ether_type(packet)[..]].concat(),
        packet,
    )
}

/// An 802.11 data frame to an access point: frame control, and what a quality of service field and others add.
fn wireless(control: [u8; 2], more: &[u8], body: &[u8]) -> Vec<u8> {
    let addresses = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 3];
    [&control[..], &[0, 0], &addresses, &[0x10, 0], more, body].concat()
}

/// An Ethernet frame with a UDP datagram between the ends of a tunnel.
fn datagram(port: u16, payload: &[u8]) -> Vec<u8> {
    outside(UDP, &udp((40_000, port), payload))
}

/// An Ethernet frame with an IPv4 packet between the ends of a tunnel.
fn outside(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ethernet(&[], &ip((address(1, 1), address(1, 2)), protocol, payload))
}

fn by_family(packet: &[u8], four: u8, six: u8) -> u8 {
    if packet[0] >> 4 == 4 { four } else { six }
}

fn ether_type(packet: &[u8]) -> [u8; 2] {
    if packet[0] >> 4 == 4 {
        [0x08, 0x00]
    } else {
        [0x86, 0xdd]
    }
}
