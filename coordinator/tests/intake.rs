//! What is taken in: gaps are asked for by a signed command and closed, repetitions change nothing, nonsense is set aside.

use contract::command::Order;
use contract::topics::Topic;
use serde_json::json;

use crate::lab::{Coordinator, Sensor, document, on_both, wait};

#[test]
fn a_gap_is_asked_for_and_closed_and_nothing_counts_twice() {
    on_both("a_gap_is_asked_for", |broker, database| {
        let coordinator = Coordinator::start((broker, database), "");
        let token = coordinator.token("viewer", None);
        let sensor = Sensor::start(broker.port, "north", "a");
        sensor.incident("203.0.113.1", "scan");
        // Three that are lost on the way, one that comes, and comes again.
        for n in 2..=4 {
            let body = document::incident(
                (&format!("203.0.113.{n}"), "scan"),
                "a",
                &format!("lost-{n}"),
            );
            sensor.note(Topic::Incident, &body);
        }
        sensor.incident("203.0.113.5", "scan");
        sensor.send(5);
        sensor.send(1);
        sensor.command("a resync from the gap on", |command| {
            match &command.command {
                Order::Resync(resync) => (resync.from_seq == 2).then_some(()),
                Order::Act(_) => None,
            }
        });
        wait("the gap is closed", || {
            (coordinator.all(&token, "/api/v1/incidents").len() == 5).then_some(())
        });
        let page = wait("the numbers are whole", || {
            let answer = coordinator.get(&token, "/api/v1/sensors/north/a");
            let heard = answer.body["sequences"][0].clone();
            (heard["gaps"] == json!([])).then_some(heard)
        });
        assert_eq!(
            (&page["high"], &page["heard"], &page["lost"]),
            (&json!(5), &json!(5), &json!([]))
        );
        assert!(page["repeated"].as_u64().unwrap() >= 2);
        assert_eq!(
            sensor.state().forged,
            0,
            "every command was genuine, timely and new"
        );
    });
}

#[test]
fn what_the_sensor_has_dropped_is_named_by_range() {
    on_both("what_the_sensor_has_dropped", |broker, database| {
        let coordinator = Coordinator::start((broker, database), "");
        let token = coordinator.token("viewer", None);
        let sensor = Sensor::start(broker.port, "north", "a");
        sensor.incident("203.0.113.1", "scan");
        sensor.state().is_mute = true;
        for n in 2..=4 {
            sensor.note(
                Topic::Incident,
                &document::incident(("203.0.113.2", "scan"), "a", &format!("lost-{n}")),
            );
        }
        let now = document::now();
        let condition = json!({
            "@timestamp": now, "ecs": {"version": "8.17.0"},
            "event": {"id": "c1", "kind": "event", "category": ["configuration", "host"], "action": "happened", "start": now, "end": now},
            "observer": {"name": "a", "version": "0.1.0", "type": "sensor"}, "message": "3 messages were dropped",
            "garita": {"condition": "outbox-dropped", "dropped": [{"first": 2, "last": 4}]},
        });
        sensor.publish(Topic::Condition, &condition);
        wait("the range is named", || {
            let answer = coordinator.get(&token, "/api/v1/sensors/north/a");
            let heard = &answer.body["sequences"][0];
            (heard["lost"] == json!([[2, 4]]) && heard["gaps"] == json!([])).then_some(())
        });
    });
}

#[test]
fn nonsense_is_set_aside_by_topic_and_reason_and_harms_nothing() {
    on_both("nonsense_is_set_aside", |broker, database| {
        let coordinator = Coordinator::start((broker, database), "intake.max_quarantine = 20\n");
        let token = coordinator.token("admin", None);
        let sensor = Sensor::start(broker.port, "north", "a");
        let own = "garita/v1/north/a/incident";
        let mut forged = document::incident(("203.0.113.1", "scan"), "b", "forged");
        let mut odd = document::incident(("203.0.113.1", "scan"), "a", "odd");
        odd["garita"]["class"] = json!("portscan");
        sensor.raw(own, b"{");
        sensor.raw(own, b"\xff\xfe");
        sensor.raw(own, forged.to_string().as_bytes());
        sensor.raw(own, odd.to_string().as_bytes());
        forged["observer"]["name"] = json!("a");
        forged["site"] = json!("south");
        sensor.raw(own, forged.to_string().as_bytes());
        sensor.raw("garita/v1/north/a/nothing", b"{}");
        sensor.raw("garita/v1/NORTH/a/incident", b"{}");
        sensor.raw(own, vec![b'['; 200_000].as_slice());
        for n in 0..30 {
            sensor.raw(
                &format!("garita/v1/north/a/x{n}"),
                b"'; DROP TABLE incident; --",
            );
        }
        sensor.incident("203.0.113.9", "scan");
        wait("what makes sense is stored", || {
            (coordinator.all(&token, "/api/v1/incidents").len() == 1).then_some(())
        });
        let set_aside = coordinator.all(&token, "/api/v1/quarantine");
        assert!(
            (2..=20).contains(&set_aside.len()),
            "bounded: {}",
            set_aside.len()
        );
        wait("each is counted", || {
            let figures = coordinator.figures()?;
            figures
                .contains("messages_quarantined_total 38\n")
                .then_some(())
        });
    });
}

#[test]
fn what_the_broker_has_kept_meanwhile_is_taken_in_whole() {
    on_both("what_the_broker_has_kept", |broker, database| {
        // More than the broker may send before the first is acknowledged.
        let settings = "mqtt.window = 50\nintake.batch = 20\n";
        let mut coordinator = Coordinator::start((broker, database), settings);
        let token = coordinator.token("viewer", None);
        coordinator.kill();
        let sensor = Sensor::start(broker.port, "north", "a");
        for n in 0..400 {
            sensor.incident(&format!("203.0.{}.{}", n / 200, n % 200), "scan");
        }
        sensor.wait_acknowledged(400);
        coordinator.run();
        coordinator.wait_ready();
        wait("all of them", || {
            (coordinator.all(&token, "/api/v1/incidents").len() == 400).then_some(())
        });
        sensor.incident("203.0.113.9", "scan");
        wait("and what comes next", || {
            (coordinator.all(&token, "/api/v1/incidents").len() == 401).then_some(())
        });
        assert!(
            sensor.state().commands.is_empty(),
            "nothing had to be asked for"
        );
    });
}
