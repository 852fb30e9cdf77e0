//! Attacks with real tools, through the gateway and on the gateway itself: blocked while they run, and explained.

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use super::clients::{Talk, dial, dial_shortly, is_echoed};
use super::daemon::{Meter, Post};
use super::sensor::Sensor;
use super::testbed::{ATTACKER, CLIENT, ECHO, GATEWAY, NEIGHBOUR, SERVER, attacker};
use super::tools::{hydra, nmap};
use crate::lines::Lines;

super::with_each_meter! {
    a_port_scan_is_blocked_while_it_runs_and_explained
    an_open_connection_of_the_attacker_stops_once_it_is_proven
    a_password_search_is_blocked_within_ten_attempts
}

fn a_port_scan_is_blocked_while_it_runs_and_explained(test: &str, meter: Meter) {
    let Some(post) = Post::new(test, meter, "") else {
        return;
    };
    let mut sensor = post.start();
    for (number, victim) in (0..).zip(SERVER.into_iter().chain(GATEWAY)) {
        let attacker = attacker(number)[usize::from(victim.is_ipv6())];
        let family = if victim.is_ipv6() { "-6 " } else { "" };
        let scan = format!("{family}-n -Pn -sS -S {attacker} -e wan -p 1-5000 {victim}");
        let mut nmap = nmap(&post, &scan);
        sensor.until_blocked(attacker);
        assert!(nmap.is_running(), "the scan is still on its way");
        assert_told(&post, &mut sensor, (attacker, "scan"));
    }
}

fn an_open_connection_of_the_attacker_stops_once_it_is_proven(test: &str, meter: Meter) {
    let Some(post) = Post::new(test, meter, "") else {
        return;
    };
    let _sshd = post.stage.sshd(&post.stage.server);
    // Open from before the sensor came, and quiet.
    let open = |from: IpAddr, server: IpAddr| {
        let to = SocketAddr::new(server, ECHO);
        let dialled = post.stage.outside.run(|| dial(from, to));
        let mut stream = dialled.expect("the server answers");
        assert!(is_echoed(&mut stream), "nothing is blocked yet");
        stream
    };
    let streams = [0, 1].map(|family| {
        let scanner = attacker(0)[family];
        let of = [scanner, ATTACKER[family]].map(|from| open(from, SERVER[family]));
        (scanner, of)
    });
    let mut sensor = post.start();
    for (family, (scanner, [mut unproven, mut proven])) in streams.into_iter().enumerate() {
        let server = SERVER[family];
        let other = Talk::open(&post.stage.clients, CLIENT[family], server);
        // Anybody can have written these packets: nothing but what the address opens is stopped.
        let option = ["", "-6 "][family];
        let scan = format!("{option}-n -Pn -sS -S {scanner} -e wan -p 1-5000 {server}");
        let mut nmap = nmap(&post, &scan);
        sensor.until_blocked(scanner);
        assert!(nmap.is_running(), "the scan is still on its way");
        assert!(is_echoed(&mut unproven), "{scanner} may not have sent it");
        let knock = || dial_shortly(scanner, SocketAddr::new(server, ECHO));
        assert!(post.stage.outside.run(knock).is_err(), "{scanner} opens");
        let _search = hydra(&post, server);
        sensor.until_blocked(ATTACKER[family]);
        assert!(
            !is_echoed(&mut proven),
            "{} still gets answers",
            ATTACKER[family]
        );
        assert!(other.flows(), "a client's conversation goes on");
    }
    assert_eq!(sensor.process.said().count("block-ineffective"), 0);
}

fn a_password_search_is_blocked_within_ten_attempts(test: &str, meter: Meter) {
    let Some(post) = Post::new(test, meter, "") else {
        return;
    };
    let inside = post.stage.sshd(&post.stage.server);
    let edge = post.stage.sshd(&post.stage.gateway);
    let mut sensor = post.start();
    let searches: Vec<_> = SERVER
        .into_iter()
        .chain(GATEWAY)
        .map(|victim| hydra(&post, victim))
        .collect();
    let searchers = ATTACKER.into_iter().chain(NEIGHBOUR);
    let logs = [&inside, &inside, &edge, &edge];
    for attacker in searchers.clone() {
        sensor.until_blocked(attacker);
    }
    for mut search in searches {
        assert!(search.is_running(), "the search is still on its way");
    }
    for (attacker, sshd) in searchers.zip(logs) {
        let attempts = attempts(sshd.said(), (attacker, 0));
        println!("{test}: {attempts} attempts of {attacker}");
        assert!(attempts <= 10, "{attempts} attempts of {attacker}");
        assert_told(&post, &mut sensor, (attacker, "brute-force"));
    }
    // The gateway's own addresses are exempt, and save nobody who attacks them.
    for (attacker, gateway) in NEIGHBOUR.into_iter().zip(GATEWAY) {
        let safe = post.json(&format!("allow check {gateway}")).remove(0);
        assert!(
            safe["exempt"]
                .as_str()
                .is_some_and(|why| why.contains("our own")),
            "{safe}"
        );
        let knock =
            || TcpStream::connect_timeout(&SocketAddr::new(gateway, 22), Duration::from_secs(1));
        let answer = post.stage.outside.run(knock);
        assert!(answer.is_err(), "{attacker} still reaches {gateway}");
    }
}

/// Failed passwords of an address after the first `skipped` lines, once the server has judged those under way: it takes
/// its time over each.
pub(super) fn attempts(log: &Lines, (attacker, skipped): (IpAddr, usize)) -> usize {
    let from = format!("from {attacker} ");
    while log
        .find(&from, (log.len(), Duration::from_secs(3)))
        .is_some()
    {}
    let text = log.text();
    let failed = text
        .lines()
        .skip(skipped)
        .filter(|line| line.contains("Failed password"));
    failed.filter(|line| line.contains(&from)).count()
}

/// Demands that the list, the explanation and the incident say in words why an address is blocked.
fn assert_told(post: &Post, sensor: &mut Sensor, (attacker, class): (IpAddr, &str)) {
    let block = post.block(attacker).expect("it is on the list");
    assert_eq!(block["state"], "enforced", "{block}");
    assert_eq!(block["origin"], "detection", "{block}");
    assert_eq!(block["class"], class, "{block}");
    let list = post.done("blocks list");
    let row = list
        .lines()
        .find(|line| line.contains(&attacker.to_string()));
    assert!(row.is_some_and(|row| row.contains(class)), "{list}");

    let why = post.done(&format!("explain {attacker}"));
    let what = if class == "scan" {
        "what it opens"
    } else {
        "its traffic"
    };
    let verdict = format!("{attacker} is blocked: the kernel drops {what}.");
    assert!(why.starts_with(&verdict), "{why}");
    for part in [
        class,
        "detection",
        "until ",
        &format!("garita blocks remove {attacker}"),
    ] {
        assert!(why.contains(part), "{part:?} is not in:\n{why}");
    }

    // Nobody waits for the disk: it is recorded a moment later.
    let incidents = sensor.until_recorded(attacker);
    let [incident] = &incidents[..] else {
        panic!("one incident of {attacker}: {incidents:?}");
    };
    assert_eq!(incident["event"]["outcome"], "success", "{incident}");
    assert_eq!(incident["garita"]["outcome"], "enforced", "{incident}");
    let id = incident["event"]["id"].as_str().expect("an id");
    let story = post.done(&format!("incidents show {id}"));
    let told = incident["message"].as_str().expect("a message");
    for part in [
        told,
        class,
        "What raised the score most:",
        &attacker.to_string(),
    ] {
        assert!(story.contains(part), "{part:?} is not in:\n{story}");
    }
    assert_eq!(block["incident"], id, "the block names its incident");
}
