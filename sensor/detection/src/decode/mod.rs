//! From a captured frame to the IP packet in it: link layers, tags and tunnels are peeled and remembered.
//! The packet itself is not parsed here; the meter's own parser does, in the kernel as in user space.

mod link;
mod tag;
mod tunnel;

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use crate::frame::Frame;

pub use tag::{Tag, TagKind};

/// An IP packet found in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peeled<'a> {
    /// From the IP header on, as captured: it may be cut by the snap length or followed by padding.
    /// Not empty, and its first four bits say 4 or 6; nothing else is checked.
    pub ip: &'a [u8],
    /// Length on the wire in bytes from that header on, padding included.
    pub wire_len: u32,
    /// The VLAN or tunnel it came through, part of its flow's key.
    pub tag: Tag,
    /// The endpoints of the outermost tunnel it came through.
    pub tunnel: Option<Outer>,
}

/// Who carries a tunnel: the addresses really on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Outer {
    /// Sender of the outer packet.
    pub source: IpAddr,
    /// Receiver of the outer packet.
    pub destination: IpAddr,
}

impl Outer {
    /// The same tunnel in the other direction.
    pub const fn reversed(self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
        }
    }
}

/// Finds the innermost IP packet of a frame.
///
/// A tunnel whose inside is not a readable IP packet is not peeled: what is on the wire is then an
/// ordinary packet between its endpoints, and is metered as such.
#[inline]
pub fn decode<'a>(frame: &Frame<'a>) -> Result<Peeled<'a>, Undecodable> {
    let (ip, tag) = link::peel(frame.link_type, frame.bytes)?;
    let outer = Peeled {
        ip,
        wire_len: wire_len(frame, ip),
        tag,
        tunnel: None,
    };
    if !tunnel::is_likely(ip) {
        return Ok(outer);
    }
    let inner = tunnel::peel(outer);
    Ok(Peeled {
        wire_len: wire_len(frame, inner.ip),
        ..inner
    })
}

/// Bytes on the wire from `part` to the end of `frame`, of which `part` is a piece.
fn wire_len(frame: &Frame<'_>, part: &[u8]) -> u32 {
    let peeled = part.as_ptr().addr() - frame.bytes.as_ptr().addr();
    frame.wire_len.saturating_sub(peeled as u32)
}

/// Why a frame yields no IP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Undecodable {
    /// It carries something else: ARP, LLDP, spanning tree, 802.3 LLC, industrial protocols.
    NotIp,
    /// It ends inside a link layer header, or where the IP header should begin.
    Cut,
    /// What claims to be IP begins with neither version 4 nor 6, or with the other one.
    IpVersion,
    /// More link layer headers, or MPLS labels, than any network stacks.
    TooDeep,
    /// The interface has a link type without a decoder, beside others that have one.
    LinkType,
}

impl Undecodable {
    /// Every cause, in the order of the counters.
    pub const ALL: [Undecodable; 5] = [
        Undecodable::NotIp,
        Undecodable::Cut,
        Undecodable::IpVersion,
        Undecodable::TooDeep,
        Undecodable::LinkType,
    ];

    /// The name under which the cause is counted and printed.
    pub const fn name(self) -> &'static str {
        match self {
            Undecodable::NotIp => "not-ip",
            Undecodable::Cut => "cut-link-header",
            Undecodable::IpVersion => "wrong-ip-version",
            Undecodable::TooDeep => "too-many-link-headers",
            Undecodable::LinkType => "unknown-link-type",
        }
    }
}

/// Frames without an IP packet, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DecodeCounters([u64; Undecodable::ALL.len()]);

impl DecodeCounters {
    /// Counts one frame.
    pub fn count(&mut self, cause: Undecodable) {
        if let Some(counter) = self.0.get_mut(cause as usize) {
            *counter = counter.saturating_add(1);
        }
    }

    /// Every cause with its count, zeros included.
    pub fn iter(&self) -> impl Iterator<Item = (Undecodable, u64)> {
        Undecodable::ALL.into_iter().zip(self.0)
    }

    /// Frames counted, whatever the cause.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}
