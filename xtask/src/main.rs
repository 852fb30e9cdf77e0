//! Garita's own tasks, run as `cargo xtask TASK`. Only the command line is here: each task has a file of its own.
//! This package needs rustup and a C compiler and nothing else, so it never depends on `sensor`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a task talks to the person who started it"
)]

mod bench;
mod demo;
mod deny;
mod ebpf;
mod findings;
mod fleet;
mod lab;
mod package;
mod provision;
mod test;
mod tidy;
mod tool;
mod train;
mod trial;
mod web;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use xshell::Shell;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Garita's own tasks")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measure what the kernel meter costs a packet, as root
    Bench {
        /// What to measure
        subject: bench::Subject,
        /// Only the measurements whose name begins with this
        only: Option<String>,
    },
    /// Build the sensor and show what it reports for a recorded attack; or the coordinator, and what it makes of three
    Demo {
        /// What to show
        #[arg(default_value = "sensor")]
        subject: demo::Subject,
        /// Keep the coordinator running, with a link to its console
        #[arg(long)]
        keep: bool,
    },
    /// Check the dependencies' licences, sources and advisories
    Deny,
    /// Build the kernel program
    Ebpf,
    /// Show again what surprised us about other people's software; it needs the package registries
    Findings {
        /// Only those whose name begins with this
        only: Option<String>,
    },
    /// Measure what a coordinator takes in, with simulated sensors
    Fleet(fleet::Load),
    /// Measure what each page of the console costs
    Pages(fleet::Pages),
    /// Install everything the other tasks need, and do nothing else
    Provision,
    /// Run every test of the workspace, the kernel program's included
    Test {
        /// Passed on to `cargo test`: a filter, or `-- --nocapture`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Check the rules of this repository that no compiler knows
    Tidy,
    /// Train the shipped model from folders of labelled captures
    Train {
        /// Folders that hold a `labels.csv` each
        #[arg(required = true)]
        folders: Vec<PathBuf>,
        /// Passed on to `garita train`
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Record captures of real tools against real servers, in network namespaces
    Lab(lab::Args),
    /// Make the Debian package, with manual and completions, and check it
    Package(package::Args),
    /// Try the package on a Debian of its own: install, attack, upgrade, crash, remove
    Trial(trial::Args),
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    let shell = Shell::new().context("the current folder cannot be read")?;
    shell.change_dir(root());
    match task {
        Task::Bench { subject, only } => bench::run(&shell, subject, only.as_deref()),
        Task::Demo { subject, keep } => demo::run(&shell, subject, keep),
        Task::Deny => deny::run(&shell),
        Task::Ebpf => ebpf::build(&shell).map(drop),
        Task::Findings { only } => findings::run(&shell, only.as_deref()),
        Task::Fleet(load) => fleet::load(&shell, &load),
        Task::Pages(pages) => fleet::pages(&shell, &pages),
        Task::Provision => provision::everything(&shell).map(drop),
        Task::Test { arguments } => test::run(&shell, &arguments),
        Task::Tidy => tidy::run(&shell),
        Task::Train { folders, arguments } => train::run(&shell, &folders, &arguments),
        Task::Lab(arguments) => lab::run(&arguments),
        Task::Package(arguments) => package::run(&shell, &arguments),
        Task::Trial(arguments) => trial::run(&shell, &arguments),
    }
}

/// The folder of the workspace.
fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// Where cargo puts what it builds; tasks keep their own results there too.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
