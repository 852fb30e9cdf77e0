//! The fleet: simulated sensors at a real broker and coordinators on both databases, to be looked at (`demo`) or measured
//! (`load`). Figures stand side by side, from one run: the machine is never quiet.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "it talks to the person who started it, and stops where something is not as it should be"
)]

mod api;
mod chaos;
mod demo;
#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../tests/lab/mod.rs"]
mod lab;
mod load;
mod pages;
mod rows;
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
    /// Three sensors, an offender that two of them prove, and what became of it, as a table
    Demo {
        /// Keep it running, with a link to the console
        #[arg(long)]
        keep: bool,
        #[arg(long, hide = true)]
        bench: bool,
    },
    /// What each page of the console costs, with SQLite and PostgreSQL
    Pages(pages::Pages),
    /// Write a fleet's history into a database, to look at the console with
    Seed(pages::Seed),
    /// Throughput and latency, with SQLite, PostgreSQL, and a subscriber that only writes to a file
    Load(load::Load),
    /// Kills of everything but the sensors, and what is left of what they reported
    Chaos(chaos::Chaos),
    /// Every operation of the API, by schemathesis
    Api(api::Api),
    /// Listings of millions of incidents, with PostgreSQL
    Rows(rows::Rows),
}

fn main() {
    match Arguments::parse().command {
        Command::Demo { keep, .. } => demo::run(keep),
        Command::Load(load) => load::run(&load),
        Command::Api(api) => api::run(&api),
        Command::Chaos(chaos) => chaos::run(&chaos),
        Command::Rows(rows) => rows::run(&rows),
        Command::Pages(pages) => pages::run(&pages),
        Command::Seed(seed) => pages::seed(&seed),
    }
}
