//! Somebody else at the rules: what is torn down stands again at once, what is released by hand stays released, and the
//! switch is respected.

use std::time::{Duration, Instant};

use super::clients::{Talk, scan};
use super::daemon::{Meter, Post};
use super::sensor::Sensor;
use super::testbed::{SERVER, attacker, set_of};

super::with_each_meter! {
    a_flushed_ruleset_stands_again_within_a_second
    an_element_deleted_by_hand_is_a_release
    enforcement_that_is_off_stays_off_for_its_time_over_a_restart_too
}

fn a_flushed_ruleset_stands_again_within_a_second(test: &str, meter: Meter) {
    let Some(post) = Post::new(test, meter, "") else {
        return;
    };
    let mut sensor = post.start();
    let [first, second] = [attacker(0), attacker(1)];
    let victim = SERVER[0];
    let _first = post.stage.outside.run(|| scan(first[0], victim, 100..160));
    sensor.until_blocked(first[0]);
    post.done("blocks add 198.51.100.0/28 --ttl 10m");
    let rules = rules(&post);

    // The attack goes on while the rules are torn down, twice in a row.
    let monitor = post.stage.monitor();
    let _second = post.stage.outside.run(|| scan(second[0], victim, 100..160));
    for _ in 0..2 {
        let mark = monitor.said().len();
        let torn = Instant::now();
        post.stage.nft("flush ruleset").expect("nft flushes");
        // What is added last says that it is complete; the monitor tells it as the kernel does it.
        monitor.wait_past(mark, "add table inet garita");
        sensor.until_blocked(first[0]);
        let whole = sensor.until("the rules stand", || {
            (self::rules(&post) == rules).then(|| torn.elapsed())
        });
        println!("{test}: whole again after {whole:?}");
        assert!(whole < Duration::from_secs(1), "whole only after {whole:?}");
    }
    sensor.until_blocked(second[0]);
    let prefixes = post
        .stage
        .nft("list set inet garita blocked4_net")
        .expect("it is there");
    assert!(prefixes.contains("198.51.100.0/28"), "{prefixes}");
    sensor.process.wait_for("ruleset-tampered");
    assert_eq!(
        sensor.process.said().count("ruleset-tampered"),
        1,
        "it is said once"
    );
    sensor.until_audited("inet garita", "restored");
}

/// The rules, without counters and elements, which change all the time.
fn rules(post: &Post) -> Option<String> {
    let text = post
        .stage
        .nft("--stateless --terse list table inet garita")?;
    let lines = text.lines().filter(|line| !line.contains("packets"));
    Some(lines.collect::<Vec<_>>().join("\n"))
}

fn an_element_deleted_by_hand_is_a_release(test: &str, meter: Meter) {
    let Some(post) = Post::new(test, meter, "") else {
        return;
    };
    let mut sensor = post.start();
    for (number, victim) in (0..).zip(SERVER) {
        let attacker = attacker(number)[usize::from(victim.is_ipv6())];
        let attack = post.stage.outside.run(|| scan(attacker, victim, 100..160));
        sensor.until_blocked(attacker);
        drop(attack);
        let set = set_of(attacker);
        let delete = format!("delete element inet garita {set} {{ {attacker} }}");
        post.stage.nft(&delete).expect("nft deletes it");
        sensor.until("the release is noticed", || {
            post.block(attacker).is_none().then_some(())
        });
        assert_stays_released(&post, &mut sensor, attacker);
        sensor.until_audited(attacker, "blocks remove: released: its element was deleted");
        let why = post.done(&format!("explain {attacker}"));
        assert!(
            why.starts_with(&format!("{attacker} is not blocked")),
            "{why}"
        );
    }
    assert_eq!(sensor.process.said().count("ruleset-tampered"), 0);
}

/// Nothing brings the block back: neither the next repair nor the look at what failed, each second.
fn assert_stays_released(post: &Post, sensor: &mut Sensor, attacker: std::net::IpAddr) {
    let mark = sensor.told();
    for _ in 0..2 {
        sensor.until_told("WATCHDOG=1", mark);
        assert!(
            !post.stage.is_blocked(attacker),
            "{attacker} is blocked again"
        );
    }
}

fn enforcement_that_is_off_stays_off_for_its_time_over_a_restart_too(test: &str, meter: Meter) {
    let Some(post) = Post::new(test, meter, "") else {
        return;
    };
    let mut sensor = post.start();
    let (attacker, victim) = (attacker(0)[0], SERVER[0]);
    let talk = Talk::open(&post.stage.outside, attacker, victim);
    post.done(&format!("blocks add {attacker} --ttl 1h"));
    talk.assert_stops();

    post.done("enforce off --for 4s");
    let off = Instant::now();
    assert!(
        post.stage.nft("list table inet garita").is_none(),
        "the table has gone"
    );
    assert!(talk.flows(), "the traffic passes");
    assert_eq!(
        post.block(attacker).expect("it stays on the list")["state"],
        "observed"
    );
    sensor.until_standing("enforcement-off");
    // Nobody repairs what is off, and a restart does not forget it.
    assert!(sensor.stop().success());
    let mut sensor = post.start();
    assert!(
        post.stage.nft("list table inet garita").is_none(),
        "it is still off"
    );
    assert_eq!(
        post.block(attacker).expect("it stays on the list")["state"],
        "observed"
    );

    sensor.until_blocked(attacker);
    let elapsed = off.elapsed();
    assert!(
        (Duration::from_millis(3_500)..Duration::from_secs(6)).contains(&elapsed),
        "{elapsed:?}"
    );
    talk.assert_stops();
    sensor.until_cleared("enforcement-off");
    assert_eq!(
        post.block(attacker).expect("it is on the list")["state"],
        "enforced"
    );
    sensor.until_audited("", "enforce off");
    sensor.until_audited("", "sensor: enforce on");
    assert_eq!(post.garita("audit verify").code, 0);
}
