//! The fleet: simulated sensors at a real broker and coordinators on both databases, to be looked at (`demo`) or measured
//! (`load`). Figures stand side by side, from one run: the machine is never quiet.
#![expect(
    clippy::print_stdout,
    reason = "it talks to the person who started it"
)]

mod demo;
mod load;
#[path = "../tests/lab.rs"]
mod lab;
#[path = "../tests/skip.rs"]
mod skip;

use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// cargo passes this on to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Three gates, an offender that two of them prove, and what became of it, as a table
    Demo {
        #[arg(long, hide = true)]
        bench: bool,
    },
    /// Throughput and latency, with SQLite, PostgreSQL, and a subscriber that only writes to a file
    Load(load::Load),
}

fn main() {
    match Arguments::parse().command {
        Command::Demo { .. } => demo::run(),
        Command::Load(load) => load::run(&load),
    }
}
