//! Brute force: passwords guessed at services that ask for one; and known exploits, tried in turn.
//! Only parameters are drawn here; what they do is the play's script.

use super::{Pace, by, joined, set};
use crate::lab::play;
use crate::lab::scenario::Scenario;

pub(super) fn hydra(
    scenario: &mut Scenario,
    pace: Pace,
    random: &mut fastrand::Rng,
    service: &str,
) {
    let tasks = by(pace, random.u8(6..=12), random.u8(2..=4), 1);
    let words = by(pace, random.u16(60..200), random.u16(20..60), 1);
    let think = by(pace, 1, 2, random.u8(3..=9));
    let users = ["alice", "alice bob root", "root", "admin alice"][random.usize(..4)];
    let act = joined(scenario, &play::HYDRA, random);
    set(act, "SERVICE", service);
    match service {
        "http-get" => set(act, "FORM", "/secret/"),
        // It has no users, and says nothing to hydra's option for them.
        "redis" => set(act, "NAMELESS", 1),
        "http-post-form" => set(act, "FORM", "/login:user=^USER^&password=^PASS^:F=wrong"),
        _ => {}
    }
    for (key, value) in [
        ("USERS", users.to_owned()),
        ("TASKS", tasks.to_string()),
        ("WORDS", words.to_string()),
    ] {
        set(act, key, value);
    }
    set(act, "THINK", think);
    set(act, "ROUNDS", 200);
}

pub(super) fn patator(
    scenario: &mut Scenario,
    pace: Pace,
    random: &mut fastrand::Rng,
    service: &str,
) {
    let (tasks, words) = (
        by(pace, random.u8(4..=8), random.u8(1..=2), 1),
        random.u16(100..400),
    );
    let act = joined(scenario, &play::PATATOR, random);
    set(act, "SERVICE", service);
    set(act, "TASKS", tasks);
    set(act, "WORDS", words);
    set(act, "GAP", by(pace, 0, 2, 6));
}

pub(super) fn medusa(
    scenario: &mut Scenario,
    pace: Pace,
    random: &mut fastrand::Rng,
    service: &str,
) {
    let tasks = by(pace, random.u8(4..=8), random.u8(2..=3), 1);
    let act = joined(scenario, &play::MEDUSA, random);
    set(act, "SERVICE", service);
    set(act, "TASKS", tasks);
    set(act, "WORDS", 300);
}

pub(super) fn ncrack(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng) {
    let service = ["ssh", "ftp"][random.usize(..2)];
    let act = joined(scenario, &play::NCRACK, random);
    set(act, "SERVICE", service);
    set(act, "WORDS", 300);
    set(act, "OPTIONS", by(pace, "-T4", "-T3 -g CL=2", "-T1"));
}

pub(super) fn exploit(scenario: &mut Scenario, _: Pace, random: &mut fastrand::Rng) {
    let every = random.u8(1..5);
    let act = joined(scenario, &play::EXPLOIT, random);
    set(act, "EVERY", every);
}
