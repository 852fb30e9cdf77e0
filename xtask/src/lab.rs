//! The lab: real tools against real servers in network namespaces, recorded. It touches nothing outside its namespaces.

use anyhow::{Result, bail};

/// Runs the experiment that `arguments` name.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    bail!("the lab knows no experiment yet (asked for: {arguments:?})")
}
