//! The container: a Debian that boots its own systemd on top of the cached tree, and forgets everything when it ends.
//! It shares the kernel, and nothing else, with the machine.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::network::Network;
use crate::lab::lease::Lease;

/// How often something without a descriptor to wait on is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// A boot takes two seconds on an idle machine.
const BOOT: Duration = Duration::from_secs(90);

/// Where the container sees the folder of the packages.
const PACKAGES: &str = "/opt/packages";

/// A running container.
pub(super) struct Machine {
    child: Child,
    /// Its first process, as the machine counts.
    init: u32,
    log: PathBuf,
    /// The folder that the container sees as [`PACKAGES`].
    packages: PathBuf,
}

impl Machine {
    /// Boots `tree` in the gateway's namespace and waits until its systemd has nothing left to start.
    pub(super) fn boot(tree: &Path, lease: &Lease, network: &Network) -> Result<Self> {
        let log = lease.dir().join("console.log");
        let console = File::create(&log).context("the console's log cannot be written")?;
        let packages = lease.dir().join("packages");
        fs::create_dir(&packages).context("the packages' folder cannot be made")?;
        let child = Command::new("systemd-nspawn")
            .args([
                "--quiet",
                "--boot",
                "--register=no",
                "--keep-unit",
                "--console=pipe",
            ])
            .args([
                "--machine=garita-trial",
                "--volatile=overlay",
                "--private-users=no",
            ])
            .args(["--link-journal=no", "--resolv-conf=off", "--timezone=off"])
            // The kernel's meter; a container is not given these by itself.
            .args([
                "--capability=CAP_BPF,CAP_PERFMON,CAP_NET_ADMIN",
                "--system-call-filter=bpf",
            ])
            .arg(format!(
                "--network-namespace-path=/run/netns/{}",
                network.gateway
            ))
            .arg(format!("--bind-ro={}:{PACKAGES}", packages.display()))
            .arg(format!("--directory={}", tree.display()))
            .stdin(Stdio::null())
            .stdout(
                console
                    .try_clone()
                    .context("the console's log cannot be shared")?,
            )
            .stderr(console)
            .spawn()
            .context("cannot run systemd-nspawn")?;
        let mut machine = Self {
            child,
            init: 0,
            log,
            packages,
        };
        machine.wait("the container boots", BOOT, |machine| {
            if let Some(status) = machine.child.try_wait()? {
                bail!("the container ended ({status}): {}", machine.console());
            }
            machine.init = first_child(machine.child.id());
            Ok(machine.init != 0 && machine.has_booted())
        })?;
        Ok(machine)
    }

    fn has_booted(&self) -> bool {
        self.inside("systemctl is-system-running")
            .output()
            .is_ok_and(|said| said.stdout == b"running\n")
    }

    /// Runs a shell script inside and returns what it printed; that it fails is an error.
    pub(super) fn run(&self, script: &str) -> Result<String> {
        let output = self.inside(script).output().context("cannot run nsenter")?;
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        ensure!(
            output.status.success(),
            "`{script}` ended with {}: {} {}",
            output.status,
            said(&output.stdout),
            said(&output.stderr)
        );
        Ok(said(&output.stdout))
    }

    /// Whether a shell script succeeds inside.
    pub(super) fn holds(&self, script: &str) -> bool {
        self.inside(script)
            .output()
            .is_ok_and(|output| output.status.success())
    }

    /// Waits until a shell script succeeds inside.
    pub(super) fn wait_until(&mut self, script: &str, patience: Duration) -> Result<Duration> {
        self.wait(script, patience, |machine| Ok(machine.holds(script)))
    }

    fn wait(
        &mut self,
        what: &str,
        patience: Duration,
        mut happened: impl FnMut(&mut Self) -> Result<bool>,
    ) -> Result<Duration> {
        let begun = Instant::now();
        while !happened(self)? {
            ensure!(
                begun.elapsed() < patience,
                "not in {patience:?}: {what}; {}",
                self.console()
            );
            std::thread::sleep(LOOK);
        }
        Ok(begun.elapsed())
    }

    /// Copies a package to where the container sees it, and returns its path there.
    pub(super) fn show(&self, package: &Path) -> Result<String> {
        let name = package.file_name().context("a package has a name")?;
        fs::copy(package, self.packages.join(name))
            .with_context(|| format!("{} cannot be copied", package.display()))?;
        Ok(format!("{PACKAGES}/{}", name.to_string_lossy()))
    }

    /// What the container has noted, for whoever looks for a fault.
    pub(super) fn journal(&self) -> String {
        self.run(
            "journalctl --boot --no-pager --lines 60; systemctl status --no-pager garita || true",
        )
        .unwrap_or_else(|error| format!("{error:#}"))
    }

    fn inside(&self, script: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.init.to_string()])
            .args([
                "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wdns=/",
                "--",
            ])
            .args(["env", "--ignore-environment", "TERM=dumb", "LC_ALL=C"])
            .args([
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                "DEBIAN_FRONTEND=noninteractive",
            ])
            .args(["sh", "-euc", script])
            .stdin(Stdio::null());
        command
    }

    fn console(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(5)..].join(" / ")
    }
}

impl Drop for Machine {
    /// Turns it off. Nothing in it outlives its first process.
    fn drop(&mut self) {
        if let Some(init) = i32::try_from(self.init).ok().and_then(Pid::from_raw) {
            let _ = kill_process(init, Signal::KILL);
        } else {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
        // systemd-nspawn makes these beside its own group and leaves them.
        for hierarchy in ["systemd", "unified", ""] {
            for group in ["payload", "supervisor"] {
                remove_groups(&Path::new("/sys/fs/cgroup").join(hierarchy).join(group));
            }
        }
    }
}

/// Removes empty control groups, innermost first; the kernel refuses one that is in use.
fn remove_groups(group: &Path) {
    let entries = group.read_dir().into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.path().is_dir()) {
        remove_groups(&entry.path());
    }
    let _ = fs::remove_dir(group);
}

/// The first process that `parent` has started, or 0.
fn first_child(parent: u32) -> u32 {
    fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))
        .ok()
        .and_then(|children| children.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}
