//! Two namespaces and a wire: the gateway's, which the container runs in, and the outside, where the attacker is.
//! Addresses are of the ranges for documentation, and no packet has a way out.

use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

use crate::lab::lease::Lease;

/// The gateway's interface to the outside.
pub(super) const INTERFACE: &str = "gate0";
/// The gateway's address.
pub(super) const GATEWAY: &str = "192.0.2.1";
/// The next hop, which is never blocked.
const ROUTER: &str = "192.0.2.254";
/// The attacker, behind the next hop.
pub(super) const ATTACKER: &str = "203.0.113.7";

/// The namespaces; they go with the lease.
pub(super) struct Network {
    pub(super) gateway: String,
    pub(super) outside: String,
}

impl Network {
    /// Makes both and the wire between them.
    pub(super) fn new(lease: &Lease) -> Result<Self> {
        let network = Self {
            gateway: lease.namespace("gateway")?,
            outside: lease.namespace("outside")?,
        };
        let Self { gateway, outside } = &network;
        run(Command::new("ip").args([
            "-n", gateway, "link", "add", INTERFACE, "type", "veth", "peer", "name", "wire",
            "netns", outside,
        ]))?;
        for (namespace, words) in [
            (gateway, format!("address add {GATEWAY}/24 dev {INTERFACE}")),
            (gateway, format!("link set {INTERFACE} up")),
            (gateway, "link set lo up".to_owned()),
            (outside, format!("address add {ROUTER}/24 dev wire")),
            (outside, format!("address add {ATTACKER}/32 dev lo")),
            (outside, "link set wire up".to_owned()),
            (outside, "link set lo up".to_owned()),
            (
                outside,
                format!("route replace {GATEWAY}/32 dev wire src {ATTACKER}"),
            ),
            (gateway, format!("route add default via {ROUTER}")),
        ] {
            run(Command::new("ip")
                .args(["-n", namespace])
                .args(words.split(' ')))?;
        }
        Ok(network)
    }

    /// Runs a program as the attacker.
    pub(super) fn attack(&self, words: &[&str]) -> Result<Output> {
        Command::new("ip")
            .args(["netns", "exec", &self.outside])
            .args(words)
            .output()
            .with_context(|| format!("cannot run {}", words[0]))
    }

    /// Lets the outside speak for a whole network.
    pub(super) fn accept_as_outside(&self, network: &str) -> Result<()> {
        run(Command::new("ip")
            .args(["-n", &self.outside])
            .args(["route", "replace", "local", network, "dev", "lo"]))
    }

    /// Whether the gateway answers the attacker's echo requests.
    pub(super) fn is_let_in(&self) -> Result<bool> {
        let ping = ["ping", "-c", "1", "-W", "1", "-I", ATTACKER, GATEWAY];
        Ok(self.attack(&ping)?.status.success())
    }
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().context("cannot run ip")?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
