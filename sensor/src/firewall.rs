//! The firewall: where blocks are enforced, or only shown.
//! It never decides; who may be blocked has been settled when it is called.

mod attribute;
mod desired;
mod element;
mod link;
mod listing;
mod monitor;
mod netlink;
mod nftables;
mod observe;
mod probe;
mod rule;
mod ruleset;
mod service;

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

pub use monitor::{Monitor, Stopper};
pub use nftables::Nftables;
pub use observe::Observe;
pub use probe::{Machine, probe};

use contract::record::{Scope, Service};
use detection::policy::Outcome;

/// Something that keeps addresses out.
pub trait Firewall: fmt::Debug + Send {
    /// Makes the rules stand with everything that is wanted in force, in one step: at the start, and again whenever
    /// somebody has meddled. What is blocked beside that stays blocked and is returned: a former run left it, or a
    /// person added it by hand. Networks that are allowed beside the wanted ones no longer are.
    fn install(&mut self, wanted: &DesiredState) -> Result<Vec<Element>, FirewallError>;

    /// Keeps these hosts out from now on; for one that already is, the new time counts.
    fn block(&mut self, hosts: &[Host]) -> Result<(), FirewallError>;

    /// Lets these hosts in again; one that is not kept out is let be.
    fn release(&mut self, hosts: &[IpAddr]) -> Result<(), FirewallError>;

    /// Keeps exactly these prefixes out, and no other, in one step. They may overlap: what a wider one covers is left
    /// out, so this must be called again when a prefix expires that covered another with a longer life.
    fn block_prefixes(&mut self, prefixes: &[Element]) -> Result<(), FirewallError>;

    /// Keeps hosts from exactly these services, and from no other, in one step.
    fn block_services(&mut self, services: &[ServiceElement]) -> Result<(), FirewallError>;

    /// Makes exactly these networks safe from any block, in one step. They may overlap.
    fn allow(&mut self, networks: &[IpNet]) -> Result<(), FirewallError>;

    /// Everything that is kept out now.
    fn elements(&mut self) -> Result<Vec<Element>, FirewallError>;

    /// What each rule has dropped, by name: `from_blocked4`, `to_blocked6_net`, `sent_to_blocked4`, `syn_from_blocked4`.
    fn counters(&mut self) -> Result<Vec<Counter>, FirewallError>;

    /// Whether connections are known, so that datagrams and queries that an unproven address opens can be told from
    /// those of a conversation. TCP tells by itself.
    fn tracks(&self) -> bool {
        true
    }

    /// What is not as it should stand, in words; elements are not looked at. Cheap however many there are.
    fn verify(&mut self) -> Result<Option<String>, FirewallError>;

    /// Takes the rules away, and every block with them.
    fn remove(&mut self) -> Result<(), FirewallError>;

    /// What on this machine lets traffic pass the rules by, in words; nothing where nothing is found.
    fn bypass(&mut self) -> Option<String> {
        None
    }

    /// What tells of changes that others make to the rules; nothing where there are none to change.
    fn monitor(&self) -> Result<Option<Monitor>, FirewallError> {
        Ok(None)
    }

    /// What a block is that this firewall has taken.
    fn outcome(&self) -> Outcome;
}

/// A host to keep out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host {
    /// Its address.
    pub address: IpAddr,
    /// For how long from now; nothing where it is permanent.
    pub left: Option<Duration>,
    /// How much of its traffic is stopped.
    pub scope: Scope,
}

/// A prefix, or a host, that is kept out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element {
    /// Who.
    pub target: IpNet,
    /// For how long from now; nothing where it is permanent.
    pub left: Option<Duration>,
    /// How much of its traffic is stopped.
    pub scope: Scope,
}

/// Everything that should be in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DesiredState {
    /// Hosts to keep out.
    pub hosts: Vec<Host>,
    /// Prefixes to keep out.
    pub prefixes: Vec<Element>,
    /// Services to keep hosts from.
    pub services: Vec<ServiceElement>,
    /// Networks that no block touches.
    pub allowed: Vec<IpNet>,
}

/// A service that a host is kept from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceElement {
    /// The host.
    pub source: IpAddr,
    /// What it is kept from.
    pub service: Service,
    /// Whether connections under way are stopped, too.
    pub scope: Scope,
    /// For how long from now.
    pub left: Duration,
}

/// What one rule has dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// Its name.
    pub name: String,
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// What somebody else did to the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tampering {
    /// The table, a set, a chain or a rule is gone or changed: what, in words.
    Tampered(String),
    /// One element was deleted by hand.
    Deleted(IpNet),
}

/// Why the firewall could not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum FirewallError {
    /// The program lacks the capability.
    #[error("cannot {act}: it needs CAP_NET_ADMIN")]
    Forbidden {
        /// What was to be done, after "cannot".
        act: &'static str,
    },
    /// The kernel has no netfilter at all.
    #[error("cannot {act}: this kernel has no nf_tables")]
    Absent {
        /// What was to be done, after "cannot".
        act: &'static str,
    },
    /// The kernel refused.
    #[error("the kernel did not {act}")]
    Refused {
        /// What was to be done, after "did not".
        act: &'static str,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
}

impl Host {
    fn key(&self) -> element::Key {
        element::Key::host(self.address, self.left)
    }
}
