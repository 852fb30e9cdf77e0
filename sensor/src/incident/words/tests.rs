//! What the sentences say, and what they leave out.

use super::*;
use crate::incident::tests::verdict;
use detection::decode::TunnelEnds;

fn said(class: Class, facts: Facts) -> String {
    let mut verdict = verdict(class);
    verdict.facts = facts;
    message(&verdict)
}

#[test]
fn a_scan_says_how_wide_it_was_and_how_it_was_answered() {
    let scan = Facts {
        seconds: 9.0,
        opened: 214,
        unanswered: 208,
        ports: 198,
        hosts: 1,
        ..Facts::default()
    };
    assert_eq!(
        said(Class::Scan, scan),
        "203.0.113.7 scanned: opened 214 connections to 198 ports of one host in 9 s; 97 % unanswered"
    );
    let sweep = Facts {
        seconds: 0.25,
        opened: 12_345,
        refused: 12_345,
        ports: 1,
        hosts: 250,
        ..Facts::default()
    };
    assert_eq!(
        said(Class::Scan, sweep),
        "203.0.113.7 scanned: opened 12,345 connections to port 22 of 250 hosts in 250 ms; 100 % refused"
    );
    let mut ping = verdict(Class::Scan);
    ping.flow.protocol = protocol::ICMP;
    ping.flow.icmp_type = 8;
    ping.facts = Facts {
        seconds: 61.0,
        opened: 1,
        hosts: 1,
        ..Facts::default()
    };
    assert_eq!(
        message(&ping),
        "203.0.113.7 scanned: sent 1 ping to one host in 61 s; all answered"
    );
}

#[test]
fn each_class_has_its_sentence() {
    let facts = Facts {
        seconds: 41.0,
        opened: 3_000,
        unanswered: 1_500,
        open: 150,
        attempts: 38,
        attempt_bytes: 2_100.0,
        attempt_gap: 60.0,
        attempt_gap_deviation: 1.5,
        service: Some("ssh"),
        packets: 1_200_000,
        packets_per_second: 40_000.0,
        initiators: 2_048,
        ..Facts::default()
    };
    for (class, sentence) in [
        (
            Class::BruteForce,
            "203.0.113.7 tried to log in: 38 login attempts at ssh of 192.0.2.10 in 41 s, each about 2.1 kB",
        ),
        (
            Class::Flood,
            "203.0.113.7 flooded ssh of 192.0.2.10: 1,200,000 packets in 41 s, up to 40,000 a second",
        ),
        (
            Class::SlowDos,
            "203.0.113.7 ties up ssh of 192.0.2.10: 150 connections opened in 41 s and held, each about 2.1 kB",
        ),
        (
            Class::C2,
            "203.0.113.7 keeps calling ssh of 192.0.2.10: 38 times, one every 60 s ± 1.5 s, each about 2.1 kB",
        ),
        (
            Class::Tunnel,
            "203.0.113.7 carries data through ssh of 192.0.2.10: 38 queries in 41 s, each about 2.1 kB",
        ),
        (
            Class::Exploit,
            "203.0.113.7 sent what looks like an exploit to ssh of 192.0.2.10",
        ),
        (
            Class::Ddos,
            "192.0.2.10 is attacked by 2048 addresses; most by 198.51.100.1, 198.51.100.2",
        ),
    ] {
        assert_eq!(said(class, facts), sentence);
    }
}

#[test]
fn who_carries_a_tunnel_is_said_last() {
    let mut verdict = verdict(Class::Exploit);
    verdict.tunnel = Some(TunnelEnds {
        source: "::ffff:198.51.100.1".parse().unwrap(),
        destination: "198.51.100.2".parse().unwrap(),
    });
    assert_eq!(
        message(&verdict),
        "203.0.113.7 sent what looks like an exploit to port 22 of 192.0.2.10; seen inside a tunnel from 198.51.100.1 to 198.51.100.2"
    );
}

#[test]
fn what_is_not_known_is_not_said() {
    for (class, sentence) in [
        (
            Class::Scan,
            "203.0.113.7 scanned, at last port 22 of 192.0.2.10",
        ),
        (
            Class::BruteForce,
            "203.0.113.7 tried to log in: 0 login attempts at port 22 of 192.0.2.10",
        ),
        (
            Class::Flood,
            "203.0.113.7 flooded port 22 of 192.0.2.10: 0 packets",
        ),
    ] {
        assert_eq!(said(class, Facts::default()), sentence);
    }
}

#[test]
fn units_suit_their_numbers() {
    let seconds = [0.0, 0.02, 1.04, 9.96, 90.0, 1800.0, 9000.0].map(seconds);
    assert_eq!(
        seconds,
        ["0 s", "20 ms", "1 s", "10 s", "90 s", "30 min", "2.5 h"]
    );
    let bytes = [0.0, 999.0, 2_140.0, 5_100_000.0].map(bytes);
    assert_eq!(bytes, ["0 B", "999 B", "2.1 kB", "5.1 MB"]);
    assert_eq!(count(1_u32, "query"), "1 query");
}

#[test]
fn a_feature_is_said_in_its_unit() {
    let words = |unit, value| {
        contribution(&Contribution {
            feature: "feature",
            meaning: "What it is.",
            unit,
            value,
            contribution: 0.1,
        })
    };
    assert_eq!(words("per mille", 971.0), "What it is: 97 %");
    assert_eq!(words("ms", 1500.0), "What it is: 1.5 s");
    assert_eq!(words("flows", 207.0), "What it is: 207 flows");
    assert_eq!(words("class", 3.0), "What it is: 3");
}
