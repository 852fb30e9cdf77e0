//! `garita audit`: who did what, and whether that record is whole.
//! It can only read: nobody edits the audit.

use anyhow::{Result, bail};
use clap::Subcommand;
use contract::record::AuditEntry;
use sensor::control::{AuditVerification, MAX_ROWS};
use settings::Config;

use super::client::Client;
use super::table::Table;
use super::{listing, moment};

/// `garita audit`
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List who did what, and what came of it; the newest last
    List {
        /// Begin with the entry of this number, instead of near the end
        #[arg(long, value_name = "NUMBER")]
        from: Option<u64>,
        /// At most so many entries
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: usize,
        /// Print one JSON document a line
        #[arg(long)]
        json: bool,
    },
    /// Check that no entry was changed, removed or slipped in: each one holds the hash of the one before
    Verify {
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Lists or checks.
pub fn run(config: &Config, arguments: &Arguments) -> Result<()> {
    let client = Client::new(config)?;
    match arguments.command {
        Command::List { from, limit, json } => {
            let entries = entries(&client, from, limit)?;
            if json {
                listing::json(&entries)
            } else {
                list(&entries)
            }
        }
        Command::Verify { json } => {
            let chain: AuditVerification = client.get("audit/verification")?;
            if json {
                listing::json([&chain])?;
            }
            match chain.broken {
                Some(broken) => bail!(
                    "the audit chain is broken at entry {broken}: {}; somebody has changed the record afterwards",
                    chain
                        .why
                        .as_deref()
                        .unwrap_or("it does not follow from the one before")
                ),
                None if json => Ok(()),
                None => listing::text(&format!(
                    "Audit chain verified: {} entries, each following from the one before.",
                    chain.entries
                )),
            }
        }
    }
}

fn entries(client: &Client, from: Option<u64>, limit: usize) -> Result<Vec<AuditEntry>> {
    let Some(mut from) = from else {
        return Ok(client.get(&format!("audit?limit={limit}"))?);
    };
    let mut entries: Vec<AuditEntry> = Vec::new();
    while entries.len() < limit {
        let wanted = (limit - entries.len()).min(MAX_ROWS);
        let page: Vec<AuditEntry> = client.get(&format!("audit?from={from}&limit={wanted}"))?;
        let Some(last) = page.last() else { break };
        from = last.seq + 1;
        entries.extend(page);
    }
    Ok(entries)
}

fn list(entries: &[AuditEntry]) -> Result<()> {
    let mut table = Table::new(["NUMBER", "TIME", "BY", "ACTION", "OBJECT", "OUTCOME"]);
    for entry in entries {
        table.push([
            entry.seq.to_string(),
            moment::clock(entry.at),
            entry.by.clone(),
            entry.action.clone(),
            listing::or_dash(&entry.object),
            entry.outcome.clone(),
        ]);
    }
    listing::table(table, "No actions recorded yet.")
}
