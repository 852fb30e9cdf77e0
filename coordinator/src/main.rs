//! The command line `garita-coordinator`: exit codes, and nothing else; `cli` has one file per command.
#![expect(
    clippy::print_stderr,
    reason = "the command line talks to the person who started it"
)]

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // Somebody who reads no further (`| head`) ends the program quietly.
    let arguments = cli::Arguments::parse();
    match cli::run(arguments) {
        Ok(code) => code,
        Err(error) => {
            let is_config = error.downcast_ref::<coordinator::config::Error>().is_some();
            eprintln!("garita-coordinator: {error:#}");
            ExitCode::from(if is_config { 78 } else { 1 })
        }
    }
}
