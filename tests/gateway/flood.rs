//! A flood from a million senders: memory stays bounded, and who searches passwords of its victim is blocked all the same.

use std::net::{IpAddr, Ipv6Addr};
use std::thread;
use std::time::Instant;

use super::daemon::{Meter, Post};
use super::forged::flood;
use super::testbed::{ATTACKER, SERVER};
use super::tools::hydra;

super::with_each_meter! {
    a_million_senders_cost_bounded_memory_and_hide_nobody
}

/// Senders, one packet each.
const SENDERS: u32 = 1_000_000;
/// What the sensor may hold at most with its default settings, MiB: its tables are 70, the model, the lists, and the
/// capture's buffer come on top.
const MOST: u64 = 160;

fn a_million_senders_cost_bounded_memory_and_hide_nobody(test: &str, meter: Meter) {
    let Some(post) = Post::new(test, meter, "") else {
        return;
    };
    let sshd = post.stage.sshd(&post.stage.server);
    let mut sensor = post.start();
    let [before, _] = sensor.memory();
    let begun = Instant::now();
    let elapsed = thread::scope(|scope| {
        let sent = scope.spawn(|| {
            let sent = post.stage.outside.run(|| flood(SERVER[1], SENDERS, nobody));
            assert_eq!(sent, SENDERS);
            begun.elapsed()
        });
        let _search = hydra(&post, SERVER[1]);
        sensor.until_blocked(ATTACKER[1]);
        let blocked = begun.elapsed();
        println!("{test}: the search is blocked {blocked:.1?} into the flood");
        sent.join().expect("the flood is sent")
    });
    let mark = sensor.told();
    sensor.until_told("WATCHDOG=1", mark);
    let [now, most] = sensor.memory();
    println!(
        "{test}: {SENDERS} senders in {elapsed:.1?}; memory {} MiB before, {} MiB after, at most {} MiB",
        before / 1024,
        now / 1024,
        most / 1024
    );
    assert!(most / 1024 <= MOST, "{} MiB", most / 1024);
    let block = post.block(ATTACKER[1]).expect("it is on the list");
    assert_eq!(block["class"], "brute-force", "{block}");
    let status = post.json("status").remove(0);
    println!("{test}: {} {}", status["tables"], status["losses"]);
    drop(sshd);
}

/// One of a million: 2001:db8:f::/48 holds them all.
fn nobody(number: u32) -> IpAddr {
    let [high, low] = [(number >> 16) as u16, number as u16];
    Ipv6Addr::new(0x2001, 0xdb8, 0xf, high, low, 0, 0, 1).into()
}
