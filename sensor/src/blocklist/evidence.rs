//! Blocks decided on evidence: put on the list and into the kernel, within the bounds of both.
//! Whether the evidence suffices has been decided.

use std::time::Duration;

use ebpf::packet::protocol;

use super::{Blocklist, DETECTION, NEVER, Notice};
use crate::clock::Moment;
use contract::address::is_host;
use contract::record::{Block, BlockState, Scope};
use detection::policy;
use detection::policy::Outcome;
use detection::verdict::Verdict;

impl Blocklist {
    /// Puts a block decided on evidence, and says what came of it.
    pub(super) fn enforce(
        &mut self,
        block: &policy::Block,
        (verdict, id): (&Verdict, &str),
        now: Moment,
    ) -> Outcome {
        if let Some(exemption) = self.guard.exemption(block.target) {
            return Outcome::Exempt(exemption);
        }
        if block.service.is_some() {
            let record = self.record(block, (verdict, id), now);
            return self.put_service(record, block.expires, now);
        }
        let mut target = block.target;
        if !is_host(&target) && self.active.prefix_count() >= self.policy.max_prefixes.size() {
            // The engine holds all of the prefix, of which only this host is kept out.
            self.notify(Notice::Release(target));
            target = verdict.subject.address().into();
            self.notify(Notice::Hold(target, block.expires));
        }
        let known = self.active.get(&target);
        if let Some(known) = known
            && (known.expires >= block.expires && known.block.scope == block.scope
                || known.block.scope < block.scope)
        {
            return state_outcome(&known.block.state);
        }
        if known.is_none() && self.active.len() >= self.policy.max_blocks.size() {
            self.notify(Notice::Release(target));
            return Outcome::Failed("there are policy.max_blocks blocks already".to_owned());
        }
        let begun = known.map_or(now.wall, |known| known.block.begun);
        let mut record = self.record(block, (verdict, id), now);
        record.target = target;
        record.begun = begun;
        let ends = (block.expires, NEVER);
        match verdict.quiet {
            true => self.put_quietly(record, ends, now),
            false => self.put(record, ends, now),
        }
    }

    /// A block decided on evidence, as it is recorded.
    fn record(&self, block: &policy::Block, (verdict, id): (&Verdict, &str), now: Moment) -> Block {
        let left = Duration::from_micros(block.expires.saturating_sub(now.micros));
        Block {
            target: block.target,
            state: BlockState::Observed,
            origin: block.origin,
            by: DETECTION.to_owned(),
            reason: block.reason.clone(),
            class: Some(verdict.class),
            incident: Some(id.to_owned()),
            offence: block.offence,
            begun: now.wall,
            expires: Some(now.wall.after(left)),
            confirm_by: None,
            forced: false,
            scope: block.scope,
            service: block.service.clone(),
            quiet: verdict.quiet,
        }
    }

    /// Whether the kernel could not stop what somebody unproven opens without stopping what they answer.
    pub(super) fn is_beyond_the_kernel(&self, verdict: &Verdict) -> bool {
        let opening = |block: &policy::Block| block.scope == Scope::Opening;
        verdict.decision.block().is_some_and(opening)
            && self.enforces()
            && verdict.flow.protocol != protocol::TCP
            && !self.tools.firewall.tracks()
    }
}

/// What a block is, as incidents say it.
pub(super) fn state_outcome(state: &BlockState) -> Outcome {
    match state {
        BlockState::Enforced => Outcome::Enforced,
        BlockState::Observed => Outcome::Observed,
        BlockState::Failed => {
            Outcome::Failed("the kernel refused it; it is tried again".to_owned())
        }
    }
}
