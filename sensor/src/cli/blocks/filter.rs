//! Which blocks are meant, where more than one may be.

use clap::ValueEnum;
use contract::class::Class;
use contract::record::{Block, BlockState, Origin as By};
use ipnet::IpNet;

use super::super::listing;

/// The options that choose blocks; each narrows the choice.
#[derive(clap::Args)]
pub struct Filter {
    /// Only blocks in this state
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Only blocks ordered by this authority
    #[arg(long, value_enum)]
    origin: Option<Origin>,
    /// Only blocks for this class of attack
    #[arg(long)]
    class: Option<Class>,
    /// Only blocks inside this network
    #[arg(long = "in", value_parser = listing::net, value_name = "NET")]
    within: Option<IpNet>,
    /// Only blocks whose reason, or who ordered them, contains this text
    #[arg(long, value_name = "TEXT")]
    matching: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    Enforced,
    Observed,
    Failed,
    /// Added with --confirm, and not confirmed yet
    Unconfirmed,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Origin {
    Detection,
    Operator,
    Command,
    Recovered,
}

impl Filter {
    /// Whether the block is among those that are meant.
    pub fn wants(&self, block: &Block) -> bool {
        let state = match self.state {
            None => true,
            Some(State::Enforced) => block.state == BlockState::Enforced,
            Some(State::Observed) => block.state == BlockState::Observed,
            Some(State::Failed) => block.state == BlockState::Failed,
            Some(State::Unconfirmed) => block.confirm_by.is_some(),
        };
        let origin = self.origin.is_none_or(|origin| {
            let wanted = match origin {
                Origin::Detection => By::Detection,
                Origin::Operator => By::Operator,
                Origin::Command => By::Command,
                Origin::Recovered => By::Recovered,
            };
            block.origin == wanted
        });
        let class = self.class.is_none() || self.class == block.class;
        let within = self.within.is_none_or(|net| net.contains(&block.target));
        let matching = self.matching.as_deref();
        let text =
            matching.is_none_or(|text| block.reason.contains(text) || block.by.contains(text));
        state && origin && class && within && text
    }
}
