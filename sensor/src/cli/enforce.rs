//! `garita enforce`: the switch that makes every block a note, and back.
//! It changes no block.

use std::time::Duration;

use anyhow::Result;
use clap::Subcommand;
use contract::action::Action;
use settings::Config;

use super::client::Client;
use super::{listing, moment};

/// `garita enforce`
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Drop the traffic of blocked addresses again, as far as firewall.mode says enforce
    On,
    /// Drop nothing: blocks stay in the list, marked as observed. It survives a restart of the sensor
    Off {
        /// Switch on again by itself after this time, such as 30m or 1h
        #[arg(long = "for", value_parser = moment::span, value_name = "DURATION")]
        span: Option<Duration>,
    },
}

/// Turns the switch and says what is the case now.
pub fn run(config: &Config, arguments: &Arguments) -> Result<()> {
    let (on, span) = match arguments.command {
        Command::On => (true, None),
        Command::Off { span } => (false, span),
    };
    let message = Client::new(config)?.act(&Action::Enforce { on, span })?;
    listing::text(&message)
}
