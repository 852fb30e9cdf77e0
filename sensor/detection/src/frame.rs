//! A frame as it was captured, wherever it came from. It does not look inside; [`crate::decode`] does.

/// A moment on the clock of the capturing machine, in nanoseconds since the Unix epoch.
///
/// It only labels what happened; durations come from [`crate::timeline::Timeline`].
/// The range is years 1677 to 2262; a capture that claims another year is held at the border.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `nanoseconds` after (or before) the Unix epoch.
    pub const fn from_nanoseconds(nanoseconds: i64) -> Timestamp {
        Timestamp(nanoseconds)
    }

    /// Nanoseconds since the Unix epoch, negative before it.
    pub const fn nanoseconds(self) -> i64 {
        self.0
    }
}

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
    /// Cisco HDLC, or PPP in the same framing.
    CiscoHdlc,
    /// A PPPoE session header without the Ethernet before it.
    PppoE,
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
            9 | 50 => LinkType::Ppp,
            104 => LinkType::CiscoHdlc,
            51 => LinkType::PppoE,
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
            LinkType::CiscoHdlc => 104,
            LinkType::PppoE => 51,
            LinkType::Other(number) => number,
        }
    }

    /// Whether the decoder knows where IP begins behind this link type.
    pub const fn is_supported(self) -> bool {
        !matches!(self, LinkType::Other(_))
    }
}

/// Bytes as captured, on loan until the next frame is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// When the capturing machine saw it.
    pub time: Timestamp,
    /// Length on the wire in bytes, at least the captured length.
    pub wire_len: u32,
    /// The captured bytes, from the link layer on.
    pub bytes: &'a [u8],
    /// How the bytes begin.
    pub link_type: LinkType,
    /// The interface, as the source numbers them from 0.
    pub interface: u32,
}
