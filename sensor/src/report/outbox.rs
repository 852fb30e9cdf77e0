//! What of the store's outbox is to be sent next, what is on its way, and what the broker did not want.
//! It sends nothing; a message is marked as sent only when it is told that the broker has taken it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::backoff::Backoff;
use crate::store::{Entry, Posted, Store, StoreError};
use contract::topics::Topic;

/// Messages read at once.
const BATCH: u32 = 64;
/// Acknowledged messages remembered until the store has surely written that they were sent.
const REMEMBERED: usize = 65_536;
/// Refused messages of one topic after which its others wait too.
const REFUSALS: u32 = 8;

/// A message that was handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) seq: u64,
    pub(super) topic: Topic,
    generation: u64,
}

/// The outbox from the publisher's side.
#[derive(Debug)]
pub(super) struct Outbox {
    store: Store,
    /// The file these numbers belong to, and a count of the files there were.
    epoch: Option<String>,
    generation: u64,
    /// The last number that was read.
    read: u64,
    batch: VecDeque<Posted>,
    flying: BTreeSet<u64>,
    acknowledged: BTreeSet<u64>,
    /// Whether there was nothing more to read.
    at_end: bool,
    refused: BTreeMap<Topic, u32>,
    /// When everything that was refused is tried again.
    retry: Option<Instant>,
    backoff: Backoff,
}

impl Outbox {
    /// The outbox of `store`; what was refused is tried again after `max_backoff` at the latest.
    pub(super) fn new(store: Store, max_backoff: Duration) -> Self {
        Self {
            epoch: store.epoch(),
            store,
            generation: 0,
            read: 0,
            batch: VecDeque::new(),
            flying: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            at_end: false,
            refused: BTreeMap::new(),
            retry: None,
            backoff: Backoff::new(max_backoff),
        }
    }

    /// The connection is another: what was not acknowledged on the last one is sent again.
    pub(super) fn rewind(&mut self) {
        self.flying.clear();
        self.begin();
    }

    /// There may be more to read.
    pub(super) fn wake(&mut self) {
        self.at_end = false;
    }

    /// What tells this outbox from every other.
    pub(super) fn epoch(&self) -> Option<&str> {
        self.epoch.as_deref()
    }

    /// When it has to be asked again although nothing happens.
    pub(super) const fn retry(&self) -> Option<Instant> {
        self.retry
    }

    /// The next message to send.
    pub(super) async fn next(
        &mut self,
        now: Instant,
    ) -> Result<Option<(Ticket, Posted)>, StoreError> {
        if self.retry.is_some_and(|retry| retry <= now) {
            self.begin();
        }
        loop {
            let Some(posted) = self.batch.pop_front() else {
                if self.at_end {
                    return Ok(None);
                }
                self.fetch().await?;
                continue;
            };
            let (seq, topic) = (posted.seq, posted.message.topic);
            let unwanted = self
                .refused
                .get(&topic)
                .is_some_and(|count| *count >= REFUSALS);
            if unwanted || self.flying.contains(&seq) || self.acknowledged.contains(&seq) {
                continue;
            }
            self.flying.insert(seq);
            let generation = self.generation;
            return Ok(Some((
                Ticket {
                    seq,
                    topic,
                    generation,
                },
                posted,
            )));
        }
    }

    /// The broker has taken a message. Says whether its topic, of which some were refused before, is well again.
    pub(super) fn taken(&mut self, ticket: Ticket) {
        if ticket.generation != self.generation {
            return;
        }
        self.flying.remove(&ticket.seq);
        self.acknowledged.insert(ticket.seq);
        if self.acknowledged.len() > REMEMBERED {
            self.acknowledged.pop_first();
        }
        self.store.record(Entry::Sent { seq: ticket.seq });
    }

    /// The broker, or its limits, did not let a message pass; it stays, and is tried again later.
    pub(super) fn refused(&mut self, ticket: Ticket, now: Instant) {
        if ticket.generation != self.generation {
            return;
        }
        self.flying.remove(&ticket.seq);
        *self.refused.entry(ticket.topic).or_default() += 1;
        if self.retry.is_none() {
            self.retry = Some(now + self.backoff.wait());
        }
    }

    /// Whether a message of this topic was refused since everything was last tried.
    pub(super) fn is_refusing(&self, topic: Topic) -> bool {
        self.refused.contains_key(&topic)
    }

    fn begin(&mut self) {
        if self.refused.is_empty() {
            self.backoff.reset();
        }
        self.refused.clear();
        self.retry = None;
        self.batch.clear();
        self.read = 0;
        self.at_end = false;
    }

    async fn fetch(&mut self) -> Result<(), StoreError> {
        let epoch = self.store.epoch();
        if epoch != self.epoch {
            // A damaged file was replaced: its numbers begin anew.
            self.epoch = epoch;
            self.generation += 1;
            self.flying.clear();
            self.acknowledged.clear();
            self.begin();
        }
        let (store, read) = (self.store.clone(), self.read);
        let reading = move || store.reader()?.outbox(read, BATCH);
        let found = tokio::task::spawn_blocking(reading).await;
        let found = found.unwrap_or_else(|_| Ok(Vec::new()))?;
        match found.last() {
            Some(last) => self.read = last.seq,
            None => self.at_end = true,
        }
        self.batch.extend(found);
        Ok(())
    }
}
