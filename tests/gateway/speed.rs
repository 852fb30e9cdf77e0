//! How fast attackers are shut out: from the first packet, and from the deciding one. A few runs show that it works;
//! `cargo xtask bench gateway` asks for many.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::attack::attempts;
use super::daemon::{Meter, Post};
use super::testbed::{ATTACKERS, SERVER, attacker, send_from};
use super::tools::{hydra, nmap};
use crate::process::Process;

super::with_each_meter! {
    scanners_are_shut_out_within_a_second_and_searchers_within_ten_attempts
}

/// Names how many port scans are run; a tenth as many password searches are.
const RUNS: &str = "GARITA_RUNS";
/// As many as show that it works.
const FEW: usize = 5;
/// Of the attackers, those that scan; the others search for passwords.
const SCANNERS: u8 = 30;

fn scanners_are_shut_out_within_a_second_and_searchers_within_ten_attempts(
    test: &str,
    meter: Meter,
) {
    // Half-open scans prove nothing, and those of a minute are more than an attacker should get blocked.
    let settings = "policy.max_unproven_blocks_per_minute = 1000";
    let Some(post) = Post::new(test, meter, settings) else {
        return;
    };
    let runs = std::env::var(RUNS).ok().and_then(|runs| runs.parse().ok());
    let runs: usize = runs.unwrap_or(FEW);
    let sshd = post.stage.sshd(&post.stage.server);
    let mut sensor = post.start();
    let mut waits: Vec<Duration> = (0..runs).map(|run| scan(&post, run)).collect();
    waits.sort_unstable();
    let quantile = |share: usize| waits[(waits.len() * share / 100).min(waits.len() - 1)];
    println!(
        "{test}: first packet to element over {runs} scans: p50 {:?}, p99 {:?}, worst {:?}",
        quantile(50),
        quantile(99),
        quantile(100)
    );
    // In the bench only: `gateway::attack` holds every change to the ten attempts.
    let searches = runs / 10;
    let mut counts = Vec::new();
    for searcher in (0..ATTACKERS - SCANNERS).cycle().take(searches) {
        // Each from elsewhere: what a released one had open would be counted with what it opens next.
        let from = attacker(SCANNERS + searcher);
        send_from(&post.stage.outside, from);
        let mark = sshd.said().len();
        let search = hydra(&post, SERVER[0]);
        sensor.until_blocked(from[0]);
        drop(search);
        counts.push(attempts(sshd.said(), (from[0], mark)));
        post.done(&format!("blocks remove {}", from[0]));
    }
    println!("{test}: attempts before the block over {searches} searches: {counts:?}");
    println!(
        "{test}: deciding packet to element, seconds:\n{}",
        histogram(&post)
    );
    assert!(
        quantile(99) < Duration::from_secs(1),
        "p99 {:?}",
        quantile(99)
    );
    assert!(counts.iter().all(|attempts| *attempts <= 10), "{counts:?}");
    assert!(sensor.stop().success());
}

/// Runs one scan until its element stands, and returns how long that took from its first packet.
fn scan(post: &Post, run: usize) -> Duration {
    let attacker = attacker((run % usize::from(SCANNERS)) as u8)[0];
    let mut command = post.stage.gateway.command("tcpdump");
    let filter = format!("-i wan -p -n -l -tt --immediate-mode -c 1 src host {attacker} and tcp");
    command.args(filter.split(' '));
    let first = Process::ready("tcpdump", command, "listening on");
    let monitor = post.stage.monitor();
    let mut nmap = nmap(
        post,
        &format!("-n -Pn -sS -S {attacker} -e wan -p 1-5000 {}", SERVER[0]),
    );
    monitor.wait_for(&attacker.to_string());
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is after 1970");
    assert!(nmap.is_running(), "the scan is still on its way");
    let line = first.wait_for(&attacker.to_string());
    let stamp = line.split(' ').next().and_then(|stamp| stamp.parse().ok());
    let stamp = Duration::from_secs_f64(stamp.unwrap_or_else(|| panic!("no time in {line:?}")));
    drop(nmap);
    post.done(&format!("blocks remove {attacker}"));
    now.saturating_sub(stamp)
}

/// The histogram of what passed between a decision's packet and the kernel's word that its element stands.
fn histogram(post: &Post) -> String {
    let metrics = post.metrics();
    let lines = metrics
        .lines()
        .filter(|line| line.starts_with("garita_detect_to_block_seconds"));
    lines.collect::<Vec<_>>().join("\n")
}
