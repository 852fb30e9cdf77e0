//! Programs inside namespaces: started, watched, ended.
//! A program is ended by its own process group only; what escapes it falls with its namespace.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

/// How often an event without a descriptor to wait on (a listening socket, an exit) is looked for.
const LOOK: Duration = Duration::from_millis(10);

/// A server that does not listen by then has failed: loaded machines need most of it.
const READY: Duration = Duration::from_secs(90);

/// Where a server takes requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    Tcp(u16),
    Udp(u16),
}

/// One program with its log.
pub(crate) struct Running {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts `command` inside `namespace`, output into `log`.
    pub(crate) fn start(namespace: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let output =
            File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let errors = output.try_clone().context("cannot share the log")?;
        let mut inside = Command::new("ip");
        inside
            .args(["netns", "exec", namespace])
            .arg(command.get_program());
        inside.args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(key, value),
                None => inside.env_remove(key),
            };
        }
        if let Some(dir) = command.get_current_dir() {
            inside.current_dir(dir);
        }
        inside
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0);
        let name = log
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let child = inside
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            name,
            child,
            log: log.to_owned(),
        })
    }

    /// Returns once every one of `ports` is taken in the program's namespace.
    pub(crate) fn wait_listening(&mut self, ports: &[Port]) -> Result<()> {
        let pid = self.child.id();
        self.wait_for("listen", move |_| {
            ports.iter().all(|port| is_open(pid, *port))
        })
    }

    /// Returns once `words` stand in the log.
    pub(crate) fn wait_said(&mut self, words: &str) -> Result<()> {
        self.wait_for(words, |log| {
            fs::read_to_string(log).is_ok_and(|text| text.contains(words))
        })
    }

    fn wait_for(&mut self, what: &str, happened: impl Fn(&Path) -> bool) -> Result<()> {
        let deadline = Instant::now() + READY;
        while !happened(&self.log) {
            if let Some(status) = self.ended()? {
                bail!(
                    "{} ended ({status}) before “{what}”: {}",
                    self.name,
                    self.last_words()
                );
            }
            if Instant::now() > deadline {
                bail!(
                    "{}: no “{what}” in {READY:?}: {}",
                    self.name,
                    self.last_words()
                );
            }
            check_interrupted()?;
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child
            .try_wait()
            .with_context(|| format!("cannot wait for {}", self.name))
    }

    /// Asks it to end with `signal` and waits until it has.
    pub(crate) fn end(&mut self, signal: Signal) -> Result<()> {
        // The id of a program that has been waited for may be somebody else's by now.
        if self.ended()?.is_some() {
            return Ok(());
        }
        self.signal(signal);
        let deadline = Instant::now() + READY;
        while self.ended()?.is_none() {
            if Instant::now() > deadline {
                self.signal(Signal::KILL);
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Signals its process group, which exists as long as its leader has not been waited for.
    fn signal(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, signal);
        }
    }

    /// The name of what runs: host and script.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The end of its log, for an error message.
    pub(crate) fn last_words(&self) -> String {
        let tail = File::open(&self.log).and_then(|mut log| {
            let start = log.metadata()?.len().saturating_sub(600);
            log.seek(SeekFrom::Start(start))?;
            let mut bytes = Vec::new();
            log.read_to_end(&mut bytes)?;
            Ok(bytes)
        });
        String::from_utf8_lossy(&tail.unwrap_or_default())
            .trim()
            .to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.ended() {
            self.signal(Signal::KILL);
        }
        // A child nobody waits for stays a zombie as long as the lab runs.
        let _ = self.child.wait();
    }
}

/// Whether a socket is bound, read from the namespace's own tables (proc(5), `net/tcp`).
fn is_open(pid: u32, port: Port) -> bool {
    // State 0A is LISTEN; an unconnected UDP socket is in 07.
    let (protocol, number, state) = match port {
        Port::Tcp(number) => ("tcp", number, "0A"),
        Port::Udp(number) => ("udp", number, "07"),
    };
    // Until `ip netns exec` has switched, the process shows the machine's sockets.
    let here = fs::read_link("/proc/self/ns/net").ok();
    if here.is_none() || fs::read_link(format!("/proc/{pid}/ns/net")).ok() == here {
        return false;
    }
    let tables = [
        format!("/proc/{pid}/net/{protocol}"),
        format!("/proc/{pid}/net/{protocol}6"),
    ];
    let wanted = format!(":{number:04X}");
    tables
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .any(|table| {
            table.lines().skip(1).any(|line| {
                let mut words = line.split_whitespace().skip(1);
                let local = words.next().unwrap_or_default();
                local.ends_with(&wanted) && words.nth(1) == Some(state)
            })
        })
}

/// Fails once the user has asked the lab to stop, so that guards run.
pub(crate) fn check_interrupted() -> Result<()> {
    if interrupted().load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    Ok(())
}

/// Turns Ctrl-C and a service manager's stop into [`check_interrupted`] failing.
pub(crate) fn listen_for_interrupts() -> Result<()> {
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(interrupted()))
            .context("cannot take over signals")?;
    }
    Ok(())
}

fn interrupted() -> &'static Arc<AtomicBool> {
    static INTERRUPTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    INTERRUPTED.get_or_init(Arc::default)
}
