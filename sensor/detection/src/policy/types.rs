//! What policy concludes and what came of it, in types and in words.
//! Nothing here decides.

use std::fmt;
use std::time::Duration;

use contract::record::{Origin, Scope, Service};
use ipnet::IpNet;

use super::Exemption;

/// What policy concludes for an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing yet.
    Watch,
    /// Something is wrong, and no block would mend it or be safe.
    Alert,
    /// A person decides, for this reason.
    Review(Cause),
    /// The address is to be blocked.
    Block(Block),
}

impl Decision {
    /// The decision in one word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Alert => "alert",
            Self::Review(_) => "review",
            Self::Block(_) => "block",
        }
    }

    /// The block, where one was decided.
    pub const fn block(&self) -> Option<&Block> {
        match self {
            Self::Block(block) => Some(block),
            _ => None,
        }
    }
}

/// Why a person decides instead of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Attacks of this class are never blocked automatically.
    Class,
    /// The address cannot be blocked.
    Exempt(Exemption),
    /// The address is inside.
    Home,
    /// The address was seen inside a tunnel.
    Tunnelled,
    /// The address may be an innocent visitor's.
    PerhapsSpoofed,
    /// The kernel cannot tell what the address opens from what it answers.
    Untracked,
    /// Others converse from the same address, and all of it would be cut off.
    Shared,
    /// The minute's blocks are used up.
    Budget,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Class => f.write_str("attacks of this class are not blocked automatically"),
            Self::Exempt(exemption) => exemption.fmt(f),
            Self::Home => f.write_str("it is inside the home networks"),
            Self::Tunnelled => f.write_str("it was seen inside a tunnel"),
            Self::PerhapsSpoofed => f.write_str(
                "its visitor of the last half hour proved itself, these packets did not: they may be spoofed",
            ),
            Self::Untracked => f.write_str(
                "nothing proves that the address is the sender's own, and this machine tracks no connections, so that a block could stop its owner's",
            ),
            Self::Shared => f.write_str(
                "others converse from the same address meanwhile, and a block would cut them off too",
            ),
            Self::Budget => f.write_str("the blocks of this minute are used up"),
        }
    }
}

/// An address or prefix that is kept out for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Who.
    pub target: IpNet,
    /// Why, in a word or a sentence.
    pub reason: String,
    /// Until when, monotonic microseconds.
    pub expires: u64,
    /// For how long from its beginning.
    pub ttl: Duration,
    /// Which of the address's offences this answers; 0 where it does not count as one.
    pub offence: u32,
    /// Who ordered it.
    pub origin: Origin,
    /// How much of its traffic is stopped.
    pub scope: Scope,
    /// The one use of others that it is kept from; nothing where it is all.
    pub service: Option<Service>,
}

/// What enforcement made of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The kernel drops the traffic.
    Enforced,
    /// It was recorded only, as the configuration wants.
    Observed,
    /// The target cannot be blocked.
    Exempt(Exemption),
    /// It was tried in vain.
    Failed(String),
}

impl Outcome {
    /// The outcome in one word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Enforced => "enforced",
            Self::Observed => "observed",
            Self::Exempt(_) => "exempt",
            Self::Failed(_) => "failed",
        }
    }
}
