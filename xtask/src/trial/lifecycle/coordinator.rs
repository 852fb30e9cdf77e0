//! The coordinator's package beside the sensor's: installed, given its first admin and a token, joined by the sensor, brought
//! up to date, removed and purged. No step does what the README does not tell an administrator to do.

use anyhow::{Result, ensure};

use super::{RESTART, Trial};

/// Where the API listens.
const API: &str = "http://127.0.0.1:8420";

pub(super) fn install(trial: &mut Trial) -> Result<String> {
    let package = trial.package(2)?;
    let machine = &trial.machine;
    machine.run(&format!("dpkg --install {package}"))?;
    for (holds, otherwise) in [
        ("getent passwd garita-coordinator", "there is no account"),
        (
            "systemctl is-enabled garita-coordinator",
            "the service is not enabled",
        ),
        (
            "! systemctl is-active garita-coordinator",
            "the service was started",
        ),
        (
            "test \"$(stat -c '%U %a' /var/lib/garita-coordinator)\" = 'garita-coordinator 750'",
            "/var/lib/garita-coordinator is not the coordinator's alone",
        ),
        (
            "test \"$(stat -c '%U %a' /etc/garita-coordinator/credentials)\" = 'root 700'",
            "secrets are not root's alone",
        ),
        (
            "grep -q '^mode = \"observe\"' /etc/garita-coordinator/coordinator.toml",
            "it would not observe first",
        ),
        (
            "test -z \"$(systemd-analyze verify --man=no garita-coordinator.service 2>&1)\"",
            "systemd-analyze verify finds fault with the unit",
        ),
    ] {
        ensure!(machine.holds(holds), "{otherwise}");
    }
    // The key that signs, and the one edit that a first start takes.
    machine.run(
        "cd /etc/garita-coordinator
         openssl genpkey -algorithm ed25519 -out credentials/orders.key
         sed -i 's|^url = \"\"|url = \"mqtt://127.0.0.1\"|; s|^kid = \"\"|kid = \"ops-1\"|' coordinator.toml
         mkdir -p /etc/systemd/system/garita-coordinator.service.d
         printf '[Service]\\nLoadCredential=orders.key:/etc/garita-coordinator/credentials/orders.key\\n' \
             > /etc/systemd/system/garita-coordinator.service.d/credentials.conf
         systemctl daemon-reload && systemctl start garita-coordinator",
    )?;
    let user = machine.run("ps -o user:32= -p $(systemctl show -P MainPID garita-coordinator)")?;
    ensure!(user == "garita-coordinator", "it runs as {user}");
    trial
        .machine
        .wait_until(&format!("curl -fsS {API}/readyz"), RESTART)?;
    let machine = &trial.machine;
    let memory = machine.run("ps -o rss= -p $(systemctl show -P MainPID garita-coordinator)")?;
    let score = machine
        .run("systemd-analyze security --no-pager garita-coordinator | grep -o 'exposure.*'")?;
    Ok(format!("ready as {user}, {memory} kB resident, {score}"))
}

/// Who may ask, and that nobody else may.
pub(super) fn admin(trial: &mut Trial) -> Result<String> {
    let machine = &trial.machine;
    ensure!(
        machine.run(&format!(
            "curl -s -o /dev/null -w '%{{http_code}}' {API}/api/v1/incidents"
        ))? == "401",
        "somebody without a token is let in"
    );
    machine.run("journalctl --unit garita-coordinator | grep -F 'make the first admin at'")?;
    machine.run(
        "runuser -u garita-coordinator -- garita-coordinator token create --name trial --role viewer > /run/token
         printf 'header = \"Authorization: Bearer %s\"\\n' \"$(cat /run/token)\" > /run/curl",
    )?;
    let items = machine.run(&format!("curl -fsS -K /run/curl {API}/api/v1/incidents"))?;
    ensure!(
        items == "{\"items\":[],\"next\":null}",
        "a new coordinator knows of {items}"
    );
    Ok("401 without a token, an empty listing with one".to_owned())
}

/// The sensor that was tried before reports to it, and obeys it.
pub(super) fn join(trial: &mut Trial) -> Result<String> {
    let machine = &mut trial.machine;
    let key = machine.run(
        "journalctl --unit garita-coordinator | grep -o 'report.command_keys = .*]' | tail -n 1 | sed 's/^report.command_keys = //'",
    )?;
    machine.run(&format!(
        "cd /etc/garita
         sed -i '/^\\[report\\]/,/^\\[/ {{ s|^url = .*|url = \"mqtt://127.0.0.1\"|; s|^site = .*|site = \"north\"|; s|^command_keys = .*|command_keys = {key}| }}' garita.toml
         garita check && systemctl restart garita"
    ))?;
    machine.wait_until("garita-coordinator sensor list | grep online", RESTART)?;
    machine.run(
        "runuser -u garita-coordinator -- garita-coordinator block add 198.18.7.7 --ttl 10m --reason trial",
    )?;
    let shown = "garita blocks list | grep -F 198.18.7.7";
    let seconds = machine.wait_until(shown, RESTART)?.as_secs_f64();
    let line = machine.run(shown)?;
    Ok(format!("{line} ({seconds:.1} s after it was ordered)"))
}

pub(super) fn upgrade(trial: &mut Trial) -> Result<String> {
    let package = trial.package(3)?;
    let machine = &mut trial.machine;
    let before = machine.run("systemctl show -P MainPID garita-coordinator")?;
    machine.run(&format!("dpkg --install --force-confold {package}"))?;
    let ready = format!("curl -fsS {API}/readyz");
    let seconds = machine.wait_until(&ready, RESTART)?.as_secs_f64();
    let after = machine.run("systemctl show -P MainPID garita-coordinator")?;
    ensure!(after != before, "the old program still runs");
    machine.run(&format!(
        "curl -fsS -K /run/curl {API}/api/v1/sensors | grep -F north && garita-coordinator audit verify && garita-coordinator block list | grep -F 198.18.7.7"
    ))?;
    Ok(format!(
        "ready {seconds:.1} s later; token, sensor, block and audit trail kept"
    ))
}

pub(super) fn remove(trial: &mut Trial) -> Result<String> {
    let machine = &trial.machine;
    machine.run("dpkg --remove garita-coordinator")?;
    for (holds, otherwise) in [
        ("! pgrep garita-coordin", "a process is left"),
        (
            "garita blocks list | grep -F 198.18.7.7",
            "what it ordered went with it",
        ),
        (
            "test -s /etc/garita-coordinator/coordinator.toml && test -s /var/lib/garita-coordinator/coordinator.db",
            "records or configuration went too",
        ),
    ] {
        ensure!(machine.holds(holds), "{otherwise}");
    }
    machine.run("dpkg --purge garita-coordinator; rm -r /etc/systemd/system/garita-coordinator.service.d; systemctl daemon-reload")?;
    let left = machine.run(
        "find / -xdev \\( -path /proc -o -path /sys -o -path /opt/packages \\) -prune -o -iname '*garita-coordinator*' -print",
    )?;
    ensure!(left.is_empty(), "left: {left}");
    Ok("no process, no file; what it ordered holds at the sensor".to_owned())
}
