//! Real traffic of an attacker through and to a gateway: what a block stops, and what it leaves alone.
//! Sockets are the oracle; the table is not looked at.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use sensor::firewall::{Firewall, Nftables};

use super::{address, guard, host, prefix};
use crate::netns::{Namespace, join};

/// Long enough for a packet over two veth pairs, short enough to wait for one that never comes.
pub(super) const SOON: Duration = Duration::from_millis(400);
/// Long enough for TCP to send again what was lost while it was blocked.
pub(super) const LATER: Duration = Duration::from_secs(15);

/// An attacker and a bystander outside, the gateway with the firewall, and a server inside.
pub(super) struct Lab {
    pub(super) attacker: Namespace,
    pub(super) bystander: Namespace,
    pub(super) gateway: Namespace,
    pub(super) server: Namespace,
    pub(super) firewall: Nftables,
}

pub(super) const ATTACKER: [&str; 2] = ["192.0.2.66", "2001:db8:1::66"];
pub(super) const GATEWAY: [&str; 2] = ["192.0.2.1", "2001:db8:1::1"];
pub(super) const SERVER: [&str; 2] = ["198.51.100.2", "2001:db8:2::2"];

pub(super) fn lab(test: &str) -> Option<Lab> {
    let attacker = Namespace::new(test, "attacker")?;
    let (gateway, firewall) = super::verifier(test)?;
    let bystander = Namespace::new(test, "bystander")?;
    let server = Namespace::new(test, "server")?;
    for (namespace, link, v4, v6) in [
        (&attacker, "wan", "192.0.2", "2001:db8:1:"),
        (&bystander, "wan2", "203.0.113", "2001:db8:3:"),
        (&server, "lan", "198.51.100", "2001:db8:2:"),
    ] {
        let number = if link == "lan" { "2" } else { "66" };
        join((namespace, "eth"), (&gateway, link));
        namespace.address("eth", &format!("{v4}.{number}/24"));
        namespace.address("eth", &format!("{v6}:{number}/64"));
        gateway.address(link, &format!("{v4}.1/24"));
        gateway.address(link, &format!("{v6}:1/64"));
        namespace.ip(&format!("route add default via {v4}.1"));
        namespace.ip(&format!("-6 route add default via {v6}:1"));
    }
    gateway.forward();
    Some(Lab {
        attacker,
        bystander,
        gateway,
        server,
        firewall,
    })
}

/// A TCP connection, both ends.
pub(super) struct Connection(TcpStream, TcpStream);

pub(super) fn connect(from: &Namespace, listener: &TcpListener) -> Option<Connection> {
    let to = listener.local_addr().unwrap();
    let near = from.run(|| TcpStream::connect_timeout(&to, SOON)).ok()?;
    let (far, _) = listener.accept().unwrap();
    Some(Connection(near, far))
}

impl Connection {
    /// Whether a byte of the client arrives within this time, or one that it sent before.
    pub(super) fn carries(&mut self, within: Duration) -> bool {
        self.0.write_all(b"x").unwrap();
        self.1.set_read_timeout(Some(within)).unwrap();
        match whole(|| self.1.read(&mut [0; 16])) {
            Ok(count) => count > 0,
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Reads with the socket's time limit; a process that is stopped and continued meanwhile reads anew.
fn whole(mut read: impl FnMut() -> std::io::Result<usize>) -> std::io::Result<usize> {
    loop {
        match read() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

pub(super) fn listen(namespace: &Namespace, address: &str) -> TcpListener {
    let socket = SocketAddr::new(address.parse().unwrap(), 80);
    namespace.run(|| TcpListener::bind(socket).unwrap())
}

pub(super) fn udp(namespace: &Namespace, address: &str) -> UdpSocket {
    let socket = SocketAddr::new(address.parse().unwrap(), 5353);
    let socket = namespace.run(|| UdpSocket::bind(socket).unwrap());
    socket.set_read_timeout(Some(SOON)).unwrap();
    socket
}

/// Whether a datagram arrives; one that the sender's own rules stop does not.
pub(super) fn reaches(from: &UdpSocket, to: &UdpSocket) -> bool {
    match from.send_to(b"x", to.local_addr().unwrap()) {
        Ok(_) => whole(|| to.recv(&mut [0; 16])).is_ok(),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => false,
        Err(error) => panic!("{error}"),
    }
}

/// Blocks the attacker as `block` does, and looks at everything it and others then can and cannot do.
fn stops(
    lab: &mut Lab,
    family: usize,
    block: &mut dyn FnMut(&mut Nftables),
    lift: &mut dyn FnMut(&mut Nftables),
) {
    let inside = listen(&lab.server, SERVER[family]);
    let here = listen(&lab.gateway, GATEWAY[family]);
    let (attacker, server) = (
        udp(&lab.attacker, ATTACKER[family]),
        udp(&lab.server, SERVER[family]),
    );
    let gateway = udp(&lab.gateway, GATEWAY[family]);
    let mut forwarded = connect(&lab.attacker, &inside).expect("nobody is blocked yet");
    let mut local = connect(&lab.attacker, &here).expect("nobody is blocked yet");
    assert!(forwarded.carries(SOON) && local.carries(SOON));
    assert!(reaches(&server, &attacker) && reaches(&gateway, &attacker));

    block(&mut lab.firewall);
    assert!(
        !forwarded.carries(SOON),
        "an established connection goes on"
    );
    assert!(
        !local.carries(SOON),
        "an established connection to the gateway goes on"
    );
    assert!(connect(&lab.attacker, &inside).is_none());
    assert!(connect(&lab.attacker, &here).is_none());
    for to in [&server, &gateway] {
        assert!(!reaches(&attacker, to), "from the attacker");
        assert!(!reaches(to, &attacker), "to the attacker");
    }
    let mut other = connect(&lab.bystander, &inside).expect("a bystander is not blocked");
    assert!(other.carries(SOON));

    lift(&mut lab.firewall);
    assert!(forwarded.carries(LATER) && local.carries(LATER));
    assert!(reaches(&server, &attacker) && reaches(&gateway, &attacker));
}

#[test]
fn a_blocked_host_reaches_nobody_and_nobody_reaches_it() {
    let test = "firewall::traffic::a_blocked_host_reaches_nobody_and_nobody_reaches_it";
    let Some(mut lab) = lab(test) else {
        return;
    };
    for (family, attacker) in ATTACKER.into_iter().enumerate() {
        stops(
            &mut lab,
            family,
            &mut |firewall| firewall.block(&[host(attacker, 600)]).unwrap(),
            &mut |firewall| firewall.release(&[address(attacker)]).unwrap(),
        );
    }
    assert_counted(&mut lab.firewall, ["blocked4", "blocked6"]);
}

#[test]
fn a_blocked_prefix_reaches_nobody_and_nobody_reaches_it() {
    let test = "firewall::traffic::a_blocked_prefix_reaches_nobody_and_nobody_reaches_it";
    let Some(mut lab) = lab(test) else {
        return;
    };
    for (family, net) in ["192.0.2.64/26", "2001:db8:1::40/122"]
        .into_iter()
        .enumerate()
    {
        stops(
            &mut lab,
            family,
            &mut |firewall| firewall.block_prefixes(&[prefix(net, 600)]).unwrap(),
            &mut |firewall| firewall.block_prefixes(&[]).unwrap(),
        );
    }
    assert_counted(&mut lab.firewall, ["blocked4_net", "blocked6_net"]);
}

#[test]
fn an_allowed_own_address_saves_no_attacker_and_an_allowed_host_is_let_through() {
    let test = "firewall::traffic::an_allowed_own_address_saves_no_attacker_and_an_allowed_host_is_let_through";
    let Some(mut lab) = lab(test) else {
        return;
    };
    let nets = |addresses: &[&str]| -> Vec<ipnet::IpNet> {
        addresses.iter().map(|text| address(text).into()).collect()
    };
    let own = [GATEWAY, SERVER].concat();
    lab.firewall.allow(&nets(&own)).unwrap();
    for (family, attacker) in ATTACKER.into_iter().enumerate() {
        stops(
            &mut lab,
            family,
            &mut |firewall| firewall.block(&[host(attacker, 600)]).unwrap(),
            &mut |firewall| firewall.release(&[address(attacker)]).unwrap(),
        );
        // Own addresses that stand among the blocked, by a race or by hand, shut nobody out.
        lab.firewall
            .block(&[host(GATEWAY[family], 600), host(SERVER[family], 600)])
            .unwrap();
        let inside = listen(&lab.server, SERVER[family]);
        let mut spared = connect(&lab.attacker, &inside).expect("the server is allowed");
        assert!(spared.carries(SOON));
        // An allowance lets a blocked host through at once.
        lab.firewall.block(&[host(attacker, 600)]).unwrap();
        assert!(!spared.carries(SOON));
        lab.firewall
            .allow(&nets(&[&own[..], &[attacker]].concat()))
            .unwrap();
        assert!(spared.carries(LATER));
        lab.firewall.allow(&nets(&own)).unwrap();
    }
}

#[test]
fn the_block_goes_on_without_the_process_and_ends_by_itself() {
    let test = "firewall::traffic::the_block_goes_on_without_the_process_and_ends_by_itself";
    let Some(lab) = lab(test) else {
        return;
    };
    let inside = listen(&lab.server, SERVER[0]);
    let mut connection = connect(&lab.attacker, &inside).unwrap();
    let mut firewall = lab.firewall;
    firewall.block(&[host(ATTACKER[0], 2)]).unwrap();
    drop(firewall);
    assert!(!connection.carries(SOON));
    assert!(connection.carries(LATER));
    drop(guard(&lab.gateway));
    assert!(connection.carries(SOON));
}

/// Demands that every rule on these sets has dropped something.
fn assert_counted(firewall: &mut Nftables, sets: [&str; 2]) {
    let counters = firewall.counters().unwrap();
    for set in sets {
        for way in ["from", "to", "sent_to"] {
            let name = format!("{way}_{set}");
            let counter = counters.iter().find(|counter| counter.name == name);
            let counter = counter.unwrap_or_else(|| panic!("no counter {name}"));
            assert!(counter.packets > 0 && counter.bytes >= 28, "{counter:?}");
        }
    }
    let idle = counters.iter().filter(|counter| counter.packets == 0);
    assert_eq!(idle.count(), 26, "{counters:?}");
}
