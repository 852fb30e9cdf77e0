//! Frames written by hand, one per link type and tunnel, and properties over those nobody would write.
//! Here are the pieces frames are made of, and what is asserted of them.

mod links;
mod properties;
mod tunnels;

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;
use crate::frame::{LinkType, Timestamp};

const MACS: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

/// Captured bytes are 1000 fewer than those on the wire, to see that the wire length is carried along.
fn frame(link_type: LinkType, bytes: &[u8]) -> Frame<'_> {
    Frame {
        time: Timestamp::default(),
        wire_len: bytes.len() as u32 + 1000,
        bytes,
        link_type,
        interface: 0,
    }
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    join(&[&MACS, &ether_type.to_be_bytes(), payload])
}

/// A minimal IPv4 packet between 192.0.2.1 and 192.0.2.2.
fn v4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let len = (20 + payload.len() as u16).to_be_bytes();
    let header = [
        0x45, 0, len[0], len[1], 0, 1, 0, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
    ];
    join(&[&header, payload])
}

/// A minimal IPv6 packet between 2001:db8::1 and 2001:db8::2.
fn v6(next_header: u8, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u16).to_be_bytes();
    let mut header = [0; 40];
    header[..8].copy_from_slice(&[0x60, 0, 0, 0, len[0], len[1], next_header, 64]);
    header[8..24].copy_from_slice(&"2001:db8::1".parse::<Ipv6Addr>().unwrap().octets());
    header[24..].copy_from_slice(&"2001:db8::2".parse::<Ipv6Addr>().unwrap().octets());
    join(&[&header, payload])
}

fn udp(destination_port: u16, payload: &[u8]) -> Vec<u8> {
    let len = 8 + payload.len() as u16;
    let ports = [40_000u16, destination_port, len, 0].map(u16::to_be_bytes);
    join(&[ports.as_flattened(), payload])
}

/// The packet every tunnel test looks for.
fn inner() -> Vec<u8> {
    v4(6, &[7; 20])
}

const OUTER_V4: Option<TunnelEnds> = Some(TunnelEnds {
    source: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    destination: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)),
});

#[track_caller]
fn assert_peels(link_type: LinkType, bytes: &[u8], ip: &[u8], tag: Tag) {
    let peeled = decode(&frame(link_type, bytes)).unwrap();
    assert_eq!(
        (peeled.ip, peeled.tag, peeled.tunnel),
        (ip, tag, None),
        "{link_type:?}"
    );
    assert_eq!(peeled.wire_len, ip.len() as u32 + 1000);
}

#[track_caller]
fn assert_refused(link_type: LinkType, bytes: &[u8], cause: Undecodable) {
    assert_eq!(decode(&frame(link_type, bytes)), Err(cause));
}

#[track_caller]
fn assert_tunnel(outer: &[u8], inner: &[u8], tag: Tag) {
    let bytes = ethernet(if outer[0] >> 4 == 4 { 0x0800 } else { 0x86dd }, outer);
    let peeled = decode(&frame(LinkType::Ethernet, &bytes)).unwrap();
    assert_eq!((peeled.ip, peeled.tag), (inner, tag), "{}", peeled.tag);
    let outer = peeled.tunnel.unwrap();
    if bytes[12] == 0x08 {
        assert_eq!(Some(outer), OUTER_V4);
    } else {
        assert_eq!(outer.source, "2001:db8::1".parse::<IpAddr>().unwrap());
        assert_eq!(outer.destination, "2001:db8::2".parse::<IpAddr>().unwrap());
    }
}

/// The outer packet is metered as it is.
#[track_caller]
fn assert_not_entered(outer: &[u8]) {
    assert_peels(LinkType::RawIp, outer, outer, Tag::NONE);
}
