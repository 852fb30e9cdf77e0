//! Sends again what subscribers have missed, in order and at the drain rate, as it was sent the first time.
//! What the broker has not yet taken the first time is the outbox's own affair.

use std::collections::VecDeque;

use crate::store::{Posted, Store, StoreError};

/// Messages read at once.
const BATCH: u32 = 64;

/// Numbers that a coordinator wants again, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) from: u64,
    pub(super) until: u64,
}

/// What is still to be sent again.
#[derive(Debug, Default)]
pub(super) struct Resync {
    /// The next number to be read, and the last.
    span: Option<Wanted>,
    batch: VecDeque<Posted>,
}

impl Resync {
    /// Takes a wish in. One that is being fulfilled already is not begun twice, but may begin anew.
    pub(super) fn add(&mut self, wanted: Wanted) {
        if wanted.from > wanted.until {
            return;
        }
        let mut whole = wanted;
        if let Some(rest) = self.span {
            whole.from = whole.from.min(rest.from);
            whole.until = whole.until.max(rest.until);
        }
        // What was read and not sent is read again.
        if let (Some(first), Some(last)) = (self.batch.front(), self.batch.back()) {
            whole.from = whole.from.min(first.seq);
            whole.until = whole.until.max(last.seq);
        }
        self.batch.clear();
        self.span = Some(whole);
    }

    /// Whether anything is left.
    pub(super) fn is_done(&self) -> bool {
        self.span.is_none() && self.batch.is_empty()
    }

    /// The next message to send again.
    pub(super) async fn next(&mut self, store: &Store) -> Result<Option<Posted>, StoreError> {
        if self.batch.is_empty() {
            self.read(store).await?;
        }
        Ok(self.batch.pop_front())
    }

    async fn read(&mut self, store: &Store) -> Result<(), StoreError> {
        while let Some(Wanted { from, until }) = self.span
            && self.batch.is_empty()
        {
            let store = store.clone();
            let read = move || store.reader()?.messages_from(from, BATCH);
            let read = tokio::task::spawn_blocking(read).await;
            let found = read.unwrap_or_else(|_| Ok(Vec::new()))?;
            let next = found
                .last()
                .map(|posted| posted.seq + 1)
                .filter(|next| *next <= until);
            self.span = next.map(|from| Wanted { from, until });
            let again = found
                .into_iter()
                .filter(|posted| posted.sent && posted.seq <= until);
            self.batch.extend(again);
        }
        Ok(())
    }
}
