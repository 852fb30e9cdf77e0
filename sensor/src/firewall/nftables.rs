//! The firewall that holds: blocks as elements of sets in the kernel's table `inet garita`.
//! It touches no other table, and decides nothing about an address.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::element::{Key, hosts, intervals, prefixes};
use super::link::Link;
use super::listing::{TableListing, keys};
use super::netlink::Changes;
use super::ruleset::{Chain, Family, Rule, Set};
use super::{Counter, DesiredState, Element, Firewall, FirewallError, Host, Monitor};
use contract::address::is_host;
use detection::policy::Outcome;

/// Hosts in one transaction: the kernel makes it whole in some ten milliseconds, and others wait meanwhile.
const AT_ONCE: usize = 8_192;

/// How far the remaining time of a host may be from the wanted one before it is set again.
const TOLERANCE: Duration = Duration::from_secs(2);

/// The kernel's nf_tables.
#[derive(Debug)]
pub struct Nftables {
    link: Link,
}

impl Nftables {
    /// Opens the way to the kernel in the calling thread's network namespace; changes nothing.
    pub fn open() -> Result<Self, FirewallError> {
        let link = Link::open(0).map_err(FirewallError::to("open nf_tables"))?;
        Ok(Self { link })
    }

    fn standing(&self) -> Result<TableListing, FirewallError> {
        TableListing::read(&self.link).map_err(FirewallError::to("list the table garita"))
    }

    /// The elements of the sets of blocks that can be read.
    fn found(&self, standing: &TableListing) -> Result<Vec<Element>, FirewallError> {
        let mut found = Vec::new();
        for set in Set::blocked().filter(|&set| standing.has(set)) {
            let keys = self.keys(set)?;
            match set {
                Set::Blocked(_) => found.extend(keys.into_iter().map(|key| Element {
                    target: key.address.into(),
                    left: key.left,
                })),
                _ => found.extend(prefixes(keys)),
            }
        }
        Ok(found)
    }

    fn keys(&self, set: Set) -> Result<Vec<Key>, FirewallError> {
        keys(&self.link, set).map_err(FirewallError::to("list the blocked addresses"))
    }

    fn commit(&self, act: &'static str, changes: Changes) -> Result<(), FirewallError> {
        self.link.commit(changes).map_err(FirewallError::to(act))
    }
}

impl Firewall for Nftables {
    fn install(&mut self, wanted: &DesiredState) -> Result<Vec<Element>, FirewallError> {
        let standing = self.standing()?;
        let found = self.found(&standing)?;
        let foreign = strangers(&found, wanted);
        let mut changes = Changes::new();
        let rebuild = !standing.deviations().is_empty();
        if rebuild {
            lay(&mut changes, &standing);
        }
        replace(&mut changes, Set::AllowedNet, networks(&wanted.allowed));
        let is_prefix = |element: &&Element| !is_host(&element.target);
        let nets = wanted
            .prefixes
            .iter()
            .chain(foreign.iter().filter(is_prefix));
        replace(&mut changes, Set::BlockedNet, nets.copied());
        let wanted_hosts = wanted.hosts.iter().map(Host::key);
        if rebuild {
            let kept = foreign.iter().filter(|element| is_host(&element.target));
            let kept = kept.map(|element| Key::host(element.target.addr(), element.left));
            for (family, keys) in hosts(kept.chain(wanted_hosts)) {
                changes.add(Set::Blocked(family), &keys);
            }
        } else {
            renew(&mut changes, missing(&found, wanted_hosts));
        }
        self.commit("install the table garita", changes)?;
        Ok(foreign)
    }

    fn block(&mut self, hosts: &[Host]) -> Result<(), FirewallError> {
        for chunk in hosts.chunks(AT_ONCE) {
            let mut changes = Changes::new();
            renew(&mut changes, chunk.iter().map(Host::key));
            self.commit("block the hosts", changes)?;
        }
        Ok(())
    }

    fn release(&mut self, addresses: &[IpAddr]) -> Result<(), FirewallError> {
        for chunk in addresses.chunks(AT_ONCE) {
            let mut changes = Changes::new();
            let gone = chunk.iter().map(|&address| Key::host(address, None));
            for (family, keys) in hosts(gone) {
                withdraw(&mut changes, Set::Blocked(family), &keys);
            }
            self.commit("release the hosts", changes)?;
        }
        Ok(())
    }

    fn block_prefixes(&mut self, prefixes: &[Element]) -> Result<(), FirewallError> {
        let mut changes = Changes::new();
        replace(&mut changes, Set::BlockedNet, prefixes.iter().copied());
        self.commit("block the prefixes", changes)
    }

    fn allow(&mut self, allowed: &[IpNet]) -> Result<(), FirewallError> {
        let mut changes = Changes::new();
        replace(&mut changes, Set::AllowedNet, networks(allowed));
        self.commit("allow the networks", changes)
    }

    fn elements(&mut self) -> Result<Vec<Element>, FirewallError> {
        let standing = self.standing()?;
        self.found(&standing)
    }

    fn counters(&mut self) -> Result<Vec<Counter>, FirewallError> {
        let counters = self.standing()?.counters.into_iter();
        Ok(counters
            .map(|(name, (packets, bytes))| Counter {
                name,
                packets,
                bytes,
            })
            .collect())
    }

    fn verify(&mut self) -> Result<Option<String>, FirewallError> {
        let deviations = self.standing()?.deviations();
        Ok((!deviations.is_empty()).then(|| deviations.join(", ")))
    }

    fn remove(&mut self) -> Result<(), FirewallError> {
        let mut changes = Changes::new();
        // Added first, so that it is there to be deleted.
        changes.add_table();
        changes.delete_table();
        self.commit("remove the table garita", changes)
    }

    fn bypass(&mut self) -> Option<String> {
        let flowtables = super::probe().ok()?.flowtables;
        let names = flowtables.join(", ");
        let words = || {
            format!("the flowtable {names} forwards past every rule; take it out of the ruleset")
        };
        (!flowtables.is_empty()).then(words)
    }

    /// For a thread of its own; what this firewall does is left out.
    fn monitor(&self) -> Result<Option<Monitor>, FirewallError> {
        Monitor::open(self.link.port()).map(Some)
    }

    fn outcome(&self) -> Outcome {
        Outcome::Enforced
    }
}

impl FirewallError {
    pub(super) fn to(act: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| match source.raw_os_error().map(nix::errno::Errno::from_raw) {
            Some(nix::errno::Errno::EPERM) => Self::Forbidden { act },
            Some(nix::errno::Errno::EPROTONOSUPPORT) => Self::Absent { act },
            _ => Self::Refused { act, source },
        }
    }
}

/// The whole table without elements, in place of whatever stands; counters go on where they were.
fn lay(changes: &mut Changes, standing: &TableListing) {
    changes.add_table();
    changes.delete_table();
    changes.add_table();
    for set in Set::all() {
        changes.add_set(set);
    }
    for chain in Chain::ALL {
        changes.add_chain(chain);
    }
    for rule in Rule::all() {
        let counter = rule.counter();
        changes.add_counter(&counter, standing.tally(&counter));
        changes.add_rule(&rule);
    }
}

/// Makes these the only prefixes of the two sets.
fn replace(changes: &mut Changes, set: fn(Family) -> Set, prefixes: impl Iterator<Item = Element>) {
    for (family, keys) in intervals(prefixes) {
        changes.flush(set(family));
        changes.add(set(family), &keys);
    }
}

/// Adds hosts, or sets their time anew: an element that stands keeps its time, so it must go first; one that may have
/// expired cannot be deleted, so it must come before that.
fn renew(changes: &mut Changes, keys: impl Iterator<Item = Key>) {
    for (family, keys) in hosts(keys) {
        withdraw(changes, Set::Blocked(family), &keys);
        changes.add(Set::Blocked(family), &keys);
    }
}

/// Deletes keys whether they are there or not.
fn withdraw(changes: &mut Changes, set: Set, keys: &[Key]) {
    if !keys.is_empty() {
        changes.add(set, keys);
        changes.delete(set, keys);
    }
}

fn networks(nets: &[IpNet]) -> impl Iterator<Item = Element> {
    nets.iter().map(|&target| Element { target, left: None })
}

/// What stands beside what is wanted: nobody here has ordered it.
fn strangers(found: &[Element], wanted: &DesiredState) -> Vec<Element> {
    let hosts = wanted.hosts.iter().map(|host| host.key().address.into());
    let ordered: std::collections::HashSet<IpNet> = hosts
        .chain(
            wanted
                .prefixes
                .iter()
                .map(|prefix| contract::address::canonical(prefix.target)),
        )
        .collect();
    let strange = found
        .iter()
        .filter(|element| !ordered.contains(&element.target));
    strange.copied().collect()
}

/// The wanted hosts that do not stand, or not for as long as they should.
fn missing(found: &[Element], wanted: impl Iterator<Item = Key>) -> impl Iterator<Item = Key> {
    let standing: HashMap<IpAddr, Option<Duration>> = found
        .iter()
        .map(|element| (element.target.addr(), element.left))
        .collect();
    wanted.filter(move |key| match (standing.get(&key.address), key.left) {
        (Some(None), None) => false,
        (Some(Some(left)), Some(wanted)) => left.abs_diff(wanted) > TOLERANCE,
        _ => true,
    })
}
