//! The table as `nft` prints it, made, adopted and taken away.
//! What its rules do to traffic is not looked at here.

use contract::record::Scope;
use sensor::firewall::{DesiredState, Element, Firewall, Nftables};

use super::{guard, host, nft, prefix, seen, standing, verifier};

const RULESET: &str = include_str!("ruleset.nft");

#[test]
fn the_table_is_made_as_designed_and_no_other_is_touched() {
    let test = "firewall::ruleset::the_table_is_made_as_designed_and_no_other_is_touched";
    let Some((namespace, mut firewall)) = verifier(test) else {
        return;
    };
    assert_eq!(nft(&namespace, "list ruleset"), RULESET);
    firewall.remove().unwrap();
    assert_eq!(nft(&namespace, "list ruleset"), "");
    // Once more: there is nothing to take away.
    firewall.remove().unwrap();

    nft(&namespace, "add table inet filter");
    nft(
        &namespace,
        "add set inet filter blocked4 { type ipv4_addr ; }",
    );
    nft(
        &namespace,
        "add element inet filter blocked4 { 203.0.113.1 }",
    );
    nft(&namespace, "add table ip garita");
    nft(&namespace, "add chain ip garita prerouting");
    let others = nft(&namespace, "list ruleset");
    firewall.install(&DesiredState::default()).unwrap();
    assert_eq!(
        nft(&namespace, "list ruleset"),
        format!("{others}{RULESET}")
    );
    firewall.block(&[host("203.0.113.1", 60)]).unwrap();
    firewall.remove().unwrap();
    assert_eq!(nft(&namespace, "list ruleset"), others);
}

#[test]
fn a_new_process_adopts_what_the_last_one_left() {
    let test = "firewall::ruleset::a_new_process_adopts_what_the_last_one_left";
    let Some((namespace, mut firewall)) = verifier(test) else {
        return;
    };
    firewall
        .block(&[host("192.0.2.1", 100), host("2001:db8::1", 200)])
        .unwrap();
    let permanent = Element {
        target: "203.0.113.0/24".parse().unwrap(),
        left: None,
        scope: Scope::All,
    };
    firewall
        .block_prefixes(&[prefix("198.51.100.0/24", 300), permanent])
        .unwrap();
    firewall
        .allow(&["192.0.2.200/32".parse().unwrap()])
        .unwrap();
    let handles = nft(&namespace, "-a list chain inet garita prerouting");
    drop(firewall);

    let mut next = namespace.run(Nftables::open).unwrap();
    let wanted = DesiredState {
        hosts: vec![host("192.0.2.1", 100), host("192.0.2.2", 50)],
        prefixes: vec![prefix("198.51.100.0/24", 300)],
        services: Vec::new(),
        allowed: vec!["192.0.2.201/32".parse().unwrap()],
    };
    let mut found = next.install(&wanted).unwrap();
    found.sort_by_key(|element| element.target);
    let [net, host] = found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(net, permanent);
    assert_eq!(host.target, "2001:db8::1/128".parse().unwrap());
    let left = host.left.unwrap().as_secs_f64();
    assert!((190.0..=200.0).contains(&left), "{left} s");
    // The rules were right, and so not made anew.
    assert_eq!(
        nft(&namespace, "-a list chain inet garita prerouting"),
        handles
    );
    let expected = [
        "192.0.2.1/32",
        "192.0.2.2/32",
        "198.51.100.0/24",
        "2001:db8::1/128",
        "203.0.113.0/24",
    ];
    assert_eq!(standing(&mut next), expected);
    assert_eq!(
        seen(&namespace, "allowed4_net"),
        [("192.0.2.201".to_owned(), None)]
    );
}

#[test]
fn a_table_that_deviates_is_made_anew_with_everything_in_it() {
    let test = "firewall::ruleset::a_table_that_deviates_is_made_anew_with_everything_in_it";
    let Some((namespace, _)) = verifier(test) else {
        return;
    };
    let deviations = [
        ("flush ruleset", "the table garita is missing"),
        (
            "add table inet garita { flags dormant ; }",
            "the table garita is dormant",
        ),
        (
            "flush chain inet garita output",
            "the chain output has other rules",
        ),
        (
            "insert rule inet garita prerouting ip saddr 192.0.2.1 accept",
            "the chain prerouting has other rules",
        ),
        (
            "add chain inet garita prerouting { policy drop ; }",
            "policy",
        ),
        (
            "add chain inet garita stranger",
            "there is a foreign chain stranger",
        ),
    ];
    for (command, said) in deviations {
        let mut firewall = guard(&namespace);
        let wanted = DesiredState {
            hosts: vec![host("192.0.2.1", 100), host("2001:db8::1", 100)],
            prefixes: vec![prefix("198.51.100.0/24", 100)],
            services: Vec::new(),
            allowed: vec!["192.0.2.200/32".parse().unwrap()],
        };
        firewall.install(&wanted).unwrap();
        let before = nft(&namespace, "-s list ruleset");
        nft(&namespace, command);
        let what = firewall.verify().unwrap().unwrap_or_default();
        assert!(what.contains(said), "{command}: {what}");
        firewall.install(&wanted).unwrap();
        assert_eq!(firewall.verify().unwrap(), None, "{command}");
        assert_eq!(nft(&namespace, "-s list ruleset"), before, "{command}");
        firewall.remove().unwrap();
    }
}

#[test]
fn a_foreign_table_of_our_name_is_replaced_and_its_readable_elements_are_kept() {
    let test = "firewall::ruleset::a_foreign_table_of_our_name_is_replaced_and_its_readable_elements_are_kept";
    let Some((namespace, mut firewall)) = verifier(test) else {
        return;
    };
    firewall.remove().unwrap();
    nft(&namespace, "add table inet garita");
    nft(
        &namespace,
        "add set inet garita blocked4 { type ipv4_addr ; flags timeout ; }",
    );
    nft(
        &namespace,
        "add element inet garita blocked4 { 192.0.2.7 timeout 1h }",
    );
    nft(
        &namespace,
        "add set inet garita blocked6 { type ether_addr ; }",
    );
    let what = firewall.verify().unwrap().unwrap();
    assert!(what.contains("the set blocked6 has another form"), "{what}");
    assert!(what.contains("the chain output is missing"), "{what}");
    assert!(
        what.contains("the counter to_blocked4 is missing"),
        "{what}"
    );
    let found = firewall.install(&DesiredState::default()).unwrap();
    assert_eq!(found[0].target, "192.0.2.7/32".parse().unwrap());
    assert_eq!(firewall.verify().unwrap(), None);
    assert_eq!(seen(&namespace, "blocked4").len(), 1);
}
