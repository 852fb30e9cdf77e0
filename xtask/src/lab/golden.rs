//! The small cases committed under `tests/captures`: one scenario and one README each.
//! A case is made again by name; captures that are already there are not touched unasked.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::director::perform;
use super::play;
use super::scenario::{Act, Class, Scenario};
use super::service;
use super::topology::{Host, Role};

/// Captures above this size do not belong in the repository.
const MAX_BYTES: u64 = 300_000;

pub(crate) const SERVER: Host = Host::new(Role::Server, 1);

pub(crate) const fn client(number: u8) -> Host {
    Host::new(Role::Client, number)
}

pub(crate) const fn attacker(number: u8) -> Host {
    Host::new(Role::Attacker, number)
}

/// Every case, in the order they are listed.
pub(crate) fn cases() -> Vec<Scenario> {
    vec![nmap_and_ssh()]
}

/// Records `scenario` into `captures/<name>/`, with its README.
pub(crate) fn record(scenario: &Scenario, captures: &Path) -> Result<()> {
    let dir = captures.join(&scenario.name);
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let capture = dir.join("input.pcap");
    perform(scenario, &capture).with_context(|| format!("case {}", scenario.name))?;
    let size = fs::metadata(&capture).context("the capture is gone")?.len();
    if size > MAX_BYTES {
        bail!("case {} is {size} bytes, above {MAX_BYTES}", scenario.name);
    }
    let readme = dir.join("README.md");
    fs::write(&readme, describe(scenario)?).with_context(|| format!("cannot write {}", readme.display()))
}

fn describe(scenario: &Scenario) -> Result<String> {
    let mut text = format!("# {}\n\n{}\n\n", scenario.name, scenario.purpose);
    text.push_str("| capture | attacker | victim | class |\n|---|---|---|---|\n");
    for label in scenario.labels() {
        let row = format!("| input.pcap | {} | {} | {} |\n", label.attacker, label.victim, label.class.word());
        text.push_str(&row);
    }
    text.push_str("\nWho does what:\n");
    for act in &scenario.acts {
        let kind = if act.play.class == Class::Benign { "benign" } else { act.play.class.word() };
        let variables: Vec<_> = act.variables.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let (host, target) = (act.host.address(scenario.family), act.target.address(scenario.family));
        let line = format!("- {host} → {target}: `{}` ({kind}) {}", act.play.name, variables.join(" "));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let mut programs: Vec<_> = scenario.acts.iter().flat_map(|act| act.play.programs()).collect();
    programs.extend(["tcpdump"]);
    programs.sort_unstable();
    programs.dedup();
    text.push_str(&format!("\nOrigin: `cargo xtask lab {}`, {}, at most {} s, with\n", scenario.name, today()?, scenario.seconds));
    for program in programs {
        text.push_str(&format!("- {}\n", service::version(program)));
    }
    Ok(text)
}

fn today() -> Result<String> {
    let date = std::process::Command::new("date").args(["-u", "+%Y-%m-%d"]).output();
    let date = date.context("cannot run date")?;
    Ok(String::from_utf8_lossy(&date.stdout).trim().to_owned())
}

fn nmap_and_ssh() -> Scenario {
    let mut scenario = Scenario::new(
        "nmap-and-ssh",
        "The demo: a port scan of one server, then a password attack on its ssh by another address, \
         while people use its pages, names, time, and ssh with keys.",
    );
    scenario.seconds = 80;
    scenario.services = vec![
        (SERVER, &service::SSH),
        (SERVER, &service::WEB),
        (SERVER, &service::DNS),
        (SERVER, &service::NTP),
    ];
    scenario.acts = vec![
        Act::new(attacker(1), &play::NMAP, SERVER).with("START", 15).with("OPTIONS", "-Pn -sS --top-ports 120 -T4"),
        Act::new(attacker(2), &play::HYDRA, SERVER)
            .with("START", 30)
            .with("SERVICE", "ssh")
            .with("WORDS", 12)
            .with("ROUNDS", 3)
            .with("TASKS", 4),
        Act::new(client(1), &play::BROWSE, SERVER).with("ASSETS", 8).with("THINK", 20),
        Act::new(client(2), &play::BROWSE, SERVER).with("ASSETS", 6).with("THINK", 25).with("SCHEME", "https"),
        Act::new(client(3), &play::DNS, SERVER).with("THINK", 4),
        Act::new(client(4), &play::SSH_KEY, SERVER).with("THINK", 15),
        Act::new(client(5), &play::RSYNC, SERVER).with("FILES", 12).with("THINK", 25),
        Act::new(client(6), &play::NTP, SERVER).with("THINK", 15),
    ];
    scenario
}
