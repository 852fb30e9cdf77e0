//! What each kind of message changes.

use std::collections::BTreeSet;

use contract::envelope::Place;
use contract::record::{BlockChange, Origin};
use contract::reply::{ResyncReply, Span};
use contract::status::State;
use contract::timestamp::Timestamp;
use serde_json::json;

use super::{Held, Post};
use crate::correlate::{Gate, Proven, Sighting};
use crate::intake::document::{Answer, Attack, Change, Figures, Presence, Trouble};
use crate::intake::reading::{Letter, Said, What};
use crate::intake::sequence::Heard;
use crate::moment::SECOND;
use crate::store::{ConditionRow, HeldBlock, IncidentRow, Review};

impl Post {
    /// Sets aside a message that makes no sense.
    pub fn quarantine(&mut self, letter: &Letter<'_>, reason: String) {
        self.counts.quarantined += 1;
        self.ledger.quarantine(letter.topic, reason, letter.body);
    }

    /// Takes a message in.
    pub fn take(&mut self, said: Said, now: i64) {
        let gate = (said.site.clone(), said.sensor.clone());
        let sites = &self.config.mqtt.sites;
        let is_ours = sites.is_empty() || sites.contains(&gate.0);
        let patience = self.patience();
        let Some(sensor) = self.sensor(&gate, now).filter(|_| is_ours) else {
            self.counts.quarantined += 1;
            let topic = format!("garita/v1/{}/{}", gate.0, gate.1);
            let reason =
                "more sensors than intake.max_sensors, or a site that mqtt.sites does not name";
            self.ledger
                .quarantine(&topic, reason.to_owned(), said.doc.as_bytes());
            return;
        };
        sensor.dirty = true;
        sensor.row.last_heard = sensor.row.last_heard.max(now);
        if let Some(ahead) = said.time.map(|time| time.micros() - now)
            && (ahead > SECOND || sensor.row.skew > 0)
        {
            sensor.row.skew = ahead.max(0);
        }
        if let Some(Place { epoch, seq }) = &said.place {
            if !sensor.sequences.contains_key(epoch) {
                super::time::forget_epochs(sensor);
            }
            sensor.dirty_epochs.insert(epoch.clone());
            let sequence = sensor.sequences.entry(epoch.clone()).or_default();
            if sequence.hear(*seq, now, patience) == Heard::Repeated {
                self.counts.repeated += 1;
                // What was asked for once more, because a block list differs, is looked at once more.
                if let What::Block(change) = &said.what {
                    self.block(&gate, change, said.doc);
                }
                return;
            }
        }
        self.counts.new += 1;
        match said.what {
            What::Incident(attack) => self.incident(&gate, *attack, said.doc),
            What::Condition(trouble) => self.condition(&gate, *trouble, (said.doc, said.place)),
            What::Block(change) => self.block(&gate, &change, said.doc),
            What::Telemetry(figures) => self.telemetry(&gate, &figures, said.doc),
            What::Status(presence) => self.status(&gate, *presence, said.doc),
            What::Reply(answer) => self.reply(&gate, &answer),
        }
    }

    fn incident(&mut self, gate: &Gate, attack: Attack, doc: String) {
        let now = self.ledger.at;
        let text = |address: std::net::IpAddr| address.to_string();
        let row = IncidentRow {
            id: String::new(),
            first: 0,
            is_known: false,
            site: gate.0.clone(),
            sensor: gate.1.clone(),
            event_id: attack.id.clone(),
            revision: attack.revision.into(),
            // One that is dated ahead would stand above all others until its time has come.
            at: attack.at.micros().min(now),
            offender: attack.offender.map(text),
            victim: attack.victim.map(text),
            port: attack.port.map(i64::from),
            class: attack.class.as_str().to_owned(),
            decision: attack.decision.clone(),
            severity: attack.severity.into(),
            proven: attack.proven,
            until: attack.blocked_until.map(Timestamp::micros),
            ended: attack.ended,
            doc,
        };
        let Some((id, before)) = self.ledger.incident(row) else {
            return;
        };
        let body = json!({
            "id": id, "site": gate.0, "sensor": gate.1, "class": attack.class, "offender": attack.offender,
            "victim": attack.victim, "decision": attack.decision, "severity": attack.severity,
            "revision": attack.revision, "ended": attack.ended, "at": attack.at, "message": attack.message,
        });
        self.ledger.tell(("incident", Some(&gate.0)), body);
        self.ask(gate, (&id, &attack), before.as_deref());
        let sighting = sighting((id, gate.clone()), &attack, now);
        if let Some(proven) = self.correlator.hear(&sighting) {
            self.conclude(&proven);
        }
    }

    /// A decision that waits for a person, or does so no longer.
    fn ask(&mut self, gate: &Gate, (id, attack): (&str, &Attack), before: Option<&str>) {
        let (true, Some(address)) = (
            attack.decision == "review",
            attack.offender.or(attack.victim),
        ) else {
            if before == Some("review") {
                self.ledger.settle(id, "superseded");
            }
            return;
        };
        let now = self.ledger.at;
        let lapses = attack.at.after(self.config.desk.review_ttl.get()).micros();
        if lapses <= now {
            return;
        }
        let review = Review {
            id: id.to_owned(),
            site: gate.0.clone(),
            sensor: gate.1.clone(),
            event_id: attack.id.clone(),
            address: address.to_string(),
            class: attack.class.as_str().to_owned(),
            message: attack.message.clone(),
            asked: attack.at.micros(),
            lapses,
            state: "open".to_owned(),
            version: 1,
            answered_by: None,
            answered_at: None,
            reason: None,
        };
        self.ledger.tell(("review", Some(&gate.0)), review.shown());
        self.ledger.review(review);
    }

    /// Where policy says so, whoever is proven is kept out.
    fn conclude(&mut self, proven: &Proven) {
        let now = self.ledger.at;
        if let Some(block) = self.policy.conclude(proven, now) {
            let blocking = proven
                .gates
                .iter()
                .filter(|(_, proof)| proof.until.is_none_or(|until| until > now));
            let blocking: BTreeSet<Gate> = blocking.map(|(gate, _)| gate.clone()).collect();
            self.enter(block, &blocking);
        }
    }

    fn condition(&mut self, gate: &Gate, trouble: Trouble, (doc, place): (String, Option<Place>)) {
        let name = trouble.garita.condition.clone();
        let body = json!({
            "site": gate.0, "sensor": gate.1, "condition": name, "action": trouble.event.action,
            "message": trouble.message, "at": trouble.timestamp,
        });
        self.ledger.tell(("condition", Some(&gate.0)), body);
        if let Some(place) = place {
            self.give_up(gate, &place.epoch, &trouble.garita.dropped);
        }
        self.ledger.condition(ConditionRow {
            id: format!("{}/{}/{}", gate.0, gate.1, trouble.event.id),
            site: gate.0.clone(),
            sensor: gate.1.clone(),
            name,
            action: trouble.event.action,
            at: trouble.timestamp.micros(),
            doc,
        });
    }

    fn block(&mut self, gate: &Gate, change: &Change, doc: String) {
        // Nobody is kept out by it: it is no block of the address, and not in the sensor's digest.
        if change.block.service.is_some() {
            return;
        }
        let target = contract::address::canonical(change.block.target).to_string();
        let present = change.event != BlockChange::Released;
        let state = match (present, &change.block.state) {
            (false, _) => "released",
            (true, Some(contract::record::BlockState::Observed)) => "observed",
            (true, Some(contract::record::BlockState::Failed)) => "failed",
            (true, _) => "enforced",
        };
        let row = HeldBlock {
            site: gate.0.clone(),
            sensor: gate.1.clone(),
            target: target.clone(),
            state: state.to_owned(),
            expires: change.block.expires.map(Timestamp::micros),
            at: change.at.micros(),
            doc,
        };
        let ours = self.kid.as_ref().map(|kid| format!("key {kid}"));
        let Some(sensor) = self.sensors.get_mut(gate) else {
            return;
        };
        let held = held_of(change, ours.as_deref());
        let is_known = |known: &Held| known.at > held.at || *known == held;
        if sensor.held.get(&target).is_some_and(is_known) {
            return;
        }
        sensor.held.insert(target.clone(), held);
        let body = json!({
            "site": gate.0, "sensor": gate.1, "target": target, "event": change.event, "by": change.by,
            "state": row.state, "expires": change.block.expires, "at": change.at,
        });
        self.ledger.tell(("block", Some(&gate.0)), body);
        self.ledger.block(row);
    }

    fn telemetry(&mut self, gate: &Gate, figures: &Figures, doc: String) {
        let at = figures.at.micros();
        self.ledger.telemetry((&gate.0, &gate.1), at, doc.clone());
        if let Some(sensor) = self.sensors.get_mut(gate) {
            sensor.row.telemetry = Some(doc);
        }
        if let Some(digest) = &figures.blocks {
            self.compare(gate, digest.clone());
        }
    }

    fn status(&mut self, gate: &Gate, presence: Presence, doc: String) {
        let (now, patience) = (self.ledger.at, self.patience());
        let Some(sensor) = self.sensors.get_mut(gate) else {
            return;
        };
        let state = presence.state.as_str();
        let changed = sensor.row.state != state;
        let was_away = sensor.is_away();
        sensor.row.state = state.to_owned();
        sensor.row.version = presence.version.chars().take(64).collect();
        sensor.row.status = Some(doc);
        if let Some(epoch) = presence
            .epoch
            .filter(|epoch| (1..=128).contains(&epoch.len()))
        {
            if sensor
                .row
                .epoch
                .as_ref()
                .is_some_and(|known| *known != epoch)
            {
                // A new file: what its list held before is not there any more, and will be told of anew.
                sensor.held.clear();
            }
            let sequence = sensor.sequences.entry(epoch.clone()).or_default();
            sequence.expect(presence.seq.min(i64::MAX as u64), now, patience);
            sensor.dirty_epochs.insert(epoch.clone());
            sensor.row.epoch = Some(epoch);
        }
        if presence.state == State::Online && was_away {
            self.book.is_back((&gate.0, &gate.1), now);
        }
        if changed {
            let body = json!({"site": gate.0, "sensor": gate.1, "state": state, "version": presence.version});
            self.ledger.tell(("sensor", Some(&gate.0)), body);
        }
        if let Some(digest) = presence.blocks.filter(|_| presence.state == State::Online) {
            self.compare(gate, digest);
        }
    }

    fn reply(&mut self, gate: &Gate, answer: &Answer) {
        let now = self.ledger.at;
        if let Some((asked, epoch, from)) = self.resyncs.remove(&answer.id) {
            match &answer.resync {
                Some(resync) if asked == *gate => self.resynced(gate, (&epoch, from), resync),
                _ => {}
            }
            return;
        }
        let said = (
            answer.outcome,
            answer.reason.as_deref(),
            answer.message.as_str(),
        );
        if let Some(order) = self.book.answer(&answer.id, said, now) {
            self.ledger.tell(("order", Some(&gate.0)), order.shown());
            self.ledger.order(order);
        }
    }

    /// What is not sent again, because it is not kept any more, is lost.
    fn resynced(&mut self, gate: &Gate, (epoch, from): (&str, u64), resync: &ResyncReply) {
        let other = resync
            .epoch
            .as_deref()
            .is_some_and(|current| current != epoch);
        let mut gone = resync.dropped.clone();
        let last = if other {
            u64::MAX
        } else {
            resync.first.saturating_sub(1)
        };
        if last >= from && last > 0 {
            gone.push(Span { first: from, last });
        }
        self.give_up(gate, epoch, &gone);
    }

    pub(super) fn give_up(&mut self, gate: &Gate, epoch: &str, gone: &[Span]) {
        let Some(sensor) = self.sensors.get_mut(gate) else {
            return;
        };
        let Some(sequence) = sensor.sequences.get_mut(epoch) else {
            return;
        };
        let lost: Vec<Span> = gone
            .iter()
            .flat_map(|span| sequence.give_up(*span))
            .collect();
        if lost.is_empty() {
            return;
        }
        sensor.dirty_epochs.insert(epoch.to_owned());
        self.counts.lost += lost
            .iter()
            .map(|span| span.last - span.first + 1)
            .sum::<u64>();
        let body = json!({"site": gate.0, "sensor": gate.1, "epoch": epoch, "lost": lost});
        self.ledger.tell(("sensor", Some(&gate.0)), body);
    }
}

/// An incident as the correlator looks at it. One that is dated ahead counts as now.
pub(in crate::intake) fn sighting(
    (id, gate): (String, Gate),
    attack: &Attack,
    now: i64,
) -> Sighting {
    Sighting {
        incident: id,
        gate,
        at: attack.at.micros().min(now),
        offender: attack.offender,
        victim: attack.victim,
        port: attack.port,
        sources: attack.sources.clone(),
        class: attack.class,
        proven: attack.proven && attack.decision == "block",
        until: attack.blocked_until.map(Timestamp::micros),
    }
}

/// A block of the store as it is followed. `ours` is how a sensor writes who ordered by our key.
pub(super) fn held(row: &HeldBlock, ours: Option<&str>) -> Held {
    match serde_json::from_str::<Change>(&row.doc) {
        Ok(change) => held_of(&change, ours),
        Err(_) => Held {
            expires: row.expires,
            at: row.at,
            present: row.state != "released",
            ordered: false,
            refused: false,
        },
    }
}

fn held_of(change: &Change, ours: Option<&str>) -> Held {
    let present = change.event != BlockChange::Released;
    let expires = change.block.expires.map(Timestamp::micros);
    let at = change.at.micros();
    let is_early = expires.is_none_or(|expires| at + 2 * SECOND < expires);
    Held {
        expires,
        at,
        present,
        ordered: change.block.origin == Some(Origin::Command),
        refused: !present && is_early && ours.is_none_or(|ours| ours != change.by),
    }
}
