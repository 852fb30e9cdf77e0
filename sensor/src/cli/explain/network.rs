//! `garita explain` of a prefix: what is blocked and allowed in it and around it, and what was decided about its addresses.

use anyhow::Result;
use ipnet::IpNet;
use sensor::control::Overlaps;
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::{allow, blocks, incidents, listing};

/// Incidents that are told.
const TOLD: usize = 20;

/// Asks and prints.
pub fn run(client: &Client, net: IpNet, json: bool) -> Result<()> {
    let found: Overlaps = client.get(&format!("search?target={net}"))?;
    let incidents: Vec<Value> = client.get(&format!("incidents?limit={TOLD}&net={net}"))?;
    if json {
        return listing::json([&json!({"overlaps": found, "incidents": incidents})]);
    }
    let name = listing::target(net);
    let blocks = blocks::list::table(&found.blocks);
    listing::table(
        blocks,
        &format!("Nothing in {name} or around it is blocked."),
    )?;
    if found.more {
        listing::text("There are more: `garita blocks list`.")?;
    }
    if !found.allowances.is_empty() {
        listing::text("\nAllowed:")?;
        listing::table(allow::table(&found.allowances), "")?;
    }
    listing::text("\nIncidents, the newest first:")?;
    listing::table(incidents::table(&incidents)?, "None is recorded.")
}
