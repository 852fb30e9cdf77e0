//! Hosts that are kept from services: what of theirs is stopped, what is spared, and what others do.

use std::net::SocketAddr;
use std::time::Duration;

use contract::record::{Scope, Service};
use sensor::firewall::{DesiredState, Firewall, Nftables, ServiceElement};

use super::traffic::{ATTACKER, GATEWAY, LATER, SERVER, SOON, connect, lab, listen, reaches, udp};
use super::{address, nft, verifier};

const TCP: u8 = 6;
const UDP: u8 = 17;

fn kept(source: &str, service: Service) -> ServiceElement {
    ServiceElement {
        source: address(source),
        service,
        scope: Scope::Opening,
        left: Duration::from_secs(600),
    }
}

fn service(protocol: u8, asked: Option<&str>, port: Option<u16>) -> Service {
    Service {
        protocol,
        address: asked.map(address),
        port,
        spared: Vec::new(),
    }
}

#[test]
fn who_is_kept_from_a_service_opens_nothing_there_and_everything_else() {
    let test =
        "firewall::services::who_is_kept_from_a_service_opens_nothing_there_and_everything_else";
    let Some(mut lab) = lab(test) else {
        return;
    };
    for (family, attacker) in ATTACKER.into_iter().enumerate() {
        let inside = listen(&lab.server, SERVER[family]);
        let here = listen(&lab.gateway, GATEWAY[family]);
        let begin = |to| (0..20).find_map(|_| connect(&lab.attacker, to));
        let mut open = begin(&inside).expect("nobody is kept from it yet");
        begin(&here).expect("nor from the gateway");
        let (far, server) = (
            udp(&lab.attacker, attacker),
            udp(&lab.server, SERVER[family]),
        );

        let web = service(TCP, Some(SERVER[family]), Some(80));
        lab.firewall.block_services(&[kept(attacker, web)]).unwrap();
        assert!(connect(&lab.attacker, &inside).is_none());
        assert!(open.carries(SOON), "what is open goes on");
        assert!(connect(&lab.attacker, &here).is_some(), "another server");
        assert!(connect(&lab.bystander, &inside).is_some(), "somebody else");
        assert!(reaches(&far, &server), "another protocol");

        // Proven: nothing goes on there.
        let proven = ServiceElement {
            scope: Scope::All,
            ..kept(attacker, service(TCP, Some(SERVER[family]), Some(80)))
        };
        lab.firewall.block_services(&[proven]).unwrap();
        assert!(!open.carries(SOON) && connect(&lab.attacker, &inside).is_none());
        assert!(connect(&lab.attacker, &here).is_some() && reaches(&far, &server));

        // All of its ports, but for one in use.
        let mut ports = service(TCP, Some(SERVER[family]), None);
        lab.firewall
            .block_services(&[kept(attacker, ports.clone())])
            .unwrap();
        assert!(connect(&lab.attacker, &inside).is_none());
        ports.spared = vec![SocketAddr::new(address(SERVER[family]), 80)];
        lab.firewall
            .block_services(&[kept(attacker, ports)])
            .unwrap();
        assert!(connect(&lab.attacker, &inside).is_some());

        // A port of everybody, but for one host.
        let mut everybody = service(TCP, None, Some(80));
        everybody.spared = vec![SocketAddr::new(address(GATEWAY[family]), 80)];
        let datagrams = service(UDP, None, Some(5_353));
        let both = [kept(attacker, everybody), kept(attacker, datagrams)];
        lab.firewall.block_services(&both).unwrap();
        assert!(connect(&lab.attacker, &inside).is_none());
        assert!(connect(&lab.attacker, &here).is_some());
        let gateway = udp(&lab.gateway, GATEWAY[family]);
        assert!(!reaches(&far, &gateway), "a new exchange");
        assert!(
            reaches(&gateway, &far) && reaches(&far, &gateway),
            "it is asked"
        );
        lab.firewall.allow(&[address(attacker).into()]).unwrap();
        assert!(connect(&lab.attacker, &inside).is_some(), "it is allowed");
        lab.firewall.allow(&[]).unwrap();
        lab.firewall.block_services(&[]).unwrap();
        assert!(connect(&lab.attacker, &inside).is_some());
        assert!(open.carries(LATER));
    }
}

#[test]
fn services_are_written_as_nft_reads_them_and_stand_again_after_tampering() {
    let test = "firewall::services::services_are_written_as_nft_reads_them_and_stand_again_after_tampering";
    let Some((namespace, mut firewall)) = verifier(test) else {
        return;
    };
    let mut ports = service(TCP, Some("192.0.2.10"), None);
    ports.spared = vec!["192.0.2.10:443".parse().unwrap()];
    let wanted = DesiredState {
        services: vec![
            kept("203.0.113.9", ports),
            kept("2001:db8::9", service(UDP, None, Some(53))),
        ],
        ..DesiredState::default()
    };
    firewall.install(&wanted).unwrap();
    let list = |set: &str| nft(&namespace, &format!("list set inet garita {set}"));
    let four = list("blocked4_service");
    for part in [
        "203.0.113.9 . 192.0.2.10 . tcp . 0-442 timeout 10m",
        "203.0.113.9 . 192.0.2.10 . tcp . 444-65535 timeout 10m",
    ] {
        assert!(four.contains(part), "{four}");
    }
    let six = list("blocked6_service");
    assert!(
        six.contains("2001:db8::9 . ::/0 . udp . 53 timeout 10m"),
        "{six}"
    );
    assert_eq!(firewall.verify().unwrap(), None);
    nft(&namespace, "flush ruleset");
    let mut next = namespace.run(Nftables::open).unwrap();
    next.install(&wanted).unwrap();
    assert_eq!(next.verify().unwrap(), None);
    assert!(list("blocked4_service").contains("444-65535"));
}
