//! `cargo xtask lab`: captures of real tools against real servers, recorded in network namespaces.
//! Its traffic never leaves them, and it leaves nothing behind on the machine.

mod director;
mod golden;
mod lease;
mod packages;
mod play;
mod running;
mod scenario;
mod service;
mod stage;
mod topology;

use std::path::PathBuf;

use anyhow::{Result, bail};

/// Records captures in network namespaces (as root, on Debian).
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The golden cases to record again; none lists them.
    cases: Vec<String>,
    /// Where golden cases live.
    #[arg(long, default_value = "tests/captures")]
    captures: PathBuf,
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
    let known = golden::cases();
    if args.cases.is_empty() {
        for case in known {
            say(&format!("{:24} {}", case.name, case.purpose));
        }
        return Ok(());
    }
    packages::provision()?;
    for name in &args.cases {
        let Some(case) = known.iter().find(|case| &case.name == name) else {
            bail!("there is no case {name}; `cargo xtask lab` lists them");
        };
        golden::record(case, &args.captures)?;
        say(&format!("recorded {name}"));
    }
    Ok(())
}

/// Tells the person at the terminal what happens.
#[expect(clippy::print_stderr, reason = "progress of a command line tool")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}
