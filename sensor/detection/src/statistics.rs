//! Named, calibrated statistics beside the model: what one number says better than a forest.
//! Each reads one snapshot and keeps no state; of these, only the packet rate may lead to a block.
//! Those that remember stand in [`crate::memory`].

use ebpf::flow::state;
use ebpf::host::Bitmap;
use ebpf::packet::protocol;
use ebpf::snapshot::{Snapshot, reason};

use crate::features::distinct;
use contract::class::Class;

/// What a statistic noticed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alarm {
    /// The attack it stands for.
    pub class: Class,
    /// The number that crossed its threshold.
    pub measure: Measure,
    /// That number.
    pub value: f64,
    /// The threshold.
    pub threshold: f64,
}

/// Which number it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Packets a second from one source, hardly answered.
    PacketRate,
    /// Distinct initiators of one responder in a minute.
    Initiators,
    /// Mean payload of DNS queries.
    QueryPayload,
    /// Mean payload of DNS replies.
    ReplyPayload,
    /// Deviation of the lengths of an ICMP echo flow.
    EchoLengths,
    /// Calls at one service whose gaps are a timer's.
    RegularCalls,
    /// Strangers asked in vain, less those that answered.
    FirstContacts,
    /// Tries alike at a login service.
    AlikeAttempts,
    /// Sources that try one login service.
    GuessingSources,
    /// Sources that turn against one victim and prove nothing.
    UnprovenSources,
}

/// Packets a second from one source that nobody sends for long without an answer.
const FLOOD_RATE: f64 = 1_000.0;
/// The same in one conversation over UDP: a video, a tunnel or a log may take as many for hours.
const STREAM_RATE: f64 = 5_000.0;
/// Answers to a hundred packets below which a flood is one-sided.
const FLOOD_ANSWERS: f64 = 10.0;

/// Distinct initiators in a minute at which a responder may be a victim.
const VICTIM_INITIATORS: f64 = 64.0;
/// Share of its flows that get no answer, at least, if it is.
const VICTIM_UNANSWERED: f64 = 0.5;
/// Or packets a flow, at most: a spoofed handshake never gets to its third packet.
const VICTIM_PACKETS: f64 = 1.5;

/// DNS: queries in a minute before their size means anything, and their mean payload in a tunnel, bytes; names that are
/// long by nature are not counted. Clients that send cookies (RFC 7873) reach 67 in the lab.
const TUNNEL_QUERIES: u32 = 8;
const TUNNEL_QUERY_PAYLOAD: f64 = 60.0;
/// What queries must carry together in the meter's minute, which spans 30 to 60 s, bytes: who looks up names says less.
const TUNNEL_LOAD: u32 = 3_000;
/// Or as many queries within a second or two, of this mean payload, bytes: nobody needs so many long names at once.
const TUNNEL_HURRIED_PAYLOAD: f64 = 68.0;
/// DNS: replies in a minute before their size means anything, and their mean payload in a tunnel, bytes.
const TUNNEL_REPLIES: u32 = 50;
const TUNNEL_REPLY_PAYLOAD: f64 = 350.0;

/// ICMP echo packets each way before their lengths mean anything; ping sends all of one length.
const ECHO_PACKETS: u32 = 8;
/// Deviation of their IP lengths in a tunnel, bytes.
const ECHO_DEVIATION: f64 = 40.0;

/// Everything the statistics notice in one snapshot.
pub fn alarms(snapshot: &Snapshot) -> impl Iterator<Item = Alarm> {
    [
        packet_rate(snapshot),
        victim(snapshot),
        dns_tunnel(snapshot),
        echo_tunnel(snapshot),
    ]
    .into_iter()
    .flatten()
}

/// A single source that sends much and is hardly answered.
fn packet_rate(snapshot: &Snapshot) -> Option<Alarm> {
    let initiator = &snapshot.initiator;
    let [_, (responder, _)] = snapshot.charged();
    // What a receiver acknowledges comes as fast as it wants it (RFC 5681).
    let tcp = snapshot.key.protocol == protocol::TCP;
    if responder.is_group() || tcp && snapshot.flow.is(state::PROVEN) {
        return None;
    }
    let (forward, _) = snapshot.flow.halves();
    let stream = snapshot.key.protocol == protocol::UDP
        && 2 * u64::from(forward.packets) > u64::from(initiator.minute.packets_out);
    let most = if stream { STREAM_RATE } else { FLOOD_RATE };
    // The second window spans up to two buckets of a second.
    let rate = f64::from(initiator.second.packets_out) / 2.0;
    let answers = 100.0 * f64::from(initiator.minute.packets_in)
        / f64::from(initiator.minute.packets_out.max(1));
    (rate >= most && answers <= FLOOD_ANSWERS)
        .then(|| alarm(Class::Flood, Measure::PacketRate, rate, most))
}

/// A responder flooded from everywhere.
fn victim(snapshot: &Snapshot) -> Option<Alarm> {
    if snapshot.reason & reason::INITIATORS == 0 {
        return None;
    }
    let received = &snapshot.responder.minute;
    let initiators = distinct(snapshot.responder.initiators, Bitmap::<16>::BITS);
    let opened = f64::from(received.opened.max(1));
    let unanswered = 1.0 - f64::from(received.answered) / opened;
    let packets = f64::from(received.packets_in) / opened;
    let half_open = snapshot.key.protocol == protocol::TCP && packets <= VICTIM_PACKETS;
    (initiators >= VICTIM_INITIATORS && (unanswered >= VICTIM_UNANSWERED || half_open)).then(|| {
        alarm(
            Class::Ddos,
            Measure::Initiators,
            initiators,
            VICTIM_INITIATORS,
        )
    })
}

/// Data carried in DNS names or in replies.
fn dns_tunnel(snapshot: &Snapshot) -> Option<Alarm> {
    let minute = &snapshot.initiator.minute;
    let [_, (_, port)] = snapshot.charged();
    if port != 53 || snapshot.key.protocol != protocol::UDP {
        return None;
    }
    let query = f64::from(minute.dns_query_payload) / f64::from(minute.dns_queries.max(1));
    let reply = f64::from(minute.dns_reply_payload) / f64::from(minute.dns_replies.max(1));
    let loaded = minute.dns_query_payload >= TUNNEL_LOAD;
    let hurried =
        query >= TUNNEL_HURRIED_PAYLOAD && snapshot.initiator.second.packets_out >= TUNNEL_QUERIES;
    if minute.dns_queries >= TUNNEL_QUERIES && query >= TUNNEL_QUERY_PAYLOAD && (loaded || hurried)
    {
        return Some(alarm(
            Class::Tunnel,
            Measure::QueryPayload,
            query,
            TUNNEL_QUERY_PAYLOAD,
        ));
    }
    (minute.dns_replies >= TUNNEL_REPLIES && reply >= TUNNEL_REPLY_PAYLOAD).then(|| {
        alarm(
            Class::Tunnel,
            Measure::ReplyPayload,
            reply,
            TUNNEL_REPLY_PAYLOAD,
        )
    })
}

/// Data carried in ICMP echo: unlike ping's, its packets differ in length.
fn echo_tunnel(snapshot: &Snapshot) -> Option<Alarm> {
    if !matches!(snapshot.key.protocol, protocol::ICMP | protocol::ICMPV6) {
        return None;
    }
    let spread = [&snapshot.flow.low, &snapshot.flow.high].map(|half| {
        let count = f64::from(half.packets.max(1));
        let mean = half.bytes as f64 / count;
        let deviation = (half.length_squares as f64 / count - mean * mean)
            .max(0.0)
            .sqrt();
        if half.packets >= ECHO_PACKETS {
            deviation
        } else {
            0.0
        }
    });
    let least = spread[0].min(spread[1]);
    (least >= ECHO_DEVIATION)
        .then(|| alarm(Class::Tunnel, Measure::EchoLengths, least, ECHO_DEVIATION))
}

fn alarm(class: Class, measure: Measure, value: f64, threshold: f64) -> Alarm {
    Alarm {
        class,
        measure,
        value,
        threshold,
    }
}
