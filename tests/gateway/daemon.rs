//! The sensor at its post: `garita run` in the gateway with files of its own, and the command line that speaks to it.
//! Whether what it does is right is for the tests to say.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::sensor::Sensor;
use super::testbed::Stage;
use crate::garita::{self, Run};
use crate::lines::{LOOK, Lines, PATIENCE};
use crate::process::Process;
use crate::skip::skip;

/// Where metrics are read, in the gateway alone.
const METRICS: &str = "127.0.0.1:9760";
/// Which meter watches.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meter {
    Pcap,
    Ebpf,
}

impl Meter {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pcap => "pcap",
            Self::Ebpf => "ebpf",
        }
    }

    /// Whether the program under test has this meter; `test` is noted as skipped where it has not.
    fn is_built(self, test: &str) -> bool {
        let built = self == Self::Pcap || std::env::var_os("GARITA_METER_OBJECT").is_some();
        if !built {
            let why = "garita is built without a kernel program: GARITA_METER_OBJECT names none";
            skip(test, why);
        }
        built
    }
}

/// A stage and a sensor's files at its gateway. They outlast the sensor, which may be started again and again.
pub(crate) struct Post {
    pub(crate) stage: Stage,
    pub(super) folder: TempDir,
    meter: Meter,
    pub(super) notices: Lines,
    notify: UnixDatagram,
    /// Commands of a shell in the sensor's own mount namespace, before it starts.
    before: String,
    environment: Vec<(&'static str, String)>,
}

impl Post {
    /// A stage with a gateway that is to be watched, with these settings beside the usual ones; nothing where this
    /// machine cannot show it.
    pub(crate) fn new(test: &str, meter: Meter, settings: &str) -> Option<Self> {
        if !meter.is_built(test) {
            return None;
        }
        let stage = Stage::new(test)?;
        let folder = tempfile::tempdir().expect("a folder for the sensor");
        let notify = UnixDatagram::bind(folder.path().join("notify")).expect("a new socket");
        let notices = Lines::default();
        let (socket, said) = (notify.try_clone().expect("one more"), notices.clone());
        // systemd reads all the time, too: nobody who tells it something waits.
        thread::spawn(move || {
            let mut message = [0; 4096];
            while let Ok(len @ 1..) = socket.recv(&mut message) {
                said.push(String::from_utf8_lossy(&message[..len]).replace('\n', " "));
            }
        });
        let post = Self {
            stage,
            folder,
            meter,
            notices,
            notify,
            before: String::new(),
            environment: Vec::new(),
        };
        post.configure(settings);
        Some(post)
    }

    /// Writes the configuration.
    pub(crate) fn configure(&self, settings: &str) {
        let path = |name| self.path(name).display().to_string();
        let text = format!(
            "sensor.name = \"verifier\"\n\
             capture.mode = \"{}\"\n\
             firewall.mode = \"enforce\"\n\
             store.path = \"{}\"\n\
             control.socket = \"{}\"\n\
             metrics.listen = \"{METRICS}\"\n\
             {settings}\n",
            self.meter.as_str(),
            path("garita.db"),
            path("control.sock"),
        );
        std::fs::write(self.path("garita.toml"), text).expect("the folder can be written");
        // Those who ask have a file of their own, which is right whatever becomes of the sensor's.
        let text = format!("control.socket = \"{}\"\n", path("control.sock"));
        std::fs::write(self.path("client.toml"), text).expect("the folder can be written");
    }

    /// A file of the sensor's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Has the shell run this before the sensor starts, among mounts that nobody else sees.
    pub(crate) fn before(&mut self, script: &str) {
        writeln!(self.before, "{script}").expect("writing to a string cannot fail");
    }

    /// Starts the sensor with this in its environment.
    pub(crate) fn environment(&mut self, name: &'static str, value: String) {
        self.environment.push((name, value));
    }

    /// Starts the sensor, and waits until it says that it is ready.
    pub(crate) fn start(&self) -> Sensor<'_> {
        let program = garita::command(&[]);
        // The first to ask for the program may have waited for it to be built.
        let begun = Instant::now();
        let mut command = self.stage.gateway.command("sh");
        let script = format!("set -e\n{}exec \"$@\"", self.before);
        command
            .args(["-c", &script, "sh"])
            .arg(program.get_program());
        command
            .arg("--config")
            .arg(self.path("garita.toml"))
            .arg("run");
        for (name, _) in program.get_envs() {
            command.env_remove(name);
        }
        command.env("NOTIFY_SOCKET", self.path("notify"));
        command
            .env("WATCHDOG_USEC", "30000000")
            .env_remove("JOURNAL_STREAM");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mark = self.notices.len();
        let mut sensor = Sensor {
            post: self,
            process: Process::start("garita", command),
            started: Duration::ZERO,
        };
        let end = begun + PATIENCE * 2;
        while self.notices.find("READY=1", (mark, LOOK)).is_none() {
            assert!(sensor.process.is_running(), "garita ends at once");
            assert!(Instant::now() < end, "garita never gets ready");
        }
        sensor.started = begun.elapsed();
        sensor
    }

    /// Runs a client command.
    pub(crate) fn garita(&self, arguments: &str) -> Run {
        self.command(&arguments.split(' ').collect::<Vec<_>>())
    }

    /// The same, with arguments as they are.
    pub(crate) fn command(&self, arguments: &[&str]) -> Run {
        let config = self.path("client.toml");
        let config = config.to_str().expect("the folder's path is UTF-8");
        garita::run(&[&["--config", config], arguments].concat())
    }

    /// What a client command prints, one JSON document a line.
    pub(crate) fn json(&self, arguments: &str) -> Vec<Value> {
        let run = self.garita(&format!("{arguments} --json"));
        assert_eq!(run.code, 0, "garita {arguments}: {}", run.said);
        let lines = run.out.lines();
        lines
            .map(|line| serde_json::from_str(line).expect("it prints JSON"))
            .collect()
    }

    /// What a client command prints, which has to succeed.
    pub(crate) fn done(&self, arguments: &str) -> String {
        let run = self.garita(arguments);
        assert_eq!(run.code, 0, "garita {arguments}: {}", run.said);
        run.out
    }

    /// The block of an address or prefix, as the list has it.
    pub(crate) fn block(&self, target: impl ToString) -> Option<Value> {
        let target = target.to_string();
        let length = match (target.contains('/'), target.contains(':')) {
            (true, _) => "",
            (false, true) => "/128",
            (false, false) => "/32",
        };
        let target = format!("{target}{length}");
        let mut blocks = self.json("blocks list").into_iter();
        blocks.find(|block| block["target"] == target)
    }

    /// The review of an address that waits.
    pub(crate) fn review(&self, address: IpAddr) -> Option<Value> {
        let mut reviews = self.json("review list").into_iter();
        reviews.find(|review| review["address"] == address.to_string())
    }

    /// The incidents of an address, last revisions.
    pub(crate) fn incidents(&self, address: IpAddr) -> Vec<Value> {
        self.json(&format!("incidents list {address}"))
    }

    /// What happened to an object, as the audit tells it: who, what and the outcome.
    pub(crate) fn audited(&self, object: impl ToString) -> Vec<String> {
        let object = object.to_string();
        let entries = self.json("audit list").into_iter();
        let about = entries.filter(|entry| entry["object"] == object);
        let words = |entry: Value| {
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            format!("{}: {}: {}", text("by"), text("action"), text("outcome"))
        };
        about.map(words).collect()
    }

    /// The conditions that stand, by name.
    pub(crate) fn conditions(&self) -> Vec<String> {
        let status = self.json("status").remove(0);
        let standing = status["conditions"].as_array().expect("a list");
        let name = |condition: &Value| condition["name"].as_str().expect("a name").to_owned();
        standing.iter().map(name).collect()
    }

    /// What the sensor tells Prometheus.
    pub(crate) fn metrics(&self) -> String {
        use std::io::{Read, Write};
        let address: SocketAddr = METRICS.parse().expect("an address");
        self.stage.gateway.run(|| {
            let mut stream = TcpStream::connect(address).expect("metrics are served");
            let question = b"GET /metrics HTTP/1.0\r\nHost: gate\r\n\r\n";
            stream.write_all(question).expect("it listens");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("it answers");
            answer
        })
    }

    /// Whether systemd was told something, after the first `skipped` messages ever.
    pub(crate) fn was_told(&self, text: &str, skipped: usize) -> bool {
        self.notices.find(text, (skipped, PATIENCE)).is_some()
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        // The reader waits for a message; this is the last one it gets.
        let _ = self.notify.shutdown(std::net::Shutdown::Both);
    }
}
