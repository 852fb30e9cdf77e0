//! `garita explain`: why an address is blocked, or is not, by what, until when, and how to undo it, in plain words.
//! It decides nothing: it words what the daemon says.

use std::fmt::Write;

use anyhow::Result;
use contract::address::is_host;
use contract::record::{Block, BlockState, Scope};
use ipnet::IpNet;
use sensor::control::Explanation;
use sensor::control::PastBlock;
use settings::Config;

mod network;

use super::client::Client;
use super::{blocks, incidents, listing, moment, status};

/// `garita explain`
#[derive(clap::Args)]
pub struct Arguments {
    /// Address to explain, or a prefix such as 192.0.2.0/24
    #[arg(value_parser = listing::net)]
    address: IpNet,
    /// Print all that is known as JSON
    #[arg(long)]
    json: bool,
}

/// Asks and prints.
pub fn run(config: &Config, arguments: &Arguments) -> Result<()> {
    let client = Client::new(config)?;
    if !is_host(&arguments.address) {
        return network::run(&client, arguments.address, arguments.json);
    }
    let address = arguments.address.addr();
    let known: Explanation = client.get(&format!("explain/{address}"))?;
    if arguments.json {
        listing::json([&known])
    } else {
        listing::text(&words(&known)?)
    }
}

fn words(known: &Explanation) -> Result<String> {
    let mut parts = vec![verdict(known)];
    parts.extend(in_force(known));
    parts.extend(safe(known));
    parts.extend(waiting(known));
    parts.extend(suspicion(known));
    parts.extend(before(known));
    if !known.incidents.is_empty() {
        parts.push(told(known)?);
    }
    if let Some(missing) = &known.missing {
        parts.push(format!("Its history is not known now: {missing}."));
    }
    Ok(parts.join("\n\n"))
}

/// The answer in one sentence.
fn verdict(known: &Explanation) -> String {
    let address = known.address;
    let standing = &known.standing;
    let blocks = &standing.blocks;
    let forced = blocks.iter().any(|block| block.forced);
    if let (Some(exempt), Some(block), false) = (&standing.exempt, blocks.first(), forced) {
        let target = listing::target(block.target);
        return format!(
            "{address} is not blocked, though {target} is, which contains it: {exempt}."
        );
    }
    if blocks
        .iter()
        .any(|block| block.state == BlockState::Enforced)
    {
        let whole = |block: &Block| block.scope == Scope::All && block.service.is_none();
        let all = blocks.iter().any(whole);
        let some = blocks.iter().all(|block| block.service.is_some());
        let what = match (all, some) {
            (true, _) => "its traffic",
            (false, true) => "its traffic to some services",
            (false, false) => "what it opens",
        };
        return format!("{address} is blocked: the kernel drops {what}.");
    }
    if blocks.iter().any(|block| block.state == BlockState::Failed) {
        return format!(
            "{address} should be blocked, but the kernel refused; it is tried again, and `garita status` says more."
        );
    }
    if !blocks.is_empty() {
        let why = status::enforcement(&known.enforcement);
        return format!("{address} would be blocked, but its traffic passes: {why}.");
    }
    let nothing = known.incidents.is_empty()
        && known.history.is_empty()
        && known.missing.is_none()
        && standing.allowances.is_empty()
        && standing.reviews.is_empty()
        && standing.suspicion.is_none();
    match (&standing.exempt, nothing) {
        (Some(exempt), _) => format!("{address} is not blocked, and cannot be: {exempt}."),
        (None, true) if standing.home => {
            format!(
                "{address} is not blocked. It is inside the home networks; nothing else is known of it."
            )
        }
        (None, true) => format!("{address} is not blocked: nothing is known of {address}."),
        (None, false) => format!("{address} is not blocked."),
    }
}

/// The blocks that hold it, each with the way to undo it.
fn in_force(known: &Explanation) -> Vec<String> {
    let one = |block: &Block| {
        let target = listing::target(block.target);
        let place = if block.target.addr() == known.address && is_host(&block.target) {
            format!("Block of {target}")
        } else {
            format!("Block of {target}, which contains it")
        };
        let mut text = format!("{place}: {}", blocks::state(block));
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n  why      {}\n  by       {}, since {}\n  lasts    {}",
            why(block),
            block.by,
            moment::clock(block.begun),
            moment::until(block.expires)
        );
        if block.offence > 0 {
            let _ = write!(
                text,
                "\n  offence  its {} that counts",
                ordinal(block.offence)
            );
        }
        if let Some(service) = &block.service {
            let what = match block.scope {
                Scope::All => "all it sends to",
                Scope::Opening => "what it opens at",
            };
            let _ = write!(
                text,
                "\n  stops    {what} {service}; others may share the address, so all else goes on"
            );
        } else if block.scope == Scope::Opening {
            text.push_str(
                "\n  stops    what it opens; conversations under way, and what it is asked, go on: nothing proves that the \
                 address is the sender's own",
            );
        }
        if let Some(incident) = &block.incident {
            let _ = write!(text, "\n  incident garita incidents show {incident}");
        }
        if let Some(moment) = block.confirm_by {
            let until = moment::until(Some(moment));
            let _ = write!(
                text,
                "\n  waits    to be confirmed {until}, or it is removed: garita blocks confirm {target}"
            );
        }
        let _ = write!(text, "\n  undo     garita blocks remove {target}");
        text
    };
    let mut parts: Vec<String> = known.standing.blocks.iter().map(one).collect();
    let forced = known.standing.blocks.iter().any(|block| block.forced);
    if !parts.is_empty() && known.standing.allowances.is_empty() && !forced {
        parts.push(format!(
            "To let it in and keep it from being blocked again: garita allow add {} --ttl 7days",
            known.address
        ));
    }
    parts
}

/// Why it is safe from blocks, wholly or in part. What the verdict has said is not said again.
fn safe(known: &Explanation) -> Vec<String> {
    let standing = &known.standing;
    let mut parts = Vec::new();
    if let Some(exempt) = &standing.exempt
        && standing.blocks.iter().any(|block| block.forced)
    {
        parts.push(format!("It is exempt from other blocks: {exempt}."));
    }
    for allowance in &standing.allowances {
        let net = listing::target(allowance.net);
        let mut text = format!(
            "{net} is allowed by {}, {}",
            allowance.by,
            moment::until(allowance.expires)
        );
        if !allowance.reason.is_empty() {
            // Writing to a string cannot fail.
            let _ = write!(text, ": {}", allowance.reason);
        }
        text.push('.');
        // What the configuration allows is taken back there.
        if allowance.by != "configuration" {
            let _ = write!(text, "\n  undo     garita allow remove {net}");
        }
        parts.push(text);
    }
    if standing.home && standing.exempt.is_none() {
        parts.push(
            "It is inside the home networks: the sensor asks a person instead of blocking it."
                .into(),
        );
    }
    parts
}

fn waiting(known: &Explanation) -> Vec<String> {
    let reviews = known.standing.reviews.iter();
    reviews
        .map(|review| {
            let (id, since) = (&review.id, moment::clock(review.asked));
            format!(
                "A person has to decide, since {since}, because {}: {}\n  block it   garita review approve {id}\n  \
                 let it be  garita review dismiss {id}\n  otherwise  it lapses in {}, and nothing is done",
                review.cause,
                review.message,
                moment::remaining(Some(review.lapses))
            )
        })
        .collect()
}

fn suspicion(known: &Explanation) -> Option<String> {
    let suspicion = known.standing.suspicion.as_ref()?;
    let snapshots = match suspicion.snapshots {
        1 => "1 snapshot".to_owned(),
        several => format!("{several} snapshots"),
    };
    Some(format!(
        "Suspicion: {:.1}, and it is acted on at {:.1} (log-odds); most of it for {}, from {snapshots}; it fades by itself.",
        suspicion.log_odds, suspicion.block_at, suspicion.class
    ))
}

/// Blocks that are no longer in force.
fn before(known: &Explanation) -> Option<String> {
    let blocks = &known.standing.blocks;
    let in_force = |past: &&PastBlock| {
        let same =
            |block: &Block| (block.target, block.begun) == (past.block.target, past.block.begun);
        !blocks.iter().any(same)
    };
    let lines: Vec<String> = known.history.iter().filter(in_force).map(past).collect();
    (!lines.is_empty()).then(|| format!("Blocked before:\n{}", lines.join("\n")))
}

fn past(past: &PastBlock) -> String {
    let block = &past.block;
    let mut text = format!(
        "- {}, {} from {}",
        listing::target(block.target),
        why(block),
        moment::clock(block.begun)
    );
    // Writing to a string cannot fail.
    let _ = match (past.released, block.expires) {
        (Some(released), _) => {
            let by = past.released_by.as_deref().unwrap_or("somebody");
            let reason = past
                .release_reason
                .as_deref()
                .filter(|reason| !reason.is_empty());
            let reason = reason
                .map(|reason| format!(": {reason}"))
                .unwrap_or_default();
            write!(text, ", lifted {} by {by}{reason}", moment::clock(released))
        }
        (None, Some(expires)) => write!(text, " to {}", moment::clock(expires)),
        (None, None) => write!(text, ", permanently"),
    };
    if block.offence > 0 {
        let _ = write!(text, " ({} offence)", ordinal(block.offence));
    }
    text
}

fn told(known: &Explanation) -> Result<String> {
    let mut text = "Incidents, the newest first:".to_owned();
    for incident in &known.incidents {
        let told = incidents::read(incident)?;
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n- {}, {}: {}\n  garita incidents show {}",
            moment::clock(told.at),
            told.decided(),
            told.message,
            told.event.id
        );
    }
    Ok(text)
}

/// What it did, or what was said about it.
fn why(block: &Block) -> String {
    match (block.class, block.reason.as_str()) {
        (Some(class), "") => class.to_string(),
        (Some(class), reason) if reason == class.as_str() => reason.to_owned(),
        (Some(class), reason) => format!("{class}: {reason}"),
        (None, "") => "no reason was given".to_owned(),
        (None, reason) => reason.to_owned(),
    }
}

fn ordinal(number: u32) -> String {
    let end = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{end}")
}
