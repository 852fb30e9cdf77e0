//! The attacks of the training set: which play, against which servers, with which chances.
//! What stands beside them is `ambience`; this file knows attacks only.

use super::cases::{SERVER, attacker};
use super::forged::{Flood, Kind};
use super::play;
use super::scenario::{Act, Play, Scenario};
use super::service;
use super::topology::{Family, Host, Role, Stray};

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
    Attack { folder, families, paces, join }
}

/// Every attack of the set.
pub(crate) static ATTACKS: &[Attack] = &[
    attack("scan-syn", BOTH, ALL, |s, p, r| nmap(s, p, r, "-sS")),
    attack("brute-force-ssh", BOTH, ALL, |s, p, r| hydra(s, p, r, "ssh")),
    attack("flood-syn", V4, QUICK, |s, p, r| flood(s, p, r, "-S -p 80")),
    attack("slow-headers", BOTH, QUICK, |s, p, r| slow(s, p, r, "-H -i 10")),
    attack("ddos-syn", BOTH, QUICK, |s, p, r| forged(s, p, r, Kind::Syn(80))),
    attack("scan-masscan", V4, ALL, masscan),
    attack("brute-force-medusa-ssh", V4, ALL, |s, p, r| medusa(s, p, r, "ssh")),
    attack("slow-read", V4, QUICK, slow_read),
    attack("flood-ab", BOTH, QUICK, |s, p, r| http_flood(s, p, r, "ab")),
    attack("scan-connect", BOTH, ALL, |s, p, r| nmap(s, p, r, "-sT")),
    attack("brute-force-ftp", BOTH, ALL, |s, p, r| hydra(s, p, r, "ftp")),
    attack("flood-udp", V4, QUICK, |s, p, r| flood(s, p, r, "--udp -k -s 40000 -p 9999 -d 300")),
    attack("slowloris", BOTH, ALL, slowloris),
    attack("ddos-reflection", BOTH, QUICK, |s, p, r| forged(s, p, r, Kind::Reflection(53, 1_000))),
    attack("brute-force-ncrack", BOTH, QUICK, ncrack),
    attack("scan-udp", BOTH, QUICK, |s, p, r| nmap(s, p, r, "-sU")),
    attack("c2-beacon", BOTH, ALL, beacon),
    attack("tunnel-iodine", V4, ALL, iodine),
    attack("scan-sweep", BOTH, ALL, sweep),
    attack("brute-force-patator-ssh", BOTH, QUICK, |s, p, r| patator(s, p, r, "ssh")),
    attack("tunnel-dns2tcp", V4, QUICK, dns2tcp),
    attack("scan-stealth", V4, QUICK, |s, p, r| { let kind = ["-sF", "-sX", "-sN"][r.usize(..3)]; nmap(s, p, r, kind) }),
    attack("scan-service", BOTH, QUICK, |s, p, r| nmap(s, p, r, "-sV")),
    attack("scan-zmap", V4, ALL, zmap),
    attack("flood-http", V4, QUICK, |s, p, r| { let tool = ["siege", "goldeneye"][r.usize(..2)]; http_flood(s, p, r, tool) }),
    attack("flood-nping", BOTH, QUICK, nping),
    attack("flood-icmp", V4, QUICK, |s, p, r| flood(s, p, r, "--icmp -d 200")),
    attack("flood-ack", V4, ONE, |s, p, r| flood(s, p, r, "-A -p 80")),
    attack("ddos-udp", BOTH, QUICK, |s, p, r| forged(s, p, r, Kind::Udp(53, 400))),
    attack("slow-body", BOTH, QUICK, |s, p, r| slow(s, p, r, "-B -i 8 -s 8192")),
    attack("brute-force-http", BOTH, QUICK, |s, p, r| hydra(s, p, r, "http-get")),
    attack("brute-force-form", V4, QUICK, |s, p, r| hydra(s, p, r, "http-post-form")),
    attack("brute-force-telnet", BOTH, QUICK, |s, p, r| hydra(s, p, r, "telnet")),
    attack("brute-force-imap", BOTH, ALL, |s, p, r| hydra(s, p, r, "imap")),
    attack("brute-force-redis", BOTH, QUICK, |s, p, r| hydra(s, p, r, "redis")),
    attack("brute-force-patator-ftp", V4, QUICK, |s, p, r| patator(s, p, r, "ftp")),
    attack("brute-force-medusa-ftp", V4, QUICK, |s, p, r| medusa(s, p, r, "ftp")),
    attack("exploit-web", BOTH, ONE, exploit),
];

fn by<T>(pace: Pace, fast: T, medium: T, slow: T) -> T {
    match pace {
        Pace::Fast => fast,
        Pace::Medium => medium,
        Pace::Slow => slow,
    }
}

/// The first act is the attack: its tool names the capture's source.
fn joined<'a>(scenario: &'a mut Scenario, play: &'static Play, random: &mut fastrand::Rng) -> &'a mut Act {
    let act = Act::new(attacker(random.u8(1..=40)), play, SERVER).with("START", random.u8(8..=18));
    scenario.acts.insert(0, act);
    &mut scenario.acts[0]
}

fn set(act: &mut Act, key: &str, value: impl ToString) {
    act.variables.push((key.to_owned(), value.to_string()));
}

fn nmap(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng, kind: &str) {
    scenario.stray = if random.bool() { Stray::Silent } else { Stray::Unreachable };
    let first = random.u16(1..20);
    let ports = match kind {
        "-sU" => format!("--top-ports {}", random.u16(40..150)),
        "-sV" => format!("--top-ports {} --version-intensity {}", random.u16(20..200), random.u8(2..8)),
        _ => format!("-p {first}-{}", first + by(pace, random.u16(400..2_000), random.u16(200..900), random.u16(60..120))),
    };
    let timing = match pace {
        Pace::Fast => ["-T4", "-T5", "-T3"][random.usize(..3)].to_owned(),
        Pace::Medium => format!("--max-rate {}", random.u8(10..40)),
        Pace::Slow => format!("--scan-delay {}ms --max-retries 1", random.u16(600..2_500)),
    };
    let act = joined(scenario, &play::NMAP, random);
    set(act, "OPTIONS", format!("-Pn {kind} {ports} {timing}"));
}

fn sweep(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng) {
    scenario.stray = if random.bool() { Stray::Silent } else { Stray::Unreachable };
    let victim = if scenario.family == Family::V4 { "192.0.2.0/26" } else { "2001:db8:1::/122" };
    let kind = ["-sS -p 22", "-sS -p 80,443", "-sn -PE", "-sT -p 445,3389", "-sU -p 161"][random.usize(..5)];
    let rate = by(pace, random.u16(80..400), random.u16(5..20), random.u16(1..3));
    let ping = if kind.contains("-sn") { "" } else { "-Pn" };
    let act = joined(scenario, &play::NMAP, random);
    set(act, "OPTIONS", format!("{ping} {kind} --max-rate {rate} --max-retries 1"));
    set(act, "VICTIM", victim);
}

fn zmap(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng) {
    let rate = by(pace, 400, 60, 6);
    let ports = ["22", "80", "23 2323", "443 8443"][random.usize(..4)];
    let act = joined(scenario, &play::ZMAP, random);
    set(act, "RATE", rate);
    set(act, "PORTS", ports);
    set(act, "VICTIM", "192.0.2.0/24");
}

fn masscan(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng) {
    let rate = by(pace, 500, 40, 4);
    let sweep = random.bool();
    let act = joined(scenario, &play::MASSCAN, random);
    set(act, "RATE", rate);
    set(act, "PORTS", if sweep { "22,80,443" } else { "1-1000" });
    if sweep {
        set(act, "VICTIM", "192.0.2.0/25");
    }
}

fn hydra(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng, service: &str) {
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
    for (key, value) in [("USERS", users.to_owned()), ("TASKS", tasks.to_string()), ("WORDS", words.to_string())] {
        set(act, key, value);
    }
    set(act, "THINK", think);
    set(act, "ROUNDS", 200);
}

fn patator(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng, service: &str) {
    let (tasks, words) = (by(pace, random.u8(4..=8), random.u8(1..=2), 1), random.u16(100..400));
    let act = joined(scenario, &play::PATATOR, random);
    set(act, "SERVICE", service);
    set(act, "TASKS", tasks);
    set(act, "WORDS", words);
    set(act, "GAP", by(pace, 0, 2, 6));
}

fn medusa(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng, service: &str) {
    let tasks = by(pace, random.u8(4..=8), random.u8(2..=3), 1);
    let act = joined(scenario, &play::MEDUSA, random);
    set(act, "SERVICE", service);
    set(act, "TASKS", tasks);
    set(act, "WORDS", 300);
}

fn ncrack(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng) {
    let service = ["ssh", "ftp"][random.usize(..2)];
    let act = joined(scenario, &play::NCRACK, random);
    set(act, "SERVICE", service);
    set(act, "WORDS", 300);
    set(act, "OPTIONS", by(pace, "-T4", "-T3 -g CL=2", "-T1"));
}

fn flood(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng, options: &str) {
    let interval = by(pace, random.u32(500..1_500), random.u32(2_000..8_000), 20_000);
    let count = 1_000_000 / interval * random.u32(10..18);
    let act = joined(scenario, &play::HPING, random);
    set(act, "OPTIONS", options);
    set(act, "INTERVAL", interval);
    set(act, "COUNT", count);
}

fn nping(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng) {
    let options = ["--tcp --flags syn -p 80", "--udp -p 9999 --data-length 300", "--tcp --flags ack -p 443"][random.usize(..3)];
    let rate = by(pace, random.u16(600..1_500), random.u16(100..400), 50);
    let act = joined(scenario, &play::NPING, random);
    set(act, "OPTIONS", options);
    set(act, "RATE", rate);
    set(act, "LAST", 14);
}

fn http_flood(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng, tool: &str) {
    let connections = by(pace, random.u8(20..80), random.u8(5..20), 2);
    let play = if tool == "ab" { &play::AB } else { &play::HTTP_FLOOD };
    let last = random.u8(3..8);
    let act = joined(scenario, play, random);
    set(act, "TOOL", tool);
    set(act, "CONNECTIONS", connections);
    set(act, "LAST", last);
}

fn forged(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng, kind: Kind) {
    let rate = by(pace, random.u32(1_500..3_000), random.u32(200..800), 50);
    let sources = [120, 800, 6_000, 40_000][random.usize(..4)];
    scenario.flood = Some(Flood { kind, sources, packets: rate * random.u32(10..18), rate });
    let play = if matches!(kind, Kind::Reflection(..)) { &play::REFLECTED } else { &play::FORGED };
    joined(scenario, play, random);
}

fn slow(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng, options: &str) {
    let connections = by(pace, random.u16(200..500), random.u16(40..120), 20);
    let act = joined(scenario, &play::SLOWHTTP, random);
    set(act, "OPTIONS", options);
    set(act, "CONNECTIONS", connections);
    set(act, "RATE", by(pace, 50, 10, 2));
}

fn slow_read(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng) {
    let connections = by(pace, random.u16(150..300), random.u16(40..100), 20);
    let act = joined(scenario, &play::SLOW_READ, random);
    set(act, "CONNECTIONS", connections);
    set(act, "RATE", by(pace, 50, 10, 2));
}

fn slowloris(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng) {
    let connections = by(pace, random.u16(200..400), random.u16(60..150), random.u16(20..50));
    let every = random.u8(5..15);
    let act = joined(scenario, &play::SLOWLORIS, random);
    set(act, "CONNECTIONS", connections);
    set(act, "EVERY", every);
    set(act, "GAP", by(pace, 1, 4, 9));
}

fn exploit(scenario: &mut Scenario, _: Pace, random: &mut fastrand::Rng) {
    let every = random.u8(1..5);
    let act = joined(scenario, &play::EXPLOIT, random);
    set(act, "EVERY", every);
}

/// A desk that talks to a hostile machine outside.
fn infected<'a>(scenario: &'a mut Scenario, play: &'static Play, random: &mut fastrand::Rng) -> (&'a mut Act, Host) {
    let home = attacker(random.u8(1..=40));
    let act = Act::new(Host::new(Role::Desk, random.u8(1..=40)), play, home);
    scenario.acts.insert(0, act);
    (&mut scenario.acts[0], home)
}

fn beacon(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng) {
    let (jitter, scheme) = ([0, 10, 30, 50][random.usize(..4)], ["http", "https"][random.usize(..2)]);
    scenario.seconds = by(pace, 90, 120, 180);
    let (act, home) = infected(scenario, &play::BEACON, random);
    set(act, "EVERY", by(pace, 2, 5, 10));
    set(act, "JITTER", jitter);
    set(act, "SCHEME", scheme);
    scenario.services.push((home, &service::WEB));
}

fn iodine(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng) {
    let kind = ["-T TXT", "-T NULL", "-T CNAME", "-T MX"][random.usize(..4)];
    let (act, home) = infected(scenario, &play::IODINE, random);
    set(act, "OPTIONS", kind);
    set(act, "BYTES", by(pace, 60_000, 15_000, 2_000));
    set(act, "THINK", by(pace, 1, 3, 8));
    scenario.services.push((home, &service::IODINED));
}

fn dns2tcp(scenario: &mut Scenario, pace: Pace, random: &mut fastrand::Rng) {
    let (act, home) = infected(scenario, &play::DNS2TCP, random);
    set(act, "THINK", by(pace, 1, 6, 10));
    scenario.services.push((home, &service::SSH));
    scenario.services.push((home, &service::DNS2TCPD));
}
