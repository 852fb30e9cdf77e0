//! Trains the model that ships with the sensor. The learning itself is `garita train`; nothing is decided here.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use xshell::{Shell, cmd};

use crate::{provision, tool};

/// The model the sensor embeds.
const MODEL: &str = "config/model.garita";

/// Trains from the captures listed in each folder's `labels.csv` and replaces the shipped model.
pub(crate) fn run(shell: &Shell, folders: &[PathBuf], arguments: &[String]) -> Result<()> {
    let mut labels = Vec::new();
    for folder in folders {
        let folder = std::path::absolute(folder)?;
        let file = folder.join("labels.csv");
        ensure!(
            file.is_file(),
            "{} has no labels.csv: a training folder lists its captures there",
            folder.display()
        );
        labels.push("--labels".into());
        labels.push(file.into_os_string());
    }
    provision::packages(shell, provision::BUILD)?;
    tool::by_hand(cmd!(
        shell,
        "cargo run --release --package sensor --bin garita -- train {labels...} -o {MODEL} {arguments...}"
    ))
    .run()?;
    Ok(())
}
