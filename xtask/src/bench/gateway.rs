//! How fast attackers are shut out at a real gateway: the end-to-end test of it, with many runs and an optimised sensor.
//! What is measured, and what would be too slow, stands in `tests/gateway/speed.rs`.

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::{ebpf, provision, tool};

/// Port scans; a tenth as many password searches.
const RUNS: &str = "50";

/// Runs it with the meter named by `only`, or with each, and prints what it says.
pub(super) fn run(shell: &Shell, only: Option<&str>) -> Result<()> {
    provision::everything(shell)?;
    let object = ebpf::build(shell)?;
    let filter = format!("gateway::speed::{}", only.unwrap_or_default());
    // One after the other: two sensors would share the processor.
    tool::by_hand(cmd!(
        shell,
        "cargo test --release --workspace --test garita {filter} -- --nocapture --test-threads 1"
    ))
    .env("GARITA_RUNS", RUNS)
    .env("GARITA_METER_OBJECT", object)
    .run()
    .context("a run was too slow, or failed: what it was stands above")
}
