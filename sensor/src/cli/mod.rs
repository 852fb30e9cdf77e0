//! The commands, one file each, and what they share: how they speak to a person.
//! Nothing about traffic is decided here.

pub mod allow;
pub mod audit;
pub mod blocks;
pub mod check;
mod client;
pub mod enforce;
pub mod evaluate;
pub mod explain;
pub mod flows;
pub mod incidents;
mod listing;
pub mod manual;
mod merge;
mod moment;
mod progress;
mod read;
pub mod replay;
mod replay_tables;
pub mod review;
pub mod run;
pub mod schema;
pub mod self_test;
pub mod status;
mod table;
pub mod train;
pub mod withdraw;

use std::io::{self, Write};

use contract::printable::printable;

/// Tells a person something, in one line on stderr. Nobody is left to tell if that fails.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "garita: {}", printable(text));
}

/// Whether the error is only that our reader went away, as `head` does.
pub fn is_closed(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let cause = cause.downcast_ref::<io::Error>();
        cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
    })
}
