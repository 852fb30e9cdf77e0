//! The demonstration: a recorded attack through the sensor, as a table. It needs no kernel toolchain and no privileges.

use anyhow::{Result, ensure};
use xshell::{Shell, cmd};

use crate::{provision, tool};

/// The golden case that is shown: a port scan and a password search, with ordinary clients beside them.
const CASE: &str = "nmap-and-ssh";

/// Installs what is missing, builds the sensor and replays the recorded attack.
pub(crate) fn run(shell: &Shell) -> Result<()> {
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
