//! From the bytes of an IP packet to a [`Packet`]: RFC 791, 8200, 9293, 768, 792, 4443, 9260.
//! It never trusts a length, never allocates, and never looks past the bytes it was given.

use super::{ARRIVAL_TTL, Address, HEAD, Kind, Packet, Refusal, flag, protocol};

/// Extension headers of one IPv6 packet that are followed; RFC 8200 §4.1 lists seven, no sane sender sends more.
const MAX_EXTENSIONS: u32 = 7;

/// Segment payload assumed where a merged frame does not say its own: Ethernet's MTU less IPv4, TCP and timestamps.
const MERGED_SEGMENT: u32 = 1448;

/// IP length above which a TCP frame must have been merged by an offload (or is a jumbo frame, counted alike).
const MTU: u32 = 1500;

const DNS: u16 = 53;
/// From the UDP header to the first question's name: the UDP header and that of DNS (RFC 1035 §4.1.1).
const NAME: u32 = 8 + 12;

/// Fibonacci hashing: the multiplier spreads what is mixed over the upper bits.
const HASH: u32 = 0x9e37_79b1;
/// IANA's number of the authentication header (RFC 4302); its second byte is its length in words, less two.
const AUTHENTICATION: u8 = 51;

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
    packet.arrival = u32::from(head.u8(8)?);
    packet.endpoints.source = Address::v4(head.u32(12)?);
    packet.endpoints.destination = Address::v4(head.u32(16)?);
    let first_fragment = fragment & 0x1fff == 0;
    let mut next = head.u8(9)?;
    let mut at = header;
    // An authentication header hides nothing: what it protects follows in clear.
    if next == AUTHENTICATION && first_fragment {
        next = head.u8(at)?;
        at += (u32::from(head.u8(at + 1)?) + 2) * 4;
        if at > total {
            return Err(Refusal::Length);
        }
    }
    packet.endpoints.protocol = next;
    Ok(Transport {
        at,
        remaining: total - at,
        first_fragment,
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
    packet.arrival = u32::from(head.u8(7)?);
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
            AUTHENTICATION => (u32::from(head.u8(at + 1)?) + 2) * 4,
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
    if packet.flags & (flag::SYN | flag::ACK) == flag::SYN {
        packet.arrival |= shape(head, at, header)?;
    }
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

/// What tells one system's SYN from another's: the length of its options, the window, the first option (the segment size,
/// where there is one) and the last four octets (the window scale, where Linux sends it). Timestamps lie between, so two
/// SYNs of one system are alike.
#[inline(always)]
fn shape(head: Head<'_>, at: u32, header: u32) -> Parsed<u32> {
    let mut mixed = header << 16 | u32::from(head.u16(at + 14)?);
    if header >= 24 {
        mixed = mixed.wrapping_mul(HASH) ^ head.u32(at + 20)?;
        mixed = mixed.wrapping_mul(HASH) ^ head.u32(at + header - 4).unwrap_or(0);
    }
    Ok(mixed.wrapping_mul(HASH) & !ARRIVAL_TTL)
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
    if packet.endpoints.source_port == DNS || packet.endpoints.destination_port == DNS {
        packet.long_by_nature = long_by_nature(head, transport.at + NAME);
    }
    Ok(())
}

/// Whether the first labels of the question name at `at` are single letters, as of an address turned round, or begin with
/// the underscore of a service. Nothing more of a name is looked at.
#[inline(always)]
fn long_by_nature(head: Head<'_>, at: u32) -> u8 {
    let Ok([first, letter, second, _, third, _, fourth, _]) = head.read::<8>(at) else {
        return 0;
    };
    let single = first == 1 && second == 1 && third == 1 && fourth == 1;
    let nibbles = single && letter.is_ascii_hexdigit();
    u8::from(nibbles || letter == b'_')
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
