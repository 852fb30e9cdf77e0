//! The package's life, a step a function: from the installation to the purge, each with what has to be seen then.
//! A step sees what an administrator sees: systemctl, nft, files, and `garita` itself.

mod coordinator;
mod faults;
mod install;
mod removal;

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::machine::Machine;
use super::network::{ATTACKER, GATEWAY, Network};

/// What a step works with.
pub(super) struct Trial {
    pub(super) machine: Machine,
    pub(super) network: Network,
    /// The sensor's and its upgrade, the coordinator's and its upgrade.
    pub(super) packages: Vec<PathBuf>,
}

type Step = fn(&mut Trial) -> Result<String>;

/// In this order; a step relies on what those before have shown. Up to `undo` it is what the README says.
pub(super) const STEPS: &[(&str, Step)] = &[
    ("a Debian without Rust", install::bare),
    ("install", install::install),
    ("check", install::check),
    ("start", install::start),
    ("observe", install::observe),
    ("enforce", install::enforce),
    ("undo", install::undo),
    ("reload", faults::reload),
    ("damaged configuration", faults::damaged),
    ("upgrade", install::upgrade),
    ("aborted", faults::aborted),
    ("killed", faults::killed),
    ("hung", faults::hung),
    ("load", faults::load),
    ("coordinator", coordinator::install),
    ("first admin", coordinator::admin),
    ("sensor joins", coordinator::join),
    ("coordinator upgrade", coordinator::upgrade),
    ("coordinator removed", coordinator::remove),
    ("stop", removal::stop),
    ("remove", removal::remove),
    ("purge", removal::purge),
];

/// What it takes until a block shows, the attack included.
const DETECTION: Duration = Duration::from_secs(60);

/// The unit's watchdog, what systemd waits for a core, the pause before a restart, and a margin.
const WATCHDOG: Duration = Duration::from_secs(30 + 5 + 2 + 20);

/// A pause before a restart and a start, on a busy machine.
const RESTART: Duration = Duration::from_secs(30);

/// Finds the attacker among the blocks.
const BLOCKED: &str = "garita blocks list | grep -F 203.0.113.7 && nft list set inet garita blocked4 | grep -F 203.0.113.7";

impl Trial {
    /// Where the container sees a package.
    fn package(&self, which: usize) -> Result<String> {
        let package = self
            .packages
            .get(which)
            .context("four packages are tried")?;
        self.machine.show(package)
    }

    /// Scans the gateway until a shell script succeeds inside, and returns how long that took, seconds.
    fn scan_until(&mut self, shown: &str) -> Result<f64> {
        let how = ["nmap", "-sT", "-Pn", "-n", "-r", "--max-retries", "1"];
        let whom = ["-e", "wire", "-p", "1-1000", GATEWAY];
        let patience = ["--host-timeout", "20s"];
        let Self {
            machine, network, ..
        } = self;
        thread::scope(|scope| {
            let words = [&how[..], &patience, &whom].concat();
            let scanner = scope.spawn(move || network.attack(&words));
            let waited = machine.wait_until(shown, DETECTION)?;
            scanner.join().ok().context("the scan ended early")??;
            Ok(waited.as_secs_f64())
        })
    }

    /// The kernel's numbers of what keeps the running sensor's programs at interfaces; before Linux 6.6 there are filters
    /// instead, which tc lists.
    fn links(&self) -> Result<Vec<String>> {
        let links = self
            .machine
            .run("cat /proc/$(systemctl show -P MainPID garita)/fdinfo/* | sed -n 's/^link_id:[[:space:]]*//p'")?;
        let filters = "tc filter show dev gate0 ingress | grep garita";
        ensure!(
            !links.is_empty() || self.machine.holds(filters),
            "no program is attached"
        );
        Ok(links.lines().map(str::to_owned).collect())
    }

    fn assert_blocked(&mut self) -> Result<()> {
        self.machine.wait_until(BLOCKED, RESTART)?;
        ensure!(!self.network.is_let_in()?, "the attacker is let in");
        Ok(())
    }

    /// Does harm to the process and waits until systemd has mended it.
    fn restarts(&mut self, harm: &str, patience: Duration) -> Result<String> {
        let count = |machine: &Machine| -> Result<u32> {
            Ok(machine.run("systemctl show -P NRestarts garita")?.parse()?)
        };
        let before = count(&self.machine)?;
        self.machine.run(harm)?;
        let again = format!(
            "systemctl is-active garita && test $(systemctl show -P NRestarts garita) -gt {before}"
        );
        // The kernel keeps the block while there is no sensor.
        ensure!(
            !self.network.is_let_in()?,
            "the block went with the process"
        );
        let waited = self.machine.wait_until(&again, patience)?;
        self.assert_blocked()?;
        Ok(format!(
            "active again after {:.1} s, {ATTACKER} was kept out",
            waited.as_secs_f64()
        ))
    }
}
