//! The store on a real file: what is recorded is there again, whatever becomes of the process, the disk or the file.
//! What is decided from it is tested elsewhere.

mod crash;
mod disk;
mod outbox;
mod sample;
mod upgrade;
mod volume;

use contract::record::{Answered, Review, ReviewState};
use contract::timestamp::Timestamp;
use contract::topics::Topic;
use sensor::store::{AuditCheck, Entry, IncidentQuery, Page, Recovered, Store};

use sample::{NOW, block, config, ended, incident, net, now, said, seconds};

/// What a person was asked about the incident `id`.
fn review(id: &str, state: ReviewState) -> Review {
    Review {
        id: id.to_owned(),
        address: "203.0.113.9".parse().unwrap(),
        class: contract::class::Class::Scan,
        cause: "it is inside the home networks".to_owned(),
        message: "203.0.113.9 scans".to_owned(),
        asked: seconds(-60),
        lapses: seconds(3_600),
        state,
        answered: (state != ReviewState::Open).then(|| Answered {
            by: "root (uid 0)".to_owned(),
            at: NOW,
        }),
    }
}

#[test]
fn what_stands_is_known_again_and_what_has_ended_is_history() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder.path().join("garita.db"), "");
    let (store, before) = Store::open(&config, now);
    assert_eq!(before, Recovered::default());

    let mut standing = block("203.0.113.7/32", 0, Some(600));
    store.record(Entry::Block(standing.clone()));
    standing.expires = Some(seconds(900));
    standing.offence = 2;
    store.record(Entry::Block(standing.clone()));
    let permanent = block("2001:db8:7::/64", -5, None);
    store.record(Entry::Block(permanent.clone()));
    store.record(Entry::Block(block("203.0.113.8/32", -700, Some(-1))));
    store.record(Entry::Block(block("203.0.113.10/32", -10, Some(600))));
    let replacing = block("203.0.113.10/32", -5, Some(300));
    store.record(Entry::Block(replacing.clone()));
    store.record(Entry::Block(block("203.0.113.9/32", -9, Some(600))));
    store.record(Entry::Released {
        target: net("203.0.113.9/32"),
        service: None,
        at: seconds(-1),
        by: "ops'; DROP TABLE block; --".to_owned(),
        reason: "a colleague \u{202e}\0".to_owned(),
    });
    for (key, net) in [("kept", "192.0.2.0/24"), ("taken back", "198.51.100.0/24")] {
        store.record(Entry::Allowance(contract::record::Allowance {
            net: net.parse().unwrap(),
            by: "configuration".to_owned(),
            reason: key.to_owned(),
            since: seconds(-100),
            expires: None,
        }));
    }
    store.record(Entry::Disallowed {
        net: net("198.51.100.0/24"),
        at: NOW,
        by: "root".to_owned(),
    });
    store.record(Entry::Setting {
        key: "enforcement",
        value: "on".to_owned(),
    });
    store.record(Entry::Setting {
        key: "enforcement",
        value: "off".to_owned(),
    });
    store.record(Entry::Review(review("waits", ReviewState::Open)));
    store.record(Entry::Review(review("answered", ReviewState::Open)));
    store.record(Entry::Review(review("answered", ReviewState::Dismissed)));
    store.record(said("203.0.113.9"));
    let epoch = store.epoch();
    store.close();

    let (store, mut recovered) = Store::open(&config, now);
    recovered.blocks.sort_by_key(|block| block.target);
    assert_eq!(recovered.blocks, [standing, replacing, permanent]);
    let offences: Vec<_> = recovered
        .offences
        .iter()
        .map(|o| (o.address.to_string(), o.count))
        .collect();
    assert!(
        offences.contains(&("203.0.113.7".to_owned(), 2)),
        "{offences:?}"
    );
    assert_eq!(recovered.allowances.len(), 1);
    assert_eq!(recovered.reviews, [review("waits", ReviewState::Open)]);
    assert_eq!(recovered.settings["enforcement"], "off");
    assert_eq!(store.epoch(), epoch);

    let reader = store.reader().unwrap();
    assert_eq!(reader.audit_head().unwrap(), recovered.audit_head);
    assert!(reader.audit_has(&recovered.audit_head.unwrap()).unwrap());
    let past = reader
        .blocks(net("203.0.113.9/32"), Page::default())
        .unwrap();
    let released = past[0].released.as_ref().unwrap();
    assert_eq!(released.by, "ops'; DROP TABLE block; --");
    assert_eq!(released.reason, "a colleague \u{202e}\0");
    let replaced = reader
        .blocks(net("203.0.113.10/32"), Page::default())
        .unwrap();
    assert_eq!(replaced.len(), 2);
    assert!(replaced[1].released.is_some());
    let inside = reader
        .blocks(net("203.0.113.0/24"), Page { limit: 3, skip: 3 })
        .unwrap();
    assert_eq!(inside.len(), 2, "a page of the five blocks inside a prefix");
    let around = reader
        .blocks(net("2001:db8:7::1/128"), Page::default())
        .unwrap();
    assert_eq!(around[0].block.target, net("2001:db8:7::/64"));
    assert_eq!(reader.reviews(None, Page::default()).unwrap().len(), 2);
    assert_eq!(
        reader.allowances(NOW, Page::default()).unwrap(),
        recovered.allowances
    );
}

#[test]
fn an_incident_is_kept_with_all_its_revisions_and_its_message() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder.path().join("garita.db"), "");
    let (store, _) = Store::open(&config, now);
    for revision in 1..=3 {
        store.record(incident("first", "203.0.113.9", revision));
    }
    store.record(incident("second", "203.0.113.10", 1));
    store.record(ended("first", "203.0.113.9", 4));
    store.record(Entry::Review(review("first", ReviewState::Dismissed)));
    store.record(Entry::Review(review("forgotten", ReviewState::Approved)));
    store.clone().close();

    let reader = store.reader().unwrap();
    let all = reader
        .incidents(&IncidentQuery::default(), Page::default())
        .unwrap();
    let told: Vec<_> = all.iter().map(|i| (i.id.as_str(), i.revision)).collect();
    assert_eq!(told, [("first", 4), ("second", 1)]);
    let of = |query| reader.incidents(&query, Page::default()).unwrap().len();
    let net = |text: &str| Some(text.parse().unwrap());
    assert_eq!(
        of(IncidentQuery {
            net: net("203.0.113.10/32"),
            ..IncidentQuery::default()
        }),
        1
    );
    assert_eq!(
        of(IncidentQuery {
            net: net("203.0.113.11/32"),
            ..IncidentQuery::default()
        }),
        0
    );
    for (prefix, count) in [
        ("203.0.113.8/30", 2),
        ("203.0.113.10/31", 1),
        ("2001:db8::/32", 0),
    ] {
        let query = IncidentQuery {
            net: net(prefix),
            ..IncidentQuery::default()
        };
        assert_eq!(of(query), count, "{prefix}");
    }
    assert_eq!(
        of(IncidentQuery {
            since: Some(Timestamp::from_micros(i64::MAX)),
            ..IncidentQuery::default()
        }),
        0
    );
    let class = Some(contract::class::Class::Flood);
    assert_eq!(
        of(IncidentQuery {
            class,
            ..IncidentQuery::default()
        }),
        0
    );

    let revisions = reader.incident("first").unwrap();
    assert_eq!(
        revisions.iter().map(|r| r.revision).collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    assert_eq!(revisions[0].features, [1.0, -2.5, 3.25]);
    let document: serde_json::Value = serde_json::from_str(&revisions[2].document).unwrap();
    assert_eq!(document["garita"]["revision"], 3);
    assert!(reader.incident("' OR 1=1 --").unwrap().is_empty());

    let labelled = reader.labelled(Page::default()).unwrap();
    assert_eq!(labelled.len(), 1, "what is left of the others says nothing");
    assert_eq!(labelled[0].incident.features, [1.0, -2.5, 3.25]);
    assert_eq!(labelled[0].review.state, ReviewState::Dismissed);

    let posted = reader.outbox(0, 10).unwrap();
    let told: Vec<_> = posted
        .iter()
        .map(|p| (p.seq, p.message.topic, p.message.id.as_str()))
        .collect();
    assert_eq!(
        told[..2],
        [
            (1, Topic::Incident, "first/1"),
            (2, Topic::Incident, "first/2")
        ]
    );
    assert_eq!(told.len(), 5);
    store.record(said("after the end"));
    assert_eq!(
        store.health().lost.len(),
        1,
        "what comes too late is counted"
    );
}

#[test]
fn the_audit_trail_is_chained_over_restarts_and_a_change_shows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("garita.db");
    let config = config(&path, "");
    for restart in 0..3 {
        let (store, _) = Store::open(&config, now);
        for number in 0..4 {
            store.record(said(&format!("{restart}/{number}")));
        }
        store.close();
    }
    let (store, _) = Store::open(&config, now);
    let reader = store.reader().unwrap();
    let page = reader.audit(5, 4).unwrap();
    assert_eq!(
        (page[0].seq, page[0].object.as_str(), page[0].at),
        (5, "1/0", NOW)
    );
    assert!(matches!(
        reader.verify_audit().unwrap(),
        AuditCheck::Whole { entries: 12, .. }
    ));

    let forger = rusqlite::Connection::open(&path).unwrap();
    forger
        .execute("UPDATE audit SET by = 'nobody' WHERE seq = 7", [])
        .unwrap();
    assert!(matches!(
        reader.verify_audit().unwrap(),
        AuditCheck::Broken { seq: 7, .. }
    ));
}
