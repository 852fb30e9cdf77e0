//! What the console takes from npm, at the versions that are locked: for the build of the coordinator, and for its tests.

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::provision::{self, Package, package};

/// Debian's npm comes with hundreds of packages of its own: it is installed only where there is no other.
const NPM: &[Package] = &[package(
    "npm",
    "fetches the console's scripts at their locked versions",
)];

/// Where `package.json` is.
const FOLDER: &str = "coordinator/web";

/// Has npm put there what the lock file names, where it is not there yet.
pub(crate) fn packages(shell: &Shell) -> Result<()> {
    let locked = format!("{FOLDER}/package-lock.json");
    let installed = format!("{FOLDER}/node_modules/.package-lock.json");
    if is_newer(&installed, &locked) {
        return Ok(());
    }
    if cmd!(shell, "which npm")
        .quiet()
        .ignore_stderr()
        .read()
        .is_err()
    {
        provision::packages(shell, NPM)?;
    }
    let _folder = shell.push_dir(FOLDER);
    cmd!(shell, "npm ci")
        .run()
        .context("npm cannot fetch what coordinator/web/package-lock.json names")
}

/// Whether the first file was written after the second.
fn is_newer(first: &str, second: &str) -> bool {
    let written =
        |path: &str| std::fs::metadata(crate::root().join(path)).and_then(|file| file.modified());
    matches!((written(first), written(second)), (Ok(first), Ok(second)) if first >= second)
}
