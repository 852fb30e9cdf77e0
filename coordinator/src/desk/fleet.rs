//! Whom the fleet keeps out: who is proven at enough sensors, at the pace and under the guard the settings give. It orders
//! nothing itself: what it concludes is the desired list.

use std::collections::{BTreeMap, HashMap, VecDeque};

use contract::address::shown;
use ipnet::IpNet;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::guard;
use crate::config::{Fleet, FleetMode};
use crate::correlate::Proven;
use crate::moment::{self, SECOND};
use crate::store::{FleetBlock, Scope};

/// How long a fleet block lasts where no sensor says how long its own does.
const USUAL: i64 = 3_600 * SECOND;
/// Conclusions that wait for the next minute; what is above comes again with the next proof.
const WAITING: usize = 10_000;

/// The fleet's policy and its list.
#[derive(Debug)]
pub struct Policy {
    settings: Fleet,
    /// What is kept out or concluded, by name.
    blocks: BTreeMap<String, FleetBlock>,
    /// The names of those that policy concluded itself, by target.
    concluded: HashMap<String, String>,
    /// The minute, and what was concluded in it.
    minute: (i64, u32),
    waiting: VecDeque<Proven>,
}

impl Policy {
    /// A policy with the list of before.
    pub fn new(settings: Fleet, blocks: Vec<FleetBlock>) -> Self {
        let mut policy = Self {
            settings,
            blocks: BTreeMap::new(),
            concluded: HashMap::new(),
            minute: (0, 0),
            waiting: VecDeque::new(),
        };
        for block in blocks {
            policy.enter(block);
        }
        policy
    }

    fn enter(&mut self, block: FleetBlock) {
        if block.origin == "fleet" {
            self.concluded
                .insert(block.target.clone(), block.id.clone());
        }
        self.blocks.insert(block.id.clone(), block);
    }

    /// The list.
    pub fn blocks(&self) -> impl Iterator<Item = &FleetBlock> {
        self.blocks.values()
    }

    /// A block of the list.
    pub fn block(&self, id: &str) -> Option<&FleetBlock> {
        self.blocks.get(id)
    }

    /// Takes in what others have changed; whether it is news.
    pub fn adopt(&mut self, block: &FleetBlock) -> bool {
        let known = self.blocks.get(&block.id);
        let is_news = known.is_none_or(|known| known.version < block.version);
        if is_news {
            self.enter(block.clone());
        }
        is_news
    }

    /// Forgets a block: it is over, or others have taken it back.
    pub fn forget(&mut self, id: &str) -> Option<FleetBlock> {
        let block = self.blocks.remove(id)?;
        if self
            .concluded
            .get(&block.target)
            .is_some_and(|known| known == id)
        {
            self.concluded.remove(&block.target);
        }
        Some(block)
    }

    /// What follows from a proof: a new block, or one that lasts longer, or nothing.
    pub fn conclude(&mut self, proven: &Proven, now: i64) -> Option<FleetBlock> {
        let target = guard::check(IpNet::from(proven.offender), &self.settings.exempt).ok()?;
        let until = proven
            .gates
            .values()
            .map(|proof| proof.until)
            .max()
            .flatten();
        let until = until
            .unwrap_or(now + USUAL)
            .min(now + self.settings.max_ttl.micros());
        if until <= now {
            return None;
        }
        let state = match self.settings.mode {
            FleetMode::Enforce => "active",
            FleetMode::Observe => "observed",
        };
        let text = target.to_string();
        let known = self.concluded.get(&text).and_then(|id| self.blocks.get(id));
        let block = match known {
            Some(known) => {
                let longer = known
                    .expires
                    .is_some_and(|expires| expires + SECOND < until);
                if !longer && known.state == state {
                    return None;
                }
                FleetBlock {
                    state: state.to_owned(),
                    expires: known.expires.map(|expires| expires.max(until)),
                    version: known.version + 1,
                    why: why(proven),
                    ..known.clone()
                }
            }
            None => {
                if !self.may_conclude(now) {
                    if self.waiting.len() < WAITING {
                        self.waiting.push_back(proven.clone());
                    }
                    return None;
                }
                let hash = Sha256::new()
                    .chain_update(&text)
                    .chain_update(&proven.campaign)
                    .chain_update(now.to_be_bytes())
                    .finalize();
                let (id, _) = hash.split_at(8);
                FleetBlock {
                    id: format!("fleet-{}", crate::hex(id)),
                    target: text,
                    sites: Scope(self.settings.enforce_sites.clone()),
                    sensor: String::new(),
                    state: state.to_owned(),
                    origin: "fleet".to_owned(),
                    ordered_by: "fleet policy".to_owned(),
                    approved_by: None,
                    reason: format!(
                        "{}: {} proven at {} sensors",
                        shown(target),
                        proven.class,
                        proven.gates.len()
                    ),
                    campaign: Some(proven.campaign.clone()),
                    begun: now,
                    expires: Some(until),
                    version: 1,
                    why: why(proven),
                }
            }
        };
        self.enter(block.clone());
        Some(block)
    }

    /// What time brings: blocks that are over, and conclusions that had to wait.
    pub fn tick(&mut self, now: i64) -> Vec<FleetBlock> {
        let over: Vec<String> = self
            .blocks
            .values()
            .filter(|block| block.expires.is_some_and(|expires| expires <= now))
            .map(|block| block.id.clone())
            .collect();
        let mut changed = Vec::new();
        for id in over {
            if let Some(mut block) = self.forget(&id) {
                block.state = "expired".to_owned();
                block.version += 1;
                changed.push(block);
            }
        }
        while !self.waiting.is_empty() && self.has_budget(now) {
            if let Some(proven) = self.waiting.pop_front() {
                changed.extend(self.conclude(&proven, now));
            }
        }
        changed
    }

    fn has_budget(&self, now: i64) -> bool {
        self.minute.0 != now / (60 * SECOND) || self.minute.1 < self.settings.max_per_minute
    }

    fn may_conclude(&mut self, now: i64) -> bool {
        let minute = now / (60 * SECOND);
        if self.minute.0 != minute {
            self.minute = (minute, 0);
        }
        let may = self.minute.1 < self.settings.max_per_minute;
        self.minute.1 += u32::from(may);
        may
    }
}

/// What a conclusion was drawn from.
fn why(proven: &Proven) -> String {
    let gates: Vec<_> = proven
        .gates
        .iter()
        .map(|((site, sensor), proof)| {
            json!({
                "site": site, "sensor": sensor, "incident": proof.incident, "at": moment::text(proof.at),
                "until": proof.until.map(moment::text),
            })
        })
        .collect();
    json!({"campaign": proven.campaign, "sensors": gates}).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use contract::class::Class;

    use super::*;
    use crate::correlate::Proof;

    fn proven(offender: &str, until: &[i64]) -> Proven {
        let gate = |(at, until): (usize, &i64)| {
            let proof = Proof {
                incident: format!("i{at}"),
                at: 0,
                until: Some(*until),
            };
            (("north".to_owned(), format!("g{at}")), proof)
        };
        Proven {
            offender: offender.parse().unwrap(),
            gates: until
                .iter()
                .enumerate()
                .map(gate)
                .collect::<BTreeMap<_, _>>(),
            campaign: "campaign-1".to_owned(),
            class: Class::Scan,
        }
    }

    fn policy(change: impl FnOnce(&mut Fleet)) -> Policy {
        let mut settings = Fleet {
            mode: FleetMode::Enforce,
            ..Fleet::default()
        };
        change(&mut settings);
        Policy::new(settings, Vec::new())
    }

    #[test]
    fn a_fleet_block_lasts_as_long_as_the_longest_and_is_extended() {
        let mut policy = policy(|_| {});
        let block = policy
            .conclude(&proven("203.0.113.9", &[50 * SECOND, 90 * SECOND]), 0)
            .unwrap();
        assert_eq!(
            (block.target.as_str(), block.expires, block.version),
            ("203.0.113.9/32", Some(90 * SECOND), 1)
        );
        assert_eq!(
            policy.conclude(&proven("203.0.113.9", &[90 * SECOND]), 1),
            None
        );
        let longer = policy
            .conclude(&proven("203.0.113.9", &[200 * SECOND]), 2)
            .unwrap();
        assert_eq!(
            (longer.id, longer.version, longer.expires),
            (block.id, 2, Some(200 * SECOND))
        );
        assert_eq!(policy.tick(199 * SECOND), []);
        assert_eq!(policy.tick(200 * SECOND)[0].state, "expired");
        assert_eq!(policy.blocks().count(), 0);
    }

    #[test]
    fn who_is_exempt_is_never_concluded_and_the_past_neither() {
        let mut policy =
            policy(|settings| settings.exempt = vec!["203.0.113.0/24".parse().unwrap()]);
        for offender in [
            "10.0.0.1",
            "203.0.113.9",
            "127.0.0.1",
            "fe80::1",
            "::ffff:192.168.1.1",
        ] {
            assert_eq!(
                policy.conclude(&proven(offender, &[9 * SECOND]), 0),
                None,
                "{offender}"
            );
        }
        assert_eq!(
            policy.conclude(&proven("198.51.100.1", &[9 * SECOND]), 9 * SECOND),
            None
        );
    }

    #[test]
    fn what_is_too_many_in_a_minute_waits_for_the_next() {
        let mut policy = policy(|settings| settings.max_per_minute = 2);
        let until = [600 * SECOND];
        let concluded =
            (1..=5).filter_map(|n| policy.conclude(&proven(&format!("203.0.113.{n}"), &until), 0));
        assert_eq!(concluded.count(), 2);
        assert_eq!(policy.tick(59 * SECOND), []);
        assert_eq!(policy.tick(60 * SECOND).len(), 2);
        assert_eq!(policy.tick(121 * SECOND).len(), 1);
    }

    #[test]
    fn in_observe_it_is_only_concluded() {
        let mut policy = policy(|settings| settings.mode = FleetMode::Observe);
        let block = policy
            .conclude(&proven("203.0.113.9", &[9 * SECOND]), 0)
            .unwrap();
        assert!(block.state == "observed" && !block.holds(1));
    }
}
