//! Reporting as the coordinator meets it: a real mosquitto, a reference coordinator, and a sensor that is killed.
//! Nothing here knows how the sensor reports; it reads what it sends.

pub(crate) mod broker;
mod chaos;
mod commands;
pub(crate) mod coordinator;
mod errors;
mod page;
mod pki;
mod publisher;
mod schemas;

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// The sensor under test.
pub(crate) const SITE: &str = "lab";
pub(crate) const SENSOR: &str = "edge-1";

/// Lets time pass while others do something.
fn let_pass(span: Duration) {
    let (_held, silence) = mpsc::channel::<()>();
    assert_eq!(silence.recv_timeout(span), Err(RecvTimeoutError::Timeout));
}
