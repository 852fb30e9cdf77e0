//! What goes wrong around a sensor: it goes on protecting, and says once what is the matter.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use nix::sys::signal::Signal;

use super::clients::scan;
use super::daemon::{Meter, Post};
use super::sensor::Sensor;
use super::testbed::{SERVER, attacker, connect_wan};
use crate::skip::skip;

super::with_each_meter! {
    a_store_that_cannot_be_written_stops_nobody
    a_full_disk_stops_nobody
    an_interface_may_go_and_come_back
    a_typo_at_reload_changes_nothing_and_is_said
    a_stepped_clock_ends_no_block
}

/// Has somebody attack who has not yet, and waits for the block.
fn assert_protects(post: &Post, sensor: &mut Sensor, number: u8) {
    for (attacker, victim) in attacker(number).into_iter().zip(SERVER) {
        let attack = post.stage.outside.run(|| scan(attacker, victim, 100..160));
        sensor.until_blocked(attacker);
        drop(attack);
    }
}

/// Demands that a condition was told once in the log.
fn assert_said_once(sensor: &Sensor, name: &str) {
    let said = sensor.process.said();
    let told = format!("{name}: ");
    let lines = said.text();
    let lines = lines
        .lines()
        .filter(|line| line.contains(&told) && !line.contains("has passed"));
    assert_eq!(lines.count(), 1, "{name} in:\n{}", said.text());
}

fn a_store_that_cannot_be_written_stops_nobody(test: &str, meter: Meter) {
    let Some(mut post) = Post::new(test, meter, "") else {
        return;
    };
    // What is on the disk from before is still there.
    let sensor = post.start();
    post.done("blocks add 198.51.100.200 --ttl 1h");
    assert!(sensor.stop().success());
    let folder = post.path("kept");
    fs::create_dir(&folder).expect("the folder can be written");
    fs::copy(post.path("garita.db"), folder.join("garita.db")).expect("the store can be copied");
    let folder = folder.display();
    post.before(&format!(
        "mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}"
    ));
    post.environment("GARITA__STORE__PATH", format!("{folder}/garita.db"));

    let mut sensor = post.start();
    sensor.until_standing("store-failing");
    assert_protects(&post, &mut sensor, 0);
    assert_protects(&post, &mut sensor, 1);
    post.done("blocks add 198.51.100.201");
    let [attacker, _] = attacker(0);
    let why = post.done(&format!("explain {attacker}"));
    assert!(why.starts_with(&format!("{attacker} is blocked")), "{why}");
    assert_said_once(&sensor, "store-failing");
}

fn a_full_disk_stops_nobody(test: &str, meter: Meter) {
    let Some(mut post) = Post::new(test, meter, "") else {
        return;
    };
    let folder = post.path("small");
    fs::create_dir(&folder).expect("the folder can be written");
    let shown = folder.display().to_string();
    post.before(&format!("mount -t tmpfs -o size=2m tmpfs {shown}"));
    post.environment("GARITA__STORE__PATH", format!("{shown}/garita.db"));
    let mut sensor = post.start();
    assert_protects(&post, &mut sensor, 0);

    // The disk as the sensor sees it.
    let seen = format!("/proc/{}/root{shown}", sensor.process.pid());
    let filler = Path::new(&seen).join("filler");
    fill(&filler);
    assert_protects(&post, &mut sensor, 1);
    sensor.until_standing("store-failing");
    assert_protects(&post, &mut sensor, 2);
    assert_said_once(&sensor, "store-failing");

    fs::remove_file(&filler).expect("there is room again");
    sensor.until_cleared("store-failing");
    let [attacker, _] = attacker(2);
    sensor.until("what waited is written", || {
        (!post.incidents(attacker).is_empty()).then_some(())
    });
    assert_eq!(post.garita("audit verify").code, 0);
}

/// Writes until there is no room left.
fn fill(path: &Path) {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .expect("it can be written");
    for size in [65_536, 1] {
        while file
            .write(&vec![0; size])
            .is_ok_and(|written| written == size)
        {}
    }
}

fn an_interface_may_go_and_come_back(test: &str, meter: Meter) {
    let Some(post) = Post::new(test, meter, "capture.interfaces = [\"wan\"]") else {
        return;
    };
    let mut sensor = post.start();
    assert_protects(&post, &mut sensor, 0);
    post.stage.gateway.ip("link delete wan");
    sensor.until_standing("interface-missing");
    connect_wan(&post.stage.outside, &post.stage.gateway);
    sensor.until_cleared("interface-missing");
    assert_protects(&post, &mut sensor, 1);
    assert_said_once(&sensor, "interface-missing");
}

fn a_typo_at_reload_changes_nothing_and_is_said(test: &str, meter: Meter) {
    let [listed, listed6] = attacker(9);
    let exempt = format!("policy.exempt = [\"{listed}\", \"{listed6}\"]");
    let Some(post) = Post::new(test, meter, &exempt) else {
        return;
    };
    let mut sensor = post.start();
    let reload = |sensor: &Sensor| {
        let mark = sensor.told();
        sensor.process.signal(Signal::SIGHUP);
        sensor.until_told("RELOADING=1", mark);
        sensor.until_told("READY=1", mark);
    };
    assert_protects(&post, &mut sensor, 0);
    for _ in 0..2 {
        post.configure(&format!("{exempt}\npolicy.blok_ttl = \"1h\""));
        reload(&sensor);
        assert!(post.conditions().contains(&"reload-refused".to_owned()));
    }
    let status = post.done("status");
    assert!(status.contains("blok_ttl"), "the typo is named:\n{status}");
    assert_said_once(&sensor, "reload-refused");
    assert_protects(&post, &mut sensor, 1);
    assert_eq!(
        post.garita(&format!("blocks add {listed}")).code,
        1,
        "it is still exempt"
    );

    // Well written, it is taken: exemptions change, and who is blocked stays so.
    post.configure(&format!(
        "policy.exempt = [\"{listed6}\"]\npolicy.block_ttl = \"1h\""
    ));
    reload(&sensor);
    assert!(!post.conditions().contains(&"reload-refused".to_owned()));
    sensor.until("it can be blocked", || {
        (post.garita(&format!("blocks add {listed}")).code == 0).then_some(())
    });
    assert!(post.stage.is_blocked(attacker(0)[0]), "nobody was let go");
    assert_protects(&post, &mut sensor, 2);
}

/// Where Debian puts the library that makes a program believe in another time.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

fn a_stepped_clock_ends_no_block(test: &str, meter: Meter) {
    if !Path::new(FAKETIME).exists() {
        return skip(test, "libfaketime is not installed");
    }
    let Some(mut post) = Post::new(test, meter, "") else {
        return;
    };
    let offset = post.path("offset");
    fs::write(&offset, "+0").expect("the folder can be written");
    post.environment("LD_PRELOAD", FAKETIME.to_owned());
    post.environment("FAKETIME_TIMESTAMP_FILE", offset.display().to_string());
    for name in [
        "FAKETIME_NO_CACHE",
        "FAKETIME_DONT_FAKE_MONOTONIC",
        "DONT_FAKE_MONOTONIC",
    ] {
        post.environment(name, "1".to_owned());
    }
    let mut sensor = post.start();
    assert_protects(&post, &mut sensor, 0);
    post.done("blocks add 198.51.100.200 --ttl 10m");
    for (number, step) in [(1, "+3600"), (2, "-3600")] {
        let mark = sensor.process.said().len();
        fs::write(&offset, step).expect("the folder can be written");
        sensor.process.wait_past(mark, "clock-stepped");
        assert!(post.stage.is_blocked(attacker(0)[0]), "the block stands");
        assert!(
            post.block("198.51.100.200").is_some(),
            "so does the one by hand"
        );
        assert_protects(&post, &mut sensor, number);
    }
    let said = sensor.process.said().count("clock-stepped");
    assert!(
        (1..=2).contains(&said),
        "each step is said once at most: {said}"
    );
}
