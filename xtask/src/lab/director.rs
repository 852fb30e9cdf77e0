//! Performs a scenario on a stage and leaves its capture.
//! A capture whose attack did not run, or that lost packets, is an error, never a file.

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use super::chatter;
use super::frames::{self, Frame};
use super::running::{self, Running};
use super::scenario::{Act, Class, Scenario};
use super::stage::{Script, Stage};
use super::topology::{Host, Role};

/// What every play's script starts with.
const PRELUDE: &str = include_str!("play/prelude.sh");

/// An attack of fewer packets did not happen.
const FEW: usize = 12;

/// How often exits are looked for: fine enough for scenarios of tens of seconds.
const LOOK: Duration = Duration::from_millis(50);

/// Records `scenario` into `capture`.
pub(crate) fn perform(scenario: &Scenario, capture: &Path) -> Result<()> {
    let stage = Stage::build(&scenario.topology())?;
    let mut servers = Vec::new();
    for (host, service) in &scenario.services {
        servers.push(service.start(&stage, *host)?);
    }
    if let Some(flood) = scenario.flood {
        let victim = Host::new(Role::Server, 1).address(scenario.family);
        frames::write(
            &stage.dir().join("forged.pcap"),
            &flood.frames(victim, scenario.seed),
        )?;
    }
    let partial = stage.dir().join("capture.pcap");
    let recorder = stage.record(&partial)?;
    let until = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("the clock is before 1970")?;
    let until = until.as_secs() + scenario.seconds;
    let mut acts = Vec::new();
    for act in &scenario.acts {
        acts.push((act, start(&stage, scenario, act, until)?));
    }
    let deadline = Instant::now() + Duration::from_secs(scenario.seconds);
    let result = wait(&mut acts, deadline);
    for (_, act) in &mut acts {
        act.end(Signal::TERM)?;
    }
    stage.finish_recording(recorder)?;
    result?;
    let mut recorded = frames::read(&partial)?;
    check_attacked(scenario, &recorded)?;
    recorded = chatter::among(recorded, scenario.chatter, scenario.seed);
    if let Some(vlan) = scenario.vlan {
        let tag = frames::tag(0x8100, vlan);
        recorded = recorded
            .into_iter()
            .map(|frame| frame.tagged(&tag))
            .collect();
    }
    frames::write(capture, &recorded)
}

/// A tool may end content without having sent anything.
fn check_attacked(scenario: &Scenario, recorded: &[Frame]) -> Result<()> {
    for act in scenario
        .acts
        .iter()
        .filter(|act| act.play.class != Class::Benign)
    {
        let host = act.host.address(scenario.family);
        let is_its = |from: &IpAddr| {
            scenario
                .flood
                .map_or(*from == host, |flood| flood.pretends(*from))
        };
        let sent = recorded
            .iter()
            .filter_map(Frame::source)
            .filter(is_its)
            .count();
        if sent < FEW {
            bail!(
                "the attack {} of {} sent {sent} packets",
                act.play.name,
                act.host
            );
        }
    }
    Ok(())
}

fn start(stage: &Stage, scenario: &Scenario, act: &Act, until: u64) -> Result<Running> {
    let text = format!("{PRELUDE}\n{}", act.play.text);
    let environment = scenario.environment(act, until);
    stage.run(
        act.host,
        act.play.name,
        Script {
            text: &text,
            environment: &environment,
        },
    )
}

/// Waits for the deadline or for all to end; an act that fails makes its label a lie.
fn wait(acts: &mut [(&Act, Running)], deadline: Instant) -> Result<()> {
    while Instant::now() < deadline {
        running::check_interrupted()?;
        let mut left = 0;
        for (act, running) in acts.iter_mut() {
            match running.ended()? {
                None => left += 1,
                Some(status) if !status.success() => {
                    let kind = if act.play.class == Class::Benign {
                        "benign act"
                    } else {
                        "attack"
                    };
                    bail!(
                        "{kind} {} failed ({status}): {}",
                        running.name(),
                        running.last_words()
                    );
                }
                Some(_) => {}
            }
        }
        if left == 0 {
            break;
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}
