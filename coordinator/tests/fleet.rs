//! What is ordered, and whether it holds: blocks for the fleet, sensors that were away, lists that differ, people.

use std::time::{Duration, Instant};

use contract::action::{Action, Lifetime};
use contract::command::{Command, Order};
use contract::topics::Topic;
use serde_json::json;

use crate::lab::{Coordinator, Sensor, document, let_pass, on_both, wait};

const ENFORCE: &str = "fleet.mode = \"enforce\"\n";

/// The target and the seconds of a block command.
fn blocks(command: &Command) -> Option<(String, u64)> {
    match &command.command {
        Order::Act(Action::Block {
            target,
            ttl: Lifetime::For(span),
            ..
        }) => Some((target.to_string(), span.as_secs())),
        _ => None,
    }
}

#[test]
fn proven_at_two_gates_is_blocked_at_the_third_within_a_second() {
    on_both("proven_at_two_gates", |broker, database| {
        let coordinator = Coordinator::start((broker, database), ENFORCE);
        let token = coordinator.token("viewer", None);
        let [a, b, c] = ["a", "b", "c"].map(|name| Sensor::start(broker.port, "north", name));
        wait("three sensors", || {
            (coordinator.all(&token, "/api/v1/sensors").len() == 3).then_some(())
        });
        a.incident("203.0.113.9", "brute-force");
        a.incident("10.1.2.3", "scan");
        let second = Instant::now();
        b.incident("203.0.113.9", "brute-force");
        let (target, seconds) = c.command("a block", blocks);
        assert_eq!(target, "203.0.113.9/32");
        assert!((590..=600).contains(&seconds), "{seconds}");
        let took = c
            .state()
            .commands
            .iter()
            .find(|(_, it)| blocks(it).is_some())
            .map(|(at, _)| at.duration_since(second));
        assert!(took.unwrap() < Duration::from_secs(1), "{took:?}");
        b.incident("10.1.2.3", "scan");
        wait("the order is done", || {
            let orders = coordinator.all(&token, "/api/v1/orders");
            (orders.len() == 1 && orders[0]["state"] == "done").then_some(())
        });
        let block = &coordinator.all(&token, "/api/v1/blocks")[0];
        assert_eq!(block["why"]["sensors"].as_array().unwrap().len(), 2);
        assert!(
            a.state()
                .commands
                .iter()
                .chain(&b.state().commands)
                .all(|(_, it)| blocks(it).is_none())
        );
        wait("both private sightings are stored", || {
            (coordinator.all(&token, "/api/v1/incidents").len() == 4).then_some(())
        });
        assert_eq!(
            coordinator.all(&token, "/api/v1/blocks").len(),
            1,
            "a private address is never concluded"
        );
        assert_eq!(c.state().forged, 0);
        let told = coordinator.cli(&["correlate", "--from", "1h", "--dry-run", "--json"]);
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        assert!(
            told.contains("\"subject\":\"203.0.113.9/32\""),
            "the stored past gives the same: {told}"
        );
    });
}

#[test]
fn observed_it_is_shown_and_not_sent() {
    on_both("observed_it_is_shown", |broker, database| {
        let coordinator = Coordinator::start((broker, database), "");
        let token = coordinator.token("viewer", None);
        let [a, b, c] = ["a", "b", "c"].map(|name| Sensor::start(broker.port, "north", name));
        for sensor in [&a, &b] {
            sensor.incident("203.0.113.9", "scan");
        }
        let block = wait("the conclusion", || {
            coordinator.all(&token, "/api/v1/blocks").pop()
        });
        assert_eq!(block["state"], "observed");
        let preview = coordinator.get(&token, "/api/v1/blocks/preview?target=203.0.113.9");
        let gates = preview.body["sensors"].as_array().unwrap();
        assert_eq!(
            (preview.body["allowed"].as_bool(), gates.len()),
            (Some(true), 3)
        );
        assert!(
            c.state().commands.is_empty() && coordinator.all(&token, "/api/v1/orders").is_empty()
        );
        let private = coordinator.get(&token, "/api/v1/blocks/preview?target=192.168.1.1");
        assert_eq!(private.body["allowed"], false);
    });
}

#[test]
fn a_sensor_that_was_away_gets_what_still_holds() {
    on_both("a_sensor_that_was_away", |broker, database| {
        let coordinator = Coordinator::start((broker, database), ENFORCE);
        let token = coordinator.token("responder", None);
        let mut c = Sensor::start(broker.port, "north", "c");
        wait("the sensor", || {
            (coordinator.all(&token, "/api/v1/sensors").len() == 1).then_some(())
        });
        c.leave();
        wait("it is away", || {
            let sensor = coordinator.get(&token, "/api/v1/sensors/north/c");
            (sensor.body["state"] == "stopped").then_some(())
        });
        for (target, ttl) in [
            ("203.0.113.1", 600),
            ("203.0.113.2", 2),
            ("203.0.113.3", 600),
        ] {
            let body = json!({"target": target, "ttl": ttl, "reason": "told", "sites": ["north"]});
            assert_eq!(
                coordinator.post(&token, "/api/v1/blocks", &body).status,
                201
            );
        }
        let third = wait("three orders wait", || {
            let orders = coordinator.all(&token, "/api/v1/orders?state=queued");
            let blocks = coordinator.all(&token, "/api/v1/blocks?target=203.0.113.3");
            (orders.len() == 3).then(|| blocks[0]["id"].as_str().unwrap().to_owned())
        });
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("if-match", "\"1\"")];
        assert_eq!(
            coordinator
                .ask(
                    ("DELETE", &format!("/api/v1/blocks/{third}")),
                    &headers,
                    None
                )
                .status,
            201
        );
        wait("one has expired, one was taken back", || {
            let expired = coordinator
                .all(&token, "/api/v1/orders?state=expired")
                .len();
            let withdrawn = coordinator
                .all(&token, "/api/v1/orders?state=withdrawn")
                .len();
            (expired == 1 && withdrawn == 1).then_some(())
        });
        c.come_back();
        let (target, _) = c.command("what holds", blocks);
        assert_eq!(target, "203.0.113.1/32");
        wait("it is done", || {
            (coordinator.all(&token, "/api/v1/orders?state=done").len() == 1).then_some(())
        });
        assert_eq!(c.state().commands.len(), 1, "and nothing else");
    });
}

#[test]
fn a_list_that_differs_is_repaired_and_told_and_what_is_taken_back_is_lifted() {
    on_both("a_list_that_differs", |broker, database| {
        let coordinator = Coordinator::start((broker, database), ENFORCE);
        let token = coordinator.token("responder", None);
        let c = Sensor::start(broker.port, "north", "c");
        wait("the sensor", || {
            (coordinator.all(&token, "/api/v1/sensors").len() == 1).then_some(())
        });
        let body = json!({"target": "203.0.113.1", "ttl": 600, "reason": "told"});
        let made = coordinator.post(&token, "/api/v1/blocks", &body);
        wait("it is done", || {
            (coordinator.all(&token, "/api/v1/orders?state=done").len() == 1).then_some(())
        });
        c.tell_status("online");
        wait("the lists agree", || {
            let sensor = coordinator.get(&token, "/api/v1/sensors/north/c");
            (sensor.body["digest"] == "agrees").then_some(())
        });
        // The sensor loses its list without a word, and its next status shows it.
        c.state().blocks.clear();
        c.tell_status("online");
        wait("it is ordered again", || {
            let sent = c
                .state()
                .commands
                .iter()
                .filter(|(_, it)| blocks(it).is_some())
                .count();
            (sent == 2).then_some(())
        });
        assert!(c.state().blocks.contains("203.0.113.1/32"));
        c.tell_status("online");
        wait("the lists agree again", || {
            let sensor = coordinator.get(&token, "/api/v1/sensors/north/c");
            (sensor.body["digest"] == "agrees").then_some(())
        });
        let id = made.body["id"].as_str().unwrap();
        let bearer = format!("Bearer {token}");
        let etag = coordinator
            .get(&token, &format!("/api/v1/blocks/{id}"))
            .etag
            .unwrap();
        let headers = [
            ("authorization", bearer.as_str()),
            ("if-match", etag.as_str()),
        ];
        coordinator.ask(("DELETE", &format!("/api/v1/blocks/{id}")), &headers, None);
        wait("it is lifted", || c.state().blocks.is_empty().then_some(()));
    });
}

#[test]
fn twelve_sources_that_guess_at_two_gates_are_one_campaign() {
    on_both("twelve_sources_that_guess", |broker, database| {
        let coordinator = Coordinator::start((broker, database), "");
        let token = coordinator.token("viewer", None);
        let gates = ["a", "b"].map(|name| Sensor::start(broker.port, "north", name));
        for source in 0..12 {
            let gate = &gates[source % 2];
            let mut body = document::incident(
                (&format!("198.51.{source}.7"), "brute-force"),
                gate.topics.sensor(),
                &format!("g{source}"),
            );
            body["garita"]["decision"] = json!("alert");
            gate.publish(Topic::Incident, &body);
        }
        let campaign = wait("the campaign with all of them", || {
            let found = coordinator.all(&token, "/api/v1/campaigns?kind=guessing");
            found.into_iter().find(|it| {
                it["garita"]["sources"]
                    .as_array()
                    .is_some_and(|sources| sources.len() == 12)
            })
        });
        assert_eq!(campaign["observer"]["type"], "coordinator");
        assert_eq!(
            coordinator
                .all(&token, "/api/v1/campaigns?kind=guessing")
                .len(),
            1
        );
    });
}

#[test]
fn a_review_is_answered_once_and_the_answer_is_an_order() {
    on_both("a_review_is_answered_once", |broker, database| {
        let coordinator = Coordinator::start((broker, database), "");
        let [one, two] = ["analyst", "responder"].map(|role| coordinator.token(role, None));
        let sensor = Sensor::start(broker.port, "north", "a");
        let mut asked = document::incident(("203.0.113.1", "scan"), "a", "r1");
        asked["garita"]["decision"] = json!("review");
        sensor.publish(Topic::Incident, &asked);
        let etag = wait("the review", || {
            coordinator.get(&one, "/api/v1/reviews/r1").etag
        });
        let answer = |token: &str, word: &str| {
            let bearer = format!("Bearer {token}");
            let headers = [
                ("authorization", bearer.as_str()),
                ("if-match", etag.as_str()),
            ];
            let body = json!({"answer": word, "reason": "it is nobody we know"}).to_string();
            coordinator
                .ask(("POST", "/api/v1/reviews/r1/answer"), &headers, Some(&body))
                .status
        };
        assert_eq!(answer(&one, "allow"), 403);
        assert_eq!(answer(&one, "approve"), 201);
        assert_eq!(answer(&two, "dismiss"), 409);
        sensor.command("the answer", |command| match &command.command {
            Order::Act(Action::Approve { review, .. }) => (review == "r1").then_some(()),
            _ => None,
        });
        assert_eq!(coordinator.all(&one, "/api/v1/reviews?state=open").len(), 0);
    });
}

#[test]
fn what_is_wide_takes_two_people() {
    on_both("what_is_wide", |broker, database| {
        let coordinator = Coordinator::start((broker, database), "desk.two_person = true\n");
        let one = coordinator.token("responder", None);
        let two = coordinator.token("admin", None);
        let sensor = Sensor::start(broker.port, "north", "a");
        wait("the sensor", || {
            (coordinator.all(&one, "/api/v1/sensors").len() == 1).then_some(())
        });
        let body =
            json!({"target": "203.0.113.0/24", "reason": "told", "ttl": 600, "sites": ["north"]});
        let made = coordinator.post(&one, "/api/v1/blocks", &body);
        assert_eq!(made.body["state"], "waiting");
        let path = format!(
            "/api/v1/blocks/{}/approval",
            made.body["id"].as_str().unwrap()
        );
        let approve = |token: &str| {
            let bearer = format!("Bearer {token}");
            coordinator
                .ask(
                    ("POST", &path),
                    &[("authorization", &bearer), ("if-match", "\"1\"")],
                    None,
                )
                .status
        };
        assert_eq!(approve(&one), 403);
        let_pass(Duration::from_millis(500));
        assert!(sensor.state().commands.is_empty(), "nothing is sent before");
        assert_eq!((approve(&two), approve(&two)), (201, 409));
        assert_eq!(sensor.command("the block", blocks).0, "203.0.113.0/24");
    });
}
