//! What the fleet is to keep out against what each sensor does: orders for what is missing, and a difference is told and
//! repaired.

use std::collections::{BTreeSet, HashSet};

use contract::digest::Digest;
use contract::record::{Block, BlockState, Origin};
use contract::timestamp::Timestamp;
use ipnet::IpNet;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Post;
use crate::correlate::Gate;
use crate::desk::guard;
use crate::moment::SECOND;
use crate::store::{FleetBlock, Order, OrderState};

/// How long messages that explain a difference may be on their way, microseconds.
const SETTLE: i64 = 3 * SECOND;
/// A sensor's list is repaired no more often than this.
const REPAIR: i64 = 60 * SECOND;
/// A sensor that keeps somebody out for almost as long needs no order.
const ALMOST: i64 = 5 * SECOND;
/// How long an order without an end of its own is worth carrying out.
const WEEK: i64 = 7 * 86_400 * SECOND;

impl Post {
    /// Takes a fleet block onto the list, and orders it where it is not kept out yet; `but` at these sensors.
    pub(super) fn enter(&mut self, block: FleetBlock, but: &BTreeSet<Gate>) {
        self.ledger.tell(("fleet-block", None), block.shown());
        self.spread(&block, but);
        self.ledger.fleet(block);
    }

    /// Takes in what people have changed of the list, and their orders.
    pub fn refresh(&mut self, blocks: &[FleetBlock], orders: Vec<Order>) {
        let open = orders.iter().map(|order| order.id.clone()).collect();
        self.book.keep(&open, self.ledger.at);
        for order in orders {
            self.book.add(order);
        }
        for block in blocks {
            if self.policy.adopt(block) {
                self.spread(block, &BTreeSet::new());
            }
        }
        let open: HashSet<&str> = blocks.iter().map(|block| block.id.as_str()).collect();
        let known = self.policy.blocks().map(|known| known.id.as_str());
        let gone = known.filter(|id| !open.contains(id));
        let gone: Vec<String> = gone.map(str::to_owned).collect();
        for id in gone {
            if let Some(block) = self.policy.forget(&id) {
                self.withdraw(&block);
            }
        }
    }

    /// Orders a block at every sensor that it reaches and that does not keep the target out by itself.
    fn spread(&mut self, block: &FleetBlock, but: &BTreeSet<Gate>) {
        let now = self.ledger.at;
        if !block.holds(now) {
            return;
        }
        let gates: Vec<Gate> = self
            .sensors
            .iter()
            .filter(|(gate, _)| block.reaches(&gate.0, &gate.1) && !but.contains(*gate))
            .filter(|(_, sensor)| {
                let held = sensor.held.get(&block.target);
                let lasts = |expires: Option<i64>| match (expires, block.expires) {
                    (None, _) => true,
                    (Some(_), None) => false,
                    (Some(held), Some(wanted)) => held + ALMOST >= wanted,
                };
                !held.is_some_and(|held| held.holds(now) && lasts(held.expires))
            })
            .filter(|(_, sensor)| !is_refused(sensor, block))
            .map(|(gate, _)| gate.clone())
            .collect();
        for gate in gates {
            self.order(block, &gate);
        }
    }

    /// Orders a block at a sensor.
    pub(super) fn order(&mut self, block: &FleetBlock, gate: &Gate) {
        let now = self.ledger.at;
        let holds_until = block.expires.unwrap_or(now + WEEK);
        let open = self.book.find(&block.id, (&gate.0, &gate.1), "block");
        if let Some(id) = open.map(|order| order.id.clone()) {
            self.book.extend(&id, holds_until);
            return;
        }
        let exempt = &self.config.fleet.exempt;
        let target = block.target.parse::<IpNet>();
        let Ok(target) = target
            .map_err(drop)
            .and_then(|net| guard::check(net, exempt).map_err(drop))
        else {
            return;
        };
        let ttl = match block.expires {
            Some(expires) => json!(((expires - now) / SECOND).max(1)),
            None => json!("permanent"),
        };
        let command = json!({"action": "block", "target": target.to_string(), "ttl": ttl, "reason": block.reason});
        self.give((block, gate), ("block", command), holds_until);
    }

    fn give(
        &mut self,
        (block, gate): (&FleetBlock, &Gate),
        (action, command): (&str, Value),
        holds_until: i64,
    ) {
        let now = self.ledger.at;
        if self.kid.is_none() {
            return;
        }
        self.counter += 1;
        let hash = Sha256::new()
            .chain_update(&block.id)
            .chain_update(&gate.0)
            .chain_update([0])
            .chain_update(&gate.1)
            .chain_update(now.to_be_bytes())
            .chain_update(self.counter.to_be_bytes())
            .finalize();
        let (id, _) = hash.split_at(12);
        let order = Order {
            id: format!("o{}", crate::hex(id)),
            cause: block.id.clone(),
            site: gate.0.clone(),
            sensor: gate.1.clone(),
            action: action.to_owned(),
            command: command.to_string(),
            state: OrderState::Queued,
            reason: None,
            message: None,
            ordered_by: block.ordered_by.clone(),
            why: block.why.clone(),
            created: now,
            holds_until,
            attempts: 0,
            sent_at: None,
            answered_at: None,
        };
        if self.book.add(order.clone()) {
            self.ledger.tell(("order", Some(&gate.0)), order.shown());
            self.ledger.order(order);
        }
    }

    /// What was ordered for a block is taken back, and lifted where it was carried out.
    fn withdraw(&mut self, block: &FleetBlock) {
        let now = self.ledger.at;
        for order in self.book.withdraw(&block.id) {
            self.ledger
                .tell(("order", Some(&order.site)), order.shown());
            self.ledger.order(order);
        }
        let gates: Vec<Gate> = self
            .sensors
            .iter()
            .filter(|(gate, _)| block.reaches(&gate.0, &gate.1))
            .filter(|(_, sensor)| {
                let held = sensor.held.get(&block.target);
                held.is_some_and(|held| held.holds(now) && held.ordered)
            })
            .map(|(gate, _)| gate.clone())
            .collect();
        for gate in gates {
            let command = json!({"action": "release", "target": block.target, "reason": "the fleet block was withdrawn"});
            self.give((block, &gate), ("release", command), now + WEEK);
        }
    }

    /// Compares what a sensor says of its block list with what its messages told.
    pub(super) fn compare(&mut self, gate: &Gate, digest: Digest) {
        let now = self.ledger.at;
        let Some(sensor) = self.sensors.get_mut(gate) else {
            return;
        };
        let agrees = believed(sensor, now).contains(&digest);
        sensor.digest = Some((digest, now));
        if agrees {
            sensor.differs = None;
            if sensor.row.digest != "agrees" {
                sensor.row.digest = "agrees".to_owned();
                sensor.dirty = true;
            }
            self.repair(gate);
        } else if sensor.differs.is_none() {
            sensor.differs = Some(now);
        }
    }

    /// A difference that nothing on its way explains is told, and repaired.
    pub(super) fn settle_difference(&mut self, gate: &Gate) {
        let now = self.ledger.at;
        let Some(sensor) = self.sensors.get_mut(gate) else {
            return;
        };
        let Some(since) = sensor.differs.filter(|since| since + SETTLE <= now) else {
            return;
        };
        let digest = sensor.digest.clone();
        if let Some((digest, _)) = &digest
            && believed(sensor, now).contains(digest)
        {
            sensor.differs = None;
            return self.compare(gate, digest.clone());
        }
        if sensor
            .repaired
            .get("")
            .is_some_and(|last| last + REPAIR > now)
        {
            return;
        }
        sensor.repaired.insert(String::new(), now);
        sensor.row.digest = "differs".to_owned();
        sensor.dirty = true;
        let count = digest.map(|(digest, _)| digest.count);
        let body = json!({
            "site": gate.0, "sensor": gate.1, "digest": "differs", "said": count, "since": crate::moment::text(since),
        });
        self.ledger.tell(("sensor", Some(&gate.0)), body);
        let wanted: Vec<FleetBlock> = self.wanted(gate);
        for block in wanted {
            self.order(&block, gate);
        }
        self.recall(gate);
    }

    /// What a sensor that agrees with us does not keep out, although it should, is ordered again.
    fn repair(&mut self, gate: &Gate) {
        let now = self.ledger.at;
        let wanted = self.wanted(gate);
        for block in wanted {
            let Some(sensor) = self.sensors.get_mut(gate) else {
                return;
            };
            let held = sensor
                .held
                .get(&block.target)
                .is_some_and(|held| held.holds(now));
            let lately = sensor
                .repaired
                .get(&block.target)
                .is_some_and(|last| last + REPAIR > now);
            let young = block.begun + 2 * SETTLE > now;
            if held || lately || young {
                continue;
            }
            sensor.repaired.retain(|_, last| *last + REPAIR > now);
            sensor.repaired.insert(block.target.clone(), now);
            if self
                .book
                .find(&block.id, (&gate.0, &gate.1), "block")
                .is_none()
            {
                let body = json!({"site": gate.0, "sensor": gate.1, "digest": "repaired", "target": block.target});
                self.ledger.tell(("sensor", Some(&gate.0)), body);
                self.order(&block, gate);
            }
        }
    }

    fn wanted(&self, gate: &Gate) -> Vec<FleetBlock> {
        let now = self.ledger.at;
        let Some(sensor) = self.sensors.get(gate) else {
            return Vec::new();
        };
        let lasts =
            |block: &&FleetBlock| block.expires.is_none_or(|expires| expires > now + ALMOST);
        self.policy
            .blocks()
            .filter(|block| block.holds(now) && block.reaches(&gate.0, &gate.1))
            .filter(lasts)
            .filter(|block| !is_refused(sensor, block))
            .cloned()
            .collect()
    }
}

/// Whether somebody at the sensor has taken the target off its list since: they know better, and are not overruled.
fn is_refused(sensor: &super::Sensor, block: &FleetBlock) -> bool {
    let held = sensor.held.get(&block.target);
    held.is_some_and(|held| held.refused && held.at > block.begun)
}

/// What a sensor may rightly say of its list: as we know it, with and without what is running out just now.
fn believed(sensor: &super::Sensor, now: i64) -> [Digest; 2] {
    [now - SETTLE, now + SETTLE].map(|moment| {
        let targets = sensor.held.iter().filter(|(_, held)| held.holds(moment));
        let blocks: Vec<Block> = targets.filter_map(|(target, _)| record(target)).collect();
        Digest::of(&blocks)
    })
}

/// A record of which only the target matters.
fn record(target: &str) -> Option<Block> {
    Some(Block {
        target: target.parse().ok()?,
        state: BlockState::Enforced,
        origin: Origin::Command,
        by: String::new(),
        reason: String::new(),
        class: None,
        incident: None,
        offence: 0,
        begun: Timestamp::from_micros(0),
        expires: None,
        confirm_by: None,
        forced: false,
        scope: contract::record::Scope::All,
        service: None,
        quiet: false,
    })
}
