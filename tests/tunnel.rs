//! What is done inside a tunnel: reviewed, never blocked, with the tunnel's own ends named.
//! The captures are written here, frame by frame; nothing is captured anywhere.

use std::fs;
use std::net::IpAddr;

use detection::dataplane::DataPlane;
use detection::decode::Outer;
use detection::frame::LinkType;
use ebpf::host::HostKey;
use ebpf::packet::TUNNELLED;
use sensor::replay::Setup;
use serde_json::{Value, json};

use crate::garita::garita;
use crate::kernel::frames::{ACK, Frame, RST, SYN, Script, address, ethernet, ip, tcp, udp};

/// Ports the scan tries.
const PORTS: u16 = 400;

/// IANA protocol numbers, and the port of VXLAN (RFC 7348).
const TCP: u8 = 6;
const UDP: u8 = 17;
const GRE: u8 = 47;
const VXLAN: u16 = 4789;

/// Puts an inner packet into the tunnel between two outer addresses.
type Carry = fn((IpAddr, IpAddr), &[u8]) -> Vec<u8>;

pub(crate) fn gre(outer: (IpAddr, IpAddr), inner: &[u8]) -> Vec<u8> {
    ip(outer, GRE, &[&[0, 0, 8, 0], inner].concat())
}

pub(crate) fn vxlan(outer: (IpAddr, IpAddr), inner: &[u8]) -> Vec<u8> {
    let framed = [&[8, 0, 0, 0, 0, 0, 7, 0], &ethernet(&[], inner)[..]].concat();
    ip(outer, UDP, &udp((40_000, VXLAN), &framed))
}

fn nothing(_: (IpAddr, IpAddr), inner: &[u8]) -> Vec<u8> {
    inner.to_vec()
}

/// Outer addresses: the scanner's side of the tunnel, then the other.
fn outer() -> (IpAddr, IpAddr) {
    (address(1, 1), address(1, 2))
}

/// A host of 203.0.113.0/24 tries the ports of 192.0.2.10, which refuses; a reply is the last frame.
fn scan(carry: Carry) -> Vec<Frame> {
    let inner = (address(2, 7), address(0, 10));
    let (outer, back) = (outer(), (outer().1, outer().0));
    let mut script = Script::at(1_700_000_000_000_000);
    for port in 1..=PORTS {
        let probe = tcp((50_000, port), (1000, 0), SYN, &[]);
        let refusal = tcp((port, 50_000), (0, 1001), RST | ACK, &[]);
        script
            .frame(ethernet(&[], &carry(outer, &ip(inner, TCP, &probe))))
            .wait(400);
        let reply = ip((inner.1, inner.0), TCP, &refusal);
        script
            .frame(ethernet(&[], &carry(back, &reply)))
            .wait(9_600);
    }
    script.frames
}

/// A little-endian pcap of Ethernet frames.
pub(crate) fn pcap(frames: &[Frame]) -> Vec<u8> {
    let header = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 0x0004_0000, 1_u32];
    let mut bytes = header.map(u32::to_le_bytes).concat();
    for frame in frames {
        let (seconds, micros) = (frame.time / 1_000_000, frame.time % 1_000_000);
        let length = frame.bytes.len() as u32;
        let record = [seconds as u32, micros as u32, length, frame.wire];
        bytes.extend(record.map(u32::to_le_bytes).concat());
        bytes.extend(&frame.bytes);
    }
    bytes
}

/// The incidents of class `scan` in these frames.
fn scans(frames: &[Frame]) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("input.pcap");
    fs::write(&path, pcap(frames)).expect("a capture can be written");
    let run = garita(&[
        "replay",
        "--json",
        path.to_str().expect("the folder's path is UTF-8"),
    ]);
    assert_eq!((run.code, run.said.as_str()), (0, ""));
    let incidents = run.out.lines().map(|line| {
        let incident: Value = serde_json::from_str(line).expect("a line is JSON");
        incident
    });
    incidents
        .filter(|incident| incident["garita"]["class"] == "scan")
        .collect()
}

#[test]
fn a_scan_inside_a_tunnel_is_reviewed_and_names_the_outer_ends() {
    for carry in [gre as Carry, vxlan] {
        let incidents = scans(&scan(carry));
        let [incident] = &incidents[..] else {
            panic!("not one incident: {incidents:#?}");
        };
        assert_eq!(incident["event"]["action"], "review");
        let garita = &incident["garita"];
        assert_eq!(garita["offender"], "203.0.113.7");
        assert_eq!(garita["decision"], "review");
        assert_eq!(garita["reason"], "it was seen inside a tunnel");
        assert!(garita.get("block").is_none());
        assert_eq!(
            garita["tunnel"],
            json!({"source": "198.51.100.1", "destination": "198.51.100.2"})
        );
        assert_eq!(
            incident["related"]["ip"],
            json!(["203.0.113.7", "192.0.2.10", "198.51.100.1", "198.51.100.2"])
        );
        let message = incident["message"].as_str().expect("a sentence");
        assert!(
            message.ends_with("; seen inside a tunnel from 198.51.100.1 to 198.51.100.2"),
            "{message}"
        );
    }
}

#[test]
fn each_inner_sender_has_the_tunnel_in_its_own_direction() {
    let setup = Setup::default();
    let mut plane = DataPlane::new(setup.caps, setup.limits);
    for frame in &scan(gre)[..2] {
        let frame = detection::frame::Frame {
            time: detection::frame::Timestamp::default(),
            wire_len: frame.wire,
            bytes: &frame.bytes,
            link_type: LinkType::Ethernet,
            interface: 0,
        };
        plane.take(&frame, &mut Vec::new());
    }
    let tunnel = |sender: IpAddr| {
        plane.tunnel(&HostKey {
            address: sender.into(),
            link: TUNNELLED,
            reserved: 0,
        })
    };
    let (source, destination) = outer();
    let forth = Outer {
        source,
        destination,
    };
    assert_eq!(tunnel(address(2, 7)), Some(forth));
    assert_eq!(tunnel(address(0, 10)), Some(forth.reversed()));
    assert_eq!(tunnel(source), None);
}

#[test]
fn the_same_scan_outside_is_blocked_and_names_no_tunnel() {
    let incidents = scans(&scan(nothing));
    let [incident] = &incidents[..] else {
        panic!("not one incident: {incidents:#?}");
    };
    assert_eq!(incident["garita"]["decision"], "block");
    assert!(incident["garita"].get("tunnel").is_none());
    let message = incident["message"].as_str().expect("a sentence");
    assert!(!message.contains("tunnel"), "{message}");
}
