//! The leader, in steps: which messages lead to what. No clock, no broker, no database.

use contract::action::Action;
use contract::command::Order as Word;
use serde_json::{Value, json};

use super::*;
use crate::config::FleetMode;
use crate::intake::reading::{Letter, read};
use crate::moment::{self, SECOND};

fn post(mode: FleetMode) -> Post {
    let mut config = Config::default();
    config.fleet.mode = mode;
    let mut post = Post::new(config, Some("ops-1".to_owned()), Known::default());
    post.connect(true);
    post
}

fn step(post: &mut Post, now: i64, messages: &[(&str, Value)]) -> Outcome {
    post.begin(now, &[], Vec::new());
    for (topic, body) in messages {
        let body = body.to_string();
        let letter = Letter {
            topic: &format!("garita/v1/{topic}"),
            body: body.as_bytes(),
            attributes: &[],
        };
        post.take(read(&letter).unwrap(), now);
    }
    post.tick(now);
    post.finish()
}

fn online(sensor: &str) -> (String, Value) {
    let body =
        json!({"state": "online", "site": "north", "sensor": sensor, "epoch": "e", "seq": 0});
    (format!("north/{sensor}/status"), body)
}

fn incident(sensor: &str, now: i64) -> (String, Value) {
    let body = json!({
        "@timestamp": moment::text(now), "event": {"id": format!("i-{sensor}-{now}"), "severity": 3},
        "garita": {
            "class": "scan", "offender": "203.0.113.9", "decision": "block", "evidence": {"proven": true},
            "block": {"expires": moment::text(now + 600 * SECOND)},
        },
    });
    (format!("north/{sensor}/incident"), body)
}

fn steps(post: &mut Post, now: i64, messages: &[(String, Value)]) -> Outcome {
    let messages: Vec<(&str, Value)> = messages
        .iter()
        .map(|(topic, body)| (topic.as_str(), body.clone()))
        .collect();
    step(post, now, &messages)
}

#[test]
fn the_second_proof_orders_a_block_at_everybody_else_in_the_same_step() {
    let mut post = post(FleetMode::Enforce);
    let now = 1_000 * SECOND;
    steps(&mut post, now, &["a", "b", "c"].map(online));
    let first = steps(&mut post, now, &[incident("a", now)]);
    assert!(first.commands.is_empty() && first.batch.fleet.is_empty());
    let second = steps(&mut post, now, &[incident("b", now)]);
    assert_eq!(second.batch.fleet.len(), 1);
    assert_eq!((second.commands.len(), second.batch.orders.len()), (1, 1));
    let command = &second.commands[0];
    assert_eq!(command.sensor, "c");
    assert!(
        matches!(&command.command, Word::Act(Action::Block { target, .. }) if target.to_string() == "203.0.113.9/32")
    );
    let third = steps(&mut post, now + SECOND, &[incident("c", now + SECOND)]);
    assert!(
        third.commands.is_empty(),
        "the third sensor's own proof orders nothing anew"
    );
}

#[test]
fn without_a_key_or_in_observe_nothing_is_sent() {
    let mut observed = post(FleetMode::Observe);
    let mut keyless = Post::new(
        Config {
            fleet: crate::config::Fleet {
                mode: FleetMode::Enforce,
                ..crate::config::Fleet::default()
            },
            ..Config::default()
        },
        None,
        Known::default(),
    );
    keyless.connect(true);
    let now = 1_000 * SECOND;
    for post in [&mut observed, &mut keyless] {
        let messages = [online("c"), incident("a", now), incident("b", now)];
        let outcome = steps(post, now, &messages);
        assert!(outcome.commands.is_empty() && outcome.batch.orders.is_empty());
        assert_eq!(outcome.batch.fleet.len(), 1);
    }
}

#[test]
fn who_was_taken_off_the_list_at_the_gate_is_not_put_on_it_again() {
    let mut post = post(FleetMode::Enforce);
    let now = 1_000 * SECOND;
    let block = |event: &str, by: &str, at: i64| {
        let body = json!({
            "event": event, "at": moment::text(at), "by": by,
            "block": {"target": "203.0.113.9/32", "origin": "command", "expires": moment::text(now + 600 * SECOND)},
        });
        ("north/c/block".to_owned(), body)
    };
    steps(&mut post, now, &["a", "b", "c"].map(online));
    steps(&mut post, now, &[incident("a", now), incident("b", now)]);
    steps(
        &mut post,
        now + SECOND,
        &[block("added", "key ops-1", now + SECOND)],
    );
    steps(
        &mut post,
        now + 9 * SECOND,
        &[block("released", "root (uid 0)", now + 9 * SECOND)],
    );
    let later = now + 20 * SECOND;
    let empty = Digest::of(&[]);
    let (topic, mut status) = online("c");
    status["blocks"] = json!({"count": empty.count, "sha256": empty.sha256});
    let outcome = steps(&mut post, later, &[(topic, status)]);
    let ordered = outcome
        .commands
        .iter()
        .filter(|command| matches!(command.command, Word::Act(_)));
    assert_eq!(ordered.count(), 0);
}

#[test]
fn one_more_sensor_than_may_be_is_set_aside() {
    let mut config = Config::default();
    config.intake.max_sensors = 1;
    let mut post = Post::new(config, None, Known::default());
    let outcome = steps(&mut post, 0, &[online("a"), online("b")]);
    assert_eq!(
        (outcome.batch.sensors.len(), outcome.batch.quarantine.len()),
        (1, 1)
    );
}
