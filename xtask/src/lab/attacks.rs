//! The attacks of the training set: which play, against which servers, with which chances.
//! What stands beside them is `ambience`; this file knows attacks only.

mod exhaust;
mod guess;
mod inside;
mod scan;

use super::cases::{SERVER, attacker};
use super::forged::Kind;
use super::scenario::{Act, Play, Scenario};
use super::topology::Family;

/// How hurried an attack is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    Fast,
    Medium,
    Slow,
}

/// One kind of attack: its folder in the set, and how it joins a scenario.
pub(crate) struct Attack {
    pub(crate) folder: &'static str,
    /// Tools that know no IPv6 attack over IPv4 only.
    pub(crate) families: &'static [Family],
    pub(crate) paces: &'static [Pace],
    pub(crate) join: fn(&mut Scenario, Pace, &mut fastrand::Rng),
}

const V4: &[Family] = &[Family::V4];
const BOTH: &[Family] = &[Family::V4, Family::V6];
const ALL: &[Pace] = &[Pace::Fast, Pace::Medium, Pace::Slow];
const ONE: &[Pace] = &[Pace::Medium];
const QUICK: &[Pace] = &[Pace::Fast, Pace::Medium];

const fn attack(
    folder: &'static str,
    families: &'static [Family],
    paces: &'static [Pace],
    join: fn(&mut Scenario, Pace, &mut fastrand::Rng),
) -> Attack {
    Attack {
        folder,
        families,
        paces,
        join,
    }
}

/// Every attack of the set.
pub(crate) static ATTACKS: &[Attack] = &[
    attack("scan-syn", BOTH, ALL, |s, p, r| scan::nmap(s, p, r, "-sS")),
    attack("brute-force-ssh", BOTH, ALL, |s, p, r| {
        guess::hydra(s, p, r, "ssh")
    }),
    attack("flood-syn", V4, QUICK, |s, p, r| {
        exhaust::flood(s, p, r, "-S -p 80")
    }),
    attack("slow-headers", BOTH, QUICK, |s, p, r| {
        exhaust::slow(s, p, r, "-H -i 10")
    }),
    attack("ddos-syn", BOTH, QUICK, |s, p, r| {
        exhaust::forged(s, p, r, Kind::Syn(80))
    }),
    attack("scan-masscan", V4, ALL, scan::masscan),
    attack("brute-force-medusa-ssh", V4, ALL, |s, p, r| {
        guess::medusa(s, p, r, "ssh")
    }),
    attack("slow-read", V4, QUICK, exhaust::slow_read),
    attack("flood-ab", BOTH, QUICK, |s, p, r| {
        exhaust::http_flood(s, p, r, "ab")
    }),
    attack("scan-connect", BOTH, ALL, |s, p, r| {
        scan::nmap(s, p, r, "-sT")
    }),
    attack("brute-force-ftp", BOTH, ALL, |s, p, r| {
        guess::hydra(s, p, r, "ftp")
    }),
    attack("flood-udp", V4, QUICK, |s, p, r| {
        exhaust::flood(s, p, r, "--udp -k -s 40000 -p 9999 -d 300")
    }),
    attack("slowloris", BOTH, ALL, exhaust::slowloris),
    attack("ddos-reflection", BOTH, QUICK, |s, p, r| {
        exhaust::forged(s, p, r, Kind::Reflection(53, 1_000))
    }),
    attack("brute-force-ncrack", V4, QUICK, guess::ncrack),
    attack("scan-udp", BOTH, QUICK, |s, p, r| {
        scan::nmap(s, p, r, "-sU")
    }),
    attack("c2-beacon", BOTH, ALL, inside::beacon),
    attack("tunnel-iodine", V4, ALL, inside::iodine),
    attack("scan-sweep", BOTH, ALL, scan::sweep),
    attack("brute-force-patator-ssh", V4, QUICK, |s, p, r| {
        guess::patator(s, p, r, "ssh")
    }),
    attack("tunnel-dns2tcp", V4, QUICK, inside::dns2tcp),
    attack("scan-stealth", V4, QUICK, |s, p, r| {
        let kind = ["-sF", "-sX", "-sN"][r.usize(..3)];
        scan::nmap(s, p, r, kind)
    }),
    attack("scan-service", BOTH, QUICK, |s, p, r| {
        scan::nmap(s, p, r, "-sV")
    }),
    attack("scan-zmap", V4, ALL, scan::zmap),
    attack("flood-http", V4, QUICK, |s, p, r| {
        let tool = ["siege", "h2load"][r.usize(..2)];
        exhaust::http_flood(s, p, r, tool)
    }),
    attack("flood-nping", BOTH, QUICK, exhaust::nping),
    attack("flood-icmp", V4, QUICK, |s, p, r| {
        exhaust::flood(s, p, r, "--icmp -d 200")
    }),
    attack("flood-ack", V4, ONE, |s, p, r| {
        exhaust::flood(s, p, r, "-A -p 80")
    }),
    attack("ddos-udp", BOTH, QUICK, |s, p, r| {
        exhaust::forged(s, p, r, Kind::Udp(53, 400))
    }),
    attack("slow-body", BOTH, QUICK, |s, p, r| {
        exhaust::slow(s, p, r, "-B -i 8 -s 8192")
    }),
    attack("brute-force-http", BOTH, QUICK, |s, p, r| {
        guess::hydra(s, p, r, "http-get")
    }),
    attack("brute-force-form", V4, QUICK, |s, p, r| {
        guess::hydra(s, p, r, "http-post-form")
    }),
    attack("brute-force-telnet", BOTH, QUICK, |s, p, r| {
        guess::hydra(s, p, r, "telnet")
    }),
    attack("brute-force-imap", BOTH, ALL, |s, p, r| {
        guess::hydra(s, p, r, "imap")
    }),
    attack("brute-force-redis", BOTH, QUICK, |s, p, r| {
        guess::hydra(s, p, r, "redis")
    }),
    attack("brute-force-patator-ftp", V4, QUICK, |s, p, r| {
        guess::patator(s, p, r, "ftp")
    }),
    attack("brute-force-medusa-ftp", V4, QUICK, |s, p, r| {
        guess::medusa(s, p, r, "ftp")
    }),
    attack("exploit-web", BOTH, ONE, guess::exploit),
];

fn by<T>(pace: Pace, fast: T, medium: T, slow: T) -> T {
    match pace {
        Pace::Fast => fast,
        Pace::Medium => medium,
        Pace::Slow => slow,
    }
}

/// The first act is the attack: its tool names the capture's source.
fn joined<'a>(
    scenario: &'a mut Scenario,
    play: &'static Play,
    random: &mut fastrand::Rng,
) -> &'a mut Act {
    let act = Act::new(attacker(random.u8(1..=40)), play, SERVER).with("START", random.u8(8..=18));
    scenario.acts.insert(0, act);
    &mut scenario.acts[0]
}

fn set(act: &mut Act, key: &str, value: impl ToString) {
    act.variables.push((key.to_owned(), value.to_string()));
}
