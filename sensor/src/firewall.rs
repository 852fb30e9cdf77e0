//! The firewall: where a decided block is enforced, or only shown.
//! It never decides, but it asks the guard once more before it acts.

use crate::policy::{Block, Guard, Outcome};

/// Touches nothing, and says what would have come of a block.
#[derive(Debug)]
pub struct Observe {
    guard: Guard,
}

impl Observe {
    /// A firewall for the network `guard` knows.
    pub fn new(guard: Guard) -> Self {
        Self { guard }
    }

    /// What would have come of a block.
    pub fn block(&self, block: &Block) -> Outcome {
        match self.guard.exemption(block.target) {
            Some(exemption) => Outcome::Exempt(exemption),
            None => Outcome::Observed,
        }
    }
}
