//! What people and coordinators may have done: each action is judged by the guard, carried out, and audited.
//! There is no other way to change a list by hand.

use std::collections::BTreeSet;
use std::time::Duration;

use ipnet::IpNet;
use sha2::{Digest, Sha256};

use super::active::{ActiveBlock, NEVER};
use super::allowances::is_too_wide;
use super::{Blocklist, Notice, after};
use crate::action::{Actor, Done, Refusal};
use crate::clock::Moment;
use crate::store::Entry;
use contract::action::{Action, LONGEST, Lifetime};
use contract::address::{canonical, is_host, shown};
use contract::printable::{hex, printable};
use contract::record::Origin;
use contract::record::{Allowance, Block, BlockState, Review, Scope};
use contract::timestamp::clock;
use detection::policy::{Exemption, Outcome};

/// Reasons are kept and shown in tables; what is longer is cut.
const REASON_CHARACTERS: usize = 300;

impl Blocklist {
    /// Carries out an action, or says why not; either way it is audited.
    pub fn act(&mut self, actor: &Actor, action: Action, now: Moment) -> Result<Done, Refusal> {
        let (words, object) = action.words();
        let action_reason = action.reason().to_owned();
        let outcome = self.carry_out(actor, action, now);
        let said = match &outcome {
            Ok(done) => done.message.clone(),
            Err(refusal) => format!("refused: {refusal}"),
        };
        let reason = match printable(action_reason.trim()) {
            reason if reason.is_empty() => String::new(),
            reason => format!("; reason: {reason}"),
        };
        self.audit((&actor.name, words), &object, &(said + &reason));
        outcome
    }

    /// Carries out many actions of one kind; one entry in the audit names their number, and their targets by a hash, so
    /// that a long list pushes nothing out of it.
    pub fn act_on_all(
        &mut self,
        actor: &Actor,
        actions: Vec<Action>,
        now: Moment,
    ) -> Vec<Result<Done, Refusal>> {
        let several = actions.len() > 1;
        if !several {
            let each = actions.into_iter();
            return each.map(|action| self.act(actor, action, now)).collect();
        }
        let mut targets = Sha256::new();
        let mut kinds = BTreeSet::new();
        for action in &actions {
            let (words, object) = action.words();
            kinds.insert(words);
            targets.update(object);
            targets.update("\n");
        }
        let outcomes: Vec<_> = actions
            .into_iter()
            .map(|action| self.carry_out(actor, action, now))
            .collect();
        let refused = outcomes.iter().filter(|outcome| outcome.is_err()).count();
        let object = format!(
            "{} targets, one a line: SHA-256 {}",
            outcomes.len(),
            hex(&targets.finalize())
        );
        let said = format!("{} done, {refused} refused", outcomes.len() - refused);
        let kinds: Vec<&str> = kinds.into_iter().collect();
        self.audit((&actor.name, &kinds.join(", ")), &object, &said);
        outcomes
    }

    fn carry_out(&mut self, actor: &Actor, action: Action, now: Moment) -> Result<Done, Refusal> {
        if action.span() > LONGEST {
            let sentence =
                "nothing lasts longer than ten years; leave the time open with permanent";
            return Err(Refusal::Invalid(sentence.to_owned()));
        }
        match action {
            Action::Block {
                target,
                ttl,
                reason,
                confirm,
                force,
            } => {
                let order = Order {
                    target: canonical(target),
                    ttl,
                    reason: reason_of(&reason, "by hand"),
                    confirm,
                    force,
                    review: None,
                };
                self.order_block(actor, order, now)
            }
            Action::Confirm { target } => self.confirm(canonical(target), now),
            Action::Release { target, reason } => {
                let reason = reason_of(&reason, "by hand");
                self.release(actor, (canonical(target), &reason), now)
            }
            Action::Allow { net, ttl, reason } => {
                let reason = reason_of(&reason, "by hand");
                let ttl = match ttl {
                    Lifetime::For(ttl) => Some(ttl),
                    Lifetime::Default | Lifetime::Permanent => None,
                };
                self.allow(actor, (canonical(net), ttl, reason), now)
            }
            Action::Disallow { net } => self.disallow(actor, canonical(net), now),
            Action::Approve { review, ttl } => self.approve(actor, (&review, ttl), now),
            Action::Dismiss { review, reason } => self.dismiss(actor, (&review, &reason), now),
            Action::Enforce { on, span } => self.enforce_by(on, span, now),
        }
    }

    pub(super) fn order_block(
        &mut self,
        actor: &Actor,
        order: Order,
        now: Moment,
    ) -> Result<Done, Refusal> {
        let target = order.target;
        let mut forced = false;
        if let Some(exemption) = self.guard.exemption(target) {
            forced = order.force && actor.origin == Origin::Operator;
            if !forced {
                return Err(Refusal::Exempt { target, exemption });
            }
            if let Some((address, role)) = self.guard.indispensable(target) {
                return Err(Refusal::Invalid(format!(
                    "{} holds {address}, which --force cannot block either: {role}",
                    shown(target)
                )));
            }
        }
        let known = self.active.get(&target);
        if known.is_none() && self.active.len() >= self.policy.max_blocks.size() {
            let sentence = "there are policy.max_blocks blocks already; remove some first";
            return Err(Refusal::Conflict(sentence.to_owned()));
        }
        let prefixes = self.active.prefix_count();
        if known.is_none() && !is_host(&target) && prefixes >= self.policy.max_prefixes.size() {
            let sentence =
                "there are policy.max_prefixes prefixes blocked already; remove some first";
            return Err(Refusal::Conflict(sentence.to_owned()));
        }
        let left = match order.ttl {
            Lifetime::Default => Some(self.policy.block_ttl.get()),
            Lifetime::For(ttl) => Some(ttl),
            Lifetime::Permanent => None,
        };
        if let Some(span) = order.confirm {
            confirmable(&shown(target), known, (left, span))?;
        }
        let begun = known.map_or(now.wall, |known| known.block.begun);
        let review = order.review.as_ref();
        let block = Block {
            target,
            state: BlockState::Observed,
            origin: actor.origin,
            by: printable(&actor.name).into_owned(),
            reason: order.reason,
            class: review.map(|review| review.class),
            incident: review.map(|review| review.id.clone()),
            offence: 0,
            begun,
            expires: left.map(|left| now.wall.after(left)),
            confirm_by: order.confirm.map(|span| now.wall.after(span)),
            forced,
            scope: Scope::All,
            service: None,
            quiet: false,
        };
        let until = block.expires.map_or("for good".to_owned(), |expires| {
            format!("until {}", clock(expires))
        });
        let expires = after(now, left);
        let unconfirmed = order.confirm.map_or(NEVER, |span| after(now, Some(span)));
        self.notify(Notice::Hold(target, expires));
        let shown = shown(target);
        let undo = order.confirm.map_or(String::new(), |span| {
            let span = humantime::format_duration(span);
            format!("; it undoes itself in {span} unless `garita blocks confirm {shown}` follows")
        });
        match self.put(block, (expires, unconfirmed), now) {
            Outcome::Enforced => Ok(Done::new(format!("{shown} is blocked {until}{undo}"))),
            Outcome::Failed(why) => Err(Refusal::Failed(format!(
                "{shown} is on the list {until}, but not enforced: {why}"
            ))),
            Outcome::Observed | Outcome::Exempt(_) => Ok(Done::new(format!(
                "{shown} would be blocked {until}, but {}{undo}",
                self.why_not_enforced()
            ))),
        }
    }

    fn why_not_enforced(&self) -> &'static str {
        match self.mode {
            settings::FirewallMode::Observe => "firewall.mode is observe",
            settings::FirewallMode::Enforce => "enforcement is switched off",
        }
    }

    fn confirm(&mut self, target: IpNet, now: Moment) -> Result<Done, Refusal> {
        let waits = self
            .active
            .get(&target)
            .is_some_and(|held| held.unconfirmed != NEVER);
        let held = if waits {
            self.active.strike(&target)
        } else {
            None
        };
        let Some(mut held) = held else {
            let shown = shown(target);
            return Err(Refusal::NotFound(format!(
                "no block of {shown} waits to be confirmed"
            )));
        };
        held.unconfirmed = NEVER;
        held.block.confirm_by = None;
        self.keep(Entry::Block(held.block.clone()));
        self.active.enter(held);
        // Until now the kernel held it only as long as it might have to be undone.
        match self.apply(target, now) {
            Outcome::Failed(why) => Err(Refusal::Failed(format!(
                "the block of {} stands, but is not enforced: {why}",
                shown(target)
            ))),
            _ => Ok(Done::new(format!("the block of {} stands", shown(target)))),
        }
    }

    fn release(
        &mut self,
        actor: &Actor,
        (target, reason): (IpNet, &str),
        now: Moment,
    ) -> Result<Done, Refusal> {
        let shown = shown(target);
        let by = printable(&actor.name);
        let services = match is_host(&target) {
            true => self.lift_services(&target, (&by, reason), now),
            false => 0,
        };
        let Some(held) = self.active.strike(&target) else {
            if services > 0 {
                return Ok(Done::new(format!(
                    "{shown} is not kept from any service any more"
                )));
            }
            let around = self.active.around(target);
            let around: Vec<String> = around
                .iter()
                .map(|block| block.target.to_string())
                .collect();
            return Err(Refusal::NotFound(match around.as_slice() {
                [] => format!("{shown} is not blocked"),
                nets => format!("{shown} is blocked only as part of {}", nets.join(", ")),
            }));
        };
        self.lift(held, (&printable(&actor.name), reason), now);
        Ok(Done::new(format!("{shown} is not blocked any more")))
    }

    pub(super) fn allow(
        &mut self,
        actor: &Actor,
        (net, ttl, reason): (IpNet, Option<Duration>, String),
        now: Moment,
    ) -> Result<Done, Refusal> {
        if is_too_wide(&net) {
            let sentence = "is more than one network of yours; `garita enforce off` lets everybody in, and says so";
            return Err(Refusal::Invalid(format!("{net} {sentence}")));
        }
        let full = self.allowances.len() >= self.policy.max_allowances.size();
        if full && !self.allowances.holds(&net) {
            let sentence =
                "there are policy.max_allowances networks allowed already; remove some first";
            return Err(Refusal::Conflict(sentence.to_owned()));
        }
        let allowance = Allowance {
            net,
            by: printable(&actor.name).into_owned(),
            reason,
            since: now.wall,
            expires: ttl.map(|ttl| now.wall.after(ttl)),
        };
        self.keep(Entry::Allowance(allowance.clone()));
        let until = allowance.expires.map_or("for good".to_owned(), |expires| {
            format!("until {}", clock(expires))
        });
        self.allowances.enter(allowance, after(now, ttl));
        self.revise_guard(now);
        let on_list = "it is on the allow list now";
        self.lift_services(&net, (&printable(&actor.name), on_list), now);
        let inside = self.active.within(&net);
        for target in &inside {
            if let Some(held) = self.active.strike(target) {
                self.lift(
                    held,
                    (&printable(&actor.name), "it is on the allow list now"),
                    now,
                );
            }
        }
        let released = match inside.len() {
            0 => String::new(),
            1 => "; its block is lifted".to_owned(),
            many => format!("; {many} blocks in it are lifted"),
        };
        let mut forced = self.active.iter().filter(|held| held.block.forced);
        let around = forced.find(|held| held.block.target.contains(&net));
        let kept_out = around.map_or(String::new(), |held| {
            let target = shown(held.block.target);
            format!(
                "; the forced block of {target} keeps it out until `garita blocks remove {target}`"
            )
        });
        Ok(Done::new(format!(
            "{} is allowed {until}{released}{kept_out}",
            shown(net)
        )))
    }

    fn disallow(&mut self, actor: &Actor, net: IpNet, now: Moment) -> Result<Done, Refusal> {
        let shown = shown(net);
        if self.allowances.strike(&net).is_none() {
            let listed = matches!(self.guard.exemption(net), Some(Exemption::Listed(_)));
            return Err(if listed {
                let sentence = format!(
                    "{shown} is exempt by policy.exempt: take it out of the configuration and reload"
                );
                Refusal::Conflict(sentence)
            } else {
                Refusal::NotFound(format!("{shown} is not on the allow list"))
            });
        }
        self.keep(Entry::Disallowed {
            net,
            at: now.wall,
            by: printable(&actor.name).into_owned(),
        });
        self.revise_guard(now);
        Ok(Done::new(format!(
            "{shown} is not on the allow list any more"
        )))
    }
}

/// Whether a block of so long can undo itself after `span`: what stood before it would be undone with it.
fn confirmable(
    target: &str,
    known: Option<&ActiveBlock>,
    (left, span): (Option<Duration>, Duration),
) -> Result<(), Refusal> {
    if known.is_some_and(|known| known.unconfirmed == NEVER) {
        let sentence = "is blocked already, and that block would be undone too; leave out --confirm, or remove it first";
        return Err(Refusal::Conflict(format!("{target} {sentence}")));
    }
    if left.is_some_and(|left| left <= span) {
        let sentence =
            "would end before it had to be confirmed; leave out --confirm, or let it last longer";
        return Err(Refusal::Invalid(format!(
            "the block of {target} {sentence}"
        )));
    }
    Ok(())
}

/// A block as somebody orders it.
pub(super) struct Order {
    pub(super) target: IpNet,
    pub(super) ttl: Lifetime,
    pub(super) reason: String,
    pub(super) confirm: Option<Duration>,
    pub(super) force: bool,
    pub(super) review: Option<Review>,
}

pub(super) fn reason_of(said: &str, otherwise: &str) -> String {
    let said = printable(said.trim());
    match said.is_empty() {
        true => otherwise.to_owned(),
        false => said.chars().take(REASON_CHARACTERS).collect(),
    }
}
