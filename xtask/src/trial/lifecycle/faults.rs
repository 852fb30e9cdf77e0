//! What may happen to a running sensor: reloads, damage, crashes, a hang, and a flood.
//! The block of the attacker has to outlast each.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result, ensure};

use super::super::flood::{self, Sent};
use super::{BLOCKED, RESTART, Trial, WATCHDOG};

pub(super) fn reload(trial: &mut Trial) -> Result<String> {
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

/// A typing error in the configuration, and a wrong block to be lifted meanwhile.
pub(super) fn damaged(trial: &mut Trial) -> Result<String> {
    let machine = &trial.machine;
    machine.run(
        "cp /etc/garita/garita.toml /tmp/sound.toml && sed -i 's/^block_ttl = .*/block_ttl = \"soon\"/' /etc/garita/garita.toml
         systemctl reload garita",
    )?;
    let warning = machine.run("garita blocks remove 203.0.113.7 2>&1 > /dev/null")?;
    ensure!(
        warning.contains("policy.block_ttl"),
        "the damage is not told: {warning}"
    );
    ensure!(
        trial.network.is_let_in()?,
        "the block is not lifted while the configuration is damaged"
    );
    machine.run("garita blocks add 203.0.113.7 --ttl 1h --reason trial && garita status")?;
    machine.run(
        "cp /tmp/sound.toml /etc/garita/garita.toml && garita check && systemctl reload garita",
    )?;
    trial.assert_blocked()?;
    Ok(warning)
}

pub(super) fn aborted(trial: &mut Trial) -> Result<String> {
    trial.restarts(
        "systemctl kill --signal=ABRT --kill-whom=main garita",
        RESTART,
    )
}

pub(super) fn killed(trial: &mut Trial) -> Result<String> {
    trial.restarts(
        "systemctl kill --signal=KILL --kill-whom=main garita",
        RESTART,
    )
}

pub(super) fn hung(trial: &mut Trial) -> Result<String> {
    trial.restarts(
        "systemctl kill --signal=STOP --kill-whom=main garita",
        WATCHDOG,
    )
}

/// What the process holds now and held at most, kB, and the CPU time it has used, seconds.
const COST: &str = "pid=$(systemctl show -P MainPID garita); \
    echo $(grep -E 'VmRSS|VmHWM' /proc/$pid/status | grep -o '[0-9]*') $(ps -o cputimes= -p $pid)";

/// Asks the sensor every second of twenty.
const FLOODED: &str = "for second in $(seq 20); do sleep 1; garita status > /dev/null; done";

/// More traffic than one sender can make, in more flows than the tables hold.
pub(super) fn load(trial: &mut Trial) -> Result<String> {
    let (high, idle, before) = trial.cost()?;
    let going = AtomicBool::new(true);
    let Trial {
        machine, network, ..
    } = &*trial;
    let sent = thread::scope(|scope| -> Result<Sent> {
        let sender = scope.spawn(|| flood::send(network, &going));
        // The sensor has to answer while it is flooded.
        let answered = machine.run(FLOODED);
        going.store(false, Ordering::Relaxed);
        let sent = sender.join().ok().context("the sender ended early")??;
        answered.map(|_| sent)
    })?;
    let (peak, after, busy) = trial.cost()?;
    trial.machine.run(BLOCKED)?;
    ensure!(!trial.network.is_let_in()?, "the attacker is let in");
    let state = trial
        .machine
        .run("garita status | grep -E '^(tables|losses|blocks) ' | tr -s ' '")?;
    Ok(format!(
        "{:.0} packets/s in {} flows for {:.0} s: {idle} kB resident before (most so far {high}), {after} after, {peak} at most, {:.1} % of a CPU; {}",
        sent.packets as f64 / sent.seconds,
        sent.flows,
        sent.seconds,
        100.0 * (busy - before) / sent.seconds,
        state.replace('\n', "; "),
    ))
}

impl Trial {
    /// The most the process held, what it holds now, and its CPU time.
    fn cost(&self) -> Result<(u64, u64, f64)> {
        let said = self.machine.run(COST)?;
        let words: Vec<&str> = said.split_whitespace().collect();
        let [high, now, busy] = words[..] else {
            anyhow::bail!("the process's cost is not known: {said}");
        };
        Ok((high.parse()?, now.parse()?, busy.parse()?))
    }
}
