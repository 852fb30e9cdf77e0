//! What the tests work with: a broker, a database of either kind, coordinators, sensors, and a client.

pub(crate) mod broker;
pub(crate) mod browser;
pub(crate) mod coordinator;
pub(crate) mod database;
pub(crate) mod document;
pub(crate) mod history;
pub(crate) mod sensor;
pub(crate) mod storm;

use std::net::TcpListener;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

pub(crate) use broker::Broker;
pub(crate) use coordinator::Coordinator;
pub(crate) use database::Database;
pub(crate) use sensor::Sensor;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A port nobody listens at.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    listener.local_addr().expect("it is bound").port()
}

/// Waits until something is the case; panics with `what` if it is not in time.
pub(crate) fn wait<T>(what: &str, find: impl FnMut() -> Option<T>) -> T {
    wait_for((what, PATIENCE), find)
}

/// Waits as long as it may take; panics with `what` if it takes longer.
pub(crate) fn wait_for<T>(
    (what, patience): (&str, Duration),
    mut find: impl FnMut() -> Option<T>,
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(
            begun.elapsed() < patience,
            "{what}: not within {patience:?}"
        );
        let_pass(Duration::from_millis(20));
    }
}

/// Lets time pass while others do something.
pub(crate) fn let_pass(span: Duration) {
    let (_held, silence) = mpsc::channel::<()>();
    assert_eq!(silence.recv_timeout(span), Err(RecvTimeoutError::Timeout));
}

/// Whether a program is there.
pub(crate) fn has(program: &str) -> bool {
    let found = std::process::Command::new("which").arg(program).output();
    found.is_ok_and(|found| found.status.success())
}

/// Whether a program that the test needs is missing, which is told then.
pub(crate) fn skip_without(test: &str, programs: &[&str]) -> bool {
    let missing = programs.iter().find(|program| !has(program));
    if let Some(program) = missing {
        crate::skip::skip(test, &format!("{program} is not installed"));
    }
    missing.is_some()
}

/// A broker and a database of each kind that is there, one after the other.
pub(crate) fn on_both(test: &str, body: impl Fn(&Broker, &Database)) {
    if skip_without(test, &["mosquitto"]) {
        return;
    }
    body(&Broker::start(), &Database::sqlite());
    match Database::postgres() {
        Some(database) => body(&Broker::start(), &database),
        None => crate::skip::skip(test, "PostgreSQL 15 or later is not installed"),
    }
}
