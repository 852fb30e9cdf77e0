//! What the kernel meter costs, by the kernel's own run-time statistics: started by `cargo xtask bench kernel`, as root.
//! It works in a network namespace of its own, and judges nothing: it prints.
#![expect(
    clippy::print_stdout,
    reason = "a benchmark talks to the person who started it"
)]

mod cost;
mod loaded;
mod race;
mod steady;
mod traffic;

use std::process::Command;

use anyhow::{Context, Result, ensure};
use nix::sched::{CloneFlags, CpuSet, sched_setaffinity, unshare};
use nix::unistd::Pid;

/// The kernel programs, as they were built.
struct Objects {
    traffic: Vec<u8>,
    meter: Vec<u8>,
}

fn main() -> Result<()> {
    // `cargo bench` passes flags of its own.
    let only = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let wanted = |name: &str| only.as_ref().is_none_or(|word| name.starts_with(word));
    unshare(CloneFlags::CLONE_NEWNET).context("a namespace of its own needs root")?;
    let up = Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .status();
    ensure!(
        up.context("`ip` does not start")?.success(),
        "loopback stays down"
    );
    let objects = Objects {
        traffic: object("GARITA_TRAFFIC_OBJECT")?,
        meter: object("GARITA_METER_OBJECT")?,
    };
    stay_on(0)?;
    cost::print(&objects, wanted)?;
    if wanted("race") {
        race::print(&objects)?;
    }
    if wanted("steady") {
        steady::print(&objects)?;
    }
    Ok(())
}

fn object(name: &str) -> Result<Vec<u8>> {
    let path = std::env::var_os(name).with_context(|| format!("{name} names no program"))?;
    std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))
}

/// Keeps the calling thread on one CPU.
fn stay_on(cpu: usize) -> Result<()> {
    let mut one = CpuSet::new();
    one.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &one).with_context(|| format!("cannot stay on CPU {cpu}"))
}
