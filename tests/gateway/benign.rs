//! Innocent clients beside an attack: served all the time, and never blocked, even where somebody writes their names.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::clients::{Talk, ask, dial, visit};
use super::daemon::{Meter, Post};
use super::forged::flood;
use super::sensor::Sensor;
use super::testbed::{ATTACKER, CLIENT, DOWNLOAD, SERVER, WEB, attacker};
use super::tools::{hydra, nmap};

super::with_each_meter! {
    clients_beside_an_attack_are_served_and_never_blocked
    a_flood_in_a_clients_name_does_not_get_it_blocked
}

/// Downloads at a time.
const DOWNLOADS: usize = 100;
/// Page loads, each of a page and its parts over four connections.
const PAGES: usize = 30;
/// Questions to the name server, each from a port of its own.
const QUESTIONS: usize = 200;
/// Rounds of the monitoring probe, a second apart.
const PROBES: usize = 6;

fn clients_beside_an_attack_are_served_and_never_blocked(test: &str, meter: Meter) {
    let Some(post) = Post::new(test, meter, "") else {
        return;
    };
    let sshd = post.stage.sshd(&post.stage.server);
    let mut sensor = post.start();
    let [server, server6] = SERVER;
    // In their third and fourth second the attackers are among the others.
    let attack = || {
        let scanner = attacker(0)[0];
        let scan = format!("-n -Pn -sS -S {scanner} -e wan -p 1-5000 {server}");
        (scanner, nmap(&post, &scan), hydra(&post, server6))
    };
    let (scanner, _scan, _search) = thread::scope(|scope| {
        let crowd = [
            scope.spawn(|| within(&post, || downloads(CLIENT[0], server))),
            scope.spawn(|| within(&post, || pages(CLIENT[0], server))),
            scope.spawn(|| within(&post, || pages(CLIENT[1], server6))),
            scope.spawn(|| within(&post, || queries(CLIENT[0], server))),
            scope.spawn(|| within(&post, || probes(CLIENT[1], server6))),
        ];
        let attack = attack();
        for (number, visitors) in (0..).zip(crowd) {
            let served = visitors.join().expect("clients do not panic");
            served.unwrap_or_else(|error| panic!("client {number} is not served: {error}"));
        }
        attack
    });
    sensor.until_blocked(scanner);
    sensor.until_blocked(ATTACKER[1]);
    assert_untouched(&post);
    drop(sshd);
}

/// Demands that no client was ever blocked, nor is a person asked about one.
fn assert_untouched(post: &Post) {
    for client in CLIENT {
        assert_eq!(
            post.incidents(client),
            Vec::<serde_json::Value>::new(),
            "{client}"
        );
        let known = post.json(&format!("explain {client}")).remove(0);
        let history = known["history"].as_array().expect("a list");
        assert!(history.is_empty(), "{client}: {history:?}");
    }
}

fn a_flood_in_a_clients_name_does_not_get_it_blocked(test: &str, meter: Meter) {
    let Some(post) = Post::new(test, meter, "") else {
        return;
    };
    let mut sensor = post.start();
    for family in [0, 1] {
        let (client, server) = (CLIENT[family], SERVER[family]);
        let talk = Talk::open(&post.stage.clients, client, server);
        let seen = packets(&post);
        let sent = post.stage.outside.run(|| flood(server, 5_000, |_| client));
        metered(&post, &mut sensor, seen + u64::from(sent));
        let incidents = sensor.until("the flood is noticed", || {
            let incidents = post.incidents(client);
            (!incidents.is_empty()).then_some(incidents)
        });
        for incident in incidents {
            assert_ne!(incident["event"]["action"], "block", "{incident}");
        }
        assert!(!post.stage.is_blocked(client) && post.block(client).is_none());
        assert!(talk.flows(), "{client} goes on talking");
    }
}

/// Packets seen of all interfaces.
fn packets(post: &Post) -> u64 {
    let status = post.json("status").remove(0);
    let interfaces = status["capture"]["interfaces"].as_array().expect("a list");
    let packets = interfaces
        .iter()
        .map(|interface| interface["packets"].as_u64());
    packets.map(|packets| packets.expect("a number")).sum()
}

/// Waits until so many packets have been seen.
fn metered(post: &Post, sensor: &mut Sensor, wanted: u64) {
    sensor.until("the sensor has seen the flood", || {
        (packets(post) >= wanted).then_some(())
    });
}

fn within(post: &Post, visitors: impl FnOnce() -> io::Result<()> + Send) -> io::Result<()> {
    post.stage.clients.run(visitors)
}

fn downloads(client: IpAddr, server: IpAddr) -> io::Result<()> {
    at_once(DOWNLOADS, || match visit(client, server, DOWNLOAD)? {
        1_000_000.. => Ok(()),
        bytes => Err(io::Error::other(format!(
            "the download ends after {bytes} bytes"
        ))),
    })
}

fn pages(client: IpAddr, server: IpAddr) -> io::Result<()> {
    for _ in 0..PAGES {
        visit(client, server, "/page")?;
        at_once(4, || {
            for part in 0..2 {
                visit(client, server, &format!("/part{part}"))?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn queries(client: IpAddr, server: IpAddr) -> io::Result<()> {
    for _ in 0..QUESTIONS {
        ask(client, server)?;
    }
    Ok(())
}

/// Looks every second whether two services accept connections, as monitoring does.
fn probes(client: IpAddr, server: IpAddr) -> io::Result<()> {
    let (_never, second) = mpsc::channel::<()>();
    for _ in 0..PROBES {
        for port in [22, WEB] {
            dial(client, SocketAddr::new(server, port))?;
        }
        assert_eq!(
            second.recv_timeout(Duration::from_secs(1)),
            Err(RecvTimeoutError::Timeout)
        );
    }
    Ok(())
}

/// Does something so many times at once; the first failure is that of all.
fn at_once(times: usize, act: impl Fn() -> io::Result<()> + Sync) -> io::Result<()> {
    thread::scope(|scope| {
        let act = &act;
        let threads: Vec<_> = (0..times).map(|_| scope.spawn(act)).collect();
        let mut outcomes = threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        outcomes.find(Result::is_err).unwrap_or(Ok(()))
    })
}
