//! Frames written by hand through both homes of the meter, for what captures seldom hold.
//! Each case says what it must have exercised: a case that meters nothing would agree with everything.

use ebpf::account::Work;
use ebpf::host::HostKey;
use ebpf::packet::Refusal;
use ebpf::program::Count;
use ebpf::tables::Loss;

use super::frames::{ACK, Chance, Frame, RST, SYN, Script};
use super::frames::{address, ethernet, extension, icmp, ip, tcp, udp};
use super::oracle::{self, State};
use super::program::{self, Program};
use super::{LIMITS, assert_alike, built};

const SECOND: u64 = 1_000_000;
/// Where the cases begin, microseconds: well after a boot.
const START: u64 = 100_000 * SECOND;

#[test]
fn conversations_meter_alike() {
    let Some(object) = built("conversations_meter_alike") else {
        return;
    };
    let mut script = Script::at(START);
    for net in [0, 3] {
        let ends = (address(net, 1), address(net, 2));
        let back = (ends.1, ends.0);
        for round in 0..12 {
            script.converse(ends, (40_000 + round, 80), u32::from(round));
            script.wait(7 * SECOND);
        }
        // A trailing packet opens nothing; a SYN on a closed flow opens one anew.
        script.send(ends, 6, &tcp((40_011, 80), (9, 9), ACK, &[]));
        script.converse(ends, (40_011, 80), 2);
        for query in 0..20 {
            script
                .send(ends, 17, &udp((50_000 + query, 53), &[1; 40]))
                .wait(900);
            script
                .send(back, 17, &udp((53, 50_000 + query), &[2; 300]))
                .wait(SECOND);
        }
        let (echo, reply) = if net == 0 { (8, 0) } else { (128, 129) };
        let protocol = if net == 0 { 1 } else { 58 };
        for sequence in 0..10 {
            let word = [0x12, 0x34, 0, sequence];
            script
                .send(ends, protocol, &icmp((echo, 0), word, &[0; 56]))
                .wait(40_000);
            script
                .send(back, protocol, &icmp((reply, 0), word, &[0; 56]))
                .wait(SECOND);
        }
        // Met late, from either side.
        script
            .send(back, 6, &tcp((443, 41_000), (77, 88), ACK, &[3; 500]))
            .wait(100);
        script
            .send(ends, 6, &tcp((41_000, 443), (88, 577), ACK, &[]))
            .wait(100);
        script
            .send(back, 6, &tcp((22, 42_000), (1, 1), RST, &[]))
            .wait(100);
        script
            .send(ends, 132, &udp((36_412, 36_412), &[0; 4]))
            .wait(100);
        script.send(ends, 47, &[0; 40]).wait(100);
    }
    let state = compare(&object, &[], &script.frames);
    assert!(state.flows.len() > 60, "{} flows", state.flows.len());
    assert!(state.snapshots.len() > 100, "{}", state.snapshots.len());
    assert!(!state.pairs.is_empty());
}

#[test]
fn errors_fragments_and_extensions_meter_alike() {
    let Some(object) = built("errors_fragments_and_extensions_meter_alike") else {
        return;
    };
    let mut script = Script::at(START);
    for (net, protocol, kind) in [
        (0, 1, (3, 3)),
        (0, 1, (3, 4)),
        (0, 1, (11, 0)),
        (3, 58, (1, 4)),
        (3, 58, (3, 0)),
    ] {
        let ends = (address(net, 1), address(net, 2));
        let back = (ends.1, ends.0);
        for port in 0..6 {
            let asked = udp((30_000, 33_000 + port), &[0; 20]);
            script.send(ends, 17, &asked).wait(1000);
            let quoted = ip(ends, 17, &asked);
            script
                .send(back, protocol, &icmp(kind, [0; 4], &quoted))
                .wait(SECOND);
            // Again, cut short, and about a flow nobody opened.
            script
                .send(back, protocol, &icmp(kind, [0; 4], &quoted))
                .wait(10);
            script
                .send(back, protocol, &icmp(kind, [0; 4], &quoted[..15]))
                .wait(10);
            let other = ip(ends, 6, &tcp((5, 6), (0, 0), SYN, &[]));
            script
                .send(back, protocol, &icmp(kind, [0; 4], &other))
                .wait(10);
        }
    }
    let ends = (address(0, 5), address(0, 6));
    for fragment in [0x2000u16, 0x2010, 0x0020] {
        let mut packet = ip(ends, 17, &udp((7000, 7001), &[0; 64]));
        packet[6..8].copy_from_slice(&fragment.to_be_bytes());
        script.wait(10).frame(ethernet(&[], &packet));
    }
    let ends = (address(3, 5), address(3, 6));
    let inner = udp((7000, 7001), &[0; 64]);
    for headers in [
        &[0][..],
        &[0, 43, 60],
        &[60, 51, 135],
        &[44],
        &[0; 6],
        &[0; 7],
        &[0; 8],
    ] {
        let mut payload = inner.clone();
        let mut next = 17;
        for &header in headers.iter().rev() {
            payload = extension(next, u8::from(header == 60), &payload);
            next = header;
        }
        script.wait(10).send(ends, next, &payload);
    }
    let mut later = extension(17, 0, &inner);
    later[2..4].copy_from_slice(&0x0501u16.to_be_bytes());
    script.wait(10).send(ends, 44, &later);
    let state = compare(&object, &[], &script.frames);
    assert_eq!(counted(&state, Count::Lost(Loss::Fragment)), 3);
    assert!(counted(&state, Count::Refused(Refusal::Extensions)) > 0);
    assert!(
        state
            .hosts
            .values()
            .any(|host| host.minute.current.initiated.unreachable > 0)
    );
}

#[test]
fn tags_are_peeled_alike() {
    let Some(object) = built("tags_are_peeled_alike") else {
        return;
    };
    let packet = ip(
        (address(0, 1), address(1, 1)),
        17,
        &udp((1234, 4321), b"tagged"),
    );
    let tags: [&[u16]; 6] = [&[], &[5], &[0xe005], &[0, 5], &[5, 6], &[5, 6, 7]];
    let mut frames = Vec::new();
    for (place, tags) in tags.iter().enumerate() {
        let time = START + place as u64;
        frames.push(Frame::new(time, ethernet(tags, &packet)));
        let bytes = ethernet(tags, &[]);
        frames.push(Frame::new(time, bytes.clone()));
        frames.push(Frame::new(
            time,
            bytes[..bytes.len() - 2]
                .iter()
                .chain(&[8, 6, 0])
                .copied()
                .collect(),
        ));
    }
    let state = compare(&object, &[], &frames);
    let tags: Vec<_> = state.flows.keys().map(|key| key.tag).collect();
    assert_eq!(tags, [0, 5, 1 << 28 | 5 << 12 | 6]);
    assert_eq!(state.hosts.len(), 2);
}

#[test]
fn scans_meter_alike() {
    let Some(object) = built("scans_meter_alike") else {
        return;
    };
    let scanner = address(0, 66);
    let mut script = Script::at(START);
    for port in 0..600 {
        let victim = address(1, port % 3);
        script
            .send((scanner, victim), 6, &tcp((61_000, port), (1, 0), SYN, &[]))
            .wait(20_000);
        if port % 3 == 0 {
            script
                .send(
                    (victim, scanner),
                    6,
                    &tcp((port, 61_000), (0, 2), RST | ACK, &[]),
                )
                .wait(100);
        }
    }
    let suspect = HostKey {
        address: scanner.into(),
        ..HostKey::default()
    };
    let quiet = compare(&object, &[], &script.frames);
    let watched = compare(&object, &[suspect], &script.frames);
    assert!(watched.snapshots.len() > quiet.snapshots.len() + 200);
}

#[test]
fn a_flood_meters_alike() {
    let Some(object) = built("a_flood_meters_alike") else {
        return;
    };
    let victim = address(3, 80);
    let client = address(5, 1);
    let mut script = Script::at(START);
    script.converse((client, victim), (40_000, 80), 3);
    for source in 0..3000 {
        script
            .send(
                (address(4, source), victim),
                6,
                &tcp((source, 80), (1, 0), SYN, &[]),
            )
            .wait(100);
        // Known clients are still served, and counted.
        if source % 50 == 0 {
            script.converse((client, victim), (41_000 + source, 80), 1);
        }
    }
    let state = compare(&object, &[], &script.frames);
    assert!(counted(&state, Count::Lost(Loss::FloodGuard)) > 2000);
    assert!(state.hosts.len() < 400, "{} hosts", state.hosts.len());
}

#[test]
fn windows_turn_and_flows_end_alike() {
    let Some(object) = built("windows_turn_and_flows_end_alike") else {
        return;
    };
    let mut script = Script::at(START);
    let mut chance = Chance(4711);
    for round in 0..1500 {
        let ends = (
            address(0, chance.below(5) as u16),
            address(1, chance.below(50) as u16),
        );
        let port = 1 + chance.below(20) as u16;
        match chance.below(4) {
            0 => script.converse(ends, (20_000 + port, port), 1),
            1 => drop(script.send(ends, 17, &udp((20_000, port), &[0; 99]))),
            2 => drop(script.send((ends.1, ends.0), 17, &udp((port, 20_000), &[0; 9]))),
            _ => drop(script.send(ends, 6, &tcp((20_000, port), (round, 0), SYN, &[]))),
        }
        // Mostly moments, sometimes minutes, now and then hours.
        let scale = [
            1_000,
            100_000,
            SECOND,
            20 * SECOND,
            100 * SECOND,
            4000 * SECOND,
        ];
        let scale = scale[chance.below(scale.len() as u64) as usize];
        script.wait(chance.below(scale));
    }
    // A clock that steps back.
    script.time -= 50 * SECOND;
    script.converse((address(0, 1), address(1, 1)), (20_000, 5), 4);
    compare(&object, &[], &script.frames);
}

#[test]
fn merged_segments_meter_alike() {
    let Some(object) = built("merged_segments_meter_alike") else {
        return;
    };
    let ends = (address(0, 1), address(0, 2));
    let mut frames = Vec::new();
    for (place, (length, segments)) in [
        (100, 0),
        (1460, 1),
        (2920, 2),
        (9000, 0),
        (65_000, 45),
        (65_000, 0),
    ]
    .into_iter()
    .enumerate()
    {
        for flags in [ACK, SYN] {
            let segment = tcp((40_000, 80), (1, 1), flags, &vec![0; length]);
            let bytes = ethernet(&[], &ip(ends, 6, &segment));
            let mut frame = Frame::new(START + place as u64, bytes);
            frame.segments = segments;
            frames.push(frame);
        }
    }
    let state = compare(&object, &[], &frames);
    let packets: u32 = state.flows.values().map(|flow| flow.packets()).sum();
    assert!(packets > 100, "{packets} packets");
}

#[test]
fn no_bytes_meter_otherwise() {
    let Some(object) = built("no_bytes_meter_otherwise") else {
        return;
    };
    let mut script = Script::at(START);
    script.converse((address(0, 1), address(0, 2)), (40_000, 80), 3);
    script.converse((address(3, 1), address(3, 2)), (40_000, 80), 3);
    let inner = udp((7000, 7001), &[0; 64]);
    script.send(
        (address(3, 1), address(3, 2)),
        0,
        &extension(60, 0, &extension(17, 1, &inner)),
    );
    let quoted = ip((address(0, 1), address(0, 2)), 17, &inner);
    script.send(
        (address(0, 2), address(0, 1)),
        1,
        &icmp((3, 1), [0; 4], &quoted),
    );
    let mut tagged = script.frames[0].clone();
    tagged.bytes.splice(12..12, [0x81, 0, 0, 7]);
    let mut seeds = script.frames;
    seeds.push(tagged);
    let mut chance = Chance(99);
    let mut frames = Vec::new();
    for place in 0..20_000 {
        let mut frame = seeds[chance.below(seeds.len() as u64) as usize].clone();
        frame.time = START + place * 1000;
        for _ in 0..chance.below(4) {
            let at = 12 + chance.below(90.min(frame.bytes.len() as u64 - 12)) as usize;
            frame.bytes[at] = chance.below(256) as u8;
        }
        if chance.below(4) == 0 {
            frame.bytes.truncate(14 + chance.below(100) as usize);
        }
        frame.wire = frame.bytes.len() as u32 + [0, 0, 40, 40_000][chance.below(4) as usize];
        frames.push(frame);
    }
    let state = compare(&object, &[], &frames);
    for count in Count::ALL {
        println!("{}: {}", count.name(), counted(&state, count));
    }
    assert!(counted(&state, Count::NotIp) > 100);
}

/// Feeds `frames` to both meters, demands the same of both, and returns it.
fn compare(object: &[u8], suspects: &[HostKey], frames: &[Frame]) -> State {
    let mut expected = State {
        suspects: suspects.iter().copied().collect(),
        ..State::default()
    };
    let mut work = Work::new(LIMITS);
    let frames = frames.iter().filter(|frame| program::accepts(frame));
    for frame in frames.clone() {
        oracle::meter(&mut expected, &mut work, frame);
    }
    let mut program = Program::load(object, LIMITS, expected.entries()).expect("the program loads");
    for host in suspects {
        program.suspect(*host).expect("a suspect can be named");
    }
    for frame in frames {
        program.run(frame).expect("the program runs");
    }
    let found = program.finish().expect("the maps can be read");
    assert_alike(&found, &expected);
    expected
}

/// How often the meter counted `count`.
fn counted(state: &State, count: Count) -> u64 {
    state.counters[count.index()]
}
