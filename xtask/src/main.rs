//! Garita's own tasks. It builds with no system libraries, and installs what the others need.

mod lab;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "xtask", about = "Garita's own tasks")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    Lab(lab::Args),
}

fn main() -> Result<()> {
    match Cli::parse().task {
        Task::Lab(args) => lab::run(&args),
    }
}
