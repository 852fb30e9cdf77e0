//! `garita blocks remove`: one block, or all that are meant at once.
//! What is lifted is named before it is lifted, where more than one is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use contract::action::Action;
use contract::record::Block;
use ipnet::IpNet;
use sensor::control::{Answer, MAX_BATCH, Overlaps};

use super::super::client::{Client, ClientError};
use super::super::listing;
use super::filter::Filter;
use super::{formats, import, list};

/// `garita blocks remove`
#[derive(clap::Args)]
pub struct Arguments {
    /// Addresses or prefixes, as `blocks list` shows them
    #[arg(value_parser = listing::net, required_unless_present_any = [
        "from", "state", "origin", "class", "within", "matching",
    ])]
    target: Vec<IpNet>,
    /// Lift what this list names, as `blocks import` reads it: undoes an import
    #[arg(long, value_name = "FILE|-", conflicts_with = "target")]
    from: Option<PathBuf>,
    #[command(flatten)]
    filter: Filter,
    /// Lift all that the options choose, without asking
    #[arg(long)]
    yes: bool,
    /// Why, for the history
    #[arg(long, default_value = "", value_name = "TEXT")]
    reason: String,
}

/// Lifts what is meant.
pub fn run(client: &Client, arguments: &Arguments) -> Result<()> {
    if let Some(file) = &arguments.from {
        return listed(client, file, &arguments.reason);
    }
    match arguments.target.as_slice() {
        [target] => one(client, *target, &arguments.reason),
        [] => chosen(client, arguments),
        several => {
            let (done, bad) = lift(client, several, &arguments.reason)?;
            outcome(done, &bad)
        }
    }
}

fn one(client: &Client, target: IpNet, reason: &str) -> Result<()> {
    match client.act(&release(target, reason)) {
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

/// Lifts what a list names. What is not blocked is no fault: its time may be over.
fn listed(client: &Client, file: &Path, reason: &str) -> Result<()> {
    let text = import::read(file)?;
    let (mut targets, mut bad) = (Vec::new(), 0);
    for line in formats::read(&text) {
        match line {
            Ok(entry) => targets.push(entry.target),
            Err(_) => bad += 1,
        }
    }
    let (done, _) = lift(client, &targets, reason)?;
    listing::text(&format!(
        "{done} of {} lifted; the others were not blocked.",
        targets.len()
    ))?;
    ensure!(
        bad == 0,
        "{bad} lines of {} name no address",
        file.display()
    );
    Ok(())
}

fn chosen(client: &Client, arguments: &Arguments) -> Result<()> {
    let mut blocks: Vec<Block> = client.pages("blocks")?;
    blocks.retain(|block| arguments.filter.wants(block));
    if blocks.is_empty() {
        bail!("no block is chosen by these options");
    }
    if !arguments.yes {
        listing::table(list::table(&blocks), "")?;
        let question = format!("Lift {} blocks?", blocks.len());
        ensure!(
            listing::confirmed(&question)?,
            "nothing was lifted; --yes lifts them without asking"
        );
    }
    // Of several services that one address is kept from, one release lifts all.
    let targets: BTreeSet<IpNet> = blocks.iter().map(|block| block.target).collect();
    let targets: Vec<IpNet> = targets.into_iter().collect();
    let (done, bad) = lift(client, &targets, &arguments.reason)?;
    outcome(done, &bad)
}

fn lift(client: &Client, targets: &[IpNet], reason: &str) -> Result<(usize, Vec<String>)> {
    let (mut done, mut bad) = (0, Vec::new());
    for batch in targets.chunks(MAX_BATCH) {
        let actions: Vec<Action> = batch.iter().map(|net| release(*net, reason)).collect();
        for answer in client.act_on_all(&actions)? {
            match answer {
                Answer::Message(_) => done += 1,
                Answer::Error(why) => bad.push(why),
            }
        }
    }
    Ok((done, bad))
}

fn outcome(done: usize, bad: &[String]) -> Result<()> {
    for why in bad {
        super::super::say(why);
    }
    let word = if done == 1 { "block" } else { "blocks" };
    listing::text(&format!("{done} {word} lifted."))?;
    ensure!(bad.is_empty(), "{} could not be lifted", bad.len());
    Ok(())
}

fn release(target: IpNet, reason: &str) -> Action {
    Action::Release {
        target,
        reason: reason.to_owned(),
    }
}
