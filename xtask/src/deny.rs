//! Checks what the dependencies are licensed under, where they come from, and what is known against them.
//! What is allowed stands in `.deny.toml`, and nowhere here.

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::tool::Tool;

const DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
    why: "checks licences, sources and advisories",
};

const CONFIG: &str = ".deny.toml";

/// Checks everything. Advisories need a database from the network: where it cannot be fetched this says so aloud, and
/// judges by the rest.
pub(crate) fn run(shell: &Shell) -> Result<()> {
    let deny = DENY.get(shell)?;
    cmd!(
        shell,
        "{deny} --log-level error --config {CONFIG} check licenses bans sources"
    )
    .run()
    .context("a dependency breaks .deny.toml: what and why stands above")?;
    let fetched = cmd!(shell, "{deny} --config {CONFIG} fetch db")
        .ignore_status()
        .output()?;
    if !fetched.status.success() {
        let said = String::from_utf8_lossy(&fetched.stderr);
        let reason = said.lines().rfind(|line| !line.trim().is_empty());
        let reason = reason.unwrap_or("it did not say why");
        println!("NOT CHECKED advisories: their database cannot be fetched here ({reason})");
        return Ok(());
    }
    cmd!(
        shell,
        "{deny} --config {CONFIG} check --disable-fetch advisories"
    )
    .run()
    .context("an advisory is known against a dependency: which one stands above")
}
