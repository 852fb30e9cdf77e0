//! The allow list: networks that somebody keeps from being blocked, within a cap and for a time.
//! What the configuration exempts is not in here, and nothing is enforced.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::roster::NEVER;
use crate::record::Allowance;

/// Allowances by network.
#[derive(Debug, Default)]
pub(super) struct Allowances(BTreeMap<IpNet, (Allowance, u64)>);

impl Allowances {
    /// Enters an allowance that ends at `expires`, monotonic microseconds, or [`NEVER`].
    pub(super) fn enter(&mut self, allowance: Allowance, expires: u64) {
        self.0.insert(allowance.net, (allowance, expires));
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
