//! A file that is cut, damaged or no capture at all is said to be, and costs nothing read before.

use proptest::prelude::*;

use super::*;

#[test]
fn a_cut_file_yields_what_came_before_at_every_length() {
    let order = ByteOrder::Little;
    let pcap = [
        order.pcap_header(0xa1b2_c3d4, 1),
        order.pcap_frame(1, b"first"),
        order.pcap_frame(2, b"second"),
    ];
    let pcapng = [
        [order.section(), order.interface(1, 0, &[])].concat(),
        order.packet(0, 1, b"first"),
        order.packet(0, 2, b"second"),
    ];
    for parts in [pcap, pcapng] {
        let [header, first, _] = parts.each_ref().map(Vec::len);
        let bytes = parts.concat();
        for len in header..bytes.len() {
            let frames = usize::from(len >= header + first);
            let (seen, end) = read(&bytes[..len]);
            assert_eq!(seen.len(), frames);
            let whole = len == header || len == header + first;
            let sentence = format!(
                "capture FILE is cut in the middle; {frames} frames before the cut were used"
            );
            assert_eq!(end, (!whole).then_some(sentence), "cut at {len}");
        }
        let packed = gzip(&bytes);
        let (_, end) = read(&packed[..packed.len() - 6]);
        assert!(end.unwrap().contains("is cut in the middle"));
    }
}

#[test]
fn absurd_lengths_end_the_file_and_not_the_memory() {
    let order = ByteOrder::Little;
    let good = order.pcap_frame(1, b"good");
    for len in [300_000u32, 100 << 20, u32::MAX] {
        let record = [order.words(&[SECONDS, 0, len, len]), vec![0; 400_000]].concat();
        let header = order.pcap_header(0xa1b2_c3d4, 1);
        let (seen, end) = read(&[&header[..], &good, &record].concat());
        assert_eq!(seen.len(), 1);
        assert!(end.unwrap().contains("1 frames before"), "length {len}");

        let block = [order.words(&[6, len]), vec![0; 400_000]].concat();
        let header = [order.section(), order.interface(1, 0, &[])].concat();
        let frame = order.packet(0, 1, b"good");
        let (seen, end) = read(&[&header[..], &frame, &block].concat());
        assert_eq!(seen.len(), 1);
        assert!(end.unwrap().contains("1 frames before"), "length {len}");
    }
    // A captured length that lies within a block, and an interface nobody described.
    for words in [[0, 0, 0, 1_000, 1_000], [5, 0, 0, 4, 4]] {
        let block = order.block(6, &[order.words(&words), vec![1; 4]].concat());
        let bytes = [order.section(), order.interface(1, 0, &[]), block].concat();
        let (seen, end) = read(&bytes);
        assert!(seen.is_empty() && end.is_some());
    }
}

#[test]
fn a_capture_without_frames_is_one() {
    assert_eq!(
        read(&ByteOrder::Little.pcap_header(0xa1b2_c3d4, 1)),
        (vec![], None)
    );
    assert_eq!(read(&ByteOrder::Big.section()), (vec![], None));
}

#[test]
fn a_useless_file_is_refused_in_one_sentence() {
    let order = ByteOrder::Little;
    assert_eq!(refusal(b""), "capture FILE is empty");
    assert_eq!(refusal(&gzip(b"")), "capture FILE is empty");
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01";
    let sentence = "FILE is not a capture: neither pcap nor pcapng";
    for bytes in [&png[..], &gzip(png), b"\x1f", b"a", b"capture,attacker\n"] {
        assert_eq!(refusal(bytes), sentence);
    }
    assert_eq!(refusal(b"\x1f\x8b\x08"), "cannot read capture FILE");
    assert_eq!(
        refusal(&order.pcap_header(0xa1b2_c3d4, 1)[..20]),
        "capture FILE is cut in the middle; 0 frames before the cut were used"
    );
    let sentence =
        "capture FILE has link type 195 (IEEE 802.15.4), from which no IP packet can be read";
    assert_eq!(refusal(&order.pcap_header(0xa1b2_c3d4, 195)), sentence);
    let radio = [order.section(), order.interface(195, 0, &[])].concat();
    assert_eq!(refusal(&radio), sentence);
    let beside_ethernet = [&radio[..], &order.interface(1, 0, &[])].concat();
    assert_eq!(refusal(&beside_ethernet), "opened");
    let missing = File::open("no/such/file.pcap").err().unwrap();
    assert_eq!(missing.to_string(), "cannot open capture no/such/file.pcap");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_file_panics_or_never_ends(
        start in 0..5usize,
        noise in proptest::collection::vec(any::<u8>(), 0..300),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let (little, big) = (ByteOrder::Little, ByteOrder::Big);
        let mut bytes = match start {
            0 => vec![],
            1 => [little.pcap_header(0xa1b2_c3d4, 1), little.pcap_frame(1, b"good")].concat(),
            2 => [big.pcap_header(0xa1b2_3c4d, 1), big.pcap_frame(1, b"good")].concat(),
            3 => [little.section(), little.interface(1, 0, &little.option(9, &[6]))].concat(),
            _ => [big.section(), big.interface(1, 64, &[]), big.packet(0, 1, b"good")].concat(),
        };
        bytes.extend(noise);
        for (index, value) in flips {
            if !bytes.is_empty() {
                let at = index.index(bytes.len());
                bytes[at] = value;
            }
        }
        let capture = capture(&bytes);
        if let Ok(mut file) = File::open(&capture.path) {
            let mut frames = 0;
            while let Some(frame) = file.next_frame().unwrap() {
                prop_assert!(frame.bytes.len() <= bytes.len());
                frames += 1;
            }
            prop_assert!(frames <= bytes.len());
        }
    }
}
