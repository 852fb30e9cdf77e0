//! What other programs rely on: settings, the token command, listings, readiness, problems, keys and versions.

use serde_json::{Value, json};

use crate::lab::{Coordinator, Sensor, document, on_both, wait};

#[test]
fn the_fixed_surface() {
    on_both("the_fixed_surface", |broker, database| {
        let coordinator = Coordinator::start((broker, database), "");
        let token = coordinator.token("viewer", None);
        let north = coordinator.token("viewer", Some("north"));
        let a = Sensor::start(broker.port, "north", "a");
        let b = Sensor::start(broker.port, "south", "b");
        let first = a.incident("203.0.113.1", "scan");
        for n in 2..=25 {
            a.incident(&format!("203.0.113.{n}"), "scan");
        }
        b.incident("203.0.113.1", "brute-force");
        wait("all are listed", || {
            (coordinator.all(&token, "/api/v1/incidents").len() == 26).then_some(())
        });

        // An incident is the document as published, and its place.
        let found = coordinator.get(
            &token,
            "/api/v1/incidents?offender=203.0.113.1&class=scan&site=north",
        );
        let items = found.body["items"].as_array().unwrap();
        assert_eq!((items.len(), &found.body["next"]), (1, &Value::Null));
        let mut item = items[0].clone();
        let place = item.as_object_mut().unwrap();
        let named = ["id", "site", "sensor"].map(|key| place.remove(key).unwrap());
        assert_eq!(named, [json!(first), json!("north"), json!("a")]);
        let published: Value = serde_json::from_str(&a.state().sent[&1].2).unwrap();
        assert_eq!(item, published);
        let one = coordinator.get(&token, &format!("/api/v1/incidents/{first}"));
        assert_eq!(one.body["event"]["id"], json!(first));

        // Pages hold everything once, the newest first.
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = coordinator.get(&token, &format!("/api/v1/incidents?limit=10{cursor}"));
            seen.extend(page.body["items"].as_array().unwrap().clone());
            match page.body["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let times: Vec<&str> = seen
            .iter()
            .map(|item| item["@timestamp"].as_str().unwrap())
            .collect();
        assert!(seen.len() == 26 && times.is_sorted_by(|a, b| a >= b));

        // Who is limited to a site sees nothing of others.
        assert_eq!(coordinator.all(&north, "/api/v1/incidents").len(), 25);
        assert!(
            coordinator
                .all(&north, "/api/v1/incidents?site=south")
                .is_empty()
        );
        assert_eq!(coordinator.all(&north, "/api/v1/sensors").len(), 1);

        // What makes no sense is a problem that names the field.
        for (query, field) in [
            ("offender='; DROP TABLE incident; --", "offender"),
            ("class=portscan", "class"),
            ("limit=0", "limit"),
            ("cursor=nonsense", "cursor"),
            ("since=yesterday", "since"),
        ] {
            let query = query.replace(' ', "%20").replace('\'', "%27");
            let answer = coordinator.get(&token, &format!("/api/v1/incidents?{query}"));
            assert_eq!(
                (answer.status, &answer.body["field"]),
                (422, &json!(field)),
                "{answer:?}"
            );
            assert_eq!(answer.kind, "application/problem+json");
        }
        let stranger = coordinator.ask(("GET", "/api/v1/incidents"), &[], None);
        assert_eq!(
            (stranger.status, stranger.body["status"].as_u64()),
            (401, Some(401))
        );
        assert_eq!(
            coordinator.get("garita_wrong", "/api/v1/incidents").status,
            401
        );
        assert_eq!(coordinator.get(&token, "/api/v1/nothing").status, 404);

        let described = coordinator.ask(("GET", "/api/v1/openapi.json"), &[], None);
        assert_eq!(described.body["openapi"], "3.1.0");
        assert_eq!(coordinator.ask(("GET", "/healthz"), &[], None).status, 200);
        let figures = coordinator.ask(("GET", "/metrics"), &[], None);
        assert!(
            figures
                .body
                .as_str()
                .unwrap()
                .contains("garita_coordinator_messages_new_total")
        );
    });
}

#[test]
fn a_key_has_it_done_once_and_a_version_is_changed_once() {
    on_both("a_key_has_it_done_once", |broker, database| {
        let coordinator = Coordinator::start((broker, database), "");
        let token = coordinator.token("responder", None);
        let bearer = format!("Bearer {token}");
        let body =
            json!({"target": "203.0.113.9", "reason": "a partner told us", "ttl": 600}).to_string();
        let post = |key: &str, body: &str| {
            let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
            coordinator.ask(("POST", "/api/v1/blocks"), &headers, Some(body))
        };
        let (first, again) = (post("k1", &body), post("k1", &body));
        assert_eq!((first.status, again.status), (201, 201), "{first:?}");
        assert_eq!(first.body, again.body);
        assert_eq!(coordinator.all(&token, "/api/v1/blocks").len(), 1);
        assert_eq!(post("k1", &body.replace("600", "601")).status, 422);

        for (wrong, field) in [
            (json!({"target": "10.0.0.1", "reason": "x"}), "target"),
            (json!({"target": "0.0.0.0/0", "reason": "x"}), "target"),
            (json!({"target": "<script>", "reason": "x"}), "target"),
            (json!({"target": "203.0.113.9", "reason": ""}), "reason"),
            (
                json!({"target": "203.0.113.9", "reason": "x", "ttl": -1}),
                "ttl",
            ),
            (
                json!({"target": "203.0.113.9", "reason": "x", "sites": ["A"]}),
                "sites",
            ),
            (json!({"target": 7, "reason": "x"}), "target"),
        ] {
            let answer = coordinator.post(&token, "/api/v1/blocks", &wrong);
            assert_eq!(
                (answer.status, &answer.body["field"]),
                (422, &json!(field)),
                "{answer:?}"
            );
        }
        let much = "x".repeat(100 * 1_024);
        assert_eq!(post("k2", &much).status, 413);

        let id = first.body["id"].as_str().unwrap();
        let path = format!("/api/v1/blocks/{id}");
        let seen = coordinator.get(&token, &path);
        let etag = seen.etag.unwrap();
        let remove = |version: Option<&str>| {
            let mut headers = vec![("authorization", bearer.as_str())];
            headers.extend(version.map(|version| ("if-match", version)));
            coordinator.ask(("DELETE", &path), &headers, None).status
        };
        assert_eq!((remove(None), remove(Some("\"99\""))), (428, 412));
        assert_eq!(remove(Some(&etag)), 201);
        assert_eq!(remove(Some(&etag)), 409);
    });
}

#[test]
fn a_backup_moves_from_one_database_to_the_other() {
    on_both("a_backup_moves", |broker, database| {
        let coordinator = Coordinator::start((broker, database), "");
        let token = coordinator.token("admin", None);
        let sensor = Sensor::start(broker.port, "north", "a");
        sensor.incident("203.0.113.1", "scan");
        let mut second = document::incident(("203.0.113.1", "scan"), "a", "north-a-1");
        second["garita"]["revision"] = json!(2);
        sensor.publish(contract::topics::Topic::Incident, &second);
        wait("the second revision", || {
            let found = coordinator.get(&token, "/api/v1/incidents/north-a-1");
            (found.body["garita"]["revision"] == 2).then_some(())
        });
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("backup");
        let file = file.to_str().unwrap();
        let made = coordinator.cli(&["backup", "create", file]);
        assert!(made.status.success(), "{made:?}");

        let other = crate::lab::Database::sqlite();
        let restored = Coordinator::new((broker, &other), "");
        assert!(restored.cli(&["backup", "restore", file]).status.success());
        assert!(
            !restored.cli(&["backup", "restore", file]).status.success(),
            "only into an empty one"
        );
        let listed = restored.cli(&["incident", "list", "--json"]);
        let line: Value = serde_json::from_slice(&listed.stdout).unwrap();
        assert_eq!(line["garita"]["revision"], 2);
        let verified = restored.cli(&["audit", "verify"]);
        assert!(verified.status.success(), "{verified:?}");
    });
}

#[test]
fn many_processes_may_open_a_new_database_at_once() {
    on_both("many_processes_may_open", |broker, database| {
        let coordinator = Coordinator::new((broker, database), "");
        std::thread::scope(|scope| {
            let made: Vec<_> = (0..6)
                .map(|_| scope.spawn(|| coordinator.token("viewer", None)))
                .collect();
            for token in made {
                token.join().expect("each gets its token");
            }
        });
        let listed = coordinator.cli(&["token", "list", "--json"]);
        assert_eq!(String::from_utf8_lossy(&listed.stdout).lines().count(), 6);
    });
}
