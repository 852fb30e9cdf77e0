//! Entries as rows: each function writes one entry inside the transaction it is given. None commits.

use ipnet::IpNet;
use rusqlite::{Connection, Result, named_params, params};

use super::column::{Text, Word, conversion, ends, packed};
use super::entry::LastRevision;
use super::entry::{Entry, host};
use super::queue::Waiting;
use super::rows::Offences;
use super::{audit, outbox};
use crate::incident::{Revision, Stage};
use contract::record::{Allowance, Block, Review, Service};
use contract::timestamp::Timestamp;
use detection::features::SCHEMA;

/// Writes one entry.
pub(super) fn entry(db: &Connection, waiting: &Waiting) -> Result<()> {
    match &waiting.entry {
        Entry::Incident {
            revision,
            features,
            message,
        } => {
            incident(db, revision, features)?;
            message
                .iter()
                .try_for_each(|message| outbox::post(db, message))
        }
        Entry::Abandoned { last, message } => {
            abandoned(db, last)?;
            message
                .iter()
                .try_for_each(|message| outbox::post(db, message))
        }
        Entry::Block(new) => block(db, new),
        Entry::Released {
            target,
            service,
            at,
            by,
            reason,
        } => release(db, (*target, service.as_ref()), (*at, by, reason)),
        Entry::Allowance(new) => allowance(db, new),
        Entry::Disallowed { net, at, by } => {
            let sql =
                "UPDATE allowance SET ended = ?2, ended_by = ?3 WHERE net = ?1 AND ended IS NULL";
            db.prepare_cached(sql)?
                .execute(params![Text(*net), at.micros(), by])?;
            Ok(())
        }
        Entry::Review(new) => review(db, new),
        Entry::Setting { key, value } => setting(db, key, value),
        Entry::Audit {
            by,
            action,
            object,
            outcome,
        } => audit::append(
            db,
            &audit::Said {
                at: waiting.at,
                by,
                action,
                object,
                outcome,
            },
        ),
        Entry::Publish(message) => outbox::post(db, message),
        Entry::Sent { seq } => outbox::sent(db, *seq),
        Entry::LossReported { first, last } => outbox::told(db, *first, *last),
    }
}

fn incident(db: &Connection, revision: &Revision, features: &[f32]) -> Result<()> {
    let incident = &revision.incident;
    let garita = &incident.garita;
    let document = serde_json::to_string(incident).map_err(conversion)?;
    let address = garita
        .offender
        .or(garita.victim)
        .unwrap_or(incident.destination.ip);
    db.prepare_cached(
        "INSERT INTO incident (id, class, address, begun, updated, revision) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (id) DO UPDATE SET updated = max(updated, excluded.updated), revision = max(revision, excluded.revision)",
    )?
    .execute(params![
        incident.event.id,
        garita.class.as_str(),
        Text(address),
        incident.event.start.micros(),
        incident.timestamp.micros(),
        garita.revision,
    ])?;
    db.prepare_cached(
        "INSERT OR REPLACE INTO revision VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        incident.event.id,
        garita.revision,
        stage(revision.stage),
        garita.decision,
        incident.event.severity,
        incident.timestamp.micros(),
        document,
        packed(features),
        SCHEMA.hash(),
    ])?;
    Ok(())
}

/// Ends an incident by a copy of its last revision. One that was purged meanwhile stays so.
fn abandoned(db: &Connection, last: &LastRevision) -> Result<()> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO revision
         SELECT incident, ?2, 'ended', decision, severity, decided, ?3, x'', feature_list
         FROM revision WHERE incident = ?1 AND revision = ?2 - 1",
    )?
    .execute(params![last.id, last.number, last.document])?;
    db.prepare_cached("UPDATE incident SET revision = max(revision, ?2) WHERE id = ?1")?
        .execute(params![last.id, last.number])?;
    Ok(())
}

/// Where in its life an incident is, in a word.
const fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Begun => "begun",
        Stage::Changed => "changed",
        Stage::Ended => "ended",
    }
}

/// Writes a block that begins or changes, and with it the offence it answers.
pub(super) fn block(db: &Connection, block: &Block) -> Result<()> {
    db.prepare_cached(
        "UPDATE block SET released = ?2, released_by = ?3, released_reason = 'replaced by another block'
         WHERE target = ?1 AND service = ?4 AND begun <> ?2 AND released IS NULL AND (expires IS NULL OR expires > ?2)",
    )?
    .execute(params![
        Text(block.target),
        block.begun.micros(),
        block.by,
        json(block.service.as_ref())?
    ])?;
    let (low, high) = ends(block.target);
    db.prepare_cached(
        "INSERT INTO block (target, low, high, state, origin, by, reason, class, incident, offence, begun, expires, confirm_by, forced, scope, service)
         VALUES (:target, :low, :high, :state, :origin, :by, :reason, :class, :incident, :offence, :begun, :expires, :confirm_by, :forced, :scope, :service)
         ON CONFLICT (target, begun, service) DO UPDATE SET
             state = excluded.state, origin = excluded.origin, by = excluded.by, reason = excluded.reason,
             class = excluded.class, incident = excluded.incident, offence = excluded.offence,
             expires = excluded.expires, confirm_by = excluded.confirm_by, forced = excluded.forced,
             scope = excluded.scope,
             released = NULL, released_by = NULL, released_reason = NULL",
    )?
    .execute(named_params! {
        ":target": Text(block.target),
        ":low": low,
        ":high": high,
        ":state": Word(&block.state),
        ":origin": block.origin.as_str(),
        ":by": block.by,
        ":reason": block.reason,
        ":class": block.class.map(|class| class.as_str()),
        ":incident": block.incident,
        ":offence": block.offence,
        ":begun": block.begun.micros(),
        ":expires": block.expires.map(Timestamp::micros),
        ":confirm_by": block.confirm_by.map(Timestamp::micros),
        ":forced": block.forced,
        ":scope": Word(block.scope),
        ":service": json(block.service.as_ref())?,
    })?;
    match host(block.target) {
        Some(address) if block.offence > 0 && block.service.is_none() => offences(
            db,
            &Offences {
                address,
                count: block.offence,
                served: block.expires.unwrap_or(block.begun),
            },
        ),
        _ => Ok(()),
    }
}

/// A service in its column.
fn json(service: Option<&Service>) -> Result<String> {
    service.map_or(Ok(String::new()), |service| {
        serde_json::to_string(service).map_err(conversion)
    })
}

/// Writes how often an address has offended.
pub(super) fn offences(db: &Connection, offences: &Offences) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO offender VALUES (?1, ?2, ?3)")?
        .execute(params![
            Text(offences.address),
            offences.count,
            offences.served.micros()
        ])?;
    Ok(())
}

fn release(
    db: &Connection,
    (target, service): (IpNet, Option<&Service>),
    (at, by, reason): (Timestamp, &str, &str),
) -> Result<()> {
    db.prepare_cached(
        "UPDATE block SET released = ?2, released_by = ?3, released_reason = ?4
         WHERE target = ?1 AND service = ?5 AND released IS NULL AND (expires IS NULL OR expires > ?2)",
    )?
    .execute(params![Text(target), at.micros(), by, reason, json(service)?])?;
    Ok(())
}

/// Writes an allowance; one that stands for the same network ends with it.
pub(super) fn allowance(db: &Connection, new: &Allowance) -> Result<()> {
    db.prepare_cached(
        "UPDATE allowance SET ended = ?2, ended_by = ?3 WHERE net = ?1 AND since <> ?2 AND ended IS NULL",
    )?
    .execute(params![Text(new.net), new.since.micros(), new.by])?;
    db.prepare_cached(
        "INSERT OR REPLACE INTO allowance (net, since, by, reason, expires) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![Text(new.net), new.since.micros(), new.by, new.reason, new.expires.map(Timestamp::micros)])?;
    Ok(())
}

/// Writes a review as it now stands.
pub(super) fn review(db: &Connection, review: &Review) -> Result<()> {
    let answered = review.answered.as_ref();
    db.prepare_cached(
        "INSERT OR REPLACE INTO review VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        review.id,
        Text(review.address),
        review.class.as_str(),
        review.cause,
        review.message,
        review.asked.micros(),
        review.lapses.micros(),
        Word(review.state),
        answered.map(|answered| answered.at.micros()),
        answered.map(|answered| &answered.by),
    ])?;
    Ok(())
}

/// Writes what outlives a restart.
pub(super) fn setting(db: &Connection, key: &str, value: &str) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO setting VALUES (?1, ?2)")?
        .execute(params![key, value])?;
    Ok(())
}
