//! What each page of the console costs: the server's time, and the bytes that travel, cold and for a live update.

use std::io::Read;
use std::time::{Duration, Instant};

use clap::Args;

use crate::lab::history::{self, Amount, NAME, PASSWORD};
use crate::lab::{Broker, Coordinator, Database};

#[derive(Args)]
pub(crate) struct Pages {
    /// Sensors
    #[arg(long, default_value_t = 300)]
    sensors: usize,
    /// Incidents
    #[arg(long, default_value_t = 100_000)]
    incidents: usize,
    /// How often each page is asked for
    #[arg(long, default_value_t = 60)]
    times: usize,
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Args)]
pub(crate) struct Seed {
    /// The database
    #[arg(long)]
    url: String,
    /// Sensors
    #[arg(long, default_value_t = 20)]
    sensors: usize,
    /// Incidents
    #[arg(long, default_value_t = 400)]
    incidents: usize,
    #[arg(long, hide = true)]
    bench: bool,
}

/// A year is long enough for every month to have some.
const DAYS: i64 = 365;

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("it runs").block_on(future)
}

/// Writes a history.
pub(crate) fn seed(seed: &Seed) {
    let amount = Amount {
        sensors: seed.sensors,
        incidents: seed.incidents,
        days: 20,
    };
    wait(history::write(&seed.url, amount));
    println!("log in as {NAME} with \"{PASSWORD}\"");
}

/// Measures each page with each database, and writes a table.
pub(crate) fn run(pages: &Pages) {
    let databases = [
        ("SQLite", Some(Database::sqlite())),
        ("PostgreSQL", Database::postgres()),
    ];
    for (name, database) in databases {
        match database {
            Some(database) => measure((name, &database), pages),
            None => println!("{name} is not installed"),
        }
    }
}

fn measure((name, database): (&str, &Database), pages: &Pages) {
    let amount = Amount {
        sensors: pages.sensors,
        incidents: pages.incidents,
        days: DAYS,
    };
    wait(history::write(&database.url(), amount));
    let broker = Broker::start();
    let settings = "http.requests_per_minute = 1000000\n";
    let coordinator = Coordinator::start((&broker, database), settings);
    let browser = Browser::log_in(coordinator.port);
    println!(
        "\n{name}: {} sensors, {} incidents",
        pages.sensors, pages.incidents
    );
    println!(
        "{:<40} {:>9} {:>9} {:>10} {:>10}",
        "page", "p50, ms", "p95, ms", "page, kB", "cold, kB"
    );
    for path in paths(&browser) {
        let (page, bytes, _) = browser.get(&path);
        let cold = bytes + browser.parts(&page);
        let mut times: Vec<Duration> = (0..pages.times).map(|_| browser.get(&path).2).collect();
        times.sort_unstable();
        let at = |share: f64| {
            let place = (times.len() as f64 * share) as usize;
            times[place.min(times.len() - 1)].as_secs_f64() * 1_000.0
        };
        let (bytes, cold) = (bytes as f64 / 1_000.0, cold as f64 / 1_000.0);
        println!(
            "{path:<40.40} {:>9.1} {:>9.1} {bytes:>10.1} {cold:>10.1}",
            at(0.5),
            at(0.95)
        );
    }
}

/// Every page, with those that have one of something.
fn paths(browser: &Browser) -> Vec<String> {
    let mut paths: Vec<String> = [
        "/",
        "/incidents",
        "/incidents?class=brute-force&site=madrid",
        "/incidents?offender=198.51.100.7",
        "/campaigns",
        "/reviews",
        "/blocks",
        "/blocks/fleet",
        "/blocks/new?target=198.51.100.7",
        "/sensors",
        "/figures",
        "/addresses/198.51.100.7",
        "/audit",
        "/access",
        "/settings",
        "/account",
        "/sensors/berlin/edge-01",
    ]
    .map(str::to_owned)
    .to_vec();
    for (list, begin) in [
        ("/incidents", "/incidents/"),
        ("/blocks/fleet", "/blocks/fleet-"),
        ("/campaigns", "/campaigns/"),
    ] {
        let (page, ..) = browser.get(list);
        let found = page
            .split("href=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        paths.extend(
            found
                .filter(|href| href.starts_with(begin))
                .take(1)
                .map(str::to_owned),
        );
    }
    paths
}

/// A browser as the server meets it: one that packs, and is logged in.
struct Browser {
    agent: ureq::Agent,
    port: u16,
    cookie: String,
}

impl Browser {
    fn log_in(port: u16) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .build()
            .new_agent();
        let encode = |text: &str| text.replace(' ', "+");
        let form = format!("name={}&password={}", encode(NAME), encode(PASSWORD));
        let answer = agent
            .post(format!("http://127.0.0.1:{port}/login"))
            .header("content-type", "application/x-www-form-urlencoded")
            .send(form)
            .expect("it answers");
        let cookie = answer
            .headers()
            .get("set-cookie")
            .and_then(|cookie| cookie.to_str().ok());
        let cookie = cookie
            .and_then(|cookie| cookie.split(';').next())
            .expect("a login")
            .to_owned();
        Self {
            agent,
            port,
            cookie,
        }
    }

    /// A page's text, the bytes that travelled for it, and how long they took.
    fn get(&self, path: &str) -> (String, usize, Duration) {
        let begun = Instant::now();
        let mut answer = self
            .agent
            .get(format!("http://127.0.0.1:{}{path}", self.port))
            .header("cookie", &self.cookie)
            .header("accept-encoding", "gzip")
            .call()
            .expect("it answers");
        let mut bytes = Vec::new();
        answer
            .body_mut()
            .as_reader()
            .read_to_end(&mut bytes)
            .expect("it is read");
        let took = begun.elapsed();
        assert_eq!(answer.status(), 200, "{path}");
        let mut text = String::new();
        let packed = answer.headers().get("content-encoding").is_some();
        match packed {
            true => flate2::read::GzDecoder::new(&bytes[..])
                .read_to_string(&mut text)
                .expect("it is packed"),
            false => bytes
                .as_slice()
                .read_to_string(&mut text)
                .expect("it is text"),
        };
        (text, bytes.len(), took)
    }

    /// The bytes of style and scripts that a page asks for.
    fn parts(&self, page: &str) -> usize {
        let parts = page
            .split("=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        parts
            .filter(|part| part.starts_with("/assets/"))
            .map(|part| self.get(part).1)
            .sum()
    }
}
