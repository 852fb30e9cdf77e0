//! Traffic written by chance, beside the recorded captures: what mixes on one wire that no one capture holds.
//! The same seed gives the same frames, here and in every run.

use super::frames::{ACK, Chance, Frame, RST, SYN, Script};
use super::frames::{address, ethernet, extension, icmp, ip, tcp, udp};

const SECOND: u64 = 1_000_000;
/// Where the mixes begin, microseconds: well after a boot.
const START: u64 = 50_000 * SECOND;
/// Events of a mix.
const EVENTS: u16 = 1500;

/// One thing that happens on the wire.
type Event = fn(&mut Script, &mut Chance, u16);

/// The mixes by name; those on a trunk carry the tags of a customer and of a provider.
pub(super) fn mixes() -> [(&'static str, Vec<Frame>); 5] {
    [
        ("an office", mix(11, &[visit, visit, resolve, ping])),
        (
            "an office under a scan",
            mix(12, &[visit, resolve, scan, scan]),
        ),
        (
            "fragments and errors",
            mix(13, &[visit, fragment, unreachable, ping]),
        ),
        (
            "a flood among visitors",
            mix(14, &[visit, flood, flood, flood]),
        ),
        (
            "a trunk",
            trunk(mix(15, &[visit, resolve, scan, fragment, ping])),
        ),
    ]
}

fn mix(seed: u64, events: &[Event]) -> Vec<Frame> {
    let mut chance = Chance(seed);
    let mut script = Script::at(START);
    for turn in 0..EVENTS {
        let event = chance.below(events.len() as u64) as usize;
        events[event](&mut script, &mut chance, turn);
        // Mostly moments, now and then long enough for a window to turn or a flow to end.
        let pause = if chance.below(200) == 0 {
            90 * SECOND
        } else {
            SECOND / 10
        };
        script.wait(chance.below(pause));
    }
    script.frames
}

fn trunk(mut frames: Vec<Frame>) -> Vec<Frame> {
    for (place, frame) in frames.iter_mut().enumerate() {
        let tags: &[u8] = match place % 3 {
            0 => &[],
            1 => &[0x81, 0x00, 0x20, 0x05],
            _ => &[0x88, 0xa8, 0x00, 0x07, 0x81, 0x00, 0x00, 0x09],
        };
        frame.bytes.splice(12..12, tags.iter().copied());
        frame.wire = frame.bytes.len() as u32;
    }
    frames
}

/// Two hosts of one family.
fn ends(chance: &mut Chance) -> (std::net::IpAddr, std::net::IpAddr) {
    let (inside, outside) = if chance.below(2) == 0 { (0, 1) } else { (3, 4) };
    let client = address(inside, 1 + chance.below(20) as u16);
    (client, address(outside, 1 + chance.below(30) as u16))
}

fn visit(script: &mut Script, chance: &mut Chance, turn: u16) {
    let ends = ends(chance);
    let port = [22, 80, 443][chance.below(3) as usize];
    script.converse(ends, (20_000 + turn, port), chance.below(6) as u32);
}

fn resolve(script: &mut Script, chance: &mut Chance, turn: u16) {
    let (client, server) = ends(chance);
    let port = 30_000 + turn;
    script
        .send((client, server), 17, &udp((port, 53), &[1; 40]))
        .wait(900);
    if chance.below(5) > 0 {
        script.send((server, client), 17, &udp((53, port), &[2; 200]));
    }
}

fn ping(script: &mut Script, chance: &mut Chance, turn: u16) {
    let (client, server) = ends(chance);
    let (protocol, query, reply) = if client.is_ipv4() {
        (1, 8, 0)
    } else {
        (58, 128, 129)
    };
    let [high, low] = turn.to_be_bytes();
    let word = [high, low, 0, 1];
    script
        .send(
            (client, server),
            protocol,
            &icmp((query, 0), word, &[0; 56]),
        )
        .wait(700);
    script.send(
        (server, client),
        protocol,
        &icmp((reply, 0), word, &[0; 56]),
    );
}

fn scan(script: &mut Script, chance: &mut Chance, turn: u16) {
    let ends = (address(2, 66), address(1, 1 + chance.below(3) as u16));
    script
        .send(ends, 6, &tcp((61_000, turn), (1, 0), SYN, &[]))
        .wait(300);
    if chance.below(3) > 0 {
        script.send(
            (ends.1, ends.0),
            6,
            &tcp((turn, 61_000), (0, 2), RST | ACK, &[]),
        );
    }
}

fn flood(script: &mut Script, chance: &mut Chance, turn: u16) {
    for _ in 0..4 {
        let source = address(5, chance.below(1 << 16) as u16);
        script
            .send(
                (source, address(4, 80)),
                6,
                &tcp((turn, 80), (1, 0), SYN, &[]),
            )
            .wait(50);
    }
}

fn fragment(script: &mut Script, chance: &mut Chance, turn: u16) {
    let (client, server) = ends(chance);
    let datagram = udp((turn, 7001), &[0; 64]);
    let offset: u16 = [0x2000, 0x2010, 0x0020][chance.below(3) as usize];
    if client.is_ipv4() {
        let mut packet = ip((client, server), 17, &datagram);
        packet[6..8].copy_from_slice(&offset.to_be_bytes());
        script.frame(ethernet(&[], &packet));
    } else {
        let mut header = extension(17, 0, &datagram);
        header[2..4].copy_from_slice(&offset.rotate_left(3).to_be_bytes());
        script.send((client, server), 44, &header);
    }
}

fn unreachable(script: &mut Script, chance: &mut Chance, turn: u16) {
    let (client, server) = ends(chance);
    let asked = udp((30_000, 33_000 + turn), &[0; 20]);
    script.send((client, server), 17, &asked).wait(1000);
    let quoted = ip((client, server), 17, &asked);
    let (protocol, kind) = if client.is_ipv4() {
        (1, (3, 3))
    } else {
        (58, (1, 4))
    };
    let error = icmp(
        kind,
        [0; 4],
        &quoted[..quoted.len().min(20 + chance.below(50) as usize)],
    );
    script.send((server, client), protocol, &error);
}
