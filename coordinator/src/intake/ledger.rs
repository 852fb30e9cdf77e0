//! A batch while it grows: of everything only the last state in it is written. It decides nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use crate::correlate::{Campaign, Gate};
use crate::store::{
    Batch, CampaignRow, ConditionRow, FleetBlock, Happened, HeldBlock, IncidentRow, Order,
    Quarantined, Review, Scope, Seen, TelemetryRow,
};

/// What is kept of a message that is quarantined, bytes.
const SAMPLE: usize = 500;

/// Incidents by their names.
pub(super) type Entries = HashMap<String, Entry>;

/// An incident that is stored, or about to be.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    gate: Gate,
    first: i64,
    revision: i64,
    decision: String,
}

/// The name of an incident where somebody else's has that of its event already: two sensors of one name at two sites give
/// their incidents the same names.
pub(super) fn other_name(event: &str, (site, sensor): (&str, &str)) -> String {
    format!("{event}.{site}.{sensor}")
}

/// A batch while it grows.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) at: i64,
    /// The incidents that are stored, or in a batch that is being stored.
    known: Entries,
    /// Those of this batch.
    entered: BTreeSet<String>,
    incidents: BTreeMap<String, IncidentRow>,
    older: Vec<IncidentRow>,
    conditions: BTreeMap<String, ConditionRow>,
    telemetry: BTreeMap<(String, String, i64), String>,
    blocks: BTreeMap<(String, String, String), HeldBlock>,
    quarantine: BTreeMap<(String, String), Quarantined>,
    reviews: BTreeMap<String, Review>,
    settled: BTreeMap<String, &'static str>,
    campaigns: BTreeMap<String, Campaign>,
    fleet: BTreeMap<String, FleetBlock>,
    orders: BTreeMap<String, Order>,
    events: Vec<Happened>,
}

impl Ledger {
    /// One that begins now, knowing which incidents are stored, or about to be.
    pub(super) fn new(at: i64, known: Entries) -> Self {
        Self {
            at,
            known,
            ..Self::default()
        }
    }

    /// Enters a revision of an incident; gives back its name where it is the latest, and what the one before decided.
    pub(super) fn incident(&mut self, mut row: IncidentRow) -> Option<(String, Option<String>)> {
        let other = other_name(&row.event_id, (&row.site, &row.sensor));
        let names = [row.event_id.clone(), other];
        let is_ours = |entry: &Entry| entry.gate.0 == row.site && entry.gate.1 == row.sensor;
        let ours = names
            .iter()
            .find(|name| self.known.get(*name).is_some_and(is_ours));
        let Some(id) = ours else {
            let [short, long] = names;
            row.id = if self.known.contains_key(&short) {
                long
            } else {
                short
            };
            row.first = row.at;
            let id = row.id.clone();
            self.entered.insert(id.clone());
            self.known.insert(
                id.clone(),
                Entry {
                    gate: (row.site.clone(), row.sensor.clone()),
                    first: row.first,
                    revision: row.revision,
                    decision: row.decision.clone(),
                },
            );
            self.incidents.insert(id.clone(), row);
            return Some((id, None));
        };
        row.id.clone_from(id);
        let entry = self.known.get_mut(id)?;
        row.first = entry.first;
        row.is_known =
            !self.entered.contains(id) || self.incidents.get(id).is_some_and(|row| row.is_known);
        if row.revision > entry.revision {
            entry.revision = row.revision;
            let before = std::mem::replace(&mut entry.decision, row.decision.clone());
            let id = row.id.clone();
            self.entered.insert(id.clone());
            self.older.extend(self.incidents.insert(id.clone(), row));
            return Some((id, Some(before)));
        }
        if row.revision < entry.revision {
            self.older.push(row);
        }
        None
    }

    pub(super) fn condition(&mut self, row: ConditionRow) {
        self.conditions.insert(row.id.clone(), row);
    }

    pub(super) fn telemetry(&mut self, (site, sensor): (&str, &str), at: i64, doc: String) {
        let key = (site.to_owned(), sensor.to_owned(), at);
        self.telemetry.insert(key, doc);
    }

    pub(super) fn block(&mut self, row: HeldBlock) {
        let key = (row.site.clone(), row.sensor.clone(), row.target.clone());
        match self.blocks.get(&key) {
            Some(later) if later.at > row.at => {}
            _ => drop(self.blocks.insert(key, row)),
        }
    }

    pub(super) fn quarantine(&mut self, topic: &str, reason: String, body: &[u8]) {
        let topic: String = topic
            .chars()
            .filter(|letter| *letter != '\0')
            .take(300)
            .collect();
        let text = String::from_utf8_lossy(body.get(..SAMPLE).unwrap_or(body));
        let sample = contract::printable::printable(&text).into_owned();
        let key = (topic.clone(), reason.clone());
        let entry = self.quarantine.entry(key).or_insert_with(|| Quarantined {
            topic,
            reason,
            sample: String::new(),
            count: 0,
        });
        entry.sample = sample;
        entry.count += 1;
    }

    pub(super) fn review(&mut self, row: Review) {
        self.reviews.insert(row.id.clone(), row);
    }

    pub(super) fn settle(&mut self, review: &str, state: &'static str) {
        self.settled.insert(review.to_owned(), state);
    }

    pub(super) fn campaign(&mut self, campaign: Campaign) {
        self.campaigns.insert(campaign.id.clone(), campaign);
    }

    pub(super) fn fleet(&mut self, row: FleetBlock) {
        self.fleet.insert(row.id.clone(), row);
    }

    pub(super) fn order(&mut self, row: Order) {
        self.orders.insert(row.id.clone(), row);
    }

    pub(super) fn tell(&mut self, (kind, site): (&str, Option<&str>), body: Value) {
        self.events.push(Happened::new(self.at, (kind, site), body));
    }

    /// The batch, and the incidents that it has.
    pub(super) fn close(mut self) -> (Batch, Entries) {
        let mut entries = std::mem::take(&mut self.known);
        entries.retain(|id, _| self.entered.contains(id));
        (self.batch(), entries)
    }

    fn batch(mut self) -> Batch {
        let mut campaigns = Vec::new();
        for (_, campaign) in std::mem::take(&mut self.campaigns) {
            let document = campaign.document();
            // Who is limited to sites learns of it from the campaign's own page.
            self.tell(("campaign", None), document.clone());
            campaigns.push(row(&campaign, document.to_string()));
        }
        let telemetry = self.telemetry.into_iter();
        Batch {
            at: self.at,
            incidents: self.incidents.into_values().collect(),
            older: self.older,
            conditions: self.conditions.into_values().collect(),
            telemetry: telemetry
                .map(|((site, sensor, at), doc)| TelemetryRow {
                    site,
                    sensor,
                    at,
                    doc,
                })
                .collect(),
            blocks: self.blocks.into_values().collect(),
            sensors: Vec::new(),
            sequences: Vec::new(),
            quarantine: self.quarantine.into_values().collect(),
            reviews: self.reviews.into_values().collect(),
            settled: self.settled.into_iter().collect(),
            campaigns,
            fleet: self.fleet.into_values().collect(),
            orders: self.orders.into_values().collect(),
            events: self.events,
        }
    }
}

/// An incident that is stored, by its name.
pub(super) fn entry(seen: Seen) -> (String, Entry) {
    let entry = Entry {
        gate: (seen.site, seen.sensor),
        first: seen.first,
        revision: seen.revision,
        decision: seen.decision,
    };
    (seen.id, entry)
}

fn row(campaign: &Campaign, doc: String) -> CampaignRow {
    CampaignRow {
        id: campaign.id.clone(),
        kind: campaign.kind.as_str().to_owned(),
        subject: campaign.subject.clone(),
        class: campaign.class.as_str().to_owned(),
        state: if campaign.open { "open" } else { "closed" }.to_owned(),
        sites: Scope(campaign.sites()),
        first_at: campaign.first,
        last_at: campaign.last,
        version: campaign.version,
        doc,
    }
}
