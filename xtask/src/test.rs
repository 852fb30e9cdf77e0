//! Runs every test with everything it needs, and says aloud what was skipped. A skip is a failure where `CI` is `true`.

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use crate::{ebpf, provision, target, tool};

/// Names the file that a skipping test appends `<name>: <reason>` to: cargo hides what a passing test prints.
const SKIPS: &str = "GARITA_SKIPS";

/// Installs what the tests need, builds the kernel program and runs `cargo test` with `arguments`.
pub(crate) fn run(shell: &Shell, arguments: &[String]) -> Result<()> {
    provision::everything(shell)?;
    let object = ebpf::build(shell)?;
    let skips = target().join("skips.txt");
    shell.write_file(&skips, "")?;
    let outcome = tool::by_hand(cmd!(
        shell,
        "cargo test --workspace --no-fail-fast {arguments...}"
    ))
    .env(SKIPS, &skips)
    .env(ebpf::OBJECT, &object)
    .run();
    let skipped = shell.read_file(&skips)?;
    let skipped = skipped_tests(&skipped);
    for test in &skipped {
        println!("SKIPPED {test}");
    }
    println!("Skipped: {}", skipped.len());
    outcome.context("tests failed: their names stand above")?;
    let strict = std::env::var("CI").is_ok_and(|value| value == "true");
    ensure!(
        !strict || skipped.is_empty(),
        "a test was skipped, and CI=true allows none"
    );
    Ok(())
}

/// A test may skip in several binaries and counts once; one that also writes the word `SKIPPED` itself is understood.
fn skipped_tests(file: &str) -> Vec<&str> {
    let mut tests: Vec<_> = file
        .lines()
        .map(|line| line.trim_start_matches("SKIPPED ").trim())
        .filter(|test| !test.is_empty())
        .collect();
    tests.sort_unstable();
    tests.dedup();
    tests
}

#[cfg(test)]
mod tests {
    use super::skipped_tests;

    #[test]
    fn a_skip_counts_once() {
        let file = "SKIPPED live: no root\n\nblock: no nft\nlive: no root\n";
        assert_eq!(skipped_tests(file), ["block: no nft", "live: no root"]);
    }
}
