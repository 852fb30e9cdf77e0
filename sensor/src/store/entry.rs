//! What the store is given to keep, one entry for each thing that happened.
//! An entry is complete in itself: what is written does not depend on when.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::incident::Revision;
use contract::address::is_host;
use contract::record::{Allowance, Block, Review, Service};
use contract::timestamp::Timestamp;
use contract::topics::Topic;

/// Something to be kept.
#[derive(Debug, Clone)]
pub enum Entry {
    /// What is now known of an incident, and the message that tells of it: both are kept, or neither.
    Incident {
        /// The revision.
        revision: Box<Revision>,
        /// The feature vector of the deciding snapshot.
        features: Vec<f32>,
        /// What subscribers are told; nothing where nobody subscribes.
        message: Option<Message>,
    },
    /// The end of an incident that an earlier run left open, and the message that tells of it.
    Abandoned {
        /// Its last revision.
        last: LastRevision,
        /// What subscribers are told; nothing where nobody subscribes.
        message: Option<Message>,
    },
    /// A block that begins or changes. One target has one block at a time: the same `begun` changes it, another one
    /// replaces it.
    Block(Block),
    /// A block that ended before it expired.
    Released {
        /// Whose.
        target: IpNet,
        /// The service it was kept from; nothing where it was all.
        service: Option<Service>,
        /// When.
        at: Timestamp,
        /// By whom.
        by: String,
        /// Why.
        reason: String,
    },
    /// An allowance that begins or changes; one network has one.
    Allowance(Allowance),
    /// An allowance that was taken back.
    Disallowed {
        /// Whose.
        net: IpNet,
        /// When.
        at: Timestamp,
        /// By whom.
        by: String,
    },
    /// A review that is asked for or answered.
    Review(Review),
    /// Something that outlives a restart, such as the enforcement switch.
    Setting {
        /// Its name.
        key: &'static str,
        /// Its value.
        value: String,
    },
    /// Something somebody did; the store numbers, dates and chains it.
    Audit {
        /// Who.
        by: String,
        /// What was asked, in the words of the command line.
        action: String,
        /// To what.
        object: String,
        /// What came of it, and why.
        outcome: String,
    },
    /// A message to subscribers that belongs to no incident.
    Publish(Message),
    /// The broker has taken a message.
    Sent {
        /// Which.
        seq: u64,
    },
    /// Subscribers have been told that these messages were dropped.
    LossReported {
        /// The first of them.
        first: u64,
        /// The last of them.
        last: u64,
    },
}

/// A message to subscribers, before the outbox numbers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where it is published.
    pub topic: Topic,
    /// 1 (low) to 4 (critical): what a full outbox gives up first.
    pub severity: u8,
    /// The CloudEvents `id`.
    pub id: String,
    /// The CloudEvents `type`.
    pub kind: String,
    /// The CloudEvents `time`.
    pub at: Timestamp,
    /// The body, JSON.
    pub body: String,
}

/// The revision that ends an incident which an earlier run left open: the one it told last, under the next number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRevision {
    /// The incident's id.
    pub id: String,
    /// The number.
    pub number: u32,
    /// 1 (low) to 4 (critical).
    pub severity: u8,
    /// When what it tells was decided.
    pub at: Timestamp,
    /// The document, JSON.
    pub document: String,
}

/// What an entry is about, as losses are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Messages to subscribers, and marks on them.
    Message,
    /// Revisions of incidents.
    Incident,
    /// Reviews.
    Review,
    /// Allowances, given and taken back.
    Allowance,
    /// Settings.
    Setting,
    /// Blocks, begun and released.
    Block,
    /// The audit trail.
    Audit,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Message,
        Self::Incident,
        Self::Review,
        Self::Allowance,
        Self::Setting,
        Self::Block,
        Self::Audit,
    ];

    /// The kind in one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Incident => "incident",
            Self::Review => "review",
            Self::Allowance => "allowance",
            Self::Setting => "setting",
            Self::Block => "block",
            Self::Audit => "audit",
        }
    }
}

impl Entry {
    /// What it is about.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Incident { .. } | Self::Abandoned { .. } => Kind::Incident,
            Self::Block(_) | Self::Released { .. } => Kind::Block,
            Self::Allowance(_) | Self::Disallowed { .. } => Kind::Allowance,
            Self::Review(_) => Kind::Review,
            Self::Setting { .. } => Kind::Setting,
            Self::Audit { .. } => Kind::Audit,
            Self::Publish(_) | Self::Sent { .. } | Self::LossReported { .. } => Kind::Message,
        }
    }

    /// About how many bytes of memory it takes: itself and the text it holds.
    pub(super) fn bytes(&self) -> usize {
        let message = |message: &Message| {
            message.id.capacity() + message.kind.capacity() + message.body.capacity()
        };
        let held = match self {
            Self::Incident {
                features,
                message: told,
                ..
            } => {
                INCIDENT_BYTES + size_of_val(features.as_slice()) + told.as_ref().map_or(0, message)
            }
            Self::Abandoned {
                last,
                message: told,
            } => last.document.len() + told.as_ref().map_or(0, message),
            Self::Block(block) => {
                block.by.len() + block.reason.len() + block.incident.as_ref().map_or(0, String::len)
            }
            Self::Released { by, reason, .. } => by.len() + reason.len(),
            Self::Allowance(allowance) => allowance.by.len() + allowance.reason.len(),
            Self::Disallowed { by, .. } => by.len(),
            Self::Review(review) => review.id.len() + review.cause.len() + review.message.len(),
            Self::Setting { value, .. } => value.len(),
            Self::Audit {
                by,
                action,
                object,
                outcome,
            } => by.len() + action.len() + object.len() + outcome.len(),
            Self::Publish(told) => message(told),
            Self::Sent { .. } | Self::LossReported { .. } => 0,
        };
        size_of::<Self>() + held
    }
}

/// What a revision takes on the heap: its own 800 bytes, and a dozen explanations, scores and addresses.
const INCIDENT_BYTES: usize = 2_500;

/// A single address where the network is one.
pub(super) fn host(net: IpNet) -> Option<IpAddr> {
    is_host(&net).then(|| net.addr())
}
