//! The console in a real browser: the whole story, every page for everybody, the queue by keyboard, and hostile text.

mod rights;
mod story;

use std::path::Path;

use serde_json::Value;

use crate::lab::browser::Browser;
use crate::lab::history::{self, Amount, NAME, PASSWORD};
use crate::lab::{Broker, Coordinator, Database, skip_without};

const NEEDED: [&str; 3] = ["mosquitto", "chromium", "chromedriver"];
/// The first admin.
const ADMIN: (&str, &str) = ("berta", "twelve letters and more");

/// A broker, a coordinator with a history, and a browser that is logged in.
fn with_history(test: &str, body: impl Fn(&Broker, &Coordinator, &Browser)) {
    if skip_without(test, &NEEDED) {
        return;
    }
    let (broker, database) = (Broker::start(), Database::sqlite());
    let amount = Amount {
        sensors: 20,
        incidents: 300,
        days: 20,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(history::write(&database.url(), amount));
    let coordinator = Coordinator::start((&broker, &database), "");
    let browser = Browser::start(coordinator.port);
    browser.log_in(NAME, PASSWORD);
    body(&broker, &coordinator, &browser);
}

/// The browser had nothing to complain of: no blocked script or style, no error.
fn quiet(browser: &Browser) {
    let said: Vec<String> = browser
        .said()
        .into_iter()
        .filter(|line| !line.contains(" 422 ") && !line.contains(" 401 "))
        .collect();
    assert!(said.is_empty(), "{said:#?}");
}

#[test]
fn every_page_is_for_everybody() {
    let axe = Path::new(env!("CARGO_MANIFEST_DIR")).join("web/node_modules/axe-core/axe.min.js");
    let Ok(axe) = std::fs::read_to_string(axe) else {
        crate::skip::skip(
            "every_page_is_for_everybody",
            "axe-core is not there: run `npm ci` in coordinator/web",
        );
        return;
    };
    with_history("every_page_is_for_everybody", |_, _, browser| {
        browser.go("/incidents");
        let first = |selector: &str| -> String {
            let found = browser.run(&format!(
                "return document.querySelector(\"{selector}\")?.getAttribute('href')"
            ));
            found
                .as_str()
                .unwrap_or_else(|| panic!("{selector}"))
                .to_owned()
        };
        let incident = first("a[href^='/incidents/']");
        browser.go("/blocks/fleet");
        let block = first("a[href^='/blocks/fleet-']");
        let pages = [
            "/",
            "/incidents",
            &incident,
            "/campaigns",
            "/campaigns/campaign-0",
            "/reviews",
            "/blocks",
            "/blocks/fleet",
            &block,
            "/blocks/new?target=198.51.100.7",
            "/sensors",
            "/sensors/berlin/edge-01",
            "/addresses/198.51.100.3",
            "/addresses?q=x",
            "/figures",
            "/audit",
            "/access",
            "/settings",
            "/account",
            "/login",
            "/welcome",
            "/incidents/none",
        ];
        let (mut breaches, mut painted) = (Vec::new(), Vec::new());
        for scheme in ["light", "dark"] {
            for page in pages {
                browser.look(1280, scheme);
                browser.go(page);
                painted.push(browser.run("return performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0").as_f64().unwrap());
                let found = browser.run_until(
                    &format!(
                        "{axe}; const done = arguments[1]; axe.run().then((found) => done(found.violations.map((one) => \
                         `${{one.id}}: ${{one.nodes.map((node) => node.html.slice(0, 200)).join(' | ')}}`)))"
                    ),
                    Value::Null,
                );
                let found = found.as_array().unwrap().iter();
                breaches.extend(found.map(|one| format!("{page} {scheme}: {one}")));
                assert_eq!(browser.run("return document.querySelectorAll('script:not([src]), main [style]:not(.chart *)').length"), 0);
                browser.look(390, scheme);
                let width = browser.run("return document.documentElement.scrollWidth");
                assert!(width.as_u64().unwrap() <= 390, "{page} is {width} wide");
            }
        }
        assert!(breaches.is_empty(), "{breaches:#?}");
        // One that is asked before it was painted says nothing.
        painted.retain(|at| *at > 0.0);
        painted.sort_unstable_by(f64::total_cmp);
        let (median, most) = (painted[painted.len() / 2], painted[painted.len() - 1]);
        println!(
            "first contentful paint: median {median:.0} ms, at most {most:.0} ms of {} pages",
            painted.len()
        );
        assert!(median < 1_000.0, "{painted:?}");
        let said: Vec<String> = browser
            .said()
            .into_iter()
            .filter(|line| !line.contains("/incidents/none"))
            .collect();
        assert!(said.is_empty(), "{said:#?}");
    });
}
