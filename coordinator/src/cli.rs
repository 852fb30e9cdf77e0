//! The commands. They work on the database itself, so that they help when nothing else runs; the leader notices within a
//! second.

mod access;
mod correlate;
mod evidence;
mod incidents;
mod listing;
mod manual;
mod records;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory, Parser, Subcommand};
use coordinator::config::Config;
use coordinator::store::Store;
use tokio::runtime::Builder;

/// The command post of Garita's sensors
#[derive(Parser)]
#[command(name = "garita-coordinator", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Args, Clone)]
pub(crate) struct Common {
    /// Configuration file, instead of /etc/garita-coordinator/coordinator.toml
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

/// What every listing takes.
#[derive(Args, Clone, Copy)]
pub(crate) struct Json {
    /// Write JSON, one document a line
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Run the coordinator: take in what sensors report, serve the API
    Serve {
        #[command(flatten)]
        common: Common,
    },
    /// Check whether it could start here: configuration, database, broker, key, certificates
    Check {
        #[command(flatten)]
        common: Common,
    },
    /// Create, list and revoke API tokens for programs
    Token {
        #[command(flatten)]
        common: Common,
        #[command(subcommand)]
        command: access::TokenCommand,
    },
    /// Add, list and disable local users
    User {
        #[command(flatten)]
        common: Common,
        #[command(subcommand)]
        command: access::UserCommand,
    },
    /// List sensors: whether they are alive, message numbers, gaps
    Sensor {
        #[command(flatten)]
        common: Common,
        #[command(subcommand)]
        command: records::SensorCommand,
    },
    /// List incidents, or show one
    Incident {
        #[command(flatten)]
        common: Common,
        #[command(subcommand)]
        command: incidents::IncidentCommand,
    },
    /// List, add and remove blocks of the whole fleet
    Block {
        #[command(flatten)]
        common: Common,
        #[command(subcommand)]
        command: records::BlockCommand,
    },
    /// List reviews: decisions that wait for a person
    Review {
        #[command(flatten)]
        common: Common,
        #[command(subcommand)]
        command: records::ReviewCommand,
    },
    /// List or verify the audit trail
    Audit {
        #[command(flatten)]
        common: Common,
        #[command(subcommand)]
        command: records::AuditCommand,
    },
    /// Show what today's correlation rules would have concluded from stored incidents
    Correlate(correlate::Span),
    /// Write man pages and completions
    #[command(hide = true)]
    Manual(manual::Arguments),
    /// Write everything to a file, or restore it
    Backup {
        #[command(flatten)]
        common: Common,
        #[command(subcommand)]
        command: records::BackupCommand,
    },
}

/// Carries a command out.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    runtime.block_on(dispatch(arguments.command))
}

async fn dispatch(command: Command) -> Result<ExitCode> {
    match command {
        Command::Serve { common } => {
            log();
            coordinator::serve::serve(common.load()?).await?;
        }
        Command::Check { common } => return records::check(&common).await,
        Command::Token { common, command } => access::token(&common, command).await?,
        Command::User { common, command } => access::user(&common, command).await?,
        Command::Sensor { common, command } => records::sensor(&common, command).await?,
        Command::Incident { common, command } => incidents::incident(&common, command).await?,
        Command::Block { common, command } => records::block(&common, command).await?,
        Command::Review { common, command } => records::review(&common, command).await?,
        Command::Audit { common, command } => return records::audit(&common, command).await,
        Command::Correlate(span) => correlate::run(&span).await?,
        Command::Manual(arguments) => manual::run(&arguments, Arguments::command())?,
        Command::Backup { common, command } => records::backup(&common, command).await?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Common {
    pub(crate) fn load(&self) -> Result<Config> {
        Ok(Config::load(self.config.as_deref())?)
    }

    pub(crate) async fn open(&self) -> Result<(Config, Store)> {
        let config = self.load()?;
        let store = Store::open(&config.database.url, 2).await?;
        Ok((config, store))
    }
}

/// The log goes to stderr, which systemd passes on to the journal; `RUST_LOG` chooses what is said.
fn log() {
    use std::io::IsTerminal;
    use tracing_subscriber::EnvFilter;
    let usual = || EnvFilter::new("coordinator=info,garita_coordinator=info");
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| usual());
    let stderr = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    // Somebody else's logger is as good.
    let _ = stderr.try_init();
}
