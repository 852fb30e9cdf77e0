//! Scans: of one server's ports, and of a network for one port.
//! Only parameters are drawn here; what they do is the play's script.

use super::{Pace, by, joined, set};
use crate::lab::play;
use crate::lab::scenario::Scenario;
use crate::lab::topology::{Family, Stray};

pub(super) fn nmap(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng, kind: &str) {
    scenario.stray = if random.bool() {
        Stray::Silent
    } else {
        Stray::Unreachable
    };
    let first = random.u16(1..20);
    let ports = match kind {
        "-sU" => format!("--top-ports {}", random.u16(40..150)),
        "-sV" => format!(
            "--top-ports {} --version-intensity {}",
            random.u16(20..200),
            random.u8(2..8)
        ),
        _ => format!(
            "-p {first}-{}",
            first
                + by(
                    pace,
                    random.u16(400..2_000),
                    random.u16(200..900),
                    random.u16(60..120)
                )
        ),
    };
    let timing = match pace {
        Pace::Fast => ["-T4", "-T5", "-T3"][random.usize(..3)].to_owned(),
        Pace::Medium => format!("--max-rate {}", random.u8(10..40)),
        Pace::Slow => format!("--scan-delay {}ms --max-retries 1", random.u16(600..2_500)),
    };
    let act = joined(scenario, &play::NMAP, random);
    set(act, "OPTIONS", format!("-Pn {kind} {ports} {timing}"));
}

pub(super) fn sweep(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng) {
    scenario.stray = if random.bool() {
        Stray::Silent
    } else {
        Stray::Unreachable
    };
    let victim = if scenario.family == Family::V4 {
        "192.0.2.0/26"
    } else {
        "2001:db8:1::/122"
    };
    let kind = [
        "-sS -p 22",
        "-sS -p 80,443",
        "-sn -PE",
        "-sT -p 445,3389",
        "-sU -p 161",
    ][random.usize(..5)];
    let rate = by(
        pace,
        random.u16(80..400),
        random.u16(5..20),
        random.u16(1..3),
    );
    let ping = if kind.contains("-sn") { "" } else { "-Pn" };
    let act = joined(scenario, &play::NMAP, random);
    set(
        act,
        "OPTIONS",
        format!("{ping} {kind} --max-rate {rate} --max-retries 1"),
    );
    set(act, "VICTIM", victim);
}

pub(super) fn zmap(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng) {
    let rate = by(pace, 400, 60, 6);
    let ports = ["22", "80", "23 2323", "443 8443"][random.usize(..4)];
    let act = joined(scenario, &play::ZMAP, random);
    set(act, "RATE", rate);
    set(act, "PORTS", ports);
    set(act, "VICTIM", "192.0.2.0/24");
}

pub(super) fn masscan(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng) {
    let rate = by(pace, 500, 40, 4);
    let sweep = random.bool();
    let act = joined(scenario, &play::MASSCAN, random);
    set(act, "RATE", rate);
    set(act, "PORTS", if sweep { "22,80,443" } else { "1-1000" });
    if sweep {
        set(act, "VICTIM", "192.0.2.0/25");
    }
}
