//! From the first link to the audit trail, and the review queue by keyboard alone.

use std::time::{Duration, Instant};

use contract::topics::Topic;
use serde_json::json;

use super::{ADMIN, NEEDED, quiet, with_history};
use crate::lab::browser::Browser;
use crate::lab::{Broker, Coordinator, Database, Sensor, document, skip_without, wait};

#[test]
fn the_whole_story_in_a_browser() {
    if skip_without("the_whole_story_in_a_browser", &NEEDED) {
        return;
    }
    let (broker, database) = (Broker::start(), Database::sqlite());
    let coordinator = Coordinator::start((&broker, &database), "");
    let browser = Browser::start(coordinator.port);
    let link = wait("the link of the first start", || {
        let log = coordinator.log();
        let from = log.find("http://127.0.0.1")?;
        let link = log[from..].split_whitespace().next()?.to_owned();
        link.contains("/welcome?code=").then_some(link)
    });
    browser.go(&link);
    browser.fill("#name", ADMIN.0);
    browser.fill("#password", ADMIN.1);
    browser.fill("#again", ADMIN.1);
    browser.click("button.main");
    browser.wait("the overview", "document.getElementById('verdict')");
    browser.go(&link);
    browser.fill("#name", "mallory");
    browser.fill("#password", ADMIN.1);
    browser.fill("#again", ADMIN.1);
    browser.click("button.main");
    browser.wait_text("was used");

    // Sensors join, without a reload.
    browser.go("/sensors");
    browser.run("window.isSamePage = true");
    let sensors = [("north", "a"), ("north", "b"), ("south", "c")]
        .map(|(site, name)| Sensor::start(broker.port, site, name));
    browser.wait(
        "three sensors",
        "document.querySelectorAll('#live tbody tr').length === 3",
    );
    assert_eq!(browser.run("return window.isSamePage"), true);

    // Incidents appear, without a reload, within a second.
    browser.go("/incidents");
    browser.wait(
        "the stream",
        "document.getElementById('state').dataset.state === 'live'",
    );
    browser.run("window.isSamePage = true");
    let mut times: Vec<Duration> = (1..=5)
        .map(|n| {
            let offender = format!("203.0.113.{n}");
            let begun = Instant::now();
            sensors[0].incident(&offender, "brute-force");
            browser.wait(
                "the incident",
                &format!("document.querySelectorAll('#live tbody tr').length === {n}"),
            );
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!(
        "an incident is on the page after {:?} (median of {times:?})",
        times[2]
    );
    assert!(times[2] < Duration::from_secs(1), "{times:?}");
    assert_eq!(browser.run("return window.isSamePage"), true);

    // Why, and elsewhere.
    browser.click("a[href='/incidents/north-a-1']");
    browser.wait_text("203.0.113.1 guessed passwords of 192.0.2.1:22 at north/a.");
    browser.click("a.button.main");
    browser.wait_text("3 of 3 sensors would be ordered to keep 203.0.113.1 out.");
    browser.run("document.getElementById('reason').value = ''");
    browser.fill("#reason", "it searches everywhere");
    browser.click("form[hx-post='/blocks'] button.main");
    browser.wait(
        "every sensor's word",
        "document.getElementById('confirmed')?.innerText === '3 of 3 sensors keep it out'",
    );
    for sensor in &sensors {
        assert!(sensor.state().blocks.contains("203.0.113.1/32"));
    }

    // It was the wrong one.
    browser.go("/addresses/203.0.113.1");
    browser.fill("#why-release", "our own partner");
    browser.click("form[hx-post$='/release'] button");
    browser.wait_text("is being released: 1 fleet blocks withdrawn, 3 sensors ordered.");
    browser.wait(
        "nobody keeps it out",
        "[...document.querySelectorAll('[data-held]')].every((tag) => tag.dataset.held === 'none')",
    );
    for sensor in &sensors {
        wait("the sensor lets it in", || {
            sensor.state().blocks.is_empty().then_some(())
        });
    }

    // The trail has all of it, and is whole.
    browser.go("/audit?verify=1");
    browser.wait_text("The trail is whole");
    for words in [
        "user add",
        "blocks add",
        "blocks remove",
        "user berta",
        "203.0.113.1",
    ] {
        browser.wait_text(words);
    }
    quiet(&browser);

    // A login that was ended opens nothing, and the open page says so by itself.
    browser.go("/account");
    browser.click("form[hx-post^='/account/sessions/'] button");
    browser.wait("the login page", "location.pathname === '/login'");
}

#[test]
fn the_queue_by_keyboard() {
    with_history("the_queue_by_keyboard", |broker, coordinator, browser| {
        let sensor = Sensor::start(broker.port, "north", "a");
        let mut asked = document::incident(("203.0.113.77", "scan"), "a", "r77");
        asked["garita"]["decision"] = json!("review");
        sensor.publish(Topic::Incident, &asked);
        browser.go("/reviews");
        browser.wait_text("203.0.113.77");
        let open = || {
            browser
                .run("return document.querySelectorAll('.review[data-open]').length")
                .as_u64()
                .unwrap()
        };
        let on = || {
            browser
                .run("return document.activeElement.closest('.review')?.innerText ?? ''")
                .as_str()
                .unwrap()
                .to_owned()
        };
        let many = open();
        // By Tab alone to the first one, then down to the last.
        for _ in 0..60 {
            if on().is_empty() {
                browser.press("\u{e004}");
            }
        }
        assert!(!on().is_empty(), "Tab leads to the queue");
        for _ in 0..many {
            browser.press("j");
        }
        assert!(on().contains("203.0.113.77"), "{}", on());
        browser.press("d");
        browser.wait_text("203.0.113.77: answered.");
        browser.wait(
            "one less",
            &format!(
                "document.querySelectorAll('.review[data-open]').length === {}",
                many - 1
            ),
        );
        assert!(!on().is_empty(), "the focus stays in the queue");
        // Nobody else can answer it now.
        let token = coordinator.token("responder", None);
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("if-match", "\"1\"")];
        let body = json!({"answer": "approve", "reason": "late"}).to_string();
        let late = coordinator.ask(
            ("POST", "/api/v1/reviews/r77/answer"),
            &headers,
            Some(&body),
        );
        assert_eq!(late.status, 409);
        browser.press("u");
        browser.wait_text("203.0.113.77: undone.");
        browser.wait(
            "it waits again",
            &format!("document.querySelectorAll('.review[data-open]').length === {many}"),
        );
        assert!(
            sensor
                .state()
                .commands
                .iter()
                .all(|(_, command)| !command.id.contains("r77"))
        );
        // Allowed, with a reason, all by keyboard; and the sensor's word comes without a reload.
        for _ in 0..many {
            browser.press("j");
        }
        browser.press("w");
        browser.press("our scanner\u{e00c}");
        browser.press("w");
        browser.wait_text("203.0.113.77: answered.");
        browser.wait("the sensor's word", "[...document.querySelectorAll('.decided tbody tr')].some((row) => row.innerText.includes('203.0.113.77') && row.innerText.includes('Done'))");
        quiet(browser);
    });
}

#[test]
fn a_page_that_was_left_open_is_right_again() {
    if skip_without("a_page_that_was_left_open_is_right_again", &NEEDED) {
        return;
    }
    let (broker, database) = (Broker::start(), Database::sqlite());
    let mut coordinator = Coordinator::start((&broker, &database), "");
    let made = json!({"name": ADMIN.0, "password": ADMIN.1, "role": "viewer"});
    let token = coordinator.token("admin", None);
    assert_eq!(coordinator.post(&token, "/api/v1/users", &made).status, 201);
    let browser = Browser::start(coordinator.port);
    browser.log_in(ADMIN.0, ADMIN.1);
    let sensor = Sensor::start(broker.port, "north", "a");
    browser.go("/incidents");
    browser.run("window.isSamePage = true");
    sensor.incident("203.0.113.1", "scan");
    browser.wait_text("203.0.113.1");
    // The coordinator is gone: what stands there says that it may be old.
    coordinator.kill();
    browser.wait("it is stale", "!document.getElementById('stale').hidden");
    sensor.incident("203.0.113.2", "scan");
    coordinator.run();
    browser.wait_text("203.0.113.2");
    browser.wait(
        "it is live again",
        "document.getElementById('state').dataset.state === 'live' && document.getElementById('stale').hidden",
    );
    assert_eq!(browser.run("return window.isSamePage"), true);
    // Whoever only looks is offered nothing to do.
    browser.go("/incidents/north-a-1");
    let offered = "return document.querySelectorAll(\"form[hx-post]:not([hx-post='/logout']), a[href^='/blocks/new']\").length";
    assert_eq!(browser.run(offered), 0);
}
