//! The stage of every test here: an outside with attackers, clients beyond it, a gateway, and a server with real services.
//! Nothing of it reaches the machine's own network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::Command;
use std::time::Duration;

use crate::netns::{Namespace, join};
use crate::process::Process;
use crate::skip::skip;

/// The server behind the gateway.
pub(crate) const SERVER: [IpAddr; 2] = [v4(192, 0, 2, 10), v6(2, 0x10)];
/// The gateway as the outside sees it.
pub(crate) const GATEWAY: [IpAddr; 2] = [v4(203, 0, 113, 1), v6(1, 1)];
/// The gateway's way out, which is a machine of the provider.
pub(crate) const ROUTER: [IpAddr; 2] = [v4(203, 0, 113, 14), v6(1, 0xfe)];
/// Who attacks where nothing else is said; programs that do not bind send from here.
pub(crate) const ATTACKER: [IpAddr; 2] = [v4(203, 0, 113, 66), v6(4, 0x66)];
/// The same, for attacks on the gateway itself.
pub(crate) const NEIGHBOUR: [IpAddr; 2] = [v4(203, 0, 113, 67), v6(4, 0x67)];
/// An innocent client.
pub(crate) const CLIENT: [IpAddr; 2] = [v4(198, 51, 100, 7), v6(3, 7)];
/// Where the server echoes what it is sent, over TCP and UDP.
pub(crate) const ECHO: u16 = 7;
/// The server's pages.
pub(crate) const WEB: u16 = 80;
/// A file of a megabyte.
pub(crate) const DOWNLOAD: &str = "/download";

/// Programs without which nothing here can be shown, and how each is asked whether it is there.
const NEEDED: [(&str, &str); 5] = [
    ("nmap", "--version"),
    ("hydra", "-h"),
    ("sshd", "-V"),
    ("python3", "--version"),
    ("nft", "--version"),
];

const SERVICES: &str = include_str!("serve.py");

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

/// An address in one of the four networks: 1 is the way out, 2 the server's, 3 the clients', 4 the attackers'.
const fn v6(network: u16, last: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, network, 0, 0, 0, 0, last))
}

/// Further attackers.
pub(crate) const ATTACKERS: u8 = 40;

/// One of them: 203.0.113.100 and 2001:db8:4::100 upwards.
pub(crate) fn attacker(number: u8) -> [IpAddr; 2] {
    assert!(number < ATTACKERS, "there are {ATTACKERS}");
    [
        v4(203, 0, 113, 100 + number),
        v6(4, 0x100 + u16::from(number)),
    ]
}

/// Four namespaces in a row, and what the server serves.
pub(crate) struct Stage {
    pub(crate) outside: Namespace,
    pub(crate) clients: Namespace,
    pub(crate) gateway: Namespace,
    pub(crate) server: Namespace,
    _services: Process,
    pages: tempfile::TempDir,
}

impl Stage {
    /// Sets it up; nothing where this machine cannot, and `test` is then noted as skipped.
    pub(crate) fn new(test: &str) -> Option<Self> {
        for (program, question) in NEEDED {
            // sshd has to be started by its whole path; asked for its version it fails, but it is there.
            let there = Command::new(path(program)).arg(question).output();
            if there.is_err() {
                skip(test, &format!("there is no {program}"));
                return None;
            }
        }
        let outside = Namespace::new(test, "outside")?;
        let clients = Namespace::new(test, "clients")?;
        let gateway = Namespace::new(test, "gateway")?;
        let server = Namespace::new(test, "server")?;
        let pages = tempfile::tempdir().expect("a folder for the pages");
        let mut serve = server.command("python3");
        serve.args(["-c", SERVICES]).arg(pages.path());
        // Attackers come from far away: for the gateway they are behind its way out.
        let attackers = [ATTACKER, NEIGHBOUR]
            .into_iter()
            .chain((0..ATTACKERS).map(attacker));
        for address in attackers.flatten() {
            let length = if address.is_ipv4() { 32 } else { 128 };
            outside.address("lo", &format!("{address}/{length}"));
        }
        connect_wan(&outside, &gateway);
        join((&outside, "net"), (&clients, "net"));
        join((&gateway, "lan"), (&server, "lan"));
        outside.address("net", "198.51.100.1/24");
        outside.address("net", "2001:db8:3::1/64");
        clients.address("net", "198.51.100.7/24");
        clients.address("net", "2001:db8:3::7/64");
        gateway.address("lan", "192.0.2.1/24");
        gateway.address("lan", "2001:db8:2::1/64");
        server.address("lan", "192.0.2.10/24");
        server.address("lan", "2001:db8:2::10/64");
        for (namespace, v4, v6) in [
            (&clients, "198.51.100.1", "2001:db8:3::1"),
            (&server, "192.0.2.1", "2001:db8:2::1"),
        ] {
            namespace.ip(&format!("route add default via {v4}"));
            namespace.ip(&format!("-6 route add default via {v6}"));
        }
        for router in [&outside, &gateway] {
            router.forward();
        }
        // Answers to invented senders end here, as they would somewhere in the world.
        outside.ip("-6 route add blackhole 2001:db8:f::/48");
        let services = Process::ready("the server", serve, "serving");
        Some(Self {
            outside,
            clients,
            gateway,
            server,
            _services: services,
            pages,
        })
    }

    /// A real sshd in one of the namespaces, with a host key of its own and no user whose password could be guessed.
    pub(crate) fn sshd(&self, namespace: &Namespace) -> Process {
        let key = self.pages.path().join(format!("key-{}", namespace.name()));
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&key)
            .status();
        assert!(made.expect("ssh-keygen starts").success());
        let mut command = namespace.command("sh");
        // Its folder for unprivileged children is a new one, so that nothing is made on the machine.
        let script = "mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/sshd && exec \"$@\"";
        command.args([
            "-c",
            script,
            "sh",
            &path("sshd"),
            "-D",
            "-e",
            "-f",
            "/dev/null",
            "-h",
        ]);
        command.arg(&key);
        for option in [
            "UsePAM=yes",
            "UseDNS=no",
            "StrictModes=no",
            "PidFile=none",
            "MaxStartups=100",
        ] {
            command.args(["-o", option]);
        }
        Process::ready("sshd", command, "Server listening on :: port 22")
    }

    /// Everything `nft` prints for `arguments` in the gateway; nothing where it says no.
    pub(crate) fn nft(&self, arguments: &str) -> Option<String> {
        let mut command = self.gateway.command("nft");
        let output = command.args(arguments.split(' ')).output();
        let output = output.expect("nft starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then_some(text)
    }

    /// What `nft monitor` tells of the gateway, from now on.
    pub(crate) fn monitor(&self) -> Process {
        let mut command = self.gateway.command("nft");
        command.arg("monitor");
        let monitor = Process::start("nft monitor", command);
        // A table that is nobody's tells that it listens.
        while monitor.said().len() == 0 {
            self.nft("add table inet probe").expect("nft adds it");
            monitor.said().stir(Duration::from_millis(50));
            self.nft("delete table inet probe").expect("nft deletes it");
        }
        monitor
    }

    /// Whether the kernel keeps an address out by an element of its own.
    pub(crate) fn is_blocked(&self, address: IpAddr) -> bool {
        let set = set_of(address);
        self.nft(&format!("get element inet garita {set} {{ {address} }}"))
            .is_some()
    }
}

/// The set of hosts of an address's family.
pub(crate) fn set_of(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "blocked4",
        IpAddr::V6(_) => "blocked6",
    }
}

/// Joins the gateway to the outside, with addresses and default routes.
pub(crate) fn connect_wan(outside: &Namespace, gateway: &Namespace) {
    join((outside, "wan"), (gateway, "wan"));
    outside.address("wan", "203.0.113.14/28");
    outside.address("wan", "2001:db8:1::fe/64");
    gateway.address("wan", "203.0.113.1/28");
    gateway.address("wan", "2001:db8:1::1/64");
    gateway.ip("route add default via 203.0.113.14");
    gateway.ip("-6 route add default via 2001:db8:1::fe");
    send_from(outside, ATTACKER);
    let [from, from6] = NEIGHBOUR;
    outside.ip(&format!("route add 203.0.113.1/32 dev wan src {from}"));
    outside.ip(&format!(
        "-6 route add 2001:db8:1::1/128 dev wan src {from6}"
    ));
}

/// Makes programs of the outside that do not bind send to the server from these addresses, from now on.
pub(crate) fn send_from(outside: &Namespace, [from, from6]: [IpAddr; 2]) {
    outside.ip(&format!(
        "route replace 192.0.2.0/24 via 203.0.113.1 src {from}"
    ));
    outside.ip(&format!(
        "-6 route replace 2001:db8:2::/64 via 2001:db8:1::1 src {from6}"
    ));
}

/// Where a program lies that is not on every path.
fn path(program: &str) -> String {
    match program {
        "sshd" => "/usr/sbin/sshd".to_owned(),
        other => other.to_owned(),
    }
}
