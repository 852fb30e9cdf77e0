//! `garita withdraw`: takes everything of Garita out of the kernel, for when the package is removed.
//! It touches neither records nor files, and nothing of anybody else's.

use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, ensure};
use sensor::capture::kernel;
use sensor::firewall::{Firewall, FirewallError, Nftables};
use settings::Config;

/// Removes the rules, every block with them, and the programs that a killed run left.
pub fn run(config: &Config) -> Result<()> {
    let socket = &*config.control.socket;
    ensure!(
        UnixStream::connect(socket).is_err(),
        "a sensor answers at {} and would put everything back; stop it first: systemctl stop garita",
        socket.display()
    );
    // What ails the one must not keep the other.
    let rules = Nftables::open().and_then(|mut firewall| firewall.remove());
    let programs = kernel::withdraw();
    match rules {
        Err(FirewallError::Absent { .. }) => {}
        rules => rules.context("the firewall's rules are still in the kernel")?,
    }
    programs.context("programs are still in the kernel")?;
    Ok(())
}
