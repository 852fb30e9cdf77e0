//! `cargo xtask trial`: the package's whole life on a Debian of its own, with a real systemd, in a container made here.
//! Its traffic never leaves two network namespaces, and nothing of it stays on the machine but the cached Debian tree.

mod flood;
mod lifecycle;
mod machine;
mod network;
mod tree;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use xshell::Shell;

use crate::lab::lease::{self, Lease};
use crate::package::{self, Architecture};
use crate::provision::{self, Package, package};
use lifecycle::Trial;

/// Installs, attacks, upgrades, crashes and removes the package in a container (as root, on Debian).
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Two packages of the sensor and two of the coordinator, each the upgrade second, in place of those built from here
    #[arg(long, num_args = 4, value_names = ["DEB", "UPGRADE", "COORDINATOR", "UPGRADE"])]
    packages: Option<Vec<PathBuf>>,
}

const NEEDED: &[Package] = &[
    package("systemd-container", "runs a Debian with its own systemd"),
    package("debootstrap", "makes that Debian"),
    package("iproute2", "network namespaces and virtual links"),
    package("nmap", "the attack"),
    package("bpftool", "says whether a program is still attached"),
    package("iputils-ping", "asks whether the attacker is still let in"),
];

/// Runs every step, prints what each has shown, and ends at the first that shows something else.
pub(crate) fn run(shell: &Shell, arguments: &Args) -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "a container with a systemd of its own takes root: run this as root"
    );
    provision::packages(shell, NEEDED)?;
    lease::reclaim_stale()?;
    let packages = match arguments.packages.clone() {
        Some(packages) => packages,
        None => {
            let mut packages = Vec::new();
            for program in [package::SENSOR, package::COORDINATOR] {
                for revision in [1, 2] {
                    let about = (Architecture::Amd64, revision);
                    packages.push(package::build(shell, &program, about)?);
                }
            }
            packages
        }
    };
    let tree = tree::ready(shell)?;
    let lease = Lease::new()?;
    let network = network::Network::new(&lease)?;
    let started = Instant::now();
    let machine = machine::Machine::boot(&tree, &lease, &network)?;
    let mut trial = Trial {
        machine,
        network,
        packages,
    };
    for (name, step) in lifecycle::STEPS {
        let begun = Instant::now();
        match step(&mut trial) {
            Ok(shown) => println!(
                "ok {:>6.1}s  {name}: {shown}",
                begun.elapsed().as_secs_f64()
            ),
            Err(error) => {
                println!("{}", trial.machine.journal());
                return Err(error).context(format!(
                    "the step “{name}” failed; the journal stands above"
                ));
            }
        }
    }
    println!(
        "{} steps in {:.0} s",
        lifecycle::STEPS.len(),
        started.elapsed().as_secs_f64()
    );
    Ok(())
}
