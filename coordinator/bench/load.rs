//! What one coordinator takes in: everything that a broker has kept for it, and then messages at a steady rate, from
//! publish to visible on the event stream.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use clap::Args;
use contract::topics::Topic;
use serde_json::Value;

use crate::lab::{Broker, Coordinator, Database, PATIENCE, Sensor, document, let_pass, wait};

#[derive(Args)]
pub(crate) struct Load {
    /// Sensors
    #[arg(long, default_value_t = 20)]
    sensors: usize,
    /// Incidents that the broker has kept while nobody ran
    #[arg(long, default_value_t = 20_000)]
    kept: usize,
    /// Incidents a second, of all sensors together
    #[arg(long, default_value_t = 1_000)]
    rate: usize,
    /// How long the steady rate lasts
    #[arg(long, default_value_t = 0.5)]
    minutes: f64,
    #[arg(long, hide = true)]
    bench: bool,
}

const SETTINGS: &str = "http.requests_per_minute = 1000000\ncorrelate.network_offenders = 1000000\n\
                        correlate.victim_offenders = 1000000\n";

/// Measures each in turn, and writes a table.
pub(crate) fn run(load: &Load) {
    println!(
        "{} sensors, {} incidents kept by the broker, then {} a second",
        load.sensors, load.kept, load.rate
    );
    println!(
        "{:<16} {:>14} {:>10} {:>10} {:>10}",
        "", "kept, 1/s", "p50, ms", "p99, ms", "RSS, MB"
    );
    let peer = peer(load);
    println!("{:<16} {peer:>14.0}", "mosquitto_sub");
    let databases = [
        ("SQLite", Some(Database::sqlite())),
        ("PostgreSQL", Database::postgres()),
    ];
    for (name, database) in databases {
        match database {
            Some(database) => measure((name, &database), load),
            None => println!("{name:<16} is not installed"),
        }
    }
}

fn measure((name, database): (&str, &Database), load: &Load) {
    let broker = Broker::start();
    let mut coordinator = Coordinator::start((&broker, database), SETTINGS);
    let token = coordinator.token("viewer", None);
    coordinator.kill();
    let sensors = fleet(&broker, load.sensors);
    fill(&sensors, load.kept);
    let begun = Instant::now();
    coordinator.run();
    // It shows no more than it has stored.
    let target = load.kept as u64;
    wait("everything is taken in", || {
        (taken(&coordinator)? >= target).then_some(())
    });
    let rate = load.kept as f64 / begun.elapsed().as_secs_f64();
    let mut latencies = steady(&coordinator, &token, (&sensors, load));
    latencies.sort_unstable();
    let at = |share: f64| {
        let place = (latencies.len() as f64 * share) as usize;
        latencies
            .get(place.min(latencies.len().saturating_sub(1)))
            .map_or(f64::NAN, |micros| *micros as f64 / 1_000.0)
    };
    let resident = coordinator
        .resident()
        .map_or(f64::NAN, |kib| kib as f64 / 1_024.0);
    println!(
        "{name:<16} {rate:>14.0} {:>10.1} {:>10.1} {resident:>10.0}",
        at(0.5),
        at(0.99)
    );
}

/// What the broker alone can do: the same messages into a file.
fn peer(load: &Load) -> f64 {
    let broker = Broker::start();
    let subscribe = |count: usize| -> Child {
        Command::new("mosquitto_sub")
            .args([
                "-V",
                "5",
                "-c",
                "-i",
                "peer",
                "-x",
                "3600",
                "-q",
                "1",
                "-t",
                "garita/v1/+/+/incident",
            ])
            .args([
                "-p",
                &broker.port.to_string(),
                "-C",
                &count.to_string(),
                "-W",
                "600",
            ])
            .args(["-D", "connect", "receive-maximum", "1000"])
            .stdout(Stdio::from(tempfile::tempfile().expect("a file")))
            .spawn()
            .expect("mosquitto_sub is installed")
    };
    let sensors = fleet(&broker, load.sensors);
    let mut once = subscribe(1);
    let_pass(Duration::from_millis(500));
    fill(&sensors[..1], 1);
    once.wait().expect("it ends");
    fill(&sensors, load.kept);
    let begun = Instant::now();
    let mut all = subscribe(load.kept);
    assert!(
        all.wait().expect("it ends").success(),
        "everything is heard"
    );
    load.kept as f64 / begun.elapsed().as_secs_f64()
}

fn fleet(broker: &Broker, count: usize) -> Vec<Sensor> {
    let names = (0..count).map(|n| (format!("site-{}", n % 10), format!("s{n}")));
    names
        .map(|(site, name)| Sensor::start(broker.port, &site, &name))
        .collect()
}

/// Publishes so many incidents of all sensors, as fast as the broker takes them.
fn fill(sensors: &[Sensor], count: usize) {
    let base = sensors[0].state().sent.len();
    for n in 0..count {
        let sensor = &sensors[n % sensors.len()];
        report(sensor, base + n);
        if n % (sensors.len() * 200) == 0 {
            let sent = sensor.state().sent.len();
            sensor.wait_acknowledged(sent.saturating_sub(100));
        }
    }
    for sensor in sensors {
        let sent = sensor.state().sent.len();
        sensor.wait_acknowledged(sent);
    }
}

fn report(sensor: &Sensor, n: usize) {
    let offender = format!("203.{}.{}.{}", n / 65_536 % 256, n / 256 % 256, n % 256);
    let id = format!("{}-{}-{n}", sensor.topics.site(), sensor.topics.sensor());
    let body = document::incident((&offender, "scan"), sensor.topics.sensor(), &id);
    sensor.publish(Topic::Incident, &body);
}

/// From publish to visible, microseconds.
fn steady(coordinator: &Coordinator, token: &str, (sensors, load): (&[Sensor], &Load)) -> Vec<i64> {
    let mut connection = TcpStream::connect(("127.0.0.1", coordinator.port)).expect("it listens");
    connection
        .set_read_timeout(Some(PATIENCE))
        .expect("a timeout");
    let request = format!(
        "GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    connection.write_all(request.as_bytes()).expect("it reads");
    let total = (load.rate as f64 * load.minutes * 60.0) as usize;
    let (sender, done) = mpsc::channel();
    std::thread::spawn(move || {
        let mut latencies = Vec::new();
        for line in BufReader::new(connection).lines().map_while(Result::ok) {
            let Some(data) = line.strip_prefix("data: ") else {
                continue;
            };
            let data: Value = serde_json::from_str(data).unwrap_or_default();
            let at = data["at"].as_str().and_then(coordinator::moment::read);
            if let (Some(at), true) = (at, data["offender"].is_string()) {
                latencies.push(coordinator::moment::now() - at);
                if latencies.len() == total {
                    break;
                }
            }
        }
        let _ = sender.send(latencies);
    });
    let_pass(Duration::from_millis(500));
    let begun = Instant::now();
    for n in 0..total {
        let due = Duration::from_secs_f64(n as f64 / load.rate as f64);
        if let Some(early) = due.checked_sub(begun.elapsed()) {
            let_pass(early);
        }
        report(&sensors[n % sensors.len()], load.kept + n);
    }
    done.recv_timeout(PATIENCE)
        .expect("everything becomes visible")
}

fn taken(coordinator: &Coordinator) -> Option<u64> {
    let text = coordinator.figures()?;
    let line = text
        .lines()
        .find(|line| line.starts_with("garita_coordinator_messages_new_total "))?;
    line.split(' ').next_back()?.parse().ok()
}
