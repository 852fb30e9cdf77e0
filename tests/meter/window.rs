//! Windows: for how long what a host did still counts, whatever time does.

use ebpf::host::Initiated;

use super::{Bench, SECOND, START, a, b, ip, udp};

fn opening(port: u16) -> Vec<u8> {
    ip((a(), b()), 17, &udp((port, 7), &[1; 10]))
}

#[test]
fn an_opening_counts_for_two_buckets() {
    let mut bench = Bench::new();
    bench.packet(0, &opening(1));
    for (after, expected) in [
        (0, [1, 1, 1]),
        (SECOND - 1, [1, 1, 1]),
        (2 * SECOND - 1, [1, 1, 1]),
        (2 * SECOND, [0, 1, 1]),
        (30 * SECOND, [0, 1, 1]),
        (60 * SECOND - 1, [0, 1, 1]),
        (60 * SECOND, [0, 0, 1]),
        (900 * SECOND, [0, 0, 1]),
        (1_800 * SECOND - 1, [0, 0, 1]),
        (1_800 * SECOND, [0, 0, 0]),
        (u64::MAX - START, [0, 0, 0]),
    ] {
        let sums = bench.initiator(a(), after);
        let found = [sums.second.opened, sums.minute.opened, sums.habits.opened];
        assert_eq!(found, expected, "{after} µs later");
        let [_, minute, half_hour] = expected.map(|count| count as u16);
        assert_eq!([sums.peers, sums.ports, sums.services], [minute; 3]);
        assert_eq!([sums.habit_peers, sums.habit_services], [half_hour; 2]);
        let responder = bench.responder(b(), after);
        assert_eq!(
            (responder.minute.opened, responder.initiators),
            (expected[1], minute)
        );
    }
}

#[test]
fn buckets_rotate_with_the_packets() {
    let mut bench = Bench::new();
    bench
        .packet(0, &opening(1))
        .packet(31 * SECOND, &opening(2));
    let host = bench.host(a());
    assert_eq!(
        host.minute.start,
        START + 30 * SECOND,
        "buckets follow each other without a gap"
    );
    assert_eq!(host.minute.previous.initiated.opened, 1);
    for (after, expected) in [(31, 2), (59, 2), (60, 1), (89, 1), (90, 0)] {
        assert_eq!(
            bench.initiator(a(), after * SECOND).minute.opened,
            expected,
            "{after} s"
        );
    }
    let sums = bench.initiator(a(), 31 * SECOND);
    assert_eq!(
        (sums.peers, sums.services),
        (1, 1),
        "one peer in two buckets is one peer"
    );
    bench.packet(65 * SECOND, &opening(3));
    assert_eq!(
        bench.initiator(a(), 65 * SECOND).minute.opened,
        2,
        "the first is forgotten"
    );
    assert_eq!(bench.initiator(a(), 65 * SECOND).habits.opened, 3);
    bench.packet(3_665 * SECOND, &opening(4));
    let host = bench.host(a());
    assert_eq!(
        host.minute.start,
        START + 3_665 * SECOND,
        "an hour later all is new"
    );
    assert_eq!(host.half_hour.start, host.minute.start);
    let sums = bench.initiator(a(), 3_665 * SECOND);
    assert_eq!((sums.minute.opened, sums.habits.opened), (1, 1));
    assert_eq!(
        sums.minute.gap_sum, 60_000_000,
        "a gap counts up to the window's length"
    );
}

#[test]
fn the_half_hour_rotates_on_its_own() {
    let mut bench = Bench::new();
    bench
        .packet(0, &opening(1))
        .packet(901 * SECOND, &opening(2));
    let host = bench.host(a());
    assert_eq!(host.half_hour.start, START + 900 * SECOND);
    for (after, expected) in [(901, 2), (1_799, 2), (1_800, 1), (2_699, 1), (2_700, 0)] {
        assert_eq!(
            bench.initiator(a(), after * SECOND).habits.opened,
            expected,
            "{after} s"
        );
    }
}

#[test]
fn time_that_steps_back_forgets_nothing() {
    let mut bench = Bench::new();
    bench
        .packet(10 * SECOND, &opening(1))
        .packet(0, &opening(2))
        .packet(11 * SECOND, &opening(1));
    let sums = bench.initiator(a(), 11 * SECOND);
    assert_eq!((sums.minute.opened, sums.minute.packets_out), (2, 3));
    assert_eq!(bench.host(a()).last, START + 11 * SECOND);
}

#[test]
fn both_buckets_are_summed_in_every_counter() {
    let mut bench = Bench::new();
    bench.converse(0, 1000).ask(3 * SECOND, 1000);
    let (once, received) = (
        bench.initiator(a(), 4 * SECOND),
        bench.responder(b(), 4 * SECOND).minute,
    );
    bench.converse(35 * SECOND, 1001).ask(38 * SECOND, 1001);
    let (twice, received_twice) = (
        bench.initiator(a(), 39 * SECOND),
        bench.responder(b(), 39 * SECOND).minute,
    );
    let counters = |minute: &Initiated| {
        [
            minute.opened,
            minute.answered,
            minute.closed,
            minute.syns,
            minute.packets_out,
            minute.packets_in,
            minute.bytes_out,
            minute.bytes_in,
            minute.payload_out,
            minute.payload_in,
            minute.dns_queries,
            minute.dns_query_payload,
            minute.dns_replies,
            minute.dns_reply_payload,
        ]
    };
    let single = counters(&once.minute);
    assert!(single.iter().all(|count| *count > 0), "{single:?}");
    assert_eq!(counters(&twice.minute), single.map(|count| 2 * count));
    // Three, thirty-two, three seconds between openings.
    assert_eq!(twice.minute.gap_sum, 38_000_000);
    assert_eq!(
        twice.minute.gap_squares,
        2 * 3_000 * 3_000 + 32_000 * 32_000
    );
    let (habits, habits_twice) = (once.habits, twice.habits);
    assert_eq!(habits_twice.closed_payload, 2 * habits.closed_payload);
    assert_eq!(habits_twice.closed_duration, 2 * habits.closed_duration);
    let counters = |received: &ebpf::host::Received| {
        [
            received.opened,
            received.answered,
            received.packets_in,
            received.packets_out,
            received.bytes_in,
            received.bytes_out,
        ]
    };
    assert_eq!(
        counters(&received_twice),
        counters(&received).map(|count| 2 * count)
    );
}
