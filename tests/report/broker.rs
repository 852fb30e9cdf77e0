//! A mosquitto of the test's own, on a free port of loopback, which can be killed, stopped and started again.
//! It never touches another one.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// How long it may take to start on a busy machine.
const START: Duration = Duration::from_secs(60);

/// A broker.
pub(crate) struct Broker {
    pub(crate) port: u16,
    pub(crate) folder: TempDir,
    child: Child,
}

impl Broker {
    /// A broker that lets everybody in.
    pub(crate) fn open() -> Self {
        Self::with("allow_anonymous true\n")
    }

    /// A broker with further settings; `FOLDER` in them is its own folder.
    pub(crate) fn with(settings: &str) -> Self {
        let folder = TempDir::new().expect("a folder for the broker");
        let port = free_port();
        Self::in_folder(folder, (port, settings))
    }

    /// A broker whose files are in `folder` already.
    pub(crate) fn in_folder(folder: TempDir, (port, settings): (u16, &str)) -> Self {
        let path = folder.path().to_str().expect("temporary folders are UTF-8");
        let settings = settings.replace("FOLDER", path);
        let text = format!(
            "user root\nlistener {port} 127.0.0.1\n{settings}log_dest stderr\nlog_type all\n"
        );
        std::fs::write(folder.path().join("mosquitto.conf"), text)
            .expect("the broker's folder can be written");
        let child = start(&folder);
        Self {
            port,
            folder,
            child,
        }
    }

    /// The URL of `report.url`.
    pub(crate) fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Ends it with all it knows.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the broker runs");
        self.child.wait().expect("the broker is our child");
    }

    /// Starts it again.
    pub(crate) fn restart(&mut self) {
        self.child = start(&self.folder);
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process has a small number");
        kill(Pid::from_raw(pid), signal).expect("the broker runs");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port nobody listens at.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    listener.local_addr().expect("it is bound").port()
}

fn start(folder: &TempDir) -> Child {
    let mut child = Command::new("mosquitto")
        .arg("-c")
        .arg(folder.path().join("mosquitto.conf"))
        .stderr(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .expect("mosquitto is installed");
    let said = BufReader::new(child.stderr.take().expect("it was piped"));
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in said.lines().map_while(Result::ok) {
            // Once it runs nobody listens, but it must not find its stderr full.
            let _ = sender.send(line);
        }
    });
    let mut log = Vec::new();
    loop {
        match lines.recv_timeout(START) {
            Ok(line) if line.contains(" running") => return child,
            Ok(line) => log.push(line),
            Err(_) => panic!("mosquitto does not run: {log:?}"),
        }
    }
}
