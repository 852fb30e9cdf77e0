//! What is made of the frames of an interface: the same as of a recording, in time, and no more than asked for.

use std::io::{BufRead, BufReader, Cursor, Read, Write};
use std::net::{IpAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use detection::dataplane::DataPlane;
use ebpf::flow::Half;
use ebpf::host::HostKey;
use ebpf::packet::Address;
use ebpf::snapshot::{Snapshot, reason};
use nix::net::if_::if_nametoindex;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sensor::capture::file::File;
use sensor::capture::{LiveSource, Source};

use super::{caps, has, knock, limits, listen, loss, machines, packets, python, tap};
use crate::netns::Namespace;

/// Six conversations of each family, three queries long, and datagrams to closed ports between them.
const TALK: &str = "
import socket
for host in ['192.0.2.1', '2001:db8::1']:
    for round in range(6):
        with socket.create_connection((host, 8080)) as talk:
            for question in range(3):
                talk.sendall(b'q' * (10 + 100 * question))
                talk.recv(4096)
        family = socket.AF_INET6 if ':' in host else socket.AF_INET
        socket.socket(family, socket.SOCK_DGRAM).sendto(b'x' * 30, (host, 9000 + round))
";

#[test]
fn an_interface_meters_as_its_recording_does() {
    let test = "live::frames::an_interface_meters_as_its_recording_does";
    if !has(test, "tcpdump") || !has(test, "python3") {
        return;
    }
    let Some((sensor, peer)) = machines(test) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder for the recording");
    let path = folder.path().join("recording.pcap");
    let mut tcpdump = record(&sensor, &path);
    let mut metered = Vec::new();
    sensor.run(|| {
        let mut live = tap("interfaces = [\"wan0\"]");
        for end in ["192.0.2.1:8080", "[2001:db8::1]:8080"] {
            let listener = TcpListener::bind(end).expect("the port is free");
            thread::spawn(move || echo(&listener));
        }
        thread::scope(|scope| {
            let talk = scope.spawn(|| python(&peer, TALK));
            listen(&mut live, &mut metered, |_, _| talk.is_finished());
        });
        listen_until_quiet(&mut live, &mut metered);
        let link = if_nametoindex("wan0").expect("it is there");
        assert!(metered.iter().all(|snapshot| snapshot.key.link == link));
    });
    kill(Pid::from_raw(tcpdump.id().cast_signed()), Signal::SIGINT).expect("tcpdump runs");
    tcpdump.wait().expect("tcpdump ends");

    let recorded = replay(&path);
    for (place, (live, recorded)) in metered.iter().zip(&recorded).enumerate() {
        assert_eq!(timeless(live), timeless(recorded), "snapshot {place}");
    }
    assert_eq!(metered.len(), recorded.len());
    let closed = |snapshot: &&Snapshot| snapshot.reason & reason::CLOSED != 0;
    assert!(metered.iter().filter(closed).count() >= 12, "{metered:?}");
}

#[test]
fn silence_is_judged_without_a_frame() {
    let test = "live::frames::silence_is_judged_without_a_frame";
    let Some((sensor, peer)) = machines(test) else {
        return;
    };
    sensor.run(|| {
        // A port that never answers.
        let mut live = tap("interfaces = [\"wan0\"]\nfilter = \"udp and dst port 20000\"");
        let _deaf = std::net::UdpSocket::bind("192.0.2.1:20000").expect("the port is free");
        knock(&peer, 1);
        let mut snapshots = Vec::new();
        let mut heard = None;
        listen(&mut live, &mut snapshots, |statistics, snapshots| {
            let silent = |snapshot: &&Snapshot| snapshot.reason & reason::SILENT != 0;
            heard = heard.or((packets(statistics) == 1).then(Instant::now));
            snapshots.iter().find(silent).is_some_and(|snapshot| {
                let waited = snapshot.time - snapshot.flow.last();
                assert!((3_000_000..4_500_000).contains(&waited), "{waited} µs");
                true
            })
        });
        let waited = heard.expect("the datagram came").elapsed();
        assert!(waited < Duration::from_millis(4_700), "{waited:?}");
        assert_eq!(packets(&live.statistics()), 1);
    });
}

#[test]
fn a_filter_keeps_frames_out() {
    let test = "live::frames::a_filter_keeps_frames_out";
    let Some((sensor, peer)) = machines(test) else {
        return;
    };
    sensor.run(|| {
        let mut live = tap("interfaces = [\"wan0\"]\nfilter = \"udp and dst port 20003\"");
        knock(&peer, 5);
        knock(&peer, 4);
        let mut snapshots = Vec::new();
        listen(&mut live, &mut snapshots, |statistics, _| {
            packets(statistics) == 2
        });
        listen_until_quiet(&mut live, &mut snapshots);
        assert_eq!(packets(&live.statistics()), 2);
    });
}

#[test]
fn what_the_kernel_had_no_room_for_is_counted_for_good() {
    let test = "live::frames::what_the_kernel_had_no_room_for_is_counted_for_good";
    let Some((sensor, peer)) = machines(test) else {
        return;
    };
    sensor.run(|| {
        let mut live = tap("interfaces = [\"wan0\"]\nbuffer = 1048576");
        knock(&peer, 5_000);
        let mut snapshots = Vec::new();
        listen(&mut live, &mut snapshots, |statistics, _| {
            loss(statistics, "kernel-buffer") > 0
        });
        listen_until_quiet(&mut live, &mut snapshots);
        let statistics = live.statistics();
        let (seen, lost) = (packets(&statistics), loss(&statistics, "kernel-buffer"));
        assert!(seen + lost >= 5_000, "{seen} seen and {lost} lost");
        assert!(seen > 0 && lost > 100, "{seen} seen and {lost} lost");

        sensor.ip("link set wan0 down");
        listen(&mut live, &mut snapshots, |statistics, _| {
            statistics.interfaces[0].missing.is_some()
        });
        sensor.ip("link set wan0 up");
        listen(&mut live, &mut snapshots, |statistics, _| {
            statistics.interfaces[0].missing.is_none()
        });
        assert_eq!(loss(&live.statistics(), "kernel-buffer"), lost);
        assert!(packets(&live.statistics()) >= seen);
    });
}

#[test]
fn the_last_headers_of_a_suspect_are_a_capture() {
    let test = "live::frames::the_last_headers_of_a_suspect_are_a_capture";
    let Some((sensor, peer)) = machines(test) else {
        return;
    };
    let suspect: IpAddr = [192, 0, 2, 2].into();
    sensor.run(|| {
        let mut live =
            tap("interfaces = [\"wan0\"]\nmax_kept_headers = 8\nfilter = \"dst port 20000\"");
        let link = if_nametoindex("wan0").expect("it is there");
        let host = HostKey {
            address: Address::from(suspect),
            link,
            reserved: 0,
        };
        assert_eq!(live.headers(suspect), None);
        live.suspect(host, true);
        for _ in 0..12 {
            knock(&peer, 1);
        }
        let mut snapshots = Vec::new();
        listen(&mut live, &mut snapshots, |statistics, _| {
            packets(statistics) == 12
        });
        assert_eq!(live.interface(link), Some("wan0"));
        let kept = live.headers(suspect).expect("headers were kept");
        assert_eq!(live.headers([192, 0, 2, 1].into()), None);
        let mut file = File::read("the headers", Cursor::new(kept)).expect("it is a capture");
        let mut frames = 0;
        while let Some(frame) = file.next_frame().expect("it can be read") {
            // Ethernet, IPv4 and UDP before 40 bytes.
            assert_eq!((frame.bytes.len(), frame.wire_len), (82, 82));
            frames += 1;
        }
        assert!(file.damage().is_none());
        assert_eq!(frames, 8);
    });
}

/// Listens until nothing more comes.
fn listen_until_quiet(live: &mut impl LiveSource, snapshots: &mut Vec<Snapshot>) {
    let mut quiet = Instant::now();
    let mut before = 0;
    while quiet.elapsed() < Duration::from_millis(500) {
        let patience = Duration::from_millis(100);
        live.listen(patience, snapshots).expect("listening goes on");
        let now = packets(&live.statistics());
        if now != before {
            quiet = Instant::now();
        }
        before = now;
    }
}

/// Records `wan0` until it is interrupted.
fn record(machine: &Namespace, path: &Path) -> Child {
    let mut tcpdump = machine
        .command("tcpdump")
        .args(["-i", "wan0", "-p", "-U", "--immediate-mode", "-s", "256"])
        .args(["--time-stamp-precision=nano", "-Z", "root", "-w"])
        .arg(path)
        .stderr(Stdio::piped())
        .spawn()
        .expect("tcpdump starts");
    let mut said = BufReader::new(tcpdump.stderr.take().expect("its words are read"));
    let mut line = String::new();
    while !line.contains("listening on") {
        line.clear();
        let read = said.read_line(&mut line).expect("its words can be read");
        assert_ne!(read, 0, "tcpdump gave up");
    }
    // Whoever drops the pipe ends tcpdump when it sums up.
    tcpdump.stderr = Some(said.into_inner());
    tcpdump
}

/// Answers each question with twice as much.
fn echo(listener: &TcpListener) {
    for talk in listener.incoming() {
        let mut talk = talk.expect("somebody connects");
        let mut question = [0; 4096];
        while let Ok(len @ 1..) = talk.read(&mut question) {
            let answer = question[..len].repeat(2);
            talk.write_all(&answer).expect("the other side listens");
        }
    }
}

fn replay(path: &Path) -> Vec<Snapshot> {
    let mut plane = DataPlane::new(caps(), limits());
    let mut file = File::open(path).expect("the recording opens");
    let mut snapshots = Vec::new();
    while let Some(frame) = file.next_frame().expect("the recording can be read") {
        plane.take(&frame, &mut snapshots);
    }
    assert!(file.damage().is_none());
    snapshots
}

/// A snapshot without its times and without its link: the clocks differ, and a file numbers its interfaces from 0.
fn timeless(snapshot: &Snapshot) -> Snapshot {
    let mut timeless = *snapshot;
    timeless.time = 0;
    timeless.key.link = 0;
    timeless.flow.first = 0;
    timeless.flow.opening_gaps = Default::default();
    for half in [&mut timeless.flow.low, &mut timeless.flow.high] {
        *half = Half {
            gap_sum: 0,
            gap_squares: 0,
            gap_min: 0,
            gap_max: 0,
            last: 0,
            ..*half
        };
    }
    // What these sums hold beside times is what the flows before this one add up to.
    timeless.initiator = Default::default();
    timeless.responder = Default::default();
    timeless.pair = Default::default();
    timeless
}
