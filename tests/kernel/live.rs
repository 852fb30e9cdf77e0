//! Frames on a real wire through the kernel meter as the sensor runs it: what comes out is what user space makes of them.
//! Times and the seed differ from run to run, and are left out of the comparison.

use detection::meter::{Caps, Datagram, Meter};
use ebpf::account::Limits;
use ebpf::host::HostKey;
use ebpf::snapshot::{Snapshot, reason};
use nix::net::if_::if_nametoindex;
use sensor::capture::kernel::Kernel;
use sensor::capture::{LiveSource, Source, Statistics, file::File};
use settings::Config;

use super::frames::{ACK, RST, SYN, Script, address, tcp, udp};
use super::oracle;
use super::testbed::{Stage, bytes, listen, losses, wan, watched};

/// The frames of a golden capture, Ethernet all of them.
fn capture(case: &str) -> Vec<Vec<u8>> {
    let path = crate::garita::root().join("tests/captures");
    let mut file = File::open(path.join(case).join("input.pcap")).expect("the capture opens");
    let mut frames = Vec::new();
    while let Some(frame) = file.next_frame().expect("the capture can be read") {
        frames.push(frame.bytes.to_vec());
    }
    frames
}

/// What user space makes of `frames`, all within a moment as they are sent here: the meter and its snapshots.
fn expect(frames: &[Vec<u8>], link: u32) -> (Meter, Vec<Snapshot>) {
    let caps = Caps {
        flows: 1 << 16,
        unanswered: 1 << 16,
        hosts: 1 << 16,
        pairs: 1 << 16,
    };
    let limits = Limits {
        seed: 1,
        flood_guard: 4_096,
        separate_tags: 0,
    };
    let mut meter = Meter::new(caps, limits);
    for (time, frame) in (1 << 40..).zip(frames) {
        if let Some((at, _, tag)) = oracle::find_ip(frame) {
            meter.meter(&Datagram {
                bytes: &frame[at..],
                wire_len: (frame.len() - at) as u32,
                time,
                link,
                tag,
            });
        }
    }
    let mut snapshots = Vec::new();
    meter.take_snapshots(&mut snapshots);
    (meter, snapshots)
}

/// A snapshot less what depends on the moment and on the seed.
fn timeless(mut snapshot: Snapshot) -> Snapshot {
    snapshot.time = 0;
    snapshot.flow.first = 0;
    snapshot.flow.opening_gaps = Default::default();
    for half in [&mut snapshot.flow.low, &mut snapshot.flow.high] {
        (half.last, half.gap_sum, half.gap_squares) = (0, 0, 0);
        (half.gap_min, half.gap_max) = (0, 0);
    }
    let initiator = &mut snapshot.initiator;
    initiator.proven = u64::from(initiator.proven > 0);
    initiator.second = Default::default();
    (initiator.minute.gap_sum, initiator.minute.gap_squares) = (0, 0);
    initiator.habits.closed_duration = 0;
    (initiator.peers, initiator.ports, initiator.services) = (0, 0, 0);
    (initiator.habit_peers, initiator.habit_services) = (0, 0);
    snapshot.responder.initiators = 0;
    (
        snapshot.pair.first,
        snapshot.pair.last,
        snapshot.pair.gap_squares,
    ) = (0, 0, 0);
    snapshot
}

/// Demands that the kernel makes the same of `frames`, once they are `sent`, as user space.
fn assert_alike((case, frames): (&str, &[Vec<u8>]), send: impl FnOnce(&[Vec<u8>])) {
    let mut kernel = Kernel::open(&watched(), &Config::default()).expect("it opens");
    let link = if_nametoindex("wan").expect("the link is there");
    assert_eq!(kernel.interface(link), Some("wan"));
    send(frames);
    let (meter, expected) = expect(frames, link);
    let entries = meter.occupancy().map(|table| (table.table, table.entries));
    let mut snapshots = Vec::new();
    let statistics = listen(&mut kernel, &mut snapshots, |_, statistics| {
        statistics.tables.map(|table| (table.table, table.entries)) == entries
    });
    println!(
        "{case}: {} frames, {} snapshots, {entries:?}",
        frames.len(),
        expected.len()
    );
    assert_eq!(wan(&statistics).packets, frames.len() as u64);
    assert!(wan(&statistics).last_packet > 0);
    let swept = reason::IDLE | reason::SILENT;
    snapshots.retain(|snapshot| snapshot.reason & swept == 0);
    // The shortest case is one flow of forty packets: at 4, 8, 16 and 32, and when it closes.
    assert!(expected.len() >= 5, "{} snapshots", expected.len());
    // The bitmaps' seed may bring a trigger of distinct initiators forward or back, so those are left out.
    let timeless = |snapshots: Vec<Snapshot>| -> Vec<Snapshot> {
        let alike = snapshots.into_iter().map(timeless);
        alike
            .filter(|snapshot| snapshot.reason & reason::INITIATORS == 0)
            .collect()
    };
    let (found, expected) = (timeless(snapshots), timeless(expected));
    for (place, (kernel, user)) in found.iter().zip(&expected).enumerate() {
        assert_eq!(kernel, user, "snapshot {place}");
    }
    assert_eq!(found.len(), expected.len());
    let user: u64 = meter.losses().map(|(_, count)| count).sum();
    let kernel: u64 = losses(&statistics)
        .iter()
        .filter(|(cause, _)| *cause != "not-ip")
        .map(|(_, count)| count)
        .sum();
    assert_eq!(kernel, user, "{:?}", losses(&statistics));
    assert!(
        statistics.kernel_memory > 10 << 20,
        "{} bytes",
        statistics.kernel_memory
    );
    println!(
        "kernel memory of the tables: {} bytes",
        statistics.kernel_memory
    );
}

#[test]
fn frames_on_a_wire_meter_as_in_user_space() {
    let test = "kernel::live::frames_on_a_wire_meter_as_in_user_space";
    for case in ["nmap-and-ssh", "qinq", "nmap-ipv6"] {
        let Some(stage) = Stage::new(test) else {
            return;
        };
        let frames = capture(case);
        let alike = || assert_alike((case, &frames), |frames| stage.send(frames));
        stage.sensor.run(alike);
    }
}

#[test]
fn the_default_route_is_followed() {
    let test = "kernel::live::the_default_route_is_followed";
    let Some(stage) = Stage::new(test) else {
        return;
    };
    let sensor = &stage.sensor;
    sensor.address("wan", "192.0.2.1/24");
    sensor.ip("link add spare type veth peer name other");
    sensor.ip("link set spare up");
    sensor.ip("link set other up");
    sensor.ip("route add default via 192.0.2.2");
    sensor.run(|| {
        let settings = Config::default().capture;
        let mut kernel = Kernel::open(&watched(), &Config::default()).expect("it opens");
        kernel.follow_routes(&settings).expect("routes are watched");
        stage.send(&capture("nmap-and-ssh"));
        let mut snapshots = Vec::new();
        let seen = |statistics: &Statistics| losses(statistics).len();
        assert!(
            seen(&listen(&mut kernel, &mut snapshots, |snapshots, _| {
                !snapshots.is_empty()
            })) > 0
        );
        sensor.ip("route replace default dev spare");
        let moved = listen(&mut kernel, &mut snapshots, |_, statistics| {
            let names: Vec<_> = statistics
                .interfaces
                .iter()
                .map(|one| one.name.as_str())
                .collect();
            names == ["spare"]
        });
        assert_eq!(moved.interfaces[0].missing, None);
        // Without any, the last one is kept.
        sensor.ip("route delete default");
        sensor.ip("route add default dev other");
        listen(&mut kernel, &mut snapshots, |_, statistics| {
            statistics.interfaces.iter().any(|one| one.name == "other")
        });
    });
}

#[test]
fn packets_without_a_link_header_meter_as_in_user_space() {
    let test = "kernel::live::packets_without_a_link_header_meter_as_in_user_space";
    let Some(stage) = Stage::apart(test) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder for the socket");
    let (tunnel, _passes) = stage.tunnel(folder.path());
    for case in ["nmap-and-ssh", "nmap-ipv6"] {
        let mut frames = capture(case);
        frames.retain(|frame| oracle::find_ip(frame).is_some());
        let send = |frames: &[Vec<u8>]| {
            for frame in frames {
                let (at, ..) = oracle::find_ip(frame).expect("the others are left out");
                tunnel
                    .send(&frame[at..])
                    .expect("the tunnel takes the packet");
            }
        };
        stage.sensor.run(|| assert_alike((case, &frames), send));
    }
}

#[test]
fn what_stays_unanswered_is_looked_at_again_once_and_suspects_more_often() {
    let test =
        "kernel::live::what_stays_unanswered_is_looked_at_again_once_and_suspects_more_often";
    let Some(stage) = Stage::new(test) else {
        return;
    };
    stage.sensor.run(|| {
        let mut kernel = Kernel::open(&watched(), &Config::default()).expect("it opens");
        let link = if_nametoindex("wan").expect("the link is there");
        let suspect = HostKey {
            address: address(0, 9).into(),
            link,
            reserved: 0,
        };
        kernel.suspect(suspect, true);
        let mut script = Script::at(0);
        for port in 0..3 {
            for host in [1, 9] {
                let ends = (address(0, host), address(1, 1));
                script.send(ends, 17, &udp((40_000, 7000 + port), &[0; 10]));
            }
        }
        // Opens a pair: answered flows are not looked at again.
        script.converse((address(0, 9), address(1, 2)), (40_000, 80), 1);
        stage.send(&bytes(&script));
        let mut snapshots = Vec::new();
        let silent = |snapshot: &&Snapshot| snapshot.reason == reason::SILENT;
        listen(&mut kernel, &mut snapshots, |snapshots, statistics| {
            let entries = statistics.tables.map(|table| table.entries);
            snapshots.iter().filter(silent).count() >= 6 && entries == [7, 4, 1]
        });
        let suspicious = |snapshot: &&Snapshot| snapshot.reason & reason::SUSPECT != 0;
        let suspicious: Vec<_> = snapshots.iter().filter(suspicious).collect();
        assert_eq!(
            suspicious.len(),
            6,
            "three openings; opening, answer and end"
        );
        assert!(
            suspicious
                .iter()
                .all(|snapshot| snapshot.charged()[0].0 == suspect.address)
        );
        assert!(snapshots.iter().filter(silent).all(|snapshot| {
            snapshot.initiator.minute.opened >= 3 && snapshot.responder.minute.opened >= 6
        }));

        kernel.suspect(suspect, false);
        kernel.forget(&[suspect.address]);
        snapshots.clear();
        let mut script = Script::at(0);
        script.send(
            (address(0, 9), address(1, 1)),
            17,
            &udp((40_001, 7000), &[0; 10]),
        );
        stage.send(&bytes(&script));
        listen(&mut kernel, &mut snapshots, |snapshots, statistics| {
            let entries = statistics.tables.map(|table| table.entries);
            snapshots.iter().filter(silent).count() >= 1 && entries == [8, 4, 0]
        });
        // Of the seven openings before, none is looked at again, and none is remembered of the forgotten host.
        assert_eq!(snapshots.len(), 1);
        assert_eq!(snapshots[0].initiator.minute.opened, 1);
    });
}

#[test]
fn tables_that_are_too_small_evict_and_say_so() {
    let test = "kernel::live::tables_that_are_too_small_evict_and_say_so";
    let Some(stage) = Stage::new(test) else {
        return;
    };
    let mut script = Script::at(0);
    for port in 0..3000 {
        let ends = (address(4, port % 7), address(3, port));
        script.send(ends, 6, &tcp((40_000, port), (1, 0), SYN, &[]));
        let back = (ends.1, ends.0);
        script.send(back, 6, &tcp((port, 40_000), (0, 2), RST | ACK, &[]));
    }
    let frames = bytes(&script);
    let small = [
        ("max_flows", 512),
        ("max_unanswered_flows", 512),
        ("max_hosts", 1024),
    ];
    let settings = small.map(|(name, size)| {
        (
            format!("GARITA__METER__{name}").to_uppercase(),
            size.to_string(),
        )
    });
    let config =
        Config::layered("", "nothing", settings.into_iter().collect()).expect("it is in range");
    stage.sensor.run(|| {
        let mut kernel = Kernel::open(&watched(), &config).expect("it opens");
        stage.send(&frames);
        let statistics = listen(&mut kernel, &mut Vec::new(), |_, statistics| {
            wan(statistics).packets == frames.len() as u64 && statistics.tables[1].evictions > 0
        });
        let [flows, hosts, _] = statistics.tables;
        println!("{statistics:?}");
        assert!(flows.entries <= 1024 && flows.evictions > 1500, "{flows:?}");
        assert!(hosts.entries <= 1024 && hosts.evictions > 1500, "{hosts:?}");
        assert_eq!(wan(&statistics).packets, 6000);
    });
}
