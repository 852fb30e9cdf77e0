//! Incidents that belong together, for as long as they follow each other. Everything in it is bounded.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use contract::class::Class;
use sha2::{Digest, Sha256};

use super::campaign::Campaign;
use super::{About, Gate, Sighting};

/// Sources that are named; more are counted.
const SOURCES: usize = 500;
/// Incidents and moments that are named, the last.
const NAMED: usize = 200;
/// Victims that are named.
const VICTIMS: usize = 64;

/// Incidents that belong together.
#[derive(Debug)]
pub(super) struct Group {
    id: String,
    version: i64,
    told: bool,
    first: i64,
    last: i64,
    /// When each source was last seen.
    sources: BTreeMap<IpAddr, i64>,
    uncounted: usize,
    victims: BTreeSet<IpAddr>,
    gates: BTreeMap<Gate, i64>,
    classes: BTreeMap<Class, usize>,
    incidents: VecDeque<String>,
    timeline: VecDeque<(i64, String)>,
}

impl Group {
    pub(super) fn new((kind, subject): &About, at: i64, known: Option<(String, i64, i64)>) -> Self {
        let (id, version, first) = known.unwrap_or_else(|| {
            let hash = Sha256::new()
                .chain_update(kind.as_str())
                .chain_update([0])
                .chain_update(subject)
                .chain_update(at.to_be_bytes())
                .finalize();
            let (id, _) = hash.split_at(12);
            (format!("campaign-{}", crate::hex(id)), 0, at)
        });
        Self {
            id,
            version,
            told: version > 0,
            first,
            last: at,
            sources: BTreeMap::new(),
            uncounted: 0,
            victims: BTreeSet::new(),
            gates: BTreeMap::new(),
            classes: BTreeMap::new(),
            incidents: VecDeque::new(),
            timeline: VecDeque::new(),
        }
    }

    /// Takes note of a sighting; whether it changes anything that is told.
    pub(super) fn hear(&mut self, sighting: &Sighting, window: i64) -> bool {
        self.first = self.first.min(sighting.at);
        self.last = self.last.max(sighting.at);
        if !self.told {
            // What has not become a campaign yet forgets what is too far back for one.
            let cutoff = self.last - window;
            self.sources.retain(|_, at| *at > cutoff);
            self.gates.retain(|_, at| *at > cutoff);
        }
        let before = (self.total(), self.victims.len(), self.gates.len());
        for source in sighting.offender.iter().chain(&sighting.sources) {
            if self.sources.len() < SOURCES || self.sources.contains_key(source) {
                let seen = self.sources.entry(*source).or_insert(sighting.at);
                *seen = (*seen).max(sighting.at);
            } else {
                self.uncounted += 1;
            }
        }
        if self.victims.len() < VICTIMS {
            self.victims.extend(sighting.victim);
        }
        let gate = self
            .gates
            .entry(sighting.gate.clone())
            .or_insert(sighting.at);
        *gate = (*gate).max(sighting.at);
        *self.classes.entry(sighting.class).or_default() += 1;
        let is_new = !self.incidents.contains(&sighting.incident);
        if is_new {
            let who = sighting
                .offender
                .map_or_else(|| "many".to_owned(), |address| address.to_string());
            let (site, sensor) = &sighting.gate;
            let what = format!("{} by {who} at {site}/{sensor}", sighting.class);
            self.timeline.push_back((sighting.at, what));
            self.incidents.push_back(sighting.incident.clone());
            if self.incidents.len() > NAMED {
                self.incidents.pop_front();
                self.timeline.pop_front();
            }
        }
        is_new || before != (self.total(), self.victims.len(), self.gates.len())
    }

    /// It is a campaign from now on.
    pub(super) const fn stands(&mut self) {
        self.told = true;
    }

    /// The campaign as it is now, in its next version.
    pub(super) fn tell(&mut self, about: &About) -> Campaign {
        self.version += 1;
        self.campaign(about, true)
    }

    /// The campaign as it ended; nothing where it never was one.
    pub(super) fn close(&mut self, about: &About) -> Option<Campaign> {
        if !self.told {
            return None;
        }
        self.version += 1;
        Some(self.campaign(about, false))
    }

    fn campaign(&self, (kind, subject): &About, open: bool) -> Campaign {
        let class = self.classes.iter().max_by_key(|(_, count)| **count);
        Campaign {
            id: self.id.clone(),
            kind: *kind,
            subject: subject.clone(),
            class: class.map_or(Class::Scan, |(class, _)| *class),
            open,
            version: self.version,
            first: self.first,
            last: self.last,
            sources: self.sources.keys().copied().collect(),
            total: self.total(),
            victims: self.victims.iter().copied().collect(),
            gates: self.gates.keys().cloned().collect(),
            incidents: self.incidents.iter().cloned().collect(),
            timeline: self.timeline.iter().cloned().collect(),
        }
    }

    fn total(&self) -> usize {
        self.sources.len() + self.uncounted
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) const fn last(&self) -> i64 {
        self.last
    }

    pub(super) fn sources(&self) -> usize {
        self.sources.len()
    }

    pub(super) fn gates(&self) -> usize {
        self.gates.len()
    }

    pub(super) fn victims(&self) -> usize {
        self.victims.len()
    }
}
