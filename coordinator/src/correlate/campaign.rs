//! A campaign as it is told: a document of the same form as an incident, `observer.type` being `coordinator`, that lists
//! what it was concluded from.

use std::net::IpAddr;

use contract::class::Class;
use contract::incident::ECS_VERSION;
use serde_json::{Value, json};

use super::Gate;
use crate::moment;

/// What makes incidents belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// One offender at several sensors.
    Offender,
    /// Many sources guess at one service.
    Guessing,
    /// Many offenders of one network.
    Network,
    /// Many offenders of one victim.
    Victim,
}

impl Kind {
    /// The kind in one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offender => "offender",
            Self::Guessing => "guessing",
            Self::Network => "network",
            Self::Victim => "victim",
        }
    }

    /// The kind of this word.
    pub fn read(word: &str) -> Option<Self> {
        let all = [Self::Offender, Self::Guessing, Self::Network, Self::Victim];
        all.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A campaign as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    /// Its name, the same for all its versions.
    pub id: String,
    /// What makes it one.
    pub kind: Kind,
    /// What it is about.
    pub subject: String,
    /// What is done most.
    pub class: Class,
    /// Whether it goes on.
    pub open: bool,
    /// Counts changes.
    pub version: i64,
    /// When it began.
    pub first: i64,
    /// When it was last seen.
    pub last: i64,
    /// Who takes part; the first of them where they are very many.
    pub sources: Vec<IpAddr>,
    /// How many do.
    pub total: usize,
    /// Who suffers.
    pub victims: Vec<IpAddr>,
    /// Who saw it.
    pub gates: Vec<Gate>,
    /// What it was concluded from; the last where they are very many.
    pub incidents: Vec<String>,
    /// What happened when, the last where it is very much.
    pub timeline: Vec<(i64, String)>,
}

impl Campaign {
    /// The sites it was seen at.
    pub fn sites(&self) -> Vec<String> {
        let mut sites: Vec<String> = self.gates.iter().map(|(site, _)| site.clone()).collect();
        sites.sort();
        sites.dedup();
        sites
    }

    /// What it is, in a few words.
    pub fn name(&self) -> String {
        let (total, gates) = (self.total, self.gates.len());
        let class = self.class;
        match self.kind {
            Kind::Offender => format!("{class} by {} at {gates} sensors", self.subject),
            Kind::Guessing => {
                let service = match self.subject.as_str() {
                    "22" => "ssh".to_owned(),
                    "21" => "ftp".to_owned(),
                    "3389" => "rdp".to_owned(),
                    "5060" => "sip".to_owned(),
                    port => format!("port {port}"),
                };
                format!("distributed {service} guessing from {total} sources at {gates} sensors")
            }
            Kind::Network => format!("{total} offenders of {}", self.subject),
            Kind::Victim => format!("{total} offenders against {}", self.subject),
        }
    }

    /// The document.
    pub fn document(&self) -> Value {
        let technique = self.class.technique();
        let technique = technique.map(|it| json!({"technique": {"id": it.id, "name": it.name}}));
        let sensors: Vec<String> = self
            .gates
            .iter()
            .map(|(site, sensor)| format!("{site}/{sensor}"))
            .collect();
        let timeline = self.timeline.iter();
        let timeline: Vec<Value> = timeline
            .map(|(at, what)| json!({"at": moment::text(*at), "what": what}))
            .collect();
        json!({
            "id": self.id,
            "@timestamp": moment::text(self.last),
            "ecs": {"version": ECS_VERSION},
            "event": {
                "id": self.id, "kind": "alert", "category": ["network", "intrusion_detection"], "action": "alert",
                "outcome": "unknown", "severity": 3, "start": moment::text(self.first), "end": moment::text(self.last),
            },
            "related": {"ip": self.sources},
            "threat": technique,
            "observer": {"name": "coordinator", "type": "coordinator", "version": env!("CARGO_PKG_VERSION")},
            "message": self.name(),
            "garita": {
                "class": self.class, "decision": "alert", "revision": self.version, "sources": self.sources,
                "victims": self.victims,
                "campaign": {
                    "kind": self.kind.as_str(), "subject": self.subject, "name": self.name(),
                    "state": if self.open { "open" } else { "closed" }, "total": self.total, "sites": self.sites(),
                    "sensors": sensors, "incidents": self.incidents, "timeline": timeline,
                },
            },
        })
    }
}
