//! What hosts and pairs count: as initiator, as responder, as habit, and between the two.

use std::net::IpAddr;

use ebpf::host::{Habits, Initiated, Received, Second};
use ebpf::pair::PairStats;

use super::{ACK, Bench, FIN, RST, SECOND, START, SYN, a, address, b, icmp, ip, six, tcp, udp};

#[test]
fn a_conversation_is_charged_to_both_and_to_the_pair() {
    let mut bench = Bench::new();
    bench.converse(0, 40_000);
    let initiated = Initiated {
        opened: 1,
        answered: 1,
        closed: 1,
        syns: 1,
        packets_out: 6,
        packets_in: 3,
        bytes_out: 340,
        bytes_in: 1_120,
        payload_out: 100,
        payload_in: 1_000,
        ..Initiated::default()
    };
    let received = Received {
        opened: 1,
        answered: 1,
        packets_in: 6,
        packets_out: 3,
        bytes_in: 340,
        bytes_out: 1_120,
    };
    // To the flow's end, which is its second FIN; the last acknowledgement trails.
    let habits = Habits {
        closed_payload: 1_100,
        closed_payload_squares: 1_100 * 1_100,
        closed_duration: 2_010,
        opened: 1,
        answered: 1,
        closed: 1,
        short: 0,
    };
    let (at, client) = (2_010_600, bench.host(a()));
    let sums = bench.initiator(a(), at);
    assert_eq!((sums.minute, sums.habits), (initiated, habits));
    assert_eq!(bench.responder(b(), at).minute, received);
    assert_eq!(bench.initiator(b(), at).minute, Initiated::default());
    assert_eq!(bench.responder(a(), at).minute, Received::default());
    assert_eq!(client.last, START + at);
    assert_eq!(client.last_opening, START);
    // The last packet before the end that acknowledges the responder's, payload having gone both ways.
    assert_eq!(client.proven, START + 2_010_000);
    assert_eq!(bench.host(b()).proven, 0);
    let bits = [
        sums.peers,
        sums.ports,
        sums.services,
        sums.habit_peers,
        sums.habit_services,
    ];
    assert_eq!(bits, [1; 5]);
    assert_eq!(bench.responder(b(), at).initiators, 1);
    let pair = PairStats {
        first: START + 1_000,
        last: START + 1_000,
        gap_squares: 0,
        payload_sum: 1_100,
        payload_squares: 1_100 * 1_100,
        attempts: 1,
        closed: 1,
    };
    assert_eq!(bench.pair(), pair);
    // Both windows of the second: at the fourth packet, and at the second FIN two seconds later.
    let told: Vec<Second> = bench
        .snapshots
        .iter()
        .map(|taken| taken.initiator.second)
        .collect();
    let second = |opened, packets_out| Second {
        opened,
        packets_out,
    };
    assert_eq!(told, [second(1, 3), second(0, 1)]);
}

#[test]
fn conversing_proves_an_address_only_with_payload_both_ways() {
    let mut bench = Bench::new();
    let ports = (40_000, 22);
    bench
        .tcp(0, true, &tcp(ports, (1000, 0), SYN, &[]))
        .tcp(1, false, &tcp((22, 40_000), (5000, 1001), SYN | ACK, &[]))
        .tcp(2, true, &tcp(ports, (1001, 5001), ACK, &[1; 10]));
    assert_eq!(bench.host(a()).proven, 0, "a handshake and a request");
    bench
        .tcp(3, false, &tcp((22, 40_000), (5001, 1011), ACK, &[1; 10]))
        .tcp(4, true, &tcp(ports, (1011, 5012), ACK, &[]));
    assert_eq!(
        bench.host(a()).proven,
        0,
        "an acknowledgement beyond what was sent"
    );
    bench.tcp(5, true, &tcp(ports, (1011, 5011), ACK, &[]));
    assert_eq!(bench.host(a()).proven, START + 5);
}

#[test]
fn refused_short_and_asked() {
    let mut bench = Bench::new();
    for port in [1000, 1001, 1002] {
        bench.tcp(0, true, &tcp((port, 80), (1, 0), SYN, &[])).tcp(
            9,
            false,
            &tcp((80, port), (0, 2), RST | ACK, &[]),
        );
    }
    let minute = bench.initiator(a(), 9).minute;
    let found = (
        minute.opened,
        minute.answered,
        minute.refused,
        minute.closed,
        minute.short,
        minute.syns,
    );
    assert_eq!(found, (3, 3, 3, 3, 3, 3));
    assert_eq!(bench.initiator(a(), 9).habits.short, 3);
    assert_eq!(bench.meter.pairs().count(), 0, "a refusal opens no pair");

    let mut bench = Bench::new();
    bench.ask(0, 1000).ask(2_000_500, 1001);
    let minute = bench.initiator(a(), 2_001_000).minute;
    let dns = (
        minute.dns_queries,
        minute.dns_query_payload,
        minute.dns_replies,
        minute.dns_reply_payload,
    );
    assert_eq!(dns, (2, 60, 2, 180));
    assert_eq!(
        (minute.gap_sum, minute.gap_squares),
        (2_000_500, 2_000 * 2_000)
    );
    assert_eq!((minute.syns, minute.closed), (0, 0));
    let service = bench.initiator(b(), 2_001_000).minute;
    assert_eq!(
        (service.dns_queries, service.dns_replies),
        (0, 0),
        "who answers does not ask"
    );
    bench.tcp(2_001_000, true, &tcp((1002, 53), (1, 0), SYN, &[]));
    assert_eq!(
        bench.initiator(a(), 2_001_000).minute.dns_queries,
        2,
        "over TCP it is none"
    );
}

#[test]
fn a_flow_met_late_turns_round() {
    let mut bench = Bench::new();
    bench.tcp(0, false, &tcp((80, 40_000), (5000, 1001), SYN | ACK, &[]));
    let minute = |bench: &Bench, who: IpAddr| {
        let (initiated, received) = (
            bench.initiator(who, 10).minute,
            bench.responder(who, 10).minute,
        );
        [
            initiated.opened,
            initiated.answered,
            initiated.packets_out,
            received.opened,
            received.answered,
            received.packets_in,
        ]
    };
    // Nobody is charged until the initiator speaks.
    assert_eq!(bench.meter.hosts().count(), 0);
    bench.tcp(10, true, &tcp((40_000, 80), (1001, 5001), ACK, &[]));
    assert_eq!(
        minute(&bench, b()),
        [0, 0, 0, 1, 1, 1],
        "nothing is left unanswered"
    );
    assert_eq!(minute(&bench, a()), [1, 1, 1, 0, 0, 0]);
    let pairs: Vec<_> = bench
        .meter
        .pairs()
        .map(|(key, _)| (key.initiator, key.port))
        .collect();
    assert_eq!(pairs, [(a().into(), 80)]);
}

#[test]
fn distinct_peers_ports_and_services_are_told_apart() {
    let mut bench = Bench::new();
    let to = |to, protocol, payload: &[u8]| ip((a(), to), protocol, payload);
    bench
        .packet(0, &to(b(), 17, &udp((1, 53), &[])))
        .packet(1, &to(b(), 17, &udp((2, 53), &[])))
        .packet(2, &to(b(), 6, &tcp((1, 53), (0, 0), SYN, &[])))
        .packet(3, &to(address(1, 3), 6, &tcp((1, 53), (0, 0), SYN, &[])))
        .packet(4, &to(b(), 1, &icmp((8, 0), [0, 1, 0, 0], &[])))
        .packet(5, &to(b(), 1, &icmp((8, 0), [0, 2, 0, 0], &[])));
    let sums = bench.initiator(a(), 5);
    // Two hosts; UDP 53, TCP 53, ping; each at b, TCP 53 at the other too.
    assert_eq!((sums.peers, sums.ports, sums.services), (2, 3, 4));
    assert_eq!(
        (sums.habit_peers, sums.habit_services, sums.minute.opened),
        (2, 4, 6)
    );
}

#[test]
fn counting_is_linear_within_a_tenth() {
    for count in [50u16, 200, 500] {
        let mut bench = Bench::new();
        for host in 0..count {
            let packet = ip((six(), address(4, host)), 17, &udp((1, 7), &[]));
            let from_many = ip((address(4, host), six()), 17, &udp((2, 9), &[]));
            bench
                .packet(u64::from(host), &packet)
                .packet(u64::from(host), &from_many);
        }
        let sums = bench.initiator(six(), 1_000);
        let estimate = |bits: u16, size: f64| -size * (1.0 - f64::from(bits) / size).ln();
        let initiators = bench.responder(six(), 1_000).initiators;
        for found in [
            estimate(sums.peers, 512.0),
            estimate(sums.services, 512.0),
            estimate(sums.habit_peers, 512.0),
            estimate(initiators, 1024.0),
        ] {
            let wrong = (found / f64::from(count) - 1.0).abs();
            assert!(wrong < 0.1, "{found} of {count}");
        }
        assert_eq!(sums.ports, 1);
    }
}

#[test]
fn pairs_count_answered_attempts_for_an_hour() {
    let mut bench = Bench::new();
    bench
        .ask(0, 1000)
        .ask(3 * SECOND, 1001)
        .ask(8 * SECOND, 1002);
    let mut expected = PairStats {
        first: START + 500,
        last: START + 8 * SECOND + 500,
        gap_squares: 3_000 * 3_000 + 5_000 * 5_000,
        attempts: 3,
        ..PairStats::default()
    };
    assert_eq!(bench.pair(), expected);
    bench.packet(9 * SECOND, &ip((a(), b()), 17, &udp((1003, 53), &[])));
    assert_eq!(bench.pair(), expected, "no answer, no attempt");
    bench.ask(3_600 * SECOND - 1, 1004);
    let gap = 3_592_000 - 1;
    expected.gap_squares += gap * gap;
    expected.last = START + 3_600 * SECOND + 499;
    expected.attempts = 4;
    assert_eq!(bench.pair(), expected, "an hour less a microsecond");
    bench.ask(3_600 * SECOND, 1005);
    let anew = START + 3_600 * SECOND + 500;
    let expected = PairStats {
        first: anew,
        last: anew,
        attempts: 1,
        ..PairStats::default()
    };
    assert_eq!(bench.pair(), expected, "an hour");
}

#[test]
fn pairs_sum_what_closed_attempts_carried() {
    let mut bench = Bench::new();
    bench.converse(0, 1000).converse(5 * SECOND, 1001);
    let ports = (1002, 22);
    bench
        .tcp(9 * SECOND, true, &tcp(ports, (1, 0), SYN, &[]))
        .tcp(
            9 * SECOND,
            false,
            &tcp((22, 1002), (1, 2), SYN | ACK, &[1; 7]),
        )
        .tcp(9 * SECOND, true, &tcp(ports, (2, 9), FIN | ACK, &[]));
    let pair = bench.pair();
    assert_eq!((pair.attempts, pair.closed), (3, 2), "one is half closed");
    assert_eq!(
        (pair.payload_sum, pair.payload_squares),
        (2_200, 2 * 1_100 * 1_100)
    );
    let habits = bench.initiator(a(), 9 * SECOND).habits;
    assert_eq!(
        (habits.closed_payload, habits.closed_payload_squares),
        (2_200, 2 * 1_100 * 1_100)
    );
    assert_eq!(
        (habits.closed_duration, habits.opened, habits.short),
        (4_020, 3, 0)
    );
}
