//! Runs every test with everything it needs, and says aloud what was skipped. A skip is a failure where `CI` is `true`.

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use crate::{ebpf, provision, target};

/// Names the file that a skipping test appends `SKIPPED <name>: <reason>` to: cargo hides what a passing test prints.
const SKIPS: &str = "GARITA_SKIPS";

/// Names the kernel program for the tests that load it.
const OBJECT: &str = "GARITA_METER_OBJECT";

/// Installs what the tests need, builds the kernel program and runs `cargo test` with `arguments`.
pub(crate) fn run(shell: &Shell, arguments: &[String]) -> Result<()> {
    provision::everything(shell)?;
    let object = ebpf::build(shell)?;
    let skips = target().join("skips.txt");
    shell.write_file(&skips, "")?;
    let outcome = cmd!(
        shell,
        "cargo test --workspace --no-fail-fast {arguments...}"
    )
    .env(SKIPS, &skips)
    .env(OBJECT, &object)
    .run();
    let skipped = shell.read_file(&skips)?;
    let skipped = skipped_tests(&skipped);
    for line in &skipped {
        println!("{line}");
    }
    println!("{} tests skipped", skipped.len());
    outcome.context("tests failed: their names stand above")?;
    let strict = std::env::var("CI").is_ok_and(|value| value == "true");
    ensure!(
        !strict || skipped.is_empty(),
        "{} tests were skipped, and CI=true allows none",
        skipped.len()
    );
    Ok(())
}

/// A test that runs in several binaries skips once.
fn skipped_tests(file: &str) -> Vec<&str> {
    let mut lines: Vec<_> = file
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines.sort_unstable();
    lines.dedup();
    lines
}

#[cfg(test)]
mod tests {
    use super::skipped_tests;

    #[test]
    fn a_skip_counts_once() {
        let file = "SKIPPED live: no root\n\nSKIPPED block: no nft\nSKIPPED live: no root\n";
        assert_eq!(
            skipped_tests(file),
            ["SKIPPED block: no nft", "SKIPPED live: no root"]
        );
    }
}
