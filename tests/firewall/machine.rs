//! What `garita check` asks, and which privilege the firewall needs.
//! The firewall's effects are not looked at here.

use std::process::Stdio;

use sensor::firewall::{DesiredState, Firewall, Nftables, probe};

use super::{host, nft, verifier};
use crate::netns::Namespace;
use crate::skip::skip;

#[test]
fn the_machine_is_probed_without_a_change() {
    let test = "firewall::machine::the_machine_is_probed_without_a_change";
    let Some((namespace, mut firewall)) = verifier(test) else {
        return;
    };
    firewall.remove().unwrap();
    nft(&namespace, "add table ip6 mangle");
    nft(&namespace, "add table inet fw4");
    let found = namespace.run(probe).unwrap();
    assert_eq!((found.tables, found.flowtables), (2, vec![]));

    let flowtable = "{ hook ingress priority 0 ; devices = { lo } ; }";
    let mut adding = namespace.command("nft");
    adding.args(["add", "flowtable", "inet", "fw4", "ft", flowtable]);
    let added = adding.stderr(Stdio::null()).status().unwrap();
    // A kernel that has no flowtables has none to warn of.
    if added.success() {
        assert_eq!(namespace.run(probe).unwrap().flowtables, ["fw4 ft"]);
    }
}

/// Says to the test that it runs as an unprivileged user in a namespace.
const INSIDE: &str = "GARITA_TEST_UNPRIVILEGED";

#[test]
fn one_capability_is_enough_and_without_it_the_error_says_so() {
    let test = "firewall::machine::one_capability_is_enough_and_without_it_the_error_says_so";
    match std::env::var(INSIDE).as_deref() {
        Ok("capable") => return capable(),
        Ok(_) => return incapable(),
        Err(_) => {}
    }
    let Some(namespace) = Namespace::new(test, "gate") else {
        return;
    };
    for (mode, capabilities) in [("capable", "-all,+net_admin"), ("incapable", "-all")] {
        let output = namespace
            .command("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(format!("--inh-caps={capabilities}"))
            .arg(format!("--ambient-caps={capabilities}"))
            .arg(format!("--bounding-set={capabilities}"))
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", test])
            .env(INSIDE, mode)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        if said.contains("Permission denied") || said.contains("failed to execute") {
            return skip(
                test,
                &format!("another user cannot run this program: {said}"),
            );
        }
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && told.contains("1 passed"),
            "{mode}: {told}{said}"
        );
    }
}

fn capable() {
    assert!(!nix::unistd::Uid::effective().is_root());
    let mut firewall = Nftables::open().unwrap();
    let mut monitor = firewall.monitor().unwrap().unwrap();
    firewall.install(&DesiredState::default()).unwrap();
    // More than an unprivileged socket may send at once.
    let hosts: Vec<_> = (0..20_000_u32)
        .map(|number| sensor::firewall::Host {
            address: std::net::Ipv4Addr::from(0xc612_0000 + number).into(),
            left: None,
            scope: contract::record::Scope::All,
        })
        .collect();
    firewall.block(&hosts).unwrap();
    firewall.block(&[host("2001:db8::1", 60)]).unwrap();
    assert_eq!(firewall.elements().unwrap().len(), 20_001);
    let desired = DesiredState {
        hosts,
        ..DesiredState::default()
    };
    firewall.remove().unwrap();
    firewall.install(&desired).unwrap();
    assert_eq!(firewall.verify().unwrap(), None);
    assert_eq!(probe().unwrap().tables, 1);
    monitor.stopper().stop();
    assert_eq!(monitor.wait().unwrap(), None);
}

fn incapable() {
    let error = probe().unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot list the tables of nf_tables: it needs CAP_NET_ADMIN"
    );
    let mut firewall = Nftables::open().unwrap();
    let error = firewall.block(&[host("192.0.2.1", 60)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot block the hosts: it needs CAP_NET_ADMIN"
    );
    let error = firewall.monitor().unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot watch the table garita: it needs CAP_NET_ADMIN"
    );
}
