//! How incidents begin, change and end. Their wording is tested elsewhere.

use super::*;
use crate::incident::tests::{START, block, observer, verdict};
use detection::policy::{Cause, Outcome};

const SECOND: u64 = 1_000_000;

fn log(settings: &str) -> IncidentLog {
    let text = format!("[incident]\n{settings}");
    let config = settings::Config::layered(&text, "test", HashMap::new()).unwrap();
    IncidentLog::new(&config.incident, observer())
}

fn told(revisions: &[Revision]) -> Vec<(Stage, &str, u32)> {
    revisions
        .iter()
        .map(|revision| {
            let garita = &revision.incident.garita;
            (revision.stage, &*garita.decision, garita.revision)
        })
        .collect()
}

#[test]
fn an_incident_begins_changes_and_ends_under_one_id() {
    let mut log = log("quiet = \"60s\"\n");
    let mut seen = verdict(Class::Scan);
    seen.decision = Decision::Review(Cause::PerhapsSpoofed);
    let begun = log.record(&seen);
    assert_eq!(told(&begun), [(Stage::Begun, "review", 1)]);

    seen.time += SECOND;
    seen.evidence.last_seen += SECOND;
    seen.evidence.packets_before = 90;
    assert_eq!(told(&log.record(&seen)), []);

    seen.time += SECOND;
    seen.decision = block(START + 700 * SECOND, 1);
    seen.outcome = Some(Outcome::Observed);
    let changed = log.record(&seen);
    assert_eq!(told(&changed), [(Stage::Changed, "block", 2)]);
    assert_eq!(changed[0].incident.timestamp.micros() as u64, seen.time);

    let mut weaker = seen.clone();
    weaker.time += SECOND;
    weaker.evidence.last_seen += 5 * SECOND;
    weaker.evidence.snapshots += 1;
    weaker.evidence.log_odds = 1.0;
    weaker.facts.opened = 3;
    weaker.decision = Decision::Review(Cause::Budget);
    assert_eq!(told(&log.record(&weaker)), []);

    assert_eq!(told(&log.end_quiet(weaker.time + 60 * SECOND - 1)), []);
    let ended = log.end_quiet(weaker.time + 60 * SECOND);
    assert_eq!(told(&ended), [(Stage::Ended, "block", 3)]);
    let last = &ended[0].incident;
    assert_eq!(last.event.id, begun[0].incident.event.id);
    assert_eq!(last.event.start, begun[0].incident.event.start);
    assert_eq!(last.event.end.micros() as u64, weaker.evidence.last_seen);
    assert_eq!(last.garita.evidence.snapshots, weaker.evidence.snapshots);
    assert_eq!(last.garita.evidence.packets_before, 90);
    assert!(
        last.message.contains("opened 100 connections"),
        "{}",
        last.message
    );
    assert_eq!(told(&log.end_all()), []);
}

#[test]
fn a_renewed_block_is_a_change_and_the_same_one_is_not() {
    let mut log = log("");
    let mut seen = verdict(Class::Scan);
    seen.decision = block(START + 60 * SECOND, 0);
    log.record(&seen);
    assert_eq!(told(&log.record(&seen)), []);
    seen.decision = block(START + 90 * SECOND, 0);
    assert_eq!(told(&log.record(&seen)), [(Stage::Changed, "block", 2)]);
}

#[test]
fn another_class_and_a_later_attack_are_incidents_of_their_own() {
    let mut log = log("quiet = \"60s\"\n");
    let first = log.record(&verdict(Class::Scan));
    let other = log.record(&verdict(Class::BruteForce));
    assert_ne!(first[0].incident.event.id, other[0].incident.event.id);
    let mut later = verdict(Class::Scan);
    later.time += 100 * SECOND;
    later.evidence.first_seen = later.time;
    let told_later = log.record(&later);
    assert_eq!(
        told(&told_later),
        [
            (Stage::Ended, "alert", 2),
            (Stage::Ended, "alert", 2),
            (Stage::Begun, "alert", 1)
        ]
    );
    assert_ne!(told_later[2].incident.event.id, first[0].incident.event.id);
}

#[test]
fn watching_is_no_incident() {
    let mut watched = verdict(Class::Scan);
    watched.decision = Decision::Watch;
    assert_eq!(log("").record(&watched), []);
}

#[test]
fn beyond_the_cap_the_quietest_incident_ends_early() {
    let mut log = log("max_open = 16\n");
    let mut ended = Vec::new();
    for index in 0..40_u64 {
        let mut seen = verdict(Class::Scan);
        seen.time += index;
        seen.subject =
            detection::verdict::Subject::Offender(format!("198.51.100.{index}").parse().unwrap());
        let revisions = log.record(&seen);
        assert!(log.open.len() <= 16 && log.order.len() == log.open.len());
        ended.extend(
            revisions
                .into_iter()
                .filter(|revision| revision.stage == Stage::Ended),
        );
    }
    let offenders: Vec<_> = ended
        .iter()
        .filter_map(|end| end.incident.garita.offender)
        .collect();
    assert_eq!(offenders.len(), 24);
    assert_eq!(offenders[0].to_string(), "198.51.100.0");
    assert_eq!(offenders[23].to_string(), "198.51.100.23");
}

#[test]
fn live_times_are_labelled_with_wall_time() {
    let observer = Observer {
        timeline: Timeline::anchored(
            0,
            detection::frame::Timestamp::from_nanoseconds(1_000_000_000),
        ),
        ..observer()
    };
    assert_eq!(observer.label(START).micros() as u64, START + SECOND);
}
