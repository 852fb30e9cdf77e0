//! Coordinators, broker and database are killed while sensors report: nothing that the broker acknowledged is lost, and
//! nothing counts twice.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use contract::topics::Topic;

use crate::lab::{Broker, Coordinator, Database, Sensor, document, let_pass, skip_without, wait};

/// Sensors, incidents of each, and kills: small, so that every change is tried. The fleet task does it at full size.
const SENSORS: usize = 4;
const INCIDENTS: usize = 250;
const KILLS: usize = 6;

#[test]
fn nothing_is_lost_and_nothing_counts_twice_with_sqlite() {
    if skip_without("nothing_is_lost_with_sqlite", &["mosquitto"]) {
        return;
    }
    survive(Broker::start(), &Database::sqlite());
}

#[test]
fn nothing_is_lost_and_nothing_counts_twice_with_postgres() {
    if skip_without("nothing_is_lost_with_postgres", &["mosquitto"]) {
        return;
    }
    match Database::postgres() {
        Some(database) => survive(Broker::start(), &database),
        None => crate::skip::skip(
            "nothing_is_lost_with_postgres",
            "PostgreSQL 15 or later is not installed",
        ),
    }
}

fn survive(mut broker: Broker, database: &Database) {
    let settings = "intake.gap_tries = 20\nhttp.requests_per_minute = 100000\n";
    let mut coordinator = Coordinator::start((&broker, database), settings);
    let token = coordinator.token("viewer", None);
    let sensors: Vec<Sensor> = (0..SENSORS)
        .map(|n| Sensor::start(broker.port, "north", &format!("s{n}")))
        .collect();
    for round in 0..KILLS {
        for n in 0..INCIDENTS / KILLS {
            for (at, sensor) in sensors.iter().enumerate() {
                let id = format!("{at}-{round}-{n}");
                let body = document::incident(
                    (&format!("203.0.{at}.{n}"), "scan"),
                    sensor.topics.sensor(),
                    &id,
                );
                sensor.publish(Topic::Incident, &body);
                if n % 10 == 0 {
                    // Sent again, as after a lost acknowledgement.
                    let last = sensor.state().sent.len() as u64;
                    sensor.send(last);
                }
            }
            if n == 10 {
                match round % 3 {
                    2 if database.is_shared() => database.kill(),
                    1 => broker.kill(),
                    _ => {
                        coordinator.kill();
                        coordinator.run();
                    }
                }
            }
            let_pass(Duration::from_millis(5));
        }
    }
    coordinator.wait_ready();
    // A sensor says in its status how far it has got, so that a tail that was lost is known of.
    for sensor in &sensors {
        sensor.tell_status("online");
    }
    let expected: usize = sensors.iter().map(|sensor| sensor.state().sent.len()).sum();
    let listed = wait("all of them", || {
        let listed = coordinator.all(&token, "/api/v1/incidents");
        (listed.len() >= expected).then_some(listed)
    });
    let ids: BTreeSet<&str> = listed
        .iter()
        .filter_map(|item| item["id"].as_str())
        .collect();
    assert_eq!((listed.len(), ids.len()), (expected, expected));
    for sensor in &sensors {
        let name = sensor.topics.sensor();
        wait("its numbers are whole", || {
            let answer = coordinator.get(&token, &format!("/api/v1/sensors/north/{name}"));
            let heard = &answer.body["sequences"][0];
            let whole =
                heard["gaps"] == serde_json::json!([]) && heard["lost"] == serde_json::json!([]);
            let count = sensor.state().sent.len() as u64;
            (whole && heard["heard"] == count && heard["high"] == count).then_some(())
        });
    }
}

#[test]
fn another_coordinator_leads_within_ten_seconds() {
    if skip_without("another_coordinator_leads", &["mosquitto"]) {
        return;
    }
    let Some(database) = Database::postgres() else {
        return crate::skip::skip(
            "another_coordinator_leads",
            "PostgreSQL 15 or later is not installed",
        );
    };
    let broker = Broker::start();
    let mut first = Coordinator::start((&broker, &database), "");
    let second = Coordinator::start((&broker, &database), "");
    let token = first.token("viewer", None);
    let sensor = Sensor::start(broker.port, "north", "a");
    sensor.incident("203.0.113.1", "scan");
    wait(
        "the one that does not lead shows what the other stores",
        || (second.all(&token, "/api/v1/incidents").len() == 1).then_some(()),
    );
    let leads = |coordinator: &Coordinator| {
        coordinator.ask(("GET", "/readyz"), &[], None).body["leads"] == true
    };
    assert!(leads(&first) && !leads(&second));
    first.kill();
    let killed = Instant::now();
    sensor.incident("203.0.113.2", "scan");
    wait("the other one leads", || leads(&second).then_some(()));
    wait("and hears", || {
        (second.all(&token, "/api/v1/incidents").len() == 2).then_some(())
    });
    let took = killed.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    eprintln!("failover took {took:?}");
}
