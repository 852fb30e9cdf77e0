//! What a person or a coordinator can have a sensor do: the one vocabulary of the command line, the control socket and
//! MQTT. Nothing here acts.

use std::borrow::Cow;
use std::time::Duration;

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::address::shown;

/// The longest span that is taken: nobody means more than ten years without meaning permanently.
pub const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// Block an address or prefix.
    Block {
        /// Who.
        #[serde(with = "network")]
        #[schemars(with = "String")]
        target: IpNet,
        /// For how long; `policy.block_ttl` where it is not said.
        #[serde(default)]
        ttl: Lifetime,
        /// Why.
        #[serde(default)]
        reason: String,
        /// Undo it after so many seconds unless it is confirmed.
        #[serde(default, with = "seconds", skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<u64>")]
        confirm: Option<Duration>,
        /// Block what is exempt or too wide as well; only at the command line.
        #[serde(default)]
        force: bool,
    },
    /// Let a block that waits for its confirmation stand.
    Confirm {
        /// Which.
        #[serde(with = "network")]
        #[schemars(with = "String")]
        target: IpNet,
    },
    /// Lift a block.
    Release {
        /// Whose.
        #[serde(with = "network")]
        #[schemars(with = "String")]
        target: IpNet,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// Keep a network from being blocked.
    Allow {
        /// Which.
        #[serde(with = "network")]
        #[schemars(with = "String")]
        net: IpNet,
        /// For how long; permanently where it is not said.
        #[serde(default)]
        ttl: Lifetime,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// Take an allowance back.
    Disallow {
        /// Whose.
        #[serde(with = "network")]
        #[schemars(with = "String")]
        net: IpNet,
    },
    /// Answer a review: block the address.
    Approve {
        /// The review.
        review: String,
        /// For how long; `policy.block_ttl` where it is not said.
        #[serde(default)]
        ttl: Lifetime,
    },
    /// Answer a review: the address is innocent.
    Dismiss {
        /// The review.
        review: String,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// Switch enforcement.
    Enforce {
        /// On or off.
        on: bool,
        /// Off for so many seconds, then on again.
        #[serde(
            default,
            rename = "for",
            with = "seconds",
            skip_serializing_if = "Option::is_none"
        )]
        #[schemars(with = "Option<u64>")]
        span: Option<Duration>,
    },
}

impl Action {
    /// The action in the words of the command line, and what it is about.
    pub fn words(&self) -> (&'static str, String) {
        match self {
            Self::Block {
                target,
                force: false,
                ..
            } => ("blocks add", shown(*target)),
            Self::Block { target, .. } => ("blocks add --force", shown(*target)),
            Self::Confirm { target } => ("blocks confirm", shown(*target)),
            Self::Release { target, .. } => ("blocks remove", shown(*target)),
            Self::Allow { net, .. } => ("allow add", shown(*net)),
            Self::Disallow { net } => ("allow remove", shown(*net)),
            Self::Approve { review, .. } => ("review approve", review.clone()),
            Self::Dismiss { review, .. } => ("review dismiss", review.clone()),
            Self::Enforce { on: true, .. } => ("enforce on", String::new()),
            Self::Enforce { on: false, .. } => ("enforce off", String::new()),
        }
    }

    /// Why, as whoever wants it says; empty where nothing is said.
    pub fn reason(&self) -> &str {
        match self {
            Self::Block { reason, .. }
            | Self::Release { reason, .. }
            | Self::Allow { reason, .. }
            | Self::Dismiss { reason, .. } => reason.trim(),
            Self::Confirm { .. }
            | Self::Disallow { .. }
            | Self::Approve { .. }
            | Self::Enforce { .. } => "",
        }
    }

    /// The longest span it names.
    pub fn span(&self) -> Duration {
        let ttl = |ttl: &Lifetime| match ttl {
            Lifetime::For(span) => *span,
            Lifetime::Default | Lifetime::Permanent => Duration::ZERO,
        };
        match self {
            Self::Block {
                ttl: span, confirm, ..
            } => ttl(span).max(confirm.unwrap_or_default()),
            Self::Allow { ttl: span, .. } | Self::Approve { ttl: span, .. } => ttl(span),
            Self::Enforce { span, .. } => span.unwrap_or_default(),
            Self::Confirm { .. }
            | Self::Release { .. }
            | Self::Disallow { .. }
            | Self::Dismiss { .. } => Duration::ZERO,
        }
    }
}

/// How long something is to last: seconds, `permanent`, or what the configuration says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// What the configuration says.
    #[default]
    Default,
    /// So long.
    For(Duration),
    /// Until somebody ends it.
    Permanent,
}

impl Serialize for Lifetime {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Default => serializer.serialize_none(),
            Self::For(span) => serializer.serialize_u64(span.as_secs()),
            Self::Permanent => serializer.serialize_str("permanent"),
        }
    }
}

impl<'de> Deserialize<'de> for Lifetime {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Seconds(u64),
            Word(String),
            Nothing(()),
        }
        match Written::deserialize(deserializer)? {
            Written::Seconds(seconds) if seconds > 0 => Ok(Self::For(Duration::from_secs(seconds))),
            Written::Word(word) if word == "permanent" => Ok(Self::Permanent),
            Written::Nothing(()) => Ok(Self::Default),
            _ => Err(serde::de::Error::custom(
                "a lifetime is a number of seconds above 0, or \"permanent\"",
            )),
        }
    }
}

impl JsonSchema for Lifetime {
    fn schema_name() -> Cow<'static, str> {
        "Lifetime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How long something is to last: seconds, `permanent`, or what the configuration says.",
            "anyOf": [{"type": "integer", "minimum": 1}, {"const": "permanent"}, {"type": "null"}],
        })
    }
}

/// A prefix, or a single address, as text.
mod network {
    use std::borrow::Cow;
    use std::net::IpAddr;

    use ipnet::IpNet;
    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::address::canonical;

    pub(super) fn serialize<S: Serializer>(net: &IpNet, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(net)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<IpNet, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let address = text.parse::<IpAddr>().map(IpNet::from);
        let net = address.or_else(|_| text.parse::<IpNet>());
        let words = || {
            de::Error::custom(format!(
                "{text:?} is no address and no prefix such as 192.0.2.0/24"
            ))
        };
        net.map(canonical).map_err(|_| words())
    }
}

/// An optional duration as a whole number of seconds.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        span: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        span.map(|span| span.as_secs()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let seconds = Option::<u64>::deserialize(deserializer)?;
        Ok(seconds.map(Duration::from_secs))
    }
}
