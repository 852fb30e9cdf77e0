//! The demonstration: a recorded attack through the sensor, as a table. It needs no kernel toolchain and no privileges.

use anyhow::{Result, ensure};
use clap::ValueEnum;
use xshell::{Shell, cmd};

use crate::{fleet, provision, tool};

/// The golden case that is shown: a port scan and a password search, with ordinary clients beside them.
const CASE: &str = "nmap-and-ssh";

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Subject {
    /// One sensor and a recorded attack
    Sensor,
    /// A broker, a coordinator and three sensors
    Coordinator,
}

/// Shows it.
pub(crate) fn run(shell: &Shell, subject: Subject, keep: bool) -> Result<()> {
    match subject {
        Subject::Sensor => sensor(shell),
        Subject::Coordinator => fleet::demo(shell, keep),
    }
}

/// Installs what is missing, builds the sensor and replays the recorded attack.
fn sensor(shell: &Shell) -> Result<()> {
    let capture = format!("tests/captures/{CASE}/input.pcap");
    ensure!(
        shell.path_exists(&capture),
        "the recorded attack {capture} is not in this checkout"
    );
    provision::packages(shell, provision::BUILD)?;
    tool::by_hand(cmd!(
        shell,
        "cargo run --profile demo --package sensor --bin garita -- replay {capture}"
    ))
    .run()?;
    Ok(())
}
