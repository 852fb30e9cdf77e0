//! The names of topics, as design 5.4 fixes them. Nothing else writes one, or takes one apart.

use std::str::FromStr;

/// What every topic begins with.
const PREFIX: &str = "garita/v1";

/// Stands for every sensor of a site, and in a command for every site.
pub const ALL: &str = "all";

/// The topics of one sensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    site: String,
    sensor: String,
}

impl Topics {
    /// Those of `sensor` at `site`.
    pub fn new(site: &str, sensor: &str) -> Self {
        Self {
            site: site.to_owned(),
            sensor: sensor.to_owned(),
        }
    }

    /// The site.
    pub fn site(&self) -> &str {
        &self.site
    }

    /// The sensor.
    pub fn sensor(&self) -> &str {
        &self.sensor
    }

    /// What all of them begin with; also the CloudEvents `source`.
    pub fn root(&self) -> String {
        format!("{PREFIX}/{}/{}", self.site, self.sensor)
    }

    /// Where messages of the outbox go.
    pub fn of(&self, topic: Topic) -> String {
        format!("{}/{}", self.root(), topic.as_str())
    }

    /// Where the retained status is.
    pub fn status(&self) -> String {
        format!("{}/status", self.root())
    }

    /// Where commands to this sensor come in, and those to all of the site.
    pub fn commands(&self) -> [String; 2] {
        let broadcast = format!("{PREFIX}/{}/{ALL}/command", self.site);
        [format!("{}/command", self.root()), broadcast]
    }

    /// Where the command `id` is answered.
    pub fn reply(&self, id: &str) -> String {
        format!("{}/reply/{id}", self.root())
    }
}

/// What a topic that a sensor publishes to is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// The retained status.
    Status,
    /// A message of the outbox.
    Message(Topic),
    /// The answer to the command of this id.
    Reply(String),
}

/// A filter for everything that the sensors of `site` publish; `+` for all sites.
pub fn subscription(site: &str) -> String {
    format!("{PREFIX}/{site}/#")
}

/// Whose topic it is and what it is for; nothing where no sensor publishes to it.
pub fn published(topic: &str) -> Option<(Topics, Published)> {
    let mut parts = topic
        .strip_prefix(PREFIX)?
        .strip_prefix('/')?
        .splitn(4, '/');
    let topics = Topics::new(parts.next()?, parts.next()?);
    if !is_name(&topics.site) || !is_name(&topics.sensor) {
        return None;
    }
    let published = match (parts.next()?, parts.next()) {
        ("status", None) => Published::Status,
        ("reply", Some(id)) if crate::command::is_id(id) => Published::Reply(id.to_owned()),
        (word, None) => Published::Message(word.parse().ok()?),
        _ => return None,
    };
    Some((topics, published))
}

/// Whether a site or a sensor may be called so: 1 to 63 of `a-z`, `0-9` and `-`, and not `all`.
pub fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(plain) && name != ALL
}

/// Where a message is published, below the sensor's own topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Incidents.
    Incident,
    /// Conditions of the sensor.
    Condition,
    /// Blocks added, extended and released.
    Block,
    /// The minute's figures.
    Telemetry,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 4] = [
        Self::Incident,
        Self::Condition,
        Self::Block,
        Self::Telemetry,
    ];

    /// The topic's last part.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Incident => "incident",
            Self::Condition => "condition",
            Self::Block => "block",
            Self::Telemetry => "telemetry",
        }
    }
}

/// The text is not one of the topics.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown topic {0:?}")]
pub struct UnknownTopic(String);

impl FromStr for Topic {
    type Err = UnknownTopic;

    fn from_str(word: &str) -> Result<Self, UnknownTopic> {
        let known = Self::ALL.into_iter().find(|topic| topic.as_str() == word);
        known.ok_or_else(|| UnknownTopic(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_is_recognised_again() {
        let topics = Topics::new("lab", "edge-1");
        let parsed = |topic: &str| published(topic).map(|(_, published)| published);
        assert_eq!(parsed(&topics.status()), Some(Published::Status));
        assert_eq!(
            parsed(&topics.reply("a-1")),
            Some(Published::Reply("a-1".to_owned()))
        );
        for topic in Topic::ALL {
            assert_eq!(
                published(&topics.of(topic)),
                Some((topics.clone(), Published::Message(topic)))
            );
        }
    }

    #[test]
    fn nothing_else_is() {
        for topic in [
            "garita/v1/lab/edge-1/command",
            "garita/v1/lab/edge-1/incident/x",
            "garita/v1/lab/edge-1/reply",
            "garita/v1/lab/edge-1/reply/a b",
            "garita/v1/lab/all/status",
            "garita/v1/Lab/edge-1/status",
            "garita/v1/lab//status",
            "garita/v2/lab/edge-1/status",
            "garita/v1lab/edge-1/status",
        ] {
            assert_eq!(published(topic), None, "{topic}");
        }
    }
}
