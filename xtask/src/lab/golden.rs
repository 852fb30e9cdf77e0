//! The small cases committed under `tests/captures`: one scenario and one README each.
//! A case is made again by name; captures that are already there are not touched unasked.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::director::perform;
use super::forged::Flood;
use super::frames;
use super::scenario::{Class, Scenario};
use super::service;
use super::written::Written;

/// Captures above this size do not belong in the repository.
const MAX_BYTES: u64 = 300_000;

/// Records `scenario` into `captures/<name>/`, with its README.
pub(crate) fn record(scenario: &Scenario, captures: &Path) -> Result<()> {
    let dir = captures.join(&scenario.name);
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let (capture, partial) = (dir.join("input.pcap"), dir.join("partial.pcap"));
    perform(scenario, &partial).with_context(|| format!("case {}", scenario.name))?;
    let size = fs::metadata(&partial).context("the capture is gone")?.len();
    if size > MAX_BYTES {
        fs::remove_file(&partial).context("cannot remove a capture")?;
        bail!("case {} is {size} bytes, above {MAX_BYTES}", scenario.name);
    }
    fs::rename(&partial, &capture).context("cannot rename a capture")?;
    write_readme(&dir, &describe(scenario)?)
}

/// Writes a case of frames written by hand into `captures/<name>/`, with its README.
pub(crate) fn write(case: &Written, captures: &Path) -> Result<()> {
    let dir = captures.join(case.name);
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    frames::write(&dir.join("input.pcap"), &(case.frames)())?;
    let Written { name, purpose, .. } = case;
    let text = format!(
        "# {name}\n\n{purpose}\n\nNobody attacks anybody here.\n\n\
         Origin: written frame by frame by `cargo xtask lab {name}` (`written.rs`); the same bytes every time.\n"
    );
    write_readme(&dir, &text)
}

fn write_readme(dir: &Path, text: &str) -> Result<()> {
    let readme = dir.join("README.md");
    fs::write(&readme, text).with_context(|| format!("cannot write {}", readme.display()))
}

fn describe(scenario: &Scenario) -> Result<String> {
    let mut text = format!("# {}\n\n{}\n\n", scenario.name, scenario.purpose);
    text.push_str("| capture | attacker | victim | class |\n|---|---|---|---|\n");
    for label in scenario.labels() {
        let row = format!(
            "| input.pcap | {} | {} | {} |\n",
            label.attacker,
            label.victim,
            label.class.word()
        );
        text.push_str(&row);
    }
    text.push_str("\nWho does what:\n");
    for act in &scenario.acts {
        let kind = if act.play.class == Class::Benign {
            "benign"
        } else {
            act.play.class.word()
        };
        let variables: Vec<_> = act
            .variables
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let (host, target) = (
            act.host.address(scenario.family),
            act.target.address(scenario.family),
        );
        let line = format!(
            "- {host} → {target}: `{}` ({kind}) {}",
            act.play.name,
            variables.join(" ")
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if let Some(vlan) = scenario.vlan {
        text.push_str(&format!(
            "\nEvery frame was given a tag of VLAN {vlan} after it was recorded.\n"
        ));
    }
    if let Some(flood) = scenario.flood {
        let Flood {
            kind,
            sources,
            packets,
            rate,
        } = flood;
        text.push_str(&format!(
            "\nForged: {packets} packets from {sources} sources, {rate} a second, {kind:?}.\n"
        ));
    }
    let mut programs: Vec<_> = scenario
        .acts
        .iter()
        .flat_map(|act| act.play.programs())
        .collect();
    programs.extend(
        scenario
            .services
            .iter()
            .flat_map(|(_, service)| service.programs()),
    );
    programs.extend(["tcpdump"]);
    programs.sort_unstable();
    programs.dedup();
    text.push_str(&format!(
        "\nOrigin: `cargo xtask lab {}`, {}, at most {} s, with\n",
        scenario.name,
        today()?,
        scenario.seconds
    ));
    for program in programs {
        text.push_str(&format!("- {}\n", service::version(program)));
    }
    Ok(text)
}

fn today() -> Result<String> {
    let date = std::process::Command::new("date")
        .args(["-u", "+%Y-%m-%d"])
        .output();
    let date = date.context("cannot run date")?;
    Ok(String::from_utf8_lossy(&date.stdout).trim().to_owned())
}
