//! What subscribers are told about what they did not hear: outages, and messages that had to be dropped.
//! It counts nothing itself.

use contract::condition::{ConditionDocument, Name, Outage};
use contract::incident::Identity;
use contract::record::Condition;
use contract::reply::Span;
use contract::timestamp::Timestamp;
use contract::topics::Topic;

use crate::store::{Entry, Message, Store, StoreError};

/// Ranges told of in one message, some 12 kB.
const RANGES: u32 = 500;
/// Above the severity of telemetry and blocks: what tells of a loss should not be lost next.
const SEVERITY: u8 = 3;

/// Says that the broker was away, and what that came to.
pub(super) fn tell_outage(
    (identity, store): (&Identity, &Store),
    (from, to): (Timestamp, Timestamp),
) -> Result<(), StoreError> {
    let reader = store.reader()?;
    let queued = reader.outbox_extent()?.pending;
    let dropped = reader.dropped_ranges(u32::MAX)?;
    let dropped = dropped
        .iter()
        .map(|range| range.last - range.first + 1)
        .sum();
    let outage = Outage {
        from,
        to,
        queued,
        dropped,
    };
    let lasted = humantime::format_duration(std::time::Duration::from_millis(
        to.since(from).as_millis() as u64,
    ));
    let words = format!(
        "the broker was away for {lasted}: {queued} messages have waited, {dropped} were dropped"
    );
    let mut message = happened(identity, (Name::Outage, words), (from, to));
    message.garita.outage = Some(outage);
    post(&message, store);
    Ok(())
}

/// Says which messages were dropped, as far as nobody was told; nothing if there are none.
pub(super) fn tell_dropped(
    (identity, store): (&Identity, &Store),
    now: Timestamp,
) -> Result<(), StoreError> {
    let ranges = store.reader()?.dropped_ranges(RANGES)?;
    if ranges.is_empty() {
        return Ok(());
    }
    let count: u64 = ranges
        .iter()
        .map(|range| range.last - range.first + 1)
        .sum();
    let words = format!(
        "{count} messages were dropped before they could be sent: the outbox was full, or they were too old"
    );
    let mut message = happened(identity, (Name::OutboxDropped, words), (now, now));
    message.garita.dropped = ranges
        .iter()
        .map(|range| Span {
            first: range.first,
            last: range.last,
        })
        .collect();
    post(&message, store);
    for range in ranges {
        store.record(Entry::LossReported {
            first: range.first,
            last: range.last,
        });
    }
    Ok(())
}

/// A condition that is over already.
fn happened(
    identity: &Identity,
    (name, message): (Name, String),
    (since, until): (Timestamp, Timestamp),
) -> ConditionDocument {
    let condition = Condition {
        name: name.as_str().to_owned(),
        subject: String::new(),
        message,
        since,
        until: Some(until),
    };
    ConditionDocument::new(identity, &condition)
}

fn post(document: &ConditionDocument, store: &Store) {
    tracing::info!("{}", document.message);
    let Ok(body) = serde_json::to_string(document) else {
        return;
    };
    store.record(Entry::Publish(Message {
        topic: Topic::Condition,
        severity: SEVERITY,
        id: format!("{}-{}", document.event.id, document.event.action),
        kind: "garita.condition".to_owned(),
        at: document.timestamp,
        body,
    }));
}
