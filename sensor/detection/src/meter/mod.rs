//! The meter in user space: bounded tables behind the shared accounting, and the sweeps that time brings.
//! It counts what the frames say and decides nothing.

pub mod table;

use std::collections::{HashSet, VecDeque};

use ebpf::account::{Limits, Work, account};
use ebpf::flow::{FlowKey, FlowStats, SILENCE};
use ebpf::host::{HostKey, HostStats};
use ebpf::packet::{Address, HEAD, Packet, Refusal, parse};
use ebpf::pair::{PairKey, PairStats};
use ebpf::snapshot::{Snapshot, reason};
use ebpf::tables::{Loss, Tables};

use table::{Handle, Table};

const UNANSWERED: u8 = 0;
const ANSWERED: u8 = 1;

/// How many entries the tables hold at most.
#[derive(Clone, Copy, Debug)]
pub struct Caps {
    /// Flows that got an answer.
    pub flows: usize,
    /// Flows that did not, kept apart so that a flood cannot push conversations out.
    pub unanswered: usize,
    /// Hosts.
    pub hosts: usize,
    /// Pairs.
    pub pairs: usize,
}

/// One IP packet as a source hands it to the meter.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Captured bytes from the IP header on.
    pub bytes: &'a [u8],
    /// Bytes from the IP header to the end of the frame on the wire.
    pub wire_len: u32,
    /// Monotonic capture time, microseconds.
    pub time: u64,
    /// Capturing interface, with [`ebpf::packet::TUNNELLED`] where it applies.
    pub link: u32,
    /// VLAN or tunnel identifier, 0 for none.
    pub tag: u32,
}

/// How full the tables are and what they had to let go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// Table name, as a metric label.
    pub table: &'static str,
    /// Entries now.
    pub entries: usize,
    /// Entries evicted so far.
    pub evictions: u64,
}

/// Flow, host and pair tables fed with packets; snapshots come out.
#[derive(Debug)]
pub struct Meter {
    tables: UserTables,
    work: Work,
    refusals: [u64; Refusal::ALL.len()],
    packets: u64,
}

impl Meter {
    /// Empty tables bounded by `caps`, metering under `limits`.
    pub fn new(caps: Caps, limits: Limits) -> Self {
        Self {
            tables: UserTables::new(caps),
            work: Work::new(limits),
            refusals: [0; Refusal::ALL.len()],
            packets: 0,
        }
    }

    /// Parses and accounts for one packet, and returns what it was; what it makes due waits in [`Meter::take_snapshots`].
    pub fn meter(&mut self, datagram: &Datagram<'_>) -> Option<&Packet> {
        let mut head = [0; HEAD];
        let captured = datagram.bytes.len().min(HEAD);
        head[..captured].copy_from_slice(&datagram.bytes[..captured]);
        self.work.packet = Packet {
            time: datagram.time,
            link: datagram.link,
            tag: datagram.tag,
            bytes: datagram.wire_len,
            ..Packet::default()
        };
        match parse(&head, captured as u32, &mut self.work.packet) {
            Ok(()) => {
                self.packets += 1;
                account(&mut self.tables, &mut self.work);
                Some(&self.work.packet)
            }
            Err(refusal) => {
                self.refusals[refusal as usize] += 1;
                None
            }
        }
    }

    /// Ends flows idle at `time` and looks again at those without an answer, each with a snapshot.
    pub fn sweep(&mut self, time: u64) {
        self.tables.sweep_silent(time);
        for list in [UNANSWERED, ANSWERED] {
            while let Some(flow) = self.tables.flows.oldest(list) {
                if !self.tables.flows.value(flow).is_idle(time) {
                    break;
                }
                self.tables.look_again(flow, time, reason::IDLE);
                self.tables.flows.remove(flow);
            }
        }
    }

    /// Appends the snapshots taken since the last call to `into`.
    pub fn take_snapshots(&mut self, into: &mut Vec<Snapshot>) {
        into.append(&mut self.tables.snapshots);
    }

    /// Puts a host under suspicion, or relieves it.
    pub fn suspect(&mut self, host: HostKey, suspected: bool) {
        if suspected {
            self.tables.suspects.insert(host);
        } else {
            self.tables.suspects.remove(&host);
        }
    }

    /// Forgets what these addresses did, on every interface: their windows and pairs start anew.
    pub fn forget(&mut self, addresses: &[Address]) {
        let forgotten: HashSet<&Address> = addresses.iter().collect();
        let tables = &mut self.tables;
        tables
            .hosts
            .retain(|host| !forgotten.contains(&host.address));
        tables
            .pairs
            .retain(|pair| !forgotten.contains(&pair.initiator));
    }

    /// Packets accounted for.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// Packets refused by the parser and packets not fully counted, by cause.
    pub fn losses(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let refused = Refusal::ALL
            .iter()
            .map(|&cause| (cause.name(), self.refusals[cause as usize]));
        let lost = Loss::ALL
            .iter()
            .map(|&cause| (cause.name(), self.tables.losses[cause as usize]));
        refused.chain(lost)
    }

    /// How full each table is.
    pub fn occupancy(&self) -> [Occupancy; 3] {
        let tables = &self.tables;
        [
            Occupancy {
                table: "flows",
                entries: tables.flows.len(),
                evictions: tables.flows.evictions(),
            },
            Occupancy {
                table: "hosts",
                entries: tables.hosts.len(),
                evictions: tables.hosts.evictions(),
            },
            Occupancy {
                table: "pairs",
                entries: tables.pairs.len(),
                evictions: tables.pairs.evictions(),
            },
        ]
    }

    /// Every flow in the table, in no order that means anything.
    pub fn flows(&self) -> impl Iterator<Item = (&FlowKey, &FlowStats)> {
        self.tables.flows.iter()
    }

    /// Every host in the table, in no order that means anything.
    pub fn hosts(&self) -> impl Iterator<Item = (&HostKey, &HostStats)> {
        self.tables.hosts.iter()
    }

    /// Every pair in the table, in no order that means anything.
    pub fn pairs(&self) -> impl Iterator<Item = (&PairKey, &PairStats)> {
        self.tables.pairs.iter()
    }
}

#[derive(Debug)]
struct UserTables {
    flows: Table<FlowKey, FlowStats, 2>,
    hosts: Table<HostKey, HostStats, 1>,
    pairs: Table<PairKey, PairStats, 1>,
    /// Unanswered flows by opening time; one that was answered or evicted since is skipped.
    silent: VecDeque<(u64, Handle)>,
    suspects: HashSet<HostKey>,
    snapshots: Vec<Snapshot>,
    losses: [u64; Loss::ALL.len()],
    unanswered_cap: usize,
}

impl UserTables {
    fn new(caps: Caps) -> Self {
        Self {
            flows: Table::new([caps.unanswered, caps.flows]),
            hosts: Table::new([caps.hosts]),
            pairs: Table::new([caps.pairs]),
            silent: VecDeque::new(),
            suspects: HashSet::new(),
            snapshots: Vec::new(),
            losses: [0; Loss::ALL.len()],
            unanswered_cap: caps.unanswered,
        }
    }

    fn sweep_silent(&mut self, time: u64) {
        while let Some(&(opened, flow)) = self.silent.front() {
            if time.saturating_sub(opened) < SILENCE {
                break;
            }
            self.silent.pop_front();
            let stats = self.flows.value(flow);
            if stats.first == opened && stats.is_silent() {
                self.look_again(flow, time, reason::SILENT);
            }
        }
    }

    /// Takes a snapshot of a flow outside its packets.
    fn look_again(&mut self, flow: Handle, time: u64, reason: u32) {
        let mut snapshot = Snapshot {
            time,
            reason,
            key: *self.flows.key(flow),
            flow: *self.flows.value(flow),
            ..Snapshot::default()
        };
        let (initiator, responder, pair) = snapshot.parties();
        if let Some(found) = self.hosts.find(&initiator) {
            snapshot.initiator.write(self.hosts.value(found), time);
        }
        if let Some(found) = self.hosts.find(&responder) {
            snapshot.responder.write(self.hosts.value(found), time);
        }
        if let Some(found) = self.pairs.find(&pair) {
            snapshot.pair = *self.pairs.value(found);
        }
        self.snapshots.push(snapshot);
    }
}

impl Tables for UserTables {
    type Flow = Handle;
    type Host = Handle;
    type Pair = Handle;

    fn find_flow(&mut self, key: &FlowKey) -> Option<Handle> {
        let found = self.flows.find(key)?;
        self.flows.touch(found);
        Some(found)
    }

    fn insert_flow(&mut self, key: &FlowKey, flow: &FlowStats) {
        let handle = self.flows.insert(*key, *flow, UNANSWERED);
        if self.silent.len() >= self.unanswered_cap {
            self.silent.pop_front();
        }
        self.silent.push_back((flow.first, handle));
    }

    fn flow(&mut self, flow: Handle) -> &mut FlowStats {
        self.flows.value_mut(flow)
    }

    fn keep_flow(&mut self, flow: Handle) {
        self.flows.move_to(flow, ANSWERED);
    }

    fn find_host(&mut self, key: &HostKey) -> Option<Handle> {
        let found = self.hosts.find(key)?;
        self.hosts.touch(found);
        Some(found)
    }

    fn open_host(&mut self, key: &HostKey) -> Option<Handle> {
        let found = self.find_host(key);
        found.or_else(|| Some(self.hosts.insert(*key, HostStats::default(), 0)))
    }

    fn host(&mut self, host: Handle) -> &mut HostStats {
        self.hosts.value_mut(host)
    }

    fn find_pair(&mut self, key: &PairKey) -> Option<Handle> {
        let found = self.pairs.find(key)?;
        self.pairs.touch(found);
        Some(found)
    }

    fn open_pair(&mut self, key: &PairKey) -> Option<Handle> {
        let found = self.find_pair(key);
        found.or_else(|| Some(self.pairs.insert(*key, PairStats::default(), 0)))
    }

    fn pair(&mut self, pair: Handle) -> &mut PairStats {
        self.pairs.value_mut(pair)
    }

    fn is_suspect(&mut self, host: &HostKey) -> bool {
        !self.suspects.is_empty() && self.suspects.contains(host)
    }

    fn emit(&mut self, snapshot: &Snapshot) {
        self.snapshots.push(*snapshot);
    }

    fn lose(&mut self, loss: Loss) {
        self.losses[loss as usize] += 1;
    }
}
