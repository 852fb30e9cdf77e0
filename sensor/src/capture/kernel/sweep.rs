//! What time brings to the kernel's tables: flows that end by silence, flows that stay without an answer, pairs to be
//! forgotten, and how full the tables are. Each turn is bounded, so that snapshots never wait long.

use ebpf::flow::{FlowKey, FlowStats, SILENCE};
use ebpf::host::{HostKey, HostStats};
use ebpf::packet::Address;
use ebpf::pair::{PairKey, PairStats};
use ebpf::snapshot::{Snapshot, reason};

use super::KernelError;
use super::table::{Table, Walk};

/// Entries read at once: a millisecond of work.
pub(super) const STEP: usize = 4096;
/// The same for hosts, whose entries are larger.
pub(super) const HOST_STEP: usize = 512;

/// A walk over the flows begins this long after the one before began, microseconds.
const PERIOD: u64 = 1_000_000;
/// Between two turns, microseconds.
const PACE: u64 = 50_000;
/// Turns a walk takes at most: a larger table is read in larger turns.
const TURNS: usize = 64;
/// Hosts and pairs are counted no more often than this, microseconds: nothing but a metric depends on it.
const CENSUS: u64 = 5_000_000;

/// Addresses waiting to be forgotten at once; beyond, the oldest keeps its pairs, which expire after an hour.
const FORGOTTEN: usize = 1024;

/// The tables a sweep walks.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) flows: Table<FlowKey, FlowStats>,
    pub(super) hosts: Table<HostKey, HostStats>,
    pub(super) pairs: Table<PairKey, PairStats>,
}

impl Tables {
    /// Kernel memory they take, bytes.
    pub(super) fn memory(&self) -> u64 {
        self.flows.memory() + self.hosts.memory() + self.pairs.memory()
    }
}

/// Entries the program ever made in each table.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Opened {
    pub(super) flows: u64,
    pub(super) hosts: u64,
    pub(super) pairs: u64,
}

/// Where the walks stand.
#[derive(Debug)]
pub(super) struct Sweep {
    /// Steps a turn.
    steps: usize,
    due: u64,
    flows: Option<Round>,
    /// When the round before began; silence is judged at these moments alone, so that each flow is found silent once.
    before: u64,
    /// Somebody wants to know how full the tables are.
    asked: bool,
    /// No count of hosts and pairs before this.
    census_due: u64,
    hosts_walk: bool,
    pairs_walk: Option<Round>,
    forgotten: Vec<(Address, u64)>,
}

/// A walk over a table.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// When it began, microseconds.
    began: u64,
}

impl Sweep {
    /// The sweep of a flow table for `flows` entries, begun at `time`.
    pub(super) fn new(flows: u32, time: u64) -> Self {
        Self {
            steps: (flows as usize).div_ceil(STEP * TURNS).max(1),
            due: time + PERIOD,
            flows: None,
            before: time,
            asked: true,
            census_due: time + PERIOD,
            hosts_walk: false,
            pairs_walk: None,
            forgotten: Vec::new(),
        }
    }

    /// When the next turn is due, microseconds.
    pub(super) fn due(&self) -> u64 {
        self.due
    }

    /// The pairs an address opened until `time` are to be deleted.
    pub(super) fn forget(&mut self, address: Address, time: u64) {
        if self.forgotten.len() == FORGOTTEN {
            self.forgotten.remove(0);
        }
        self.forgotten.push((address, time));
        self.due = self.due.min(time);
    }

    /// Hosts and pairs are to be counted.
    pub(super) fn ask(&mut self) {
        self.asked = true;
    }

    /// Does what is due at `time`; `opened` tells how many entries the program has made.
    pub(super) fn turn(
        &mut self,
        tables: &mut Tables,
        (time, opened): (u64, Opened),
        into: &mut Vec<Snapshot>,
    ) -> Result<(), KernelError> {
        if time < self.due {
            return Ok(());
        }
        self.walk_flows(tables, (time, opened.flows), into)?;
        let census = self.asked && self.census_due <= time;
        if census && !self.hosts_walk {
            (self.asked, self.census_due) = (false, time + CENSUS);
            self.hosts_walk = true;
            tables.hosts.begin(opened.hosts);
        }
        if census || !self.forgotten.is_empty() || self.pairs_walk.is_some() {
            self.walk_pairs(tables, time, opened.pairs)?;
        }
        if self.hosts_walk {
            self.hosts_walk = tables.hosts.step()? == Walk::Continues;
        }
        let idle = self.flows.is_none() && self.pairs_walk.is_none() && !self.hosts_walk;
        self.due = if idle && self.forgotten.is_empty() {
            (self.before + PERIOD).max(time + PACE)
        } else {
            time + PACE
        };
        Ok(())
    }

    fn walk_flows(
        &mut self,
        tables: &mut Tables,
        (time, opened): (u64, u64),
        into: &mut Vec<Snapshot>,
    ) -> Result<(), KernelError> {
        let round = match self.flows {
            Some(round) => round,
            None if time >= self.before + PERIOD => {
                tables.flows.begin(opened);
                Round { began: time }
            }
            None => return Ok(()),
        };
        self.flows = Some(round);
        let mut idle = Vec::new();
        for _ in 0..self.steps {
            let walk = tables.flows.step()?;
            for (key, flow) in tables.flows.entries() {
                let answerless = flow.first + SILENCE;
                if flow.is_idle(round.began) {
                    into.push(look_again(tables, (key, flow), time, reason::IDLE));
                    idle.push(*key);
                } else if flow.is_silent() && (self.before..round.began).contains(&answerless) {
                    into.push(look_again(tables, (key, flow), time, reason::SILENT));
                }
            }
            idle.drain(..).for_each(|key| tables.flows.delete(&key));
            if walk == Walk::Ended {
                self.before = round.began;
                self.flows = None;
                break;
            }
        }
        Ok(())
    }

    fn walk_pairs(
        &mut self,
        tables: &mut Tables,
        time: u64,
        opened: u64,
    ) -> Result<(), KernelError> {
        let round = *self.pairs_walk.get_or_insert_with(|| {
            tables.pairs.begin(opened);
            Round { began: time }
        });
        let walk = tables.pairs.step()?;
        let is_forgotten = |key: &PairKey, pair: &PairStats| {
            let mut forgotten = self.forgotten.iter();
            forgotten.any(|(address, until)| key.initiator == *address && pair.first <= *until)
        };
        let gone: Vec<PairKey> = tables
            .pairs
            .entries()
            .filter(|(key, pair)| is_forgotten(key, pair))
            .map(|(key, _)| *key)
            .collect();
        gone.iter().for_each(|key| tables.pairs.delete(key));
        if walk == Walk::Ended {
            // One that was to be forgotten while this walk was under way needs another, from the beginning.
            self.forgotten.retain(|(_, until)| *until > round.began);
            self.pairs_walk = None;
        }
        Ok(())
    }
}

/// A snapshot of a flow outside its packets.
fn look_again(
    tables: &Tables,
    (key, flow): (&FlowKey, &FlowStats),
    time: u64,
    reason: u32,
) -> Snapshot {
    let mut snapshot = Snapshot {
        time,
        reason,
        key: *key,
        flow: *flow,
        ..Snapshot::default()
    };
    let (initiator, responder, pair) = snapshot.parties();
    if let Some(host) = tables.hosts.get(&initiator) {
        snapshot.initiator.write(&host, time);
    }
    if let Some(host) = tables.hosts.get(&responder) {
        snapshot.responder.write(&host, time);
    }
    snapshot.pair = tables.pairs.get(&pair).unwrap_or_default();
    snapshot
}
