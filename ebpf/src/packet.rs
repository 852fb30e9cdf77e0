//! Packets: what a frame means to the meter, from the IP header on.
//! It knows neither tables nor what came before.

mod parse;

pub use parse::parse;

/// Bytes of an IP packet the parser sees: room for IPv6, its extension headers and TCP.
///
/// A power of two, because the kernel's verifier bounds an index by a mask.
pub const HEAD: usize = 128;

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

    /// Whether this names a group or everybody: 224.0.0.0/4, 255.255.255.255 and ff00::/8.
    pub const fn is_group(&self) -> bool {
        let octets = self.low as u32;
        if self.is_v4() {
            octets >> 28 == 0xe || octets == u32::MAX
        } else {
            self.high >> 56 == 0xff
        }
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
    /// Whether it is a DNS message about a name that is long by nature: an address of IPv6 turned round, or a service
    /// record (RFC 3596 §2.5, RFC 2782).
    pub long_by_nature: u8,
    /// How the packet arrives, as far as its sender's system and distance show: the time to live in the low octet; for
    /// a SYN, the rest is a hash of its window and options. 0 before [`parse`].
    pub arrival: u32,
}

/// Bits of [`Packet::arrival`] that hold the time to live.
pub const ARRIVAL_TTL: u32 = 0xff;

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
