//! Packets and bytes of every TCP and UDP conversation, as tshark counts them: the parser frame by frame, and the meter's
//! flows at the end, also inside what carries them. Needs tshark; without it, it says that it skipped.

mod carried;
mod every;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use detection::dataplane::DataPlane;
use detection::decode::decode;
use detection::meter::Caps;
use ebpf::account::Limits;
use ebpf::packet::{HEAD, Kind, Packet, parse, protocol};
use sensor::capture::{Source, file::File};

use crate::skip::skip;
use crate::tunnel::pcap;

/// More entries than any capture here makes: nothing is evicted.
const ROOM: usize = 1 << 20;

/// What tshark may not do: answer with names, or wait for the rest of a datagram or message and count it there.
const PREFERENCES: [&str; 3] = [
    "ip.defragment:FALSE",
    "ipv6.defragment:FALSE",
    "tcp.desegment_tcp_streams:FALSE",
];

/// What tshark tells of each frame; an ICMP error shows the ports it quotes, and is known by its type.
const FIELDS: [&str; 12] = [
    "frame.protocols",
    "frame.len",
    "icmp.type",
    "icmpv6.type",
    "ip.src",
    "ip.dst",
    "ipv6.src",
    "ipv6.dst",
    "tcp.srcport",
    "tcp.dstport",
    "udp.srcport",
    "udp.dstport",
];

/// A transport protocol and two endpoints, the lower first.
type Conversation = (u8, (IpAddr, u16), (IpAddr, u16));

/// Packets and bytes of frames: from the lower endpoint, and to it.
type Totals = [(u64, u64); 2];

type Conversations = BTreeMap<Conversation, Totals>;

/// The conversation between a sender and a receiver, and the index of the sender's total.
fn name(protocol: u8, from: (IpAddr, u16), to: (IpAddr, u16)) -> (Conversation, usize) {
    if from <= to {
        ((protocol, from, to), 0)
    } else {
        ((protocol, to, from), 1)
    }
}

#[test]
fn conversations_are_those_of_tshark() {
    if is_skipped("conversations_are_those_of_tshark") {
        return;
    }
    let (mut captures, mut conversations, mut flows) = (0, 0, 0);
    for path in captures_here() {
        println!("{}", path.display());
        let told = ask(&path);
        let ours = parse_frames(&path);
        assert_eq!(ours.tunnelled, 0, "tshark's tables have tunnels, too");
        assert_eq!(ours.conversations, told.exact, "the parser's conversations");
        told.assert_table_holds(&ours.conversations);
        flows += assert_flows_alike(&path, &ours);
        captures += 1;
        conversations += told.exact.len();
    }
    println!("{captures} captures, {conversations} conversations, {flows} flows alike");
    assert!(
        captures >= 20 && conversations > 1000 && flows > 1000,
        "too little to judge"
    );
}

#[test]
fn conversations_inside_carriers_are_those_of_tshark() {
    if is_skipped("conversations_inside_carriers_are_those_of_tshark") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    for (name, tunnel, carry) in carried::CARRIERS {
        let frames = carried::conversations(carry);
        let path = folder.path().join(name);
        std::fs::write(&path, pcap(&frames)).expect("a capture can be written");
        let mut told = ask(&path);
        let ours = parse_frames(&path);
        assert_eq!(
            ours.tunnelled,
            if tunnel { frames.len() } else { 0 },
            "{name}"
        );
        assert_eq!(ours.conversations, told.exact, "inside {name}");
        // The tables have the outer conversations, too: VXLAN's is one of UDP.
        told.table
            .retain(|name, _| ours.conversations.contains_key(name));
        told.assert_table_holds(&ours.conversations);
        assert_eq!(assert_flows_alike(&path, &ours), 2, "{name}");
    }
}

/// Whether `test` has no tshark to ask, after saying so.
fn is_skipped(test: &str) -> bool {
    let missing = Command::new("tshark").arg("--version").output().is_err();
    if missing {
        skip(test, "tshark is not installed");
    }
    missing
}

fn captures_here() -> Vec<PathBuf> {
    let folder = crate::garita::root().join("tests/captures");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the test captures are there")
        .map(|entry| entry.expect("a case").path().join("input.pcap"))
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    paths
}

/// What tshark says of a capture.
#[derive(Default)]
struct Told {
    /// Summed from the frames it dissected: its tables round bytes above 10,000 to thousands.
    exact: Conversations,
    /// Its conversation tables, summed over the conversations it splits at a reused port: packets, and the least and the
    /// most bytes the rounded numbers allow.
    table: BTreeMap<Conversation, [(u64, u64, u64); 2]>,
}

impl Told {
    fn assert_table_holds(&self, ours: &Conversations) {
        let names: BTreeSet<_> = self.table.keys().collect();
        assert_eq!(names, ours.keys().collect(), "conversations in the tables");
        for (conversation, totals) in ours {
            for (&(packets, bytes), &(told, least, most)) in
                totals.iter().zip(&self.table[conversation])
            {
                assert_eq!(packets, told, "packets of {conversation:?}");
                assert!(
                    (least..=most).contains(&bytes),
                    "{bytes} bytes of {conversation:?}, not {least} to {most}"
                );
            }
        }
    }

    /// Takes a line of fields: one frame.
    fn take_frame(&mut self, line: &str) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [
            protocols,
            len,
            icmp,
            icmp6,
            v4s,
            v4d,
            v6s,
            v6d,
            ts,
            td,
            us,
            ud,
        ] = fields[..]
        else {
            panic!("not the fields asked for: {line}");
        };
        let (protocol, from, to) = match (ts, us) {
            _ if !icmp.is_empty() || !icmp6.is_empty() => return,
            ("", "") => return,
            ("", _) => (protocol::UDP, us, ud),
            _ => (protocol::TCP, ts, td),
        };
        // A carrier of the other version has addresses too.
        let mut versions = protocols.rsplit(':').filter(|name| name.starts_with("ip"));
        let is_six = versions.find(|name| matches!(*name, "ip" | "ipv6")) == Some("ipv6");
        let end = |four: &str, six: &str, port: &str| {
            let address = if is_six { six } else { four };
            (
                address.parse().expect("an address"),
                port.parse().expect("a port"),
            )
        };
        let (conversation, way) = name(protocol, end(v4s, v6s, from), end(v4d, v6d, to));
        let total = &mut self.exact.entry(conversation).or_default()[way];
        total.0 += 1;
        total.1 += len.parse::<u64>().expect("a length");
    }

    /// Takes a row of a conversation table: `a <-> b`, then frames and bytes to the first end, then to the second.
    fn take_row(&mut self, protocol: u8, row: &str) {
        let words: Vec<&str> = row.split_whitespace().collect();
        let [
            first,
            "<->",
            second,
            packets_back,
            back,
            unit_back,
            packets,
            bytes,
            unit,
            ..,
        ] = words[..]
        else {
            panic!("not a conversation: {row}");
        };
        let end = |text: &str| {
            let (address, port) = text.rsplit_once(':').expect("an endpoint");
            (
                address.parse().expect("an address"),
                port.parse().expect("a port"),
            )
        };
        let (conversation, way) = name(protocol, end(first), end(second));
        let totals = self.table.entry(conversation).or_default();
        for (way, packets, (bytes, unit)) in [
            (way, packets, (bytes, unit)),
            (1 - way, packets_back, (back, unit_back)),
        ] {
            let unit = match unit {
                "bytes" => 1,
                "kB" => 1_000,
                "MB" => 1_000_000,
                other => panic!("no unit: {other}"),
            };
            let least = bytes.parse::<u64>().expect("bytes") * unit;
            let total = &mut totals[way];
            total.0 += packets.parse::<u64>().expect("packets");
            total.1 += least;
            total.2 += least + unit - 1;
        }
    }
}

/// Runs tshark once: a line of fields for each frame, the innermost ones, then the two tables.
fn ask(path: &Path) -> Told {
    let mut tshark = Command::new("tshark");
    tshark.arg("-n").arg("-r").arg(path);
    for preference in PREFERENCES {
        tshark.args(["-o", preference]);
    }
    tshark.args(["-T", "fields", "-E", "occurrence=l"]);
    for field in FIELDS {
        tshark.args(["-e", field]);
    }
    tshark.args(["-z", "conv,tcp", "-z", "conv,udp"]);
    let output = tshark.output().expect("tshark runs");
    assert!(
        output.status.success(),
        "tshark fails on {}",
        path.display()
    );
    let mut told = Told::default();
    let mut table = None;
    for line in String::from_utf8(output.stdout).expect("text").lines() {
        match line {
            "TCP Conversations" => table = Some(protocol::TCP),
            "UDP Conversations" => table = Some(protocol::UDP),
            _ => match table {
                Some(protocol) if line.contains("<->") => told.take_row(protocol, line),
                None if !line.starts_with("====") => told.take_frame(line),
                _ => {}
            },
        }
    }
    told
}

/// What our parser makes of the frames.
#[derive(Default)]
struct Parsed {
    conversations: Conversations,
    /// Frames that came through a tunnel.
    tunnelled: usize,
    /// Per conversation and VLAN: packets and IP bytes, as the meter charges them.
    charged: BTreeMap<(Conversation, u32), Totals>,
}

fn parse_frames(path: &Path) -> Parsed {
    let mut parsed = Parsed::default();
    let mut file = File::open(path).expect("the capture opens");
    while let Some(frame) = file.next_frame().expect("the capture can be read") {
        let Ok(peeled) = decode(&frame) else {
            continue;
        };
        parsed.tunnelled += usize::from(peeled.tunnel.is_some());
        let mut head = [0; HEAD];
        let captured = peeled.ip.len().min(HEAD);
        head[..captured].copy_from_slice(&peeled.ip[..captured]);
        let mut packet = Packet {
            bytes: peeled.wire_len,
            ..Packet::default()
        };
        if parse(&head, captured as u32, &mut packet).is_err() || packet.kind != Kind::Flow {
            continue;
        }
        let ends = &packet.endpoints;
        if !matches!(ends.protocol, protocol::TCP | protocol::UDP) {
            continue;
        }
        assert_eq!(packet.segments, 1, "a merged frame counts as its segments");
        let (conversation, way) = name(
            ends.protocol,
            (ends.source.into(), ends.source_port),
            (ends.destination.into(), ends.destination_port),
        );
        // The lab's frames carry no padding: Ethernet and its tags are all that stands before and beside the IP packet.
        let link = frame.wire_len - peeled.wire_len;
        let total = &mut parsed.conversations.entry(conversation).or_default()[way];
        total.0 += 1;
        total.1 += u64::from(packet.bytes + link);
        let tagged = (conversation, peeled.tag.get());
        let total = &mut parsed.charged.entry(tagged).or_default()[way];
        total.0 += 1;
        total.1 += u64::from(packet.bytes);
    }
    parsed
}

/// Meters the capture and compares the flows opened once with the parser's sums; returns how many.
fn assert_flows_alike(path: &Path, parsed: &Parsed) -> usize {
    let caps = Caps {
        flows: ROOM,
        unanswered: ROOM,
        hosts: ROOM,
        pairs: ROOM,
    };
    let limits = Limits {
        flood_guard: u32::MAX,
        separate_tags: 1,
        ..Limits::default()
    };
    let mut plane = DataPlane::new(caps, limits);
    let mut snapshots = Vec::new();
    let mut file = File::open(path).expect("the capture opens");
    while let Some(frame) = file.next_frame().expect("the capture can be read") {
        plane.take(&frame, &mut snapshots);
    }
    // A flow as it was seen last, under the time it began: the sweeps tell of those gone, the table of the others.
    let mut seen = BTreeMap::new();
    for snapshot in &snapshots {
        seen.insert((snapshot.key, snapshot.flow.first), snapshot.flow);
    }
    for (key, flow) in plane.meter().flows() {
        seen.insert((*key, flow.first), *flow);
    }
    let mut totals: BTreeMap<(Conversation, u32), (Totals, usize)> = BTreeMap::new();
    for ((key, _), flow) in &seen {
        if !matches!(key.protocol, protocol::TCP | protocol::UDP) {
            continue;
        }
        let (low, high) = (
            (key.low.into(), key.low_port),
            (key.high.into(), key.high_port),
        );
        let (conversation, way) = name(key.protocol, low, high);
        let (total, times) = totals.entry((conversation, key.tag)).or_default();
        for (way, half) in [(way, &flow.low), (1 - way, &flow.high)] {
            total[way].0 += u64::from(half.packets);
            total[way].1 += half.bytes;
        }
        *times += 1;
    }
    let names: BTreeSet<_> = totals.keys().collect();
    assert_eq!(names, parsed.charged.keys().collect(), "flows of the meter");
    let once = totals.iter().filter(|(_, (_, times))| *times == 1);
    once.inspect(|(name, (total, _))| assert_eq!(*total, parsed.charged[*name], "{name:?}"))
        .count()
}
