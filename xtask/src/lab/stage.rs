//! A topology made real: namespaces, links, routes, and programs on the hosts.
//! Every segment stays a frame of its own (no offloads), and nothing leaves the namespaces.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use super::lease::Lease;
use super::running::Running;
use super::topology::{Family, Host, INSIDE, MASQUERADE, Stray, Topology, Translation};

/// Enough for every header the lab sends; lengths stay honest because IP carries its own.
const SNAP_LEN: &str = "128";

/// The link address of every router towards its hosts: where frames written by hand are sent.
const ROUTER: &str = "02:00:00:00:00:01";

/// Inside each namespace's own mount namespace: the lab's users and resolver, and no way to the machine's logs and
/// sockets; then the program.
const ENTER: &str = r#"mount -t tmpfs run /run && mount -t tmpfs log /var/log || exit
for f in "$LAB"/etc/*; do mount --bind "$f" "/etc/${f##*/}" || exit; done
for f in "$LAB"/pam/*; do mount --bind "$f" "/etc/pam.d/${f##*/}" || exit; done
exec bash "$@""#;

/// The hosts, standing.
pub(crate) struct Stage {
    lease: Lease,
    gate: String,
    isp: String,
    namespaces: BTreeMap<Host, String>,
}

impl Stage {
    /// Builds every host, the two routers and the link between them.
    pub(crate) fn build(topology: &Topology) -> Result<Self> {
        let lease = Lease::new()?;
        let isp = namespace(&lease, "isp")?;
        let gate = namespace(&lease, "gate")?;
        let mut stage = Self {
            lease,
            gate,
            isp,
            namespaces: BTreeMap::new(),
        };
        stage.join_routers(topology.stray)?;
        for host in &topology.hosts {
            stage.add_host(*host)?;
        }
        stage.translate(topology.translation)?;
        stage.write_accounts()?;
        Ok(stage)
    }

    /// Where configurations, logs and content go.
    pub(crate) fn dir(&self) -> &Path {
        self.lease.dir()
    }

    /// Starts a recorder on the gateway's outer link; end it with an interrupt so that it writes all it has.
    pub(crate) fn record(&self, capture: &Path) -> Result<Running> {
        let mut tcpdump = Command::new("tcpdump");
        // Immediate mode: otherwise the last second is lost when the recorder ends.
        tcpdump.args([
            "-i",
            "wan",
            "-n",
            "--immediate-mode",
            "-B",
            "65536",
            "-s",
            SNAP_LEN,
            "-w",
        ]);
        tcpdump.arg(capture).args(["-Z", "root"]);
        let mut running = Running::start(&self.gate, &mut tcpdump, &self.log("tcpdump"))?;
        running.wait_said("listening on")?;
        Ok(running)
    }

    /// Ends the recorder; packets the kernel could not hand over make the capture worthless.
    pub(crate) fn finish_recording(&self, mut recorder: Running) -> Result<()> {
        recorder.end(Signal::INT)?;
        let said = recorder.last_words();
        if !said.contains("\n0 packets dropped by kernel") {
            bail!("the recorder lost packets: {said}");
        }
        Ok(())
    }

    /// Runs a bash script on a host, with `environment`; `name` names its log.
    pub(crate) fn run(&self, host: Host, name: &str, script: Script<'_>) -> Result<Running> {
        let namespace = self
            .namespaces
            .get(&host)
            .with_context(|| format!("no host {host}"))?;
        let label = format!("{host}-{name}");
        let path = self.dir().join("scripts").join(&label);
        fs::write(&path, script.text).with_context(|| format!("cannot write {label}"))?;
        let home = self.dir().join("hosts").join(host.to_string());
        fs::create_dir_all(&home).with_context(|| format!("cannot make {}", home.display()))?;
        let mut bash = Command::new("bash");
        bash.args(["-c", ENTER, "enter"])
            .arg(&path)
            .current_dir(&home);
        bash.env("LAB", self.dir()).env("HOME", &home);
        bash.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C");
        bash.envs(script.environment.iter().map(|(key, value)| (key, value)));
        Running::start(namespace, &mut bash, &self.log(&label))
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir().join("logs").join(format!("{name}.log"))
    }

    fn join_routers(&self, stray: Stray) -> Result<()> {
        let (isp, gate) = (&self.isp, &self.gate);
        let nowhere = if stray == Stray::Silent {
            "blackhole"
        } else {
            "unreachable"
        };
        ip(
            &[],
            &format!("link add name core netns {isp} type veth peer name wan netns {gate}"),
        )?;
        // A spoofed source has nowhere to be answered to, hence the isp's black hole.
        ip(
            &["-n", isp],
            &format!(
                "address add 198.51.100.1/32 dev lo\naddress add 2001:db8:2::1/128 dev lo\nlink set lo up\n\
             link set core up\naddress add fe80::1/64 dev core nodad\n\
             route add 192.0.2.1 dev core\nroute add {0} via 192.0.2.1 dev core\nroute add {1} via fe80::2 dev core\n\
             route add blackhole default\nroute add blackhole ::/0",
                INSIDE[0], INSIDE[1]
            ),
        )?;
        ip(
            &["-n", gate],
            &format!(
                "address add 192.0.2.1/32 dev lo\naddress add 2001:db8:1::1/128 dev lo\nlink set lo up\n\
             link set wan up\naddress add fe80::2/64 dev wan nodad\n\
             route add 198.51.100.1 dev wan src 192.0.2.1\nroute add default via 198.51.100.1 dev wan\n\
             route add ::/0 via fe80::1 dev wan\n\
             route add {nowhere} {0}\nroute add {nowhere} {1}",
                INSIDE[0], INSIDE[1]
            ),
        )?;
        let forward = "cd /proc/sys/net && for f in ipv4/ip_forward ipv6/conf/all/forwarding; do echo 1 > $f; done
            for f in ipv4/conf/*/rp_filter; do echo 0 > $f; done
            for d in core wan; do [ ! -e /sys/class/net/$d ] || ethtool -K $d tx off gro off gso off tso off; done";
        inside(isp, forward)?;
        inside(gate, forward)
    }

    fn add_host(&mut self, host: Host) -> Result<()> {
        let (router, gateway) = if host.is_inside() {
            (&self.gate, "192.0.2.1")
        } else {
            (&self.isp, "198.51.100.1")
        };
        let namespace = namespace(&self.lease, &host.to_string())?;
        let (v4, v6) = (host.address(Family::V4), host.address(Family::V6));
        ip(
            &[],
            &format!(
                "link add name {host} netns {router} type veth peer name eth0 netns {namespace}"
            ),
        )?;
        ip(
            &["-n", router],
            &format!(
                "link set {host} address {ROUTER}\nlink set {host} up\naddress add fe80::1/64 dev {host} nodad\n\
             route add {v4} dev {host} src {gateway}\nroute add {v6} dev {host}"
            ),
        )?;
        ip(
            &["-n", &namespace],
            &format!(
                "link set lo up\nlink set eth0 up\naddress add {v4}/32 dev eth0\naddress add {v6}/128 dev eth0 nodad\n\
             route add {gateway} dev eth0\nroute add default via {gateway} dev eth0\n\
             route add ::/0 via fe80::1 dev eth0"
            ),
        )?;
        inside(&namespace, "ethtool -K eth0 tx off gro off gso off tso off")?;
        inside(
            router,
            &format!("ethtool -K {host} tx off gro off gso off tso off"),
        )?;
        self.namespaces.insert(host, namespace);
        Ok(())
    }

    fn translate(&self, translation: Translation) -> Result<()> {
        match translation {
            Translation::None => Ok(()),
            Translation::Masquerade => {
                let table = format!(
                    "nft 'add table ip nat; \
                     add chain ip nat out {{ type nat hook postrouting priority 100; }}; \
                     add rule ip nat out oifname wan ip saddr 192.0.2.100-192.0.2.199 snat to {MASQUERADE}'"
                );
                inside(&self.gate, &table)
            }
        }
    }

    /// Users exist in the lab's mount namespaces only; the machine's own files are not touched.
    fn write_accounts(&self) -> Result<()> {
        let script = include_str!("serve/accounts.sh");
        let mut bash = Command::new("bash");
        bash.args(["-c", script]).env("LAB", self.dir());
        let done = bash.output().context("cannot run bash")?;
        if !done.status.success() {
            bail!(
                "cannot write accounts: {}",
                String::from_utf8_lossy(&done.stderr).trim()
            );
        }
        Ok(())
    }
}

/// What runs on a host: bash text and its variables.
#[derive(Clone, Copy)]
pub(crate) struct Script<'a> {
    pub(crate) text: &'a str,
    pub(crate) environment: &'a [(String, String)],
}

/// A namespace whose IPv6 addresses work at once: nobody else is there to detect a duplicate of.
fn namespace(lease: &Lease, role: &str) -> Result<String> {
    let name = lease.namespace(role)?;
    inside(&name, "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad")?;
    Ok(name)
}

/// Runs a batch of ip(8) commands, one a line.
fn ip(options: &[&str], batch: &str) -> Result<()> {
    let mut ip = Command::new("ip");
    ip.args(options).args(["-batch", "-"]);
    let mut child = ip
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run ip")?;
    let mut stdin = child.stdin.take().context("ip has no input")?;
    stdin
        .write_all(batch.as_bytes())
        .context("cannot write to ip")?;
    drop(stdin);
    let done = child.wait_with_output().context("cannot wait for ip")?;
    if !done.status.success() {
        bail!(
            "ip refused a line of “{batch}”: {}",
            String::from_utf8_lossy(&done.stderr).trim()
        );
    }
    Ok(())
}

fn inside(namespace: &str, script: &str) -> Result<()> {
    let mut exec = Command::new("ip");
    let done = exec
        .args(["netns", "exec", namespace, "bash", "-ec", script])
        .output();
    let done = done.context("cannot run ip")?;
    if !done.status.success() {
        bail!(
            "in {namespace}: {}",
            String::from_utf8_lossy(&done.stderr).trim()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    #[test]
    fn every_script_parses() -> anyhow::Result<()> {
        for folder in ["play", "serve"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("src/lab")
                .join(folder);
            for script in std::fs::read_dir(&folder)? {
                let script = script?.path();
                let parsed = Command::new("bash").arg("-n").arg(&script).output()?;
                assert!(parsed.status.success(), "{parsed:?}");
            }
        }
        Ok(())
    }
}
