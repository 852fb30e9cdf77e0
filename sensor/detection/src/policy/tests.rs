//! What policy decides about whom, and for how long. Nothing here looks at traffic.

use super::*;

const SECOND: u64 = 1_000_000;

fn policy(settings: &str) -> Policy {
    let text = format!("[policy]\n{settings}");
    let config = settings::Config::layered(&text, "test", Default::default()).unwrap();
    let guard = Guard::new(&config.policy, LocalNetwork::default());
    Policy::new(&config.policy, guard)
}

fn suspect(address: &str, proof: Proof) -> Suspect {
    Suspect {
        address: address.parse().unwrap(),
        class: Class::Scan,
        convincing: true,
        proof,
        subnet: false,
        shared: false,
        tunnelled: false,
        victim: "192.0.2.10".parse().unwrap(),
        arrival: 0,
        service: Service {
            protocol: 6,
            address: Some("192.0.2.10".parse().unwrap()),
            port: Some(22),
            spared: Vec::new(),
        },
    }
}

fn blocked(decision: Decision) -> Block {
    match decision {
        Decision::Block(block) => block,
        other => panic!("expected a block, got {other:?}"),
    }
}

fn seconds(policy: &mut Policy, offender: &Suspect, now: u64) -> (u64, u32) {
    let block = blocked(policy.decide(offender, now));
    assert_eq!(block.expires, now + micros(block.ttl));
    (block.ttl.as_secs(), block.offence)
}

#[test]
fn each_offence_is_answered_longer_up_to_the_cap() {
    let mut policy = policy("block_ttl = \"100s\"\nblock_factor = 10\nmax_block_ttl = \"2000s\"\n");
    let offender = suspect("203.0.113.7", Proof::Proven);
    let mut now = 0;
    for (nominal, offence) in [(100, 1), (1000, 2), (2000, 3), (2000, 4)] {
        let (ttl, counted) = seconds(&mut policy, &offender, now);
        assert_eq!(counted, offence);
        assert!(
            (nominal * 9 / 10..=(nominal * 11 / 10).min(2000)).contains(&ttl),
            "{ttl}"
        );
        now += ttl * SECOND;
    }
}

#[test]
fn an_old_offence_is_forgotten() {
    let mut policy = policy("block_ttl = \"100s\"\noffence_memory = \"1h\"\n");
    let offender = suspect("203.0.113.7", Proof::Proven);
    let (ttl, _) = seconds(&mut policy, &offender, 0);
    let forgotten = (ttl + 3600) * SECOND;
    assert_eq!(policy.history.offences(offender.address, forgotten - 1), 1);
    assert_eq!(seconds(&mut policy, &offender, forgotten).1, 1);
}

#[test]
fn an_offence_of_an_earlier_run_counts_and_is_no_block_in_force() {
    let mut policy = policy("block_ttl = \"100s\"\noffence_memory = \"1h\"\n");
    let offender = suspect("203.0.113.7", Proof::Proven);
    // Its end lies ahead: the block was lifted by hand, or the clock was wrong when it was written.
    let offence = Offence {
        count: 2,
        served: 1_000_000 * SECOND,
    };
    policy.recall(offender.address, &offence);
    let spoofer = suspect("203.0.113.7", Proof::Unproven);
    assert_eq!(seconds(&mut policy, &spoofer, SECOND).1, 0);
    assert_eq!(seconds(&mut policy, &offender, 2 * SECOND).1, 3);
}

#[test]
fn a_block_in_force_is_repeated_unchanged() {
    let mut policy = policy("");
    let offender = suspect("203.0.113.7", Proof::Proven);
    let first = blocked(policy.decide(&offender, 0));
    assert_eq!(blocked(policy.decide(&offender, 9 * SECOND)), first);
    let spoofer = suspect("203.0.113.7", Proof::Unproven);
    assert_eq!(blocked(policy.decide(&spoofer, 9 * SECOND)), first);
}

#[test]
fn the_duration_is_the_same_every_time_and_differs_between_addresses() {
    let ttl = |address: &str| seconds(&mut policy(""), &suspect(address, Proof::Proven), 0).0;
    assert_eq!(ttl("203.0.113.7"), ttl("::ffff:203.0.113.7"));
    let ttls: std::collections::BTreeSet<_> = (0..50)
        .map(|last| ttl(&format!("203.0.113.{last}")))
        .collect();
    assert!(ttls.len() > 20, "{ttls:?}");
}

#[test]
fn an_unproven_address_is_blocked_shortly_and_without_an_offence() {
    let mut policy = policy("");
    let spoofed = suspect("203.0.113.7", Proof::Unproven);
    for now in [0, 30 * SECOND, 500 * SECOND] {
        assert_eq!(seconds(&mut policy, &spoofed, now), (60, 0));
    }
    let proven = suspect("203.0.113.7", Proof::Proven);
    let (ttl, offence) = seconds(&mut policy, &proven, 510 * SECOND);
    assert!(ttl > 500 && offence == 1);
}

#[test]
fn who_proved_itself_before_is_reviewed_when_its_packets_prove_nothing() {
    let decision = policy("").decide(&suspect("203.0.113.7", Proof::ProvenBefore), 0);
    assert_eq!(decision, Decision::Review(Cause::PerhapsSpoofed));
}

#[test]
fn home_exempt_and_tunnelled_addresses_are_reviewed() {
    let mut policy = policy("home = \"192.0.2.0/24\"\nexempt = \"198.51.100.0/24\"\n");
    let mut decide = |address| policy.decide(&suspect(address, Proof::Proven), 0);
    assert_eq!(decide("192.0.2.9"), Decision::Review(Cause::Home));
    assert!(matches!(
        decide("198.51.100.9"),
        Decision::Review(Cause::Exempt(_))
    ));
    assert!(matches!(
        decide("169.254.0.9"),
        Decision::Review(Cause::Exempt(_))
    ));
    assert_eq!(decide("::ffff:127.0.0.1"), Decision::Watch, "loopback");
    assert_eq!(decide("203.0.113.7").as_str(), "block");
    let mut inner = suspect("203.0.113.8", Proof::Proven);
    inner.tunnelled = true;
    assert_eq!(policy.decide(&inner, 0), Decision::Review(Cause::Tunnelled));
}

#[test]
fn only_claimed_classes_are_blocked_and_only_on_convincing_evidence() {
    let mut policy = policy("");
    let mut offender = suspect("203.0.113.7", Proof::Proven);
    for class in Class::ALL {
        offender.class = class;
        let decision = policy.decide(&offender, 0);
        assert_eq!(decision.block().is_some(), class.is_claimed(), "{class}");
        let quiet = !class.is_attack();
        assert_eq!(decision == Decision::Watch, quiet, "{class}");
    }
    offender.convincing = false;
    assert_eq!(policy.decide(&offender, 0), Decision::Watch);
}

#[test]
fn beyond_its_budget_a_block_becomes_a_review_and_the_budgets_are_apart() {
    let mut policy = policy("max_blocks_per_minute = 2\nmax_unproven_blocks_per_minute = 1\n");
    let mut decide =
        |last: u8, proof, now| policy.decide(&suspect(&format!("203.0.113.{last}"), proof), now);
    assert!(decide(1, Proof::Proven, 0).block().is_some());
    assert!(decide(2, Proof::Proven, 0).block().is_some());
    assert_eq!(
        decide(3, Proof::Proven, SECOND),
        Decision::Review(Cause::Budget)
    );
    assert!(decide(4, Proof::Unproven, SECOND).block().is_some());
    assert_eq!(
        decide(5, Proof::Unproven, SECOND),
        Decision::Review(Cause::Budget)
    );
    assert!(
        decide(4, Proof::Unproven, 2 * SECOND).block().is_some(),
        "a renewal is free"
    );
    assert!(decide(3, Proof::Proven, 60 * SECOND).block().is_some());
}

#[test]
fn enough_offenders_of_one_ipv6_subnet_are_blocked_with_it() {
    let mut policy = policy("subnet_offenders = 3\nexempt = \"2001:db8:1::9\"\n");
    let mut target = |address: &str| {
        let offender = suspect(address, Proof::Proven);
        blocked(policy.decide(&offender, 0)).target.to_string()
    };
    assert_eq!(target("2001:db8::1"), "2001:db8::1/128");
    assert_eq!(target("2001:db8::2"), "2001:db8::2/128");
    assert_eq!(target("2001:db8:0:1::3"), "2001:db8:0:1::3/128");
    assert_eq!(target("2001:db8::3"), "2001:db8::/64");
    for last in 1..=4 {
        let alone = format!("2001:db8:1::{last}");
        assert_eq!(
            target(&alone),
            format!("{alone}/128"),
            "an exempt neighbour"
        );
    }
}

#[test]
fn a_released_offender_is_judged_anew_and_its_offence_counts() {
    let mut policy = policy("");
    let offender = suspect("203.0.113.7", Proof::Proven);
    assert_eq!(seconds(&mut policy, &offender, 0).1, 1);
    policy.release(IpNet::from(offender.address), 5 * SECOND);
    assert_eq!(seconds(&mut policy, &offender, 6 * SECOND).1, 2);
}

#[test]
fn offenders_are_forgotten_oldest_first_beyond_the_cap() {
    let mut policy =
        policy("max_offenders = 64\nmax_blocks_per_minute = 1000\nblock_ttl = \"1s\"\n");
    for index in 0..200_u64 {
        let offender = suspect(&format!("203.0.113.{index}"), Proof::Proven);
        assert_eq!(seconds(&mut policy, &offender, index * SECOND).1, 1);
        assert!(policy.history.len() <= 64);
    }
    let again = |policy: &mut Policy, last| {
        seconds(
            policy,
            &suspect(&format!("203.0.113.{last}"), Proof::Proven),
            300 * SECOND,
        )
        .1
    };
    assert_eq!(again(&mut policy, 199), 2);
    assert_eq!(again(&mut policy, 100), 1);
}

#[test]
fn who_shares_an_address_or_may_be_named_by_others_is_kept_from_a_service_only() {
    let mut policy = policy("");
    let mut shared = suspect("203.0.113.7", Proof::Proven);
    shared.shared = true;
    let block = blocked(policy.decide(&shared, 0));
    assert_eq!(block.service.as_ref(), Some(&shared.service));
    assert_eq!((block.scope, block.offence), (Scope::All, 1));
    assert!(block.ttl.as_secs() > 500);
    assert_eq!(
        policy.offences(shared.address, SECOND),
        0,
        "the others pay for nothing"
    );
    for (proof, shared) in [
        (Proof::Own, false),
        (Proof::Own, true),
        (Proof::ProvenBefore, true),
        (Proof::Unproven, true),
    ] {
        let mut named = suspect("203.0.113.8", proof);
        named.shared = shared;
        let block = blocked(policy.decide(&named, 0));
        assert!(block.service.is_some());
        assert_eq!((block.ttl.as_secs(), block.offence), (60, 0));
        assert_eq!(block.scope, Scope::Opening);
    }
}

#[test]
fn what_proves_nothing_stops_only_what_it_opens_and_pushes_no_offender_out() {
    let mut policy = policy("max_offenders = 64\n");
    let offender = suspect("203.0.113.7", Proof::Proven);
    assert_eq!(blocked(policy.decide(&offender, 0)).scope, Scope::All);
    for last in 0..200_u8 {
        let forged = suspect(&format!("198.51.100.{last}"), Proof::Unproven);
        assert_eq!(
            blocked(policy.decide(&forged, SECOND)).scope,
            Scope::Opening
        );
    }
    assert_eq!(policy.offences(offender.address, SECOND), 1);
}
