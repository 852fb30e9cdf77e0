//! A condition of the sensor as an ECS document: an event without a class.
//! It says what the condition says, and judges nothing.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::incident::{ECS_VERSION, Ecs, Identity, ObservedBy};
use crate::printable::hex;
use crate::record::Condition;
use crate::reply::Span;
use crate::timestamp::Timestamp;

/// The names of conditions, as subscribers know them.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)+) => {
        /// What kind of condition it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Name { $($(#[$doc])* $name,)+ }

        impl Name {
            /// Every name.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The name as it is written.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }
        }
    };
}

names! {
    /// Somebody else changed the firewall's table; it has been restored.
    RulesetTampered = "ruleset-tampered",
    /// Traffic of a blocked address goes through all the same.
    BlockIneffective = "block-ineffective",
    /// The kernel refused a block; it is tried again.
    EnforcementFailed = "enforcement-failed",
    /// Somebody has switched enforcement off.
    EnforcementOff = "enforcement-off",
    /// The minute's blocks are used up: decisions go to a person.
    BudgetExhausted = "budget-exhausted",
    /// Nothing has been seen for a while.
    CaptureSilent = "capture-silent",
    /// An interface cannot be watched.
    InterfaceMissing = "interface-missing",
    /// Packets or snapshots were lost.
    CaptureDrops = "capture-drops",
    /// The store cannot be written.
    StoreFailing = "store-failing",
    /// The broker cannot be reached. Only the sensor itself shows it: subscribers hear of it as an outage, afterwards.
    BrokerAway = "broker-away",
    /// The broker could not be reached for a while.
    Outage = "outage",
    /// Messages had to be dropped before they were delivered.
    OutboxDropped = "outbox-dropped",
    /// The broker does not take messages to a topic.
    PublishRefused = "publish-refused",
    /// A configuration or a model was not taken.
    ReloadRefused = "reload-refused",
    /// The wall clock was set.
    ClockStepped = "clock-stepped",
    /// The program ended without having been told to.
    UncleanStop = "unclean-stop",
}

/// A condition raised or passed. Fields are written in this order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConditionEvent {
    /// The same when the condition is raised and when it has passed.
    pub id: String,
    /// Always `event`.
    pub kind: Cow<'static, str>,
    /// Always configuration and host.
    pub category: [Cow<'static, str>; 2],
    /// `raised`, `passed`, or `happened` where it does not last.
    pub action: Cow<'static, str>,
    /// Since when.
    pub start: Timestamp,
    /// When it passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Timestamp>,
}

/// `garita`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConditionDetail {
    /// Its fixed name.
    pub condition: String,
    /// What it concerns, where there may be several.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// Of `outage`: what it came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outage: Option<Outage>,
    /// Of `outbox-dropped`: the numbers that will never come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<Span>,
    /// What was left out to fit the broker's largest packet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reduced: Vec<String>,
}

/// A time without the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outage {
    /// Since when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// Messages that have piled up and are sent now.
    pub queued: u64,
    /// Messages that had to be dropped and of which nobody was told yet.
    pub dropped: u64,
}

impl ConditionDocument {
    /// The document of `condition` at the sensor `identity`.
    pub fn new(identity: &Identity, condition: &Condition) -> Self {
        let named = Sha256::new()
            .chain_update(&identity.name)
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
                version: ECS_VERSION.into(),
            },
            event: ConditionEvent {
                id: hex(id),
                kind: "event".into(),
                category: ["configuration".into(), "host".into()],
                action: Cow::Borrowed(match condition.until {
                    None => "raised",
                    Some(until) if until == condition.since => "happened",
                    Some(_) => "passed",
                }),
                start: condition.since,
                end: condition.until,
            },
            observer: identity.seen_on(None),
            message: condition.message.clone(),
            garita: ConditionDetail {
                condition: condition.name.clone(),
                subject: condition.subject.clone(),
                ..ConditionDetail::default()
            },
        }
    }
}
