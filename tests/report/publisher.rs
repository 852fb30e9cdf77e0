//! A sensor's store, blocklist and reporting in a process of their own, which can be killed: this test binary, run again.
//! It watches no traffic; what it reports it is told to on its standard input.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use contract::incident::Identity;
use contract::telemetry::{Figures, ModelFigures};
use contract::topics::Topic;
use detection::policy::LocalNetwork;
use detection::timeline::Timeline;
use sensor::blocklist::{Blocklist, BlocklistHandle, Service, Tools};
use sensor::clock::{self, Heartbeat, Moment};
use sensor::condition::Conditions;
use sensor::firewall::{Firewall, Nftables, Observe};
use sensor::incident::{IncidentLog, Observer};
use sensor::report;
use sensor::report::{SEEN_COMMANDS, Setup};
use sensor::store::{Entry, Message, Store};
use sensor::telemetry::{self, Metrics};
use serde_json::Value;
use settings::{Config, FirewallMode};
use tokio::sync::watch;

use super::{SENSOR, SITE};

/// Names the configuration of a publisher's process.
const CONFIG: &str = "GARITA_TEST_PUBLISHER";
/// How often a burst is posted.
const BURST: Duration = Duration::from_millis(20);

/// A running publisher.
pub(super) struct Publisher {
    child: Child,
    orders: ChildStdin,
    /// What it logs.
    log: Arc<Mutex<Vec<String>>>,
    /// What it answers.
    said: mpsc::Receiver<String>,
}

impl Publisher {
    /// Starts one whose configuration is in `folder`, in the calling thread's network namespace.
    pub(super) fn start(folder: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("a test knows where it lies"))
            .args([
                "--exact",
                "report::publisher::process",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(CONFIG, folder.join("garita.toml"))
            .env("RUST_LOG", "info")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("this very binary starts");
        let log = Arc::new(Mutex::new(Vec::new()));
        let stderr = BufReader::new(child.stderr.take().expect("it was piped"));
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                kept.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(line);
            }
        });
        let stdout = BufReader::new(child.stdout.take().expect("it was piped"));
        let (sender, said) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let orders = child.stdin.take().expect("it was piped");
        Self {
            child,
            orders,
            log,
            said,
        }
    }

    /// Has it post `rate` incidents a second until the outbox has numbered `until`.
    pub(super) fn post(&mut self, until: u64, rate: u32) {
        writeln!(self.orders, "post {until} {rate}").expect("it reads orders");
    }

    /// Waits until all that was asked for is posted.
    pub(super) fn wait_posted(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            match self.said.recv_timeout(left) {
                Ok(line) if line.starts_with("posted") => return,
                Ok(_) => {}
                Err(_) => break,
            }
        }
        panic!("not posted within {patience:?}: {:?}", self.log());
    }

    /// What it has logged so far.
    pub(super) fn log(&self) -> Vec<String> {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Lines of its log at WARN and above.
    pub(super) fn warnings(&self) -> Vec<String> {
        let log = self.log().into_iter();
        log.filter(|line| line.contains(" WARN ") || line.contains(" ERROR "))
            .collect()
    }

    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a power switch does.
    pub(super) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it is our child");
    }

    /// Asks it to end, and waits.
    pub(super) fn stop(mut self) {
        writeln!(self.orders, "stop").expect("it reads orders");
        assert!(self.child.wait().expect("it is our child").success());
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes the configuration of a publisher into `folder`; `report` are further lines of `[report]`, and `rest` what follows.
pub(super) fn configure(folder: &Path, (report, rest): (&str, &str)) {
    let path = folder.to_str().expect("temporary folders are UTF-8");
    let text = format!(
        "[sensor]\nname = \"{SENSOR}\"\nsite = \"{SITE}\"\n[store]\npath = \"{path}/garita.db\"\n\
         [report]\nkeep_alive = \"5s\"\nmax_backoff = \"1s\"\ntelemetry_interval = \"5s\"\n{report}\n{rest}\n"
    );
    std::fs::write(folder.join("garita.toml"), text).expect("the folder can be written");
}

/// The configuration in `folder`.
pub(super) fn configuration(folder: &Path) -> Config {
    Config::load(Some(&folder.join("garita.toml"))).expect("the configuration is right")
}

/// Not a test of its own: what [`Publisher::start`] runs. Without its configuration there is nothing to do.
#[test]
fn process() {
    let Some(file) = std::env::var_os(CONFIG) else {
        return;
    };
    let config = Config::load(Some(Path::new(&file))).expect("the configuration is right");
    telemetry::init();
    let (store, mut recovered) = Store::open(&config, clock::wall);
    let identity = Identity {
        name: SENSOR.to_owned(),
        version: env!("CARGO_PKG_VERSION"),
    };
    let conditions = Conditions::new(identity.clone(), store.clone());
    let (messages, inbox) = mpsc::sync_channel(1_024);
    let blocklist = BlocklistHandle::new(messages);
    let (engine, _notices) = mpsc::channel();
    let firewall = |mode| -> Box<dyn Firewall> {
        match mode {
            FirewallMode::Observe => Box::new(Observe),
            FirewallMode::Enforce => Box::new(Nftables::open().expect("root may enforce")),
        }
    };
    let seen = recovered.settings.remove(SEEN_COMMANDS);
    let tools = Tools {
        firewall: firewall(config.firewall.mode),
        store: store.clone(),
        conditions: conditions.clone(),
        engine,
    };
    let now = Moment::now();
    let wall = detection::frame::Timestamp::from_nanoseconds(now.wall.micros() * 1_000);
    let observer = Observer {
        identity: identity.clone(),
        model_name: "test".to_owned(),
        model_sha256: "0".repeat(64),
        timeline: Timeline::anchored(now.micros, wall),
    };
    let log = IncidentLog::new(&config.incident, observer);
    let mut list = Blocklist::new(&config, LocalNetwork::default(), (log, tools));
    list.begin(recovered, now);
    let service = Service {
        blocklist: list,
        messages: inbox,
        metrics: Metrics::new(),
        heartbeat: Heartbeat::default(),
    };
    std::thread::spawn(move || service.run());
    let (stopper, stop) = watch::channel(false);
    let (broker_status, _) = watch::channel(report::BrokerStatus::default());
    let setup = Setup {
        config,
        identity,
        store: store.clone(),
        blocklist,
        conditions,
        figures: Box::new(figures),
        seen,
        broker_status,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let reporting = runtime.spawn(report::serve(setup, stop));
    obey(&store);
    let _ = stopper.send(true);
    runtime
        .block_on(reporting)
        .expect("reporting ends by itself");
    store.close();
}

fn figures() -> Figures {
    Figures {
        model: ModelFigures {
            name: "test".to_owned(),
            sha256: "0".repeat(64),
        },
        packets: BTreeMap::from([("eth0".to_owned(), 1)]),
        ..Figures::default()
    }
}

fn obey(store: &Store) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["post", until, rate] => {
                let until = until.parse().expect("a number");
                post(store, until, rate.parse().expect("a rate"));
                println!("\nposted");
            }
            ["stop"] => return,
            other => panic!("unknown order {other:?}"),
        }
    }
}

/// Incidents whose documents are those of the golden cases, each with an id of its own.
fn post(store: &Store, until: u64, rate: u32) {
    let documents = documents();
    let committed = store.outbox_changed();
    let (_held, silence) = mpsc::channel::<()>();
    let each = (rate * 20).div_ceil(1_000);
    let mut count = 0_usize;
    while *committed.borrow() < until {
        for _ in 0..each {
            let mut document = documents[count % documents.len()].clone();
            let id = format!("{}-{count}", std::process::id());
            count += 1;
            document["event"]["id"] = Value::from(id.clone());
            let revision = document["garita"]["revision"].clone();
            store.record(Entry::Publish(Message {
                topic: Topic::Incident,
                severity: document["event"]["severity"].as_u64().unwrap_or(1) as u8,
                id: format!("{id}-{revision}"),
                kind: "garita.incident.begun".to_owned(),
                at: clock::wall(),
                body: document.to_string(),
            }));
        }
        let _ = silence.recv_timeout(BURST);
    }
}

/// Every incident of the golden cases.
pub(super) fn documents() -> Vec<Value> {
    let files = crate::garita::cases()
        .into_iter()
        .map(|case| case.join("expected.jsonl"));
    let texts =
        files.map(|file| std::fs::read_to_string(file).expect("a case has its expectation"));
    let texts: Vec<String> = texts.collect();
    let lines = texts
        .iter()
        .flat_map(|text| text.lines())
        .filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_str(line).expect("incidents are JSON"))
        .collect()
}
