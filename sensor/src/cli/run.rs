//! `garita run`: the daemon, in the foreground. Everything it does is the agent's.

use std::path::Path;

use anyhow::Result;

/// Runs the sensor until it is told to stop.
pub fn run(file: Option<&Path>) -> Result<()> {
    sensor::agent::run(file)
}
