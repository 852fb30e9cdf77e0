//! The Debian the package is tried on: made once, kept below `target/`, and never written to again.

use std::path::PathBuf;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::target;

/// The release it is; the one whose systemd is the oldest the unit is written for.
const RELEASE: &str = "bookworm";

/// What a gateway has: systemd, the tools that look at the kernel, the libraries that the packages depend on, since the
/// container cannot fetch any, and a broker for the coordinator. There is no compiler.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,iproute2,nftables,libpcap0.8,libnftnl11,libmnl0,procps,mosquitto,curl,openssl";

/// Where the tree is; makes it where there is none.
pub(super) fn ready(shell: &Shell) -> Result<PathBuf> {
    let folder = target().join("trial");
    let tree = folder.join(RELEASE);
    if tree.exists() {
        return Ok(tree);
    }
    println!("Making a Debian {RELEASE} below {}.", tree.display());
    let unfinished = folder.join("unfinished");
    shell.remove_path(&unfinished)?;
    shell.create_dir(&folder)?;
    cmd!(
        shell,
        "debootstrap --variant=minbase --include={PACKAGES} {RELEASE} {unfinished}"
    )
    .ignore_stdout()
    .run()
    .with_context(|| {
        format!(
            "debootstrap failed; see {}",
            unfinished.join("debootstrap/debootstrap.log").display()
        )
    })?;
    // The packages it has fetched are installed.
    shell.remove_path(unfinished.join("var/cache/apt/archives"))?;
    std::fs::rename(&unfinished, &tree).context("the finished tree cannot be put in its place")?;
    Ok(tree)
}
