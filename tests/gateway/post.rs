//! The sensor at its post: `garita run` in the gateway with files of its own, and the command line that speaks to it.
//! Whether what it does is right is for the tests to say.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::lines::{Lines, PATIENCE};
use super::process::Process;
use super::stage::Stage;
use crate::garita::{self, Run};
use crate::skip::skip;

/// Where metrics are read, in the gateway alone.
const METRICS: &str = "127.0.0.1:9760";
/// How long something that comes without a word of the sensor may go unnoticed.
const LOOK: Duration = Duration::from_millis(25);

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
    folder: TempDir,
    meter: Meter,
    notices: Lines,
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
            "sensor.name = \"gate\"\n\
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
        let begun = Instant::now();
        let program = garita::command(&[]);
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

/// A running sensor.
pub(crate) struct Sensor<'a> {
    post: &'a Post,
    pub(crate) process: Process,
    /// From its start until it was ready.
    pub(crate) started: Duration,
}

impl Sensor<'_> {
    /// Looks again whenever the sensor says something, and now and then, until something is there.
    pub(crate) fn until<T>(&mut self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(self.process.is_running(), "garita ended before {what}");
            assert!(Instant::now() < end, "it never came to this: {what}");
            self.process.said().stir(LOOK);
        }
    }

    /// Waits until the kernel keeps an address out.
    pub(crate) fn until_blocked(&mut self, address: IpAddr) {
        let post = self.post;
        let what = format!("the kernel keeps {address} out");
        self.until(&what, || post.stage.is_blocked(address).then_some(()));
    }

    /// Waits until a person is asked about an address, and nobody has blocked it.
    pub(crate) fn until_reviewed(&mut self, address: IpAddr) -> Value {
        let post = self.post;
        let what = format!("somebody is asked about {address}");
        let review = self.until(&what, || post.review(address));
        assert!(!post.stage.is_blocked(address), "{address} is blocked");
        review
    }

    /// Waits until a condition stands.
    pub(crate) fn until_standing(&mut self, name: &str) {
        let post = self.post;
        self.until(name, || {
            post.conditions()
                .iter()
                .any(|found| found == name)
                .then_some(())
        });
    }

    /// Waits until a condition does not stand.
    pub(crate) fn until_cleared(&mut self, name: &str) {
        let post = self.post;
        let gone = || !post.conditions().iter().any(|found| found == name);
        self.until(&format!("{name} passes"), || gone().then_some(()));
    }

    /// Waits for the next message to systemd that holds `text`, after the first `skipped` ever.
    pub(crate) fn until_told(&self, text: &str, skipped: usize) {
        let told = self.post.was_told(text, skipped);
        assert!(
            told,
            "systemd is not told {text}:\n{}",
            self.post.notices.text()
        );
    }

    /// Waits until the audit tells something of an object; nobody waits for the disk, so it comes a moment later.
    pub(crate) fn until_audited(&mut self, object: impl ToString, text: &str) {
        let (post, object) = (self.post, object.to_string());
        self.until(&format!("the audit says {text:?} of {object:?}"), || {
            let audited = post.audited(&object);
            audited
                .iter()
                .any(|entry| entry.contains(text))
                .then_some(())
        });
    }

    /// How many messages systemd has been told.
    pub(crate) fn told(&self) -> usize {
        self.post.notices.len()
    }

    /// Ends it as systemd does.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.process.signal(Signal::SIGTERM);
        self.process.ended()
    }

    /// Ends it as nobody should.
    pub(crate) fn kill(mut self) {
        self.process.signal(Signal::SIGKILL);
        self.process.ended();
    }

    /// Memory it holds, in KiB: resident now, and the most so far.
    pub(crate) fn memory(&self) -> [u64; 2] {
        let status = format!("/proc/{}/status", self.process.pid());
        let status = std::fs::read_to_string(status).expect("it runs");
        ["VmRSS:", "VmHWM:"].map(|key| {
            let line = status.lines().find(|line| line.starts_with(key));
            let words = line.and_then(|line| line.split_whitespace().nth(1));
            words
                .and_then(|word| word.parse().ok())
                .expect("the kernel counts in KiB")
        })
    }
}

/// A command of the outside.
pub(crate) fn nmap(post: &Post, arguments: &str) -> Process {
    attack(post, "nmap", arguments)
}

/// Guesses passwords with hydra: four at a time, which is what it takes for ssh.
pub(crate) fn hydra(post: &Post, server: IpAddr) -> Process {
    let words = post.path("words");
    let list: String = (0..400).map(|number| format!("secret{number}\n")).collect();
    std::fs::write(&words, list).expect("the folder can be written");
    let (family, host) = match server {
        IpAddr::V4(_) => ("-4", server.to_string()),
        IpAddr::V6(_) => ("-6", format!("[{server}]")),
    };
    let words = words.display();
    attack(
        post,
        "hydra",
        &format!("{family} -I -l alice -P {words} -t 4 ssh://{host}"),
    )
}

fn attack(post: &Post, program: &str, arguments: &str) -> Process {
    let mut command: Command = post.stage.outside.command(program);
    command
        .args(arguments.split(' '))
        .current_dir(post.folder.path());
    Process::start(program, command)
}
