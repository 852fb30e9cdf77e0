//! `garita withdraw`: takes everything of Garita out of the kernel, for when the package is removed.
//! It touches neither records nor files, and nothing of anybody else's.

use anyhow::{Context, Result};
use sensor::firewall::Firewall;

/// Removes the rules, and every block with them.
pub fn run(firewall: &mut dyn Firewall) -> Result<()> {
    firewall
        .remove()
        .context("the firewall's rules are still in the kernel")
}
