//! What is kept about blocks, allowances, reviews and actions: as the store keeps it, control answers it, and
//! subscribers read it. Plain facts in wall time; nothing here decides or acts.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::class::Class;
use crate::flow::transport;
use crate::timestamp::Timestamp;

/// An address or prefix that is kept out, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Block {
    /// Who.
    #[schemars(with = "String")]
    pub target: IpNet,
    /// Whether the kernel drops its traffic.
    pub state: BlockState,
    /// What kind of authority ordered it.
    pub origin: Origin,
    /// Who ordered it: `detection`, a user, or a key.
    pub by: String,
    /// Why, in a sentence.
    pub reason: String,
    /// What the address did; nothing where a person did not say.
    pub class: Option<Class>,
    /// The incident that led to it.
    pub incident: Option<String>,
    /// Which of the address's offences it answers; 0 where it does not count as one.
    pub offence: u32,
    /// When it began.
    pub begun: Timestamp,
    /// Until when; nothing where it is permanent.
    pub expires: Option<Timestamp>,
    /// When it undoes itself unless it is confirmed before.
    pub confirm_by: Option<Timestamp>,
    /// Whether it was put on somebody who is exempt, knowingly.
    #[serde(default)]
    pub forced: bool,
    /// How much of its traffic is stopped.
    #[serde(default)]
    pub scope: Scope,
    /// The one use of others that it is kept from; missing where it is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// Whether it is one of a crowd that may be forged: only the crowd is recorded and told, and it lasts a minute.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quiet: bool,
}

/// How much of its target's traffic a block stops.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Everything from it and to it, connections under way included.
    #[default]
    All,
    /// What it opens: conversations under way and everything it is asked go on. Nothing proves that the address is the
    /// sender's own, so its owner must not be cut off.
    Opening,
}

/// A use of others that a block keeps its target from, where it is not everything.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Service {
    /// Transport protocol, IANA's number.
    pub protocol: u8,
    /// Whom the target asks; nothing for anybody.
    pub address: Option<IpAddr>,
    /// The port it asks at; nothing for any.
    pub port: Option<u16>,
    /// What is in use from the target's address all the same, and goes on.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub spared: Vec<SocketAddr>,
}

impl Service {
    /// Whether an address asked at a port, over a protocol, is kept from it.
    pub fn covers(&self, protocol: u8, asked: SocketAddr) -> bool {
        self.protocol == protocol
            && self.address.is_none_or(|address| address == asked.ip())
            && self.port.is_none_or(|port| port == asked.port())
            && !self.spared.contains(&asked)
    }

    /// Whether both mean the same use, whatever is spared of it.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.protocol, self.address, self.port) == (other.protocol, other.address, other.port)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = transport(self.protocol);
        match self.port {
            Some(port) => write!(f, "{protocol} port {port}")?,
            None => f.write_str(&protocol)?,
        }
        match self.address {
            Some(address) => write!(f, " of {address}")?,
            None => f.write_str(" of anybody")?,
        }
        let spared: Vec<String> = self.spared.iter().map(SocketAddr::to_string).collect();
        match spared.is_empty() {
            true => Ok(()),
            false => write!(f, ", but for {}", spared.join(", ")),
        }
    }
}

/// What is told about a block when it changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlockEvent {
    /// What happened to it.
    pub event: BlockChange,
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The block as it is, or last was.
    pub block: Block,
}

/// What happened to a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BlockChange {
    /// It began.
    Added,
    /// It lasts longer.
    Extended,
    /// It ended.
    Released,
}

impl BlockChange {
    /// The change in one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Extended => "extended",
            Self::Released => "released",
        }
    }
}

/// What has become of a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BlockState {
    /// The kernel drops the traffic.
    Enforced,
    /// It is recorded only: the firewall observes, or enforcement is off.
    Observed,
    /// The kernel refused it; it is tried again.
    Failed,
}

/// A network that is not blocked for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Allowance {
    /// Which.
    #[schemars(with = "String")]
    pub net: IpNet,
    /// Who said so: a user, a key, or `configuration`.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when; nothing where it is permanent.
    pub expires: Option<Timestamp>,
}

/// A decision that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Review {
    /// The incident's `event.id`.
    pub id: String,
    /// Whom it is about.
    pub address: IpAddr,
    /// What it does.
    pub class: Class,
    /// Why a person decides.
    pub cause: String,
    /// What happened, in one sentence.
    pub message: String,
    /// Since when it waits.
    pub asked: Timestamp,
    /// When it lapses without action.
    pub lapses: Timestamp,
    /// What became of it.
    pub state: ReviewState,
    /// By whom and when, once answered.
    pub answered: Option<Answered>,
}

/// What became of a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReviewState {
    /// It waits.
    Open,
    /// The address was blocked.
    Approved,
    /// The address is innocent, and allowed for a time.
    Dismissed,
    /// Nobody answered in time.
    Lapsed,
    /// Further evidence decided instead.
    Superseded,
}

/// Who answered a review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answered {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// One link of the audit chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditEntry {
    /// Counts from 1 without a gap.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What was asked, in the words of the command line: `blocks add`, `enforce off`.
    pub action: String,
    /// To what: an address, a network, a review.
    pub object: String,
    /// What came of it, and why.
    pub outcome: String,
    /// SHA-256 of the entry before, in hexadecimal; zeros before the first.
    pub previous: String,
    /// SHA-256 over `previous` and everything above, in hexadecimal.
    pub hash: String,
}

/// Something about the sensor itself that somebody should know: raised once, and cleared once it has passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Condition {
    /// Its fixed name, such as `ruleset-tampered`.
    pub name: String,
    /// What it concerns where there may be several: an interface, an address; empty otherwise.
    pub subject: String,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Since when.
    pub since: Timestamp,
    /// When it passed; nothing while it lasts, or `since` where it is an event.
    pub until: Option<Timestamp>,
}

/// Who ordered a block.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Policy, on evidence.
    Detection,
    /// A person at the command line.
    Operator,
    /// A signed command of the coordinator.
    Command,
    /// Found in the kernel after a crash, without a record.
    Recovered,
}

impl Origin {
    /// Every origin.
    pub const ALL: [Self; 4] = [
        Self::Detection,
        Self::Operator,
        Self::Command,
        Self::Recovered,
    ];

    /// The origin in one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Detection => "detection",
            Self::Operator => "operator",
            Self::Command => "command",
            Self::Recovered => "recovered",
        }
    }
}
