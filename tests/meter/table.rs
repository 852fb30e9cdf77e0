//! Properties of the tables: no frames grow one past its cap, and no flood pushes conversations out.

use std::collections::BTreeSet;

use detection::dataplane::DataPlane;
use detection::frame::{Frame, LinkType, Timestamp};
use detection::meter::Caps;
use ebpf::account::Limits;
use ebpf::flow::state;
use proptest::prelude::*;

use super::{ACK, Bench, RST, SYN, a, address, b, cases, ip, tcp, udp};
use crate::kernel::frames::ethernet;

fn caps() -> impl Strategy<Value = Caps> {
    (0..5usize, 0..5usize, 0..5usize, 0..5usize).prop_map(|(flows, unanswered, hosts, pairs)| {
        Caps {
            flows,
            unanswered,
            hosts,
            pairs,
        }
    })
}

/// A packet between a few hosts and ports, often an answer to another.
fn packet() -> impl Strategy<Value = Vec<u8>> {
    let flags = prop::sample::select(vec![SYN, SYN | ACK, ACK, RST, 1 | ACK]);
    (
        0..6u16,
        0..6u16,
        1..4u16,
        any::<bool>(),
        any::<bool>(),
        flags,
    )
        .prop_map(|(from, to, port, back, datagram, flags)| {
            let ports = if back {
                (80, 40_000 + port)
            } else {
                (40_000 + port, 80)
            };
            let ends = (address(0, from), address(0, to));
            if datagram {
                ip(ends, 17, &udp(ports, &[1; 9]))
            } else {
                ip(ends, 6, &tcp(ports, (1, 1), flags, &[1; 9]))
            }
        })
}

/// Demands that no table holds more than it may; a cap of 0 is one of 1.
fn assert_within(bench: &Bench, caps: &Caps) -> Result<(), TestCaseError> {
    let [flows, hosts, pairs] = bench.meter.occupancy().map(|table| table.entries);
    prop_assert!(flows <= caps.flows.max(1) + caps.unanswered.max(1));
    prop_assert!(hosts <= caps.hosts.max(1));
    prop_assert!(pairs <= caps.pairs.max(1));
    Ok(())
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn no_frames_grow_a_table_past_its_cap(
        caps in caps(),
        story in prop::collection::vec((packet(), 0..20_000_000u64), 0..200),
    ) {
        let mut bench = Bench::sized(caps, 3);
        let mut at = 0;
        for (bytes, wait) in story {
            at += wait;
            bench.packet(at, &bytes);
            assert_within(&bench, &caps)?;
            if wait % 3 == 0 {
                bench.sweep(at);
            }
        }
        bench.sweep(at + 1_000_000_000);
        prop_assert_eq!(bench.flows().len(), 0);
    }

    #[test]
    fn no_bytes_harm_the_data_plane(
        frames in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..80), any::<bool>(), any::<i64>(), any::<u32>()), 0..60),
    ) {
        let caps = Caps { flows: 2, unanswered: 2, hosts: 2, pairs: 2 };
        let mut plane = DataPlane::new(caps, Limits::default());
        let mut snapshots = Vec::new();
        let count = frames.len() as u64;
        for (bytes, dressed, time, wire) in frames {
            let bytes = if dressed { ethernet(&[7], &[vec![0x45, 0, 0, 0], bytes].concat()) } else { bytes };
            plane.take(&Frame {
                time: Timestamp::from_nanoseconds(time),
                wire_len: wire.max(bytes.len() as u32),
                bytes: &bytes,
                link_type: LinkType::Ethernet,
                interface: 0,
            }, &mut snapshots);
        }
        while plane.next_silence(&mut snapshots).is_some() {}
        prop_assert_eq!(plane.frames(), count);
        let undone: u64 = plane.losses().filter(|(name, _)| !["later-fragment", "flood-guard"].contains(name)).map(|(_, count)| count).sum();
        prop_assert_eq!(plane.meter().packets() + undone, count, "each frame is metered, or a counter");
    }

    #[test]
    fn a_flood_of_openings_evicts_no_answered_flow(
        conversations in 1..8u16,
        flood in prop::collection::vec((any::<u16>(), any::<u16>(), 0..1_000u64), 0..300),
    ) {
        let caps = Caps { flows: 8, unanswered: 4, hosts: 16, pairs: 4 };
        let mut bench = Bench::sized(caps, 3);
        for port in 0..conversations {
            bench.ask(u64::from(port), 50_000 + port);
        }
        let answered = |bench: &Bench| -> BTreeSet<_> {
            let flows = bench.flows();
            flows.iter().filter(|(_, flow)| flow.is(state::ANSWERED)).map(|(key, _)| *key).collect()
        };
        let before = answered(&bench);
        prop_assert_eq!(before.len(), usize::from(conversations));
        let mut at = 1_000;
        for (host, port, wait) in flood {
            at += wait;
            bench.packet(at, &ip((address(4, host), address(5, 1)), 6, &tcp((port, 80), (1, 0), SYN, &[])));
            assert_within(&bench, &caps)?;
        }
        prop_assert_eq!(answered(&bench), before);
        prop_assert!(bench.flows().len() <= usize::from(conversations) + caps.unanswered);
    }
}

#[test]
fn the_longest_idle_unanswered_flow_goes_first() {
    let caps = Caps {
        flows: 4,
        unanswered: 2,
        hosts: 4,
        pairs: 4,
    };
    let mut bench = Bench::sized(caps, u32::MAX);
    let open = |port| ip((a(), b()), 17, &udp((port, 7), &[1]));
    bench
        .packet(0, &open(1))
        .packet(1, &open(2))
        .packet(2, &open(1))
        .packet(3, &open(3));
    let ports: Vec<_> = bench.flows().iter().map(|(key, _)| key.low_port).collect();
    assert_eq!(ports, [1, 3]);
    assert_eq!(bench.meter.occupancy()[0].evictions, 1);
}
