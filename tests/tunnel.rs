//! What is done inside a tunnel: reviewed, never blocked, with the tunnel's own ends named.
//! The captures are written here, frame by frame; nothing is captured anywhere.

use std::fs;
use std::net::IpAddr;

use detection::dataplane::DataPlane;
use detection::decode::{Decoder, Ports, TunnelEnds};
use detection::frame::LinkType;
use ebpf::host::HostKey;
use ebpf::packet::TUNNELLED;
use sensor::replay::Setup;
use serde_json::{Value, json};

use crate::garita;
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

/// TunnelEnds addresses: the scanner's side of the tunnel, then the other.
fn outer() -> (IpAddr, IpAddr) {
    (address(1, 1), address(1, 2))
}

/// A host of 203.0.113.0/24 tries the ports of 192.0.2.10, which refuses; a reply is the last frame.
fn scan(carry: Carry) -> Vec<Frame> {
    scan_between((address(2, 7), address(0, 10)), carry)
}

/// The same without a tunnel, between any two.
pub(crate) fn plain_scan(inner: (IpAddr, IpAddr)) -> Vec<Frame> {
    scan_between(inner, nothing)
}

fn scan_between(inner: (IpAddr, IpAddr), carry: Carry) -> Vec<Frame> {
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
    scans_in(&pcap(frames), "")
}

/// The incidents of class `scan` in a capture, with these settings.
pub(crate) fn scans_in(capture: &[u8], settings: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let (path, config) = (
        folder.path().join("input.pcap"),
        folder.path().join("garita.toml"),
    );
    fs::write(&path, capture).expect("a capture can be written");
    fs::write(&config, settings).expect("settings can be written");
    let run = garita::run(&[
        "--config",
        config.to_str().expect("the folder's path is UTF-8"),
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
    let forth = TunnelEnds {
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

/// A mirror's copy in ERSPAN of type II.
fn erspan(outer: (IpAddr, IpAddr), inner: &[u8]) -> Vec<u8> {
    let header = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 5, 0, 7, 0, 0, 0, 1];
    ip(outer, GRE, &[&header, &ethernet(&[], inner)[..]].concat())
}

/// MikroTik's sniffer.
fn tzsp(outer: (IpAddr, IpAddr), inner: &[u8]) -> Vec<u8> {
    let framed = [&[1, 0, 0, 1, 1], &ethernet(&[], inner)[..]].concat();
    ip(outer, UDP, &udp((40_000, 37_008), &framed))
}

#[test]
fn what_a_mirror_sends_is_decided_as_if_seen_directly() {
    let settings = "[capture]\nmirrors = [\"198.51.100.0/24\"]\n";
    for carry in [erspan as Carry, tzsp, vxlan] {
        let capture = pcap(&scan(carry));
        let incidents = scans_in(&capture, settings);
        let [incident] = &incidents[..] else {
            panic!("not one incident: {incidents:#?}");
        };
        assert_eq!(incident["garita"]["decision"], "block");
        assert_eq!(incident["garita"]["offender"], "203.0.113.7");
        assert!(incident["garita"].get("tunnel").is_none());
        let elsewhere = "[capture]\nmirrors = [\"192.0.2.99\"]\n";
        let incidents = scans_in(&capture, elsewhere);
        assert_eq!(incidents[0]["garita"]["decision"], "review");
    }
}

#[test]
fn a_packet_that_two_mirrors_send_counts_once_and_one_sent_twice_counts_twice() {
    let mirrors = [
        (address(1, 1), address(1, 9)),
        (address(1, 2), address(1, 9)),
    ];
    let mut script = Script::at(1_700_000_000_000_000);
    let probe = ip(
        (address(2, 7), address(0, 10)),
        TCP,
        &tcp((50_000, 22), (1_000, 0), SYN, &[]),
    );
    // A router between the two taps has counted down the time to live.
    let mut routed = probe.clone();
    routed[8] -= 1;
    for (mirror, copy) in [(0, &probe), (1, &routed), (0, &probe), (1, &routed)] {
        let copy = erspan(mirrors[mirror], copy);
        script.frame(ethernet(&[], &copy)).wait(1_000);
    }
    // A mirrored ARP request is nothing to be metered, and neither is what carries it.
    let arp = [&ethernet(&[], &[])[..12], &[8, 6], &[0; 28]].concat();
    let header = [0, 0, 0x88, 0xbe];
    let copy = ip(mirrors[0], GRE, &[&header, &arp[..]].concat());
    script.frame(ethernet(&[], &copy));
    let setup = Setup {
        decoder: Decoder::new(
            Ports::default(),
            &["198.51.100.0/24".parse().expect("a net")],
        ),
        ..Setup::default()
    };
    let mut plane = DataPlane::new(setup.caps, setup.limits);
    plane.decode_with(setup.decoder);
    for frame in &script.frames {
        let frame = detection::frame::Frame {
            time: detection::frame::Timestamp::from_nanoseconds(frame.time as i64 * 1_000),
            wire_len: frame.wire,
            bytes: &frame.bytes,
            link_type: LinkType::Ethernet,
            interface: 0,
        };
        plane.take(&frame, &mut Vec::new());
    }
    assert_eq!(plane.meter().packets(), 2);
    let losses: Vec<_> = plane.losses().filter(|(_, count)| *count > 0).collect();
    assert_eq!(losses, [("mirrored-not-ip", 1), ("second-copy", 2)]);
}
