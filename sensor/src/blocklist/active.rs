//! The blocks in force, by target and by their end. It keeps them within its caps, and enforces nothing.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use crate::firewall::{Element, Host};
use contract::address::is_host;
use contract::record::{Block, BlockState};

/// The end of a block that has none, microseconds.
pub(super) const NEVER: u64 = u64::MAX;

/// A block and when it ends.
#[derive(Debug, Clone)]
pub(super) struct ActiveBlock {
    pub(super) block: Block,
    /// Monotonic microseconds, or [`NEVER`].
    pub(super) expires: u64,
    /// When it undoes itself unless it is confirmed, monotonic microseconds, or [`NEVER`].
    pub(super) unconfirmed: u64,
}

/// Every block in force.
#[derive(Debug, Default)]
pub(super) struct ActiveBlocks {
    held: BTreeMap<IpNet, ActiveBlock>,
    /// The same targets, by the next moment at which something is to be done about them.
    due: BTreeSet<(u64, IpNet)>,
    prefixes: usize,
    failed: BTreeSet<IpNet>,
}

impl ActiveBlock {
    /// When it ends unless it is confirmed, monotonic microseconds, or [`NEVER`].
    fn due(&self) -> u64 {
        self.expires.min(self.unconfirmed)
    }

    /// How long it has left at `now`, as the firewall wants it: what undoes itself does so without us too.
    pub(super) fn element(&self, now: u64) -> Element {
        let due = self.due();
        Element {
            target: self.block.target,
            scope: self.block.scope,
            left: (due != NEVER)
                .then(|| std::time::Duration::from_micros(due.saturating_sub(now).max(1_000))),
        }
    }
}

impl ActiveBlocks {
    /// Enters a block, in place of one of the same target.
    pub(super) fn enter(&mut self, held: ActiveBlock) {
        let target = held.block.target;
        self.strike(&target);
        self.prefixes += usize::from(!is_host(&target));
        self.due.insert((held.due(), target));
        if held.block.state == BlockState::Failed {
            self.failed.insert(target);
        }
        self.held.insert(target, held);
    }

    /// Takes a block out.
    pub(super) fn strike(&mut self, target: &IpNet) -> Option<ActiveBlock> {
        let held = self.held.remove(target)?;
        self.due.remove(&(held.due(), *target));
        self.failed.remove(target);
        self.prefixes -= usize::from(!is_host(target));
        Some(held)
    }

    /// The block of exactly this target.
    pub(super) fn get(&self, target: &IpNet) -> Option<&ActiveBlock> {
        self.held.get(target)
    }

    /// Takes out the next block whose end, or whose deadline, has come at `now`.
    pub(super) fn next_due(&mut self, now: u64) -> Option<ActiveBlock> {
        let &(due, target) = self.due.first()?;
        (due <= now).then(|| self.strike(&target)).flatten()
    }

    /// When the next one is due, monotonic microseconds.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        self.due
            .first()
            .map(|(due, _)| *due)
            .filter(|due| *due != NEVER)
    }

    /// The blocks of a network and of the prefixes that hold all of it, the widest first.
    pub(super) fn around(&self, net: IpNet) -> Vec<Block> {
        let lengths = 0..=net.prefix_len();
        let nets = lengths.filter_map(|length| IpNet::new(net.addr(), length).ok());
        nets.filter_map(|net| self.held.get(&net.trunc()))
            .map(|held| held.block.clone())
            .collect()
    }

    /// The targets that lie within `net`.
    pub(super) fn within(&self, net: &IpNet) -> Vec<IpNet> {
        let targets = self.held.keys();
        targets
            .filter(|target| net.contains(*target))
            .copied()
            .collect()
    }

    /// Every block, by target.
    pub(super) fn iter(&self) -> impl Iterator<Item = &ActiveBlock> {
        self.held.values()
    }

    /// Gives every block a state.
    pub(super) fn mark_all(&mut self, state: &BlockState) {
        self.failed.clear();
        for (target, held) in &mut self.held {
            held.block.state = state.clone();
            if *state == BlockState::Failed {
                self.failed.insert(*target);
            }
        }
    }

    /// Blocks the kernel has refused, at most `limit`.
    pub(super) fn failed(&self, limit: usize) -> Vec<IpNet> {
        self.failed.iter().take(limit).copied().collect()
    }

    /// The hosts, with what they have left at `now`.
    pub(super) fn hosts(&self, now: u64) -> Vec<Host> {
        let hosts = self
            .held
            .values()
            .filter(|held| is_host(&held.block.target));
        hosts.map(|held| host(&held.element(now))).collect()
    }

    /// The prefixes, with what they have left at `now`.
    pub(super) fn prefixes(&self, now: u64) -> Vec<Element> {
        let prefixes = self
            .held
            .values()
            .filter(|held| !is_host(&held.block.target));
        prefixes.map(|held| held.element(now)).collect()
    }

    /// How many prefixes there are.
    pub(super) fn prefix_count(&self) -> usize {
        self.prefixes
    }

    /// How many blocks there are.
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }
}

/// A host as the firewall wants it.
pub(super) fn host(element: &Element) -> Host {
    Host {
        address: element.target.addr(),
        left: element.left,
        scope: element.scope,
    }
}
