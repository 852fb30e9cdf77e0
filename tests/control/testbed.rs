//! Control on a temporary socket, in this process, with real incidents of a golden capture in its archive.
//! The commands that meet it are the real program.

use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::{fs, thread};

use contract::class::Class;
use contract::record::{AuditEntry, Condition, Review, ReviewState};
use contract::timestamp::Timestamp;
use detection::features;
use sensor::blocklist::Switch;
use sensor::control::{
    Agent, AgentHealth, Archive, ArchiveError, AuditVerification, CaptureStatus, DroppedStatus,
    IncidentFilter, IncidentHistory, InterfaceStatus, Labelled, ModelStatus, PastBlock,
    RefusedChange, ReportStatus, Shared, Socket, StoreStatus, TableStatus,
};
use serde_json::Value;
use settings::Config;
use tempfile::TempDir;
use tokio::sync::watch;

use super::blocklist::{self, Lists};
use crate::garita::{Run, capture, command, garita, run};

/// A group that Debian always has, and that nobody is a member of.
pub const ADMINS: &str = "operator";

/// What the headers of the offender are.
pub const HEADERS: &[u8] = b"\xd4\xc3\xb2\xa1 as kept";

/// Control, answering.
pub struct Stage {
    pub folder: TempDir,
    pub archive: Arc<Memory>,
    stop: watch::Sender<bool>,
    server: Option<JoinHandle<()>>,
}

/// An archive in memory.
#[derive(Default)]
pub struct Memory {
    pub incidents: Vec<Value>,
    pub history: Vec<PastBlock>,
    pub refused: Mutex<Vec<RefusedChange>>,
    pub audit: Vec<AuditEntry>,
    pub broken: Option<u64>,
    pub failing: bool,
}

impl Stage {
    /// Opens it with nothing blocked and two reviews waiting.
    pub fn open() -> Self {
        Self::with(Memory::default())
    }

    pub fn with(memory: Memory) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        // Other users are to reach the socket, which guards itself.
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.path(), open).expect("the folder is ours");
        let socket = folder.path().join("control.sock");
        let text = format!(
            "[control]\nsocket = {:?}\nadmin_group = {ADMINS:?}\n",
            socket.to_str().expect("the path is UTF-8")
        );
        fs::write(folder.path().join("garita.toml"), &text).expect("the folder is ours");
        let config = Config::layered(&text, "the stage", Default::default());
        let settings = config.expect("the stage is configured").control;
        let blocklist = blocklist::open(Lists {
            blocks: Vec::new(),
            allowances: Vec::new(),
            reviews: vec![
                blocklist::review(&"ab12".repeat(8), "203.0.113.50"),
                blocklist::review(&"cd34".repeat(8), "203.0.113.51"),
            ],
            switch: Switch::On,
        });
        let archive = Arc::new(memory);
        let (stop, stopped) = watch::channel(false);
        let (ready, listening) = std::sync::mpsc::sync_channel(1);
        let kept = Arc::clone(&archive);
        let server = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = { runtime }.enable_all().build().expect("tokio starts");
            runtime.block_on(async {
                let socket = Socket::bind(&settings).await.expect("the socket is free");
                let shared = Shared::new(blocklist, kept, Arc::new(Idle), &settings);
                ready.send(()).expect("the test waits");
                sensor::control::serve(socket, shared, stopped).await;
            });
        });
        listening.recv().expect("control answers");
        Self {
            folder,
            archive,
            stop,
            server: Some(server),
        }
    }

    /// Runs the program against it.
    pub fn garita(&self, arguments: &[&str]) -> Run {
        let config = self.path("garita.toml");
        run(&[&["--config", &config], arguments].concat())
    }

    /// What the program prints; it has to work.
    pub fn print(&self, arguments: &[&str]) -> String {
        let run = self.garita(arguments);
        assert_eq!((run.code, run.said.as_str()), (0, ""), "{arguments:?}");
        run.out
    }

    /// Runs the program as an unknown user in these groups.
    pub fn garita_as(&self, groups: &str, arguments: &[&str]) -> Run {
        let config = self.path("garita.toml");
        let program = command(&[]);
        let output = Command::new("setpriv")
            .args(["--reuid", "61234", "--regid", "61234", "--groups", groups])
            .arg(program.get_program())
            .args(["--config", &config])
            .args(arguments)
            .output();
        Run::from(output.expect("setpriv starts"))
    }

    pub fn path(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        path.to_str().expect("the path is UTF-8").to_owned()
    }

    /// Stops it and waits for its end.
    pub fn close(&mut self) {
        let _ = self.stop.send(true);
        if let Some(server) = self.server.take() {
            server.join().expect("control ends in order");
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.close();
    }
}

impl Memory {
    /// With the incidents of a golden capture.
    pub fn of_a_capture() -> Self {
        let replayed = garita(&["replay", "--json", &capture("ssh-brute-force-slow")]);
        let incidents = replayed.out.lines().map(|line| {
            let document = serde_json::from_str(line);
            document.expect("replay prints JSON")
        });
        let incidents: Vec<Value> = incidents.collect();
        assert!(!incidents.is_empty(), "{}", replayed.said);
        Self {
            incidents,
            ..Self::default()
        }
    }

    fn read(&self) -> Result<(), ArchiveError> {
        if self.failing {
            return Err(ArchiveError("the disk is gone".to_owned()));
        }
        Ok(())
    }
}

impl Archive for Memory {
    fn incidents(&self, filter: &IncidentFilter) -> Result<Vec<Value>, ArchiveError> {
        self.read()?;
        let wanted = |document: &&Value| {
            let garita = &document["garita"];
            let offender = |garita: &Value| garita["offender"].as_str()?.parse::<IpAddr>().ok();
            let at = document["@timestamp"]
                .as_str()
                .and_then(|at| at.parse().ok());
            let at: Timestamp = at.expect("an incident has a time");
            filter.since.is_none_or(|since| at >= since)
                && filter.before.is_none_or(|before| at < before)
                && filter
                    .class
                    .is_none_or(|class| garita["class"] == class.as_str())
                && filter.net.is_none_or(|net| {
                    offender(garita).is_some_and(|address| net.contains(&address))
                })
        };
        let found = self.incidents.iter().filter(wanted);
        Ok(found.take(filter.limit).cloned().collect())
    }

    fn incident(&self, id: &str) -> Result<Option<IncidentHistory>, ArchiveError> {
        self.read()?;
        let mut found = self.incidents.iter();
        let found = found.find(|document| document["event"]["id"] == id);
        Ok(found.map(|document| IncidentHistory {
            revisions: vec![document.clone()],
            features: vec![vec![1.5; features::COUNT]],
        }))
    }

    fn history(&self, _: IpAddr, limit: usize) -> Result<Vec<PastBlock>, ArchiveError> {
        self.read()?;
        Ok(self.history.iter().take(limit).cloned().collect())
    }

    fn reviews(&self, state: Option<ReviewState>, _: usize) -> Result<Vec<Review>, ArchiveError> {
        let mut review = blocklist::review(&"ef56".repeat(8), "203.0.113.60");
        review.state = ReviewState::Dismissed;
        let wanted = state.is_none_or(|state| state == review.state);
        Ok(wanted.then_some(review).into_iter().collect())
    }

    fn labelled(&self, from: usize, limit: usize) -> Result<Vec<Labelled>, ArchiveError> {
        let row = |number: usize| Labelled {
            review: format!("{number:032x}"),
            address: IpAddr::from([203, 0, 113, 60]),
            class: Class::Benign,
            by: "=cmd()".to_owned(),
            at: Timestamp::from_micros(0),
            features: vec![0.5; features::COUNT],
        };
        Ok((from..700).take(limit).map(row).collect())
    }

    fn audit(&self, from: Option<u64>, limit: usize) -> Result<Vec<AuditEntry>, ArchiveError> {
        let last = (self.audit.len() as u64 + 1).saturating_sub(limit as u64);
        let from = from.unwrap_or(last);
        let wanted = self.audit.iter().filter(|entry| entry.seq >= from);
        Ok(wanted.take(limit).cloned().collect())
    }

    fn verify_audit(&self) -> Result<AuditVerification, ArchiveError> {
        Ok(AuditVerification {
            entries: self.audit.len() as u64,
            broken: self.broken,
            why: self.broken.map(|_| "an entry is missing".to_owned()),
        })
    }

    fn refused(&self, change: RefusedChange) {
        let mut refused = self.refused.lock().expect("nobody panicked");
        refused.push(change);
    }
}

/// An agent with nothing to do.
struct Idle;

impl Agent for Idle {
    fn health(&self) -> AgentHealth {
        AgentHealth {
            sensor: "gate-1".to_owned(),
            site: "san-juan".to_owned(),
            version: "0.1.0".to_owned(),
            pid: 4711,
            since: Timestamp::from_micros(1_700_000_000_000_000),
            uptime: 11_525,
            capture: CaptureStatus {
                mode: "pcap".to_owned(),
                why: "the kernel's meter does not load".to_owned(),
                interfaces: vec![InterfaceStatus {
                    name: "wan0".to_owned(),
                    packets: 12_345,
                    missing: Some("it is down".to_owned()),
                }],
            },
            model: ModelStatus {
                name: "forest".to_owned(),
                sha256: "00".repeat(32),
            },
            firewall: "enforce".to_owned(),
            conditions: vec![Condition {
                name: "ruleset-tampered".to_owned(),
                subject: String::new(),
                message: "somebody removed the table\u{202e}".to_owned(),
                since: Timestamp::from_micros(1_700_000_000_000_000),
                until: None,
            }],
            store: StoreStatus {
                path: "garita.db".to_owned(),
                failing: None,
                waiting: 0,
                lost: 0,
                bytes: 4_096,
            },
            report: ReportStatus {
                broker: None,
                connected: false,
                why: String::new(),
                queued: 0,
            },
            tables: vec![TableStatus {
                table: "flows".to_owned(),
                entries: 17,
                evictions: 3,
            }],
            losses: vec![("kernel-drop".to_owned(), 9)],
            kernel_memory: 0,
            dropped: vec![DroppedStatus {
                rule: "from_blocked4".to_owned(),
                packets: 21,
                bytes: 1_344,
            }],
            restart: vec!["[capture]".to_owned()],
        }
    }

    fn headers(&self, _: IpAddr) -> Option<Vec<u8>> {
        Some(HEADERS.to_vec())
    }
}
