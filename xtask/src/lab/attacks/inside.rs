//! Infected desks: beacons and tunnels to a machine outside.
//! Only parameters are drawn here; what they do is the play's script.

use super::{Pace, by, set};
use crate::lab::cases::attacker;
use crate::lab::play;
use crate::lab::scenario::{Act, Play, Scenario};
use crate::lab::service;
use crate::lab::topology::{Host, Role};

/// A desk that talks to a hostile machine outside.
fn infected<'a>(
    scenario: &'a mut Scenario,
    play: &'static Play,
    random: &mut fastrand::Rng,
) -> (&'a mut Act, Host) {
    let home = attacker(random.u8(1..=40));
    let act = Act::new(Host::new(Role::Desk, random.u8(1..=40)), play, home);
    scenario.acts.insert(0, act);
    (&mut scenario.acts[0], home)
}

pub(super) fn beacon(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng) {
    let (jitter, scheme) = (
        [0, 10, 30, 50][random.usize(..4)],
        ["http", "https"][random.usize(..2)],
    );
    scenario.seconds = by(pace, 90, 120, 180);
    let (act, home) = infected(scenario, &play::BEACON, random);
    set(act, "EVERY", by(pace, 2, 5, 10));
    set(act, "JITTER", jitter);
    set(act, "SCHEME", scheme);
    scenario.services.push((home, &service::WEB));
}

pub(super) fn iodine(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng) {
    let kind = ["-T TXT", "-T NULL", "-T CNAME", "-T MX"][random.usize(..4)];
    let (act, home) = infected(scenario, &play::IODINE, random);
    set(act, "OPTIONS", kind);
    set(act, "BYTES", by(pace, 60_000, 15_000, 2_000));
    set(act, "THINK", by(pace, 1, 3, 8));
    scenario.services.push((home, &service::IODINED));
}

pub(super) fn dns2tcp(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng) {
    let (act, home) = infected(scenario, &play::DNS2TCP, random);
    set(act, "THINK", by(pace, 1, 6, 10));
    scenario.services.push((home, &service::SSH));
    scenario.services.push((home, &service::DNS2TCPD));
}
