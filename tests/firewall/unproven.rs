//! What a block of somebody who has proved nothing stops, and what it leaves alone: conversations, whoever began them, go
//! on, and new ones with it do; what it opens does not.

use contract::record::Scope;
use sensor::firewall::{DesiredState, Element, Firewall};

use super::traffic::{
    ATTACKER, Connection, GATEWAY, LATER, Lab, SERVER, SOON, connect, lab, listen, reaches, udp,
};
use super::{address, host, nft, seen, unproven, verifier};

/// Tries to connect in a network that has just come up.
const TRIES: usize = 20;

/// Conversations of the attacker's address, each way and with the gateway too.
struct Conversations {
    connections: [Connection; 3],
}

impl Conversations {
    fn begin(lab: &Lab, family: usize) -> Self {
        let inside = listen(&lab.server, SERVER[family]);
        let here = listen(&lab.gateway, GATEWAY[family]);
        let there = listen(&lab.attacker, ATTACKER[family]);
        // Neighbours are found at the first try, or the next.
        let begin = |from, to| (0..TRIES).find_map(|_| connect(from, to));
        let all = [
            begin(&lab.attacker, &inside),
            begin(&lab.attacker, &here),
            begin(&lab.server, &there),
        ];
        Self {
            connections: all.map(|connection| connection.expect("nobody is blocked yet")),
        }
    }

    fn go_on(&mut self) {
        for (number, connection) in self.connections.iter_mut().enumerate() {
            assert!(connection.carries(SOON), "conversation {number} is stopped");
        }
    }
}

#[test]
fn a_block_of_an_unproven_address_stops_only_what_it_opens() {
    let test = "firewall::unproven::a_block_of_an_unproven_address_stops_only_what_it_opens";
    let Some(mut lab) = lab(test) else {
        return;
    };
    for (family, attacker) in ATTACKER.into_iter().enumerate() {
        let mut conversations = Conversations::begin(&lab, family);
        let (far, server) = (
            udp(&lab.attacker, attacker),
            udp(&lab.server, SERVER[family]),
        );
        let gateway = udp(&lab.gateway, GATEWAY[family]);
        assert!(reaches(&far, &server) && reaches(&server, &far));
        lab.firewall.block(&[unproven(attacker, 600)]).unwrap();
        conversations.go_on();
        // Datagrams too, whoever began, and the gateway's own are not refused at the sender.
        assert!(reaches(&far, &server) && reaches(&server, &far));
        assert!(!reaches(&far, &gateway), "it opens an exchange");
        assert!(reaches(&gateway, &far) && reaches(&far, &gateway));
        let inside = listen(&lab.server, SERVER[family]);
        assert!(connect(&lab.attacker, &inside).is_none(), "it connects");
        let there = listen(&lab.attacker, attacker);
        let mut asked = connect(&lab.server, &there).expect("it may be asked");
        assert!(asked.carries(SOON));
        // Proven later: nothing goes on.
        lab.firewall.block(&[host(attacker, 600)]).unwrap();
        assert!(!asked.carries(SOON) && !reaches(&server, &far));
        // And back, as after a restart that knows no better.
        lab.firewall.block(&[unproven(attacker, 600)]).unwrap();
        assert!(asked.carries(LATER));
        lab.firewall.release(&[address(attacker)]).unwrap();
        assert!(connect(&lab.attacker, &inside).is_some());
    }
    let counters = lab.firewall.counters().unwrap();
    for name in [
        "syn_from_blocked4",
        "udp_from_blocked4",
        "syn_from_blocked6",
        "udp_from_blocked6",
    ] {
        let counter = counters.iter().find(|counter| counter.name == name);
        assert!(counter.is_some_and(|counter| counter.packets > 0), "{name}");
    }
}

#[test]
fn a_block_of_an_unproven_subnet_stops_only_what_it_opens() {
    let test = "firewall::unproven::a_block_of_an_unproven_subnet_stops_only_what_it_opens";
    let Some(mut lab) = lab(test) else {
        return;
    };
    let net = |scope| Element {
        target: "2001:db8:1::/64".parse().unwrap(),
        left: None,
        scope,
    };
    let own = GATEWAY.map(|text| address(text).into());
    lab.firewall.allow(&own).unwrap();
    let mut conversations = Conversations::begin(&lab, 1);
    lab.firewall.block_prefixes(&[net(Scope::Opening)]).unwrap();
    conversations.go_on();
    let inside = listen(&lab.server, SERVER[1]);
    assert!(connect(&lab.attacker, &inside).is_none());
    // Whoever is proven in it is stopped whole.
    lab.firewall.block(&[host(ATTACKER[1], 600)]).unwrap();
    assert!(!conversations.connections[0].carries(SOON));
    lab.firewall.release(&[address(ATTACKER[1])]).unwrap();
    lab.firewall.block_prefixes(&[net(Scope::All)]).unwrap();
    assert!(!conversations.connections[2].carries(SOON));
}

#[test]
fn who_is_unproven_is_told_from_who_is_proven_when_a_new_process_takes_over() {
    let test = "firewall::unproven::who_is_unproven_is_told_from_who_is_proven_when_a_new_process_takes_over";
    let Some((namespace, mut firewall)) = verifier(test) else {
        return;
    };
    firewall
        .block(&[unproven("192.0.2.1", 100), host("192.0.2.2", 100)])
        .unwrap();
    // Listed a little longer than blocked, so that there is no moment in which all is stopped.
    let [(who, times)] = &seen(&namespace, "unproven4")[..] else {
        panic!("one is unproven");
    };
    assert_eq!((who.as_str(), times.unwrap().0), ("192.0.2.1", 101));
    drop(firewall);
    let mut next = namespace.run(sensor::firewall::Nftables::open).unwrap();
    let mut found = next.install(&DesiredState::default()).unwrap();
    found.sort_by_key(|element| element.target);
    let scopes: Vec<Scope> = found.iter().map(|element| element.scope).collect();
    assert_eq!(scopes, [Scope::Opening, Scope::All]);
    let wanted = DesiredState {
        hosts: vec![host("192.0.2.1", 100), unproven("192.0.2.2", 100)],
        ..DesiredState::default()
    };
    assert_eq!(next.install(&wanted).unwrap(), []);
    assert_eq!(seen(&namespace, "unproven4")[0].0, "192.0.2.2");
}

#[test]
fn without_connection_tracking_only_connections_are_stopped() {
    let test = "firewall::unproven::without_connection_tracking_only_connections_are_stopped";
    let Some(mut lab) = lab(test) else {
        return;
    };
    let machine = lab.gateway.run(sensor::firewall::probe).unwrap();
    assert!(machine.tracks, "this kernel does");
    lab.firewall.remove().unwrap();
    lab.firewall = lab
        .gateway
        .run(sensor::firewall::Nftables::open)
        .unwrap()
        .untracked();
    lab.firewall.install(&DesiredState::default()).unwrap();
    assert!(!lab.firewall.tracks());
    assert_eq!(lab.firewall.verify().unwrap(), None);
    let rules = nft(&lab.gateway, "list table inet garita");
    assert!(!rules.contains("ct state"), "{rules}");
    let (far, server) = (udp(&lab.attacker, ATTACKER[0]), udp(&lab.server, SERVER[0]));
    lab.firewall.block(&[unproven(ATTACKER[0], 600)]).unwrap();
    assert!(reaches(&far, &server));
    let inside = listen(&lab.server, SERVER[0]);
    assert!(connect(&lab.attacker, &inside).is_none());
}
