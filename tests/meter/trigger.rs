//! Which snapshots leave the meter: when, why, and how few.

use ebpf::host::HostKey;
use ebpf::snapshot::reason::*;

use super::{ACK, Bench, FIN, RST, SECOND, SYN, a, address, b, ip, six, tcp, udp};

fn syn(port: u16) -> Vec<u8> {
    tcp((40_000, port), (1, 0), SYN, &[])
}

fn suspect(bench: &mut Bench) {
    let host = HostKey {
        address: a().into(),
        link: 0,
        reserved: 0,
    };
    bench.meter.suspect(host, true);
}

#[test]
fn a_conversation_is_told_at_its_fourth_packet_and_its_end() {
    let mut bench = Bench::new();
    bench.converse(0, 40_000);
    assert_eq!(
        bench.reasons(),
        [(2_000, PACKETS), (2_010_400, PACKETS | CLOSED)]
    );
    let last = bench.snapshots[1];
    assert_eq!(last.key, bench.flows()[0].0);
    assert_eq!(last.pair, bench.pair());
    assert_eq!(last.ends(), [(a().into(), 40_000), (b().into(), 22)]);
    assert_eq!(last.initiator.minute.packets_out, 5);
    assert_eq!(last.responder.minute.packets_out, 3);
}

#[test]
fn a_silent_scan_is_told_at_powers_of_two() {
    let mut bench = Bench::new();
    for port in 1..=20 {
        bench.tcp(u64::from(port) * 1_000, true, &syn(port));
    }
    let both = FLOWS | UNANSWERED;
    assert_eq!(
        bench.reasons(),
        [(4_000, both), (8_000, both), (16_000, both)]
    );
    let counts: Vec<_> = bench
        .snapshots
        .iter()
        .map(|taken| taken.initiator.minute.opened)
        .collect();
    assert_eq!(counts, [4, 8, 16]);
}

#[test]
fn a_refused_scan_is_told_at_each_end() {
    let mut bench = Bench::new();
    for port in 1..=4 {
        let at = u64::from(port) * 1_000;
        bench.tcp(at, true, &syn(port));
        bench.tcp(at + 1, false, &tcp((port, 40_000), (0, 2), RST | ACK, &[]));
    }
    assert_eq!(
        bench.reasons(),
        [
            (1_001, CLOSED),
            (2_001, CLOSED),
            (3_001, CLOSED),
            (4_000, FLOWS),
            (4_001, CLOSED)
        ]
    );
}

#[test]
fn attempts_are_told_at_the_answer() {
    let mut bench = Bench::new();
    for place in 1..=9u16 {
        bench.ask(u64::from(place) * SECOND, place);
    }
    assert_eq!(
        bench.reasons(),
        [
            (4 * SECOND, FLOWS),
            (4 * SECOND + 500, ATTEMPTS),
            (8 * SECOND, FLOWS),
            (8 * SECOND + 500, ATTEMPTS)
        ]
    );
}

#[test]
fn packets_are_told_when_a_power_of_two_is_reached_or_passed() {
    let mut bench = Bench::new();
    for at in 1..=9 {
        bench.packet(at, &ip((a(), b()), 17, &udp((1000, 7), &[1])));
    }
    assert_eq!(bench.reasons(), [(4, PACKETS), (8, PACKETS)]);
    let mut bench = Bench::new();
    for (at, payload) in [(1, 10), (2, 10), (3, 10), (4, 28_960), (5, 10), (6, 28_960)] {
        let flag = if at == 1 { SYN } else { ACK };
        bench.tcp(at, true, &tcp((1000, 80), (1, 0), flag, &vec![1; payload]));
    }
    // 3 packets, then 23, 24, 44.
    assert_eq!(bench.reasons(), [(4, PACKETS), (6, PACKETS)]);
}

#[test]
fn silence_is_told_after_three_seconds_and_at_the_end() {
    let mut bench = Bench::new();
    bench.tcp(0, true, &syn(80)).ask(0, 1000);
    bench.sweep(3 * SECOND - 1);
    assert_eq!(bench.reasons(), []);
    bench.sweep(3 * SECOND).sweep(4 * SECOND);
    assert_eq!(bench.reasons(), [(3 * SECOND, SILENT)]);
    bench.sweep(60 * SECOND - 1).sweep(60 * SECOND);
    assert_eq!(bench.reasons()[1..], [(60 * SECOND, IDLE)]);
    assert_eq!(bench.flows().len(), 1);
    bench.sweep(300 * SECOND + 499).sweep(300 * SECOND + 500);
    assert_eq!(bench.reasons()[2..], [(300 * SECOND + 500, IDLE)]);
    assert_eq!(bench.flows().len(), 0);
}

#[test]
fn a_suspect_is_told_at_each_opening_answer_and_end() {
    let mut bench = Bench::new();
    suspect(&mut bench);
    let story: [(bool, u8, (u32, u32)); 6] = [
        (true, SYN, (1, 0)),
        (false, SYN | ACK, (9, 2)),
        (true, ACK, (2, 10)),
        (true, FIN | ACK, (2, 10)),
        (false, FIN | ACK, (10, 3)),
        (true, ACK, (3, 11)),
    ];
    for (at, (out, flags, numbers)) in story.into_iter().enumerate() {
        let ports = if out { (1000, 80) } else { (80, 1000) };
        bench.tcp(at as u64, out, &tcp(ports, numbers, flags, &[]));
    }
    assert_eq!(
        bench.reasons(),
        [
            (0, SUSPECT),
            (1, SUSPECT),
            (3, PACKETS),
            (4, CLOSED | SUSPECT)
        ]
    );
}

#[test]
fn a_suspect_flood_is_told_at_powers_of_two_again() {
    let mut bench = Bench::new();
    suspect(&mut bench);
    for port in 1..=600 {
        bench.tcp(u64::from(port), true, &syn(port));
    }
    let told = bench.reasons();
    assert_eq!(told.len(), 257, "256 openings, and the 512th");
    assert!(told[..256].iter().all(|(_, reason)| reason & SUSPECT != 0));
    assert_eq!(told[256], (512, FLOWS | UNANSWERED));
}

#[test]
fn a_victim_is_told_once_for_each_power_of_two_initiators() {
    let mut bench = Bench::new();
    let from = |host| ip((address(4, host), six()), 17, &udp((1000, 7), &[1]));
    let mut host = 0;
    while bench.responder_bits() < 64 {
        bench.packet(u64::from(host), &from(host));
        host += 1;
    }
    let told: Vec<_> = bench.reasons();
    assert_eq!(told, [(u64::from(host) - 1, INITIATORS)]);
    // The same initiators come back while the window still remembers them: nobody is new.
    for again in 0..host {
        bench.packet(
            31 * SECOND + u64::from(again),
            &ip((address(4, again), six()), 17, &udp((1001, 7), &[1])),
        );
    }
    assert_eq!(bench.reasons().len(), 1);
    for new in host..200 {
        bench.packet(32 * SECOND + u64::from(new), &from(new));
    }
    let told: Vec<_> = bench
        .snapshots
        .iter()
        .map(|taken| (taken.reason, taken.responder.initiators))
        .collect();
    assert_eq!(told, [(INITIATORS, 64), (INITIATORS, 128)]);
}

impl Bench {
    /// Bits set for the initiators of flows to `six`, 0 before the first.
    fn responder_bits(&self) -> u16 {
        match self.meter.hosts().count() {
            0 => 0,
            _ => self.responder(six(), 0).initiators,
        }
    }
}

#[test]
fn the_flood_guard_keeps_strangers_out() {
    let mut bench = Bench::guarded(10);
    let from = |host, port| ip((address(4, host), six()), 17, &udp((port, 7), &[1]));
    for host in 1..=12 {
        bench.packet(u64::from(host), &from(host, 1000));
    }
    assert_eq!(bench.lost("flood-guard"), 2);
    assert_eq!(bench.meter.hosts().count(), 10 + 1);
    assert_eq!(bench.flows().len(), 12, "the flow is counted all the same");
    assert_eq!(
        bench.responder(six(), 12).minute.opened,
        12,
        "and so is what the victim gets"
    );
    bench.packet(20, &from(1, 1001));
    assert_eq!(bench.lost("flood-guard"), 2);
    assert_eq!(
        bench.initiator(address(4, 1), 20).minute.opened,
        2,
        "a known initiator is charged"
    );
    bench.packet(21, &from(12, 1000));
    assert_eq!(
        (bench.lost("flood-guard"), bench.meter.hosts().count()),
        (3, 11),
        "a further packet of a stranger"
    );
    bench.packet(61 * SECOND, &from(12, 1001));
    assert_eq!(
        (bench.lost("flood-guard"), bench.meter.hosts().count()),
        (3, 12),
        "the window is over"
    );
}

#[test]
fn an_open_port_lets_no_forged_senders_in_and_keeps_no_proven_one_out() {
    let mut bench = Bench::guarded(10);
    let to = |host| (address(4, host), six());
    let from = |host| (six(), address(4, host));
    let (there, back) = ((40_000, 80), (80, 40_000));
    for host in 1..=12 {
        let at = u64::from(host) * 1_000;
        bench.packet(at, &ip(to(host), 6, &tcp(there, (1, 0), SYN, &[])));
        bench.packet(
            at + 1,
            &ip(from(host), 6, &tcp(back, (5_000, 2), SYN | ACK, &[])),
        );
    }
    assert_eq!(
        bench.meter.hosts().count(),
        10 + 1,
        "the server answers everybody"
    );
    let forged = ip(to(11), 6, &tcp(there, (2, 77), ACK, &[]));
    bench.packet(13_000, &forged);
    assert_eq!(
        bench.meter.hosts().count(),
        10 + 1,
        "a number it was never told"
    );
    let proven = ip(to(12), 6, &tcp(there, (2, 5_001), ACK, &[]));
    bench.packet(14_000, &proven);
    assert_eq!(
        bench.meter.hosts().count(),
        10 + 2,
        "the number it was told"
    );
    bench.packet(15_000, &ip(to(12), 6, &tcp((40_001, 80), (1, 0), SYN, &[])));
    assert_eq!(
        bench.initiator(address(4, 12), 16_000).minute.opened,
        1,
        "and it is known from now on"
    );
}

#[test]
fn one_scanner_shelters_no_other_from_being_seen() {
    let mut bench = Bench::guarded(10);
    for (host, port) in (1..=2).flat_map(|host| (1..=50).map(move |port| (host, port))) {
        let at = u64::from(host * 100 + port);
        let (there, back) = ((40_000, port), (port, 40_000));
        bench.packet(
            at,
            &ip((address(4, host), six()), 6, &tcp(there, (1, 0), SYN, &[])),
        );
        bench.packet(
            at,
            &ip(
                (six(), address(4, host)),
                6,
                &tcp(back, (0, 2), RST | ACK, &[]),
            ),
        );
    }
    assert_eq!(bench.lost("flood-guard"), 0);
    assert_eq!(bench.initiator(address(4, 2), 300).minute.opened, 50);
}
