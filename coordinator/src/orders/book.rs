//! Orders that are not over: which command is to be sent now, and what an answer makes of its order. It does no IO and
//! reads no clock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use contract::action::{Action, Lifetime};
use contract::command::{Command, Order as Word};
use contract::reply::ReplyOutcome;
use contract::timestamp::Timestamp;

use crate::config::Orders;
use crate::store::{Order, OrderState};

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
        self.next = soonest;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::SECOND;

    fn order(id: &str) -> Order {
        Order {
            id: id.to_owned(),
            cause: "fleet-1".to_owned(),
            site: "north".to_owned(),
            sensor: "a".to_owned(),
            action: "block".to_owned(),
            command:
                r#"{"action":"block","target":"203.0.113.9","ttl":3600,"reason":"seen elsewhere"}"#
                    .to_owned(),
            state: OrderState::Queued,
            reason: None,
            message: None,
            ordered_by: "fleet policy".to_owned(),
            why: "{}".to_owned(),
            created: 0,
            holds_until: 3_600 * SECOND,
            attempts: 0,
            sent_at: None,
            answered_at: None,
        }
    }

    fn book() -> Book {
        Book::new(Orders::default(), vec![order("o1")])
    }

    fn ttl(sendable: &Sendable) -> u64 {
        match &sendable.command.command {
            Word::Act(Action::Block {
                ttl: Lifetime::For(span),
                ..
            }) => span.as_secs(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_order_is_sent_once_and_done_when_it_is_answered() {
        let mut book = book();
        let (sent, _) = book.due(0, |_, _| false);
        assert_eq!(
            (sent[0].command.id.as_str(), ttl(&sent[0])),
            ("o1-1", 3_600)
        );
        assert!(book.due(SECOND, |_, _| false).0.is_empty());
        let done = book
            .answer("o1-1", (ReplyOutcome::Done, None, "blocked"), 2 * SECOND)
            .unwrap();
        assert_eq!(
            (done.state, done.answered_at),
            (OrderState::Done, Some(2 * SECOND))
        );
        assert!(
            book.answer("o1-1", (ReplyOutcome::Done, None, ""), 3)
                .is_none()
                && book.is_empty()
        );
    }

    #[test]
    fn a_sensor_that_is_away_gets_what_still_holds_with_what_is_left_of_it() {
        let mut book = book();
        book.add(Order {
            holds_until: 1_800 * SECOND,
            ..order("o2")
        });
        assert_eq!(book.due(0, |_, _| true), (Vec::new(), Vec::new()));
        let (_, gone) = book.due(1_800 * SECOND, |_, _| true);
        assert_eq!(
            (gone[0].id.as_str(), gone[0].state),
            ("o2", OrderState::Expired)
        );
        book.is_back(("north", "a"), 3_000 * SECOND);
        let (sent, _) = book.due(3_000 * SECOND, |_, _| false);
        assert_eq!((sent.len(), ttl(&sent[0])), (1, 600));
    }

    #[test]
    fn silence_is_told_and_the_order_given_again_once_its_command_has_expired() {
        let mut book = book();
        book.due(0, |_, _| false);
        let (_, told) = book.due(10 * SECOND, |_, _| false);
        assert_eq!(told[0].state, OrderState::Silent);
        assert!(book.due(59 * SECOND, |_, _| false).0.is_empty());
        let (again, _) = book.due(60 * SECOND, |_, _| false);
        assert_eq!(again[0].command.id, "o1-2");
        assert!(book.due(179 * SECOND, |_, _| false).0.is_empty());
        assert_eq!(book.due(180 * SECOND, |_, _| false).0.len(), 1);
        let late = book.answer("o1-1", (ReplyOutcome::Done, None, ""), 181 * SECOND);
        assert_eq!(late.unwrap().state, OrderState::Done);
    }

    #[test]
    fn a_refusal_ends_an_order_unless_it_passes() {
        let mut book = book();
        book.due(0, |_, _| false);
        assert!(
            book.answer("o1-1", (ReplyOutcome::Refused, Some("repeated"), ""), 1)
                .is_none()
        );
        let passing = book
            .answer("o1-1", (ReplyOutcome::Refused, Some("overrun"), ""), 1)
            .unwrap();
        assert!(passing.state.is_open());
        book.due(60 * SECOND, |_, _| false);
        let end = book
            .answer("o1-2", (ReplyOutcome::Refused, Some("exempt"), "home"), 61)
            .unwrap();
        assert_eq!(
            (end.state, end.reason.as_deref()),
            (OrderState::Refused, Some("exempt"))
        );
    }

    #[test]
    fn what_is_withdrawn_is_not_sent() {
        let mut book = book();
        assert_eq!(book.withdraw("fleet-1")[0].state, OrderState::Withdrawn);
        assert!(book.due(0, |_, _| false).0.is_empty());
    }

    #[test]
    fn what_can_be_taken_back_waits_and_is_let_go_of_when_it_was() {
        let mut book = Book::new(Orders::default(), Vec::new());
        for id in ["o1", "o2"] {
            book.add(Order {
                created: 10 * SECOND,
                ..order(id)
            });
        }
        assert!(book.due(9 * SECOND, |_, _| false).0.is_empty());
        book.keep(&BTreeSet::from(["o2".to_owned()]), 9 * SECOND);
        let (sent, _) = book.due(10 * SECOND, |_, _| false);
        assert_eq!((sent.len(), sent[0].order.id.as_str()), (1, "o2"));
        book.keep(&BTreeSet::new(), 10 * SECOND);
        assert_eq!(book.len(), 1, "it was sent, and waits for its answer");
    }
}
