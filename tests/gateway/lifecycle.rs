//! A sensor's life under systemd: it says when it is ready, that it lives, and it ends in order.

use super::clients::{Talk, scan};
use super::daemon::{Meter, Post};
use super::testbed::{SERVER, attacker};

super::with_each_meter! {
    told_to_stop_it_ends_in_order_and_its_blocks_hold
    it_says_that_it_lives_and_what_it_counts
}

fn told_to_stop_it_ends_in_order_and_its_blocks_hold(test: &str, meter: Meter) {
    let Some(post) = Post::new(test, meter, "") else {
        return;
    };
    let mut sensor = post.start();
    let talk = Talk::open(&post.stage.outside, attacker(0)[0], SERVER[0]);
    let attack = post
        .stage
        .outside
        .run(|| scan(attacker(1)[0], SERVER[0], 100..160));
    sensor.until_blocked(attacker(1)[0]);
    post.done(&format!("blocks add {} --ttl 1h", attacker(0)[0]));
    let mark = sensor.told();
    let socket = post.path("control.sock");
    assert!(socket.exists());
    let said = sensor.process.said().clone();
    let status = sensor.stop();
    assert_eq!(status.code(), Some(0), "{}", said.text());
    assert!(post.was_told("STOPPING=1", mark), "systemd is told");
    assert!(!socket.exists(), "the socket has gone");
    assert!(
        said.text().contains("garita has stopped"),
        "{}",
        said.text()
    );
    for number in [0, 1] {
        assert!(
            post.stage.is_blocked(attacker(number)[0]),
            "its blocks outlive it"
        );
    }
    talk.assert_stops();
    let run = post.garita("status");
    assert_eq!(run.code, 1);
    assert!(run.said.contains("garita run"), "{}", run.said);
    // In order, there is nothing to be taken over as recovered.
    let sensor = post.start();
    for block in post.json("blocks list") {
        assert_ne!(block["origin"], "recovered", "{block}");
    }
    assert_eq!(sensor.process.said().count("unclean-stop"), 0);
    drop(attack);
}

fn it_says_that_it_lives_and_what_it_counts(test: &str, meter: Meter) {
    let Some(post) = Post::new(test, meter, "") else {
        return;
    };
    let mut sensor = post.start();
    let mark = sensor.told();
    sensor.until_told("WATCHDOG=1", mark);
    let attack = post
        .stage
        .outside
        .run(|| scan(attacker(0)[0], SERVER[0], 100..160));
    sensor.until_blocked(attacker(0)[0]);
    let wanted = [
        "garita_packets_total{interface=\"wan\"}",
        "garita_capture_drops_total{cause=",
        "garita_snapshots_total",
        "garita_decisions_total{class=\"scan\",decision=\"block\"} 1",
        "garita_blocks{family=\"ipv4\",origin=\"detection\"} 1",
        "garita_detect_to_block_seconds_count 1",
        "garita_table_entries{table=\"flows\"}",
        "garita_evictions_total{table=\"hosts\"}",
        "garita_outbox_messages",
    ];
    let told = sensor.until("the figures are published", || {
        let metrics = ordered(&post.metrics());
        wanted
            .iter()
            .all(|wanted| metrics.contains(wanted))
            .then_some(metrics)
    });
    assert!(!told.contains("203.0.113"), "no address is a label");
    drop(attack);
}

/// The two labels of a metric in the order of their names, whatever order they come in.
fn ordered(metrics: &str) -> String {
    let swapped = |line: &str| {
        let (name, rest) = line.split_once('{')?;
        let (labels, value) = rest.split_once('}')?;
        let mut labels: Vec<&str> = labels.split(',').collect();
        labels.sort_unstable();
        Some(format!("{name}{{{}}}{value}", labels.join(",")))
    };
    let lines = metrics
        .lines()
        .map(|line| swapped(line).unwrap_or_else(|| line.to_owned()));
    lines.collect::<Vec<_>>().join("\n")
}
