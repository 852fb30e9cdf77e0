//! Who may open which page, and text from outside.

use contract::topics::Topic;
use serde_json::json;

use super::{ADMIN, quiet, with_history};
use crate::lab::{Coordinator, Sensor, document, on_both, wait};

#[test]
fn pages_are_for_whom_they_are() {
    on_both("pages_are_for_whom_they_are", |broker, database| {
        let coordinator = Coordinator::start(
            (broker, database),
            "http.logins_per_minute = 1000\nhttp.requests_per_minute = 100000\n",
        );
        let admin = coordinator.token("admin", None);
        let sensors = [("north", "a"), ("south", "c")]
            .map(|(site, name)| Sensor::start(broker.port, site, name));
        sensors[1].incident("203.0.113.9", "scan");
        wait("the incident", || {
            (coordinator.all(&admin, "/api/v1/incidents").len() == 1).then_some(())
        });
        let roles = ["viewer", "analyst", "responder", "admin"];
        for (at, role) in roles.iter().enumerate() {
            for sites in [vec![], vec!["north"]] {
                let name = format!("{role}{}", sites.len());
                let user = json!({"name": name, "password": ADMIN.1, "role": role, "sites": sites});
                assert_eq!(coordinator.post(&admin, "/api/v1/users", &user).status, 201);
                let login = json!({"name": name, "password": ADMIN.1}).to_string();
                let login = coordinator.ask(("POST", "/api/v1/session"), &[], Some(&login));
                let (cookie, csrf) = (
                    login.cookie.unwrap(),
                    login.body["csrf"].as_str().unwrap().to_owned(),
                );
                for page in coordinator::web::pages() {
                    let coordinator::api::Needs::Role(needs) = page.needs else {
                        continue;
                    };
                    if page.path == "/logout" {
                        continue;
                    }
                    let path = page
                        .path
                        .replace("{site}", "south")
                        .replace("{sensor}", "c")
                        .replace("{id}", "south-c-1");
                    let path = path
                        .replace("{address}", "203.0.113.9")
                        .replace("{name}", "nobody");
                    let method = page.method.as_str();
                    let form = ("content-type", "application/x-www-form-urlencoded");
                    let ask = |headers: &[(&str, &str)]| {
                        coordinator.ask(
                            (method, &path),
                            headers,
                            (method == "POST").then_some("reason=x"),
                        )
                    };
                    let stranger = ask(&[form]);
                    assert_eq!(stranger.status, 303, "{path} of a stranger");
                    if method == "POST" {
                        assert_eq!(
                            ask(&[form, ("cookie", &cookie)]).status,
                            403,
                            "{path} without its token"
                        );
                    }
                    let shown = ask(&[form, ("cookie", &cookie), ("x-csrf-token", &csrf)]);
                    assert!(shown.status < 500, "{path}: {shown:?}");
                    let may = coordinator::access::Role::ALL[at] >= needs;
                    assert_eq!(
                        shown.status == 403
                            && shown.body.to_string().contains("this takes the role"),
                        !may,
                        "{role} {path}: {}",
                        shown.status
                    );
                    // Who is limited to the north sees and changes nothing of the south.
                    if !sites.is_empty() && method == "GET" {
                        let text = shown.body.to_string();
                        assert!(
                            !text.contains("203.0.113.9 attacks")
                                && !text.contains("/sensors/south/c"),
                            "{role} {path}"
                        );
                    }
                }
            }
        }
    });
}

#[test]
fn what_comes_from_outside_stays_text() {
    with_history(
        "what_comes_from_outside_stays_text",
        |broker, coordinator, browser| {
            let evil = "\"><img src=x onerror=\"window.pwned=1\"><x-evil>'{{7*7}}";
            let sensor = Sensor::start(broker.port, "north", "a");
            let mut incident = document::incident(("203.0.113.66", "scan"), "a", "e66");
            incident["message"] = json!(evil);
            incident["event"]["outcome"] = json!(evil);
            incident["network"] = json!({"transport": evil, "community_id": evil});
            incident["threat"] = json!({"technique": {"id": evil, "name": evil}});
            incident["observer"]["version"] = json!(evil);
            incident["observer"]["ingress"] = json!({"interface": {"name": evil}});
            incident["garita"]["decision"] = json!("review");
            incident["garita"]["reason"] = json!(evil);
            incident["garita"]["explanation"] =
                json!([{"feature": evil, "value": 1.0, "contribution": 2.0, "text": evil}]);
            incident["garita"]["model"] =
                json!({"name": evil, "sha256": evil, "score": {"scan": 0.9}});
            sensor.publish(Topic::Incident, &incident);
            let condition = json!({
                "@timestamp": document::now(), "event": {"id": "c", "action": "raised"}, "message": evil,
                "garita": {"condition": evil}, "observer": {"name": "a"},
            });
            sensor.publish(Topic::Condition, &condition);
            sensor.raw(
                "garita/v1/north/a/incident",
                format!("{evil} is no JSON").as_bytes(),
            );
            let mut status = json!({
                "state": "online", "at": document::now(), "site": "north", "sensor": "a", "version": evil, "boot_id": evil,
                "started": document::now(), "model": {"name": evil, "sha256": evil}, "epoch": "epoch-north-a", "seq": 2,
            });
            status["blocks"] = json!({"count": 0, "sha256": evil});
            sensor.raw("garita/v1/north/a/status", status.to_string().as_bytes());
            let token = coordinator.token("admin", None);
            let body = json!({"target": "203.0.113.66", "reason": evil, "ttl": 600});
            assert_eq!(
                coordinator.post(&token, "/api/v1/blocks", &body).status,
                201
            );
            wait("the review", || {
                (coordinator
                    .all(&token, "/api/v1/reviews?address=203.0.113.66")
                    .len()
                    == 1)
                    .then_some(())
            });
            wait("the quarantine", || {
                (!coordinator.all(&token, "/api/v1/quarantine").is_empty()).then_some(())
            });
            browser.go("/incidents?offender=203.0.113.66");
            let incident = browser.run("return document.querySelector(\"#live a[href^='/incidents/']\").getAttribute('href')");
            let incident = incident.as_str().unwrap().to_owned();
            let mut shown = 0;
            for page in [
                "/",
                "/incidents",
                &incident,
                "/reviews",
                "/blocks",
                "/blocks/fleet",
                "/addresses/203.0.113.66",
                "/sensors",
                "/sensors/north/a",
                "/audit",
                "/settings",
                "/blocks/new?target=%22%3E%3Cx-evil%3E",
                "/incidents?offender=%22%3E%3Cx-evil%3E",
                "/addresses?q=%22%3E%3Cx-evil%3E",
                "/login?next=%22%3E%3Cx-evil%3E",
                "/welcome?code=%22%3E%3Cx-evil%3E",
            ] {
                browser.go(page);
                let evil = browser.run(
                    "return [window.pwned ?? null, document.querySelectorAll('x-evil').length]",
                );
                assert_eq!(evil, json!([null, 0]), "{page}");
                shown += browser
                    .run("return document.documentElement.outerHTML.split('&lt;x-evil').length - 1")
                    .as_u64()
                    .unwrap();
            }
            assert!(shown > 10, "it is shown as text: {shown}");
            quiet(browser);
        },
    );
}
