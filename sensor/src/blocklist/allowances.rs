//! The allow list: networks that somebody keeps from being blocked, within a cap and for a time.
//! What the configuration exempts is not in here, and nothing is enforced.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::active::NEVER;
use contract::record::Allowance;

/// Prefix lengths of the widest networks that can be allowed: a private 10.0.0.0/8, an IPv6 provider's /16.
const WIDEST: [u8; 2] = [8, 16];

/// Allowances by network.
#[derive(Debug, Default)]
pub(super) struct Allowances(BTreeMap<IpNet, (Allowance, u64)>);

impl Allowances {
    /// Enters an allowance that ends at `expires`, monotonic microseconds, or [`NEVER`].
    pub(super) fn enter(&mut self, allowance: Allowance, expires: u64) {
        self.0.insert(allowance.net, (allowance, expires));
    }

    /// Whether there is one of exactly this network.
    pub(super) fn holds(&self, net: &IpNet) -> bool {
        self.0.contains_key(net)
    }

    /// Whether all of `net` is allowed until `moment`, monotonic microseconds.
    pub(super) fn cover(&self, net: &IpNet, moment: u64) -> bool {
        let mut lasting = self.0.iter().filter(|(_, (_, expires))| *expires >= moment);
        lasting.any(|(allowed, _)| allowed.contains(net))
    }

    /// Whether this very address is allowed for a time.
    pub(super) fn bears(&self, address: IpAddr) -> bool {
        let found = self.0.get(&address.to_canonical().into());
        found.is_some_and(|(_, expires)| *expires != NEVER)
    }

    /// Takes one out.
    pub(super) fn strike(&mut self, net: &IpNet) -> Option<Allowance> {
        self.0.remove(net).map(|(allowance, _)| allowance)
    }

    /// Takes out those whose end has come at `now`.
    pub(super) fn expired(&mut self, now: u64) -> Vec<Allowance> {
        let over = self.0.values().filter(|(_, expires)| *expires <= now);
        let over: Vec<Allowance> = over.map(|(allowance, _)| allowance.clone()).collect();
        for allowance in &over {
            self.0.remove(&allowance.net);
        }
        over
    }

    /// When the next one ends, monotonic microseconds.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        let ends = self.0.values().map(|(_, expires)| *expires);
        ends.filter(|expires| *expires != NEVER).min()
    }

    /// Every allowance, by network.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Allowance> {
        self.0.values().map(|(allowance, _)| allowance)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Whether an allowance would reach over networks of many owners.
pub(super) fn is_too_wide(net: &IpNet) -> bool {
    match net {
        IpNet::V4(net) => net.prefix_len() < WIDEST[0],
        IpNet::V6(net) => net.prefix_len() < WIDEST[1],
    }
}
