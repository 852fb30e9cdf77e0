//! The firewall: where blocks are enforced, or only shown.
//! It never decides; who may be blocked has been settled when it is called.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::policy::Outcome;

/// Something that keeps addresses out.
pub trait Firewall: fmt::Debug + Send {
    /// Makes the rules stand, with nothing blocked beyond what a former run left; returns that.
    fn install(&mut self) -> Result<Vec<Element>, FirewallError>;

    /// Keeps these hosts out from now on; for one that already is, the new time counts.
    fn block(&mut self, hosts: &[Host]) -> Result<(), FirewallError>;

    /// Lets these hosts in again; one that is not kept out is let be.
    fn release(&mut self, hosts: &[IpAddr]) -> Result<(), FirewallError>;

    /// Keeps exactly these prefixes out, and no other, in one step. They may overlap.
    fn block_prefixes(&mut self, prefixes: &[Element]) -> Result<(), FirewallError>;

    /// Makes exactly these networks safe from any block, in one step. They may overlap.
    fn allow(&mut self, networks: &[IpNet]) -> Result<(), FirewallError>;

    /// Takes the rules away, and every block with them.
    fn remove(&mut self) -> Result<(), FirewallError>;

    /// What on this machine lets traffic pass the rules by, in words; nothing where nothing is found.
    fn bypass(&mut self) -> Option<String> {
        None
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
}

/// A prefix, or a host, that is kept out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element {
    /// Who.
    pub target: IpNet,
    /// For how long from now; nothing where it is permanent.
    pub left: Option<Duration>,
}

/// What somebody else did to the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meddling {
    /// The table, a set, a chain or a rule is gone or changed: what, in words.
    Tampered(String),
    /// One element was deleted by hand.
    Deleted(IpNet),
}

/// Why the firewall could not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum FirewallError {
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

/// Touches nothing: every block is only shown.
#[derive(Debug, Default)]
pub struct Observe;

impl Firewall for Observe {
    fn install(&mut self) -> Result<Vec<Element>, FirewallError> {
        Ok(Vec::new())
    }

    fn block(&mut self, _: &[Host]) -> Result<(), FirewallError> {
        Ok(())
    }

    fn release(&mut self, _: &[IpAddr]) -> Result<(), FirewallError> {
        Ok(())
    }

    fn block_prefixes(&mut self, _: &[Element]) -> Result<(), FirewallError> {
        Ok(())
    }

    fn allow(&mut self, _: &[IpNet]) -> Result<(), FirewallError> {
        Ok(())
    }

    fn remove(&mut self) -> Result<(), FirewallError> {
        Ok(())
    }

    fn outcome(&self) -> Outcome {
        Outcome::Observed
    }
}
