//! Measures on this machine and now: compare the columns of one run, never two runs. What is measured is said by subject.
//! It needs root, and works in network namespaces of its own.

mod gateway;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::{ebpf, provision, tool};

/// Names the programs the meter is compared with, for the benchmark that loads them.
const TRAFFIC: &str = "GARITA_TRAFFIC_OBJECT";

/// What is measured.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Subject {
    /// The kernel meter
    Kernel,
    /// How fast attackers are shut out at a whole gateway
    Gateway,
}

/// Builds programs and benchmark, and runs those measurements whose name begins with `only`; all without it.
pub(crate) fn run(shell: &Shell, subject: Subject, only: Option<&str>) -> Result<()> {
    match subject {
        Subject::Kernel => kernel(shell, only),
        Subject::Gateway => gateway::run(shell, only),
    }
}

fn kernel(shell: &Shell, only: Option<&str>) -> Result<()> {
    provision::packages(shell, provision::BUILD)?;
    let meter = ebpf::build(shell)?;
    let traffic = ebpf::build_traffic(shell)?;
    tool::by_hand(cmd!(
        shell,
        "cargo bench --package sensor --bench kernel -- {only...}"
    ))
    .env(ebpf::OBJECT, &meter)
    .env(TRAFFIC, &traffic)
    .run()
    .context("the kernel meter was not measured")
}
