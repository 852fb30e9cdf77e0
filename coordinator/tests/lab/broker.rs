//! A mosquitto of the test's own, on a free port of loopback, which can be killed and started again.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use tempfile::TempDir;

use super::{PATIENCE, free_port};

/// A broker that lets everybody in, keeps what it has over a kill, and lets a subscriber run ahead.
pub(crate) struct Broker {
    pub(crate) port: u16,
    folder: TempDir,
    child: Child,
}

impl Broker {
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().expect("a folder for the broker");
        let port = free_port();
        let path = folder.path().display();
        let text = format!(
            "user root\nlistener {port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 1000\n\
             max_queued_messages 200000\npersistence true\npersistence_location {path}/\nlog_dest stderr\n"
        );
        std::fs::write(folder.path().join("mosquitto.conf"), text)
            .expect("the folder can be written");
        let child = run(&folder);
        Self {
            port,
            folder,
            child,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Kills it with all it has in memory, and starts it again.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the broker runs");
        self.child.wait().expect("the broker is our child");
        self.child = run(&self.folder);
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(folder: &TempDir) -> Child {
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
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) if line.contains(" running") => return child,
            Ok(_) => {}
            Err(_) => panic!("mosquitto does not run"),
        }
    }
}
