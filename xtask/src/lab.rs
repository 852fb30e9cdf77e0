//! `cargo xtask lab`: captures of real tools against real servers, recorded in network namespaces.
//! Its traffic never leaves them, and it leaves nothing behind on the machine.

mod ambience;
mod attacks;
mod cases;
mod chatter;
mod director;
mod forged;
mod frames;
mod golden;
mod lease;
mod packages;
mod play;
mod running;
mod scenario;
mod service;
mod stage;
mod topology;
mod training;
mod written;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// Records captures in network namespaces (as root, on Debian).
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The golden cases to record again; none lists them.
    cases: Vec<String>,
    /// Where golden cases live.
    #[arg(long, default_value = "tests/captures")]
    captures: PathBuf,
    /// Only writes the READMEs of recorded cases again.
    #[arg(long, requires = "cases")]
    readme: bool,
    /// Makes the large training set in this directory, or what is missing of it.
    #[arg(long, value_name = "DIR", conflicts_with = "cases")]
    training: Option<PathBuf>,
    /// Different draws of every attack and every benign theme in the training set.
    #[arg(long, default_value_t = 6)]
    rounds: u32,
    /// Makes only captures whose path contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Scenarios of the training set performed at a time.
    #[arg(long, default_value_t = 3)]
    jobs: usize,
    /// Seed of the training set's chances.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only remove what earlier runs that died have left.
    #[arg(long)]
    clean: bool,
}

/// Does what the command line asks for.
pub(crate) fn run(args: &Args) -> Result<()> {
    running::listen_for_interrupts()?;
    let reclaimed = lease::reclaim_stale()?;
    if reclaimed > 0 {
        say(&format!("removed what {reclaimed} dead runs had left"));
    }
    if args.clean {
        return Ok(());
    }
    if let Some(dir) = &args.training {
        packages::provision()?;
        let Args {
            rounds, jobs, seed, ..
        } = *args;
        return training::make(
            dir,
            &training::Extent {
                rounds,
                jobs,
                seed,
                only: args.only.clone(),
            },
        );
    }
    if args.cases.is_empty() {
        return list();
    }
    if args.readme {
        let named = cases::all()
            .into_iter()
            .filter(|case| args.cases.contains(&case.name));
        return named
            .into_iter()
            .try_for_each(|case| golden::explain(&case, &args.captures));
    }
    packages::provision()?;
    args.cases
        .iter()
        .try_for_each(|name| make(name, &args.captures))
}

fn list() -> Result<()> {
    let recorded = cases::all()
        .into_iter()
        .map(|case| (case.name, case.purpose));
    let written = written::CASES
        .iter()
        .map(|case| (case.name.to_owned(), case.purpose.to_owned()));
    for (name, purpose) in recorded.chain(written) {
        say(&format!("{name:22} {purpose}"));
    }
    Ok(())
}

fn make(name: &str, captures: &Path) -> Result<()> {
    if let Some(case) = cases::all().iter().find(|case| case.name == name) {
        golden::record(case, captures)?;
    } else if let Some(case) = written::CASES.iter().find(|case| case.name == name) {
        golden::write(case, captures)?;
    } else {
        bail!("there is no case {name}; `cargo xtask lab` lists them");
    }
    say(&format!("made {name}"));
    golden::write_labels(captures)
}

/// Tells the person at the terminal what happens.
#[expect(clippy::print_stderr, reason = "progress of a command line tool")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}
