//! `garita incidents`: what was decided about whom, and why, from the store.
//! It words nothing anew: the sentences are the incidents' own.

mod export;
mod stored;

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use clap::Subcommand;
use contract::class::Class;
use contract::timestamp::Timestamp;
use ipnet::IpNet;
use sensor::control::{IncidentHistory, MAX_ROWS};
use serde::Deserialize;
use serde_json::Value;
use settings::Config;

use super::client::Client;
use super::table::Table;
use super::{listing, moment};

pub use stored::StoredIncident;

/// Characters of an id that a list shows; `show` and `export` take them for the whole.
const SHORT: usize = 10;

/// Characters of a whole id.
const WHOLE: usize = 32;

/// Incidents that are looked through for the beginning of an id, the newest first.
const LOOKED_THROUGH: usize = 5_000;

/// `garita incidents`
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List incidents, the newest first
    List(ListArguments),
    /// Show one incident from its beginning: what happened, why it was decided so, and how it went on
    Show {
        /// Id of the incident, or its beginning as `incidents list` shows it
        id: String,
        /// Print the revisions, one ECS document a line
        #[arg(long)]
        json: bool,
    },
    /// Write the evidence bundle: documents, what the model saw, the last packet headers where kept, and checksums
    Export {
        /// Id of the incident, or its beginning as `incidents list` shows it
        id: String,
        /// The folder to make
        #[arg(short, long, value_name = "DIR")]
        output: PathBuf,
    },
}

#[derive(clap::Args)]
struct ListArguments {
    /// Only incidents of this offender or victim, or of those in this network
    #[arg(value_parser = listing::net)]
    address: Option<IpNet>,
    /// Only those decided since then: how long ago, such as 2h, or a time such as 2026-01-31T12:00:00Z
    #[arg(long, value_parser = moment::past, value_name = "WHEN")]
    since: Option<Timestamp>,
    /// Only incidents of this class
    #[arg(long)]
    class: Option<Class>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: usize,
    /// Print one ECS document a line, the last revision of each
    #[arg(long)]
    json: bool,
}

/// Lists, tells or exports.
pub fn run(config: &Config, arguments: &Arguments) -> Result<()> {
    let client = Client::new(config)?;
    match &arguments.command {
        Command::List(arguments) => list(&client, arguments),
        Command::Show { id, json } => {
            let case = case(&client, id)?;
            if *json {
                listing::json(&case.revisions)
            } else {
                listing::text(&story(&case)?)
            }
        }
        Command::Export { id, output } => export::run(&client, &case(&client, id)?, output),
    }
}

fn list(client: &Client, arguments: &ListArguments) -> Result<()> {
    let mut filter = String::new();
    // Writing to a string cannot fail.
    if let Some(address) = arguments.address {
        let _ = write!(filter, "&net={address}");
    }
    if let Some(since) = arguments.since {
        let _ = write!(filter, "&since={since}");
    }
    if let Some(class) = arguments.class {
        let _ = write!(filter, "&class={class}");
    }
    let incidents = incidents(client, &filter, arguments.limit)?;
    if arguments.json {
        return listing::json(&incidents);
    }
    listing::table(table(&incidents)?, "No incident is recorded.")
}

/// The newest incidents that pass the filter, in pages that the daemon answers.
fn incidents(client: &Client, filter: &str, limit: usize) -> Result<Vec<Value>> {
    let mut incidents: Vec<Value> = Vec::new();
    let mut before = String::new();
    while incidents.len() < limit {
        let wanted = (limit - incidents.len()).min(MAX_ROWS);
        let resource = format!("incidents?limit={wanted}{filter}{before}");
        let page: Vec<Value> = client.get(&resource)?;
        let Some(last) = page.last() else { break };
        before = format!("&before={}", read(last)?.at);
        let complete = page.len() < wanted;
        incidents.extend(page);
        if complete {
            break;
        }
    }
    Ok(incidents)
}

/// Incidents in columns.
pub fn table(incidents: &[Value]) -> Result<Table<7>> {
    let mut table = Table::new([
        "TIME", "ID", "CLASS", "OFFENDER", "DECISION", "RISK", "MESSAGE",
    ]);
    for incident in incidents {
        let told = read(incident)?;
        table.push([
            moment::clock(told.at),
            told.event.id.chars().take(SHORT).collect(),
            told.garita.class.clone(),
            told.subject(),
            told.decided(),
            told.event.risk_score.to_string(),
            told.message,
        ]);
    }
    Ok(table)
}

/// Reads a stored document.
pub fn read(document: &Value) -> Result<StoredIncident> {
    StoredIncident::deserialize(document).context("a stored incident cannot be read")
}

fn case(client: &Client, id: &str) -> Result<IncidentHistory> {
    let id = listing::id(id)?;
    if id.len() >= WHOLE {
        return Ok(client.get(&format!("incidents/{id}"))?);
    }
    let mut found: Vec<String> = Vec::new();
    for incident in incidents(client, "", LOOKED_THROUGH)? {
        let told = read(&incident)?;
        if told.event.id.starts_with(id) && !found.contains(&told.event.id) {
            found.push(told.event.id);
        }
    }
    match found.as_slice() {
        [only] => Ok(client.get(&format!("incidents/{only}"))?),
        [] => bail!("there is no incident {id}"),
        several => bail!(
            "{} incidents begin with {id}; name more of the id",
            several.len()
        ),
    }
}

fn story(case: &IncidentHistory) -> Result<String> {
    let revisions = case.revisions.iter().map(read);
    let revisions: Vec<StoredIncident> = revisions.collect::<Result<_>>()?;
    ensure!(!revisions.is_empty(), "the incident has no revision");
    let last = &revisions[revisions.len() - 1];
    let garita = &last.garita;
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{}\n\nincident     {}\nclass        {}, severity {} of 4, risk {} of 100\noffender     {}\ndecision     {}",
        last.message,
        last.event.id,
        garita.class,
        last.event.severity,
        last.event.risk_score,
        last.subject(),
        last.decided(),
    );
    if let Some(reason) = &garita.reason {
        let _ = writeln!(text, "             because {reason}");
    }
    if let Some(block) = &garita.block {
        let until = moment::until(Some(block.expires));
        let _ = writeln!(text, "block        {} {until}", block.target);
    }
    let (start, end) = (
        moment::clock(last.event.start),
        moment::clock(last.event.end),
    );
    let _ = writeln!(text, "seen         {start} to {end}");
    if let Some(evidence) = &garita.evidence {
        let proven = if evidence.proven {
            "its address is proven to be its own"
        } else {
            "its address may be spoofed"
        };
        let _ = writeln!(
            text,
            "evidence     {:.1} log-odds from {} snapshots, {} packets before the decision; {proven}",
            evidence.log_odds, evidence.snapshots, evidence.packets_before
        );
    }
    if let Some(model) = &garita.model {
        let _ = writeln!(
            text,
            "model        {}, SHA-256 {}",
            model.name, model.sha256
        );
    }
    let (against, of): (Vec<_>, Vec<_>) = garita
        .explanation
        .iter()
        .partition(|part| part.contribution < 0.0);
    for (heading, parts) in [("raised", of), ("lowered", against)] {
        if !parts.is_empty() {
            let _ = writeln!(text, "\nWhat {heading} the score most:");
        }
        for part in parts {
            let _ = writeln!(text, "- {}", part.text);
        }
    }
    text.push_str("\nHow it went on:\n");
    for told in &revisions {
        let (number, time) = (told.garita.revision, moment::clock(told.at));
        let _ = writeln!(
            text,
            "- {number}, {time}: {}: {}",
            told.decided(),
            told.message
        );
    }
    Ok(text)
}
