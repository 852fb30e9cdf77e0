//! What the accounting asks of its tables, so that the kernel's maps and the sensor's own run the same code.
//! It says nothing of how they are kept.

use crate::flow::{FlowKey, FlowStats};
use crate::host::{HostKey, HostStats};
use crate::pair::{PairKey, PairStats};
use crate::snapshot::Snapshot;

/// What could not be counted as it should; each is a counter.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// No room for a flow.
    Flow,
    /// No room for a host.
    Host,
    /// No room for a pair.
    Pair,
    /// The flood guard refused an initiator an entry.
    FloodGuard,
    /// A fragment after the first: it has no ports, so it is charged to nobody.
    Fragment,
}

impl Loss {
    /// Every cause, in the order of its counter.
    pub const ALL: [Self; 5] = [
        Self::Flow,
        Self::Host,
        Self::Pair,
        Self::FloodGuard,
        Self::Fragment,
    ];

    /// The cause as a metric label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flow => "flow-table",
            Self::Host => "host-table",
            Self::Pair => "pair-table",
            Self::FloodGuard => "flood-guard",
            Self::Fragment => "later-fragment",
        }
    }
}

/// Where flows, hosts and pairs live. A handle is an index in user space and a pointer in the kernel.
pub trait Tables {
    /// A flow in the table.
    type Flow: Copy;
    /// A host in the table.
    type Host: Copy;
    /// A pair in the table.
    type Pair: Copy;

    /// The flow under `key`.
    fn find_flow(&mut self, key: &FlowKey) -> Option<Self::Flow>;
    /// Adds a flow, complete with its first packet; it is not looked up again for that packet.
    fn insert_flow(&mut self, key: &FlowKey, flow: &FlowStats);
    /// The counters behind a handle.
    fn flow(&mut self, flow: Self::Flow) -> &mut FlowStats;
    /// The flow has just got its first answer: keep it apart from those that have none.
    fn keep_flow(&mut self, flow: Self::Flow);

    /// The host under `key`.
    fn find_host(&mut self, key: &HostKey) -> Option<Self::Host>;
    /// The host under `key`, opened if there is none; `None` if there is no room.
    fn open_host(&mut self, key: &HostKey) -> Option<Self::Host>;
    /// The counters behind a handle.
    fn host(&mut self, host: Self::Host) -> &mut HostStats;

    /// The pair under `key`.
    fn find_pair(&mut self, key: &PairKey) -> Option<Self::Pair>;
    /// The pair under `key`, opened if there is none; `None` if there is no room.
    fn open_pair(&mut self, key: &PairKey) -> Option<Self::Pair>;
    /// The counters behind a handle.
    fn pair(&mut self, pair: Self::Pair) -> &mut PairStats;

    /// Whether this host is under suspicion.
    fn is_suspect(&mut self, host: &HostKey) -> bool;
    /// Takes a snapshot out of the meter.
    fn emit(&mut self, snapshot: &Snapshot);
    /// Counts what could not be counted.
    fn lose(&mut self, loss: Loss);
}
