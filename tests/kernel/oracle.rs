//! The meter over ordered maps: user space's tables in the simplest form that can be right.
//! It evicts nothing, and finds the IP packet by code of its own.

use std::collections::{BTreeMap, BTreeSet};

use ebpf::account::{Work, account};
use ebpf::flow::{FlowKey, FlowStats};
use ebpf::host::{HostKey, HostStats};
use ebpf::packet::{HEAD, Packet, Refusal, parse};
use ebpf::pair::{PairKey, PairStats};
use ebpf::program::{Count, Counters, Table};
use ebpf::snapshot::Snapshot;
use ebpf::tables::{Loss, Tables};

use super::frames::Frame;

/// What is in the tables after some frames, and what left them.
#[derive(Default, Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) flows: BTreeMap<FlowKey, FlowStats>,
    pub(crate) hosts: BTreeMap<HostKey, HostStats>,
    pub(crate) pairs: BTreeMap<PairKey, PairStats>,
    pub(crate) suspects: BTreeSet<HostKey>,
    pub(crate) snapshots: Vec<Snapshot>,
    pub(crate) counters: Counters,
}

impl State {
    /// Entries of the fullest table.
    pub(crate) fn entries(&self) -> usize {
        self.flows.len().max(self.hosts.len()).max(self.pairs.len())
    }

    fn count(&mut self, count: Count) {
        self.counters[count.index()] += 1;
    }
}

/// Meters `frame` into `state`.
pub(crate) fn meter(state: &mut State, work: &mut Work, frame: &Frame) {
    state.count(Count::Frame);
    let Some((at, version, tag)) = find_ip(&frame.bytes) else {
        return state.count(Count::NotIp);
    };
    let packet = &frame.bytes[at..];
    match packet.first().map(|byte| byte >> 4) {
        None => return state.count(Count::Refused(Refusal::Truncated)),
        Some(found) if found != version => return state.count(Count::Refused(Refusal::Version)),
        Some(_) => {}
    }
    let mut head = [0; HEAD];
    let kept = packet.len().min(HEAD);
    head[..kept].copy_from_slice(&packet[..kept]);
    work.packet = Packet {
        time: frame.time,
        tag,
        bytes: frame.wire - at as u32,
        segments: frame.segments,
        ..Packet::default()
    };
    match parse(&head, packet.len() as u32, &mut work.packet) {
        Ok(()) => account(state, work),
        Err(refusal) => state.count(Count::Refused(refusal)),
    }
}

/// Where the IP header begins, the version announced, and the tag.
pub(crate) fn find_ip(frame: &[u8]) -> Option<(usize, u8, u32)> {
    let vlan = |at: usize| {
        Some(u32::from(frame.get(at + 2)? & 0x0f) << 8 | u32::from(*frame.get(at + 3)?))
    };
    let is_tag = |at: usize| {
        matches!(
            frame.get(at..at + 2),
            Some([0x81, 0] | [0x88, 0xa8] | [0x91, 0])
        )
    };
    let (at, tag) = match (is_tag(12), is_tag(16)) {
        (false, _) => (12, 0),
        (true, false) => (16, vlan(12)?),
        (true, true) => match (vlan(12)?, vlan(16)?) {
            (0, one) | (one, 0) => (20, one),
            (outer, inner) => (20, 1 << 28 | outer << 12 | inner),
        },
    };
    match frame.get(at..at + 2)? {
        [0x08, 0x00] => Some((at + 2, 4, tag)),
        [0x86, 0xdd] => Some((at + 2, 6, tag)),
        _ => None,
    }
}

impl Tables for State {
    type Flow = FlowKey;
    type Host = HostKey;
    type Pair = PairKey;

    fn find_flow(&mut self, key: &FlowKey) -> Option<FlowKey> {
        self.flows.contains_key(key).then_some(*key)
    }

    fn insert_flow(&mut self, key: &FlowKey, flow: &FlowStats) {
        self.flows.insert(*key, *flow);
        self.count(Count::Opened(Table::Flows));
    }

    fn flow(&mut self, flow: FlowKey) -> &mut FlowStats {
        self.flows.get_mut(&flow).expect("a flow that was found")
    }

    fn keep_flow(&mut self, _: FlowKey) {}

    fn find_host(&mut self, key: &HostKey) -> Option<HostKey> {
        self.hosts.contains_key(key).then_some(*key)
    }

    fn open_host(&mut self, key: &HostKey) -> Option<HostKey> {
        if !self.hosts.contains_key(key) {
            self.hosts.insert(*key, HostStats::default());
            self.count(Count::Opened(Table::Hosts));
        }
        Some(*key)
    }

    fn host(&mut self, host: HostKey) -> &mut HostStats {
        self.hosts.get_mut(&host).expect("a host that was found")
    }

    fn find_pair(&mut self, key: &PairKey) -> Option<PairKey> {
        self.pairs.contains_key(key).then_some(*key)
    }

    fn open_pair(&mut self, key: &PairKey) -> Option<PairKey> {
        if !self.pairs.contains_key(key) {
            self.pairs.insert(*key, PairStats::default());
            self.count(Count::Opened(Table::Pairs));
        }
        Some(*key)
    }

    fn pair(&mut self, pair: PairKey) -> &mut PairStats {
        self.pairs.get_mut(&pair).expect("a pair that was found")
    }

    fn is_suspect(&mut self, host: &HostKey) -> bool {
        self.suspects.contains(host)
    }

    fn emit(&mut self, snapshot: &Snapshot) {
        self.snapshots.push(*snapshot);
    }

    fn lose(&mut self, loss: Loss) {
        self.count(Count::Lost(loss));
    }
}
