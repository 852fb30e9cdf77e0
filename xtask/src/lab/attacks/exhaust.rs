//! Floods, from one source and from forged ones, and slow denial of service.
//! Only parameters are drawn here; what they do is the play's script.

use super::{Pace, by, joined, set};
use crate::lab::forged::{Flood, Kind};
use crate::lab::play;
use crate::lab::scenario::Scenario;

pub(super) fn flood(
    scenario: &mut Scenario,
    pace: Pace,
    random: &mut fastrand::Rng,
    options: &str,
) {
    let interval = by(
        pace,
        random.u32(500..1_500),
        random.u32(2_000..8_000),
        20_000,
    );
    let count = 1_000_000 / interval * random.u32(10..18);
    let act = joined(scenario, &play::HPING, random);
    set(act, "OPTIONS", options);
    set(act, "INTERVAL", interval);
    set(act, "COUNT", count);
}

pub(super) fn nping(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng) {
    let options = [
        "--tcp --flags syn -p 80",
        "--udp -p 9999 --data-length 300",
        "--tcp --flags ack -p 443",
    ][random.usize(..3)];
    let rate = by(pace, random.u16(600..1_500), random.u16(100..400), 50);
    let act = joined(scenario, &play::NPING, random);
    set(act, "OPTIONS", options);
    set(act, "RATE", rate);
    set(act, "LAST", 14);
}

pub(super) fn http_flood(
    scenario: &mut Scenario,
    pace: Pace,
    random: &mut fastrand::Rng,
    tool: &str,
) {
    let connections = by(pace, random.u8(20..80), random.u8(5..20), 2);
    let play = if tool == "ab" {
        &play::AB
    } else {
        &play::HTTP_FLOOD
    };
    let last = random.u8(3..8);
    let act = joined(scenario, play, random);
    set(act, "TOOL", tool);
    set(act, "CONNECTIONS", connections);
    set(act, "LAST", last);
}

pub(super) fn forged(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng, kind: Kind) {
    let rate = by(pace, random.u32(1_500..3_000), random.u32(200..800), 50);
    let sources = [120, 800, 6_000, 40_000][random.usize(..4)];
    scenario.flood = Some(Flood {
        kind,
        sources,
        packets: rate * random.u32(10..18),
        rate,
    });
    let play = if matches!(kind, Kind::Reflection(..)) {
        &play::REFLECTED
    } else {
        &play::FORGED
    };
    joined(scenario, play, random);
}

pub(super) fn slow(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng, options: &str) {
    let connections = by(pace, random.u16(200..500), random.u16(40..120), 20);
    let act = joined(scenario, &play::SLOWHTTP, random);
    set(act, "OPTIONS", options);
    set(act, "CONNECTIONS", connections);
    set(act, "RATE", by(pace, 50, 10, 2));
}

pub(super) fn slow_read(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng) {
    let connections = by(pace, random.u16(150..300), random.u16(40..100), 20);
    let act = joined(scenario, &play::SLOW_READ, random);
    set(act, "CONNECTIONS", connections);
    set(act, "RATE", by(pace, 50, 10, 2));
}

pub(super) fn slowloris(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng) {
    let connections = by(
        pace,
        random.u16(200..400),
        random.u16(60..150),
        random.u16(20..50),
    );
    let every = random.u8(5..15);
    let act = joined(scenario, &play::SLOWLORIS, random);
    set(act, "CONNECTIONS", connections);
    set(act, "EVERY", every);
    set(act, "GAP", by(pace, 1, 4, 9));
}
