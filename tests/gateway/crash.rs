//! A sensor that is killed, and one that starts again with a long list: nothing that was decided is lost, nothing is
//! there twice.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::clients::scan;
use super::daemon::{Meter, Post};
use super::testbed::{SERVER, attacker};

super::with_each_meter! {
    killed_in_mid_attack_it_loses_nothing_older_than_a_second
    what_stands_in_the_kernel_without_a_record_is_recovered
    a_hundred_thousand_blocks_come_back_with_the_time_they_have_left
}

/// How often it is killed.
const KILLS: u8 = 20;
/// What may be lost is younger than this.
const YOUNG: Duration = Duration::from_secs(1);
/// Blocks that come back after a restart.
const MANY: u32 = 100_000;

fn killed_in_mid_attack_it_loses_nothing_older_than_a_second(test: &str, meter: Meter) {
    let Some(post) = Post::new(test, meter, "") else {
        return;
    };
    let victim = SERVER[0];
    let mut decided: Vec<(IpAddr, String)> = Vec::new();
    let mut slowest = Duration::ZERO;
    for round in 0..KILLS {
        let mut sensor = post.start();
        for (address, _) in decided.iter().rev().take(3) {
            assert!(
                post.stage.is_blocked(*address),
                "round {round}: {address} is let in"
            );
        }
        let [first, second] = [2 * round, 2 * round + 1].map(|number| attacker(number)[0]);
        let attack = post.stage.outside.run(|| scan(first, victim, 100..160));
        sensor.until_blocked(first);
        let blocked = Instant::now();
        let incident = sensor.until("it is recorded", || post.incidents(first).pop());
        slowest = slowest.max(blocked.elapsed());
        decided.push((first, id(&incident)));
        // The kill comes while another attack is judged: in some rounds before its block, in others after.
        let late = post.stage.outside.run(|| scan(second, victim, 100..160));
        sensor
            .process
            .said()
            .stir(Duration::from_millis(u64::from(round) * 4));
        sensor.kill();
        drop((attack, late));
    }
    let sensor = post.start();
    let incidents: Vec<String> = post
        .json("incidents list --limit 500")
        .iter()
        .map(id)
        .collect();
    let unique: BTreeSet<&String> = incidents.iter().collect();
    assert_eq!(unique.len(), incidents.len(), "no incident is there twice");
    let blocks = post.json("blocks list");
    let targets: BTreeSet<&str> = blocks
        .iter()
        .filter_map(|block| block["target"].as_str())
        .collect();
    assert_eq!(
        targets.len(),
        blocks.len(),
        "no block is there twice: {blocks:?}"
    );
    for (address, incident) in &decided {
        assert!(
            unique.contains(incident),
            "the incident of {address} is lost"
        );
        let known = post.json(&format!("explain {address}")).remove(0);
        let history = known["history"].as_array().expect("a list");
        // Its minute may be over by now; the record of it is not, and nothing was made of it twice.
        assert_eq!(history.len(), 1, "{address}: {known}");
        assert_eq!(history[0]["origin"], "detection", "{known}");
        assert_eq!(history[0]["incident"], **incident, "{known}");
    }
    let recovered = blocks
        .iter()
        .filter(|block| block["origin"] == "recovered")
        .count();
    println!(
        "{test}: {KILLS} kills; {slowest:?} at most from element to record; {recovered} blocks recovered"
    );
    assert!(slowest < YOUNG, "recorded only after {slowest:?}");
    assert_eq!(post.garita("audit verify").code, 0);
    assert_eq!(sensor.process.said().count("unclean-stop"), 1);
}

fn id(incident: &Value) -> String {
    incident["event"]["id"].as_str().expect("an id").to_owned()
}

fn what_stands_in_the_kernel_without_a_record_is_recovered(test: &str, meter: Meter) {
    let Some(post) = Post::new(test, meter, "") else {
        return;
    };
    post.start().kill();
    let add = "add element inet garita";
    for element in [
        "blocked4 { 203.0.113.100 timeout 10m }",
        "blocked6 { 2001:db8:1::100 timeout 20m }",
        "blocked4_net { 198.51.100.64/28 timeout 30m }",
    ] {
        post.stage
            .nft(&format!("{add} {element}"))
            .expect("nft adds it");
    }
    let sensor = post.start();
    for target in ["203.0.113.100", "2001:db8:1::100", "198.51.100.64/28"] {
        let block = post
            .block(target)
            .unwrap_or_else(|| panic!("{target} is on the list"));
        assert_eq!(block["origin"], "recovered", "{block}");
        assert_eq!(block["state"], "enforced", "{block}");
    }
    for (set, minutes) in [("blocked4", 10), ("blocked6", 20)] {
        let [(_, left)] = elements(&post, set)[..] else {
            panic!("one element in {set}");
        };
        assert!(
            (minutes * 60 - 60..=minutes * 60).contains(&left),
            "{left} s in {set}"
        );
    }
    let prefixes = post
        .stage
        .nft("list set inet garita blocked4_net")
        .expect("it is there");
    assert!(prefixes.contains("198.51.100.64/28"), "{prefixes}");
    assert!(sensor.stop().success());
}

fn a_hundred_thousand_blocks_come_back_with_the_time_they_have_left(test: &str, meter: Meter) {
    let Some(post) = Post::new(test, meter, "") else {
        return;
    };
    let sensor = post.start();
    let mut list = String::new();
    for number in 0..MANY {
        writeln!(list, "{},{}h,known", many(number), hours(number)).expect("a string takes it");
    }
    let file = post.path("list.csv");
    std::fs::write(&file, format!("target,ttl,reason\n{list}")).expect("the folder can be written");
    let begun = Instant::now();
    post.done(&format!("blocks import {}", file.display()));
    let imported = begun.elapsed();
    let [before, _] = sensor.memory();
    let begun = Instant::now();
    assert!(sensor.stop().success());
    let stopped = begun.elapsed();
    post.stage
        .nft("delete table inet garita")
        .expect("as after a reboot");

    let mut sensor = post.start();
    let ready = sensor.started;
    let held = sensor.until("every block is in the kernel", || {
        let held = elements(&post, "blocked6");
        (held.len() >= MANY as usize).then_some(held)
    });
    let [now, most] = sensor.memory();
    println!(
        "{test}: {MANY} blocks imported in {imported:.1?}, stopped in {stopped:.1?}, ready again in {ready:.1?}; \
         memory {} MiB before, {} MiB after, at most {} MiB",
        before / 1024,
        now / 1024,
        most / 1024
    );
    assert_eq!(held.len(), MANY as usize);
    for (address, left) in &held {
        let IpAddr::V6(address) = address else {
            panic!("{address} is none of them")
        };
        let [.., high, low] = address.segments();
        let number = (u32::from(high) << 16) | u32::from(low);
        let whole = hours(number) * 3600;
        assert!(
            (whole - 300..=whole).contains(left),
            "{left} s of {whole} of {address}"
        );
    }
    assert!(
        ready < Duration::from_secs(30),
        "ready only after {ready:?}"
    );
}

/// For how many hours the nth is blocked.
fn hours(number: u32) -> u64 {
    1 + u64::from(number % 24)
}

fn many(number: u32) -> Ipv6Addr {
    let [high, low] = [(number >> 16) as u16, number as u16];
    Ipv6Addr::new(0x2001, 0xdb8, 0xa, 0, 0, 0, high, low)
}

/// The elements of a set and the seconds they have left.
fn elements(post: &Post, set: &str) -> Vec<(IpAddr, u64)> {
    let text = post.stage.nft(&format!("-j list set inet garita {set}"));
    let Some(text) = text else { return Vec::new() };
    let listed: Value = serde_json::from_str(&text).expect("nft prints JSON");
    let sets = listed["nftables"].as_array().expect("a list");
    let set = sets
        .iter()
        .find_map(|item| item.get("set"))
        .expect("the set");
    let elements = set["elem"].as_array().into_iter().flatten();
    let read = |element: &Value| {
        let element = &element["elem"];
        let address = element["val"].as_str().and_then(|text| text.parse().ok());
        let left = element["expires"].as_u64();
        address
            .zip(left)
            .unwrap_or_else(|| panic!("{element} is no address with a time"))
    };
    elements.map(read).collect()
}
