//! What no single sensor can see: the same offender at several of them, passwords guessed from many sources, offenders of
//! one network, a victim of many. It does no IO and reads no clock, so the stored past can be gone through again.

mod campaign;
mod group;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::net::IpAddr;

use contract::class::Class;
use ipnet::IpNet;

use crate::config::Correlate;
use crate::desk::guard;

pub use campaign::{Campaign, Kind};
use group::Group;

/// A gate: site and sensor.
pub type Gate = (String, String);

/// An incident as it is looked at here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The incident.
    pub incident: String,
    /// Who saw it.
    pub gate: Gate,
    /// When, microseconds since 1970.
    pub at: i64,
    /// Who to act on.
    pub offender: Option<IpAddr>,
    /// Who suffers.
    pub victim: Option<IpAddr>,
    /// The port that was aimed at.
    pub port: Option<u16>,
    /// Who else takes part.
    pub sources: Vec<IpAddr>,
    /// What is done.
    pub class: Class,
    /// Whether the sensor blocks the offender, on evidence of its own, and its address is proven.
    pub proven: bool,
    /// Until when it blocks it.
    pub until: Option<i64>,
}

/// What a campaign is about.
type About = (Kind, String);

/// An offender that is proven at enough sensors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// Who.
    pub offender: IpAddr,
    /// Which sensors prove it, by which incidents, until when they block it.
    pub gates: BTreeMap<Gate, Proof>,
    /// The campaign.
    pub campaign: String,
    /// What it does.
    pub class: Class,
}

/// A sensor's proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The incident.
    pub incident: String,
    /// When.
    pub at: i64,
    /// Until when the sensor blocks the offender; nothing where it does not say.
    pub until: Option<i64>,
}

/// Follows sightings.
#[derive(Debug)]
pub struct Correlator {
    settings: Correlate,
    /// Gates that must have proven an offender.
    min_sensors: usize,
    /// How long their proof counts, microseconds.
    proof: i64,
    offenders: HashMap<IpAddr, Offender>,
    groups: HashMap<About, Group>,
    /// Campaigns that are new or have changed since they were last asked for, and those that have ended.
    changed: BTreeSet<About>,
    ended: Vec<Campaign>,
    /// Campaigns that went on when we began, by what they are about.
    known: HashMap<About, (String, i64, i64)>,
}

#[derive(Debug, Default)]
struct Offender {
    gates: BTreeMap<Gate, Proof>,
    last: i64,
}

impl Correlator {
    /// One that has heard nothing. `proof` is how long a sensor's proof counts, in microseconds.
    pub fn new(settings: Correlate, (min_sensors, proof): (u32, i64)) -> Self {
        Self {
            settings,
            min_sensors: min_sensors as usize,
            proof,
            offenders: HashMap::new(),
            groups: HashMap::new(),
            changed: BTreeSet::new(),
            ended: Vec::new(),
            known: HashMap::new(),
        }
    }

    /// Goes on with a campaign of before: its kind and subject, its name, version and beginning.
    pub fn resume(&mut self, about: About, was: (String, i64, i64)) {
        self.known.insert(about, was);
    }

    /// Takes note of a sighting; whether it proves its offender, with those of before.
    pub fn hear(&mut self, sighting: &Sighting) -> Option<Proven> {
        let mut proven = None;
        if let Some(offender) = sighting.offender {
            if sighting.proven {
                proven = self.prove(offender, sighting);
            }
            if !guard::is_private(offender) {
                let network = network_of(offender);
                self.join((Kind::Network, network.to_string()), sighting);
            }
        }
        if sighting.class == Class::BruteForce
            && let Some(port) = sighting.port
        {
            self.join((Kind::Guessing, port.to_string()), sighting);
        }
        if let Some(victim) = sighting.victim {
            let subject = match guard::is_private(victim) {
                // A private address is another host at each site.
                true => format!("{victim} at {}", sighting.gate.0),
                false => victim.to_string(),
            };
            self.join((Kind::Victim, subject), sighting);
        }
        proven
    }

    /// Campaigns that are new, have changed or have ended since this was last asked, each in its next version.
    pub fn changed(&mut self) -> Vec<Campaign> {
        let mut campaigns = std::mem::take(&mut self.ended);
        for about in std::mem::take(&mut self.changed) {
            let group = self.groups.get_mut(&about);
            campaigns.extend(group.map(|group| group.tell(&about)));
        }
        campaigns
    }

    /// Ends what has not been heard of for long.
    pub fn sweep(&mut self, now: i64) {
        let (proof, window) = (self.proof, self.settings.window.micros());
        self.offenders
            .retain(|_, offender| offender.last + proof > now);
        let over = |group: &Group| group.last() + window <= now;
        for (about, mut group) in self.groups.extract_if(|_, group| over(group)) {
            self.known.remove(&about);
            self.changed.remove(&about);
            self.ended.extend(group.close(&about));
        }
    }

    /// Addresses and groups that are followed.
    pub fn size(&self) -> (usize, usize) {
        (self.offenders.len(), self.groups.len())
    }

    fn prove(&mut self, address: IpAddr, sighting: &Sighting) -> Option<Proven> {
        if !self.offenders.contains_key(&address) {
            let most = self.settings.max_offenders as usize;
            make_room(&mut self.offenders, most, |offender| offender.last);
        }
        let offender = self.offenders.entry(address).or_default();
        offender.last = offender.last.max(sighting.at);
        let (last, proof) = (offender.last, self.proof);
        let said = Proof {
            incident: sighting.incident.clone(),
            at: sighting.at,
            until: sighting.until,
        };
        let before = offender.gates.get(&sighting.gate).cloned();
        if before.as_ref().is_none_or(|before| before.at <= said.at) {
            offender.gates.insert(sighting.gate.clone(), said.clone());
        }
        offender.gates.retain(|_, gate| gate.at + proof > last);
        if offender.gates.len() < self.min_sensors {
            return None;
        }
        let gates = offender.gates.clone();
        let about = (Kind::Offender, address.to_string());
        // The campaign tells of every sensor, so those that were too few before are heard again.
        if !self.groups.contains_key(&about) {
            for (gate, proof) in gates.iter().filter(|(gate, _)| **gate != sighting.gate) {
                let earlier = Sighting {
                    incident: proof.incident.clone(),
                    gate: gate.clone(),
                    at: proof.at,
                    ..sighting.clone()
                };
                self.join(about.clone(), &earlier);
            }
        }
        self.join(about.clone(), sighting);
        // An unchanged proof concludes nothing new.
        let group = self.groups.get(&about).filter(|_| before != Some(said))?;
        Some(Proven {
            offender: address,
            gates,
            campaign: group.id().to_owned(),
            class: sighting.class,
        })
    }

    fn join(&mut self, about: About, sighting: &Sighting) {
        if !self.groups.contains_key(&about) {
            let most = self.settings.max_offenders as usize;
            make_room(&mut self.groups, most, Group::last);
        }
        let known = &self.known;
        let group = self
            .groups
            .entry(about.clone())
            .or_insert_with(|| Group::new(&about, sighting.at, known.get(&about).cloned()));
        let changed = group.hear(sighting, self.settings.window.micros());
        let enough = match about.0 {
            Kind::Offender => group.gates() >= self.min_sensors,
            Kind::Network => group.sources() >= self.settings.network_offenders as usize,
            Kind::Victim => group.sources() >= self.settings.victim_offenders as usize,
            Kind::Guessing => {
                group.sources() >= self.settings.guessing_sources as usize
                    && (group.gates() >= 2 || group.victims() == 1)
            }
        };
        if changed && enough {
            group.stands();
            self.changed.insert(about);
        }
    }
}

/// Where there is no room for another one, lets go of those that were not heard of for the longest: a sixteenth at once, so
/// that looking for them costs little for each that comes.
fn make_room<K: Eq + Hash, V>(map: &mut HashMap<K, V>, most: usize, last: impl Fn(&V) -> i64) {
    if map.len() < most {
        return;
    }
    let mut ages: Vec<i64> = map.values().map(&last).collect();
    let mut spare = map.len() / 16 + 1;
    let (_, cutoff, _) = ages.select_nth_unstable(spare - 1);
    let cutoff = *cutoff;
    map.retain(|_, value| {
        let goes = spare > 0 && last(value) <= cutoff;
        spare -= usize::from(goes);
        !goes
    });
}

/// The network whose addresses one owner usually has: a /24, or a /64.
fn network_of(address: IpAddr) -> IpNet {
    let length = if address.is_ipv4() { 24 } else { 64 };
    let net = IpNet::new(address, length).unwrap_or_else(|_| IpNet::from(address));
    net.trunc()
}

#[cfg(test)]
mod tests;
