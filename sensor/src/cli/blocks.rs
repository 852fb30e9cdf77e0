//! `garita blocks`: the list of who is kept out, or would be, and every way to change it by hand.
//! Who may be blocked is settled by the daemon, never here.

mod formats;
mod import;
pub mod list;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Subcommand;
use contract::action::{Action, Lifetime};
use contract::record::Block;
use ipnet::IpNet;
use sensor::control::Overlaps;
use settings::Config;

use super::client::{Client, ClientError};
use super::{listing, moment};

pub use list::state;

/// `garita blocks`
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List what is blocked, or would be if the firewall enforced; the newest first
    List(list::Arguments),
    /// Block an address or prefix; one that already is gets the new duration and reason
    Add {
        /// Address or prefix
        #[arg(value_parser = listing::net)]
        target: IpNet,
        /// For how long, such as 4h or 7days; policy.block_ttl where it is not said
        #[arg(long, value_parser = moment::lifetime, value_name = "DURATION|permanent")]
        ttl: Option<Lifetime>,
        /// Why, for whoever reads the list next
        #[arg(long, default_value = "", value_name = "TEXT")]
        reason: String,
        /// Undo it after this time unless `blocks confirm` follows: use it where you might lock yourself out
        #[arg(long, value_parser = moment::span, value_name = "DURATION")]
        confirm: Option<Duration>,
        /// Block what is exempt or too wide as well; this is audited
        #[arg(long)]
        force: bool,
    },
    /// Lift a block: the address may send again at once
    Remove {
        /// Address or prefix, as `blocks list` shows it
        #[arg(value_parser = listing::net)]
        target: IpNet,
        /// Why, for the history
        #[arg(long, default_value = "", value_name = "TEXT")]
        reason: String,
    },
    /// Let a block stand that was added with --confirm
    Confirm {
        /// Address or prefix, as `blocks list` shows it
        #[arg(value_parser = listing::net)]
        target: IpNet,
    },
    /// Find blocks and allowances that hold an address or prefix, or lie inside it
    Search {
        /// Address or prefix
        #[arg(value_parser = listing::net)]
        target: IpNet,
        /// Print the answer as JSON
        #[arg(long)]
        json: bool,
    },
    /// Block many addresses: a plain list, CSV with a column `target`, or what `blocks export` wrote
    Import(import::Arguments),
    /// Write the blocks so that `blocks import` takes them back
    Export {
        /// One JSON document a line, or CSV for a spreadsheet
        #[arg(long, value_enum, default_value_t = formats::Format::Json)]
        format: formats::Format,
        /// Write here, instead of stdout
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// Lists or changes.
pub fn run(config: &Config, arguments: &Arguments) -> Result<()> {
    let client = Client::new(config)?;
    match &arguments.command {
        Command::List(arguments) => list::run(&client, arguments),
        Command::Add {
            target,
            ttl,
            reason,
            confirm,
            force,
        } => {
            let message = client.act(&Action::Block {
                target: *target,
                ttl: ttl.unwrap_or_default(),
                reason: reason.clone(),
                confirm: *confirm,
                force: *force,
            })?;
            listing::text(&message)
        }
        Command::Remove { target, reason } => remove(&client, *target, reason),
        Command::Confirm { target } => {
            listing::text(&client.act(&Action::Confirm { target: *target })?)
        }
        Command::Search { target, json } => search(&client, *target, *json),
        Command::Import(arguments) => import::run(&client, arguments),
        Command::Export { format, output } => {
            let blocks: Vec<Block> = client.pages("blocks")?;
            formats::write(&blocks, *format, output.as_deref())
        }
    }
}

fn remove(client: &Client, target: IpNet, reason: &str) -> Result<()> {
    let release = Action::Release {
        target,
        reason: reason.to_owned(),
    };
    match client.act(&release) {
        Ok(message) => listing::text(&message),
        Err(error) if error.is_missing() => Err(holders(client, target).unwrap_or(error).into()),
        Err(error) => Err(error.into()),
    }
}

/// Says by which prefix an address is kept out that is not blocked itself.
fn holders(client: &Client, target: IpNet) -> Option<ClientError> {
    let found: Overlaps = client.get(&format!("search?target={target}")).ok()?;
    let mut holders = found.blocks.iter().map(|block| block.target);
    let holder = holders.find(|holder| holder.contains(&target) && *holder != target)?;
    let sentence = format!(
        "{} is not blocked itself, but inside {holder}, which is; `garita blocks remove {holder}` lifts that",
        listing::target(target)
    );
    Some(ClientError::Refused {
        sentence,
        missing: true,
    })
}

fn search(client: &Client, target: IpNet, json: bool) -> Result<()> {
    let found: Overlaps = client.get(&format!("search?target={target}"))?;
    if json {
        return listing::json([&found]);
    }
    let name = listing::target(found.target);
    let blocks = list::table(&found.blocks);
    listing::table(blocks, &format!("No block covers {name}."))?;
    if found.more {
        listing::text("There are more.")?;
    }
    if !found.allowances.is_empty() {
        listing::text("\n")?;
        listing::table(super::allow::table(&found.allowances), "")?;
    }
    match &found.exempt {
        Some(exempt) => listing::text(&format!("\n{name} cannot be blocked: {exempt}.")),
        None => Ok(()),
    }
}
