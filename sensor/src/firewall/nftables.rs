//! The firewall that holds: blocks as elements of sets in the kernel's table `inet garita`.
//! It touches no other table, and decides nothing about an address.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;

use ipnet::IpNet;

use super::desired::{
    lay, missing, networks, prefixes_of, replace, replace_blocked, replace_services, scope,
    strangers, withdraw,
};
use super::element::{Key, hosts, prefixes};
use super::link::Link;
use super::listing::{TableListing, keys};
use super::netlink::Changes;
use super::ruleset::{Family, Set, Tracking};
use super::{
    Counter, DesiredState, Element, Firewall, FirewallError, Host, Monitor, ServiceElement,
};
use contract::address::is_host;
use contract::record::Scope;
use detection::policy::Outcome;

/// Hosts in one transaction: the kernel makes it whole in some ten milliseconds, and others wait meanwhile.
const AT_ONCE: usize = 8_192;

/// Unproven hosts remembered before it is looked which of them the kernel still lists.
const REMEMBERED: usize = 16_384;

/// The kernel's nf_tables.
#[derive(Debug)]
pub struct Nftables {
    link: Link,
    tracking: Tracking,
    /// Hosts that may be listed as unproven, so that those who are not need not be taken off that list.
    unproven: HashSet<IpAddr>,
}

impl Nftables {
    /// Opens the way to the kernel in the calling thread's network namespace; changes nothing.
    pub fn open() -> Result<Self, FirewallError> {
        let link = Link::open(0).map_err(FirewallError::to("open nf_tables"))?;
        Ok(Self {
            link,
            tracking: Tracking::Connections,
            unproven: HashSet::new(),
        })
    }

    /// The same, without having the kernel track connections.
    pub fn untracked(self) -> Self {
        Self {
            tracking: Tracking::Nothing,
            ..self
        }
    }

    fn standing(&self) -> Result<TableListing, FirewallError> {
        TableListing::read(&self.link).map_err(FirewallError::to("list the table garita"))
    }

    /// The elements of the sets of blocks that can be read.
    fn found(&mut self, standing: &TableListing) -> Result<Vec<Element>, FirewallError> {
        let spared: Vec<IpNet> = self.listed(standing, Set::UnprovenNet)?;
        let hosts = self.listed(standing, Set::Unproven)?;
        self.unproven = hosts.iter().map(IpNet::addr).collect();
        let mut found = Vec::new();
        for set in Set::blocked().filter(|&set| standing.has(set)) {
            let keys = self.keys(set)?;
            match set {
                Set::Blocked(_) => found.extend(keys.into_iter().map(|key| Element {
                    target: key.address.into(),
                    left: key.left,
                    scope: scope(self.unproven.contains(&key.address)),
                })),
                _ => found.extend(prefixes(keys).into_iter().map(|element| Element {
                    scope: scope(spared.iter().any(|net| net.contains(&element.target))),
                    ..element
                })),
            }
        }
        Ok(found)
    }

    /// Who is in the sets of one kind.
    fn listed(
        &self,
        standing: &TableListing,
        kind: fn(Family) -> Set,
    ) -> Result<Vec<IpNet>, FirewallError> {
        let mut found = Vec::new();
        for set in Family::BOTH.map(kind) {
            if standing.has(set) {
                let nets = prefixes_of(set, self.keys(set)?);
                found.extend(nets);
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

    /// Makes the rules stand; with `lay`, in place of whatever stands.
    fn write(
        &mut self,
        wanted: &DesiredState,
        (standing, found, foreign): (&TableListing, &[Element], &[Element]),
    ) -> Result<(), FirewallError> {
        let mut changes = Changes::new();
        let rebuild = !standing.deviations(self.tracking).is_empty();
        if rebuild {
            lay(&mut changes, standing, self.tracking);
        }
        replace(&mut changes, Set::AllowedNet, networks(&wanted.allowed));
        let is_prefix = |element: &&Element| !is_host(&element.target);
        let nets = wanted
            .prefixes
            .iter()
            .chain(foreign.iter().filter(is_prefix));
        let nets: Vec<Element> = nets.copied().collect();
        replace_blocked(&mut changes, &nets);
        replace_services(&mut changes, &wanted.services);
        if rebuild {
            self.unproven.clear();
            let kept = foreign.iter().filter(|element| is_host(&element.target));
            let kept = kept.map(|element| Host {
                address: element.target.addr(),
                left: element.left,
                scope: element.scope,
            });
            let hosts: Vec<Host> = kept.chain(wanted.hosts.iter().copied()).collect();
            self.enter(&mut changes, &hosts);
        } else {
            let hosts: Vec<Host> = missing(found, &wanted.hosts).collect();
            self.renew(&mut changes, &hosts);
        }
        self.commit("install the table garita", changes)
    }

    /// Adds hosts that are in no set.
    fn enter(&mut self, changes: &mut Changes, new: &[Host]) {
        for (family, keys) in hosts(new.iter().map(Host::key)) {
            changes.add(Set::Blocked(family), &keys);
        }
        let opening = new.iter().filter(|host| host.scope == Scope::Opening);
        let opening = opening.map(|host| host.key().unproven());
        for (family, keys) in hosts(opening) {
            self.unproven.extend(keys.iter().map(|key| key.address));
            changes.add(Set::Unproven(family), &keys);
        }
    }

    /// Adds hosts, or sets their time anew: an element that stands keeps its time, so it must go first; one that may
    /// have expired cannot be deleted, so it must come before that.
    fn renew(&mut self, changes: &mut Changes, renewed: &[Host]) {
        self.withdraw(changes, renewed.iter().map(Host::key));
        self.enter(changes, renewed);
    }

    /// Deletes hosts whether they are there or not.
    fn withdraw(&mut self, changes: &mut Changes, gone: impl Iterator<Item = Key>) {
        for (family, keys) in hosts(gone) {
            withdraw(changes, Set::Blocked(family), &keys);
            let unproven = keys.into_iter();
            let unproven: Vec<Key> = unproven
                .filter(|key| self.unproven.remove(&key.address))
                .collect();
            withdraw(changes, Set::Unproven(family), &unproven);
        }
    }

    /// Forgets whom the kernel no longer lists as unproven, once there are many.
    fn look_again(&mut self) -> Result<(), FirewallError> {
        if self.unproven.len() > REMEMBERED {
            let standing = self.standing()?;
            let hosts = self.listed(&standing, Set::Unproven)?;
            self.unproven = hosts.iter().map(IpNet::addr).collect();
        }
        Ok(())
    }
}

impl Firewall for Nftables {
    fn install(&mut self, wanted: &DesiredState) -> Result<Vec<Element>, FirewallError> {
        let standing = self.standing()?;
        let found = self.found(&standing)?;
        let foreign = strangers(&found, wanted);
        let parts = (&standing, &found[..], &foreign[..]);
        if let Err(error) = self.write(wanted, parts) {
            if self.tracking == Tracking::Nothing {
                return Err(error);
            }
            self.tracking = Tracking::Nothing;
            if self.write(wanted, parts).is_err() {
                // It is not for want of connection tracking.
                self.tracking = Tracking::Connections;
                return Err(error);
            }
            tracing::warn!(
                "this kernel tracks no connections: addresses that prove nothing are stopped only where they open TCP"
            );
        }
        Ok(foreign)
    }

    fn block(&mut self, hosts: &[Host]) -> Result<(), FirewallError> {
        for chunk in hosts.chunks(AT_ONCE) {
            let mut changes = Changes::new();
            self.renew(&mut changes, chunk);
            self.commit("block the hosts", changes)?;
        }
        self.look_again()
    }

    fn release(&mut self, addresses: &[IpAddr]) -> Result<(), FirewallError> {
        for chunk in addresses.chunks(AT_ONCE) {
            let mut changes = Changes::new();
            let gone = chunk.iter().map(|&address| Key::host(address, None));
            self.withdraw(&mut changes, gone);
            self.commit("release the hosts", changes)?;
        }
        Ok(())
    }

    fn block_prefixes(&mut self, prefixes: &[Element]) -> Result<(), FirewallError> {
        let mut changes = Changes::new();
        replace_blocked(&mut changes, prefixes);
        self.commit("block the prefixes", changes)
    }

    fn block_services(&mut self, services: &[ServiceElement]) -> Result<(), FirewallError> {
        let mut changes = Changes::new();
        replace_services(&mut changes, services);
        self.commit("block the services", changes)
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

    fn tracks(&self) -> bool {
        self.tracking == Tracking::Connections
    }

    fn verify(&mut self) -> Result<Option<String>, FirewallError> {
        let deviations = self.standing()?.deviations(self.tracking);
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
