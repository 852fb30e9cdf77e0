//! `cargo xtask lab`: captures of real tools against real servers, recorded in network namespaces.
//! Its traffic never leaves them, and it leaves nothing behind on the machine.
//!
//! A `scenario` says which hosts of a `topology` serve (`service`, scripts under `serve/`) and act (`play`, scripts under
//! `play/`). `runner` performs it on a `stage`, whose namespaces a `lease` gives back whatever happens. `golden` makes the
//! small `cases`, `training` the large set of `attacks` and `background`; labels follow from who acts. What no tool sends is
//! `written` from `frames`.

mod ambience;
mod attacks;
mod cases;
mod chatter;
mod director;
mod forged;
mod frames;
mod golden;
pub(crate) mod lease;
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

use anyhow::{Result, bail, ensure};

use scenario::Scenario;

/// Records captures in network namespaces (as root, on Debian).
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The golden cases to record again; none lists them.
    cases: Vec<String>,
    /// Where golden cases live, if not in this repository.
    #[arg(long)]
    captures: Option<PathBuf>,
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
    if args.cases.is_empty() && args.training.is_none() && !args.clean {
        return list();
    }
    ensure!(
        rustix::process::geteuid().is_root(),
        "network namespaces need root: run the lab as root"
    );
    running::listen_for_interrupts()?;
    let reclaimed = lease::reclaim_stale()?;
    if reclaimed > 0 {
        say(&format!("removed what {reclaimed} dead runs had left"));
    }
    if args.clean {
        return Ok(());
    }
    packages::provision()?;
    if let Some(dir) = &args.training {
        let Args {
            rounds, jobs, seed, ..
        } = *args;
        let only = args.only.clone();
        return training::make(
            dir,
            &training::Extent {
                rounds,
                jobs,
                seed,
                only,
            },
        );
    }
    let captures = args.captures.clone();
    let captures = captures.unwrap_or_else(|| crate::root().join("tests/captures"));
    let record = if args.readme {
        golden::explain
    } else {
        golden::record
    };
    for name in &args.cases {
        make(name, &captures, record)?;
        say(&format!("made {name}"));
    }
    golden::write_labels(&captures)
}

fn list() -> Result<()> {
    let recorded = cases::all()
        .into_iter()
        .map(|case| (case.name, case.purpose));
    let written = written::CASES
        .iter()
        .map(|case| (case.name.to_owned(), case.purpose.to_owned()));
    for (name, purpose) in recorded.chain(written) {
        println!("{name:22} {purpose}");
    }
    Ok(())
}

fn make(name: &str, captures: &Path, record: fn(&Scenario, &Path) -> Result<()>) -> Result<()> {
    if let Some(case) = cases::all().iter().find(|case| case.name == name) {
        record(case, captures)
    } else if let Some(case) = written::CASES.iter().find(|case| case.name == name) {
        golden::write(case, captures)
    } else {
        bail!("there is no case {name}; `cargo xtask lab` lists them")
    }
}

/// Tells the person at the terminal what happens.
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}
