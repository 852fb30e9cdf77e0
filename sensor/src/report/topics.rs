//! The names of topics, as design 5.4 fixes them. Nothing else writes one.

use crate::store::Topic;

/// Stands for every sensor of a site, and in a command for every site.
pub(super) const ALL: &str = "all";

/// The topics of one sensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Topics {
    site: String,
    sensor: String,
}

impl Topics {
    /// Those of `sensor` at `site`.
    pub(super) fn new(site: &str, sensor: &str) -> Self {
        Self {
            site: site.to_owned(),
            sensor: sensor.to_owned(),
        }
    }

    /// The site.
    pub(super) fn site(&self) -> &str {
        &self.site
    }

    /// The sensor.
    pub(super) fn sensor(&self) -> &str {
        &self.sensor
    }

    /// What all of them begin with; also the CloudEvents `source`.
    pub(super) fn root(&self) -> String {
        format!("garita/v1/{}/{}", self.site, self.sensor)
    }

    /// Where messages of the outbox go.
    pub(super) fn of(&self, topic: Topic) -> String {
        format!("{}/{}", self.root(), topic.as_str())
    }

    /// Where the retained status is.
    pub(super) fn status(&self) -> String {
        format!("{}/status", self.root())
    }

    /// Where commands to this sensor come in, and those to all of the site.
    pub(super) fn commands(&self) -> [String; 2] {
        let broadcast = format!("garita/v1/{}/{ALL}/command", self.site);
        [format!("{}/command", self.root()), broadcast]
    }

    /// Where the command `id` is answered.
    pub(super) fn reply(&self, id: &str) -> String {
        format!("{}/reply/{id}", self.root())
    }
}
