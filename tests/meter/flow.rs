//! What a flow counts: both halves, its state, its opening, its end and its beginning anew.

use ebpf::account::Limits;
use ebpf::flow::{FlowStats, Half, state};
use ebpf::packet::ARRIVAL_TTL;

use super::{ACK, Bench, FIN, PSH, RST, SECOND, START, SYN, a, address, b, icmp, ip, tcp, udp};

#[test]
fn a_conversation_counts_exactly() {
    let mut bench = Bench::new();
    bench.converse(0, 40_000);
    let initiator = Half {
        bytes: 340,
        payload: 100,
        length_squares: 5 * 40 * 40 + 140 * 140,
        gap_sum: 2_010_600,
        gap_squares: 1 + 8 * 8 + 2_000 * 2_000,
        last: START + 2_010_600,
        packets: 6,
        payload_packets: 1,
        gap_min: 500,
        gap_max: 2_000_000,
        next_seq: 1102,
        length_min: 40,
        length_max: 140,
        syn: 1,
        fin: 1,
        rst: 0,
        psh: 1,
    };
    let responder = Half {
        bytes: 1_120,
        payload: 1_000,
        length_squares: 2 * 40 * 40 + 1_040 * 1_040,
        gap_sum: 2_009_400,
        gap_squares: 4 * 4 + 2_005 * 2_005,
        last: START + 2_010_400,
        packets: 3,
        payload_packets: 1,
        gap_min: 4_000,
        gap_max: 2_005_400,
        next_seq: 6002,
        length_min: 40,
        length_max: 1_040,
        syn: 1,
        fin: 1,
        rst: 0,
        psh: 1,
    };
    let expected = FlowStats {
        low: initiator,
        high: responder,
        first: START,
        state: state::ANSWERED | state::CLOSED | state::PROVEN,
        responder_seq: 5000,
        arrival: bench.flow().arrival,
        reserved: 0,
        opening_lengths: [100, -1000, 0, 0],
        opening_gaps: [2_000, 3_000, 0, 0],
    };
    assert_eq!(bench.flow(), expected);
    assert_eq!(expected.arrival & ARRIVAL_TTL, 64, "the time to live");
    assert_ne!(expected.arrival, 64, "and the shape of the SYN");
    assert_eq!((expected.packets(), expected.payload()), (9, 1_100));
    assert_eq!(expected.duration(), 2_010_600);
    assert_eq!(expected.halves(), (&initiator, &responder));
}

#[test]
fn resets_count_on_their_side() {
    let mut bench = Bench::new();
    bench
        .tcp(0, true, &tcp((40_000, 22), (1, 0), SYN, &[]))
        .tcp(10, false, &tcp((22, 40_000), (0, 2), RST | ACK, &[]));
    let flow = bench.flow();
    assert_eq!((flow.low.rst, flow.high.rst), (0, 1));
    assert_eq!(
        (flow.low.gap_min, flow.low.gap_max),
        (u32::MAX, 0),
        "one packet has no gap"
    );
}

/// One step of a story between `a` at port 40,000 and `b` at port 80: whether `a` speaks, flags, numbers, payload.
type Step = (bool, u8, (u32, u32), usize);

#[test]
fn the_state_says_who_began_and_how_it_went() {
    const OUT: bool = true;
    const BACK: bool = false;
    let open: Step = (OUT, SYN, (1000, 0), 0);
    let accept: Step = (BACK, SYN | ACK, (5000, 1001), 0);
    let reset = |number| (BACK, RST, (number, 0), 0);
    let stories: [(&str, &[Step], u32); 17] = [
        ("a SYN", &[open], 0),
        (
            "refused",
            &[open, (BACK, RST | ACK, (0, 1001), 0)],
            state::ANSWERED | state::REFUSED | state::CLOSED,
        ),
        ("accepted", &[open, accept], state::ANSWERED),
        (
            "acknowledged",
            &[open, accept, (OUT, ACK, (1001, 5001), 0)],
            state::ANSWERED | state::PROVEN,
        ),
        (
            "acknowledged too little",
            &[open, accept, (OUT, ACK, (1001, 5000), 0)],
            state::ANSWERED,
        ),
        (
            "acknowledged blindly",
            &[open, accept, (OUT, ACK, (1001, 5002), 0)],
            state::ANSWERED,
        ),
        (
            "given up",
            &[open, accept, (OUT, RST, (1001, 0), 0)],
            state::ANSWERED | state::CLOSED,
        ),
        (
            "reset later",
            &[open, accept, (BACK, RST, (5001, 0), 0)],
            state::ANSWERED | state::CLOSED,
        ),
        (
            "the number of a reset, which a forger chose himself",
            &[open, reset(0), reset(5), (OUT, ACK, (1001, 5), 0)],
            state::ANSWERED | state::REFUSED | state::CLOSED,
        ),
        (
            "half closed",
            &[open, accept, (OUT, FIN | ACK, (1001, 5001), 0)],
            state::ANSWERED | state::PROVEN,
        ),
        ("SYN-ACK first", &[accept], state::REVERSED),
        (
            "SYN-ACK, then ACK",
            &[accept, (OUT, ACK, (1001, 5001), 0)],
            state::ANSWERED | state::PROVEN,
        ),
        (
            "reset first",
            &[(BACK, RST, (1, 0), 0)],
            state::REVERSED | state::MIDSTREAM | state::CLOSED,
        ),
        (
            "request midstream",
            &[(OUT, ACK, (7, 9), 5)],
            state::MIDSTREAM,
        ),
        (
            "answer midstream",
            &[(BACK, ACK, (7, 9), 5)],
            state::MIDSTREAM | state::REVERSED,
        ),
        (
            "answer, request",
            &[(BACK, ACK, (7, 9), 5), (OUT, ACK, (9, 12), 5)],
            state::MIDSTREAM | state::ANSWERED | state::PROVEN,
        ),
        ("no flag at all", &[(OUT, 0, (7, 9), 0)], state::MIDSTREAM),
    ];
    for (name, steps, expected) in stories {
        let mut bench = Bench::new();
        for (place, (out, flags, numbers, payload)) in steps.iter().enumerate() {
            let ports = if *out { (40_000, 80) } else { (80, 40_000) };
            bench.tcp(
                place as u64,
                *out,
                &tcp(ports, *numbers, *flags, &vec![1; *payload]),
            );
        }
        // `a` sorts first and is the initiator in all of them.
        assert_eq!(bench.flow().state, expected, "{name}");
    }
}

#[test]
fn datagrams_and_pings_know_their_initiator() {
    let query = udp((40_000, 53), &[1; 30]);
    let reply = udp((53, 40_000), &[1; 30]);
    let stream = udp((8554, 40_000), &[1; 30]);
    let call = udp((50_000, 40_000), &[1; 30]);
    let ping = icmp((8, 0), [0, 7, 0, 1], &[]);
    let pong = icmp((0, 0), [0, 7, 0, 1], &[]);
    let high = state::INITIATOR_HIGH;
    for (name, protocol, out, payload, expected) in [
        ("query of the low end", 17, true, &query, 0),
        ("query of the high end", 17, false, &query, high),
        (
            "reply first, from the high end",
            17,
            false,
            &reply,
            state::REVERSED,
        ),
        (
            "reply first, from the low end",
            17,
            true,
            &reply,
            state::REVERSED | high,
        ),
        (
            "to a client's port, from an unprivileged service",
            17,
            false,
            &stream,
            state::REVERSED,
        ),
        ("between clients' ports", 17, false, &call, high),
        ("ping", 1, true, &ping, 0),
        ("pong first", 1, true, &pong, state::REVERSED | high),
        ("another protocol", 47, false, &ping, high),
    ] {
        let ends = if out { (a(), b()) } else { (b(), a()) };
        let mut bench = Bench::new();
        bench.packet(0, &ip(ends, protocol, payload));
        assert_eq!(bench.flow().state, expected, "{name}");
    }
    let mut bench = Bench::new();
    bench
        .packet(0, &ip((a(), b()), 1, &ping))
        .packet(5, &ip((b(), a()), 1, &pong));
    assert_eq!(bench.flow().state, state::ANSWERED);
}

#[test]
fn what_tells_conversations_apart() {
    let query = |port, id: u8| {
        (
            ip((a(), b()), 17, &udp((port, 53), &[1])),
            ip((a(), b()), 1, &icmp((8, 0), [0, id, 0, 1], &[])),
        )
    };
    let mut bench = Bench::new();
    let (first, ping) = query(40_000, 1);
    let (second, other) = query(40_001, 2);
    let back = ip((b(), a()), 17, &udp((53, 40_000), &[1]));
    bench
        .packet(0, &first)
        .packet(1, &back)
        .packet(2, &second)
        .packet(3, &ping)
        .packet(4, &other);
    assert_eq!(bench.flows().len(), 4, "ports and ICMP identifiers");
    bench
        .frame(5, &first, (1, 0))
        .frame(6, &first, (0, 7))
        .frame(7, &first, (0, 8));
    assert_eq!(bench.flows().len(), 5, "interfaces, and no tags");
    bench.packet(8, &ip((a(), b()), 136, &udp((40_000, 53), &[1])));
    assert_eq!(bench.flows().len(), 6, "protocols");
    let mut bench = Bench::under(Limits {
        separate_tags: 1,
        ..Limits::default()
    });
    bench.frame(5, &first, (0, 7)).frame(6, &first, (0, 8));
    assert_eq!(
        bench.flows().len(),
        2,
        "tags, where they are to be separate"
    );
}

#[test]
fn the_opening_is_the_first_four_payloads() {
    let mut bench = Bench::new();
    for (after, out, payload) in [
        (0, true, 10),
        (100, true, 0),
        (250, false, 40_000),
        (300, false, 20),
        (1_000, true, 30),
        (2_000, true, 50),
    ] {
        let (ends, ports) = if out {
            ((a(), b()), (4000, 5000))
        } else {
            ((b(), a()), (5000, 4000))
        };
        bench.packet(after, &ip(ends, 17, &udp(ports, &vec![1; payload])));
    }
    let flow = bench.flow();
    assert_eq!(flow.opening_lengths, [10, -i16::MAX, -20, 30]);
    assert_eq!(flow.opening_gaps, [0, 250, 50, 700]);
    assert_eq!((flow.low.payload_packets, flow.low.packets), (3, 4));
}

#[test]
fn a_merged_frame_is_its_segments() {
    let mut bench = Bench::new();
    bench.tcp(
        0,
        true,
        &tcp((4000, 80), (1, 0), ACK | PSH, &vec![1; 28_960]),
    );
    let half = bench.flow().low;
    assert_eq!((half.packets, half.payload_packets, half.psh), (20, 20, 1));
    assert_eq!((half.bytes, half.payload), (29_000 + 19 * 40, 28_960));
    assert_eq!((half.length_min, half.length_max), (1_488, 1_488));
    assert_eq!(half.length_squares, 20 * 1_488 * 1_488);
    assert_eq!(half.next_seq, 28_961);
    assert_eq!(bench.flow().opening_lengths, [1_448, 0, 0, 0]);
}

#[test]
fn a_closed_flow_takes_trailing_packets_until_a_syn() {
    let mut bench = Bench::new();
    bench.converse(0, 40_000);
    bench.tcp(
        3 * SECOND,
        false,
        &tcp((22, 40_000), (6002, 1102), ACK, &[]),
    );
    assert_eq!(bench.flow().packets(), 10, "a tombstone keeps what trails");
    bench.tcp(4 * SECOND, true, &tcp((40_000, 22), (9000, 0), SYN, &[]));
    let flow = bench.flow();
    assert_eq!(
        (flow.first, flow.packets(), flow.state),
        (START + 4 * SECOND, 1, 0)
    );
    bench.tcp(5 * SECOND, true, &tcp((40_000, 22), (9000, 0), SYN, &[]));
    assert_eq!(
        (bench.flow().first, bench.flow().low.syn),
        (START + 4 * SECOND, 2),
        "a retry opens nothing"
    );
}

#[test]
fn silence_ends_a_flow() {
    for (answered, limit) in [(false, 60 * SECOND), (true, 300 * SECOND)] {
        for (wait, anew) in [(limit - 1, false), (limit, true)] {
            let mut bench = Bench::new();
            let query = ip((a(), b()), 17, &udp((40_000, 53), &[1; 30]));
            let last = if answered { 500 } else { 0 };
            if answered {
                bench.ask(0, 40_000);
            } else {
                bench.packet(0, &query);
            }
            bench.packet(last + wait, &query);
            let first = if anew { START + last + wait } else { START };
            assert_eq!(bench.flow().first, first, "answered {answered}, {wait} µs");
        }
    }
}

#[test]
fn an_icmp_error_belongs_to_the_flow_it_quotes() {
    let query = ip((a(), b()), 17, &udp((40_000, 53), &[1; 30]));
    let router = address(2, 9);
    let error = |to, kind, port| {
        let quoted = ip((a(), b()), 17, &udp((port, 53), &[]));
        ip((router, to), 1, &icmp((kind, 1), [0; 4], &quoted))
    };
    for (name, packet, expected) in [
        (
            "unreachable",
            error(a(), 3, 40_000),
            (state::UNREACHABLE, 1, 1),
        ),
        (
            "time exceeded",
            error(a(), 11, 40_000),
            (state::EXPIRED, 0, 1),
        ),
        ("of an unknown flow", error(a(), 3, 40_001), (0, 0, 2)),
        (
            "to somebody else",
            error(address(0, 5), 3, 40_000),
            (0, 0, 2),
        ),
    ] {
        let mut bench = Bench::new();
        bench
            .packet(0, &query)
            .packet(10, &packet)
            .packet(20, &packet);
        let flows = bench.flows();
        let (_, quoted) = flows
            .iter()
            .find(|(key, _)| key.protocol == 17)
            .expect("the query");
        let unreachable = bench.initiator(a(), 20).minute.unreachable;
        assert_eq!((quoted.state, unreachable, flows.len()), expected, "{name}");
        assert_eq!(quoted.packets(), 1, "{name}");
    }
}

#[test]
fn a_later_fragment_has_no_flow() {
    let mut bench = Bench::new();
    let mut fragment = ip((a(), b()), 17, &[9; 100]);
    fragment[7] = 8;
    bench.packet(0, &fragment);
    assert_eq!(
        (bench.flows().len(), bench.meter.hosts().count()),
        (0, 0),
        "of strangers"
    );
    bench.ask(10, 40_000).packet(2_000, &fragment);
    assert_eq!(
        (bench.flow().packets(), bench.lost("later-fragment")),
        (2, 2)
    );
    let minute = bench.initiator(a(), 2_000).minute;
    assert_eq!(
        (minute.packets_out, minute.bytes_out, minute.payload_out),
        (1, 58, 30),
        "charged to nobody"
    );
}
