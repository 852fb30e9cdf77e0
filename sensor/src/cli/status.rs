//! `garita status`: how the sensor is doing, what is wrong first.
//! It looks at nothing itself; the daemon says it all.

use std::fmt::Write;
use std::time::Duration;

use anyhow::Result;
use indicatif::HumanBytes;
use sensor::blocklist::{Enforcement, Switch};
use sensor::control::{DroppedStatus, ReportStatus, Status, StoreStatus};
use settings::Config;

use super::client::Client;
use super::{listing, moment};

/// `garita status`
#[derive(clap::Args)]
pub struct Arguments {
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

/// Asks and prints.
pub fn run(config: &Config, arguments: &Arguments) -> Result<()> {
    let status: Status = Client::new(config)?.get("status")?;
    if arguments.json {
        listing::json([&status])
    } else {
        listing::text(&text(&status))
    }
}

/// Whether blocks are enforced, in a sentence, and what to do where they are not.
pub fn enforcement(enforcement: &Enforcement) -> String {
    match (enforcement.configured, enforcement.switch) {
        (false, _) => {
            "the firewall only observes (firewall.mode), so nothing is dropped".to_owned()
        }
        (true, Switch::On) => "blocks are enforced".to_owned(),
        (true, Switch::Off) => {
            "enforcement is switched off, so nothing is dropped; `garita enforce on` switches it on"
                .to_owned()
        }
        (true, Switch::OffUntil(moment)) => format!(
            "enforcement is switched off {}, so nothing is dropped; `garita enforce on` ends that",
            moment::until(Some(moment))
        ),
    }
}

fn text(status: &Status) -> String {
    let health = &status.health;
    let mut text = String::new();
    let mut line = |name: &str, said: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:12} {said}");
    };
    line(
        "sensor",
        format!(
            "{} at {}, version {}, process {}",
            health.sensor, health.site, health.version, health.pid
        ),
    );
    let uptime = moment::rough(Duration::from_secs(health.uptime));
    line(
        "running",
        format!("{uptime}, since {}", moment::clock(health.since)),
    );
    if health.conditions.is_empty() {
        line("conditions", "none: all is well".to_owned());
    }
    for condition in &health.conditions {
        let subject = match condition.subject.as_str() {
            "" => String::new(),
            subject => format!(" {subject}"),
        };
        let since = moment::clock(condition.since);
        let said = format!(
            "{}{subject}, since {since}: {}",
            condition.name, condition.message
        );
        line("! condition", said);
    }
    line("enforcement", enforcement(&status.enforcement));
    let blocks = &status.blocks;
    let mut said = format!("{} enforced, {} observed", blocks.enforced, blocks.observed);
    if blocks.failed > 0 {
        let _ = write!(said, ", {} failed", blocks.failed);
    }
    if blocks.unconfirmed > 0 {
        let _ = write!(said, ", {} await confirmation", blocks.unconfirmed);
    }
    line("blocks", said);
    line("dropped", dropped(&health.dropped));
    line(
        "reviews",
        match status.reviews {
            0 => "none wait".to_owned(),
            waiting => format!("{waiting} wait for a person; see `garita review list`"),
        },
    );
    let capture = &health.capture;
    let why = match capture.why.as_str() {
        "" => String::new(),
        why => format!(" ({why})"),
    };
    line("capture", format!("{}{why}", capture.mode));
    for interface in &capture.interfaces {
        let mut said = format!("{}: {} packets", interface.name, interface.packets);
        if let Some(missing) = &interface.missing {
            let _ = write!(said, "; no packets are seen now: {missing}");
        }
        line("", said);
    }
    line(
        "model",
        format!("{}, SHA-256 {}", health.model.name, health.model.sha256),
    );
    let tables = health.tables.iter().map(|table| {
        format!(
            "{} {} ({} evicted)",
            table.entries, table.table, table.evictions
        )
    });
    let mut said = tables.collect::<Vec<_>>().join(", ");
    if health.kernel_memory > 0 {
        let _ = write!(
            said,
            ", {} of kernel memory",
            HumanBytes(health.kernel_memory)
        );
    }
    line("tables", listing::or_dash(&said));
    let losses = health.losses.iter().filter(|(_, count)| *count > 0);
    let losses: Vec<_> = losses
        .map(|(cause, count)| format!("{cause} {count}"))
        .collect();
    if !losses.is_empty() {
        line("losses", losses.join(", "));
    }
    if !health.restart.is_empty() {
        let sections = health.restart.join(", ");
        let said = format!("changes of {sections} count after `systemctl restart garita`");
        line("! restart", said);
    }
    line("store", store(&health.store));
    line("report", report(&health.report));
    text
}

/// The total, and the rules that have dropped anything.
fn dropped(rules: &[DroppedStatus]) -> String {
    let total = |of: fn(&DroppedStatus) -> u64| rules.iter().map(of).sum::<u64>();
    let packets = total(|rule| rule.packets);
    if packets == 0 {
        return "nothing yet".to_owned();
    }
    let busy = rules.iter().filter(|rule| rule.packets > 0);
    let each: Vec<_> = busy
        .map(|rule| format!("{} {}", rule.rule, rule.packets))
        .collect();
    format!(
        "{packets} packets, {}: {}",
        HumanBytes(total(|rule| rule.bytes)),
        each.join(", ")
    )
}

fn store(store: &StoreStatus) -> String {
    let mut text = format!("{}, {}", store.path, HumanBytes(store.bytes));
    // Writing to a string cannot fail.
    if store.waiting > 0 {
        let _ = write!(text, ", {} entries wait", store.waiting);
    }
    if store.lost > 0 {
        let _ = write!(text, ", {} entries were lost", store.lost);
    }
    if let Some(why) = &store.failing {
        let _ = write!(text, "; nothing is written now: {why}");
    }
    text
}

fn report(report: &ReportStatus) -> String {
    match &report.broker {
        None => "nowhere (report.url is not set)".to_owned(),
        Some(broker) => {
            let state = if report.connected {
                "connected".to_owned()
            } else {
                format!("not connected: {}", report.why)
            };
            format!("{broker}, {state}; {} messages wait", report.queued)
        }
    }
}
