//! The tools and servers of the lab: Debian package → what needs it.
//! It installs what is missing, says so, and starts no service on the machine.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Package, the program that shows it is there, and what the lab needs it for.
const NEEDED: &[(&str, &str, &str)] = &[
    ("iproute2", "ip", "namespaces and links"),
    ("ethtool", "ethtool", "links that do not merge segments"),
    ("tcpdump", "tcpdump", "recording"),
    ("tcpreplay", "tcpreplay", "sending frames written by hand"),
    ("nftables", "nft", "masquerading"),
    (
        "openssl",
        "openssl",
        "passwords and certificates of the servers",
    ),
    ("openssh-server", "sshd", "server: ssh, scp, rsync, git"),
    ("openssh-client", "ssh", "clients with keys"),
    ("sshpass", "sshpass", "clients that mistype passwords"),
    ("nginx-light", "nginx", "server: http, https"),
    ("vsftpd", "vsftpd", "server: ftp"),
    ("dnsmasq-base", "dnsmasq", "server: dns"),
    ("chrony", "chronyd", "server and client: ntp"),
    ("mosquitto", "mosquitto", "server: mqtt"),
    ("mosquitto-clients", "mosquitto_pub", "mqtt devices"),
    (
        "redis-server",
        "redis-server",
        "server: redis with a password",
    ),
    ("redis-tools", "redis-cli", "redis clients"),
    ("dovecot-imapd", "dovecot", "server: imap"),
    ("inetutils-telnetd", "telnetd", "server: telnet"),
    ("openbsd-inetd", "inetd", "server: starts telnetd"),
    ("git", "git", "git clients and daemon"),
    ("rsync", "rsync", "rsync clients and daemon"),
    ("curl", "curl", "web clients"),
    ("lftp", "lftp", "ftp clients"),
    ("aria2", "aria2c", "parallel downloads"),
    ("bind9-dnsutils", "dig", "dns clients"),
    ("dnsperf", "dnsperf", "busy resolvers"),
    ("iputils-ping", "ping", "monitoring"),
    ("iperf3", "iperf3", "bulk transfers"),
    ("socat", "socat", "small servers, datagrams, multicast"),
    ("netcat-openbsd", "nc", "health checks"),
    ("nmap", "nmap", "scan; nping for floods"),
    ("zmap", "zmap", "scan"),
    ("masscan", "masscan", "scan, kept for tests"),
    ("hydra", "hydra", "brute force"),
    ("patator", "patator", "brute force"),
    ("medusa", "medusa", "brute force, kept for tests"),
    ("ncrack", "ncrack", "brute force, kept for tests"),
    ("hping3", "hping3", "floods"),
    ("nghttp2-client", "h2load", "http flood"),
    ("siege", "siege", "http flood"),
    ("apache2-utils", "ab", "http flood, kept for tests"),
    ("wrk", "wrk", "load test (benign), kept for tests"),
    ("slowhttptest", "slowhttptest", "slow-dos"),
    ("iodine", "iodine", "dns tunnel"),
    ("dns2tcp", "dns2tcpc", "dns tunnel, kept for tests"),
];

/// Debian asks this file before a package starts its service (invoke-rc.d(8)).
const START_POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs the packages whose program is not found.
pub(crate) fn provision() -> Result<()> {
    let missing: Vec<_> = NEEDED
        .iter()
        .filter(|(_, program, _)| !is_found(program))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    for (package, _, purpose) in &missing {
        crate::lab::say(&format!("installing {package}: {purpose}"));
    }
    let names: Vec<_> = missing.iter().map(|(package, ..)| *package).collect();
    let _quiet = NoServices::declare()?;
    apt(&["update"])?;
    apt(&[
        &["install", "-y", "--no-install-recommends"],
        names.as_slice(),
    ]
    .concat())
}

/// The lab's programs that `script` names outside comments.
pub(crate) fn programs(script: &'static str) -> Vec<&'static str> {
    let code = script.lines().filter(|line| !line.starts_with('#'));
    let words = code
        .flat_map(|line| line.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c))));
    words
        .filter(|word| NEEDED.iter().any(|(_, program, _)| program == word))
        .collect()
}

/// The package `program` is from, with its version.
pub(crate) fn version(program: &str) -> String {
    let package = NEEDED.iter().find(|(_, name, _)| *name == program);
    let package = package.map_or(program, |(package, ..)| package);
    let shown = Command::new("dpkg-query")
        .args(["-W", "-f", "${Package} ${Version}", package])
        .output();
    match shown {
        Ok(shown) if shown.status.success() => String::from_utf8_lossy(&shown.stdout).into_owned(),
        _ => format!("{package} (not installed)"),
    }
}

fn apt(arguments: &[&str]) -> Result<()> {
    let mut apt = Command::new("apt-get");
    apt.args(["-q", "-o", "DPkg::Lock::Timeout=600"])
        .args(arguments);
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    let done = apt
        .output()
        .context("cannot run apt-get; the lab runs on Debian")?;
    if !done.status.success() {
        bail!(
            "apt-get {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&done.stderr).trim()
        );
    }
    Ok(())
}

fn is_found(program: &str) -> bool {
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .iter()
        .any(|dir| Path::new(dir).join(program).exists())
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
