//! How a person's answer to a review is carried out: as a block, or as an allowance.

use ipnet::IpNet;

use super::actions::{Order, reason_of};
use super::{Blocklist, after};
use crate::action::{Actor, Done, Refusal};
use crate::clock::Moment;
use contract::action::Lifetime;
use contract::address::shown;
use contract::printable::printable;
use contract::record::{Review, ReviewState};

impl Blocklist {
    pub(super) fn approve(
        &mut self,
        actor: &Actor,
        (review, ttl): (&str, Lifetime),
        now: Moment,
    ) -> Result<Done, Refusal> {
        let review = self.review(review)?;
        let order = Order {
            target: IpNet::from(review.address),
            ttl,
            reason: format!("{}, approved by a person", review.class),
            confirm: None,
            force: false,
            review: Some(review.clone()),
        };
        let done = self.order_block(actor, order, now)?;
        self.answer_review(&review.id, (ReviewState::Approved, &actor.name), now);
        Ok(done)
    }

    pub(super) fn dismiss(
        &mut self,
        actor: &Actor,
        (review, reason): (&str, &str),
        now: Moment,
    ) -> Result<Done, Refusal> {
        let review = self.review(review)?;
        let reason = reason_of(reason, "its review was dismissed");
        let (net, ttl) = (IpNet::from(review.address), self.policy.dismiss_ttl.get());
        let done = if self.allowances.cover(&net, after(now, Some(ttl))) {
            Done::new(format!("{} is allowed already", shown(net)))
        } else {
            self.allow(actor, (net, Some(ttl), reason), now)?
        };
        self.answer_review(&review.id, (ReviewState::Dismissed, &actor.name), now);
        Ok(done)
    }

    /// The one open review whose id begins so.
    fn review(&self, beginning: &str) -> Result<Review, Refusal> {
        let found = self.reviews.begun_with(beginning);
        match found.as_slice() {
            [id] if !beginning.is_empty() => self.reviews.get(id).cloned().ok_or(()),
            _ => Err(()),
        }
        .map_err(|()| {
            let shown = printable(beginning);
            Refusal::NotFound(match found.len() {
                0 => format!("no review {shown} waits for an answer"),
                many => format!("{many} reviews begin with {shown}; write more of it"),
            })
        })
    }
}
