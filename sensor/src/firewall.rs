//! The firewall: where a decided block is enforced, or only shown.
//! It never decides, but it asks the guard once more before it acts.

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::policy::{Block, Guard, Outcome};

/// Keeps the blocks that would stand, and touches nothing.
#[derive(Debug)]
pub struct Observe {
    guard: Guard,
    standing: BTreeMap<IpNet, Block>,
}

impl Observe {
    /// A firewall without blocks, for the network `guard` knows.
    pub fn new(guard: Guard) -> Self {
        Self {
            guard,
            standing: BTreeMap::new(),
        }
    }

    /// Notes a block, extending one that stands for the same target.
    pub fn block(&mut self, block: &Block) -> Outcome {
        if let Some(exemption) = self.guard.exemption(block.target) {
            return Outcome::Exempt(exemption);
        }
        self.standing.insert(block.target, block.clone());
        Outcome::Observed
    }

    /// Drops the blocks that have run out at `now`, monotonic microseconds.
    pub fn expire(&mut self, now: u64) {
        self.standing.retain(|_, block| block.expires > now);
    }

    /// The blocks that stand, by target.
    pub fn standing(&self) -> impl Iterator<Item = &Block> {
        self.standing.values()
    }
}
