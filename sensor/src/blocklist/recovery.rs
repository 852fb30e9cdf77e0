//! What the store remembers from before the program began: blocks with the time they have left, offences, the switch.
//! Nothing is enforced here; that follows in one go.

use std::time::Duration;

use super::active::{ActiveBlock, NEVER};
use super::{Blocklist, Notice, Switch, after};
use crate::clock::Moment;
use crate::store::{Entry, LastRevision, Message, Recovered};
use contract::record::Block;
use contract::timestamp::Timestamp;
use contract::topics::Topic;
use detection::policy::Offence;

/// The setting that says whether enforcement was switched off.
pub(super) const SWITCH: &str = "enforcement";

impl Blocklist {
    /// Takes over what the store remembers.
    pub(super) fn recover(&mut self, recovered: Recovered, now: Moment) {
        self.restore_switch(recovered.settings.get(SWITCH), now);
        for allowance in recovered.allowances {
            let expires = monotonic(allowance.expires, now);
            if expires > now.micros {
                self.allowances.enter(allowance, expires);
            }
        }
        for review in recovered.reviews {
            let lapses = monotonic(Some(review.lapses), now);
            self.reviews.enter(review, lapses);
        }
        // The clock may have been set back meanwhile: nobody has longer to serve than the longest block.
        let longest = after(now, Some(self.policy.max_block_ttl.get()));
        for offences in recovered.offences {
            let offence = Offence {
                count: offences.count,
                served: relative(offences.served, now).min(longest),
            };
            self.notify(Notice::Recall(offences.address, offence));
        }
        for block in recovered.blocks {
            self.restore(block, now);
        }
        for last in recovered.open {
            self.end_abandoned(last);
        }
    }

    /// An incident of a run that was killed ends here: what goes on of it is a new one.
    fn end_abandoned(&self, last: LastRevision) {
        let message = Message {
            topic: Topic::Incident,
            severity: last.severity,
            id: format!("{}-{}", last.id, last.number),
            kind: "garita.incident.ended".to_owned(),
            at: last.at,
            body: last.document.clone(),
        };
        self.keep(Entry::Abandoned {
            last,
            message: Some(message),
        });
    }

    /// A block comes back with what it has left, at most what it had in all: the clock may have been set meanwhile.
    fn restore(&mut self, block: Block, now: Moment) {
        let whole = block.expires.map(|expires| expires.since(block.begun));
        let left = block.expires.map(|expires| expires.since(now.wall));
        let left = left.zip(whole).map(|(left, whole)| left.min(whole));
        if left == Some(Duration::ZERO) || self.active.len() >= self.policy.max_blocks.size() {
            return;
        }
        let expires = after(now, left);
        let unconfirmed = monotonic(block.confirm_by, now);
        let notice = match &block.service {
            Some(service) => Notice::HoldService(block.target.addr(), service.clone(), expires),
            None => Notice::Hold(block.target, expires),
        };
        self.notify(notice);
        let held = ActiveBlock {
            block,
            expires,
            unconfirmed,
        };
        match held.block.service {
            Some(_) => self.services.enter(held),
            None => self.active.enter(held),
        }
    }

    fn restore_switch(&mut self, written: Option<&String>, now: Moment) {
        let Some(switch) = written.and_then(|written| serde_json::from_str(written).ok()) else {
            return;
        };
        let over = matches!(switch, Switch::OffUntil(until) if until <= now.wall);
        self.switch = if over { Switch::On } else { switch };
        if over {
            self.note_end_of_switch();
        }
        self.switch_on = match self.switch {
            Switch::OffUntil(until) => monotonic(Some(until), now),
            Switch::On | Switch::Off => NEVER,
        };
        self.remind_of_switch(now);
    }
}

/// When a moment of wall time was, or will be, on the boot clock; its beginning where it was before.
fn relative(wall: Timestamp, now: Moment) -> u64 {
    let ago = u64::try_from(now.wall.since(wall).as_micros()).unwrap_or(u64::MAX);
    match ago {
        0 => after(now, Some(wall.since(now.wall))),
        _ => now.micros.saturating_sub(ago),
    }
}

/// When a moment of wall time comes, on the boot clock; never where there is none.
fn monotonic(wall: Option<Timestamp>, now: Moment) -> u64 {
    wall.map_or(NEVER, |wall| after(now, Some(wall.since(now.wall))))
}
