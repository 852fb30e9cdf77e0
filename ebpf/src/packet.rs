//! The parser, from the IP header on: what a frame means to the meter.
//! It never trusts a length, never allocates, and never looks past the bytes it was given.

/// Bytes of an IP packet the parser sees: room for IPv6, its extension headers and TCP.
///
/// A power of two, because the kernel's verifier bounds an index by a mask.
pub const HEAD: usize = 128;

/// Extension headers of one IPv6 packet that are followed; RFC 8200 §4.1 lists seven, no sane sender sends more.
const MAX_EXTENSIONS: u32 = 7;

/// Segment payload assumed where a merged frame does not say its own: Ethernet's MTU less IPv4, TCP and timestamps.
const MERGED_SEGMENT: u32 = 1448;

/// IP length above which a TCP frame must have been merged by an offload (or is a jumbo frame, counted alike).
const MTU: u32 = 1500;

/// IANA protocol numbers the meter knows by name.
pub mod protocol {
    /// Internet Control Message Protocol.
    pub const ICMP: u8 = 1;
    /// Transmission Control Protocol.
    pub const TCP: u8 = 6;
    /// User Datagram Protocol.
    pub const UDP: u8 = 17;
    /// ICMP for IPv6.
    pub const ICMPV6: u8 = 58;
    /// Stream Control Transmission Protocol.
    pub const SCTP: u8 = 132;
    pub(crate) const DCCP: u8 = 33;
    pub(crate) const UDP_LITE: u8 = 136;
}

/// TCP flag bits, as in octet 13 of the header (RFC 9293 §3.1).
pub mod flag {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement field is significant.
    pub const ACK: u8 = 0x10;
}

/// Set in [`Packet::link`] when the packet was carried inside a tunnel: its addresses are whatever the tunnel's sender wrote.
pub const TUNNELLED: u32 = 1 << 31;

/// An IPv6 address, or an IPv4 address mapped into one (RFC 4291 §2.5.5.2), as two big-endian halves.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The first eight octets.
    pub high: u64,
    /// The last eight octets.
    pub low: u64,
}

/// The octets `::ffff` of a mapped address, in place.
const MAPPED: u64 = 0xffff_0000_0000;

impl Address {
    /// The mapped form of an IPv4 address.
    #[inline(always)]
    pub const fn v4(octets: u32) -> Self {
        Self {
            high: 0,
            low: MAPPED | octets as u64,
        }
    }

    /// Whether this is an IPv4 address in mapped form.
    pub const fn is_v4(&self) -> bool {
        self.high == 0 && self.low >> 32 == MAPPED >> 32
    }
}

impl From<core::net::IpAddr> for Address {
    fn from(address: core::net::IpAddr) -> Self {
        let v6 = match address {
            core::net::IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            core::net::IpAddr::V6(v6) => v6,
        };
        let bits = v6.to_bits();
        Self {
            high: (bits >> 64) as u64,
            low: bits as u64,
        }
    }
}

impl From<Address> for core::net::IpAddr {
    fn from(address: Address) -> Self {
        let bits = u128::from(address.high) << 64 | u128::from(address.low);
        core::net::Ipv6Addr::from_bits(bits).to_canonical()
    }
}

/// The tag of a frame whose VLAN tags so far make `tag`, when one with these control bits follows (IEEE 802.1Q §9.6).
///
/// One VLAN is its number, two are `1 << 28 | outer << 12 | inner`; VLAN 0 only marks a priority.
#[inline(always)]
pub const fn nest_vlan(tag: u32, control: u16) -> u32 {
    let vlan = (control & 0x0fff) as u32;
    if tag == 0 {
        vlan
    } else if vlan == 0 {
        tag
    } else {
        1 << 28 | (tag & 0x0fff) << 12 | vlan
    }
}

/// What a packet is to the flow table.
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// It belongs to the flow its addresses and ports name.
    #[default]
    Flow,
    /// A fragment after the first: no ports, so no flow.
    LaterFragment,
    /// An ICMP error: it belongs to the flow whose packet it quotes, if that flow is known.
    Error,
    /// An ICMP error that says the destination cannot be reached.
    Unreachable,
}

/// Two addresses, their ports and the protocol between them, as one packet carried them.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Sender's address.
    pub source: Address,
    /// Receiver's address.
    pub destination: Address,
    /// Sender's port; the identifier for an ICMP query; 0 for protocols without ports.
    pub source_port: u16,
    /// Receiver's port; the identifier for an ICMP query.
    pub destination_port: u16,
    /// IANA protocol number, after IPv6 extension headers.
    pub protocol: u8,
    /// ICMP type, replies under the type of their query; 0 for other protocols.
    pub icmp_type: u8,
}

/// One packet, as the meter accounts for it. The caller sets the first four fields, [`parse`] the others.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Packet {
    /// Monotonic time of capture, microseconds.
    pub time: u64,
    /// Capturing interface, with [`TUNNELLED`] where it applies.
    pub link: u32,
    /// VLAN or tunnel identifier, 0 for none: keeps apart flows whose addresses collide.
    pub tag: u32,
    /// Bytes from the IP header to the end of the frame on the wire; after [`parse`] the IP length, headers repeated for each segment.
    pub bytes: u32,
    /// TCP segments this frame stands for; set before [`parse`] where an offload says it, else 0.
    pub segments: u32,
    /// Length of one segment, IP header included.
    pub segment_len: u32,
    /// Bytes after the transport header, of all segments.
    pub payload: u32,
    /// TCP sequence number.
    pub seq: u32,
    /// TCP acknowledgement number.
    pub ack: u32,
    /// Who speaks to whom.
    pub endpoints: Endpoints,
    /// For ICMP errors, the endpoints of the packet they quote.
    pub quoted: Endpoints,
    /// TCP flags, see [`flag`].
    pub flags: u8,
    /// What it is to the flow table.
    pub kind: Kind,
    /// Whether an ICMP query or its reply; the reply comes from the responder.
    pub icmp_reply: u8,
}

/// Why a packet is not metered; each is a counter.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The capture ends inside a header.
    Truncated,
    /// The version nibble is neither 4 nor 6, or contradicts the link layer.
    Version,
    /// A length field contradicts the frame or another length.
    Length,
    /// More IPv6 extension headers than anyone sends.
    Extensions,
}

impl Refusal {
    /// Every cause, in the order of its counter.
    pub const ALL: [Self; 4] = [
        Self::Truncated,
        Self::Version,
        Self::Length,
        Self::Extensions,
    ];

    /// The cause as a metric label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated-header",
            Self::Version => "ip-version",
            Self::Length => "lying-length",
            Self::Extensions => "too-many-extensions",
        }
    }
}

type Parsed<T = ()> = Result<T, Refusal>;

/// The bytes at hand and how many of them the capture really holds.
#[derive(Clone, Copy)]
struct Head<'a> {
    bytes: &'a [u8; HEAD],
    captured: u32,
}

impl Head<'_> {
    #[inline(always)]
    fn read<const N: usize>(&self, at: u32) -> Parsed<[u8; N]> {
        if at > HEAD as u32 || at + N as u32 > self.captured {
            return Err(Refusal::Truncated);
        }
        let at = at as usize;
        match self
            .bytes
            .get(at..at + N)
            .and_then(|bytes| bytes.first_chunk::<N>())
        {
            Some(bytes) => Ok(*bytes),
            None => Err(Refusal::Truncated),
        }
    }

    #[inline(always)]
    fn u8(&self, at: u32) -> Parsed<u8> {
        self.read::<1>(at).map(|[byte]| byte)
    }

    #[inline(always)]
    fn u16(&self, at: u32) -> Parsed<u16> {
        self.read(at).map(u16::from_be_bytes)
    }

    #[inline(always)]
    fn u32(&self, at: u32) -> Parsed<u32> {
        self.read(at).map(u32::from_be_bytes)
    }

    #[inline(always)]
    fn address(&self, at: u32) -> Parsed<Address> {
        let high = u64::from_be_bytes(self.read(at)?);
        let low = u64::from_be_bytes(self.read(at + 8)?);
        Ok(Address { high, low })
    }
}

/// What the IP layer said: where the transport header starts and how many bytes are left from there.
struct Transport {
    at: u32,
    remaining: u32,
    first_fragment: bool,
}

/// Parses the IP packet in `head`, whose first `captured` bytes are real, into `packet`.
///
/// `packet.bytes` says how long the packet was on the wire, and `packet.segments` how many segments an offload merged
/// into it (0: not known). RFC 791, 8200, 9293, 768, 792, 4443, 9260.
///
/// # Errors
/// The cause, to be counted; `packet` is then half written and must not be used.
#[inline(never)]
pub fn parse(head: &[u8; HEAD], captured: u32, packet: &mut Packet) -> Result<(), Refusal> {
    let head = Head {
        bytes: head,
        captured,
    };
    let transport = match head.u8(0)? >> 4 {
        4 => ipv4(head, packet)?,
        6 => ipv6(head, packet)?,
        _ => return Err(Refusal::Version),
    };
    packet.segment_len = packet.bytes;
    packet.payload = transport.remaining;
    if !transport.first_fragment {
        packet.kind = Kind::LaterFragment;
        packet.segments = 1;
        return Ok(());
    }
    match packet.endpoints.protocol {
        protocol::TCP => return tcp(head, &transport, packet),
        protocol::UDP => udp(head, &transport, packet)?,
        protocol::ICMP => icmp(head, &transport, packet, false)?,
        protocol::ICMPV6 => icmp(head, &transport, packet, true)?,
        protocol::SCTP => ports(head, &transport, packet, 12)?,
        protocol::DCCP => ports(head, &transport, packet, 12)?,
        protocol::UDP_LITE => ports(head, &transport, packet, 8)?,
        _ => {}
    }
    packet.segments = 1;
    Ok(())
}

#[inline(always)]
fn ipv4(head: Head<'_>, packet: &mut Packet) -> Parsed<Transport> {
    let header = u32::from(head.u8(0)? & 0x0f) * 4;
    let claimed = u32::from(head.u16(2)?);
    let fragment = head.u16(6)?;
    // An offloaded send is captured before the driver fills the length in.
    let total = if claimed == 0 { packet.bytes } else { claimed };
    if header < 20 || total < header || total > packet.bytes {
        return Err(Refusal::Length);
    }
    packet.bytes = total;
    packet.endpoints.protocol = head.u8(9)?;
    packet.endpoints.source = Address::v4(head.u32(12)?);
    packet.endpoints.destination = Address::v4(head.u32(16)?);
    Ok(Transport {
        at: header,
        remaining: total - header,
        first_fragment: fragment & 0x1fff == 0,
    })
}

#[inline(always)]
fn ipv6(head: Head<'_>, packet: &mut Packet) -> Parsed<Transport> {
    let claimed = u32::from(head.u16(4)?);
    // A jumbogram (RFC 2675) or an offloaded send carries no length here.
    let total = if claimed == 0 && packet.bytes > 40 {
        packet.bytes
    } else {
        claimed + 40
    };
    if total > packet.bytes {
        return Err(Refusal::Length);
    }
    packet.bytes = total;
    packet.endpoints.source = head.address(8)?;
    packet.endpoints.destination = head.address(24)?;
    let mut next = head.u8(6)?;
    let mut at = 40;
    let mut first_fragment = true;
    // Once more than there may be extensions: the last round finds the transport header.
    for _ in 0..=MAX_EXTENSIONS {
        let length = match next {
            // Hop-by-hop, routing, destination options, mobility, HIP, shim6: in units of eight, less the first.
            0 | 43 | 60 | 135 | 139 | 140 => (u32::from(head.u8(at + 1)?) + 1) * 8,
            // The authentication header counts in fours, less two (RFC 4302 §2.2).
            51 => (u32::from(head.u8(at + 1)?) + 2) * 4,
            44 => {
                first_fragment = head.u16(at + 2)? & 0xfff8 == 0;
                8
            }
            _ => {
                packet.endpoints.protocol = next;
                return Ok(Transport {
                    at,
                    remaining: total - at,
                    first_fragment,
                });
            }
        };
        next = head.u8(at)?;
        at += length;
        if at > total {
            return Err(Refusal::Length);
        }
        if !first_fragment {
            packet.endpoints.protocol = next;
            return Ok(Transport {
                at,
                remaining: total - at,
                first_fragment,
            });
        }
        if at > HEAD as u32 {
            return Err(Refusal::Truncated);
        }
    }
    Err(Refusal::Extensions)
}

#[inline(always)]
fn tcp(head: Head<'_>, transport: &Transport, packet: &mut Packet) -> Parsed {
    let at = transport.at;
    packet.endpoints.source_port = head.u16(at)?;
    packet.endpoints.destination_port = head.u16(at + 2)?;
    packet.seq = head.u32(at + 4)?;
    packet.ack = head.u32(at + 8)?;
    let header = u32::from(head.u8(at + 12)? >> 4) * 4;
    packet.flags = head.u8(at + 13)?;
    if header < 20 || header > transport.remaining {
        return Err(Refusal::Length);
    }
    packet.payload = transport.remaining - header;
    let headers = packet.bytes - packet.payload;
    if packet.segments <= 1 {
        packet.segments = if packet.bytes > MTU {
            packet.payload.div_ceil(MERGED_SEGMENT).max(1)
        } else {
            1
        };
    }
    packet.segment_len = headers + packet.payload.div_ceil(packet.segments.max(1));
    let repeated = headers.saturating_mul(packet.segments - 1);
    packet.bytes = packet.bytes.saturating_add(repeated);
    Ok(())
}

#[inline(always)]
fn udp(head: Head<'_>, transport: &Transport, packet: &mut Packet) -> Parsed {
    ports(head, transport, packet, 8)?;
    let length = u32::from(head.u16(transport.at + 4)?);
    // Zero stands for a jumbogram; longer than the packet, this is the first fragment of several.
    if length != 0 && length < 8 {
        return Err(Refusal::Length);
    }
    if length >= 8 && length <= transport.remaining {
        packet.payload = length - 8;
    }
    Ok(())
}

#[inline(always)]
fn ports(head: Head<'_>, transport: &Transport, packet: &mut Packet, header: u32) -> Parsed {
    packet.endpoints.source_port = head.u16(transport.at)?;
    packet.endpoints.destination_port = head.u16(transport.at + 2)?;
    if transport.remaining < header {
        return Err(Refusal::Length);
    }
    packet.payload = transport.remaining - header;
    Ok(())
}

#[inline(always)]
fn icmp(head: Head<'_>, transport: &Transport, packet: &mut Packet, v6: bool) -> Parsed {
    let at = transport.at;
    let kind = head.u8(at)?;
    if transport.remaining < 8 {
        return Err(Refusal::Length);
    }
    packet.payload = transport.remaining - 8;
    let error = if v6 {
        matches!(kind, 1..=4)
    } else {
        matches!(kind, 3 | 4 | 11 | 12)
    };
    if error {
        packet.endpoints.icmp_type = kind;
        if quoted(head, at + 8, packet).is_ok() {
            let unreachable = if v6 { 1 } else { 3 };
            packet.kind = if kind == unreachable {
                Kind::Unreachable
            } else {
                Kind::Error
            };
        }
        return Ok(());
    }
    let (query, reply) = match (v6, kind) {
        (false, 0) => (8, 1),
        (false, 14 | 16 | 18) => (kind - 1, 1),
        (true, 129) => (128, 1),
        _ => (kind, 0),
    };
    packet.endpoints.icmp_type = query;
    packet.icmp_reply = reply;
    let has_identifier = if v6 {
        query == 128
    } else {
        matches!(query, 8 | 13 | 15 | 17)
    };
    if has_identifier {
        let identifier = head.u16(at + 4)?;
        packet.endpoints.source_port = identifier;
        packet.endpoints.destination_port = identifier;
    }
    Ok(())
}

/// Reads whose packet an ICMP error quotes: the addresses, and the first four bytes of the transport header as ports.
#[inline(always)]
fn quoted(head: Head<'_>, at: u32, packet: &mut Packet) -> Parsed {
    let quoted = &mut packet.quoted;
    let transport = match head.u8(at)? >> 4 {
        4 => {
            quoted.protocol = head.u8(at + 9)?;
            quoted.source = Address::v4(head.u32(at + 12)?);
            quoted.destination = Address::v4(head.u32(at + 16)?);
            at + u32::from(head.u8(at)? & 0x0f) * 4
        }
        6 => {
            quoted.protocol = head.u8(at + 6)?;
            quoted.source = head.address(at + 8)?;
            quoted.destination = head.address(at + 24)?;
            at + 40
        }
        _ => return Err(Refusal::Version),
    };
    match quoted.protocol {
        protocol::TCP | protocol::UDP | protocol::SCTP => {
            quoted.source_port = head.u16(transport)?;
            quoted.destination_port = head.u16(transport + 2)?;
        }
        protocol::ICMP | protocol::ICMPV6 => {
            quoted.icmp_type = head.u8(transport)?;
            quoted.source_port = head.u16(transport + 4)?;
            quoted.destination_port = quoted.source_port;
        }
        _ => {}
    }
    Ok(())
}
