//! `garita blocks list`: one line a block, as short as it can be read.
//! The long form of a line is `garita explain`.

use anyhow::Result;
use contract::record::{Block, BlockState, Origin as By, Scope, Service};

use super::super::client::Client;
use super::super::table::Table;
use super::super::{listing, moment};
use super::filter::Filter;

/// `garita blocks list`
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    filter: Filter,
    /// At most so many, the newest
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Print one JSON document a line
    #[arg(long)]
    json: bool,
}

/// Prints the list.
pub fn run(client: &Client, arguments: &Arguments) -> Result<()> {
    let mut blocks: Vec<Block> = client.pages("blocks")?;
    let all = blocks.len();
    blocks.retain(|block| arguments.filter.wants(block));
    blocks.sort_by(|one, other| (other.begun, one.target).cmp(&(one.begun, other.target)));
    blocks.truncate(arguments.limit.unwrap_or(usize::MAX));
    if arguments.json {
        return listing::json(&blocks);
    }
    let empty = match all {
        0 => "Nothing is blocked.".to_owned(),
        all => format!("No block matches; there are {all} others."),
    };
    listing::table(table(&blocks), &empty)
}

/// Blocks in columns.
pub fn table(blocks: &[Block]) -> Table<7> {
    let mut table = Table::new([
        "TARGET",
        "STATE",
        "REASON",
        "BY",
        "SINCE",
        "REMAINING",
        "OFFENCE",
    ]);
    for block in blocks {
        table.push([
            listing::target(block.target),
            state(block),
            match block.class {
                Some(class) => class.to_string(),
                None => listing::or_dash(&block.reason),
            },
            block.by.clone(),
            moment::clock(block.begun),
            moment::remaining(block.expires),
            offence(block),
        ]);
    }
    table
}

/// Which of the address's offences a block answers, or why it counts as none.
fn offence(block: &Block) -> String {
    match (block.offence, block.origin) {
        (_, By::Detection) if block.service.is_some() => "not counted: shared".to_owned(),
        (0, By::Detection) => "not counted: may be spoofed".to_owned(),
        (0, By::Operator | By::Command) => "not counted: by hand".to_owned(),
        (0, By::Recovered) => "unknown".to_owned(),
        (offence, _) => offence.to_string(),
    }
}

/// What has become of a block, in few words.
pub fn state(block: &Block) -> String {
    if let Some(service) = &block.service {
        let short = Service {
            spared: Vec::new(),
            ..service.clone()
        };
        let state = match block.state {
            BlockState::Enforced => "enforced",
            BlockState::Observed => "observed",
            BlockState::Failed => "failed",
        };
        return format!("{state} ({short})");
    }
    let state = match block.state {
        BlockState::Enforced if block.scope == Scope::Opening => "enforced (what it opens)",
        BlockState::Enforced => "enforced",
        BlockState::Observed => "observed (would be)",
        BlockState::Failed => "failed",
    };
    match block.confirm_by {
        Some(_) => format!(
            "{state}, awaits confirmation {}",
            moment::remaining(block.confirm_by)
        ),
        None => state.to_owned(),
    }
}
