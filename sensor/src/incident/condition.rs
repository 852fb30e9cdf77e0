//! A condition of the sensor as an ECS document: an event without a class.
//! It says what the condition says, and judges nothing.

use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::document::ECS_VERSION;
use super::{Ecs, ObservedBy, Teller, Timestamp};
use crate::record::Condition;

/// A condition raised or passed. Fields are written in this order.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ConditionDocument {
    /// When it was raised, or passed.
    #[serde(rename = "@timestamp")]
    pub timestamp: Timestamp,
    /// The schema.
    pub ecs: Ecs,
    /// What kind of event it is.
    pub event: ConditionEvent,
    /// Who is concerned.
    pub observer: ObservedBy,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What ECS has no place for.
    pub garita: ConditionDetail,
}

/// `event`
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ConditionEvent {
    /// The same when the condition is raised and when it has passed.
    pub id: String,
    /// Always `event`.
    pub kind: &'static str,
    /// Always configuration and host.
    pub category: [&'static str; 2],
    /// `raised`, `passed`, or `happened` where it does not last.
    pub action: &'static str,
    /// Since when.
    pub start: Timestamp,
    /// When it passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Timestamp>,
}

/// `garita`
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ConditionDetail {
    /// Its fixed name.
    pub condition: String,
    /// What it concerns, where there may be several.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subject: String,
}

impl ConditionDocument {
    /// The document of `condition` at `teller`.
    pub fn new(teller: &Teller, condition: &Condition) -> Self {
        let named = Sha256::new()
            .chain_update(&teller.name)
            .chain_update([0])
            .chain_update(&condition.name)
            .chain_update([0])
            .chain_update(&condition.subject)
            .chain_update(condition.since.micros().to_be_bytes())
            .finalize();
        let (id, _) = named.split_at(16);
        Self {
            timestamp: condition.until.unwrap_or(condition.since),
            ecs: Ecs {
                version: ECS_VERSION,
            },
            event: ConditionEvent {
                id: id.iter().map(|byte| format!("{byte:02x}")).collect(),
                kind: "event",
                category: ["configuration", "host"],
                action: match condition.until {
                    None => "raised",
                    Some(until) if until == condition.since => "happened",
                    Some(_) => "passed",
                },
                start: condition.since,
                end: condition.until,
            },
            observer: teller.seen_on(None),
            message: condition.message.clone(),
            garita: ConditionDetail {
                condition: condition.name.clone(),
                subject: condition.subject.clone(),
            },
        }
    }
}
