//! The package's life, a step a function: from the installation to the purge, each with what has to be seen then.
//! A step sees what an administrator sees: systemctl, nft, files, and `garita` itself.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::machine::Machine;
use super::network::{ATTACKER, GATEWAY, INTERFACE, Network};

/// What a step works with.
pub(super) struct Trial {
    pub(super) machine: Machine,
    pub(super) network: Network,
    pub(super) packages: [PathBuf; 2],
}

type Step = fn(&mut Trial) -> Result<String>;

/// In this order; a step relies on what those before have shown.
pub(super) const STEPS: &[(&str, Step)] = &[
    ("a Debian without Rust", bare),
    ("install", install),
    ("check", check),
    ("start", start),
    ("attack", attack),
    ("reload", reload),
    ("upgrade", upgrade),
    ("killed", killed),
    ("hung", hung),
    ("stop", stop),
    ("remove", remove),
    ("purge", purge),
];

/// What it takes until a block shows, the attack included.
const DETECTION: Duration = Duration::from_secs(60);

/// The unit's watchdog, what systemd waits for a core, the pause before a restart, and a margin.
const WATCHDOG: Duration = Duration::from_secs(30 + 5 + 2 + 20);

/// A pause before a restart and a start, on a busy machine.
const RESTART: Duration = Duration::from_secs(30);

/// Finds the attacker among the blocks.
const BLOCKED: &str = "garita blocks list | grep -F 203.0.113.7 && nft list set inet garita blocked4 | grep -F 203.0.113.7";

fn bare(trial: &mut Trial) -> Result<String> {
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

fn install(trial: &mut Trial) -> Result<String> {
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
    ] {
        ensure!(machine.holds(holds), "{otherwise}");
    }
    machine.run("dpkg-query --show --showformat '${Package} ${Version}, ${Installed-Size} kB installed' garita; echo ', enabled, not started'")
}

/// The two edits that make an observer a guard.
fn check(trial: &mut Trial) -> Result<String> {
    let machine = &trial.machine;
    machine.run(&format!(
        "cd /etc/garita; sed -i 's/^interfaces = .*/interfaces = [\"{INTERFACE}\"]/; s/^mode = \"observe\"/mode = \"enforce\"/' garita.toml
         grep -q '{INTERFACE}' garita.toml && grep -q enforce garita.toml"
    ))?;
    machine.run("garita check")?;
    let refused = machine.run(
        "sed 's/^block_ttl = .*/block_ttl = \"soon\"/' /etc/garita/garita.toml > /tmp/bad.toml
         garita --config /tmp/bad.toml check > /tmp/said 2>&1 && exit 1 || echo $?",
    )?;
    ensure!(
        refused == "78",
        "a bad configuration ends with {refused}, not 78"
    );
    Ok(format!(
        "sound with {INTERFACE} and enforce; a bad block_ttl ends with 78"
    ))
}

fn start(trial: &mut Trial) -> Result<String> {
    let machine = &trial.machine;
    machine.run("systemctl start garita")?;
    ensure!(
        machine.holds("systemctl is-active garita"),
        "it is not active"
    );
    ensure!(
        machine.holds("nft list table inet garita"),
        "there is no table"
    );
    let user = machine.run("ps -o user= -p $(systemctl show -P MainPID garita)")?;
    ensure!(user == "garita", "it runs as {user}");
    machine.run("garita allow add 198.51.100.0/24 --reason trial")?;
    machine.run("garita status > /dev/null")?;
    let meter =
        machine.run("journalctl --unit garita | grep -o 'watching through [a-z]*' | tail -n 1")?;
    let memory = machine.run("ps -o rss= -p $(systemctl show -P MainPID garita)")?;
    let score = machine.run("systemd-analyze security --no-pager garita | grep -o 'exposure.*'")?;
    Ok(format!(
        "active as {user}, {meter}, {memory} kB resident, {score}"
    ))
}

fn attack(trial: &mut Trial) -> Result<String> {
    let Trial {
        machine, network, ..
    } = trial;
    let ports = ["nmap", "-sT", "-Pn", "-n", "-r", "--max-retries", "1"];
    let target = [
        "--host-timeout",
        "20s",
        "-e",
        "wire",
        "-p",
        "1-1000",
        GATEWAY,
    ];
    network.attack(&[&ports[..], &target[..]].concat())?;
    let waited = machine.wait_until(BLOCKED, DETECTION)?;
    ensure!(
        !network.is_let_in()?,
        "the attacker is on the list and still let in"
    );
    machine.run("garita incidents list | grep -F 203.0.113.7")?;
    let line = machine.run("garita blocks list | grep -F 203.0.113.7")?;
    // A scan proves no address, so its block is short; an administrator who looks into it makes it last.
    machine.run("garita blocks add 203.0.113.7 --ttl 1h --reason trial")?;
    Ok(format!(
        "{line} (shown {:.1} s after nmap)",
        waited.as_secs_f64()
    ))
}

fn reload(trial: &mut Trial) -> Result<String> {
    let machine = &trial.machine;
    let before = machine.run("systemctl show -P MainPID garita")?;
    machine.run("sed -i 's/^block_ttl = .*/block_ttl = \"20m\"/' /etc/garita/garita.toml && systemctl reload garita")?;
    ensure!(
        machine.holds("systemctl is-active garita"),
        "it is not active"
    );
    ensure!(
        machine.run("systemctl show -P MainPID garita")? == before,
        "it was restarted"
    );
    trial.assert_blocked()?;
    Ok("the same process, the block holds".to_owned())
}

fn upgrade(trial: &mut Trial) -> Result<String> {
    let package = trial.package(1)?;
    let machine = &mut trial.machine;
    let before = machine.run("systemctl show -P MainPID garita")?;
    machine.run(&format!("dpkg --install --force-confold {package}"))?;
    machine.wait_until("systemctl is-active garita", RESTART)?;
    let after = machine.run("systemctl show -P MainPID garita")?;
    ensure!(after != before, "the old program still runs");
    machine.run("garita allow list | grep -F 198.51.100.0/24")?;
    machine.run("garita incidents list | grep -F 203.0.113.7")?;
    trial.assert_blocked()?;
    trial.machine.run("dpkg-query --show --showformat '${Version}' garita; echo ', block, incident and allowance kept'")
}

fn killed(trial: &mut Trial) -> Result<String> {
    trial.restarts(
        "systemctl kill --signal=KILL --kill-whom=main garita",
        RESTART,
    )
}

fn hung(trial: &mut Trial) -> Result<String> {
    trial.restarts(
        "systemctl kill --signal=STOP --kill-whom=main garita",
        WATCHDOG,
    )
}

fn stop(trial: &mut Trial) -> Result<String> {
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

fn remove(trial: &mut Trial) -> Result<String> {
    let Trial {
        machine, network, ..
    } = trial;
    machine.run("dpkg --remove garita")?;
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

fn purge(trial: &mut Trial) -> Result<String> {
    let machine = &trial.machine;
    machine.run("dpkg --purge garita")?;
    let left = machine.run(
        "find / -xdev \\( -path /proc -o -path /sys -o -path /opt/packages \\) -prune -o -iname '*garita*' -print; systemctl list-units --all --plain --no-legend | grep -i garita || true",
    )?;
    ensure!(left.is_empty(), "left: {left}");
    Ok("no file and no unit is left; the account stays, as Debian keeps them".to_owned())
}

impl Trial {
    /// Where the container sees a package.
    fn package(&self, which: usize) -> Result<String> {
        let package = self.packages.get(which).context("two packages are tried")?;
        self.machine.show(package)
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
