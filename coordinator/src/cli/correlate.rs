//! `correlate`: the stored past through today's rules. Nothing is written, and nothing ordered.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use clap::Args;
use coordinator::correlate::Correlator;
use coordinator::desk::fleet::Policy;
use coordinator::intake::sighting;
use coordinator::moment;
use serde_json::{Value, json};

use super::listing::write;
use super::{Common, Json};

/// Incidents read at once.
const BATCH: u32 = 2_000;

#[derive(Args)]
pub(crate) struct Span {
    #[command(flatten)]
    common: Common,
    /// Begin of the time span, such as 2026-01-31T12:00:00Z, or how long ago, such as 7days
    #[arg(long)]
    from: String,
    /// End of the time span; now by default
    #[arg(long)]
    to: Option<String>,
    /// Required: only print, since nothing is ordered because of the past
    #[arg(long, required = true)]
    dry_run: bool,
    #[command(flatten)]
    json: Json,
}

/// `correlate`
pub(crate) async fn run(span: &Span) -> Result<()> {
    let (config, store) = span.common.open().await?;
    let now = moment::now();
    let from = point(&span.from, now)?;
    let to = span.to.as_deref().map_or(Ok(now), |to| point(to, now))?;
    if from >= to {
        bail!("--from {} is not before --to", span.from);
    }
    let fleet = &config.fleet;
    let about = (fleet.min_sensors, fleet.window.micros());
    let mut correlator = Correlator::new(config.correlate.clone(), about);
    let mut policy = Policy::new(fleet.clone(), Vec::new());
    let mut campaigns: BTreeMap<String, Value> = BTreeMap::new();
    let mut blocks: BTreeMap<String, Value> = BTreeMap::new();
    let mut after = None;
    loop {
        let rows = store.replay((from, to), after.take(), BATCH).await?;
        let Some(last) = rows.last() else {
            break;
        };
        after = Some((last.at, last.id.clone()));
        for row in rows.iter().filter_map(sighting) {
            policy.tick(row.at);
            correlator.sweep(row.at);
            let proven = correlator.hear(&row);
            let block = proven.and_then(|proven| Some((policy.conclude(&proven, row.at)?, proven)));
            if let Some((block, proven)) = block {
                let from = proven.gates.values().map(|proof| proof.incident.clone());
                let from: Vec<_> = from.collect();
                let item = json!({
                    "kind": "fleet-block", "what": block.reason, "subject": block.target,
                    "first": moment::text(block.begun), "last": block.expires.map(moment::text), "from": from,
                });
                blocks.insert(block.id.clone(), item);
            }
        }
        for campaign in correlator.changed() {
            let item = json!({
                "kind": "campaign", "what": campaign.name(), "subject": campaign.subject,
                "first": moment::text(campaign.first), "last": moment::text(campaign.last),
                "from": campaign.incidents, "sources": campaign.sources,
            });
            campaigns.insert(campaign.id.clone(), item);
        }
    }
    store.close().await;
    let items: Vec<Value> = campaigns
        .into_values()
        .chain(blocks.into_values())
        .collect();
    write(
        &items,
        &[
            ("KIND", "/kind"),
            ("FIRST", "/first"),
            ("LAST", "/last"),
            ("SUBJECT", "/subject"),
            ("WHAT", "/what"),
        ],
        span.json.json,
    )
}

/// A moment, or how long ago it was.
fn point(text: &str, now: i64) -> Result<i64> {
    if let Some(moment) = moment::read(text) {
        return Ok(moment);
    }
    let span = humantime::parse_duration(text);
    let span = span.with_context(|| {
        format!(
            "{text:?} is neither a time such as 2026-01-31T12:00:00Z nor a duration such as 7days"
        )
    })?;
    Ok(now - i64::try_from(span.as_micros()).unwrap_or(now))
}
