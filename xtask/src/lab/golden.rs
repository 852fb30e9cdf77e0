//! The small cases committed under `tests/captures`: one scenario and one README each.
//! A case is made again by name; captures that are already there are not touched unasked.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::cases;
use super::director::perform;
use super::forged::Flood;
use super::frames;
use super::packages;
use super::scenario::{Class, Label, Scenario};
use super::written::{self, Written};

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
    write_readme(&dir, &describe(scenario, &capture)?)
}

/// Writes the README of a recorded case again and leaves its capture as it is.
pub(crate) fn explain(scenario: &Scenario, captures: &Path) -> Result<()> {
    let dir = captures.join(&scenario.name);
    write_readme(&dir, &describe(scenario, &dir.join("input.pcap"))?)
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

/// Writes the labels of every case that has its capture.
pub(crate) fn write_labels(captures: &Path) -> Result<()> {
    let mut rows: Vec<_> = cases::all()
        .iter()
        .flat_map(|case| rows(&case.name, case.labels()))
        .collect();
    let nobody = written::CASES
        .iter()
        .map(|case| format!("{}/input.pcap,-,-,benign,test,written", case.name));
    rows.extend(nobody);
    rows.retain(|row| {
        row.split(',')
            .next()
            .is_some_and(|capture| captures.join(capture).exists())
    });
    rows.sort_unstable();
    let path = captures.join("labels.csv");
    let text = format!(
        "capture,attacker,victim,class,split,source\n{}\n",
        rows.join("\n")
    );
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Golden cases are for judging, whatever made them.
fn rows(name: &str, labels: Vec<Label>) -> impl Iterator<Item = String> {
    labels.into_iter().map(move |label| {
        let Label {
            attacker,
            victim,
            class,
            source,
            ..
        } = label;
        format!(
            "{name}/input.pcap,{attacker},{victim},{},test,{source}",
            class.word()
        )
    })
}

fn write_readme(dir: &Path, text: &str) -> Result<()> {
    let readme = dir.join("README.md");
    fs::write(&readme, text).with_context(|| format!("cannot write {}", readme.display()))
}

fn describe(scenario: &Scenario, capture: &Path) -> Result<String> {
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
    let mut packages: Vec<_> = programs.into_iter().map(packages::version).collect();
    packages.sort_unstable();
    packages.dedup();
    text.push_str(&format!(
        "\nOrigin: `cargo xtask lab {}`, {}, at most {} s, with\n",
        scenario.name,
        day_of(capture)?,
        scenario.seconds
    ));
    for package in packages {
        text.push_str(&format!("- {}\n", package));
    }
    Ok(text)
}

/// The day the capture was recorded, by its first frame.
fn day_of(capture: &Path) -> Result<String> {
    let frames = frames::read(capture)?;
    let first = frames.first().context("the capture is empty")?;
    let seconds = format!("@{}", first.at / 1_000_000);
    let date = Command::new("date")
        .args(["-u", "+%Y-%m-%d", "-d", &seconds])
        .output();
    let date = date.context("cannot run date")?;
    Ok(String::from_utf8_lossy(&date.stdout).trim().to_owned())
}
