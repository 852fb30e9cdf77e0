//! What subscribers are told about what they did not hear: outages, and messages that had to be dropped.
//! It counts nothing itself.

use schemars::JsonSchema;
use serde::Serialize;

use super::reply::Span;
use crate::condition::Name;
use crate::incident::{ConditionDocument, ConditionEvent, Ecs, ObservedBy, Teller};
use crate::record::Condition;
use crate::store::{Entry, Message, Store, StoreError, Topic};
use crate::timestamp::Timestamp;

/// Ranges told of in one message, some 12 kB.
const RANGES: u32 = 500;
/// Above the severity of telemetry and blocks: what tells of a loss should not be lost next.
const SEVERITY: u8 = 3;

/// A condition as subscribers read it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct ConditionMessage {
    /// When it was raised, or passed.
    #[serde(rename = "@timestamp")]
    timestamp: Timestamp,
    /// The schema.
    ecs: Ecs,
    /// What kind of event it is.
    event: ConditionEvent,
    /// Who is concerned.
    observer: ObservedBy,
    /// What is wrong, in one sentence.
    message: String,
    /// What ECS has no place for.
    garita: Detail,
}

/// `garita`
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
struct Detail {
    /// Its fixed name.
    condition: String,
    /// What it concerns, where there may be several.
    #[serde(skip_serializing_if = "String::is_empty")]
    subject: String,
    /// Of `outage`: what it came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    outage: Option<Outage>,
    /// Of `outbox-dropped`: the numbers that will never come.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    dropped: Vec<Span>,
    /// What was left out to fit the broker's largest packet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    reduced: Vec<String>,
}

/// A time without the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Outage {
    /// Since when.
    pub(super) from: Timestamp,
    /// Until when.
    pub(super) to: Timestamp,
    /// Messages that have piled up and are sent now.
    pub(super) queued: u64,
    /// Messages that had to be dropped and of which nobody was told yet.
    pub(super) dropped: u64,
}

/// Says that the broker was away, and what that came to.
pub(super) fn tell_outage(
    (teller, store): (&Teller, &Store),
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
    let mut message = ConditionMessage::new(teller, (Name::Outage, words), (from, to));
    message.garita.outage = Some(outage);
    message.post(store);
    Ok(())
}

/// Says which messages were dropped, as far as nobody was told; nothing if there are none.
pub(super) fn tell_dropped(
    (teller, store): (&Teller, &Store),
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
    let mut message = ConditionMessage::new(teller, (Name::OutboxDropped, words), (now, now));
    message.garita.dropped = ranges
        .iter()
        .map(|range| Span {
            first: range.first,
            last: range.last,
        })
        .collect();
    message.post(store);
    for range in ranges {
        store.record(Entry::Told {
            first: range.first,
            last: range.last,
        });
    }
    Ok(())
}

impl ConditionMessage {
    fn new(
        teller: &Teller,
        (name, message): (Name, String),
        (since, until): (Timestamp, Timestamp),
    ) -> Self {
        let condition = Condition {
            name: name.as_str().to_owned(),
            subject: String::new(),
            message,
            since,
            until: Some(until),
        };
        let document = ConditionDocument::new(teller, &condition);
        Self {
            timestamp: document.timestamp,
            ecs: document.ecs,
            event: document.event,
            observer: document.observer,
            message: document.message,
            garita: Detail {
                condition: document.garita.condition,
                subject: document.garita.subject,
                outage: None,
                dropped: Vec::new(),
                reduced: Vec::new(),
            },
        }
    }

    fn post(self, store: &Store) {
        tracing::info!("{}", self.message);
        let Ok(body) = serde_json::to_string(&self) else {
            return;
        };
        store.record(Entry::Publish(Message {
            topic: Topic::Condition,
            severity: SEVERITY,
            id: format!("{}-{}", self.event.id, self.event.action),
            kind: "garita.condition".to_owned(),
            at: self.timestamp,
            body,
        }));
    }
}
