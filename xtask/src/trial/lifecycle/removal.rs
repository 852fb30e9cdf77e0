//! The package's departure: stopped, removed, purged, and what must not be left of it.
//! Nothing of anybody else's may go along.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Trial;

pub(super) fn stop(trial: &mut Trial) -> Result<String> {
    trial.machine.run("systemctl stop garita")?;
    let left =
        "! systemctl is-active garita && ! systemctl is-failed garita && ! test -e /run/garita";
    ensure!(trial.machine.holds(left), "it did not end cleanly");
    ensure!(
        !trial.network.is_let_in()?,
        "the block went with the daemon"
    );
    trial.machine.run("systemctl start garita")?;
    trial.assert_blocked()?;
    Ok("ended cleanly, the block held meanwhile, started again".to_owned())
}

pub(super) fn remove(trial: &mut Trial) -> Result<String> {
    let links = trial.links()?;
    let Trial {
        machine, network, ..
    } = trial;
    machine.run("dpkg --remove garita")?;
    for link in &links {
        // The kernel is the machine's, so its bpftool sees them.
        let left = Command::new("bpftool")
            .args(["link", "show", "id", link])
            .output()
            .context("cannot run bpftool")?;
        ensure!(!left.status.success(), "the program's link {link} is left");
    }
    for (holds, otherwise) in [
        ("! nft list tables | grep .", "a table is left"),
        (
            "! tc filter show dev gate0 ingress | grep . && ! tc filter show dev gate0 egress | grep .",
            "a tc filter is left",
        ),
        (
            "! ip -details link show gate0 | grep xdp",
            "an XDP program is left",
        ),
        (
            "! tc qdisc show dev gate0 | grep clsact",
            "the qdisc of the tc filters is left",
        ),
        ("! test -e /run/garita", "/run/garita is left"),
        ("! pgrep garita", "a process is left"),
        (
            "test -s /etc/garita/garita.toml && test -d /var/lib/garita",
            "records or configuration went too",
        ),
    ] {
        ensure!(machine.holds(holds), "{otherwise}");
    }
    ensure!(network.is_let_in()?, "the attacker is still kept out");
    Ok("no table, no program, no process; records and configuration are kept".to_owned())
}

pub(super) fn purge(trial: &mut Trial) -> Result<String> {
    let machine = &trial.machine;
    machine.run("dpkg --purge garita")?;
    let left = machine.run(
        "find / -xdev \\( -path /proc -o -path /sys -o -path /opt/packages \\) -prune -o -iname '*garita*' -print; systemctl list-units --all --plain --no-legend | grep -i garita || true",
    )?;
    ensure!(left.is_empty(), "left: {left}");
    Ok("no file and no unit is left; the account stays, as Debian keeps them".to_owned())
}
