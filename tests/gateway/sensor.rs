//! A sensor that runs: waiting for what it does, and ending it.
//! It knows the sensor by what it says, tells systemd, answers and does to the kernel.

use std::net::IpAddr;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::daemon::Post;
use crate::lines::{LOOK, PATIENCE};
use crate::process::Process;

/// A running sensor.
pub(crate) struct Sensor<'a> {
    pub(super) post: &'a Post,
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

    /// Waits until an incident of an address is on the disk, and returns all of them.
    pub(crate) fn until_recorded(&mut self, address: IpAddr) -> Vec<Value> {
        let post = self.post;
        self.until("the incident is recorded", || {
            let incidents = post.incidents(address);
            (!incidents.is_empty()).then_some(incidents)
        })
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
