//! What the blocklist does with verdicts: reviews, and blocks that find no room.

use super::*;

#[test]
fn a_review_is_answered_once_or_lapses() {
    let mut fixture = fixture("[policy]\nreview_ttl = \"100s\"\n");
    for (last, class) in [(7, Class::Scan), (8, Class::Scan), (9, Class::Flood)] {
        let mut seen = verdict(class);
        seen.subject = detection::verdict::Subject::Offender(IpAddr::from([203, 0, 113, last]));
        seen.decision = Decision::Review(Cause::PerhapsSpoofed);
        fixture.blocklist.conclude(seen, at(1_000));
    }
    let reviews = fixture.blocklist.reviews.all();
    assert_eq!(reviews.len(), 3);
    let id = |address: [u8; 4]| {
        let of = reviews
            .iter()
            .find(|review| review.address == IpAddr::from(address));
        of.unwrap().id.clone()
    };
    let approve = Action::Approve {
        review: id([203, 0, 113, 7])[..8].to_owned(),
        ttl: Lifetime::Default,
    };
    fixture.act(approve.clone(), 1_001).unwrap();
    assert!(matches!(
        fixture.act(approve, 1_002),
        Err(Refusal::NotFound(_))
    ));
    let dismiss = Action::Dismiss {
        review: id([203, 0, 113, 8]),
        reason: "our scanner".to_owned(),
    };
    fixture.act(dismiss, 1_003).unwrap();
    assert_eq!(fixture.targets(), ["203.0.113.7"]);
    assert!(fixture.act(block("203.0.113.8", 60), 1_004).is_err());
    fixture.blocklist.tick(at(1_100));
    assert!(fixture.blocklist.reviews.all().is_empty());
    let store = fixture.store.clone();
    store.close();
    let path = fixture.config.store.path.to_path_buf();
    assert!(path.exists());
}

#[test]
fn who_was_dismissed_is_not_asked_about_again_and_who_is_allowed_for_good_is() {
    let mut fixture = fixture("");
    let seen = |second: u64| {
        let mut seen = verdict(Class::Scan);
        seen.time = second * SECOND;
        seen.decision = Decision::Review(Cause::PerhapsSpoofed);
        seen
    };
    fixture.blocklist.conclude(seen(1_000), at(1_000));
    let dismiss = |review: String| Action::Dismiss {
        review,
        reason: String::new(),
    };
    let id = fixture.blocklist.reviews.all()[0].id.clone();
    fixture.act(dismiss(id), 1_001).unwrap();
    let again = |fixture: &mut Fixture, second| {
        let mut seen = seen(second);
        let address = seen.subject.address();
        seen.decision = Decision::Review(Cause::Exempt(Exemption::Allowed(address.into())));
        fixture.blocklist.conclude(seen, at(second));
        fixture.blocklist.reviews.all().len()
    };
    assert_eq!(again(&mut fixture, 1_100), 0);
    let allow = Action::Allow {
        net: net("203.0.113.7"),
        ttl: Lifetime::Permanent,
        reason: String::new(),
    };
    fixture.act(allow, 1_200).unwrap();
    assert_eq!(again(&mut fixture, 9_000), 1);
    // A dismissal does not shorten what was allowed for longer.
    let id = fixture.blocklist.reviews.all()[0].id.clone();
    fixture.act(dismiss(id), 9_001).unwrap();
    assert_eq!(fixture.blocklist.allowances.next_deadline(), None);
}

#[test]
fn a_full_list_leaves_nobody_unheard() {
    let mut fixture = fixture("[policy]\nmax_blocks = 64\n");
    for last in 0..64 {
        let target = format!("198.51.100.{last}");
        fixture.act(block(&target, 600), 1_000).unwrap();
    }
    let mut seen = verdict(Class::Scan);
    let target = net("203.0.113.7");
    seen.decision = Decision::Block(detection::policy::Block {
        target,
        reason: "scan".to_owned(),
        expires: 1_600 * SECOND,
        ttl: Duration::from_secs(600),
        offence: 1,
        origin: Origin::Detection,
        scope: Scope::All,
        service: None,
    });
    let outcome = fixture.blocklist.conclude(seen, at(1_000));
    assert!(matches!(outcome, Some(Outcome::Failed(_))), "{outcome:?}");
    assert_eq!(fixture.released(), ["203.0.113.7"]);
}

#[test]
fn an_incident_that_a_killed_run_left_open_is_ended_by_the_next() {
    let reporting = "[report]\nurl = \"mqtt://192.0.2.9\"\n";
    let mut fixture = fixture(reporting);
    fixture.blocklist.conclude(verdict(Class::Scan), at(1_000));
    let mut again = fixture.restart(reporting, 1_100);
    let told = |fixture: &Fixture| {
        let reader = fixture.store.reader().unwrap();
        let [incident] = &reader
            .incidents(&Default::default(), Default::default())
            .unwrap()[..]
        else {
            panic!("there is one");
        };
        let posted = reader.outbox(0, 100).unwrap();
        let incidents = posted
            .iter()
            .filter(|posted| posted.message.id.starts_with(&incident.id));
        let kinds: Vec<String> = incidents
            .map(|posted| posted.message.kind.clone())
            .collect();
        (reader.incident(&incident.id).unwrap(), kinds)
    };
    again.store.clone().close();
    let (revisions, kinds) = told(&again);
    assert_eq!(kinds, ["garita.incident.begun", "garita.incident.ended"]);
    let [begun, ended] = &revisions[..] else {
        panic!("{revisions:?}");
    };
    assert_eq!(
        (begun.stage.as_str(), ended.stage.as_str()),
        ("begun", "ended")
    );
    let document: serde_json::Value = serde_json::from_str(&ended.document).unwrap();
    assert_eq!(document["garita"]["revision"], 2);
    assert_eq!(document["event"]["id"], begun.id.as_str());
    // Once is enough.
    again = again.restart(reporting, 1_200);
    again.store.clone().close();
    assert_eq!(told(&again).0.len(), 2);
}
