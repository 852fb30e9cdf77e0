//! Who may do what: every route with every role and none, logins, and that access ends at once.

use contract::topics::Topic;
use coordinator::access::Role;
use coordinator::api::{Needs, routes};
use serde_json::json;

use crate::lab::{Broker, Coordinator, Database, Sensor, document, on_both, skip_without, wait};

#[test]
fn every_route_with_every_role_and_none() {
    on_both("every_route_with_every_role", |broker, database| {
        let settings = "http.requests_per_minute = 100000\nhttp.logins_per_minute = 100000\n";
        let coordinator = Coordinator::start((broker, database), settings);
        let tokens = Role::ALL.map(|role| (role, coordinator.token(role.as_str(), None)));
        for route in routes() {
            // Whoever may is answered anything but 401 and 403: there is nothing of these names.
            let path = route
                .path
                .replace("{site}", "nowhere")
                .replace(['{', '}'], "");
            if path.ends_with("/events") || path.ends_with("/ws") {
                continue;
            }
            let line = (route.method.as_str(), path.as_str());
            let none = coordinator.ask(line, &[], Some("{}")).status;
            let forged = coordinator
                .ask(
                    line,
                    &[("authorization", "Bearer garita_forged")],
                    Some("{}"),
                )
                .status;
            match route.needs {
                Needs::Role(_) => assert_eq!((none, forged), (401, 401), "{line:?}"),
                _ => assert!(
                    ![401, 404, 405].contains(&none) || path.contains("session"),
                    "{line:?} {none}"
                ),
            }
            for (role, token) in &tokens {
                let bearer = format!("Bearer {token}");
                let status = coordinator
                    .ask(line, &[("authorization", &bearer)], Some("{}"))
                    .status;
                let may = match route.needs {
                    Needs::Role(least) => *role >= least,
                    _ => continue,
                };
                let is_refused = status == 403 || status == 401;
                assert_eq!(is_refused, !may, "{line:?} as {role}: {status}");
            }
        }
    });
}

#[test]
fn who_is_limited_to_a_site_reaches_no_other() {
    on_both("who_is_limited_to_a_site", |broker, database| {
        let coordinator = Coordinator::start((broker, database), "");
        let all = coordinator.token("admin", None);
        let north = coordinator.token("admin", Some("north"));
        let sensor = Sensor::start(broker.port, "south", "b");
        let mut asked = document::incident(("203.0.113.1", "scan"), "b", "r1");
        asked["garita"]["decision"] = json!("review");
        sensor.publish(Topic::Incident, &asked);
        wait("the review", || {
            (coordinator.get(&all, "/api/v1/reviews/r1").status == 200).then_some(())
        });
        for path in [
            "/api/v1/incidents/r1",
            "/api/v1/incidents/r1/revisions",
            "/api/v1/reviews/r1",
            "/api/v1/sensors/south/b",
        ] {
            assert_eq!(coordinator.get(&north, path).status, 404, "{path}");
            assert_eq!(coordinator.get(&all, path).status, 200, "{path}");
        }
        for path in [
            "/api/v1/audit",
            "/api/v1/users",
            "/api/v1/tokens",
            "/api/v1/settings",
            "/api/v1/quarantine",
        ] {
            assert_eq!(coordinator.get(&north, path).status, 403, "{path}");
        }
        let body = json!({"target": "203.0.113.1", "reason": "x", "sites": ["south"]});
        assert_eq!(
            coordinator.post(&north, "/api/v1/blocks", &body).status,
            403
        );
        let own = coordinator.post(
            &north,
            "/api/v1/blocks",
            &json!({"target": "203.0.113.1", "reason": "x"}),
        );
        assert_eq!(
            own.body["sites"],
            json!(["north"]),
            "of who is limited, a block is too"
        );
        let order = json!({"action": "enforce", "on": false});
        assert_eq!(
            coordinator
                .post(&north, "/api/v1/sensors/south/b/orders", &order)
                .status,
            404
        );
    });
}

#[test]
fn logins_lock_browsers_bring_their_csrf_token_and_access_ends_at_once() {
    if skip_without("logins_lock", &["mosquitto"]) {
        return;
    }
    let (broker, database) = (Broker::start(), Database::sqlite());
    let settings =
        "http.logins_per_minute = 100\naccess.lock_after = 3\naccess.lock_for = \"1h\"\n";
    let coordinator = Coordinator::start((&broker, &database), settings);
    let code = coordinator.log();
    let code = code
        .split("code=")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .to_owned();
    let password = "correct horse battery staple";
    let first = |code: &str| {
        let body = json!({"name": "anna", "password": password, "code": code}).to_string();
        coordinator
            .ask(("POST", "/api/v1/first-admin"), &[], Some(&body))
            .status
    };
    assert_eq!(
        (first("wrong"), first(&code), first(&code)),
        (403, 201, 403)
    );

    let log_in = |name: &str, password: &str| {
        let body = json!({"name": name, "password": password}).to_string();
        coordinator.ask(("POST", "/api/v1/session"), &[], Some(&body))
    };
    let login = log_in("anna", password);
    assert_eq!((login.status, &login.body["role"]), (201, &json!("admin")));
    let admin = coordinator.token("admin", None);
    let user = json!({"name": "bert", "password": password, "role": "viewer"});
    assert_eq!(coordinator.post(&admin, "/api/v1/users", &user).status, 201);
    for _ in 0..3 {
        assert_eq!(log_in("bert", "wrong wrong wrong").status, 401);
    }
    assert_eq!(log_in("bert", password).status, 401, "locked");
    assert_eq!(log_in("nobody", password).status, 401);

    // A token ends with its next request.
    let viewer = coordinator.token("viewer", None);
    assert_eq!(coordinator.get(&viewer, "/api/v1/sensors").status, 200);
    let listed = coordinator.all(&admin, "/api/v1/tokens");
    let id = listed
        .iter()
        .find(|token| token["name"] == "viewer-all")
        .unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let bearer = format!("Bearer {admin}");
    let revoked = coordinator.ask(
        ("DELETE", &format!("/api/v1/tokens/{id}")),
        &[("authorization", &bearer)],
        None,
    );
    assert_eq!(revoked.status, 204);
    assert_eq!(coordinator.get(&viewer, "/api/v1/sensors").status, 401);
    let database = std::fs::read(database.url().trim_start_matches("sqlite://")).unwrap();
    let holds = |text: &str| {
        database
            .windows(text.len())
            .any(|bytes| bytes == text.as_bytes())
    };
    assert!(!holds(&viewer) && !holds(password), "only hashes are kept");
}

#[test]
fn a_search_for_passwords_is_slowed_down() {
    if skip_without("a_search_for_passwords", &["mosquitto"]) {
        return;
    }
    let (broker, database) = (Broker::start(), Database::sqlite());
    let coordinator = Coordinator::start((&broker, &database), "http.logins_per_minute = 3\n");
    let body = json!({"name": "anna", "password": "guess guess guess"}).to_string();
    let tried: Vec<u16> = (0..5)
        .map(|_| {
            coordinator
                .ask(("POST", "/api/v1/session"), &[], Some(&body))
                .status
        })
        .collect();
    assert_eq!(tried, [401, 401, 401, 429, 429]);
}
