//! Network namespaces of a test's own, joined by veth pairs, gone when the test ends.
//! It never touches a namespace, a link or a rule that the test did not make.

use std::fs::File;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sched::{CloneFlags, setns};

use crate::skip::skip;

/// A network namespace with loopback up. Dropping it ends what still runs in it, and takes its links along.
#[derive(Debug)]
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    /// A new one; `role` only makes its name readable: `gateway`, `attacker`.
    ///
    /// Nothing where this machine allows no namespaces: `test` has then been noted as skipped.
    pub(crate) fn new(test: &str, role: &str) -> Option<Self> {
        static POSSIBLE: OnceLock<Result<(), String>> = OnceLock::new();
        let possible = POSSIBLE.get_or_init(|| Self::make("probe").map(drop));
        match possible {
            Ok(()) => {
                Some(Self::make(role).expect("a second namespace is as possible as the first"))
            }
            Err(reason) => {
                skip(test, reason);
                None
            }
        }
    }

    fn make(role: &str) -> Result<Self, String> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let count = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("garita-{}-{count}-{role}", std::process::id());
        ip(&["netns", "add", &name])?;
        let namespace = Self { name };
        namespace.ip("link set lo up");
        Ok(namespace)
    }

    /// Its name, as `ip netns exec` wants it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Does something on a thread of this namespace, and gives back what came of it. What the thread starts stays in
    /// the namespace: sockets, processes and threads.
    pub(crate) fn run<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                self.enter();
                body()
            });
            thread
                .join()
                .unwrap_or_else(|cause| std::panic::resume_unwind(cause))
        })
    }

    /// Moves the calling thread into this namespace for good.
    pub(crate) fn enter(&self) {
        Self::enter_named(&self.name);
    }

    /// The same, by name, for a thread that outlives what it was told by.
    pub(crate) fn enter_named(name: &str) {
        let file = File::open(format!("/run/netns/{name}")).expect("a namespace has a file");
        setns(file, CloneFlags::CLONE_NEWNET).expect("root may enter a namespace");
    }

    /// A program to be started in this namespace.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// `ip` in this namespace, with arguments as one would type them; fails the test if it fails.
    pub(crate) fn ip(&self, arguments: &str) {
        let words: Vec<&str> = ["-n", &self.name]
            .into_iter()
            .chain(arguments.split_whitespace())
            .collect();
        ip(&words).unwrap_or_else(|said| panic!("ip {arguments}: {said}"));
    }

    /// Gives `link` an address, usable at once: `192.0.2.1/24`.
    pub(crate) fn address(&self, link: &str, address: &str) {
        // Duplicate address detection would keep an IPv6 address unusable for a second.
        let nodad = if address.contains(':') { "nodad" } else { "" };
        self.ip(&format!("address add {address} dev {link} {nodad}"));
    }

    /// Makes it a router for IPv4 and IPv6.
    pub(crate) fn forward(&self) {
        self.run(|| {
            for path in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
                std::fs::write(format!("/proc/sys/net/{path}"), "1").expect("root may forward");
            }
        });
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // A process left behind would keep the namespace and its links alive.
        let pids = Command::new("ip")
            .args(["netns", "pids", &self.name])
            .output();
        for pid in pids
            .iter()
            .flat_map(|pids| pids.stdout.split(|&byte| byte == b'\n'))
        {
            let pid = std::str::from_utf8(pid)
                .ok()
                .and_then(|pid| pid.parse().ok());
            // A thread that entered shows as this very process.
            if let Some(pid) = pid.filter(|&pid| pid != std::process::id() as i32) {
                let pid = nix::unistd::Pid::from_raw(pid);
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
            }
        }
        if let Err(said) = ip(&["netns", "delete", &self.name]) {
            eprintln!("the namespace {} stays: {said}", self.name);
        }
    }
}

/// Joins two namespaces by a veth pair, both ends up; an end is a namespace and the name its link gets there.
pub(crate) fn join((left, left_link): (&Namespace, &str), (right, right_link): (&Namespace, &str)) {
    left.ip(&format!(
        "link add {left_link} type veth peer name {right_link} netns {}",
        right.name
    ));
    left.ip(&format!("link set {left_link} up"));
    right.ip(&format!("link set {right_link} up"));
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("`ip` does not start: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

#[test]
fn a_connection_crosses_a_router_and_the_namespaces_leave_nothing() {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};

    let test = "netns::a_connection_crosses_a_router_and_the_namespaces_leave_nothing";
    let Some(client) = Namespace::new(test, "client") else {
        return;
    };
    let router = Namespace::new(test, "router").expect("the first was possible");
    let server = Namespace::new(test, "server").expect("the first was possible");
    join((&client, "wan"), (&router, "wan"));
    join((&router, "lan"), (&server, "lan"));
    client.address("wan", "192.0.2.2/24");
    client.address("wan", "2001:db8:1::2/64");
    router.address("wan", "192.0.2.1/24");
    router.address("wan", "2001:db8:1::1/64");
    router.address("lan", "198.51.100.1/24");
    router.address("lan", "2001:db8:2::1/64");
    server.address("lan", "198.51.100.2/24");
    server.address("lan", "2001:db8:2::2/64");
    router.forward();
    client.ip("route add default via 192.0.2.1");
    client.ip("-6 route add default via 2001:db8:1::1");
    server.ip("route add default via 198.51.100.1");
    server.ip("-6 route add default via 2001:db8:2::1");

    for address in ["198.51.100.2:80", "[2001:db8:2::2]:80"] {
        let address: SocketAddr = address.parse().unwrap();
        let listener = server.run(|| TcpListener::bind(address).unwrap());
        let mut to = client.run(|| TcpStream::connect(address).unwrap());
        let (mut from, _) = listener.accept().unwrap();
        to.write_all(b"knock").unwrap();
        let mut heard = [0; 5];
        from.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"knock");
    }

    let mut cat = client.command("cat");
    let mut recent = cat
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Its echo says that it is there.
    let stdin = recent.stdin.as_mut().unwrap();
    stdin.write_all(b"knock").unwrap();
    let mut heard = [0; 5];
    let stdout = recent.stdout.as_mut().unwrap();
    stdout.read_exact(&mut heard).unwrap();
    let name = client.name().to_owned();
    drop(client);
    assert!(!recent.wait().unwrap().success(), "it was ended");
    let left = Command::new("ip").args(["netns", "list"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&left.stdout).contains(&name));
}
