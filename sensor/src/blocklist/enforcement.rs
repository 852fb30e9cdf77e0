//! What is done about a block: entered, recorded, enforced, lifted, and tried again where the kernel refused.
//! Nobody is asked here; the guard has been.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::active::{ActiveBlock, NEVER, host};
use super::{Blocklist, Notice, SENSOR, after};
use crate::clock::Moment;
use crate::firewall::{DesiredState, Element, FirewallError};
use crate::store::Entry;
use contract::address::{is_host, shown, without};
use contract::condition::Name;
use contract::record::Origin;
use contract::record::{Block, BlockChange, BlockState};
use detection::policy::Outcome;

/// Blocks the kernel refused that are tried again in one round.
const RETRIES: usize = 256;

/// What the kernel has not taken yet besides blocks; those are marked in the list.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// Hosts to be released. They were enforced once, so there are no more than blocks.
    released: BTreeSet<IpAddr>,
    /// Whether the prefixes, the allowed networks, or all of the table are not what they should be.
    rules: bool,
}

impl Backlog {
    fn is_empty(&self) -> bool {
        self.released.is_empty() && !self.rules
    }
}

impl Blocklist {
    /// Enters a block, records it, and has the firewall enforce it. The caller has asked the guard.
    pub(super) fn put(
        &mut self,
        mut block: Block,
        (expires, unconfirmed): (u64, u64),
        now: Moment,
    ) -> Outcome {
        let change = match self.active.get(&block.target) {
            Some(_) => BlockChange::Extended,
            None => BlockChange::Added,
        };
        if self.enforces() {
            block.state = BlockState::Enforced;
        }
        // Recorded first: whatever the kernel holds without a record would come back as somebody else's.
        self.keep(Entry::Block(block.clone()));
        let target = block.target;
        let forced = block.forced;
        self.active.enter(ActiveBlock {
            block,
            expires,
            unconfirmed,
        });
        if forced {
            self.rewrite_allowed(now);
        }
        let outcome = self.apply(target, now);
        if let Some(held) = self.active.get(&target) {
            let by = held.block.by.clone();
            let reason = held.block.reason.clone();
            let told = held.block.clone();
            self.tell_block((change, told), (&by, &reason), now);
        }
        outcome
    }

    /// The same of one of a crowd, which is recorded and told by itself: a minute later it is over.
    pub(super) fn put_quietly(
        &mut self,
        mut block: Block,
        (expires, unconfirmed): (u64, u64),
        now: Moment,
    ) -> Outcome {
        if self.enforces() {
            block.state = BlockState::Enforced;
        }
        let target = block.target;
        self.active.enter(ActiveBlock {
            block,
            expires,
            unconfirmed,
        });
        self.apply(target, now)
    }

    /// Has the firewall take one block of the list, and notes what came of it.
    pub(super) fn apply(&mut self, target: IpNet, now: Moment) -> Outcome {
        if !self.enforces() {
            self.mark(target, BlockState::Observed);
            return Outcome::Observed;
        }
        let Some(held) = self.active.get(&target) else {
            return Outcome::Observed;
        };
        let done = match is_host(&target) {
            true => self
                .tools
                .firewall
                .block(&[host(&held.element(now.micros))]),
            false => self
                .tools
                .firewall
                .block_prefixes(&self.active.prefixes(now.micros)),
        };
        match done {
            Ok(()) => {
                self.mark(target, BlockState::Enforced);
                self.tools.firewall.outcome()
            }
            Err(error) => {
                let error = self.complain(&error, now);
                self.mark(target, BlockState::Failed);
                Outcome::Failed(error)
            }
        }
    }

    fn mark(&mut self, target: IpNet, state: BlockState) {
        let Some(mut held) = self.active.strike(&target) else {
            return;
        };
        if held.block.state != state {
            held.block.state = state;
            if !held.block.quiet {
                self.keep(Entry::Block(held.block.clone()));
            }
        }
        self.active.enter(held);
    }

    /// A block's end, or its deadline for being confirmed, has come.
    pub(super) fn end(&mut self, held: ActiveBlock, now: Moment) {
        if held.expires > now.micros {
            self.lift(held, (SENSOR, "it was not confirmed in time"), now);
            return;
        }
        // The kernel's own timeout has let it go; a forced block leaves a hole in what is allowed.
        if held.block.forced {
            self.rewrite_allowed(now);
        }
        if held.block.quiet {
            return;
        }
        self.tell_block(
            (BlockChange::Released, held.block),
            (SENSOR, "its time is over"),
            now,
        );
    }

    /// Lifts a block that has been taken out of the list before its time.
    pub(super) fn lift(&mut self, held: ActiveBlock, (by, reason): (&str, &str), now: Moment) {
        let target = held.block.target;
        self.keep(Entry::Released {
            target,
            service: None,
            at: now.wall,
            by: by.to_owned(),
            reason: reason.to_owned(),
        });
        if !is_host(&target) {
            self.rewrite_prefixes(now);
        } else if self.enforces()
            && let Err(error) = self.tools.firewall.release(&[target.addr()])
        {
            self.complain(&error, now);
            self.backlog.released.insert(target.addr());
        }
        if held.block.forced {
            self.rewrite_allowed(now);
        }
        self.notify(Notice::Release(target));
        self.tell_block((BlockChange::Released, held.block), (by, reason), now);
    }

    pub(super) fn deleted_by_hand(&mut self, target: IpNet, now: Moment) {
        let Some(held) = self.active.strike(&target) else {
            return;
        };
        let by = "somebody at nft";
        self.audit(
            (by, "blocks remove"),
            &shown(target),
            "released: its element was deleted from the kernel's set",
        );
        self.lift(
            held,
            (by, "its element was deleted from the kernel's set"),
            now,
        );
    }

    /// Makes the rules stand and has them hold exactly the list; elements nobody knows are adopted.
    pub(super) fn take_up(&mut self, now: Moment) -> Result<(), FirewallError> {
        if !self.enforces() {
            self.mark_all(&BlockState::Observed);
            return Ok(());
        }
        let done = self.install(now);
        let state = match &done {
            Ok(()) => {
                self.backlog.rules = false;
                if self.backlog.is_empty() {
                    self.tools
                        .conditions
                        .clear(Name::EnforcementFailed, "", now.wall);
                }
                BlockState::Enforced
            }
            Err(error) => {
                self.complain(error, now);
                BlockState::Failed
            }
        };
        self.mark_all(&state);
        done
    }

    /// Gives every block a state.
    pub(super) fn mark_all(&mut self, state: &BlockState) {
        self.active.mark_all(state);
        self.services.mark_all(state);
    }

    fn install(&mut self, now: Moment) -> Result<(), FirewallError> {
        let wanted = DesiredState {
            hosts: self.active.hosts(now.micros),
            prefixes: self.active.prefixes(now.micros),
            services: self.services.elements(now.micros),
            allowed: self.allowed(),
        };
        for element in self.tools.firewall.install(&wanted)? {
            if !self.backlog.released.contains(&element.target.addr()) {
                self.adopt(element, now);
            }
        }
        Ok(())
    }

    /// An element of the kernel without a record: a block of a run that was killed before it could write.
    fn adopt(&mut self, element: Element, now: Moment) {
        let block = Block {
            target: element.target,
            state: BlockState::Enforced,
            origin: Origin::Recovered,
            by: SENSOR.to_owned(),
            reason: "it stood in the kernel without a record".to_owned(),
            class: None,
            incident: None,
            offence: 0,
            begun: now.wall,
            expires: element.left.map(|left| now.wall.after(left)),
            confirm_by: None,
            forced: false,
            scope: element.scope,
            service: None,
            quiet: false,
        };
        let expires = after(now, element.left);
        self.keep(Entry::Block(block.clone()));
        self.notify(Notice::Hold(element.target, expires));
        self.active.enter(ActiveBlock {
            block,
            expires,
            unconfirmed: NEVER,
        });
    }

    /// Tries again what the kernel refused.
    pub(super) fn retry(&mut self, now: Moment) {
        let failed = match self.enforces() {
            true => self.active.failed(RETRIES),
            false => Vec::new(),
        };
        if failed.is_empty() && self.backlog.is_empty() {
            return;
        }
        let refused = self.catch_up(now).is_err()
            || failed
                .iter()
                .any(|target| matches!(self.apply(*target, now), Outcome::Failed(_)));
        // A table that is gone refuses everything; making it anew mends that.
        if refused && self.take_up(now).is_err() {
            return;
        }
        if self.active.failed(1).is_empty() && self.backlog.is_empty() {
            self.tools
                .conditions
                .clear(Name::EnforcementFailed, "", now.wall);
        }
    }

    /// Brings the kernel in line with everything that is not a block.
    fn catch_up(&mut self, now: Moment) -> Result<(), FirewallError> {
        if self.backlog.is_empty() {
            return Ok(());
        }
        if self.enforces() {
            let released = self.backlog.released.iter().copied();
            let gone = released.filter(|address| self.active.get(&(*address).into()).is_none());
            let gone: Vec<IpAddr> = gone.collect();
            let (prefixes, allowed) = (self.active.prefixes(now.micros), self.allowed());
            let services = self.services.elements(now.micros);
            let firewall = &mut self.tools.firewall;
            firewall.release(&gone)?;
            firewall.block_prefixes(&prefixes)?;
            firewall.block_services(&services)?;
            firewall.allow(&allowed)?;
        } else {
            self.tools.firewall.remove()?;
        }
        self.backlog = Backlog::default();
        Ok(())
    }

    pub(super) fn rewrite_prefixes(&mut self, now: Moment) {
        if self.enforces() {
            let prefixes = self.active.prefixes(now.micros);
            let done = self.tools.firewall.block_prefixes(&prefixes);
            self.note_rules(&done, now);
        }
    }

    pub(super) fn rewrite_allowed(&mut self, now: Moment) {
        if self.enforces() {
            let allowed = self.allowed();
            let done = self.tools.firewall.allow(&allowed);
            self.note_rules(&done, now);
        }
    }

    /// Takes the table out; nothing is dropped any more.
    pub(super) fn take_out(&mut self, now: Moment) -> Result<(), FirewallError> {
        let done = self.tools.firewall.remove();
        self.note_rules(&done, now);
        done
    }

    pub(super) fn note_rules(&mut self, done: &Result<(), FirewallError>, now: Moment) {
        if let Err(error) = done {
            self.complain(error, now);
            self.backlog.rules = true;
        }
    }

    /// What the kernel keeps from being dropped: what the guard protects, but for what was forced.
    pub(super) fn allowed(&self) -> Vec<IpNet> {
        let forced = self.active.iter().filter(|held| held.block.forced);
        let forced: Vec<IpNet> = forced.map(|held| held.block.target).collect();
        let networks = self.guard.networks().into_iter();
        networks.flat_map(|net| without(net, &forced)).collect()
    }
}
