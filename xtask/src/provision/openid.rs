//! The OpenID provider that the coordinator is tried with: a certified one from the npm registry, below `target/`.

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use super::{Package, has_program, package, packages};
use crate::target;

/// The version that was tried.
const PROVIDER: &str = "oidc-provider@9.13.3";

/// Where no other node is on the path.
const NODE: &[Package] = &[
    package("nodejs", "runs the OpenID provider"),
    package("npm", "fetches the OpenID provider"),
];

/// Installs it where it is not there yet.
pub(super) fn provider(shell: &Shell) -> Result<()> {
    let folder = target().join("tools/oidc");
    if folder.join("node_modules/oidc-provider").exists() {
        return Ok(());
    }
    if !has_program(shell, "npm") {
        packages(shell, NODE)?;
    }
    println!("Installing {PROVIDER} below {}.", folder.display());
    shell.create_dir(&folder)?;
    let _inside = shell.push_dir(&folder);
    cmd!(
        shell,
        "npm install --no-audit --no-fund --ignore-scripts {PROVIDER}"
    )
    .run()
    .with_context(|| format!("npm cannot install {PROVIDER}"))?;
    Ok(())
}
