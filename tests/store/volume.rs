//! How long much takes, printed; the limits here are only those beyond which something is wrong.

use std::time::{Duration, Instant};

use nix::time::ClockId;

use sensor::store::{Entry, Store};

use super::sample::{block, config, eventually, incident, message, now};

#[test]
fn a_hundred_thousand_blocks_are_known_again_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder.path().join("garita.db"), "");
    let (store, _) = Store::open(&config, now);
    let begun = Instant::now();
    for number in 0..100_000_u32 {
        let target = format!("2001:db8::{:x}:{:x}/128", number >> 16, number & 0xffff);
        store.record(Entry::Block(block(&target, 0, Some(600))));
    }
    let handed_over = begun.elapsed();
    store.clone().close();
    let health = store.health();
    println!(
        "100,000 blocks: handed over in {handed_over:.2?}, written in {:.2?}, {} MB",
        begun.elapsed(),
        health.file_bytes / 1_000_000
    );
    assert!(health.lost.is_empty(), "{:?}", health.lost);
    drop(store);

    let before = resident();
    let (begun, worked) = (Instant::now(), processor());
    let (store, recovered) = Store::open(&config, now);
    let (took, worked) = (begun.elapsed(), processor() - worked);
    println!(
        "100,000 blocks: known again in {took:.2?}, of which {worked:.2?} of processor, {} MB more memory",
        (resident() - before) / 1_000
    );
    assert_eq!(recovered.blocks.len(), 100_000);
    assert_eq!(recovered.offences.len(), 100_000);
    assert!(took < Duration::from_secs(10), "{took:?}");
    drop(store);
}

#[test]
fn incidents_come_in_faster_than_any_attack_makes_them() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder.path().join("garita.db"), "");
    let (store, _) = Store::open(&config, now);
    let count: u64 = 5_000;
    let begun = Instant::now();
    for number in 0..count {
        store.record(incident(&format!("{number:032x}"), "203.0.113.9", 1));
    }
    let written = store.outbox_changed();
    eventually("all incidents are committed", || *written.borrow() == count);
    println!(
        "{:.0} incidents a second, each with its message",
        count as f64 / begun.elapsed().as_secs_f64()
    );
    assert!(store.health().lost.is_empty());

    let mut changed = store.outbox_changed();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let mut waits: Vec<Duration> = Vec::new();
    for number in 0..40 {
        changed.mark_unchanged();
        let begun = Instant::now();
        store.record(Entry::Publish(message(&number.to_string(), 2)));
        runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(10), changed.changed())
                .await
                .unwrap()
                .unwrap()
        });
        waits.push(begun.elapsed());
    }
    waits.sort();
    println!(
        "from record to commit, alone: p50 {:.0?}, most {:.0?}",
        waits[20], waits[39]
    );
}

/// Processor time of this thread.
fn processor() -> Duration {
    ClockId::CLOCK_THREAD_CPUTIME_ID.now().unwrap().into()
}

/// Resident memory, kB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
