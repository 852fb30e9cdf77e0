//! Link types: what the first bytes of a frame are, by the numbers that capture files carry.
//! It does not look at a frame; [`crate::decode`] does.

/// What the first bytes of a frame are, after the registry at <https://www.tcpdump.org/linktypes.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkType {
    /// An Ethernet II or IEEE 802.3 header.
    Ethernet,
    /// The IP header itself.
    RawIp,
    /// Linux "any" device, 16 bytes of header.
    LinuxCooked,
    /// Linux "any" device, 20 bytes of header.
    LinuxCooked2,
    /// BSD loopback: the address family as four bytes of either order.
    Loopback,
    /// PPP, with or without the HDLC address and control bytes.
    Ppp,
    /// PPP in HDLC framing, or Cisco HDLC.
    PppSerial,
    /// Cisco HDLC, or PPP in the same framing.
    CiscoHdlc,
    /// A PPPoE session header without the Ethernet before it.
    PppoE,
    /// IEEE 802.5.
    TokenRing,
    /// FDDI.
    Fddi,
    /// An LLC header, as on ATM (RFC 2684).
    Llc,
    /// ARCNET as BSD hands it over.
    Arcnet,
    /// ARCNET as Linux hands it over.
    LinuxArcnet,
    /// Serial line IP behind BSD's 16 bytes of header.
    Slip,
    /// A frame relay address and header (RFC 2427).
    FrameRelay,
    /// Multilink frame relay (FRF.16.1).
    MultilinkFrameRelay,
    /// SunATM's four bytes, then LLC or emulated Ethernet.
    SunAtm,
    /// IEEE 802.11.
    Dot11,
    /// IEEE 802.11 behind a Prism header, or AVS's.
    Prism,
    /// IEEE 802.11 behind AVS's header.
    Avs,
    /// IEEE 802.11 behind a radiotap header.
    Radiotap,
    /// Per-packet information, which names another link type.
    PerPacketInformation,
    /// Packet filter log of BSD systems.
    FilterLog,
    /// Juniper's header, under several numbers: what follows depends on the hardware.
    Juniper(u16),
    /// Endace's extensible record format.
    Erf,
    /// IP between Solaris zones.
    Ipnet,
    /// Linux netfilter log: attributes, one of which is the packet.
    Nflog,
    /// IP over InfiniBand.
    InfiniBand,
    /// Apple's packet tap, which names another link type.
    PacketTap,
    /// Ethernet with Broadcom's switch tag behind the addresses.
    BroadcomTag,
    /// Broadcom's switch tag, then Ethernet.
    BroadcomTagFirst,
    /// Ethernet with a Marvell switch tag behind the addresses.
    SwitchTag,
    /// The same behind an ethertype of its own.
    TypedSwitchTag,
    /// Anything else, by its number: opened beside others, but never decoded.
    Other(u32),
}

impl LinkType {
    /// The link type of a LINKTYPE number as files carry it, or a DLT number as Linux libpcap reports it.
    pub const fn from_number(number: u32) -> LinkType {
        match number {
            1 => LinkType::Ethernet,
            // 12 and 14 are the DLT values of BSD systems, seen in files of old tools.
            12 | 14 | 101 | 228 | 229 => LinkType::RawIp,
            113 => LinkType::LinuxCooked,
            276 => LinkType::LinuxCooked2,
            0 | 108 => LinkType::Loopback,
            9 => LinkType::Ppp,
            50 => LinkType::PppSerial,
            104 => LinkType::CiscoHdlc,
            51 => LinkType::PppoE,
            6 => LinkType::TokenRing,
            7 => LinkType::Arcnet,
            8 => LinkType::Slip,
            10 => LinkType::Fddi,
            // 11 is the DLT value of RFC 2684 on most systems.
            11 | 100 => LinkType::Llc,
            105 => LinkType::Dot11,
            107 => LinkType::FrameRelay,
            117 => LinkType::FilterLog,
            119 => LinkType::Prism,
            123 => LinkType::SunAtm,
            127 => LinkType::Radiotap,
            129 => LinkType::LinuxArcnet,
            130..=137 | 164 | 167 | 168 | 178..=181 | 194 => LinkType::Juniper(number as u16),
            // Apple's systems used the second of the numbers for private use before they had their own.
            149 | 258 => LinkType::PacketTap,
            163 => LinkType::Avs,
            182 => LinkType::MultilinkFrameRelay,
            192 => LinkType::PerPacketInformation,
            197 => LinkType::Erf,
            226 => LinkType::Ipnet,
            239 => LinkType::Nflog,
            242 => LinkType::InfiniBand,
            281 => LinkType::BroadcomTag,
            282 => LinkType::BroadcomTagFirst,
            284 => LinkType::SwitchTag,
            285 => LinkType::TypedSwitchTag,
            other => LinkType::Other(other),
        }
    }

    /// The LINKTYPE number that a file carries.
    pub const fn number(self) -> u32 {
        match self {
            LinkType::Ethernet => 1,
            LinkType::RawIp => 101,
            LinkType::LinuxCooked => 113,
            LinkType::LinuxCooked2 => 276,
            LinkType::Loopback => 108,
            LinkType::Ppp => 9,
            LinkType::PppSerial => 50,
            LinkType::CiscoHdlc => 104,
            LinkType::PppoE => 51,
            LinkType::TokenRing => 6,
            LinkType::Arcnet => 7,
            LinkType::Slip => 8,
            LinkType::Fddi => 10,
            LinkType::Llc => 100,
            LinkType::Dot11 => 105,
            LinkType::FrameRelay => 107,
            LinkType::FilterLog => 117,
            LinkType::Prism => 119,
            LinkType::SunAtm => 123,
            LinkType::Radiotap => 127,
            LinkType::LinuxArcnet => 129,
            LinkType::Juniper(number) => number as u32,
            LinkType::PacketTap => 258,
            LinkType::Avs => 163,
            LinkType::MultilinkFrameRelay => 182,
            LinkType::PerPacketInformation => 192,
            LinkType::Erf => 197,
            LinkType::Ipnet => 226,
            LinkType::Nflog => 239,
            LinkType::InfiniBand => 242,
            LinkType::BroadcomTag => 281,
            LinkType::BroadcomTagFirst => 282,
            LinkType::SwitchTag => 284,
            LinkType::TypedSwitchTag => 285,
            LinkType::Other(number) => number,
        }
    }

    /// Whether the decoder knows where IP begins behind this link type.
    pub const fn is_supported(self) -> bool {
        !matches!(self, LinkType::Other(_))
    }
}
