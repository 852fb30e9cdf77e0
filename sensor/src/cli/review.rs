//! `garita review`: what waits for a person, and the person's answer.
//! Nobody is blocked or allowed but by the daemon.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{Subcommand, ValueEnum};
use contract::action::{Action, Lifetime};
use contract::record::{Review, ReviewState};
use detection::features::NAMES;
use sensor::control::{Labelled, MAX_ROWS};
use settings::Config;

use super::client::Client;
use super::table::Table;
use super::{listing, moment};

/// Characters of an id that a list shows; they can be given for the whole.
const SHORT: usize = 10;

/// Characters of a whole id.
const WHOLE: usize = 32;

/// `garita review`
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List reviews that wait for an answer; one that nobody answers lapses, and nothing is done
    List {
        /// Reviews in this state
        #[arg(long, value_enum, default_value_t = State::Open)]
        state: State,
        /// Print one JSON document a line
        #[arg(long)]
        json: bool,
    },
    /// Block the address: the sensor was right
    Approve {
        /// Id of the review, or its beginning as `review list` shows it
        id: String,
        /// For how long, such as 4h or 7days; policy.block_ttl where it is not said
        #[arg(long, value_parser = moment::lifetime, value_name = "DURATION|permanent")]
        ttl: Option<Lifetime>,
    },
    /// Leave the address alone: it is innocent, and allowed for a while (policy.dismiss_ttl)
    Dismiss {
        /// Id of the review, or its beginning as `review list` shows it
        id: String,
        /// Why, for whoever reads the history
        #[arg(long, default_value = "", value_name = "TEXT")]
        reason: String,
    },
    /// Write answered reviews as CSV, with what the model saw, to train a better model from
    Export {
        /// Write here, instead of stdout
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    /// It waits
    Open,
    /// The address was blocked
    Approved,
    /// The address is innocent
    Dismissed,
    /// Nobody answered in time
    Lapsed,
    /// Every review on record
    All,
}

/// Lists, answers or exports.
pub fn run(config: &Config, arguments: &Arguments) -> Result<()> {
    let client = Client::new(config)?;
    match &arguments.command {
        Command::List { state, json } => {
            let word = match state {
                State::Open => "open",
                State::Approved => "approved",
                State::Dismissed => "dismissed",
                State::Lapsed => "lapsed",
                State::All => "all",
            };
            let reviews = match state {
                State::Open => waiting(&client)?,
                _ => client.get(&format!("reviews?state={word}"))?,
            };
            if reviews.len() == MAX_ROWS && *state != State::Open {
                super::say(&format!("only the newest {MAX_ROWS} are shown"));
            }
            if *json {
                listing::json(&reviews)
            } else {
                list(&reviews, *state)
            }
        }
        Command::Approve { id, ttl } => listing::text(&client.act(&Action::Approve {
            review: whole(&client, id)?,
            ttl: ttl.unwrap_or_default(),
        })?),
        Command::Dismiss { id, reason } => listing::text(&client.act(&Action::Dismiss {
            review: whole(&client, id)?,
            reason: reason.clone(),
        })?),
        Command::Export { output } => export(&client, output.as_deref()),
    }
}

fn list(reviews: &[Review], state: State) -> Result<()> {
    let mut table = Table::new([
        "ID",
        "ADDRESS",
        "CLASS",
        "STATE",
        "SINCE",
        "WHY A PERSON DECIDES",
        "WHAT HAPPENED",
    ]);
    for review in reviews {
        table.push([
            review.id.chars().take(SHORT).collect(),
            review.address.to_string(),
            review.class.to_string(),
            said(review),
            moment::clock(review.asked),
            review.cause.clone(),
            review.message.clone(),
        ]);
    }
    let empty = match state {
        State::Open => "Nothing waits for a person.",
        _ => "There is no such review.",
    };
    listing::table(table, empty)
}

/// The state, with how long it still waits, or by whom it was answered.
fn said(review: &Review) -> String {
    let by = review
        .answered
        .as_ref()
        .map(|answered| answered.by.as_str());
    let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
    match review.state {
        ReviewState::Open => format!("lapses in {}", moment::remaining(Some(review.lapses))),
        ReviewState::Approved => format!("approved{by}"),
        ReviewState::Dismissed => format!("dismissed{by}"),
        ReviewState::Lapsed => "lapsed".to_owned(),
        ReviewState::Superseded => "decided on further evidence".to_owned(),
    }
}

/// Every review that waits, the oldest first.
fn waiting(client: &Client) -> Result<Vec<Review>> {
    let mut all: Vec<Review> = Vec::new();
    loop {
        let page: Vec<Review> = client.get(&format!("reviews?after={}", all.len()))?;
        let whole = page.len() == MAX_ROWS;
        let known = |review: &Review| all.iter().any(|other| other.id == review.id);
        let new: Vec<Review> = page.into_iter().filter(|one| !known(one)).collect();
        // Some may have been answered meanwhile, so that others move up.
        let more = whole && !new.is_empty();
        all.extend(new);
        if !more {
            return Ok(all);
        }
    }
}

/// The id of the review that is meant by its beginning.
fn whole(client: &Client, id: &str) -> Result<String> {
    let id = listing::id(id)?;
    if id.len() >= WHOLE {
        return Ok(id.to_owned());
    }
    let reviews = waiting(client)?;
    let mut found = reviews
        .into_iter()
        .filter(|review| review.id.starts_with(id));
    match (found.next(), found.next()) {
        (Some(review), None) => Ok(review.id),
        (None, _) => bail!("no review {id} waits"),
        (Some(_), Some(_)) => bail!("several reviews begin with {id}; name more of the id"),
    }
}

fn export(client: &Client, output: Option<&Path>) -> Result<()> {
    let rows: Vec<Labelled> = client.pages("labelled")?;
    let mut out = listing::output(output)?;
    let mut csv = csv::Writer::from_writer(&mut out);
    let labels = ["review", "address", "at", "by", "class"];
    csv.write_record(labels.iter().chain(&NAMES))?;
    let mut other = 0;
    for row in &rows {
        if row.features.len() != NAMES.len() {
            other += 1;
            continue;
        }
        let labels = [
            listing::cell(&row.review),
            row.address.to_string(),
            row.at.to_string(),
            listing::cell(&row.by),
            row.class.to_string(),
        ];
        csv.write_record(
            labels
                .into_iter()
                .chain(row.features.iter().map(f32::to_string)),
        )?;
    }
    csv.flush()?;
    drop(csv);
    out.flush()?;
    if other > 0 {
        super::say(&format!(
            "{other} rows are of a sensor with other features, or had none; they are left out"
        ));
    }
    Ok(())
}
