//! The incidents that are going on: one per offender and class, revised while it lasts.
//! It must not grow beyond its cap, and its order does not depend on a hash.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use sha2::{Digest, Sha256};

use contract::class::Class;
use contract::incident::{Identity, Incident};
use contract::printable::hex;
use contract::timestamp::Timestamp;
use detection::policy::Decision;
use detection::timeline::Timeline;
use detection::verdict::{Subject, Verdict};

/// Who tells the incidents.
#[derive(Debug, Clone)]
pub struct Observer {
    /// The sensor.
    pub identity: Identity,
    /// The model that scores.
    pub model_name: String,
    /// SHA-256 of the model file, in hexadecimal.
    pub model_sha256: String,
    /// What makes wall time out of monotonic time.
    pub timeline: Timeline,
}

impl Observer {
    pub(super) fn label(&self, time: u64) -> Timestamp {
        Timestamp::from_micros(self.timeline.wall(time).nanoseconds() / 1_000)
    }
}

/// What is worth telling about an incident.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    /// Where in its life the incident is.
    pub stage: Stage,
    /// The incident as it is now known.
    pub incident: Incident,
}

/// Where in its life an incident is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It was decided for the first time.
    Begun,
    /// The decision, its block or what came of it is another.
    Changed,
    /// The offender has been quiet; this revision is the last.
    Ended,
}

/// Whom it is about, whether that is the victim, and the class.
type Key = (IpAddr, bool, Class);

/// The open incidents.
#[derive(Debug)]
pub struct IncidentLog {
    observer: Observer,
    open: HashMap<Key, Record>,
    /// The same incidents, the quietest first.
    order: BTreeSet<(u64, Key)>,
    quiet: u64,
    cap: usize,
}

/// One open incident.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) start: u64,
    /// When the decision that is told was taken.
    pub(super) decided: u64,
    pub(super) revision: u32,
    heard: u64,
    /// The strongest verdict so far, with the extent of all of them.
    verdict: Verdict,
}

impl IncidentLog {
    /// An empty log.
    pub fn new(settings: &settings::Incident, observer: Observer) -> Self {
        Self {
            observer,
            open: HashMap::new(),
            order: BTreeSet::new(),
            quiet: settings.quiet.micros(),
            cap: settings.max_open.size(),
        }
    }

    /// Labels times by `timeline` from now on.
    pub fn set_timeline(&mut self, timeline: Timeline) {
        self.observer.timeline = timeline;
    }

    /// What labels times.
    pub fn timeline(&mut self) -> &mut Timeline {
        &mut self.observer.timeline
    }

    /// Names another model from now on.
    pub fn set_model(&mut self, (name, sha256): (String, String)) {
        self.observer.model_name = name;
        self.observer.model_sha256 = sha256;
    }

    /// The `event.id` under which a verdict is, or would be, entered.
    pub fn id(&self, verdict: &Verdict) -> String {
        let key = match verdict.quiet {
            // Of a crowd only the crowd is entered.
            true => (
                verdict.flow.responder.ip().to_canonical(),
                true,
                verdict.class,
            ),
            false => key(verdict),
        };
        match self.open.get(&key) {
            Some(record) if verdict.time.saturating_sub(record.heard) < self.quiet => {
                record.id.clone()
            }
            _ => id(&self.observer, verdict, key),
        }
    }

    /// Enters a verdict and returns what is worth telling: an incident that begins or changes, after those that had
    /// to end before it. To watch an address is no incident of its own.
    pub fn record(&mut self, verdict: &Verdict) -> Vec<Revision> {
        let mut told = self.end_quiet(verdict.time);
        if verdict.quiet {
            return told;
        }
        let key = key(verdict);
        if let Some(record) = self.open.get_mut(&key) {
            self.order.remove(&(record.heard, key));
            record.heard = record.heard.max(verdict.time);
            self.order.insert((record.heard, key));
            if record.merge(verdict) {
                record.revision += 1;
                told.push(record.tell(&self.observer, Stage::Changed));
            }
            return told;
        }
        if verdict.decision == Decision::Watch {
            return told;
        }
        if self.open.len() >= self.cap
            && let Some((_, quietest)) = self.order.pop_first()
        {
            told.extend(self.end(quietest));
        }
        let record = Record::new(&self.observer, verdict, key);
        told.push(record.tell(&self.observer, Stage::Begun));
        self.order.insert((record.heard, key));
        self.open.insert(key, record);
        told
    }

    /// Ends the incidents that have been quiet for long enough at `now`, the quietest first.
    pub fn end_quiet(&mut self, now: u64) -> Vec<Revision> {
        let mut told = Vec::new();
        while let Some(&(heard, key)) = self.order.first()
            && now.saturating_sub(heard) >= self.quiet
        {
            self.order.pop_first();
            told.extend(self.end(key));
        }
        told
    }

    /// Ends every incident, the quietest first: the capture is over, or the program.
    pub fn end_all(&mut self) -> Vec<Revision> {
        let order = std::mem::take(&mut self.order);
        let keys = order.into_iter().map(|(_, key)| key);
        keys.filter_map(|key| self.end(key)).collect()
    }

    fn end(&mut self, key: Key) -> Option<Revision> {
        let mut record = self.open.remove(&key)?;
        record.revision += 1;
        Some(record.tell(&self.observer, Stage::Ended))
    }
}

impl Record {
    fn new(observer: &Observer, verdict: &Verdict, key: Key) -> Self {
        let start = verdict.evidence.first_seen;
        Self {
            id: id(observer, verdict, key),
            start,
            decided: verdict.time,
            revision: 1,
            heard: verdict.time,
            verdict: verdict.clone(),
        }
    }

    fn tell(&self, observer: &Observer, stage: Stage) -> Revision {
        Revision {
            stage,
            incident: super::document(observer, &self.verdict, self),
        }
    }

    /// Takes over what a later verdict adds, and says whether that changes the decision. The strongest decision
    /// stands, and is told with the facts of the moment that spoke most for it.
    fn merge(&mut self, later: &Verdict) -> bool {
        let known = &mut self.verdict;
        let (before, now) = (rank(&known.decision), rank(&later.decision));
        let extent = known.evidence;
        let changed = now > before
            || now == before
                && (known.decision != later.decision || known.outcome != later.outcome);
        if now > before || now == before && later.evidence.log_odds >= extent.log_odds {
            let interface = known.interface.take();
            *known = later.clone();
            known.interface = known.interface.take().or(interface);
        } else if changed {
            known.decision = later.decision.clone();
            known.outcome = later.outcome.clone();
            // A review because of a tunnel has to name it.
            known.tunnel = later.tunnel.or(known.tunnel);
        }
        let evidence = &mut known.evidence;
        evidence.log_odds = extent.log_odds.max(later.evidence.log_odds);
        evidence.snapshots = extent.snapshots.max(later.evidence.snapshots);
        evidence.first_seen = extent.first_seen.min(later.evidence.first_seen);
        evidence.last_seen = extent.last_seen.max(later.evidence.last_seen);
        evidence.proven = extent.proven || later.evidence.proven;
        if now <= before {
            evidence.packets_before = extent.packets_before;
        }
        if changed {
            self.decided = later.time;
        }
        changed
    }
}

fn key(verdict: &Verdict) -> Key {
    let victim = matches!(verdict.subject, Subject::Victim { .. });
    (
        verdict.subject.address().to_canonical(),
        victim,
        verdict.class,
    )
}

/// The same for all revisions of an incident, and for each replay of it.
fn id(observer: &Observer, verdict: &Verdict, (address, _, class): Key) -> String {
    let start = observer.label(verdict.evidence.first_seen).micros();
    let named = Sha256::new()
        .chain_update(&observer.identity.name)
        .chain_update([0])
        .chain_update(address.to_string())
        .chain_update([0])
        .chain_update(class.as_str())
        .chain_update(start.to_be_bytes())
        .finalize();
    let (id, _) = named.split_at(16);
    hex(id)
}

fn rank(decision: &Decision) -> u8 {
    match decision {
        Decision::Watch => 0,
        Decision::Alert => 1,
        Decision::Review(_) => 2,
        Decision::Block(_) => 3,
    }
}

#[cfg(test)]
mod tests;
