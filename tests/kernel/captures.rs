//! Real captures, and mixes written by chance, through both homes of the meter: the kernel program and the sensor.
//! What only the sensor peels (tunnels, MPLS, PPPoE) is left out on both sides.

use std::path::{Path, PathBuf};

use detection::decode::decode;
use detection::frame::LinkType;
use detection::meter::{Caps, Datagram, Meter};
use detection::timeline::Timeline;
use ebpf::account::Work;
use ebpf::program::Count;
use sensor::capture::Source;
use sensor::capture::file::File;

use super::frames::{Frame, ethernet};
use super::mixes::mixes;
use super::oracle::{self, State};
use super::program::{self, Program};
use super::{LIMITS, assert_alike, built};
use crate::judgement::scenes::{attacks, innocents};

/// More entries than any capture here makes: nothing is evicted.
const ROOM: usize = 1 << 20;

#[test]
fn captures_meter_alike() {
    let Some(object) = built("captures_meter_alike") else {
        return;
    };
    let folder = crate::garita::root().join("tests/captures");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the test captures are there")
        .map(|entry| entry.expect("a case").path().join("input.pcap"))
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    let recorded = paths
        .iter()
        .map(|path| (path.display().to_string(), read(path)));
    let mixed = mixes().map(|(name, frames)| (name.to_owned(), frames));
    let scenes = innocents().chain(attacks());
    let scenes = scenes.map(|scene| (scene.name.to_owned(), scene.frames(20)));
    let (mut captures, mut frames, mut snapshots) = (0, 0, 0);
    for (name, capture) in recorded.chain(mixed).chain(scenes) {
        let state = compare(&object, &capture);
        println!(
            "{name}: {} frames, {} snapshots, {} flows",
            capture.len(),
            state.snapshots.len(),
            state.flows.len()
        );
        captures += 1;
        frames += state.counters[Count::Frame.index()];
        snapshots += state.snapshots.len();
    }
    println!("{captures} captures, {frames} frames, {snapshots} snapshots alike");
    assert!(captures >= 30 && snapshots > 5000, "too little to judge");
}

/// Meters frames thrice: in the kernel, in the sensor, and in the simplest tables; all must agree.
fn compare(object: &[u8], frames: &[Frame]) -> State {
    let mut expected = State::default();
    let mut work = Work::new(LIMITS);
    let mut meter = Meter::new(
        Caps {
            flows: ROOM,
            unanswered: ROOM,
            hosts: ROOM,
            pairs: ROOM,
        },
        LIMITS,
    );
    for frame in frames {
        oracle::meter(&mut expected, &mut work, frame);
        if let Some((at, _, tag)) = oracle::find_ip(&frame.bytes) {
            meter.meter(&Datagram {
                bytes: &frame.bytes[at..],
                wire_len: frame.wire - at as u32,
                time: frame.time,
                link: 0,
                tag,
            });
        }
    }
    let mut program = Program::load(object, LIMITS, expected.entries())
        .unwrap_or_else(|error| panic!("the program does not load: {error:#}"));
    for frame in frames {
        program.run(frame).expect("the program runs");
    }
    let found = program.finish().expect("the maps can be read");
    assert_alike(&found, &expected);

    let mut snapshots = Vec::new();
    meter.take_snapshots(&mut snapshots);
    assert_eq!(found.snapshots, snapshots, "the sensor's snapshots");
    let copy = |(key, value): (&_, &_)| (*key, *value);
    assert_eq!(found.flows, meter.flows().map(copy).collect(), "flows");
    let copy = |(key, value): (&_, &_)| (*key, *value);
    assert_eq!(found.hosts, meter.hosts().map(copy).collect(), "hosts");
    let copy = |(key, value): (&_, &_)| (*key, *value);
    assert_eq!(found.pairs, meter.pairs().map(copy).collect(), "pairs");
    let losses = meter.losses().map(|(_, count)| count).sum::<u64>();
    let counted = Count::ALL
        .iter()
        .filter(|count| count.is_loss() && **count != Count::NotIp);
    let counted = counted
        .map(|count| found.counters[count.index()])
        .sum::<u64>();
    assert_eq!(counted, losses, "what was refused or lost");
    found
}

/// The frames of a capture that the kernel program peels as the sensor does, all of them as Ethernet.
fn read(path: &Path) -> Vec<Frame> {
    let mut file = File::open(path).expect("the capture opens");
    let mut timeline = Timeline::new();
    let mut frames = Vec::new();
    while let Some(frame) = file.next_frame().expect("the capture can be read") {
        let time = timeline.advance(frame.time);
        let Ok(peeled) = decode(&frame) else {
            continue;
        };
        if peeled.tunnel.is_some() {
            continue;
        }
        let (bytes, wire) = match frame.link_type {
            LinkType::Ethernet => (frame.bytes.to_vec(), frame.wire_len),
            _ => (ethernet(&[], peeled.ip), peeled.wire_len + 14),
        };
        let at = bytes.len() - peeled.ip.len();
        let alike = oracle::find_ip(&bytes)
            .is_some_and(|(found, _, tag)| (found, tag) == (at, peeled.tag.get()));
        let frame = Frame {
            wire,
            ..Frame::new(time, bytes)
        };
        if alike && program::accepts(&frame) {
            frames.push(frame);
        }
    }
    frames
}
