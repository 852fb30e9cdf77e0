//! A program that runs beside a test: what it says is kept, and it ends with the test.
//! It knows nothing of what the program is for.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::lines::{Lines, PATIENCE};

/// How often a program that says nothing is looked after.
const LOOK: Duration = Duration::from_millis(20);

/// A running program.
pub(crate) struct Process {
    name: String,
    child: Child,
    said: Lines,
}

impl Process {
    /// Starts it.
    pub(crate) fn start(name: &str, mut command: Command) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let said = Lines::default();
        said.follow(child.stdout.take().expect("it is piped"));
        said.follow(child.stderr.take().expect("it is piped"));
        let name = name.to_owned();
        Self { name, child, said }
    }

    /// The same, once it has said `text`.
    pub(crate) fn ready(name: &str, command: Command, text: &str) -> Self {
        let process = Self::start(name, command);
        process.wait_for(text);
        process
    }

    /// What it says.
    pub(crate) fn said(&self) -> &Lines {
        &self.said
    }

    /// Waits until it says `text`, and returns that line.
    pub(crate) fn wait_for(&self, text: &str) -> String {
        self.wait_past(0, text)
    }

    /// The same, of what it says after its first `skipped` lines.
    pub(crate) fn wait_past(&self, skipped: usize, text: &str) -> String {
        let found = self.said.find(text, (skipped, PATIENCE));
        found.unwrap_or_else(|| panic!("{} never says {text:?}:\n{}", self.name, self.said.text()))
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        let ended = self.child.try_wait().expect("a child can be waited for");
        ended.is_none()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed());
        kill(pid, signal).unwrap_or_else(|error| panic!("{} has gone: {error}", self.name));
    }

    /// Waits for its end, which the caller has seen to.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let mut looks = PATIENCE.as_millis() / LOOK.as_millis();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return status;
            }
            assert!(
                looks > 0,
                "{} does not end:\n{}",
                self.name,
                self.said.text()
            );
            looks -= 1;
            self.said.stir(LOOK);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_running() {
            // It leads a group of its own, so that what it started ends with it.
            let _ = killpg(
                Pid::from_raw(self.child.id().cast_signed()),
                Signal::SIGKILL,
            );
        }
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {} said:\n{}", self.name, self.said.text());
        }
    }
}
