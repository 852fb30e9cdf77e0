//! What the kernel program and its loader agree on: the names of maps and constants, and the place of each counter.
//! It holds no state, and neither side may name a map any other way.

use crate::packet::Refusal;
use crate::tables::Loss;

/// The program for the ingress and the egress of an interface whose frames begin with an Ethernet header.
pub const METER: &str = "garita_meter";

/// The program for an interface whose frames begin with the IP header: a tunnel's, or PPP.
pub const RAW_METER: &str = "garita_raw";

/// Entries of [`map::COUNTERS`], a power of two: the counters of an interface are at its index, modulo this.
pub const LINKS: u32 = 1024;

/// Maps, as they are named in the object.
pub mod map {
    /// LRU hash: [`crate::flow::FlowKey`] to [`crate::flow::FlowStats`].
    pub const FLOWS: &str = "FLOWS";
    /// LRU hash: [`crate::host::HostKey`] to [`crate::host::HostStats`].
    pub const HOSTS: &str = "HOSTS";
    /// LRU hash: [`crate::pair::PairKey`] to [`crate::pair::PairStats`].
    pub const PAIRS: &str = "PAIRS";
    /// Hash: [`crate::host::HostKey`] to a `u32` nobody reads; the only map user space fills.
    pub const SUSPECTS: &str = "SUSPECTS";
    /// Ring buffer of [`crate::snapshot::Snapshot`].
    pub const SNAPSHOTS: &str = "SNAPSHOTS";
    /// Per-CPU array of [`super::LINKS`] times [`super::Counters`].
    pub const COUNTERS: &str = "COUNTERS";
}

/// Constants the loader sets before the program is verified.
pub mod constant {
    /// [`crate::account::Limits`].
    pub const LIMITS: &str = "LIMITS";
    /// `u32`: 0 for traffic; 1 for a test run, whose context says time (`tstamp`) and length on the wire (`wire_len`), on link 0.
    pub const REPLAY: &str = "REPLAY";
}

/// The program's counters on one CPU, each at its [`Count::index`].
pub type Counters = [u64; Count::ALL.len()];

/// What the program counts beyond the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Frames seen.
    Frame,
    /// Frames that carry no IP packet the program finds.
    NotIp,
    /// Snapshots for which the ring had no room.
    RingFull,
    /// Packets the parser refused.
    Refused(Refusal),
    /// What the accounting could not count as it should.
    Lost(Loss),
    /// Entries made in a table: those that are neither there any more nor deleted were evicted.
    Opened(Table),
}

/// A table of the meter.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Conversations.
    Flows,
    /// Addresses.
    Hosts,
    /// Initiator, responder and service.
    Pairs,
}

impl Count {
    /// Every counter, in the order of its place.
    pub const ALL: [Self; 15] = [
        Self::Frame,
        Self::NotIp,
        Self::RingFull,
        Self::Refused(Refusal::Truncated),
        Self::Refused(Refusal::Version),
        Self::Refused(Refusal::Length),
        Self::Refused(Refusal::Extensions),
        Self::Lost(Loss::Flow),
        Self::Lost(Loss::Host),
        Self::Lost(Loss::Pair),
        Self::Lost(Loss::FloodGuard),
        Self::Lost(Loss::Fragment),
        Self::Opened(Table::Flows),
        Self::Opened(Table::Hosts),
        Self::Opened(Table::Pairs),
    ];

    /// Whether it counts what could not be metered as it should.
    pub const fn is_loss(self) -> bool {
        matches!(
            self,
            Self::NotIp | Self::RingFull | Self::Refused(_) | Self::Lost(_)
        )
    }

    /// Its place in [`Counters`].
    #[inline(always)]
    pub const fn index(self) -> usize {
        match self {
            Self::Frame => 0,
            Self::NotIp => 1,
            Self::RingFull => 2,
            Self::Refused(refusal) => 3 + refusal as usize,
            Self::Lost(loss) => 3 + Refusal::ALL.len() + loss as usize,
            Self::Opened(table) => 3 + Refusal::ALL.len() + Loss::ALL.len() + table as usize,
        }
    }

    /// The counter as a metric label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::NotIp => "not-ip",
            Self::RingFull => "ring-full",
            Self::Refused(refusal) => refusal.name(),
            Self::Lost(loss) => loss.name(),
            Self::Opened(Table::Flows) => "flows",
            Self::Opened(Table::Hosts) => "hosts",
            Self::Opened(Table::Pairs) => "pairs",
        }
    }
}

const _: () = {
    let mut place = 0;
    while place < Count::ALL.len() {
        assert!(Count::ALL[place].index() == place);
        place += 1;
    }
};
