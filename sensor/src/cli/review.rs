//! `garita review`: what waits for a person, and the person's answer.
//! Nobody is blocked or allowed but by the daemon.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use clap::{Subcommand, ValueEnum};
use contract::action::{Action, Lifetime};
use contract::class::Class;
use contract::record::{Review, ReviewState};
use detection::features::NAMES;
use ipnet::IpNet;
use sensor::control::{Answer, Labelled, MAX_BATCH, MAX_ROWS};
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
    /// Block the addresses: the sensor was right
    Approve {
        #[command(flatten)]
        chosen: Chosen,
        /// For how long, such as 4h or 7days; policy.block_ttl where it is not said
        #[arg(long, value_parser = moment::lifetime, value_name = "DURATION|permanent")]
        ttl: Option<Lifetime>,
    },
    /// Leave the address alone: it is innocent, and allowed for a while (policy.dismiss_ttl)
    Dismiss {
        #[command(flatten)]
        chosen: Chosen,
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

/// Which reviews are answered.
#[derive(clap::Args)]
struct Chosen {
    /// Ids of reviews, or their beginnings as `review list` shows them
    #[arg(required_unless_present_any = ["class", "within"])]
    id: Vec<String>,
    /// All that wait for this class of attack
    #[arg(long)]
    class: Option<Class>,
    /// All that wait about addresses in this network
    #[arg(long = "in", value_parser = listing::net, value_name = "NET")]
    within: Option<IpNet>,
    /// Answer all that the options choose, without asking
    #[arg(long)]
    yes: bool,
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
        Command::Approve { chosen, ttl } => answer(&client, chosen, |review| Action::Approve {
            review,
            ttl: ttl.unwrap_or_default(),
        }),
        Command::Dismiss { chosen, reason } => answer(&client, chosen, |review| Action::Dismiss {
            review,
            reason: reason.clone(),
        }),
        Command::Export { output } => export(&client, output.as_deref()),
    }
}

/// Answers one review, or all that are chosen.
fn answer(client: &Client, chosen: &Chosen, action: impl Fn(String) -> Action) -> Result<()> {
    if let [id] = chosen.id.as_slice() {
        return listing::text(&client.act(&action(whole(client, id)?))?);
    }
    let ids: Vec<String> = match chosen.id.as_slice() {
        [] => choose(client, chosen)?,
        ids => ids
            .iter()
            .map(|id| whole(client, id))
            .collect::<Result<_>>()?,
    };
    let mut refused = 0;
    for batch in ids.chunks(MAX_BATCH) {
        let actions: Vec<Action> = batch.iter().cloned().map(&action).collect();
        for answer in client.act_on_all(&actions)? {
            match answer {
                Answer::Message(message) => listing::text(&message)?,
                Answer::Error(why) => {
                    refused += 1;
                    super::say(&why);
                }
            }
        }
    }
    ensure!(
        refused == 0,
        "{refused} of {} could not be answered",
        ids.len()
    );
    Ok(())
}

fn choose(client: &Client, chosen: &Chosen) -> Result<Vec<String>> {
    let mut reviews = waiting(client)?;
    reviews.retain(|review| {
        chosen.class.is_none_or(|class| class == review.class)
            && chosen
                .within
                .is_none_or(|net| net.contains(&review.address))
    });
    if reviews.is_empty() {
        bail!("no review that waits is chosen by these options");
    }
    if !chosen.yes {
        list(&reviews, State::Open)?;
        ensure!(
            listing::confirmed(&format!("Answer {} reviews so?", reviews.len()))?,
            "nothing was answered; --yes answers them without asking"
        );
    }
    Ok(reviews.into_iter().map(|review| review.id).collect())
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
