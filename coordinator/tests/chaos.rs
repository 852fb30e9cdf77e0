//! Coordinators, broker and database are killed while sensors report: nothing that the broker acknowledged is lost, and
//! nothing counts twice.

use std::time::{Duration, Instant};

use crate::lab::storm::Storm;
use crate::lab::{Broker, Coordinator, Database, Sensor, skip_without, wait};

/// Small, so that every change is tried; `cargo xtask fleet chaos` does it at full size.
const STORM: Storm = Storm {
    sensors: 4,
    incidents: 1_000,
    kills: 6,
    rate: 200,
    seed: 13,
};

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

fn survive(broker: Broker, database: &Database) {
    let aftermath = STORM.rage(broker, database);
    assert_eq!(
        (aftermath.lost, aftermath.kills.iter().sum()),
        (0, STORM.kills)
    );
    assert!(aftermath.repeated > 0, "what is sent twice is heard twice");
    for took in aftermath.changes {
        assert!(
            took < Duration::from_secs(10),
            "another one led after {took:?}"
        );
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
