//! What happened, as a sentence for the person on duty.
//! It words facts that others counted; it works nothing out itself.

use std::net::IpAddr;

use ebpf::packet::protocol;

use contract::class::Class;
use contract::flow::Flow;
use detection::verdict::{Contribution, Facts, Subject, Verdict};

/// Sources of a distributed attack that a sentence names.
const NAMED_SOURCES: usize = 3;

/// A shorter time, in seconds, is not told: counts from a single moment have none.
const SHORTEST: f64 = 0.001;

/// The sentence, without a full stop.
pub(super) fn message(verdict: &Verdict) -> String {
    match verdict.tunnel {
        None => deed(verdict),
        Some(outer) => format!(
            "{}; seen inside a tunnel from {} to {}",
            deed(verdict),
            outer.source.to_canonical(),
            outer.destination.to_canonical()
        ),
    }
}

/// What was done, to whom, and how much of it.
fn deed(verdict: &Verdict) -> String {
    let facts = &verdict.facts;
    let flow = &verdict.flow;
    let who = verdict.subject.address().to_canonical();
    let opener = flow.initiator.ip().to_canonical();
    match verdict.class {
        Class::Benign => format!("{who} does nothing unusual"),
        Class::Scan | Class::Flood | Class::SlowDos
            if matches!(verdict.subject, Subject::Victim { .. }) =>
        {
            let deed = match verdict.class {
                Class::Scan => "scanned",
                _ => "flooded",
            };
            format!(
                "{} that may be forged {deed} {who}{}{}",
                count(facts.initiators, "address"),
                within(facts),
                sources(&verdict.subject)
            )
        }
        Class::Scan => format!("{who} scanned{}", probes(flow, facts)),
        Class::BruteForce if matches!(verdict.subject, Subject::Victim { .. }) => format!(
            "{} try to log in at {}: {}{}{}{}",
            count(facts.initiators, "address"),
            place(flow, facts),
            count(facts.attempts, "login attempt"),
            within(facts),
            each(facts),
            sources(&verdict.subject)
        ),
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
            count(facts.attempts, if is_ping(flow) { "ping" } else { "query" }),
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
        let pings = count(
            facts.opened,
            if is_ping(flow) { "ping" } else { "ICMP query" },
        );
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

/// Whether it is an echo request: ICMP type 8, ICMPv6 type 128.
fn is_ping(flow: &Flow) -> bool {
    matches!(
        (flow.protocol, flow.icmp_type),
        (protocol::ICMP, 8) | (protocol::ICMPV6, 128)
    )
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
mod tests;
