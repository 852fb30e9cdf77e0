//! `garita blocks`: the list of who is kept out, or would be, and every way to change it by hand.
//! Who may be blocked is settled by the daemon, never here.

mod filter;
mod formats;
mod import;
pub mod list;
mod remove;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Subcommand;
use contract::action::{Action, Lifetime};
use contract::record::Block;
use ipnet::IpNet;
use sensor::control::Overlaps;
use settings::Config;

use super::client::Client;
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
    /// Lift a block, or all that the options choose: the addresses may send again at once
    Remove(remove::Arguments),
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
        Command::Remove(arguments) => remove::run(&client, arguments),
        Command::Confirm { target } => {
            listing::text(&client.act(&Action::Confirm { target: *target })?)
        }
        Command::Search { target, json } => search(&client, *target, *json),
        Command::Import(arguments) => import::run(&client, arguments),
        Command::Export { format, output } => {
            let mut blocks: Vec<Block> = client.pages("blocks")?;
            let all = blocks.len();
            // Taken back by target alone, they would hit all that share an address.
            blocks.retain(|block| block.service.is_none());
            if blocks.len() < all {
                super::say(&format!(
                    "{} blocks of one service each are left out",
                    all - blocks.len()
                ));
            }
            formats::write(&blocks, *format, output.as_deref())
        }
    }
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
