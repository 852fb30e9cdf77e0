//! `garita blocks import`: many blocks from a list. What is good is done; what is bad is named with its line.
//! It asks in batches, so that a long list does not keep the daemon from others.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use contract::action::{Action, Lifetime};
use ipnet::IpNet;
use sensor::control::{Answer, MAX_BATCH};

use super::super::client::Client;
use super::super::progress::Parts;
use super::super::{listing, moment, say};
use super::formats::{self, BadLine, Entry, Until};

/// Targets that are named where many are meant.
const SHOWN: usize = 5;
/// Bytes of a list: a million addresses with a reason each.
const MAX_LIST: u64 = 64 << 20;

/// `garita blocks import`
#[derive(clap::Args)]
pub struct Arguments {
    /// The list; - reads it from stdin
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// For how long where a line does not say it; policy.block_ttl otherwise
    #[arg(long, value_parser = moment::lifetime, value_name = "DURATION|permanent")]
    ttl: Option<Lifetime>,
    /// Why, where a line does not say it
    #[arg(long, default_value = "", value_name = "TEXT")]
    reason: String,
    /// Block what is exempt or too wide as well; this is audited
    #[arg(long)]
    force: bool,
    /// Block addresses inside the home networks as well, without asking
    #[arg(long)]
    yes: bool,
}

/// Reads the list, has it blocked, and says what came of it.
pub fn run(client: &Client, arguments: &Arguments) -> Result<()> {
    let text = read(&arguments.file)?;
    let mut bad: Vec<BadLine> = Vec::new();
    let mut over = 0;
    let mut wanted: Vec<(u64, Action)> = Vec::new();
    for one in formats::read(&text) {
        match one {
            Err(line) => bad.push(line),
            Ok(entry) => match action(entry, arguments) {
                Some(action) => wanted.push(action),
                None => over += 1,
            },
        }
    }
    spare_home(client, arguments, &mut wanted, &mut bad)?;
    let done = ask(client, &wanted, &mut bad)?;
    bad.sort_by_key(|bad| bad.line);
    let file = arguments.file.display();
    for BadLine { line, why } in &bad {
        say(&format!("{file}, line {line}: {why}"));
    }
    let over = match over {
        0 => String::new(),
        over => format!(", {over} left out because their time is over"),
    };
    let undo = match done > 0 && arguments.file != Path::new("-") {
        true => format!(" To undo it: garita blocks remove --from {file}"),
        false => String::new(),
    };
    listing::text(&format!("{done} blocked{over}.{undo}"))?;
    match bad.len() {
        0 => Ok(()),
        1 => bail!("1 line of {file} was not blocked"),
        bad => bail!("{bad} lines of {file} were not blocked"),
    }
}

/// Names what is inside the home networks, and leaves it out unless a person wants it.
fn spare_home(
    client: &Client,
    arguments: &Arguments,
    wanted: &mut Vec<(u64, Action)>,
    bad: &mut Vec<BadLine>,
) -> Result<()> {
    let home: Vec<IpNet> = client.get("home")?;
    let inside = |action: &Action| match action {
        Action::Block { target, .. } => {
            let meets = |net: &IpNet| net.contains(target) || target.contains(net);
            home.iter().any(meets).then_some(*target)
        }
        _ => None,
    };
    let hit: Vec<IpNet> = wanted
        .iter()
        .filter_map(|(_, action)| inside(action))
        .collect();
    if hit.is_empty() || arguments.yes {
        return Ok(());
    }
    let some: Vec<String> = hit
        .iter()
        .take(SHOWN)
        .map(|net| listing::target(*net))
        .collect();
    say(&format!(
        "{} of {} targets are inside your home networks: {}{}",
        hit.len(),
        wanted.len(),
        some.join(", "),
        if hit.len() > SHOWN { ", …" } else { "" }
    ));
    if listing::confirmed("Block them as well?")? {
        return Ok(());
    }
    wanted.retain(|(line, action)| {
        let home = inside(action);
        if let Some(target) = home {
            let why = format!(
                "{} is inside the home networks; --yes blocks it all the same",
                listing::target(target)
            );
            bad.push(BadLine { line: *line, why });
        }
        home.is_none()
    });
    Ok(())
}

/// Has them blocked; adds what is refused to `bad`, and returns how many are blocked.
fn ask(client: &Client, wanted: &[(u64, Action)], bad: &mut Vec<BadLine>) -> Result<usize> {
    let progress = (wanted.len() > MAX_BATCH).then(|| Parts::new("addresses blocked"));
    let mut done = 0;
    for (number, batch) in wanted.chunks(MAX_BATCH).enumerate() {
        let actions: Vec<Action> = batch.iter().map(|(_, action)| action.clone()).collect();
        let answers = client
            .act_on_all(&actions)
            .with_context(|| format!("{done} are blocked, and the import ended there"))?;
        ensure!(
            answers.len() == batch.len(),
            "the sensor answered only part of a batch"
        );
        for ((line, _), answer) in batch.iter().zip(answers) {
            match answer {
                Answer::Message(_) => done += 1,
                Answer::Error(why) => bad.push(BadLine { line: *line, why }),
            }
        }
        if let Some(progress) = &progress {
            let sent = number * MAX_BATCH + batch.len();
            progress.show(learning::Progress {
                done: sent,
                total: wanted.len(),
            });
        }
    }
    Ok(done)
}

/// What is asked for a line; nothing where its time is over.
fn action(entry: Entry, arguments: &Arguments) -> Option<(u64, Action)> {
    let ttl = match entry.until {
        Until::Lifetime(Lifetime::Default) => arguments.ttl.unwrap_or_default(),
        Until::Lifetime(ttl) => ttl,
        Until::Moment(moment) => {
            let left = moment.since(moment::now());
            if left.as_secs() == 0 {
                return None;
            }
            Lifetime::For(left)
        }
    };
    let reason = match entry.reason {
        reason if reason.is_empty() => arguments.reason.clone(),
        reason => reason,
    };
    let block = Action::Block {
        target: entry.target,
        ttl,
        reason,
        confirm: None,
        force: arguments.force,
    };
    Some((entry.line, block))
}

/// Reads a list whole, within bounds.
pub fn read(file: &Path) -> Result<String> {
    let name = file.display();
    let source: Box<dyn Read> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(file).with_context(|| format!("cannot open {name}"))?)
    };
    let mut bytes = Vec::new();
    let read = source.take(MAX_LIST + 1).read_to_end(&mut bytes);
    read.with_context(|| format!("cannot read {name}"))?;
    ensure!(
        bytes.len() as u64 <= MAX_LIST,
        "{name} is larger than 64 MiB; import it in parts"
    );
    // A bad byte spoils its line only.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
