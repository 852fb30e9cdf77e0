//! `garita allow`: networks that are kept from being blocked, and why an address cannot be.
//! What the configuration exempts is shown and not changed here.

use anyhow::Result;
use clap::Subcommand;
use contract::action::{Action, Lifetime};
use contract::record::Allowance;
use ipnet::IpNet;
use sensor::control::Overlaps;
use settings::Config;

use super::client::Client;
use super::table::Table;
use super::{listing, moment};

/// `garita allow`
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the networks that are not blocked, those of the configuration among them
    List {
        /// Print one JSON document a line
        #[arg(long)]
        json: bool,
    },
    /// Keep an address or prefix from being blocked; a block of it is lifted
    Add {
        /// Address or prefix
        #[arg(value_parser = listing::net)]
        net: IpNet,
        /// For how long, such as 4h or 7days; permanent where it is not said
        #[arg(long, value_parser = moment::lifetime, value_name = "DURATION|permanent")]
        ttl: Option<Lifetime>,
        /// Why, for whoever reads the list next
        #[arg(long, default_value = "", value_name = "TEXT")]
        reason: String,
    },
    /// Take an allowance back; the address can be blocked again from then on
    Remove {
        /// Address or prefix, as `allow list` shows it
        #[arg(value_parser = listing::net)]
        net: IpNet,
    },
    /// Say whether an address or prefix could be blocked, and why not
    Check {
        /// Address or prefix
        #[arg(value_parser = listing::net)]
        net: IpNet,
        /// Print the answer as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Lists, changes or checks.
pub fn run(config: &Config, arguments: &Arguments) -> Result<()> {
    let client = Client::new(config)?;
    match &arguments.command {
        Command::List { json } => {
            let allowances: Vec<Allowance> = client.get("allowances")?;
            if *json {
                return listing::json(&allowances);
            }
            let empty = "Nothing is allowed beyond what can never be blocked.";
            listing::table(table(&allowances), empty)
        }
        Command::Add { net, ttl, reason } => listing::text(&client.act(&Action::Allow {
            net: *net,
            ttl: ttl.unwrap_or_default(),
            reason: reason.clone(),
        })?),
        Command::Remove { net } => listing::text(&client.act(&Action::Disallow { net: *net })?),
        Command::Check { net, json } => {
            let found: Overlaps = client.get(&format!("search?target={net}"))?;
            if *json {
                listing::json([&found])
            } else {
                listing::text(&verdict(&found))
            }
        }
    }
}

/// Allowances in columns.
pub fn table(allowances: &[Allowance]) -> Table<5> {
    let mut table = Table::new(["ALLOWED", "BY", "SINCE", "REMAINING", "REASON"]);
    for allowance in allowances {
        table.push([
            listing::target(allowance.net),
            allowance.by.clone(),
            moment::clock(allowance.since),
            moment::remaining(allowance.expires),
            listing::or_dash(&allowance.reason),
        ]);
    }
    table
}

fn verdict(found: &Overlaps) -> String {
    let target = listing::target(found.target);
    let mut lines = Vec::new();
    if let Some(exempt) = &found.exempt {
        lines.push(format!("{target} cannot be blocked: {exempt}."));
    }
    for allowance in &found.allowances {
        let net = listing::target(allowance.net);
        let place = if allowance.net == found.target {
            format!("{net} is allowed")
        } else if allowance.net.contains(&found.target) {
            format!("{net}, which holds {target}, is allowed")
        } else {
            format!("{net}, which is inside {target}, is allowed")
        };
        let reason = match allowance.reason.as_str() {
            "" => String::new(),
            reason => format!(": {reason}"),
        };
        let until = moment::until(allowance.expires);
        lines.push(format!("{place} by {} {until}{reason}.", allowance.by));
    }
    if lines.is_empty() && found.home {
        lines.push(format!(
            "{target} is inside the home networks: the sensor never blocks it by itself, a person can."
        ));
    }
    if lines.is_empty() {
        lines.push(format!("{target} is not allowed: it can be blocked."));
    }
    for block in &found.blocks {
        lines.push(format!(
            "{} is blocked now; `garita explain {}` says why.",
            listing::target(block.target),
            block.target.addr()
        ));
    }
    lines.join("\n")
}
