//! What the parser reads from ICMP: queries, their replies, and the packets that errors quote.

use ebpf::flow::state;
use ebpf::packet::Kind;

use super::parser::{ends6, optioned, ports, read};
use super::{ACK, Bench, a, address, b, icmp, ip, tcp, udp};

#[test]
fn icmp_queries_and_replies_share_type_and_identifier() {
    let four = (a(), b());
    for (ends, protocol, kind, expected) in [
        (four, 1, 8, (8, 0, 7)),
        (four, 1, 0, (8, 1, 7)),
        (four, 1, 13, (13, 0, 7)),
        (four, 1, 14, (13, 1, 7)),
        (four, 1, 18, (17, 1, 7)),
        (four, 1, 5, (5, 0, 0)),
        (ends6(), 58, 128, (128, 0, 7)),
        (ends6(), 58, 129, (128, 1, 7)),
        (ends6(), 58, 135, (135, 0, 0)),
    ] {
        let packet = read(&ip(
            ends,
            protocol,
            &icmp((kind, 0), [0, 7, 0, 1], &[9; 20]),
        ));
        let (source, destination) = ports(&packet);
        let found = (packet.endpoints.icmp_type, packet.icmp_reply, source);
        assert_eq!(found, expected, "type {kind}");
        assert_eq!((destination, packet.payload), (source, 20), "type {kind}");
        assert_eq!(packet.kind, Kind::Flow, "type {kind}");
    }
}

#[test]
fn icmp_errors_name_the_packet_they_quote() {
    let flow = ip((a(), b()), 17, &udp((1, 2), &[5; 9]));
    let optioned = optioned(2, 6, &tcp((1, 2), (0, 0), ACK, &[]));
    let ping = ip((a(), b()), 1, &icmp((8, 0), [0, 7, 0, 1], &[]));
    let flow6 = ip(ends6(), 6, &tcp((1, 2), (0, 0), ACK, &[]));
    let ping6 = ip(ends6(), 58, &icmp((128, 0), [0, 7, 0, 1], &[]));
    let cases = [
        (1, 3, &flow, 28, Kind::Unreachable, (17, 0, 1, 2)),
        (1, 11, &flow, 28, Kind::Error, (17, 0, 1, 2)),
        (1, 12, &optioned, 36, Kind::Error, (6, 0, 1, 2)),
        (1, 4, &ping, 28, Kind::Error, (1, 8, 7, 7)),
        (58, 1, &flow6, 48, Kind::Unreachable, (6, 0, 1, 2)),
        (58, 3, &ping6, 48, Kind::Error, (58, 128, 7, 7)),
    ];
    for (protocol, kind, quoted, kept, expected, ends) in cases {
        let (outer, inner) = if protocol == 1 {
            ((b(), a()), (a(), b()))
        } else {
            ((ends6().1, ends6().0), ends6())
        };
        let bytes = ip(outer, protocol, &icmp((kind, 1), [0; 4], &quoted[..kept]));
        let packet = read(&bytes);
        let found = packet.quoted;
        assert_eq!(packet.kind, expected, "type {kind}");
        assert_eq!(
            (found.source, found.destination),
            (inner.0.into(), inner.1.into())
        );
        let (ports, named) = (
            (found.source_port, found.destination_port),
            (found.protocol, found.icmp_type),
        );
        assert_eq!((named.0, named.1, ports.0, ports.1), ends, "type {kind}");
        assert_eq!(packet.endpoints.icmp_type, kind);
        let short = ip(
            outer,
            protocol,
            &icmp((kind, 1), [0; 4], &quoted[..kept - 8]),
        );
        assert_eq!(
            read(&short).kind,
            Kind::Flow,
            "a quote without ports names no flow"
        );
    }
}

#[test]
fn an_icmp_error_belongs_to_the_flow_it_quotes() {
    let query = ip((a(), b()), 17, &udp((40_000, 53), &[1; 30]));
    let router = address(2, 9);
    let error = |to, kind, port| {
        let quoted = ip((a(), b()), 17, &udp((port, 53), &[]));
        ip((router, to), 1, &icmp((kind, 1), [0; 4], &quoted))
    };
    for (name, packet, expected) in [
        (
            "unreachable",
            error(a(), 3, 40_000),
            (state::UNREACHABLE, 1, 1),
        ),
        (
            "time exceeded",
            error(a(), 11, 40_000),
            (state::EXPIRED, 0, 1),
        ),
        ("of an unknown flow", error(a(), 3, 40_001), (0, 0, 2)),
        (
            "to somebody else",
            error(address(0, 5), 3, 40_000),
            (0, 0, 2),
        ),
    ] {
        let mut bench = Bench::new();
        bench
            .packet(0, &query)
            .packet(10, &packet)
            .packet(20, &packet);
        let flows = bench.flows();
        let (_, quoted) = flows
            .iter()
            .find(|(key, _)| key.protocol == 17)
            .expect("the query");
        let unreachable = bench.initiator(a(), 20).minute.unreachable;
        assert_eq!((quoted.state, unreachable, flows.len()), expected, "{name}");
        assert_eq!(quoted.packets(), 1, "{name}");
    }
}
