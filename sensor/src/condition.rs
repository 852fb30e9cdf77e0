//! What somebody should know about the sensor itself: each condition is told once when it is raised and once when it
//! has passed, however often it is found. It keeps what stands, and mends nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::store::{Entry, Message, Store};
use contract::condition::{ConditionDocument, Name};
use contract::incident::Identity;
use contract::printable::printable;
use contract::record::Condition;
use contract::timestamp::Timestamp;
use contract::topics::Topic;

/// An event of the same name and subject within this long is the same event.
const SAME_EVENT: Duration = Duration::from_secs(60);
/// Conditions that stand, and events remembered, at once; subjects are interfaces and blocked addresses.
const MAX_STANDING: usize = 1_024;

/// The conditions of this sensor; clones share them.
#[derive(Debug, Clone)]
pub struct Conditions(Arc<Mutex<Board>>);

#[derive(Debug)]
struct Board {
    identity: Identity,
    store: Store,
    standing: BTreeMap<(Name, String), Condition>,
    /// When an event was last told.
    events: BTreeMap<(Name, String), Timestamp>,
}

impl Conditions {
    /// Nothing wrong yet; what is raised is told by `identity` and recorded in `store`.
    pub fn new(identity: Identity, store: Store) -> Self {
        Self(Arc::new(Mutex::new(Board {
            identity,
            store,
            standing: BTreeMap::new(),
            events: BTreeMap::new(),
        })))
    }

    /// Something is wrong from `now` on. Where that is known already, what stands is worded anew and nobody is told.
    pub fn raise(&self, name: Name, (subject, message): (&str, &str), now: Timestamp) {
        let mut board = self.board();
        let key = (name, printable(subject).into_owned());
        if let Some(standing) = board.standing.get_mut(&key) {
            standing.message = printable(message).into_owned();
            return;
        }
        if board.standing.len() >= MAX_STANDING {
            return;
        }
        let condition = Condition {
            name: name.as_str().to_owned(),
            subject: key.1.clone(),
            message: printable(message).into_owned(),
            since: now,
            until: None,
        };
        board.tell(&condition);
        board.standing.insert(key, condition);
    }

    /// What was wrong has passed.
    pub fn clear(&self, name: Name, subject: &str, now: Timestamp) {
        let mut board = self.board();
        let key = (name, printable(subject).into_owned());
        if let Some(mut condition) = board.standing.remove(&key) {
            condition.until = Some(now);
            board.tell(&condition);
        }
    }

    /// Raises the condition where `message` says what is wrong, and clears it where there is nothing to say.
    pub fn set(&self, name: Name, (subject, message): (&str, Option<&str>), now: Timestamp) {
        match message {
            Some(message) => self.raise(name, (subject, message), now),
            None => self.clear(name, subject, now),
        }
    }

    /// Something happened at `now` that does not last.
    pub fn happen(&self, name: Name, (subject, message): (&str, &str), now: Timestamp) {
        let mut board = self.board();
        let key = (name, printable(subject).into_owned());
        let told = board.events.get(&key);
        if told.is_some_and(|told| now.since(*told) < SAME_EVENT && *told <= now) {
            return;
        }
        if board.events.len() >= MAX_STANDING {
            board.events.retain(|_, told| now.since(*told) < SAME_EVENT);
            if board.events.len() >= MAX_STANDING {
                return;
            }
        }
        let condition = Condition {
            name: name.as_str().to_owned(),
            subject: key.1.clone(),
            message: printable(message).into_owned(),
            since: now,
            until: Some(now),
        };
        board.tell(&condition);
        board.events.insert(key, now);
    }

    /// What stands, by name and subject.
    pub fn standing(&self) -> Vec<Condition> {
        self.board().standing.values().cloned().collect()
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Board {
    fn tell(&self, condition: &Condition) {
        let passed = condition
            .until
            .is_some_and(|until| until != condition.since);
        match passed {
            true => tracing::info!("{} has passed: {}", condition.name, condition.message),
            false => tracing::warn!("{}: {}", condition.name, condition.message),
        }
        if condition.name == Name::BrokerAway.as_str() {
            return;
        }
        let document = ConditionDocument::new(&self.identity, condition);
        let Ok(body) = serde_json::to_string(&document) else {
            return;
        };
        self.store.record(Entry::Publish(Message {
            topic: Topic::Condition,
            severity: 2,
            id: document.event.id.clone(),
            kind: "garita.condition".to_owned(),
            at: document.timestamp,
            body,
        }));
    }
}
