//! The tools and servers of the lab: Debian package → what needs it.
//! What is missing is installed and said, and starts no service on the machine.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use xshell::Shell;

use crate::provision::{self, Package, package};

/// A program that scripts name, and where it comes from.
struct Tool {
    program: &'static str,
    package: Package,
}

const fn tool(program: &'static str, package: Package) -> Tool {
    Tool { program, package }
}

static NEEDED: &[Tool] = &[
    tool("ip", package("iproute2", "namespaces and links")),
    tool(
        "ethtool",
        package("ethtool", "links that do not merge segments"),
    ),
    tool("tcpdump", package("tcpdump", "recording")),
    tool(
        "tcpreplay",
        package("tcpreplay", "sending frames written by hand"),
    ),
    tool("nft", package("nftables", "masquerading")),
    tool(
        "openssl",
        package("openssl", "passwords and certificates of the servers"),
    ),
    tool(
        "sshd",
        package("openssh-server", "server: ssh, scp, rsync, git"),
    ),
    tool("ssh", package("openssh-client", "clients with keys")),
    tool(
        "sshpass",
        package("sshpass", "clients that mistype passwords"),
    ),
    tool("nginx", package("nginx-light", "server: http, https")),
    tool("vsftpd", package("vsftpd", "server: ftp")),
    tool("dnsmasq", package("dnsmasq-base", "server: dns")),
    tool("chronyd", package("chrony", "server and client: ntp")),
    tool("mosquitto", package("mosquitto", "server: mqtt")),
    tool(
        "mosquitto_pub",
        package("mosquitto-clients", "mqtt devices"),
    ),
    tool(
        "redis-server",
        package("redis-server", "server: redis with a password"),
    ),
    tool("redis-cli", package("redis-tools", "redis clients")),
    tool("dovecot", package("dovecot-imapd", "server: imap")),
    tool("telnetd", package("inetutils-telnetd", "server: telnet")),
    tool("inetd", package("openbsd-inetd", "server: starts telnetd")),
    tool("git", package("git", "git clients and daemon")),
    tool("rsync", package("rsync", "rsync clients and daemon")),
    tool("curl", package("curl", "web clients")),
    tool("lftp", package("lftp", "ftp clients")),
    tool("aria2c", package("aria2", "parallel downloads")),
    tool("dig", package("bind9-dnsutils", "dns clients")),
    tool("dnsperf", package("dnsperf", "busy resolvers")),
    tool("ping", package("iputils-ping", "monitoring")),
    tool("iperf3", package("iperf3", "bulk transfers")),
    tool(
        "socat",
        package("socat", "small servers, datagrams, multicast"),
    ),
    tool("nc", package("netcat-openbsd", "health checks")),
    tool("nmap", package("nmap", "scan; nping for floods")),
    tool("zmap", package("zmap", "scan")),
    tool("masscan", package("masscan", "scan, kept for tests")),
    tool("hydra", package("hydra", "brute force")),
    tool("patator", package("patator", "brute force")),
    tool("medusa", package("medusa", "brute force, kept for tests")),
    tool("ncrack", package("ncrack", "brute force, kept for tests")),
    tool("hping3", package("hping3", "floods")),
    tool("h2load", package("nghttp2-client", "http flood")),
    tool("siege", package("siege", "http flood")),
    tool("ab", package("apache2-utils", "http flood, kept for tests")),
    tool("wrk", package("wrk", "load test (benign), kept for tests")),
    tool("slowhttptest", package("slowhttptest", "slow-dos")),
    tool("iodine", package("iodine", "dns tunnel")),
    tool("dns2tcpc", package("dns2tcp", "dns tunnel, kept for tests")),
];

/// Debian asks this file before a package starts its service (invoke-rc.d(8)).
const START_POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs what this machine lacks.
pub(crate) fn provision() -> Result<()> {
    let shell = Shell::new().context("the current folder cannot be read")?;
    let packages: Vec<_> = NEEDED.iter().map(|tool| tool.package).collect();
    let _quiet = NoServices::declare()?;
    provision::packages(&shell, &packages)
}

/// The lab's programs that `script` names outside comments.
pub(crate) fn programs(script: &'static str) -> Vec<&'static str> {
    let code = script.lines().filter(|line| !line.starts_with('#'));
    let words = code
        .flat_map(|line| line.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c))));
    words
        .filter(|word| NEEDED.iter().any(|tool| tool.program == *word))
        .collect()
}

/// The package `program` is from, with its version.
pub(crate) fn version(program: &str) -> String {
    let tool = NEEDED.iter().find(|tool| tool.program == program);
    let package = tool.map_or(program, |tool| tool.package.name);
    let shown = Command::new("dpkg-query")
        .args(["-W", "-f", "${Package} ${Version}", package])
        .output();
    match shown {
        Ok(shown) if shown.status.success() => String::from_utf8_lossy(&shown.stdout).into_owned(),
        _ => format!("{package} (not installed)"),
    }
}

/// While it lives, packages start no service; a policy the machine has already is left as it is.
struct NoServices {
    ours: bool,
}

impl NoServices {
    fn declare() -> Result<Self> {
        let ours = !Path::new(START_POLICY).exists();
        if ours {
            fs::write(START_POLICY, "#!/bin/sh\nexit 101\n")
                .and_then(|()| fs::set_permissions(START_POLICY, fs::Permissions::from_mode(0o755)))
                .with_context(|| format!("cannot write {START_POLICY}"))?;
        }
        Ok(Self { ours })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours {
            let _ = fs::remove_file(START_POLICY);
        }
    }
}
