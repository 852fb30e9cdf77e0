//! What is concluded from which sightings.

use super::*;
use crate::config::Config;
use crate::moment::SECOND;

fn correlator() -> Correlator {
    let config = Config::default();
    Correlator::new(config.correlate, (2, config.fleet.window.micros()))
}

fn sighting((offender, gate): (&str, &str), at: i64) -> Sighting {
    Sighting {
        incident: format!("{offender}-{gate}-{at}"),
        gate: ("north".to_owned(), gate.to_owned()),
        at: at * SECOND,
        offender: offender.parse().ok(),
        victim: "192.0.2.1".parse().ok(),
        port: Some(22),
        sources: Vec::new(),
        class: Class::BruteForce,
        proven: true,
        until: Some((at + 3_600) * SECOND),
    }
}

fn campaigns(correlator: &mut Correlator, kind: Kind) -> Vec<Campaign> {
    let changed = correlator.changed().into_iter();
    changed.filter(|campaign| campaign.kind == kind).collect()
}

#[test]
fn one_gate_proves_nothing_and_the_second_does() {
    let mut correlator = correlator();
    for at in 0..2 {
        assert_eq!(correlator.hear(&sighting(("203.0.113.9", "a"), at)), None);
    }
    let found = correlator.hear(&sighting(("203.0.113.9", "b"), 2)).unwrap();
    assert_eq!(found.gates.len(), 2);
    let campaign = campaigns(&mut correlator, Kind::Offender).remove(0);
    assert_eq!(campaign.incidents.len(), 2);
    assert_eq!(campaign.id, found.campaign);
    assert_eq!(campaign.name(), "brute-force by 203.0.113.9 at 2 sensors");
}

#[test]
fn a_forged_sender_and_an_old_proof_prove_nothing() {
    let mut correlator = correlator();
    correlator.hear(&sighting(("203.0.113.9", "a"), 0));
    let forged = Sighting {
        proven: false,
        ..sighting(("203.0.113.9", "b"), 1)
    };
    assert_eq!(correlator.hear(&forged), None);
    let late = sighting(("203.0.113.9", "c"), 86_401);
    assert_eq!(correlator.hear(&late), None);
}

#[test]
fn twelve_sources_over_two_gates_are_one_campaign_that_names_them() {
    let mut correlator = correlator();
    let mut ids = std::collections::BTreeSet::new();
    let mut last = None;
    for source in 0..12 {
        let address = format!("198.51.{source}.7");
        let gate = if source % 2 == 0 { "a" } else { "b" };
        let mut heard = sighting((&address, gate), source);
        heard.victim = None;
        correlator.hear(&heard);
        for campaign in campaigns(&mut correlator, Kind::Guessing) {
            ids.insert(campaign.id.clone());
            last = Some(campaign);
        }
    }
    let campaign = last.unwrap();
    assert_eq!(
        (ids.len(), campaign.sources.len(), campaign.gates.len()),
        (1, 12, 2)
    );
    assert_eq!(
        campaign.name(),
        "distributed ssh guessing from 12 sources at 2 sensors"
    );
    let document = campaign.document();
    assert_eq!(document["observer"]["type"], "coordinator");
    assert_eq!(
        document["garita"]["campaign"]["incidents"]
            .as_array()
            .unwrap()
            .len(),
        12
    );
}

#[test]
fn few_sources_or_sources_far_apart_in_time_are_none() {
    let mut correlator = correlator();
    for source in 0..12 {
        let address = format!("198.51.{source}.7");
        let gate = if source % 2 == 0 { "a" } else { "b" };
        let mut heard = sighting((&address, gate), source * 900);
        heard.victim = None;
        correlator.hear(&heard);
        assert!(campaigns(&mut correlator, Kind::Guessing).is_empty());
    }
}

#[test]
fn offenders_of_one_network_and_of_one_victim_are_campaigns() {
    let mut correlator = correlator();
    for host in 1..=8 {
        let mut heard = sighting((&format!("198.51.100.{host}"), "a"), host);
        heard.class = Class::Scan;
        correlator.hear(&heard);
    }
    let found = correlator.changed();
    let about = |kind: Kind| found.iter().filter(move |campaign| campaign.kind == kind);
    let subjects =
        |kind: Kind| about(kind).map(|campaign| (campaign.subject.as_str(), campaign.version));
    let network: Vec<_> = subjects(Kind::Network).collect();
    assert_eq!(
        network,
        [("198.51.100.0/24", 1)],
        "told once, whatever came in between"
    );
    assert_eq!(
        subjects(Kind::Victim).collect::<Vec<_>>(),
        [("192.0.2.1", 1)]
    );
}

#[test]
fn a_private_victim_is_another_host_at_each_site() {
    let mut correlator = correlator();
    for host in 1..=8 {
        let mut heard = sighting((&format!("198.51.{host}.1"), "a"), host);
        heard.gate.0 = if host % 2 == 0 { "north" } else { "south" }.to_owned();
        heard.victim = "10.0.0.1".parse().ok();
        heard.class = Class::Scan;
        correlator.hear(&heard);
        assert!(campaigns(&mut correlator, Kind::Victim).is_empty());
    }
}

#[test]
fn a_campaign_ends_and_goes_on_under_its_name_after_a_restart() {
    let mut before = correlator();
    before.hear(&sighting(("203.0.113.9", "a"), 0));
    before.hear(&sighting(("203.0.113.9", "b"), 2));
    let campaign = campaigns(&mut before, Kind::Offender).remove(0);
    let mut after = correlator();
    let about = (Kind::Offender, "203.0.113.9".to_owned());
    after.resume(
        about,
        (campaign.id.clone(), campaign.version, campaign.first),
    );
    after.hear(&sighting(("203.0.113.9", "b"), 2));
    after.hear(&sighting(("203.0.113.9", "c"), 3));
    let next = campaigns(&mut after, Kind::Offender).remove(0);
    assert_eq!(
        (next.id.as_str(), next.first),
        (campaign.id.as_str(), campaign.first)
    );
    assert!(next.version > campaign.version);
    after.sweep(3 * SECOND + 3_600 * SECOND);
    let ended = campaigns(&mut after, Kind::Offender);
    assert!(ended.len() == 1 && ended.iter().all(|campaign| !campaign.open));
}

#[test]
fn what_is_followed_is_bounded() {
    let mut config = Config::default();
    config.correlate.max_offenders = 64;
    let mut correlator = Correlator::new(config.correlate, (2, config.fleet.window.micros()));
    for n in 0..10_000_u32 {
        let address = IpAddr::from((0x0100_0000_u32 + n * 7).to_be_bytes());
        let heard = Sighting {
            offender: Some(address),
            ..sighting(("203.0.113.9", "a"), i64::from(n))
        };
        correlator.hear(&heard);
    }
    let (offenders, groups) = correlator.size();
    assert!(offenders <= 64 && groups <= 64, "{offenders} {groups}");
}
