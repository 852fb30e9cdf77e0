//! Ten thousand incidents through every way a broker and a sensor can fail, and how long they take when nothing fails.
//! Network namespaces keep all of it away from the machine.

use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::broker::Broker;
use super::coordinator::Coordinator;
use super::let_pass;
use super::publisher::{Publisher, configuration, configure};
use crate::netns::Namespace;

/// What may happen to the broker, the line and the sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mishap {
    /// The broker is killed, and begins again with nothing.
    BrokerKilled,
    /// The broker stands still for longer than the keep-alive allows.
    BrokerStopped,
    /// A firewall drops everything between the two.
    LineCut,
    /// The sensor is killed.
    SensorKilled,
}

const INCIDENTS: u64 = 10_000;
const PATIENCE: Duration = Duration::from_secs(300);

/// A small generator, so that a run can be repeated: the moments are random, not the sequence.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

#[test]
fn ten_thousand_incidents_arrive_whatever_happens() {
    let test = "report::chaos::ten_thousand_incidents_arrive_whatever_happens";
    let Some(namespace) = Namespace::new(test, "report") else {
        return;
    };
    namespace.enter();
    let mut broker = Broker::with("allow_anonymous true\npersistence false\n");
    let coordinator = Coordinator::start(broker.port);
    let folder = TempDir::new().unwrap();
    let report = format!(
        "url = \"{}\"\ndrain_rate = 2000\n{}",
        broker.url(),
        Coordinator::trust()
    );
    configure(folder.path(), (&report, ""));
    let mut sensor = Publisher::start(folder.path());
    sensor.post(INCIDENTS, 250);

    use Mishap::{BrokerKilled, BrokerStopped, LineCut, SensorKilled};
    let mut mishaps = vec![
        SensorKilled,
        BrokerKilled,
        LineCut,
        SensorKilled,
        BrokerStopped,
        SensorKilled,
        BrokerKilled,
        SensorKilled,
        BrokerKilled,
        SensorKilled,
    ];
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut dice = Dice(seed);
    let mut lines = 0;
    while !mishaps.is_empty() {
        let_pass(Duration::from_millis(500 + dice.roll(2_500)));
        match mishaps.swap_remove(dice.roll(mishaps.len() as u64) as usize) {
            BrokerKilled => {
                broker.kill();
                let_pass(Duration::from_millis(dice.roll(2_000)));
                broker.restart();
            }
            BrokerStopped => {
                broker.signal(Signal::SIGSTOP);
                let_pass(Duration::from_secs(12));
                broker.signal(Signal::SIGCONT);
            }
            LineCut => {
                let rule = format!("tcp dport {} drop", broker.port);
                nft("add table inet cut");
                nft("add chain inet cut out { type filter hook output priority 0; }");
                nft(&format!("add rule inet cut out {rule}"));
                let_pass(Duration::from_secs(12));
                nft("delete table inet cut");
            }
            SensorKilled => {
                lines += sensor.warnings().len();
                sensor.kill();
                sensor = Publisher::start(folder.path());
                sensor.post(INCIDENTS, 250);
            }
        }
    }
    sensor.wait_posted(PATIENCE);
    lines += sensor.warnings().len();
    sensor.stop();

    // What is kept now is what must have arrived; a sensor that starts again sends the rest.
    let config = configuration(folder.path());
    let (store, _) = sensor::store::Store::open(&config, sensor::clock::wall);
    let epoch = store.epoch().expect("there is a file");
    let last = store.reader().unwrap().outbox_extent().unwrap().last;
    assert!(last >= INCIDENTS);
    store.close();
    let sensor = Publisher::start(folder.path());
    let asked = coordinator.settle((&epoch, last), PATIENCE);

    let heard = coordinator.heard();
    assert_eq!(heard.missing(&epoch), Vec::<u64>::new());
    assert_eq!(heard.wrong, Vec::<String>::new());
    assert_eq!(heard.numbered.len(), 1, "one file, one epoch");
    let outages = heard
        .of("condition")
        .iter()
        .filter(|body| body["garita"]["condition"] == "outage")
        .count();
    assert!(outages >= 2, "{outages} outages were told of");
    assert!(lines < 60, "{lines} warnings");
    println!(
        "{last} messages, {} more than once, {asked} resyncs, {outages} outages told, {lines} warnings",
        heard.duplicates
    );
    drop(heard);
    sensor.stop();
}

#[test]
fn an_outage_costs_no_time_and_the_log_says_it_once() {
    let mut broker = Broker::open();
    let coordinator = Coordinator::start(broker.port);
    let folder = TempDir::new().unwrap();
    configure(folder.path(), (&format!("url = \"{}\"", broker.url()), ""));
    let mut sensor = Publisher::start(folder.path());
    coordinator.wait(("a status", Duration::from_secs(60)), |heard| {
        heard.of("status").first().cloned()
    });
    broker.kill();
    let (before, began) = (cpu(sensor.pid()), Instant::now());
    let_pass(Duration::from_secs(8));
    let share = (cpu(sensor.pid()) - before) / began.elapsed().as_secs_f64();
    assert!(share < 0.1, "{share} of a processor during an outage");
    let warnings = sensor.warnings();
    assert!((1..=2).contains(&warnings.len()), "{warnings:?}");

    sensor.post(50, 1_000);
    sensor.wait_posted(Duration::from_secs(60));
    broker.restart();
    let outage = coordinator.wait(("the outage", Duration::from_secs(60)), |heard| {
        let mut conditions = heard.of("condition").iter();
        conditions
            .find(|body| body["garita"]["condition"] == "outage")
            .cloned()
    });
    assert!(
        outage["garita"]["outage"]["queued"].as_u64().unwrap() >= 50,
        "{outage}"
    );
    assert_eq!(outage["garita"]["outage"]["dropped"], 0);
    coordinator.wait(("all of them", Duration::from_secs(60)), |heard| {
        (heard.count() >= 50).then_some(())
    });
    let back = sensor
        .log()
        .iter()
        .filter(|line| line.contains(" again, after "))
        .count();
    assert_eq!(back, 1);
    println!("{:.2} % of a processor during an outage", share * 100.0);

    sensor.stop();
    let last = coordinator.wait(("a farewell", Duration::from_secs(60)), |heard| {
        heard
            .of("status")
            .last()
            .filter(|status| status["state"] != "online")
            .cloned()
    });
    assert_eq!(last["state"], "stopped");
}

#[test]
fn a_dead_sensor_is_offline_and_a_full_outbox_says_what_it_dropped() {
    let broker = Broker::open();
    let coordinator = Coordinator::start(broker.port);
    let folder = TempDir::new().unwrap();
    let port = super::broker::free_port();
    let nowhere = format!("url = \"mqtt://127.0.0.1:{port}\"\noutbox_max_messages = 100");
    configure(folder.path(), (&nowhere, ""));
    let mut sensor = Publisher::start(folder.path());
    sensor.post(300, 2_000);
    sensor.wait_posted(Duration::from_secs(60));
    sensor.stop();

    let here = format!("url = \"{}\"\noutbox_max_messages = 100", broker.url());
    configure(folder.path(), (&here, ""));
    let sensor = Publisher::start(folder.path());
    let dropped = coordinator.wait(("what was dropped", Duration::from_secs(60)), |heard| {
        let mut conditions = heard.of("condition").iter();
        conditions
            .find(|body| body["garita"]["condition"] == "outbox-dropped")
            .cloned()
    });
    let ranges = dropped["garita"]["dropped"].as_array().unwrap();
    let count: u64 = ranges
        .iter()
        .map(|range| range["last"].as_u64().unwrap() - range["first"].as_u64().unwrap() + 1)
        .sum();
    assert!(count >= 200, "{dropped}");
    let heard = coordinator.heard();
    let numbers = heard.numbered.values().next().unwrap();
    for range in ranges {
        let (first, last) = (
            range["first"].as_u64().unwrap(),
            range["last"].as_u64().unwrap(),
        );
        assert!(
            numbers.range(first..=last).next().is_none(),
            "{first} to {last} came all the same"
        );
    }
    drop(heard);

    sensor.kill();
    let will = coordinator.wait(("the last will", Duration::from_secs(60)), |heard| {
        heard
            .of("status")
            .last()
            .filter(|status| status["state"] == "offline")
            .cloned()
    });
    assert_eq!(will["sensor"], super::SENSOR);
}

#[test]
fn delivery_takes_a_fraction_of_a_second_and_a_burst_is_sustained() {
    let broker = Broker::with("allow_anonymous true\nmax_queued_messages 0\n");
    let coordinator = Coordinator::start(broker.port);
    let folder = TempDir::new().unwrap();
    configure(folder.path(), (&format!("url = \"{}\"", broker.url()), ""));
    let mut sensor = Publisher::start(folder.path());
    coordinator.wait(("telemetry", Duration::from_secs(60)), |heard| {
        heard.of("telemetry").first().cloned()
    });
    sensor.post(500, 100);
    let patience = Duration::from_secs(120);
    coordinator.wait(("five hundred", patience), |heard| {
        (heard.count() >= 500).then_some(())
    });
    let mut took = std::mem::take(&mut coordinator.heard().latencies);
    took.sort_unstable();
    let at =
        |percent: usize| took[took.len() * percent / 100 - usize::from(percent == 100)] / 1_000;
    let (p50, p99) = (at(50), at(99));

    let began = Instant::now();
    sensor.post(5_500, 20_000);
    coordinator.wait(("five thousand more", patience), |heard| {
        (heard.count() >= 5_500).then_some(())
    });
    let rate = 5_000.0 / began.elapsed().as_secs_f64();
    println!("delivery p50 {p50} ms, p99 {p99} ms; {rate:.0} messages a second");
    assert!(p50 < 2_000, "{p50} ms");
    assert_eq!(coordinator.heard().wrong, Vec::<String>::new());
    sensor.stop();
}

fn nft(arguments: &str) {
    let status = Command::new("nft")
        .args(arguments.split_whitespace())
        .status();
    assert!(
        status.expect("nft is installed").success(),
        "nft {arguments}"
    );
}

/// Processor time of a process so far, seconds.
fn cpu(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let ticks: f64 = fields[11..13]
        .iter()
        .map(|ticks| ticks.parse::<f64>().unwrap())
        .sum();
    // Linux counts in hundredths of a second (USER_HZ) wherever programs can see it.
    ticks / 100.0
}
