//! What a replay came to, in tables for a person.
//! It words nothing anew: the sentences are the incidents' own.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use contract::address::shown;
use contract::class::Class;
use contract::incident::{BlockSummary, Incident};
use detection::model::Named;
use ipnet::IpNet;

use super::moment;
use super::table::Table;

/// What a replay came to.
pub struct Outcome {
    /// Last revisions, by time and id.
    pub incidents: Vec<Incident>,
    /// Frames read.
    pub frames: u64,
    /// Frames that were metered.
    pub packets: u64,
    /// Snapshots taken, and of these scored.
    pub snapshots: (u64, u64),
    /// What could not be metered as it should, by cause.
    pub losses: Vec<(&'static str, u64)>,
}

/// Incidents, the blocks among them, and what was counted.
pub fn incidents(outcome: &Outcome) -> String {
    let mut table = Table::new([
        "TIME",
        "ADDRESS",
        "CLASS",
        "DECISION",
        "BLOCK",
        "WHAT HAPPENED",
    ]);
    let mut blocks = Table::new(["WOULD BE BLOCKED", "FOR", "UNTIL", "WHY"]);
    for incident in &outcome.incidents {
        let garita = &incident.garita;
        let block = garita.block.as_ref();
        table.push([
            moment::clock(incident.timestamp),
            subject(incident).to_string(),
            garita.class.to_string(),
            decision(incident),
            block.map_or(String::new(), ttl),
            incident.message.clone(),
        ]);
        if let Some(block) = block {
            blocks.push([
                target(block),
                ttl(block),
                moment::clock(block.expires),
                why(incident),
            ]);
        }
    }
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = if table.is_empty() {
        writeln!(text, "No incidents.")
    } else {
        write!(text, "{table}")
    };
    if !blocks.is_empty() {
        let _ = write!(text, "\n{blocks}");
    }
    let _ = write!(text, "\n{}", counts(outcome));
    text
}

/// What two models make of the same captures, as far as they differ.
pub fn comparison([(one, first), (other, second)]: [(&Named, &Outcome); 2]) -> String {
    let (left, right) = (decisions(first), decisions(second));
    let mut table = Table::new(["ADDRESS", "CLASS", "FIRST", "SECOND"]);
    let mut same = 0;
    let mut keys: Vec<_> = left.keys().chain(right.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let (before, after) = (left.get(key), right.get(key));
        if before == after {
            same += 1;
            continue;
        }
        let shown = |decided: Option<&String>| decided.map_or("-", String::as_str).to_owned();
        let (address, class) = key;
        table.push([
            address.to_string(),
            class.to_string(),
            shown(before),
            shown(after),
        ]);
    }
    let mut text = String::new();
    let _ = writeln!(text, "First:  {} {}", one.name, one.model.sha256());
    let _ = writeln!(text, "Second: {} {}\n", other.name, other.model.sha256());
    let _ = if table.is_empty() {
        writeln!(text, "They agree on everything; incidents: {same}.")
    } else {
        writeln!(
            text,
            "{table}\nOther incidents, on which they agree: {same}."
        )
    };
    text
}

/// The decisions about each address and class, in the order they were taken.
fn decisions(outcome: &Outcome) -> BTreeMap<(IpAddr, Class), String> {
    let mut decisions: BTreeMap<_, String> = BTreeMap::new();
    for incident in &outcome.incidents {
        let ttl = incident.garita.block.as_ref().map(ttl);
        let decided = match ttl {
            Some(ttl) => format!("{} for {ttl}", decision(incident)),
            None => decision(incident),
        };
        let all = decisions
            .entry((subject(incident), incident.garita.class))
            .or_default();
        if !all.is_empty() {
            all.push_str(", ");
        }
        all.push_str(&decided);
    }
    decisions
}

fn counts(outcome: &Outcome) -> String {
    let (taken, scored) = outcome.snapshots;
    let mut text = format!(
        "{} frames, {} packets metered, {taken} snapshots, {scored} of them scored.\n",
        outcome.frames, outcome.packets
    );
    if !outcome.losses.is_empty() {
        let losses = outcome.losses.iter();
        let losses: Vec<_> = losses.map(|(cause, n)| format!("{cause} {n}")).collect();
        let _ = writeln!(text, "Not metered, or not in full: {}.", losses.join(", "));
    }
    text
}

/// The offender, or the victim where there are too many offenders.
fn subject(incident: &Incident) -> IpAddr {
    let garita = &incident.garita;
    (garita.offender.or(garita.victim)).unwrap_or(incident.destination.ip)
}

/// The decision, and what hindered it.
fn decision(incident: &Incident) -> String {
    let garita = &incident.garita;
    match garita.outcome.as_deref() {
        Some(outcome @ ("exempt" | "failed")) => format!("{} ({outcome})", garita.decision),
        _ => garita.decision.to_string(),
    }
}

fn why(incident: &Incident) -> String {
    let garita = &incident.garita;
    let class = garita.class;
    if garita.evidence.proven {
        class.to_string()
    } else {
        format!("{class}, by an address that may be spoofed")
    }
}

/// The prefix, or the address where it holds only one.
fn target(block: &BlockSummary) -> String {
    let net: Option<IpNet> = block.target.parse().ok();
    net.map_or_else(|| block.target.clone(), shown)
}

fn ttl(block: &BlockSummary) -> String {
    humantime::format_duration(Duration::from_secs(block.ttl)).to_string()
}
