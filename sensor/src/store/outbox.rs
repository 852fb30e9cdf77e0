//! The outbox as the writer changes it: messages are numbered, sent, and within its bounds kept to be sent again.
//! It sends nothing, and what it had to drop it says.

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::entry::Message;
use super::rows::OutboxExtent;
use contract::timestamp::Timestamp;

/// What a message takes in the file beside its text, bytes: its numbers, its row and three index entries.
const ROW_BYTES: usize = 100;

/// How much the outbox may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    messages: u64,
    bytes: u64,
    pub(super) age: std::time::Duration,
}

impl From<&settings::Report> for Bounds {
    fn from(settings: &settings::Report) -> Self {
        Self {
            messages: settings.outbox_max_messages.get().into(),
            bytes: u64::from(settings.outbox_max_mib.get()) << 20,
            age: settings.outbox_max_age.get(),
        }
    }
}

/// Numbers a message and puts it in.
pub(super) fn post(db: &Connection, message: &Message) -> Result<()> {
    let bytes = ROW_BYTES + message.id.len() + message.kind.len() + message.body.len();
    db.prepare_cached(
        "INSERT INTO outbox (topic, severity, id, kind, at, bytes, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        message.topic.as_str(),
        message.severity,
        message.id,
        message.kind,
        message.at.micros(),
        bytes as u64,
        message.body,
    ])?;
    Ok(())
}

/// The broker has taken a message.
pub(super) fn sent(db: &Connection, seq: u64) -> Result<()> {
    db.prepare_cached("UPDATE outbox SET sent = 1 WHERE seq = ?1 AND sent = 0")?
        .execute([seq])?;
    Ok(())
}

/// Brings the outbox back into its bounds: what was sent goes first, the oldest before; then what was not, the least
/// severe first and of these the oldest. Only the latter is a loss, and noted as one.
pub(super) fn make_room(db: &Connection, bounds: &Bounds) -> Result<()> {
    let mut extent = extent(db)?;
    while extent.pending + extent.sent > bounds.messages || extent.bytes > bounds.bytes {
        if extent.sent > 0 {
            let sql = "DELETE FROM outbox WHERE seq = (SELECT min(seq) FROM outbox WHERE sent = 1) RETURNING bytes";
            let freed: u64 = db.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
            extent.sent -= 1;
            extent.bytes -= freed;
        } else {
            let sql = "SELECT seq, bytes FROM outbox WHERE sent = 0 ORDER BY severity, seq LIMIT 1";
            let (seq, freed): (u64, u64) = db
                .prepare_cached(sql)?
                .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            drop_message(db, seq)?;
            extent.pending -= 1;
            extent.bytes -= freed;
        }
    }
    Ok(())
}

/// Removes up to `limit` messages older than `cutoff`; says how many.
pub(super) fn expire(db: &Connection, cutoff: Timestamp, limit: u32) -> Result<usize> {
    let old: Vec<(u64, bool)> = db
        .prepare_cached(
            "SELECT seq, sent FROM (SELECT seq, sent, at FROM outbox ORDER BY seq LIMIT ?2) WHERE at < ?1",
        )?
        .query_map(params![cutoff.micros(), limit], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_>>()?;
    for &(seq, sent) in &old {
        if sent {
            db.prepare_cached("DELETE FROM outbox WHERE seq = ?1")?
                .execute([seq])?;
        } else {
            drop_message(db, seq)?;
        }
    }
    // Whoever asks for what lies before the oldest message learns from that alone that it is gone.
    db.prepare_cached(
        "DELETE FROM dropped WHERE told = 1 AND last < coalesce((SELECT min(seq) FROM outbox), 0)",
    )?
    .execute([])?;
    Ok(old.len())
}

/// Subscribers have been told that the messages from `first` to `last` were dropped.
pub(super) fn told(db: &Connection, first: u64, last: u64) -> Result<()> {
    let overlapping: Vec<(u64, u64)> = db
        .prepare_cached(
            "SELECT first, last FROM dropped WHERE told = 0 AND last >= ?1 AND first <= ?2",
        )?
        .query_map([first, last], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_>>()?;
    for (from, to) in overlapping {
        db.prepare_cached("DELETE FROM dropped WHERE first = ?1")?
            .execute([from])?;
        let (inner, outer) = (from.max(first), to.min(last));
        note(db, (inner, outer), 1)?;
        // A range that has grown since it was read is told only in part.
        if from < inner {
            note(db, (from, inner - 1), 0)?;
        }
        if to > outer {
            note(db, (outer + 1, to), 0)?;
        }
    }
    Ok(())
}

fn drop_message(db: &Connection, seq: u64) -> Result<()> {
    db.prepare_cached("DELETE FROM outbox WHERE seq = ?1")?
        .execute([seq])?;
    note(db, (seq, seq), 0)
}

/// Notes a range as dropped, as one with the ranges it touches that are told or untold like it.
fn note(db: &Connection, (mut first, mut last): (u64, u64), told: u8) -> Result<()> {
    let before: Option<u64> = db
        .prepare_cached("DELETE FROM dropped WHERE last = ?1 - 1 AND told = ?2 RETURNING first")?
        .query_row(params![first, told], |row| row.get(0))
        .optional()?;
    let after: Option<u64> = db
        .prepare_cached("DELETE FROM dropped WHERE first = ?1 + 1 AND told = ?2 RETURNING last")?
        .query_row(params![last, told], |row| row.get(0))
        .optional()?;
    first = before.unwrap_or(first);
    last = after.unwrap_or(last);
    db.prepare_cached("INSERT INTO dropped VALUES (?1, ?2, ?3)")?
        .execute(params![first, last, told])?;
    Ok(())
}

/// What the outbox holds.
pub(super) fn extent(db: &Connection) -> Result<OutboxExtent> {
    let (pending, sent, bytes) = db
        .prepare_cached("SELECT pending, sent, bytes FROM outbox_extent")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let first = db
        .prepare_cached("SELECT min(seq) FROM outbox")?
        .query_row([], |row| row.get(0))?;
    Ok(OutboxExtent {
        pending,
        sent,
        bytes,
        first,
        last: last(db)?,
    })
}

/// The number of the last message that was ever put in; 0 before the first.
pub(super) fn last(db: &Connection) -> Result<u64> {
    db.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'")?
        .query_row([], |row| row.get(0))
        .optional()
        .map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::file::scratch;
    use super::*;
    use contract::topics::Topic;

    #[derive(Debug, Clone)]
    enum Act {
        Post { severity: u8, length: usize },
        Sent(u64),
        LossReported(u64, u64),
        Expire(i64),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            6 => (1..=4_u8, 0..200_usize)
                .prop_map(|(severity, length)| Act::Post { severity, length }),
            2 => (1..80_u64).prop_map(Act::Sent),
            1 => (1..80_u64, 0..20_u64).prop_map(|(first, more)| Act::LossReported(first, first + more)),
            1 => (0..60_i64).prop_map(Act::Expire),
        ]
    }

    fn posted(severity: u8, length: usize, at: i64) -> Message {
        Message {
            topic: Topic::Incident,
            severity,
            id: "id".to_owned(),
            kind: "kind".to_owned(),
            at: Timestamp::from_micros(at),
            body: "x".repeat(length),
        }
    }

    fn all<T: rusqlite::types::FromSql>(db: &Connection, sql: &str) -> Vec<(u64, u64, T)> {
        let mut statement = db.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        rows.unwrap().map(Result::unwrap).collect()
    }

    proptest! {
        #[test]
        fn bounds_hold_and_every_number_is_accounted_for(acts in prop::collection::vec(act(), 1..120)) {
            let bounds = Bounds { messages: 10, bytes: 2_000, age: Duration::ZERO };
            let db = scratch();
            let mut severities = BTreeMap::new();
            let (mut sent_ever, mut clock) = (BTreeSet::new(), 0);
            for act in acts {
                let pending_before = all::<u8>(&db, "SELECT seq, severity, sent FROM outbox WHERE sent = 0");
                clock += 1;
                match act {
                    Act::Post { severity, length } => {
                        post(&db, &posted(severity, length, clock)).unwrap();
                        let seq = last(&db).unwrap();
                        prop_assert_eq!(seq, severities.len() as u64 + 1);
                        severities.insert(seq, severity);
                        make_room(&db, &bounds).unwrap();
                        let held = all::<u8>(&db, "SELECT seq, severity, sent FROM outbox");
                        let dropped: Vec<_> = pending_before.iter().map(|&(seq, severity, _)| (severity, seq))
                            .chain([(u64::from(severity), seq)])
                            .filter(|(_, seq)| held.iter().all(|(there, ..)| there != seq))
                            .collect();
                        if let Some(worst) = dropped.iter().max() {
                            prop_assert!(held.iter().all(|&(seq, severity, sent)| sent == 0 && (severity, seq) > *worst));
                        }
                    }
                    Act::Sent(seq) => {
                        sent(&db, seq).unwrap();
                        if pending_before.iter().any(|(there, ..)| *there == seq) {
                            sent_ever.insert(seq);
                        }
                    }
                    Act::LossReported(first, last) => told(&db, first, last).unwrap(),
                    Act::Expire(age) => {
                        let cutoff = Timestamp::from_micros(clock - age);
                        while expire(&db, cutoff, 3).unwrap() > 0 {}
                        let held = all::<i64>(&db, "SELECT seq, sent, at FROM outbox");
                        let mut old = held.iter().filter(|(.., at)| *at < cutoff.micros());
                        prop_assert!(old.next().is_none());
                    }
                }
                let held = all::<u64>(&db, "SELECT seq, sent, bytes FROM outbox ORDER BY seq");
                let extent = extent(&db).unwrap();
                let pending = held.iter().filter(|(_, sent, _)| *sent == 0).count() as u64;
                let bytes: u64 = held.iter().map(|(.., bytes)| bytes).sum();
                prop_assert_eq!((extent.pending, extent.sent, extent.bytes), (pending, held.len() as u64 - pending, bytes));
                prop_assert!(held.len() <= 10 && bytes <= 2_000);
                prop_assert_eq!(extent.first, held.first().map(|(seq, ..)| *seq));

                let ranges = all::<u8>(&db, "SELECT first, last, told FROM dropped ORDER BY first");
                for pair in ranges.windows(2) {
                    let apart = pair[0].1 + 1 < pair[1].0 || pair[0].1 + 1 == pair[1].0 && pair[0].2 != pair[1].2;
                    prop_assert!(apart, "{ranges:?}");
                }
                let is_dropped = |seq| ranges.iter().any(|&(first, last, _)| (first..=last).contains(&seq));
                for &seq in severities.keys() {
                    let is_held = held.iter().any(|(there, ..)| *there == seq);
                    prop_assert!(!(is_held && is_dropped(seq)), "{seq} is both held and dropped");
                    prop_assert!(!(sent_ever.contains(&seq) && is_dropped(seq)), "{seq} was sent and is dropped");
                    let is_gone = extent.first.is_none_or(|first| seq < first);
                    prop_assert!(is_held || is_dropped(seq) || sent_ever.contains(&seq) || is_gone, "{seq} is lost");
                }
            }
        }
    }

    #[test]
    fn a_range_that_grew_while_it_was_told_is_told_in_part() {
        let db = scratch();
        let ranges = |db: &Connection| all::<u8>(db, "SELECT first, last, told FROM dropped");
        for seq in [5, 7, 6, 9, 8] {
            note(&db, (seq, seq), 0).unwrap();
        }
        assert_eq!(ranges(&db), [(5, 9, 0)]);
        told(&db, 5, 7).unwrap();
        assert_eq!(ranges(&db), [(5, 7, 1), (8, 9, 0)]);
        told(&db, 1, 100).unwrap();
        assert_eq!(ranges(&db), [(5, 9, 1)]);
    }
}
