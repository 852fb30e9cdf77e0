//! The command line and exit codes of `garita`; what each command does stands in its file of [`cli`].
//! No command is carried out here, and an error is told once, in one sentence.

mod cli;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use contract::printable::sentence;
use settings::Config;

/// `EX_CONFIG` of sysexits.h: systemd and scripts tell it from a failure that may pass.
const BAD_CONFIGURATION: u8 = 78;

/// What clap itself ends with when the command line makes no sense.
const USAGE: u8 = 2;

/// Watches the traffic of a gateway, recognises attackers by how they behave, and shuts them out.
#[derive(Parser)]
#[command(name = "garita", version, arg_required_else_help = true)]
struct Arguments {
    /// Configuration file, instead of /etc/garita/garita.toml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Watch live traffic, and block and report attackers, until told to stop
    Run,
    /// Replay captures: which incidents the sensor would report, and which addresses it would block
    Replay(cli::replay::Arguments),
    /// Write the features of every snapshot in captures as CSV
    Flows(cli::flows::Arguments),
    /// Train a model from labelled captures
    Train(cli::train::Arguments),
    /// Measure how well a model decides on labelled captures
    Evaluate(cli::evaluate::Arguments),
    /// Check whether the sensor could start here: configuration, model, capture, meter, firewall, store and broker
    Check,
    /// Say how the running sensor is doing, and what is wrong with it
    Status(cli::status::Arguments),
    /// Say why an address is blocked, or is not, by what, until when, and how to undo it
    Explain(cli::explain::Arguments),
    /// List blocks, and add, lift, confirm, search, import or export them
    Blocks(cli::blocks::Arguments),
    /// List what is kept from being blocked, add to it, take from it, or check an address
    Allow(cli::allow::Arguments),
    /// List incidents, show one in full, or export its evidence
    Incidents(cli::incidents::Arguments),
    /// List what waits for a person, and answer it
    Review(cli::review::Arguments),
    /// Switch the dropping of traffic on or off
    Enforce(cli::enforce::Arguments),
    /// List who did what, or verify that this record is complete
    Audit(cli::audit::Arguments),
    /// Try configuration and model on embedded attacks and ordinary traffic; changes nothing on the machine
    SelfTest(cli::self_test::Arguments),
    /// Write man pages and shell completions, for the package
    #[command(hide = true)]
    Manual(cli::manual::Arguments),
    /// Remove table, blocks and programs from the kernel, before the package is removed
    #[command(hide = true)]
    Withdraw,
    /// Write the JSON Schemas of what is published over MQTT
    #[command(hide = true)]
    Schema(cli::schema::Arguments),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if asks_for_help(&error) => error.exit(),
        Err(error) => {
            cli::say(&misuse(&error));
            return ExitCode::from(USAGE);
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough.
        Err(error) if cli::is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            cli::say(&sentence(error.as_ref()));
            exit_code(&error)
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let file = arguments.config.as_deref();
    // These read the configuration themselves, or must work where it does not.
    match &arguments.command {
        Command::Check => return cli::check::run(file),
        Command::Run => return cli::run::run(file),
        Command::Manual(manual) => return cli::manual::run(manual, Arguments::command()),
        Command::Schema(arguments) => return cli::schema::run(arguments),
        _ => {}
    }
    let config = Config::load(file);
    match &arguments.command {
        Command::Replay(arguments) => cli::replay::run(&config?, arguments),
        Command::Flows(arguments) => cli::flows::run(&config?, arguments),
        Command::Train(arguments) => cli::train::run(&config?, arguments),
        Command::Evaluate(arguments) => cli::evaluate::run(&config?, arguments),
        Command::SelfTest(arguments) => cli::self_test::run(&config?, arguments),
        Command::Status(arguments) => cli::status::run(&for_a_client(config, file), arguments),
        Command::Explain(arguments) => cli::explain::run(&for_a_client(config, file), arguments),
        Command::Blocks(arguments) => cli::blocks::run(&for_a_client(config, file), arguments),
        Command::Allow(arguments) => cli::allow::run(&for_a_client(config, file), arguments),
        Command::Incidents(arguments) => {
            cli::incidents::run(&for_a_client(config, file), arguments)
        }
        Command::Review(arguments) => cli::review::run(&for_a_client(config, file), arguments),
        Command::Enforce(arguments) => cli::enforce::run(&for_a_client(config, file), arguments),
        Command::Audit(arguments) => cli::audit::run(&for_a_client(config, file), arguments),
        Command::Withdraw => cli::withdraw::run(&for_a_client(config, file)),
        Command::Check | Command::Run | Command::Manual(_) | Command::Schema(_) => Ok(()),
    }
}

/// What a client needs is where the sensor answers, and whoever undoes a block must not have to mend a file first.
fn for_a_client(config: Result<Config, settings::Error>, file: Option<&Path>) -> Config {
    config.unwrap_or_else(|error| {
        let config = Config::salvaged(file);
        let socket = config.control.socket.display();
        cli::say(&format!(
            "{error}; asking the sensor at {socket} all the same"
        ));
        config
    })
}

fn asks_for_help(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    )
}

/// What is wrong with the command line in one sentence; clap says it in paragraphs.
fn misuse(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let paragraphs = text.trim_start_matches("error: ").split("\n\n");
    let said = paragraphs
        .filter(|paragraph| !paragraph.starts_with("Usage:") && !paragraph.starts_with("For more"));
    let mut said: Vec<String> = said
        .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    said.push("--help says more".to_owned());
    said.join("; ")
}

fn exit_code(error: &anyhow::Error) -> ExitCode {
    let is_configuration = error.is::<settings::Error>()
        || error
            .downcast_ref::<cli::check::Failed>()
            .is_some_and(|failed| failed.configuration);
    if is_configuration {
        ExitCode::from(BAD_CONFIGURATION)
    } else {
        ExitCode::FAILURE
    }
}
