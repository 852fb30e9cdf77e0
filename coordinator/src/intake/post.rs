//! What who leads knows: every sensor, its numbers and block list, what goes on, what was ordered. Messages and time go
//! in, a batch and commands come out. It does no IO and reads no clock; after an error it is built anew from the store.

mod desired;
mod said;
mod time;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use contract::command::Command;
use contract::digest::Digest;
use serde_json::json;

use super::ledger::{Entries, Ledger, entry};
use super::sequence::{Patience, Sequence};
use crate::config::Config;
use crate::correlate::{Correlator, Gate, Kind, Sighting};
use crate::desk::fleet::Policy;
use crate::orders::Book;
use crate::store::{
    Batch, CampaignRow, FleetBlock, HeldBlock, Order, Seen, SensorRow, SequenceRow,
};

/// Batches that may be on their way to the store while the next one is made.
pub(super) const UNWRITTEN: usize = 2;

/// What the store knows, to begin with.
#[derive(Debug, Default)]
pub struct Known {
    /// Sensors.
    pub sensors: Vec<SensorRow>,
    /// What was heard of their numbers.
    pub sequences: Vec<SequenceRow>,
    /// Their block lists.
    pub held: Vec<HeldBlock>,
    /// What the fleet keeps out.
    pub fleet: Vec<FleetBlock>,
    /// Orders that are open.
    pub orders: Vec<Order>,
    /// Campaigns that go on.
    pub campaigns: Vec<CampaignRow>,
}

/// What who leads knows.
#[derive(Debug)]
pub struct Post {
    config: Config,
    /// The name of the key that signs; without one nothing is ordered.
    kid: Option<String>,
    sensors: BTreeMap<Gate, Sensor>,
    correlator: Correlator,
    policy: Policy,
    book: Book,
    /// Resyncs that wait for their answer: whose, of which epoch, from which number.
    resyncs: HashMap<String, (Gate, String, u64)>,
    ledger: Ledger,
    /// The incidents of the last batches, which the store may not show yet.
    unwritten: VecDeque<Entries>,
    commands: Vec<Command>,
    /// Numbers the orders of this run.
    counter: u64,
    counts: Counts,
    /// Whether commands can be sent now.
    is_connected: bool,
}

/// What was counted since this one leads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that counted.
    pub new: u64,
    /// Messages that had been heard before.
    pub repeated: u64,
    /// Messages that made no sense.
    pub quarantined: u64,
    /// Resyncs asked for.
    pub resyncs: u64,
    /// Numbers named as lost.
    pub lost: u64,
}

#[derive(Debug)]
struct Sensor {
    row: SensorRow,
    sequences: BTreeMap<String, Sequence>,
    held: BTreeMap<String, Held>,
    /// What it said of its block list last, when, and since when that differs.
    digest: Option<(Digest, i64)>,
    differs: Option<i64>,
    /// When its list was last repaired, by target; and when its difference was.
    repaired: BTreeMap<String, i64>,
    dirty: bool,
    dirty_epochs: BTreeSet<String>,
}

/// A block on a sensor's list.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    expires: Option<i64>,
    at: i64,
    /// Whether it is on the list now, or has left it.
    present: bool,
    /// Whether a command put it there.
    ordered: bool,
    /// Whether somebody at the sensor took it off before its time.
    refused: bool,
}

impl Held {
    fn holds(&self, now: i64) -> bool {
        self.present && self.expires.is_none_or(|expires| expires > now)
    }
}

/// What comes out of a step.
#[derive(Debug, Default)]
pub struct Outcome {
    /// To be written, whole or not at all.
    pub batch: Batch,
    /// To be signed and sent once it is.
    pub commands: Vec<Command>,
}

impl Post {
    /// Goes on from what the store knows. `kid` is the name of the key that signs.
    pub fn new(config: Config, kid: Option<String>, known: Known) -> Self {
        let fleet = &config.fleet;
        let proof = (fleet.min_sensors, fleet.window.micros());
        let mut correlator = Correlator::new(config.correlate.clone(), proof);
        for campaign in known.campaigns {
            if let Some(kind) = Kind::read(&campaign.kind) {
                let was = (campaign.id, campaign.version, campaign.first_at);
                correlator.resume((kind, campaign.subject), was);
            }
        }
        let mut post = Self {
            policy: Policy::new(fleet.clone(), known.fleet),
            book: Book::new(config.orders.clone(), known.orders),
            correlator,
            sensors: known.sensors.into_iter().map(Sensor::new).collect(),
            resyncs: HashMap::new(),
            ledger: Ledger::default(),
            unwritten: VecDeque::new(),
            commands: Vec::new(),
            counter: 0,
            counts: Counts::default(),
            is_connected: false,
            config,
            kid,
        };
        for row in known.sequences {
            if let Some(sensor) = post.sensors.get_mut(&(row.site, row.sensor)) {
                let number = |number: i64| u64::try_from(number).unwrap_or(0);
                let counts = (number(row.high), number(row.heard), number(row.repeated));
                let sequence = Sequence::restore(counts, (&row.gaps, &row.lost));
                sensor.sequences.insert(row.epoch, sequence);
            }
        }
        let ours = post.kid.as_ref().map(|kid| format!("key {kid}"));
        for row in known.held {
            if let Some(sensor) = post
                .sensors
                .get_mut(&(row.site.clone(), row.sensor.clone()))
            {
                let held = said::held(&row, ours.as_deref());
                sensor.held.insert(row.target, held);
            }
        }
        post
    }

    /// Begins a step, with the names of the incidents that may be coming and what the store knows of them.
    pub fn begin(&mut self, now: i64, names: &[String], seen: Vec<Seen>) {
        let mut known: Entries = seen.into_iter().map(entry).collect();
        for name in names {
            let latest = self.unwritten.iter().rev();
            let entry = latest.into_iter().find_map(|entries| entries.get(name));
            known.extend(entry.map(|entry| (name.clone(), entry.clone())));
        }
        self.ledger = Ledger::new(now, known);
    }

    /// Ends a step.
    pub fn finish(&mut self) -> Outcome {
        for campaign in self.correlator.changed() {
            self.ledger.campaign(campaign);
        }
        let (mut batch, entries) = std::mem::take(&mut self.ledger).close();
        for sensor in self.sensors.values_mut() {
            if std::mem::take(&mut sensor.dirty) {
                batch.sensors.push(sensor.row.clone());
            }
            for epoch in std::mem::take(&mut sensor.dirty_epochs) {
                if let Some(sequence) = sensor.sequences.get(&epoch) {
                    batch.sequences.push(row(&sensor.row, epoch, sequence));
                }
            }
        }
        if !batch.is_empty() {
            self.unwritten.push_back(entries);
            if self.unwritten.len() > UNWRITTEN {
                self.unwritten.pop_front();
            }
        }
        Outcome {
            batch,
            commands: std::mem::take(&mut self.commands),
        }
    }

    /// Whether commands can be sent from now on.
    pub const fn connect(&mut self, is_connected: bool) {
        self.is_connected = is_connected;
    }

    /// Learns who was proven, and what went on, before this one led.
    pub fn recall_proofs(&mut self, sightings: impl Iterator<Item = Sighting>) {
        // What follows from them was concluded when they came.
        for sighting in sightings {
            self.correlator.hear(&sighting);
        }
        self.correlator.changed();
    }

    /// What was counted.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Orders that are open.
    pub fn open_orders(&self) -> usize {
        self.book.len()
    }

    fn patience(&self) -> Patience {
        let intake = &self.config.intake;
        Patience {
            wait: intake.gap_after.micros(),
            tries: intake.gap_tries,
            most: intake.max_gaps as usize,
        }
    }

    /// A sensor that was heard; nothing where there are too many.
    fn sensor(&mut self, gate: &Gate, now: i64) -> Option<&mut Sensor> {
        if !self.sensors.contains_key(gate) {
            if self.sensors.len() >= self.config.intake.max_sensors as usize {
                return None;
            }
            let row = SensorRow {
                site: gate.0.clone(),
                sensor: gate.1.clone(),
                state: "unknown".to_owned(),
                version: String::new(),
                first_heard: now,
                last_heard: now,
                skew: 0,
                epoch: None,
                status: None,
                telemetry: None,
                digest: "unknown".to_owned(),
            };
            let body = json!({"site": gate.0, "sensor": gate.1, "state": "unknown"});
            self.ledger.tell(("sensor", Some(&gate.0)), body);
            self.sensors.extend([Sensor::new(row)]);
        }
        self.sensors.get_mut(gate)
    }
}

impl Sensor {
    fn new(row: SensorRow) -> (Gate, Self) {
        let gate = (row.site.clone(), row.sensor.clone());
        let sensor = Self {
            row,
            sequences: BTreeMap::new(),
            held: BTreeMap::new(),
            digest: None,
            differs: None,
            repaired: BTreeMap::new(),
            dirty: false,
            dirty_epochs: BTreeSet::new(),
        };
        (gate, sensor)
    }

    /// Whether it cannot be told anything now.
    fn is_away(&self) -> bool {
        matches!(self.row.state.as_str(), "offline" | "stopped")
    }
}

fn row(sensor: &SensorRow, epoch: String, sequence: &Sequence) -> SequenceRow {
    let (high, heard, repeated) = sequence.counts();
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    SequenceRow {
        site: sensor.site.clone(),
        sensor: sensor.sensor.clone(),
        epoch,
        high: number(high),
        gaps: sequence.gaps(),
        lost: sequence.lost(),
        heard: number(heard),
        repeated: number(repeated),
        at: sensor.last_heard,
    }
}

#[cfg(test)]
mod tests;
