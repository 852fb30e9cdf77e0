//! What happened, as a sentence for the person on duty.
//! It words facts that others counted; it works nothing out itself.

use std::net::IpAddr;

use ebpf::packet::protocol;

use crate::class::Class;
use crate::verdict::{Contribution, Facts, Flow, Subject, Verdict};

/// Sources of a distributed attack that a sentence names.
const NAMED_SOURCES: usize = 3;

/// A shorter time, in seconds, is not told: counts from a single moment have none.
const SHORTEST: f64 = 0.001;

/// The sentence, without a full stop.
pub(super) fn message(verdict: &Verdict) -> String {
    let facts = &verdict.facts;
    let flow = &verdict.flow;
    let who = verdict.subject.address().to_canonical();
    let opener = flow.initiator.ip().to_canonical();
    match verdict.class {
        Class::Benign => format!("{who} does nothing unusual"),
        Class::Scan => format!("{who} scanned{}", probes(flow, facts)),
        Class::BruteForce => format!(
            "{who} tried to log in: {} at {}{}{}",
            count(facts.attempts, "login attempt"),
            place(flow, facts),
            within(facts),
            each(facts)
        ),
        Class::Flood => format!(
            "{who} flooded {}: {}{}{}",
            place(flow, facts),
            count(facts.packets, "packet"),
            within(facts),
            rate(facts)
        ),
        Class::SlowDos => format!(
            "{who} ties up {}: {} opened{} and held{}",
            place(flow, facts),
            count(facts.open, "connection"),
            within(facts),
            each(facts)
        ),
        Class::Ddos => format!(
            "{who} is attacked by {}{}",
            count(facts.initiators, "address"),
            sources(&verdict.subject)
        ),
        Class::C2 => format!(
            "{opener} keeps calling {}: {}, one every {} ± {}{}",
            place(flow, facts),
            count(facts.attempts, "time"),
            seconds(facts.attempt_gap),
            seconds(facts.attempt_gap_deviation),
            each(facts)
        ),
        Class::Tunnel => format!(
            "{opener} carries data through {}: {}{}{}",
            place(flow, facts),
            count(facts.attempts, if is_icmp(flow) { "ping" } else { "query" }),
            within(facts),
            each(facts)
        ),
        Class::Exploit => format!(
            "{who} sent what looks like an exploit to {}",
            place(flow, facts)
        ),
    }
}

/// What one feature says.
pub(super) fn contribution(part: &Contribution) -> String {
    let value = match part.unit {
        "ms" => seconds(part.value / 1000.0),
        "bytes" => bytes(part.value),
        "per mille" => format!("{} %", number((part.value / 10.0).round())),
        "class" => number(part.value),
        unit => format!("{} {unit}", number(part.value)),
    };
    format!("{}: {value}", part.meaning.trim_end_matches('.'))
}

/// What was probed. A scan that is judged after its minute has nothing left to count but its last probe.
fn probes(flow: &Flow, facts: &Facts) -> String {
    if facts.opened == 0 {
        return format!(", at last {}", place(flow, facts));
    }
    let what = if is_icmp(flow) {
        let pings = count(facts.opened, "ping");
        format!("sent {pings} to {}", hosts(facts.hosts))
    } else {
        let opened = count(facts.opened, flows(flow));
        let ports = match facts.ports {
            0 | 1 => format!("port {}", flow.responder.port()),
            several => count(several, "port"),
        };
        format!("opened {opened} to {ports} of {}", hosts(facts.hosts))
    };
    format!(": {what}{}; {}", within(facts), answers(facts))
}

/// The time it took, where that is more than a moment.
fn within(facts: &Facts) -> String {
    match facts.seconds {
        moment if moment < SHORTEST => String::new(),
        some => format!(" in {}", seconds(some)),
    }
}

/// The payload of each, where there was any.
fn each(facts: &Facts) -> String {
    match facts.attempt_bytes {
        nothing if nothing < 1.0 => String::new(),
        some => format!(", each about {}", bytes(some)),
    }
}

/// The rate of packets, where it says more than the count.
fn rate(facts: &Facts) -> String {
    match facts.packets_per_second {
        slow if slow < 1.0 => String::new(),
        rate => format!(", up to {} a second", number(rate)),
    }
}

fn answers(facts: &Facts) -> String {
    let (part, how) = if facts.refused > facts.unanswered {
        (facts.refused, "refused")
    } else {
        (facts.unanswered, "unanswered")
    };
    match (part, facts.opened) {
        (0, _) | (_, 0) => "all answered".to_owned(),
        (part, opened) => {
            let percent = 100.0 * f64::from(part.min(opened)) / f64::from(opened);
            format!("{percent:.0} % {how}")
        }
    }
}

fn sources(subject: &Subject) -> String {
    let Subject::Victim { sources, .. } = subject else {
        return String::new();
    };
    let named: Vec<String> = sources
        .iter()
        .take(NAMED_SOURCES)
        .map(|source| source.to_canonical().to_string())
        .collect();
    match named.as_slice() {
        [] => String::new(),
        named => format!("; most by {}", named.join(", ")),
    }
}

fn hosts(hosts: u32) -> String {
    match hosts {
        0 | 1 => "one host".to_owned(),
        several => count(several, "host"),
    }
}

fn place(flow: &Flow, facts: &Facts) -> String {
    let host: IpAddr = flow.responder.ip().to_canonical();
    match facts.service {
        Some(service) => format!("{service} of {host}"),
        None if is_icmp(flow) => host.to_string(),
        None => format!("port {} of {host}", flow.responder.port()),
    }
}

fn flows(flow: &Flow) -> &'static str {
    match flow.protocol {
        protocol::TCP => "connection",
        _ => "flow",
    }
}

fn is_icmp(flow: &Flow) -> bool {
    matches!(flow.protocol, protocol::ICMP | protocol::ICMPV6)
}

/// A number and its noun, which takes an s, an es or an ies.
fn count(count: impl Into<u64>, noun: &str) -> String {
    let count = count.into();
    let written = thousands(&count.to_string());
    match noun.strip_suffix('y') {
        _ if count == 1 => format!("{written} {noun}"),
        Some(stem) => format!("{written} {stem}ies"),
        None if noun.ends_with('s') => format!("{written} {noun}es"),
        None => format!("{written} {noun}s"),
    }
}

/// A number with at most one digit after the point.
fn number(value: f64) -> String {
    let rounded = if value.abs() < 10.0 {
        (value * 10.0).round() / 10.0
    } else {
        value.round()
    };
    let text = rounded.to_string();
    match text.split_once('.') {
        Some((whole, digits)) => format!("{}.{digits}", thousands(whole)),
        None => thousands(&text),
    }
}

/// Digits in groups of three from ten thousand on.
fn thousands(digits: &str) -> String {
    if digits.len() < 5 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return digits.to_owned();
    }
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A time in the unit that suits it.
fn seconds(seconds: f64) -> String {
    match seconds {
        short if short < 0.0005 => "0 s".to_owned(),
        short if short < 0.9995 => format!("{:.0} ms", short * 1000.0),
        few if few < 9.95 => format!("{} s", number(few)),
        some if some < 119.5 => format!("{some:.0} s"),
        many if many < 7170.0 => format!("{:.0} min", many / 60.0),
        long => format!("{} h", number(long / 3600.0)),
    }
}

/// An amount of bytes in the unit that suits it.
fn bytes(bytes: f64) -> String {
    match bytes {
        few if few < 999.5 => format!("{few:.0} B"),
        some if some < 999_500.0 => format!("{} kB", number(some / 1e3)),
        many => format!("{} MB", number(many / 1e6)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::tests::verdict;

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
}
