//! The package's arrival: installed, told its interface, observing, enforcing, corrected, and brought up to date.
//! No step does what the README does not tell an administrator to do.

use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::super::network::INTERFACE;
use super::{BLOCKED, RESTART, Trial};

pub(super) fn bare(trial: &mut Trial) -> Result<String> {
    let machine = &trial.machine;
    ensure!(
        !machine.holds("command -v rustc || command -v cargo || command -v gcc"),
        "there is a compiler"
    );
    // Something to be attacked: it answers whoever connects.
    machine.run(
        "printf '[Socket]\\nListenStream=7\\nAccept=yes\\n' > /run/systemd/system/echo.socket
         printf '[Service]\\nExecStart=/bin/cat\\nStandardInput=socket\\n' > /run/systemd/system/echo@.service
         systemctl daemon-reload && systemctl start echo.socket",
    )?;
    ensure!(
        trial.network.is_let_in()?,
        "the gateway does not answer before the trial"
    );
    machine.run(". /etc/os-release; echo $PRETTY_NAME, kernel $(uname -r), $(systemctl --version | head -n 1)")
}

pub(super) fn install(trial: &mut Trial) -> Result<String> {
    let package = trial.package(0)?;
    let machine = &trial.machine;
    machine.run(&format!("dpkg --install {package}"))?;
    for (holds, otherwise) in [
        ("getent passwd garita", "there is no account"),
        ("systemctl is-enabled garita", "the service is not enabled"),
        ("! systemctl is-active garita", "the service was started"),
        (
            "test \"$(stat -c '%U %a' /var/lib/garita)\" = 'garita 750'",
            "/var/lib/garita is not the sensor's alone",
        ),
        (
            "test \"$(stat -c '%U %a' /etc/garita/credentials)\" = 'root 700'",
            "secrets are not root's alone",
        ),
        (
            "grep -q '^mode = \"observe\"' /etc/garita/garita.toml",
            "it would not observe first",
        ),
        (
            "! nft list tables | grep garita",
            "there are rules before the start",
        ),
        (
            "test -z \"$(systemd-analyze verify --man=no garita.service 2>&1)\"",
            "systemd-analyze verify finds fault with the unit",
        ),
    ] {
        ensure!(machine.holds(holds), "{otherwise}");
    }
    machine.run("dpkg-query --show --showformat '${Package} ${Version}, ${Installed-Size} kB installed' garita; echo ', enabled, not started, unit verified'")
}

/// The one edit that a first start takes.
pub(super) fn check(trial: &mut Trial) -> Result<String> {
    let machine = &trial.machine;
    machine.run(&format!(
        "cd /etc/garita; sed -i 's/^interfaces = .*/interfaces = [\"{INTERFACE}\"]/' garita.toml; grep -q '{INTERFACE}' garita.toml"
    ))?;
    let found = machine.run("garita check")?;
    let meter = found.lines().find(|line| line.contains(" meter "));
    let meter = meter.context("the meter is not among what is checked")?;
    ensure!(
        meter.contains("in the kernel (ebpf)"),
        "the kernel's meter is not used: {meter}"
    );
    let refused = machine.run(
        "sed 's/^block_ttl = .*/block_ttl = \"soon\"/' /etc/garita/garita.toml > /tmp/bad.toml
         garita --config /tmp/bad.toml check > /tmp/said 2>&1 && exit 1 || echo $?",
    )?;
    ensure!(
        refused == "78",
        "a bad configuration ends with {refused}, not 78"
    );
    let meter = meter.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(format!("{meter}; a bad block_ttl ends with 78"))
}

pub(super) fn start(trial: &mut Trial) -> Result<String> {
    let machine = &trial.machine;
    machine.run("systemctl start garita")?;
    ensure!(
        machine.holds("systemctl is-active garita"),
        "it is not active"
    );
    ensure!(
        !machine.holds("nft list table inet garita"),
        "there are rules while it observes"
    );
    let user = machine.run("ps -o user= -p $(systemctl show -P MainPID garita)")?;
    ensure!(user == "garita", "it runs as {user}");
    let meter =
        machine.run("journalctl --unit garita | grep -o 'watching by [a-z]*' | tail -n 1")?;
    ensure!(
        meter.ends_with("ebpf"),
        "it is {meter}, not the kernel's meter"
    );
    let links = trial.links()?.len();
    machine.run("garita allow add 198.51.100.0/24 --reason trial")?;
    machine.run("garita status > /dev/null")?;
    let memory = machine.run("ps -o rss= -p $(systemctl show -P MainPID garita)")?;
    let score = machine.run("systemd-analyze security --no-pager garita | grep -o 'exposure.*'")?;
    Ok(format!(
        "active as {user}, {meter}, {links} links, {memory} kB resident, {score}"
    ))
}

/// Shows a would-be block, and drops nothing.
pub(super) fn observe(trial: &mut Trial) -> Result<String> {
    let shown = "garita blocks list | grep -F 203.0.113.7 | grep 'would be'";
    let seconds = trial.scan_until(shown)?;
    ensure!(
        trial.network.is_let_in()?,
        "the attacker is kept out while it observes"
    );
    let line = trial.machine.run(shown)?;
    Ok(format!("{line} ({seconds:.1} s after nmap began)"))
}

/// The edit that makes an observer a guard.
pub(super) fn enforce(trial: &mut Trial) -> Result<String> {
    trial.machine.run(
        "sed -i 's/^mode = \"observe\"/mode = \"enforce\"/' /etc/garita/garita.toml && garita check && systemctl reload garita",
    )?;
    let taken = trial.machine.wait_until(BLOCKED, RESTART)?.as_secs_f64();
    // Again from the beginning, to see how long that takes.
    trial.machine.run("garita blocks remove 203.0.113.7")?;
    let seconds = trial.scan_until(BLOCKED)?;
    ensure!(
        !trial.network.is_let_in()?,
        "the attacker is on the list and still let in"
    );
    let machine = &trial.machine;
    machine.run("garita incidents list | grep -F 203.0.113.7")?;
    let line = machine.run("garita blocks list | grep -F 203.0.113.7")?;
    Ok(format!(
        "the would-be block holds {taken:.1} s after the reload; {line} ({seconds:.1} s after nmap began)"
    ))
}

/// The runbook for a wrong block, by the command that `explain` gives.
pub(super) fn undo(trial: &mut Trial) -> Result<String> {
    let machine = &trial.machine;
    let known = machine.run("garita explain 203.0.113.7")?;
    let undo = known
        .lines()
        .find_map(|line| Some(line.split_once("undo ")?.1.trim()));
    let undo = undo.with_context(|| format!("explain does not say how to undo it: {known}"))?;
    machine.run(undo)?;
    ensure!(
        !machine.holds(BLOCKED),
        "the block is still on the list after `{undo}`"
    );
    ensure!(
        trial.network.is_let_in()?,
        "the attacker is kept out after `{undo}`"
    );
    // Records are written a moment later.
    trial
        .machine
        .wait_until("garita audit list | grep -F 203.0.113.7", RESTART)?;
    let machine = &trial.machine;
    machine.run("garita audit verify")?;
    // A scan proves no address, so its own block is short; an administrator's lasts until the removal below.
    machine.run("garita blocks add 203.0.113.7 --ttl 1h --reason trial")?;
    trial.assert_blocked()?;
    Ok(format!("`{undo}` let it in again; blocked by hand since"))
}

pub(super) fn upgrade(trial: &mut Trial) -> Result<String> {
    let package = trial.package(1)?;
    let machine = &mut trial.machine;
    let incidents = machine.run("garita incidents list --json | wc -l")?;
    let before = machine.run("systemctl show -P MainPID garita")?;
    let begun = Instant::now();
    // As apt does where nobody is there to be asked.
    machine.run(&format!("dpkg --install --force-confold {package}"))?;
    machine.wait_until("systemctl is-active garita", RESTART)?;
    let seconds = begun.elapsed().as_secs_f64();
    let after = machine.run("systemctl show -P MainPID garita")?;
    ensure!(after != before, "the old program still runs");
    machine.run("garita allow list | grep -F 198.51.100.0/24")?;
    machine.run("garita incidents list | grep -F 203.0.113.7")?;
    machine.run("grep -q '^mode = \"enforce\"' /etc/garita/garita.toml")?;
    let kept = machine.run("garita incidents list --json | wc -l")?;
    ensure!(
        kept == incidents,
        "{kept} of {incidents} incidents are left"
    );
    trial.assert_blocked()?;
    let version = trial
        .machine
        .run("dpkg-query --show --showformat '${Version}' garita")?;
    Ok(format!(
        "{version} after {seconds:.1} s; block, {kept} incidents, allowance and settings kept"
    ))
}
