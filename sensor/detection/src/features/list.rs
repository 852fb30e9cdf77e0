//! The one list of features: name, unit, meaning, and how each is read off a snapshot.
//! Its order is the order of the vector; a change of it is a new model.

use super::*;

/// Number of features.
pub const COUNT: usize = 68;

/// Every feature, in order.
pub const LIST: [Feature; COUNT] = [
    feature(
        "forward_packets",
        "packets",
        "Packets the initiator sent in this flow.",
        |v| f64::from(v.forward.packets),
    ),
    feature(
        "backward_packets",
        "packets",
        "Packets the responder sent in this flow.",
        |v| f64::from(v.backward.packets),
    ),
    feature(
        "forward_payload",
        "bytes",
        "Payload the initiator sent in this flow.",
        |v| v.forward.payload as f64,
    ),
    feature(
        "backward_payload",
        "bytes",
        "Payload the responder sent in this flow.",
        |v| v.backward.payload as f64,
    ),
    feature(
        "forward_payload_packets",
        "packets",
        "Packets with payload from the initiator.",
        |v| f64::from(v.forward.payload_packets),
    ),
    feature(
        "backward_payload_packets",
        "packets",
        "Packets with payload from the responder.",
        |v| f64::from(v.backward.payload_packets),
    ),
    feature(
        "forward_length_max",
        "bytes",
        "Longest IP length from the initiator.",
        |v| f64::from(v.forward.length_max),
    ),
    feature(
        "forward_length_mean",
        "bytes",
        "Mean IP length from the initiator.",
        |v| mean(v.forward.bytes, v.forward.packets),
    ),
    feature(
        "forward_length_deviation",
        "bytes",
        "Standard deviation of IP lengths from the initiator.",
        |v| {
            deviation(
                v.forward.bytes as f64,
                v.forward.length_squares as f64,
                v.forward.packets,
            )
        },
    ),
    feature(
        "backward_length_max",
        "bytes",
        "Longest IP length from the responder.",
        |v| f64::from(v.backward.length_max),
    ),
    feature(
        "backward_length_mean",
        "bytes",
        "Mean IP length from the responder.",
        |v| mean(v.backward.bytes, v.backward.packets),
    ),
    feature(
        "backward_length_deviation",
        "bytes",
        "Standard deviation of IP lengths from the responder.",
        |v| {
            deviation(
                v.backward.bytes as f64,
                v.backward.length_squares as f64,
                v.backward.packets,
            )
        },
    ),
    feature(
        "forward_gap_mean",
        "ms",
        "Mean gap between the initiator's packets.",
        |v| mean(v.forward.gap_sum / 1000, gaps(v.forward)),
    ),
    feature(
        "forward_gap_max",
        "ms",
        "Longest gap between the initiator's packets.",
        |v| f64::from(v.forward.gap_max / 1000),
    ),
    feature(
        "backward_gap_mean",
        "ms",
        "Mean gap between the responder's packets.",
        |v| mean(v.backward.gap_sum / 1000, gaps(v.backward)),
    ),
    feature(
        "forward_syn",
        "packets",
        "SYN packets from the initiator.",
        |v| f64::from(v.forward.syn),
    ),
    feature(
        "backward_rst",
        "packets",
        "RST packets from the responder.",
        |v| f64::from(v.backward.rst),
    ),
    feature(
        "forward_psh",
        "packets",
        "PSH packets from the initiator.",
        |v| f64::from(v.forward.psh),
    ),
    feature(
        "duration",
        "ms",
        "From the flow's first packet to its last.",
        |v| (v.snapshot.flow.duration() / 1000) as f64,
    ),
    feature(
        "protocol",
        "class",
        "Transport: 0 other, 1 TCP, 2 UDP, 3 ICMP.",
        |v| protocol_class(v.snapshot.key.protocol),
    ),
    feature(
        "service",
        "class",
        "Kind of service: 0 other, 1 web, 2 names, time and discovery, 3 where a password can be tried.",
        |v| f64::from(v.service as u8),
    ),
    feature(
        "opening_length_1",
        "bytes",
        "First payload length, negative from the responder.",
        |v| v.opening(0),
    ),
    feature(
        "opening_length_2",
        "bytes",
        "Second payload length, negative from the responder.",
        |v| v.opening(1),
    ),
    feature(
        "opening_length_3",
        "bytes",
        "Third payload length, negative from the responder.",
        |v| v.opening(2),
    ),
    feature(
        "forward_share",
        "per mille",
        "Initiator's share of the flow's packets.",
        |v| {
            per_mille(
                f64::from(v.forward.packets),
                f64::from(v.snapshot.flow.packets()),
            )
        },
    ),
    feature(
        "flows",
        "flows",
        "Flows the initiator opened in the last minute.",
        |v| v.opened,
    ),
    feature(
        "peers",
        "hosts",
        "Distinct responders of the minute's flows.",
        |v| v.peers,
    ),
    feature(
        "ports",
        "ports",
        "Distinct responder ports of the minute's flows.",
        |v| v.ports,
    ),
    feature(
        "services",
        "services",
        "Distinct services (responder and port) of the minute's flows.",
        |v| v.services,
    ),
    feature(
        "unanswered",
        "flows",
        "Flows of the last minute without an answer so far.",
        |v| v.unanswered,
    ),
    feature(
        "settled_unanswered",
        "flows",
        "Flows of the last minute whose answer is overdue by a second or two.",
        |v| (v.unanswered - f64::from(v.initiator.second.opened)).max(0.0),
    ),
    feature(
        "refused",
        "flows",
        "Flows of the last minute answered with a reset.",
        |v| f64::from(v.initiator.minute.refused),
    ),
    feature(
        "unreachable",
        "flows",
        "Flows of the last minute answered with ICMP unreachable.",
        |v| f64::from(v.initiator.minute.unreachable),
    ),
    feature(
        "syns",
        "packets",
        "SYN packets the initiator sent in the last minute.",
        |v| f64::from(v.initiator.minute.syns),
    ),
    feature(
        "packets_out",
        "packets",
        "Packets the initiator sent in the last minute.",
        |v| f64::from(v.initiator.minute.packets_out),
    ),
    feature(
        "closed",
        "flows",
        "Initiator's flows that closed in the last minute.",
        |v| f64::from(v.initiator.minute.closed),
    ),
    feature(
        "short",
        "flows",
        "Flows that closed in the last minute without any payload.",
        |v| f64::from(v.initiator.minute.short),
    ),
    feature(
        "open",
        "flows",
        "Answered flows of the half hour that have not closed.",
        |v| {
            f64::from(
                v.initiator
                    .habits
                    .answered
                    .saturating_sub(v.initiator.habits.closed),
            )
        },
    ),
    feature(
        "opening_gap_mean",
        "ms",
        "Mean gap between the initiator's openings in the last minute.",
        |v| {
            mean(
                u64::from(v.initiator.minute.gap_sum / 1000),
                v.initiator.minute.opened,
            )
        },
    ),
    feature(
        "habit_flows",
        "flows",
        "Flows the initiator opened in the last half hour.",
        |v| f64::from(v.initiator.habits.opened),
    ),
    feature(
        "habit_peers",
        "hosts",
        "Distinct responders of the half hour's flows.",
        |v| v.habit_peers,
    ),
    feature(
        "habit_services",
        "services",
        "Distinct services of the half hour's flows.",
        |v| distinct(v.initiator.habit_services, Bitmap::<8>::BITS),
    ),
    feature(
        "habit_unanswered",
        "flows",
        "Flows of the last half hour without an answer.",
        |v| v.habit_unanswered,
    ),
    feature(
        "closed_payload_mean",
        "bytes",
        "Mean payload of the flows closed in the last half hour.",
        |v| mean(v.initiator.habits.closed_payload, v.initiator.habits.closed),
    ),
    feature(
        "closed_payload_deviation",
        "bytes",
        "Standard deviation of the payload of the flows closed in the last half hour.",
        |v| {
            deviation(
                v.initiator.habits.closed_payload as f64,
                v.initiator.habits.closed_payload_squares as f64,
                v.initiator.habits.closed,
            )
        },
    ),
    feature(
        "closed_duration_mean",
        "ms",
        "Mean duration of the flows closed in the last half hour.",
        |v| {
            mean(
                v.initiator.habits.closed_duration,
                v.initiator.habits.closed,
            )
        },
    ),
    feature(
        "unanswered_share",
        "per mille",
        "Share of the minute's flows without an answer.",
        |v| per_mille(v.unanswered, v.opened),
    ),
    feature(
        "refused_share",
        "per mille",
        "Share of the minute's flows answered with a reset.",
        |v| per_mille(f64::from(v.initiator.minute.refused), v.opened),
    ),
    feature(
        "short_share",
        "per mille",
        "Share of the flows closed in the minute that carried no payload.",
        |v| {
            per_mille(
                f64::from(v.initiator.minute.short),
                f64::from(v.initiator.minute.closed),
            )
        },
    ),
    feature(
        "peer_share",
        "per mille",
        "Distinct responders a flow of the minute.",
        |v| per_mille(v.peers, v.opened),
    ),
    feature(
        "port_share",
        "per mille",
        "Distinct ports a flow of the minute.",
        |v| per_mille(v.ports, v.opened),
    ),
    feature(
        "bytes_per_flow",
        "bytes",
        "Bytes both ways a flow of the minute.",
        |v| {
            ratio(
                f64::from(v.initiator.minute.bytes_out) + f64::from(v.initiator.minute.bytes_in),
                v.opened,
            )
        },
    ),
    feature(
        "payload_out_per_flow",
        "bytes",
        "Payload the initiator sent a flow of the minute.",
        |v| ratio(f64::from(v.initiator.minute.payload_out), v.opened),
    ),
    feature(
        "payload_in_per_flow",
        "bytes",
        "Payload the initiator was sent a flow of the minute.",
        |v| ratio(f64::from(v.initiator.minute.payload_in), v.opened),
    ),
    feature(
        "payload_out_share",
        "per mille",
        "Initiator's share of the minute's payload.",
        |v| {
            per_mille(
                f64::from(v.initiator.minute.payload_out),
                f64::from(v.initiator.minute.payload_out)
                    + f64::from(v.initiator.minute.payload_in),
            )
        },
    ),
    feature(
        "flows_per_service",
        "flows",
        "Flows of the minute a distinct service.",
        |v| ratio(v.opened, v.services),
    ),
    feature(
        "habit_unanswered_share",
        "per mille",
        "Share of the half hour's flows without an answer.",
        |v| per_mille(v.habit_unanswered, f64::from(v.initiator.habits.opened)),
    ),
    feature(
        "habit_peer_share",
        "per mille",
        "Distinct responders a flow of the half hour.",
        |v| per_mille(v.habit_peers, f64::from(v.initiator.habits.opened)),
    ),
    feature(
        "received_flows",
        "flows",
        "Flows opened to the responder in the last minute.",
        |v| f64::from(v.responder.minute.opened),
    ),
    feature(
        "received_initiators",
        "hosts",
        "Distinct initiators of the flows to the responder in the last minute.",
        |v| v.initiators,
    ),
    feature(
        "received_unanswered",
        "flows",
        "Flows to the responder in the last minute without an answer.",
        |v| v.received_unanswered,
    ),
    feature(
        "received_unanswered_share",
        "per mille",
        "Share of the flows to the responder in the last minute without an answer.",
        |v| per_mille(v.received_unanswered, f64::from(v.responder.minute.opened)),
    ),
    feature(
        "received_per_initiator",
        "flows",
        "Flows to the responder a distinct initiator.",
        |v| ratio(f64::from(v.responder.minute.opened), v.initiators),
    ),
    feature(
        "attempts",
        "flows",
        "Answered flows of this initiator at this service, within an hour.",
        |v| f64::from(v.pair.attempts),
    ),
    feature(
        "attempt_gap_mean",
        "ms",
        "Mean gap between the initiator's attempts at this service.",
        |v| pair_gap_mean(v.pair),
    ),
    feature(
        "attempt_gap_deviation",
        "per mille",
        "Deviation of the gaps between the attempts at this service, of their mean.",
        |v| pair_gap_deviation(v.pair),
    ),
    feature(
        "attempt_payload_mean",
        "bytes",
        "Mean payload of the attempts at this service that closed.",
        |v| mean(v.pair.payload_sum, v.pair.closed),
    ),
    feature(
        "attempt_payload_deviation",
        "per mille",
        "Deviation of the payload of the attempts at this service, of its mean.",
        |v| {
            per_mille(
                deviation(
                    v.pair.payload_sum as f64,
                    v.pair.payload_squares as f64,
                    v.pair.closed,
                ),
                mean(v.pair.payload_sum, v.pair.closed),
            )
        },
    ),
];
