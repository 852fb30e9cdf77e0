//! How the sensor is doing, as one document. Facts only: what is worth worrying about is a [`Condition`].

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::blocklist::Enforcement;
use contract::record::{Block, BlockState, Condition};
use contract::timestamp::Timestamp;

/// Whoever keeps the threads running, and so knows how they do. It may wait for them, so it is not asked on an
/// asynchronous thread.
pub trait Agent: Send + Sync {
    /// How everything does now.
    fn health(&self) -> AgentHealth;

    /// The last headers kept of an address as a pcap file; nothing where none are kept.
    fn headers(&self, address: IpAddr) -> Option<Vec<u8>>;
}

/// How the sensor is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// What the agent says.
    #[serde(flatten)]
    pub health: AgentHealth,
    /// Whether blocks are enforced.
    pub enforcement: Enforcement,
    /// How many blocks there are.
    pub blocks: BlockCounts,
    /// Reviews that wait for a person.
    pub reviews: usize,
}

/// What the agent knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentHealth {
    /// The sensor's name.
    pub sensor: String,
    /// Its site.
    pub site: String,
    /// The program's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// When it started.
    pub since: Timestamp,
    /// For how long it has been running, seconds of the boot clock.
    pub uptime: u64,
    /// Where packets come from.
    pub capture: CaptureStatus,
    /// Which model scores.
    pub model: ModelStatus,
    /// `observe` or `enforce`, as the configuration says.
    pub firewall: String,
    /// What is wrong now.
    pub conditions: Vec<Condition>,
    /// Where records are kept.
    pub store: StoreStatus,
    /// Where incidents are reported.
    pub report: ReportStatus,
    /// How full the meter's tables are.
    pub tables: Vec<TableStatus>,
    /// Frames and packets that could not be metered as they should, by cause.
    pub losses: Vec<(String, u64)>,
    /// Kernel memory that the tables take, bytes; 0 where they are in user space.
    pub kernel_memory: u64,
    /// What each rule of the firewall's table has dropped, as of the last seconds.
    #[serde(default)]
    pub dropped: Vec<DroppedStatus>,
    /// Settings that were changed since the start and wait for a restart.
    #[serde(default)]
    pub restart: Vec<String>,
}

/// Where packets come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureStatus {
    /// `ebpf` or `pcap`.
    pub mode: String,
    /// Why this one, where `auto` chose; empty where the configuration did.
    pub why: String,
    /// Each interface.
    pub interfaces: Vec<InterfaceStatus>,
}

/// What one interface has seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceStatus {
    /// Its name.
    pub name: String,
    /// Packets seen.
    pub packets: u64,
    /// Why nothing is seen of it now; nothing where all is well.
    pub missing: Option<String>,
}

/// Which model scores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelStatus {
    /// Its name.
    pub name: String,
    /// Hash of its file, in hexadecimal.
    pub sha256: String,
}

/// How the store does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreStatus {
    /// The file.
    pub path: String,
    /// Why nothing is written now; nothing where all is well.
    pub failing: Option<String>,
    /// Entries that wait to be written.
    pub waiting: u64,
    /// Entries that were lost.
    pub lost: u64,
    /// Bytes on the disk.
    pub bytes: u64,
}

/// How the way to the coordinator does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportStatus {
    /// The broker, without credentials; nothing where nobody is reported to.
    pub broker: Option<String>,
    /// Whether it is connected.
    pub connected: bool,
    /// Why it is not; empty where it is.
    pub why: String,
    /// Messages that wait for an acknowledgement.
    pub queued: u64,
}

/// How full one table is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableStatus {
    /// `flows`, `hosts` or `pairs`.
    pub table: String,
    /// Entries now.
    pub entries: u64,
    /// Entries evicted so far.
    pub evictions: u64,
}

/// What one rule has dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedStatus {
    /// The rule's counter.
    pub rule: String,
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// How many blocks there are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockCounts {
    /// The kernel drops their traffic.
    pub enforced: usize,
    /// They are only shown.
    pub observed: usize,
    /// The kernel refused them.
    pub failed: usize,
    /// Of all, those that undo themselves unless they are confirmed.
    pub unconfirmed: usize,
}

impl BlockCounts {
    /// Counts these blocks.
    pub fn of(blocks: &[Block]) -> Self {
        let mut counts = Self::default();
        for block in blocks {
            match block.state {
                BlockState::Enforced => counts.enforced += 1,
                BlockState::Observed => counts.observed += 1,
                BlockState::Failed => counts.failed += 1,
            }
            counts.unconfirmed += usize::from(block.confirm_by.is_some());
        }
        counts
    }
}
