//! Somebody else changes the table: it is noticed, told from a release by hand, and repaired.
//! `nft` is that somebody.

use std::net::Ipv4Addr;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use contract::record::Scope;
use sensor::firewall::{DesiredState, Firewall, Host, Nftables, Stopper, Tampering};

use super::{address, host, nft, prefix, standing, unproven, verifier};

/// A monitor on a thread of its own, as the sensor runs it.
struct Watch {
    told: Receiver<Tampering>,
    stopper: Stopper,
    thread: JoinHandle<()>,
}

fn watch(namespace: &crate::netns::Namespace, firewall: &Nftables) -> Watch {
    let mut monitor = namespace.run(|| firewall.monitor()).unwrap().unwrap();
    let stopper = monitor.stopper();
    let (identity, told) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        while let Some(tampering) = monitor.wait().unwrap() {
            if identity.send(tampering).is_err() {
                break;
            }
        }
    });
    Watch {
        told,
        stopper,
        thread,
    }
}

impl Watch {
    fn next(&self) -> Tampering {
        let told = self.told.recv_timeout(Duration::from_secs(5));
        told.expect("the monitor speaks up")
    }

    /// What was said of a tampering, and then nothing more.
    fn tampered(&self) -> String {
        match self.next() {
            Tampering::Tampered(what) => what,
            other => panic!("{other:?}"),
        }
    }

    fn is_silent(&self) {
        let told = self.told.recv_timeout(Duration::from_millis(300));
        assert_eq!(told, Err(RecvTimeoutError::Timeout));
    }
}

fn desired() -> DesiredState {
    DesiredState {
        hosts: vec![
            host("192.0.2.1", 600),
            host("192.0.2.2", 600),
            unproven("192.0.2.3", 600),
            host("2001:db8::1", 600),
        ],
        prefixes: vec![
            prefix("198.51.100.0/24", 600),
            prefix("198.51.101.0/24", 600),
        ],
        services: Vec::new(),
        allowed: vec!["203.0.113.1/32".parse().unwrap()],
    }
}

#[test]
fn every_tampering_is_noticed_and_repaired_with_all_elements() {
    let test = "firewall::tampering::every_tampering_is_noticed_and_repaired_with_all_elements";
    let Some((namespace, mut firewall)) = verifier(test) else {
        return;
    };
    let watch = watch(&namespace, &firewall);
    firewall.install(&desired()).unwrap();
    let before = nft(&namespace, "-s list ruleset");
    let tamperings = [
        ("flush ruleset", "the table was deleted"),
        ("delete table inet garita", "the table was deleted"),
        (
            "flush chain inet garita prerouting",
            "a rule was deleted from the chain prerouting",
        ),
        (
            "flush chain inet garita output ; delete chain inet garita output",
            "the chain output was deleted",
        ),
        (
            "flush chain inet garita output ; flush chain inet garita prerouting ; flush chain inet garita opening ; delete set inet garita blocked4",
            "the set blocked4 was deleted",
        ),
        (
            "insert rule inet garita prerouting ip saddr 192.0.2.1 accept",
            "a rule was added to the chain prerouting",
        ),
        (
            "add chain inet garita stranger",
            "the chain stranger was added or changed",
        ),
        (
            "add table inet garita { flags dormant ; }",
            "the table was changed",
        ),
        (
            "flush chain inet garita opening",
            "a rule was deleted from the chain opening",
        ),
        (
            "delete element inet garita unproven4 { 192.0.2.3 }",
            "the set unproven4 was deleted from",
        ),
        (
            "add element inet garita unproven4 { 192.0.2.1 }",
            "the set unproven4 was added to",
        ),
        (
            "add element inet garita allowed4_net { 192.0.2.0/24 }",
            "the set allowed4_net was added to",
        ),
        (
            "delete element inet garita allowed4_net { 203.0.113.1 }",
            "the set allowed4_net was deleted from",
        ),
    ];
    for (command, said) in tamperings {
        nft(&namespace, command);
        let what = watch.tampered();
        assert!(what.contains(said), "{command}: {what}");
        assert!(what.contains(" by nft (process "), "{command}: {what}");
        watch_out(&watch);
        let found = firewall.install(&desired()).unwrap();
        assert_eq!(found, [], "{command}");
        assert_eq!(firewall.verify().unwrap(), None, "{command}");
        assert_eq!(nft(&namespace, "-s list ruleset"), before, "{command}");
    }
    watch.is_silent();
    watch.stopper.stop();
    watch.thread.join().unwrap();
}

/// Takes what else one command of `nft` led to: it makes some in several steps.
fn watch_out(watch: &Watch) {
    while watch.told.recv_timeout(Duration::from_millis(50)).is_ok() {}
}

#[test]
fn a_single_element_taken_out_by_hand_is_a_release() {
    let test = "firewall::tampering::a_single_element_taken_out_by_hand_is_a_release";
    let Some((namespace, mut firewall)) = verifier(test) else {
        return;
    };
    firewall.install(&desired()).unwrap();
    let watch = watch(&namespace, &firewall);
    for (command, net) in [
        (
            "delete element inet garita blocked4 { 192.0.2.1 }",
            "192.0.2.1/32",
        ),
        (
            "delete element inet garita blocked6 { 2001:db8::1 }",
            "2001:db8::1/128",
        ),
        (
            "delete element inet garita blocked4_net { 198.51.100.0/24 }",
            "198.51.100.0/24",
        ),
    ] {
        nft(&namespace, command);
        assert_eq!(
            watch.next(),
            Tampering::Deleted(net.parse().unwrap()),
            "{command}"
        );
    }
    watch.is_silent();
    let left = ["192.0.2.2/32", "192.0.2.3/32", "198.51.101.0/24"];
    assert_eq!(standing(&mut firewall), left);
    assert_eq!(firewall.verify().unwrap(), None);

    // Added by hand is adopted.
    nft(
        &namespace,
        "add element inet garita blocked4 { 192.0.2.77 timeout 1h }",
    );
    assert!(watch.tampered().contains("the set blocked4 was added to"));
    let mut wanted = desired();
    wanted.hosts.retain(|host| {
        ["192.0.2.2", "192.0.2.3"]
            .map(address)
            .contains(&host.address)
    });
    wanted.prefixes.remove(0);
    let found = firewall.install(&wanted).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].target, "192.0.2.77/32".parse().unwrap());
    watch.stopper.stop();
    watch.thread.join().unwrap();
}

#[test]
fn our_own_changes_other_tables_and_what_expires_are_not_told() {
    let test = "firewall::tampering::our_own_changes_other_tables_and_what_expires_are_not_told";
    let Some((namespace, mut firewall)) = verifier(test) else {
        return;
    };
    let watch = watch(&namespace, &firewall);
    firewall.install(&desired()).unwrap();
    let short = Host {
        address: address("192.0.2.9"),
        left: Some(Duration::from_millis(50)),
        scope: Scope::All,
    };
    firewall.block(&[short, host("192.0.2.10", 60)]).unwrap();
    firewall.release(&[address("192.0.2.10")]).unwrap();
    firewall.block_prefixes(&[]).unwrap();
    firewall.allow(&[]).unwrap();
    nft(&namespace, "add table inet filter");
    nft(&namespace, "add table ip garita");
    nft(&namespace, "add chain ip garita prerouting");
    nft(&namespace, "delete table ip garita");
    nft(&namespace, "delete table inet filter");
    firewall.remove().unwrap();
    firewall.install(&desired()).unwrap();
    watch.is_silent();
    // It was listening all the while.
    nft(
        &namespace,
        "delete element inet garita blocked4 { 192.0.2.1 }",
    );
    assert_eq!(
        watch.next(),
        Tampering::Deleted("192.0.2.1/32".parse().unwrap())
    );
    watch.stopper.stop();
    watch.thread.join().unwrap();
}

#[test]
fn an_overrun_is_said_and_survived() {
    let test = "firewall::tampering::an_overrun_is_said_and_survived";
    let Some((namespace, mut firewall)) = verifier(test) else {
        return;
    };
    firewall.block(&crowd(50_000)).unwrap();
    // Nobody reads while the set is flushed, so that the socket overruns.
    let mut monitor = namespace.run(|| firewall.monitor()).unwrap().unwrap();
    nft(&namespace, "flush set inet garita blocked4");
    let what = monitor.wait().unwrap().unwrap();
    assert!(
        matches!(&what, Tampering::Tampered(what) if what.contains("look again")),
        "{what:?}"
    );
    nft(&namespace, "flush chain inet garita output");
    let what = monitor.wait().unwrap().unwrap();
    let said = "a rule was deleted from the chain output";
    assert!(
        matches!(&what, Tampering::Tampered(what) if what.contains(said)),
        "{what:?}"
    );
    monitor.stopper().stop();
    assert_eq!(monitor.wait().unwrap(), None);
}

#[test]
fn a_set_that_is_flushed_is_tampered_with_and_nobody_released() {
    let test = "firewall::tampering::a_set_that_is_flushed_is_tampered_with_and_nobody_released";
    let Some((namespace, mut firewall)) = verifier(test) else {
        return;
    };
    let desired = DesiredState {
        hosts: crowd(2_000),
        ..DesiredState::default()
    };
    firewall.install(&desired).unwrap();
    let watch = watch(&namespace, &firewall);
    nft(&namespace, "flush set inet garita blocked4");
    let what = watch.tampered();
    assert!(what.contains("the set blocked4 was deleted from"), "{what}");
    watch.is_silent();
    firewall.install(&desired).unwrap();
    assert_eq!(standing(&mut firewall).len(), 2_000);
    watch.stopper.stop();
    watch.thread.join().unwrap();
}

/// So many hosts of 198.18.0.0/15, which is set aside for benchmarks (RFC 2544).
fn crowd(count: u32) -> Vec<Host> {
    let host = |number| Host {
        address: Ipv4Addr::from(0xc612_0000 + number).into(),
        left: Some(Duration::from_secs(600)),
        scope: Scope::All,
    };
    (0..count).map(host).collect()
}
