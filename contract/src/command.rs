//! A command as the coordinator writes it, and why one is refused. Nothing is carried out here.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::action::Action;
use crate::timestamp::Timestamp;

/// A signed command: what its payload says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// 1 to 64 of `A-Z`, `a-z`, `0-9`, `-` and `_`, never used twice; the reply's topic ends with it.
    pub id: String,
    /// For the sensors of this site, or `all`.
    pub site: String,
    /// For this sensor, or `all`.
    pub sensor: String,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// Until when it may be carried out; `report.command_max_age` after `issued_at` at the latest.
    pub expires_at: Timestamp,
    /// What is to be done.
    pub command: Order,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// A change of blocks, allowances, reviews or enforcement.
    Act(Action),
    /// Send again what subscribers have missed.
    Resync(Resync),
}

/// Sends messages again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resync {
    /// Always `resync`.
    pub action: ResyncWord,
    /// The first that is missing.
    pub from_seq: u64,
}

/// The word `resync`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ResyncWord {
    /// `resync`
    Resync,
}

impl Order {
    /// The order in one word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Resync(_) => "resync",
            Self::Act(action) => match action {
                Action::Block { .. } => "block",
                Action::Confirm { .. } => "confirm",
                Action::Release { .. } => "release",
                Action::Allow { .. } => "allow",
                Action::Disallow { .. } => "disallow",
                Action::Approve { .. } => "approve",
                Action::Dismiss { .. } => "dismiss",
                Action::Enforce { .. } => "enforce",
            },
        }
    }
}

impl Serialize for Order {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Act(action) => action.serialize(serializer),
            Self::Resync(resync) => resync.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Order {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = serde_json::Value::deserialize(deserializer)?;
        let is_resync = written
            .get("action")
            .is_some_and(|action| action == "resync");
        let order = if is_resync {
            serde_json::from_value(written).map(Self::Resync)
        } else {
            serde_json::from_value(written).map(Self::Act)
        };
        order.map_err(de::Error::custom)
    }
}

impl JsonSchema for Order {
    fn schema_name() -> Cow<'static, str> {
        "Order".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let orders = [
            generator.subschema_for::<Action>(),
            generator.subschema_for::<Resync>(),
        ];
        json_schema!({"description": "What is to be done.", "anyOf": orders})
    }
}

/// Why a command is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The payload is too long.
    #[error("the command is longer than {0} bytes")]
    TooLarge(usize),
    /// There is no signature.
    #[error("the command is not signed: the user properties `sig` and `kid` are missing")]
    Unsigned,
    /// Nobody knows the key.
    #[error("no key of that name is in report.command_keys")]
    UnknownKey,
    /// The signature is not that of the payload.
    #[error("the signature is not that of the payload by that key")]
    BadSignature,
    /// The payload is no command.
    #[error("the payload is not a command: {0}")]
    Malformed(String),
    /// It is for somebody else.
    #[error("the command is for {0}")]
    NotForUs(String),
    /// Our clock cannot be trusted, and every command is bound to a time.
    #[error("the sensor's clock cannot be trusted, so no command is carried out")]
    NoClock,
    /// It is dated into the future.
    #[error("the command is dated into the future, by more than report.command_skew")]
    Future,
    /// It came too late.
    #[error("the command has expired")]
    Expired,
    /// It is valid for too long.
    #[error("the command is valid for longer than report.command_max_age")]
    TooLong,
    /// It was judged before.
    #[error("a command with this id was received before")]
    Repeated,
    /// There is no room to remember it.
    #[error("too many commands are remembered already (report.command_memory); try again later")]
    Overrun,
    /// The reply is wanted elsewhere.
    #[error("the response topic is not {0}")]
    ResponseElsewhere(String),
    /// What is exempt would be blocked all the same.
    #[error("`force` works only at the command line")]
    Forced,
    /// A review belongs to one sensor.
    #[error("a review belongs to one sensor, so its answer cannot go to all")]
    ReviewToAll,
    /// A command to all would block somebody inside.
    #[error(
        "{0} is a private or home address, which means another host at each site: a command to all never blocks it"
    )]
    PrivateToAll(String),
}

impl Rejection {
    /// The reason in one word, for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "too-large",
            Self::Unsigned => "unsigned",
            Self::UnknownKey => "unknown-key",
            Self::BadSignature => "bad-signature",
            Self::Malformed(_) => "malformed",
            Self::NotForUs(_) => "not-for-us",
            Self::NoClock => "no-clock",
            Self::Future => "future",
            Self::Expired => "expired",
            Self::TooLong => "too-long",
            Self::Repeated => "repeated",
            Self::Overrun => "overrun",
            Self::ResponseElsewhere(_) => "response-elsewhere",
            Self::Forced => "forced",
            Self::ReviewToAll => "review-to-all",
            Self::PrivateToAll(_) => "private-to-all",
        }
    }

    /// Whether anybody who reaches the broker could have had it refused so.
    pub const fn is_anonymous(&self) -> bool {
        matches!(
            self,
            Self::TooLarge(_) | Self::Unsigned | Self::UnknownKey | Self::BadSignature
        )
    }
}

/// Whether `id` can stand in a topic and in a log.
pub fn is_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=64).contains(&id.len()) && id.bytes().all(plain)
}
