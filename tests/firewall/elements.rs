//! Hosts and prefixes in the sets, as `nft` sees them: added, renewed, released, expired.
//! Whether they keep anybody out is asked elsewhere.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use contract::record::Scope;
use sensor::firewall::{Element, Firewall, Host};

use super::{address, host, nft, prefix, seen, standing, verifier};

#[test]
fn hosts_stand_for_their_time_and_are_renewed_and_released() {
    let test = "firewall::elements::hosts_stand_for_their_time_and_are_renewed_and_released";
    let Some((namespace, mut firewall)) = verifier(test) else {
        return;
    };
    let permanent = Host {
        address: address("192.0.2.3"),
        left: None,
        scope: Scope::All,
    };
    firewall
        .block(&[
            host("192.0.2.1", 100),
            host("::ffff:192.0.2.2", 200),
            permanent,
            host("2001:db8::1", 300),
        ])
        .unwrap();
    let [first, second, third] = &seen(&namespace, "blocked4")[..] else {
        panic!("three hosts");
    };
    let about = |found: &(String, Option<(u64, u64)>), who: &str, seconds: u64| {
        let (timeout, left) = found.1.unwrap();
        assert_eq!((&*found.0, timeout), (who, seconds));
        assert!((seconds - 5..=seconds).contains(&left), "{left}");
    };
    about(first, "192.0.2.1", 100);
    about(second, "192.0.2.2", 200);
    assert_eq!(*third, ("192.0.2.3".to_owned(), None));
    about(&seen(&namespace, "blocked6")[0], "2001:db8::1", 300);

    // Longer, shorter, twice in one call, and to and from permanent.
    firewall
        .block(&[
            host("192.0.2.1", 900),
            host("192.0.2.1", 1000),
            host("192.0.2.3", 30),
        ])
        .unwrap();
    firewall
        .block(&[
            host("192.0.2.2", 20),
            Host {
                address: address("2001:db8::1"),
                left: None,
                scope: Scope::All,
            },
        ])
        .unwrap();
    let found = seen(&namespace, "blocked4");
    about(&found[0], "192.0.2.1", 1000);
    about(&found[1], "192.0.2.2", 20);
    about(&found[2], "192.0.2.3", 30);
    assert_eq!(
        seen(&namespace, "blocked6"),
        [("2001:db8::1".to_owned(), None)]
    );

    // One that is not there is let be.
    firewall
        .release(&[
            address("192.0.2.99"),
            address("::ffff:192.0.2.1"),
            address("2001:db8::1"),
            address("2001:db8::99"),
        ])
        .unwrap();
    assert_eq!(standing(&mut firewall), ["192.0.2.2/32", "192.0.2.3/32"]);
    firewall.block(&[]).unwrap();
    firewall.release(&[]).unwrap();
}

#[test]
fn prefixes_are_replaced_in_one_step_and_may_overlap_or_touch() {
    let test = "firewall::elements::prefixes_are_replaced_in_one_step_and_may_overlap_or_touch";
    let Some((namespace, mut firewall)) = verifier(test) else {
        return;
    };
    let mut given = vec![
        prefix("198.51.100.128/25", 900),
        prefix("198.51.100.0/24", 600),
        prefix("198.51.101.0/24", 300),
        prefix("203.0.113.9/32", 300),
        prefix("::ffff:192.0.2.0/121", 300),
        prefix("255.255.255.0/24", 300),
        prefix("2001:db8:1::/64", 300),
        prefix("2001:db8:1:1::/64", 100),
        prefix("ffff:ffff::/32", 300),
    ];
    firewall.block_prefixes(&given).unwrap();
    let who = |set| -> Vec<String> {
        seen(&namespace, set)
            .into_iter()
            .map(|(who, _)| who)
            .collect()
    };
    assert_eq!(
        who("blocked4_net"),
        [
            "192.0.2.0/25",
            "198.51.100.0/24",
            "198.51.101.0/24",
            "203.0.113.9",
            "255.255.255.0/24"
        ]
    );
    assert_eq!(
        who("blocked6_net"),
        ["2001:db8:1:1::/64", "2001:db8:1::/64", "ffff:ffff::/32"]
    );
    let mut back = firewall.elements().unwrap();
    back.sort_by_key(|element| element.target);
    let of = |net: &str| {
        let target = net.parse().unwrap();
        let found = back
            .iter()
            .find(|element: &&Element| element.target == target);
        found
            .unwrap_or_else(|| panic!("{net} in {back:?}"))
            .left
            .unwrap()
            .as_secs_f64()
    };
    assert_eq!(back.len(), 8);
    assert!((590.0..=600.0).contains(&of("198.51.100.0/24")));
    assert!((90.0..=100.0).contains(&of("2001:db8:1:1::/64")));
    assert!((290.0..=300.0).contains(&of("255.255.255.0/24")));

    // The wider one is gone: what it covered comes back; what is not named goes.
    given.truncate(1);
    firewall.block_prefixes(&given).unwrap();
    assert_eq!(who("blocked4_net"), ["198.51.100.128/25"]);
    assert_eq!(who("blocked6_net"), [""; 0]);
    firewall.block_prefixes(&[]).unwrap();
    assert_eq!(standing(&mut firewall), [""; 0]);

    let nets = [
        "192.0.2.0/24",
        "192.0.2.7/32",
        "2001:db8::/32",
        "::ffff:203.0.113.1/128",
    ];
    firewall
        .allow(&nets.map(|net| net.parse().unwrap()))
        .unwrap();
    assert_eq!(who("allowed4_net"), ["192.0.2.0/24", "203.0.113.1"]);
    assert_eq!(who("allowed6_net"), ["2001:db8::/32"]);
    firewall.allow(&[]).unwrap();
    assert_eq!(who("allowed4_net"), [""; 0]);
}

#[test]
fn what_has_expired_is_gone_and_can_be_released_or_blocked_again() {
    let test = "firewall::elements::what_has_expired_is_gone_and_can_be_released_or_blocked_again";
    let Some((namespace, mut firewall)) = verifier(test) else {
        return;
    };
    let short = |text: &str| Host {
        address: address(text),
        left: Some(Duration::from_millis(300)),
        scope: Scope::All,
    };
    let over = Host {
        address: address("192.0.2.9"),
        left: Some(Duration::ZERO),
        scope: Scope::All,
    };
    firewall
        .block(&[
            short("192.0.2.1"),
            short("2001:db8::1"),
            host("192.0.2.2", 60),
            over,
        ])
        .unwrap();
    let net = Element {
        target: "198.51.100.0/24".parse().unwrap(),
        left: Some(Duration::from_millis(300)),
        scope: Scope::All,
    };
    firewall.block_prefixes(&[net]).unwrap();
    assert!(standing(&mut firewall).len() >= 4);

    let started = Instant::now();
    let (_silence, nobody) = mpsc::channel::<()>();
    while standing(&mut firewall) != ["192.0.2.2/32"] {
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{:?}",
            standing(&mut firewall)
        );
        let _ = nobody.recv_timeout(Duration::from_millis(50));
    }
    assert_eq!(seen(&namespace, "blocked4").len(), 1);
    assert_eq!(seen(&namespace, "blocked4_net"), []);
    firewall.release(&[address("192.0.2.1")]).unwrap();
    firewall
        .block(&[short("192.0.2.1"), short("2001:db8::1")])
        .unwrap();
    firewall.block_prefixes(&[net]).unwrap();
    assert_eq!(standing(&mut firewall).len(), 4);
}

#[test]
fn a_refusal_names_the_act() {
    let test = "firewall::elements::a_refusal_names_the_act";
    let Some((namespace, mut firewall)) = verifier(test) else {
        return;
    };
    nft(&namespace, "delete table inet garita");
    let error = firewall.block(&[host("192.0.2.1", 60)]).unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(error.to_string(), "the kernel did not block the hosts");
    assert!(source.to_string().contains("No such file"), "{source}");
}
