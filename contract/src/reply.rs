//! The answer to a command.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reply {
    /// The command's id.
    pub id: String,
    /// The site of the sensor that answers.
    pub site: String,
    /// The sensor that answers.
    pub sensor: String,
    /// When.
    pub at: Timestamp,
    /// What came of the command.
    pub outcome: ReplyOutcome,
    /// Why it was refused, in one word for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'static, str>>,
    /// What is the case now, or why it was refused, in a sentence.
    pub message: String,
    /// What is sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resync: Option<ResyncReply>,
}

/// What came of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReplyOutcome {
    /// It was carried out.
    Done,
    /// It was not.
    Refused,
}

/// What is sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResyncReply {
    /// The outbox these numbers belong to.
    pub epoch: Option<String>,
    /// The first number that is still kept, from the one that was asked for on.
    pub first: u64,
    /// The last number there is.
    pub last: u64,
    /// Ranges in between that were dropped before they were sent, the first of them if they are very many.
    pub dropped: Vec<Span>,
}

/// Numbers from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}
