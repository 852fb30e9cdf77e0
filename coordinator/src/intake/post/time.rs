//! What time brings: gaps to ask for, orders to send, blocks and campaigns that are over, differences to repair.

use std::collections::{BTreeSet, HashSet};

use contract::command::{Command, Order as Word, Resync, ResyncWord};
use contract::reply::Span;
use contract::timestamp::Timestamp;

use super::{Post, Sensor};
use crate::correlate::Gate;
use crate::intake::sequence::Due;
use crate::moment::SECOND;

/// Resyncs that may wait for their answer.
const RESYNCS: usize = 10_000;
/// Epochs that are followed of one sensor; an epoch is a new file, and that is rare.
const EPOCHS: usize = 8;
/// How many numbers are asked for again when a block list differs: a thousand messages hold what was missed lately.
const RECALL: u64 = 1_000;
/// Blocks that have left a list are remembered for as long, to tell who took them off.
const REMEMBERED: i64 = 86_400 * SECOND;

impl Post {
    /// What time brings.
    pub fn tick(&mut self, now: i64) {
        if self.kid.is_some() && self.is_connected {
            self.ask_for_gaps(now);
        }
        for block in self.policy.tick(now) {
            if block.state == "expired" {
                self.ledger.tell(("fleet-block", None), block.shown());
                self.ledger.fleet(block);
            } else {
                self.enter(block, &BTreeSet::new());
            }
        }
        self.correlator.sweep(now);
        let gates: Vec<Gate> = self
            .sensors
            .iter()
            .filter(|(_, sensor)| sensor.differs.is_some() && !sensor.is_away())
            .map(|(gate, _)| gate.clone())
            .collect();
        for gate in gates {
            self.settle_difference(&gate);
        }
        for sensor in self.sensors.values_mut() {
            sensor
                .held
                .retain(|_, held| held.holds(now) || held.at + REMEMBERED > now);
        }
        self.send_orders(now);
    }

    /// Sends what is due. Called after messages too: an order is not to wait for the next tick.
    pub fn send_orders(&mut self, now: i64) {
        if self.kid.is_none() || !self.is_connected || !self.book.is_due(now) {
            return;
        }
        let away = self.sensors.iter().filter(|(_, sensor)| sensor.is_away());
        let away: HashSet<(&str, &str)> = away
            .map(|((site, sensor), _)| (site.as_str(), sensor.as_str()))
            .collect();
        let is_away = |site: &str, sensor: &str| away.contains(&(site, sensor));
        let (sendable, changed) = self.book.due(now, is_away);
        for order in changed {
            self.ledger
                .tell(("order", Some(&order.site)), order.shown());
            self.ledger.order(order);
        }
        for sendable in sendable {
            self.ledger.tell(
                ("order", Some(&sendable.order.site)),
                sendable.order.shown(),
            );
            self.ledger.order(sendable.order);
            self.commands.push(sendable.command);
        }
    }

    fn ask_for_gaps(&mut self, now: i64) {
        let patience = self.patience();
        let mut due: Vec<(Gate, String, Due)> = Vec::new();
        for (gate, sensor) in &mut self.sensors {
            let (is_away, current) = (sensor.is_away(), sensor.row.epoch.clone());
            for (epoch, sequence) in &mut sensor.sequences {
                if sequence.next().is_none_or(|next| next > now) {
                    continue;
                }
                if current.as_ref().is_some_and(|current| current != epoch) {
                    // Nobody has these numbers any more.
                    let all = Span {
                        first: 1,
                        last: u64::MAX,
                    };
                    due.push((gate.clone(), epoch.clone(), Due::Lost(all)));
                } else if !is_away {
                    due.extend(
                        sequence
                            .due(now, patience)
                            .map(|due| (gate.clone(), epoch.clone(), due)),
                    );
                    sensor.dirty_epochs.insert(epoch.clone());
                }
            }
        }
        for (gate, epoch, due) in due {
            match due {
                Due::Ask(from) => self.resync(&gate, (epoch, from)),
                Due::Lost(span) => {
                    self.give_up(&gate, &epoch, &[span]);
                    self.name_lost(&gate, &epoch, span);
                }
            }
        }
    }

    /// A range that was given up by itself is told of like one that the sensor gave up.
    fn name_lost(&mut self, gate: &Gate, epoch: &str, span: Span) {
        if span.last == u64::MAX {
            return;
        }
        self.counts.lost += span.last - span.first + 1;
        let body =
            serde_json::json!({"site": gate.0, "sensor": gate.1, "epoch": epoch, "lost": [span]});
        self.ledger.tell(("sensor", Some(&gate.0)), body);
    }

    /// Asks for what was sent lately once more: its block messages tell what the list holds.
    pub(super) fn recall(&mut self, gate: &Gate) {
        let Some(sensor) = self.sensors.get(gate) else {
            return;
        };
        let Some(epoch) = sensor.row.epoch.clone() else {
            return;
        };
        let high = sensor
            .sequences
            .get(&epoch)
            .map_or(0, |sequence| sequence.counts().0);
        if high > 0 && self.kid.is_some() {
            self.resync(gate, (epoch, high.saturating_sub(RECALL).max(1)));
        }
    }

    fn resync(&mut self, gate: &Gate, (epoch, from): (String, u64)) {
        let now = self.ledger.at;
        if self.resyncs.len() >= RESYNCS {
            self.resyncs.clear();
        }
        self.counter += 1;
        self.counts.resyncs += 1;
        let id = format!("resync-{now}-{}", self.counter);
        let expires = Timestamp::from_micros(now).after(self.config.orders.validity.get());
        self.commands.push(Command {
            id: id.clone(),
            site: gate.0.clone(),
            sensor: gate.1.clone(),
            issued_at: Timestamp::from_micros(now),
            expires_at: expires,
            command: Word::Resync(Resync {
                action: ResyncWord::Resync,
                from_seq: from,
            }),
        });
        self.resyncs.insert(id, (gate.clone(), epoch, from));
    }
}

/// Lets go of the epoch that was not heard of for the longest, so that inventing epochs fills nothing.
pub(super) fn forget_epochs(sensor: &mut Sensor) {
    while sensor.sequences.len() >= EPOCHS {
        let current = sensor.row.epoch.clone();
        let other = sensor
            .sequences
            .keys()
            .find(|epoch| Some(*epoch) != current.as_ref());
        let Some(other) = other.cloned() else {
            return;
        };
        sensor.sequences.remove(&other);
    }
}
