//! Services that addresses are kept from: a list of its own beside the blocks of whole addresses, within a cap.
//! What is enforced is rewritten at each change; there are few.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::active::ActiveBlock;
use super::{Blocklist, Notice, SENSOR};
use crate::clock::Moment;
use crate::firewall::ServiceElement;
use crate::store::Entry;
use contract::record::{Block, BlockChange, BlockState, Service};
use detection::policy::Outcome;

/// Services that addresses are kept from at once; the engine counts the same.
const MOST: usize = 1_024;

/// What tells one from another.
type Key = (IpNet, u8, Option<IpAddr>, Option<u16>);

/// Blocks of services, by target and service.
#[derive(Debug, Default)]
pub(super) struct ServiceBlocks(BTreeMap<Key, ActiveBlock>);

impl ServiceBlocks {
    /// Enters a block, in place of one of the same service; one that is of none is no business of this list.
    pub(super) fn enter(&mut self, held: ActiveBlock) {
        if let Some(key) = key(&held.block) {
            self.0.insert(key, held);
        }
    }

    /// The block of the same target and service.
    fn get(&self, block: &Block) -> Option<&ActiveBlock> {
        self.0.get(&key(block)?)
    }

    fn is_full(&self) -> bool {
        self.0.len() >= MOST
    }

    /// Takes out those of the addresses in a network.
    pub(super) fn strike(&mut self, net: &IpNet) -> Vec<ActiveBlock> {
        let inside = self.0.keys().filter(|(target, ..)| net.contains(target));
        let inside: Vec<Key> = inside.copied().collect();
        inside.iter().filter_map(|key| self.0.remove(key)).collect()
    }

    /// Takes out those whose end has come at `now`.
    pub(super) fn over(&mut self, now: u64) -> Vec<ActiveBlock> {
        let over = self.0.iter().filter(|(_, held)| held.expires <= now);
        let over: Vec<Key> = over.map(|(key, _)| *key).collect();
        over.iter().filter_map(|key| self.0.remove(key)).collect()
    }

    /// When the next one ends, monotonic microseconds.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        self.0.values().map(|held| held.expires).min()
    }

    /// Every block.
    pub(super) fn iter(&self) -> impl Iterator<Item = &ActiveBlock> {
        self.0.values()
    }

    /// Gives every block a state.
    pub(super) fn mark_all(&mut self, state: &BlockState) {
        for held in self.0.values_mut() {
            held.block.state = state.clone();
        }
    }

    /// What the firewall is to hold at `now`.
    pub(super) fn elements(&self, now: u64) -> Vec<ServiceElement> {
        let elements = self.0.values().filter_map(|held| {
            Some(ServiceElement {
                source: held.block.target.addr(),
                service: held.block.service.clone()?,
                scope: held.block.scope,
                left: Duration::from_micros(held.expires.saturating_sub(now)),
            })
        });
        elements.collect()
    }
}

fn key(block: &Block) -> Option<Key> {
    let Service {
        protocol,
        address,
        port,
        ..
    } = block.service.as_ref()?;
    Some((block.target, *protocol, *address, *port))
}

impl Blocklist {
    /// Keeps an address from a service on evidence, and says what came of it. The caller has asked the guard.
    pub(super) fn put_service(&mut self, mut block: Block, expires: u64, now: Moment) -> Outcome {
        let known = self.services.get(&block);
        if let Some(known) = known
            && known.expires >= expires
        {
            return super::evidence::state_outcome(&known.block.state);
        }
        let change = match known {
            Some(known) => {
                block.begun = known.block.begun;
                BlockChange::Extended
            }
            None if self.services.is_full() => {
                return Outcome::Failed("as many services are blocked as can be".to_owned());
            }
            None => BlockChange::Added,
        };
        if self.enforces() {
            block.state = BlockState::Enforced;
        }
        self.keep(Entry::Block(block.clone()));
        let (by, reason) = (block.by.clone(), block.reason.clone());
        self.services.enter(ActiveBlock {
            block: block.clone(),
            expires,
            unconfirmed: super::NEVER,
        });
        let outcome = match self.rewrite_services(now) {
            Ok(()) => self.tools.firewall.outcome(),
            Err(why) => {
                block.state = BlockState::Failed;
                Outcome::Failed(why)
            }
        };
        self.tell_block((change, block), (&by, &reason), now);
        outcome
    }

    /// Has the firewall hold exactly the list; what it refuses is tried again with the rest of the rules.
    pub(super) fn rewrite_services(&mut self, now: Moment) -> Result<(), String> {
        if !self.enforces() {
            return Ok(());
        }
        let elements = self.services.elements(now.micros);
        let done = self.tools.firewall.block_services(&elements);
        self.note_rules(&done, now);
        done.map_err(|error| contract::printable::sentence(&error))
    }

    /// Ends those whose time is over; the kernel's own timeout has let them go.
    pub(super) fn end_services(&mut self, now: Moment) {
        for held in self.services.over(now.micros) {
            let over = (SENSOR, "its time is over");
            self.tell_block((BlockChange::Released, held.block), over, now);
        }
    }

    /// Lets the addresses in a network use everything again; returns how many blocks that ends.
    pub(super) fn lift_services(
        &mut self,
        net: &IpNet,
        (by, reason): (&str, &str),
        now: Moment,
    ) -> usize {
        let lifted = self.services.strike(net);
        if lifted.is_empty() {
            return 0;
        }
        // What the kernel refuses is said, and tried again.
        let _ = self.rewrite_services(now);
        let count = lifted.len();
        for held in lifted {
            self.keep(Entry::Released {
                target: held.block.target,
                service: held.block.service.clone(),
                at: now.wall,
                by: by.to_owned(),
                reason: reason.to_owned(),
            });
            self.notify(Notice::Release(held.block.target));
            self.tell_block((BlockChange::Released, held.block), (by, reason), now);
        }
        count
    }
}
