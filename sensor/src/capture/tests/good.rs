//! Every variety of capture file gives the same frames.

use super::*;

#[test]
fn pcap_of_either_order_and_resolution() {
    for order in [ByteOrder::Little, ByteOrder::Big] {
        for (magic, fraction, nanoseconds) in [
            (0xa1b2_c3d4, 123_456, 123_456_000),
            (0xa1b2_3c4d, 123_456_789, 123_456_789),
        ] {
            let bytes = [
                order.pcap_header(magic, 1),
                order.pcap_frame(fraction, b"one"),
                order.pcap_frame(fraction, b"second"),
            ]
            .concat();
            let frame = |bytes: &[u8]| {
                let wire_len = bytes.len() as u32 + 10;
                (
                    TIME + nanoseconds,
                    wire_len,
                    bytes.to_vec(),
                    LinkType::Ethernet,
                    0,
                )
            };
            let expected = (vec![frame(b"one"), frame(b"second")], None);
            assert_eq!(read(&bytes), expected);
            assert_eq!(read(&gzip(&bytes)), expected);
        }
    }
}

#[test]
fn the_modified_pcap_format_has_a_longer_record() {
    let order = ByteOrder::Little;
    let record = [
        order.words(&[SECONDS, 5, 3, 3]),
        vec![9; 8],
        b"abc".to_vec(),
    ]
    .concat();
    let bytes = [order.pcap_header(0xa1b2_cd34, 101), record].concat();
    let (seen, end) = read(&bytes);
    assert_eq!(
        seen,
        [(TIME + 5_000, 3, b"abc".to_vec(), LinkType::RawIp, 0)]
    );
    assert_eq!(end, None);
}

#[test]
fn a_frame_check_sequence_does_not_hide_the_link_type() {
    let order = ByteOrder::Big;
    let bytes = [
        order.pcap_header(0xa1b2_c3d4, 0x2400_0001),
        order.pcap_frame(0, b"x"),
    ]
    .concat();
    assert_eq!(read(&bytes).0[0].3, LinkType::Ethernet);
}

#[test]
fn pcapng_with_several_interfaces_links_and_clocks() {
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let offset = match order {
            ByteOrder::Little => 3_600i64.to_le_bytes(),
            ByteOrder::Big => 3_600i64.to_be_bytes(),
        };
        let seconds = u64::from(SECONDS);
        let bytes = [
            order.section(),
            order.interface(1, 0, &[]),
            order.interface(113, 96, &order.option(9, &[9])),
            order.block(5, &[1; 20]),
            order.packet(0, seconds * 1_000_000 + 7, b"eth"),
            order.packet(1, seconds * 1_000_000_000 + 7, b"cooked"),
            // Ticks of 2⁻¹⁰ s; an interface may be described at any time.
            order.interface(101, 0, &order.option(9, &[0x8a])),
            order.packet(2, seconds * 1024 + 512, b"ip"),
            order.interface(276, 0, &order.option(14, &offset)),
            order.packet(3, seconds * 1_000_000, b"later"),
        ]
        .concat();
        let frame = |nanoseconds, bytes: &[u8], link_type, interface| {
            let wire_len = bytes.len() as u32 + 10;
            (
                TIME + nanoseconds,
                wire_len,
                bytes.to_vec(),
                link_type,
                interface,
            )
        };
        let expected = vec![
            frame(7_000, b"eth", LinkType::Ethernet, 0),
            frame(7, b"cooked", LinkType::LinuxCooked, 1),
            frame(500_000_000, b"ip", LinkType::RawIp, 2),
            frame(3_600_000_000_000, b"later", LinkType::LinuxCooked2, 3),
        ];
        assert_eq!(read(&bytes), (expected.clone(), None));
        assert_eq!(read(&gzip(&bytes)), (expected, None));
    }
}

#[test]
fn pcapng_sections_number_their_interfaces_anew_and_may_change_order() {
    let (little, big) = (ByteOrder::Little, ByteOrder::Big);
    let bytes = [
        little.section(),
        little.interface(1, 0, &[]),
        little.packet(0, 1, b"a"),
        big.section(),
        big.interface(101, 0, &[]),
        big.packet(0, 2, b"b"),
    ]
    .concat();
    let expected = vec![
        (1_000, 11, b"a".to_vec(), LinkType::Ethernet, 0),
        (2_000, 11, b"b".to_vec(), LinkType::RawIp, 0),
    ];
    assert_eq!(read(&bytes), (expected, None));
}

#[test]
fn simple_packet_blocks_take_the_time_before_them_and_the_snap_length() {
    let order = ByteOrder::Little;
    let simple = [&order.words(&[90])[..], &[7; 64]].concat();
    let bytes = [
        order.section(),
        order.interface(1, 64, &[]),
        order.packet(0, 5, b"first"),
        order.block(3, &simple),
    ]
    .concat();
    let (seen, end) = read(&bytes);
    assert_eq!(seen[1], (5_000, 90, vec![7; 64], LinkType::Ethernet, 0));
    assert_eq!(end, None);
}

#[test]
fn a_large_block_that_is_no_frame_is_passed_over() {
    let order = ByteOrder::Little;
    let bytes = [
        order.section(),
        order.interface(1, 0, &[]),
        order.block(0x0bad, &vec![1; 3 << 20]),
        order.packet(0, 5, b"after"),
    ]
    .concat();
    let (seen, end) = read(&bytes);
    assert_eq!(
        seen,
        [(5_000, 15, b"after".to_vec(), LinkType::Ethernet, 0)]
    );
    assert_eq!(end, None);
}
