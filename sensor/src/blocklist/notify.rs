//! What the blocklist tells and records: incidents, blocks, reviews, and who did what.
//! It changes no list but that of the reviews.

use std::net::IpAddr;

use super::{Blocklist, after};
use crate::clock::Moment;
use crate::incident::{Revision, Stage};
use crate::store::{Entry, Message};
use contract::address::shown;
use contract::condition::Name;
use contract::incident::Incident;
use contract::printable::printable;
use contract::record::Origin;
use contract::record::{Answered, Block, BlockChange, BlockEvent, Review, ReviewState};
use contract::topics::Topic;
use detection::policy::{Cause, Exemption};

impl Blocklist {
    /// Puts an incident before a person, unless one has let its offender in for a time, as who dismisses a review does.
    pub(super) fn ask_for_review(
        &mut self,
        incident: &Incident,
        (cause, address): (&Cause, IpAddr),
        now: Moment,
    ) {
        if matches!(cause, Cause::Exempt(Exemption::Allowed(_))) && self.allowances.bears(address) {
            return;
        }
        let ttl = self.policy.review_ttl.get();
        let review = Review {
            id: incident.event.id.clone(),
            address: address.to_canonical(),
            class: incident.garita.class,
            cause: cause.to_string(),
            message: printable(&incident.message).into_owned(),
            asked: now.wall,
            lapses: now.wall.after(ttl),
            state: ReviewState::Open,
            answered: None,
        };
        if self.reviews.enter(review.clone(), after(now, Some(ttl))) {
            self.keep(Entry::Review(review));
        }
    }

    /// The blocks of this minute are used up.
    pub(super) fn note_budget(&mut self, now: Moment) {
        self.budget_exhausted = now.micros;
        let words = "the blocks of this minute are used up (policy.max_blocks_per_minute, \
                     policy.max_unproven_blocks_per_minute); further decisions go to a person";
        self.tools
            .conditions
            .raise(Name::BudgetExhausted, ("", words), now.wall);
    }

    pub(super) fn answer_review(
        &mut self,
        id: &str,
        (state, by): (ReviewState, &str),
        now: Moment,
    ) {
        if let Some(review) = self.reviews.strike(id) {
            self.close_review(review, (state, by), now);
        }
    }

    pub(super) fn close_review(
        &self,
        mut review: Review,
        (state, by): (ReviewState, &str),
        now: Moment,
    ) {
        review.state = state;
        review.answered = Some(Answered {
            by: by.to_owned(),
            at: now.wall,
        });
        self.keep(Entry::Review(review));
    }

    pub(super) fn tell(&self, revision: Revision, features: &[f32]) {
        let incident = &revision.incident;
        let body = match serde_json::to_string(incident) {
            Ok(body) => body,
            Err(error) => {
                tracing::error!(
                    "incident {} cannot be written as JSON: {error}",
                    incident.event.id
                );
                return;
            }
        };
        let message = Message {
            topic: Topic::Incident,
            severity: incident.event.severity,
            id: format!("{}-{}", incident.event.id, incident.garita.revision),
            kind: match revision.stage {
                Stage::Begun => "garita.incident.begun",
                Stage::Changed => "garita.incident.changed",
                Stage::Ended => "garita.incident.ended",
            }
            .to_owned(),
            at: incident.timestamp,
            body,
        };
        if revision.stage == Stage::Begun {
            tracing::info!("{}", incident.message);
        }
        self.keep(Entry::Incident {
            revision: Box::new(revision),
            features: features.to_vec(),
            message: Some(message),
        });
    }

    pub(super) fn tell_block(
        &self,
        (event, block): (BlockChange, Block),
        (by, reason): (&str, &str),
        now: Moment,
    ) {
        let target = shown(block.target);
        // What people order they know, and an import of many thousand is no news to the log.
        match block.origin {
            Origin::Detection => {
                tracing::info!("block of {target} {}: {reason} (by {by})", event.as_str())
            }
            _ => tracing::debug!("block of {target} {}: {reason} (by {by})", event.as_str()),
        }
        let told = BlockEvent {
            event,
            at: now.wall,
            by: by.to_owned(),
            reason: reason.to_owned(),
            block,
        };
        let Ok(body) = serde_json::to_string(&told) else {
            return;
        };
        self.keep(Entry::Publish(Message {
            topic: Topic::Block,
            severity: 2,
            id: format!("{target}-{}-{}", event.as_str(), now.micros),
            kind: format!("garita.block.{}", event.as_str()),
            at: now.wall,
            body,
        }));
    }

    pub(super) fn audit(&self, (by, action): (&str, &str), object: &str, outcome: &str) {
        self.keep(Entry::Audit {
            by: printable(by).into_owned(),
            action: action.to_owned(),
            object: printable(object).into_owned(),
            outcome: printable(outcome).into_owned(),
        });
    }
}
