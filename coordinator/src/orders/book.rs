//! Orders that are not over: which command is to be sent now, and what an answer makes of its order. It does no IO and
//! reads no clock.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use contract::action::{Action, Lifetime};
use contract::command::{Command, Order as Word};
use contract::reply::ReplyOutcome;
use contract::timestamp::Timestamp;

use crate::config::Orders;
use crate::store::{Order, OrderState};

/// Open orders are looked at again at least this often, microseconds.
const LOOK_AGAIN: i64 = 1_000_000;

/// Refusals that say nothing about the order itself: it is given again.
const PASSING: [&str; 6] = ["expired", "future", "no-clock", "overrun", "away", "failed"];
/// The longest wait between two tries, microseconds.
const LONGEST: i64 = 3_600_000_000;

/// Orders that are not over.
#[derive(Debug)]
pub struct Book {
    settings: Orders,
    open: BTreeMap<String, Order>,
    /// Their names, by cause, site, sensor and action.
    places: BTreeMap<[String; 4], String>,
    /// Nothing is due before; 0 where it has to be looked.
    next: i64,
}

/// A command to be sent, and its order as it is then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sendable {
    /// The command.
    pub command: Command,
    /// Its order.
    pub order: Order,
}

impl Book {
    /// A book with the orders of before.
    pub fn new(settings: Orders, open: Vec<Order>) -> Self {
        let mut book = Self {
            settings,
            open: BTreeMap::new(),
            places: BTreeMap::new(),
            next: 0,
        };
        for order in open {
            book.enter(order);
        }
        book
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Takes an order in, if it is not there yet; whether there is room for it.
    pub fn add(&mut self, order: Order) -> bool {
        if self.open.contains_key(&order.id) {
            return true;
        }
        if self.open.len() >= self.settings.max_open as usize {
            return false;
        }
        self.enter(order);
        true
    }

    fn enter(&mut self, order: Order) {
        self.places.insert(place(&order), order.id.clone());
        self.open.insert(order.id.clone(), order);
        self.next = 0;
    }

    fn remove(&mut self, id: &str) -> Option<Order> {
        let order = self.open.remove(id)?;
        let place = place(&order);
        // A later order for the same has its place.
        if self.places.get(&place).is_some_and(|known| known == id) {
            self.places.remove(&place);
        }
        Some(order)
    }

    /// The open order that carries out `cause` at a sensor by this action.
    pub fn find(&self, cause: &str, (site, sensor): (&str, &str), action: &str) -> Option<&Order> {
        let place = [cause, site, sensor, action].map(str::to_owned);
        self.open.get(self.places.get(&place)?)
    }

    /// Whether anything may be due.
    pub const fn is_due(&self, now: i64) -> bool {
        self.next <= now
    }

    /// Lets go of orders whose time has not come and that are not among `open` any more: their answer was taken back.
    pub fn keep(&mut self, open: &BTreeSet<String>, now: i64) {
        let is_gone = |order: &&Order| {
            order.created > now && order.attempts == 0 && !open.contains(&order.id)
        };
        let gone: Vec<String> = self
            .open
            .values()
            .filter(is_gone)
            .map(|order| order.id.clone())
            .collect();
        for id in gone {
            self.remove(&id);
        }
    }

    /// Lets an order hold longer.
    pub fn extend(&mut self, id: &str, holds_until: i64) {
        if let Some(order) = self.open.get_mut(id) {
            order.holds_until = order.holds_until.max(holds_until);
        }
    }

    /// Takes back what is open of a cause; gives back what has changed.
    pub fn withdraw(&mut self, cause: &str) -> Vec<Order> {
        let from = [cause, "", "", ""].map(str::to_owned);
        let places = self.places.range(from..);
        let ids: Vec<String> = places
            .take_while(|(place, _)| place[0] == cause)
            .map(|(_, id)| id.clone())
            .collect();
        let taken = ids.iter().filter_map(|id| self.remove(id));
        taken
            .map(|order| Order {
                state: OrderState::Withdrawn,
                ..order
            })
            .collect()
    }

    /// What is to be sent now, given which sensors are away; and which orders have changed without being sent.
    pub fn due(
        &mut self,
        now: i64,
        is_away: impl Fn(&str, &str) -> bool,
    ) -> (Vec<Sendable>, Vec<Order>) {
        let (validity, patience) = (
            self.settings.validity.micros(),
            self.settings.patience.micros(),
        );
        let (mut sendable, mut changed) = (Vec::new(), Vec::new());
        let mut over = Vec::new();
        let mut soonest = i64::MAX;
        for order in self.open.values_mut() {
            if order.holds_until <= now {
                order.state = OrderState::Expired;
                over.push(order.id.clone());
                continue;
            }
            soonest = soonest.min(order.holds_until);
            // It can still be taken back.
            if order.created > now {
                soonest = soonest.min(order.created);
                continue;
            }
            if is_away(&order.site, &order.sensor) {
                // What it may still carry out it gets from the broker; what it may not any more is given anew.
                let is_lost = order.sent_at.is_none_or(|sent| sent + validity <= now);
                if is_lost && order.state != OrderState::Queued {
                    order.state = OrderState::Queued;
                    changed.push(order.clone());
                } else if let Some(sent) = order.sent_at.filter(|_| !is_lost) {
                    soonest = soonest.min(sent + validity);
                }
                continue;
            }
            let next = match order.state {
                OrderState::Queued => 0,
                _ => order
                    .sent_at
                    .map_or(0, |sent| sent + wait(validity, order.attempts)),
            };
            if next <= now {
                order.attempts += 1;
                order.sent_at = Some(now);
                if order.state != OrderState::Silent {
                    order.state = OrderState::Sent;
                }
                sendable.extend(command(order, (now, validity)).map(|command| Sendable {
                    command,
                    order: order.clone(),
                }));
            } else if order.state == OrderState::Sent
                && order.sent_at.is_some_and(|sent| sent + patience <= now)
            {
                order.state = OrderState::Silent;
                changed.push(order.clone());
            }
            let again = order
                .sent_at
                .map_or(0, |sent| sent + wait(validity, order.attempts));
            let silent = order.sent_at.filter(|_| order.state == OrderState::Sent);
            soonest = soonest.min(silent.map_or(again, |sent| again.min(sent + patience)));
        }
        // What is said of a sensor meanwhile may change who is away, so nothing waits for longer than this.
        self.next = soonest.min(now + LOOK_AGAIN);
        changed.extend(over.iter().filter_map(|id| self.remove(id)));
        (sendable, changed)
    }

    /// What an answer makes of its order; nothing where it answers none that is open.
    pub fn answer(
        &mut self,
        command: &str,
        (outcome, reason, message): (ReplyOutcome, Option<&str>, &str),
        now: i64,
    ) -> Option<Order> {
        let (id, _) = command.rsplit_once('-')?;
        self.next = 0;
        let order = self.open.get_mut(id)?;
        // The first answer counts: the broker has delivered the command twice.
        if reason == Some("repeated") {
            return None;
        }
        order.reason = reason.map(str::to_owned);
        order.message = Some(message.chars().take(1_000).collect());
        let passes = reason.is_some_and(|reason| PASSING.contains(&reason));
        match outcome {
            ReplyOutcome::Refused if passes => {
                order.state = OrderState::Silent;
                return Some(order.clone());
            }
            ReplyOutcome::Refused => order.state = OrderState::Refused,
            ReplyOutcome::Done => order.state = OrderState::Done,
        }
        order.answered_at = Some(now);
        self.remove(id)
    }

    /// The sensor is back: what it never answered is given again at once.
    pub fn is_back(&mut self, (site, sensor): (&str, &str), now: i64) {
        let validity = self.settings.validity.micros();
        self.next = 0;
        for order in self.open.values_mut() {
            let is_lost = order.sent_at.is_none_or(|sent| sent + validity <= now);
            if order.site == site && order.sensor == sensor && is_lost {
                order.state = OrderState::Queued;
            }
        }
    }
}

fn place(order: &Order) -> [String; 4] {
    [&order.cause, &order.site, &order.sensor, &order.action].map(String::clone)
}

/// How long until a command is given again: it must have expired, and each time twice as long.
fn wait(validity: i64, attempts: i64) -> i64 {
    let doubled = u32::try_from(attempts.clamp(1, 12) - 1).unwrap_or(0);
    (validity << doubled).min(LONGEST.max(validity))
}

/// The command for an order, with what is left of its time.
fn command(order: &Order, (now, validity): (i64, i64)) -> Option<Command> {
    let mut word: Word = serde_json::from_str(&order.command).ok()?;
    if let Word::Act(Action::Block { ttl, .. } | Action::Allow { ttl, .. }) = &mut word
        && matches!(ttl, Lifetime::For(_))
    {
        let left = u64::try_from(order.holds_until - now).unwrap_or(0) / 1_000_000;
        *ttl = Lifetime::For(Duration::from_secs(left.max(1)));
    }
    Some(Command {
        id: format!("{}-{}", order.id, order.attempts),
        site: order.site.clone(),
        sensor: order.sensor.clone(),
        issued_at: Timestamp::from_micros(now),
        expires_at: Timestamp::from_micros(now + validity),
        command: word,
    })
}
