//! Capture files written byte by byte, good and bad.

use std::{io::Write, path::PathBuf};

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;

use super::{CaptureError, LinkType, Source, file::File};

/// What is checked of a frame: time, wire length, bytes, link type, interface.
type Seen = (i64, u32, Vec<u8>, LinkType, u32);

const SECONDS: u32 = 1_700_000_000;
const TIME: i64 = SECONDS as i64 * 1_000_000_000;

#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn words(self, words: &[u32]) -> Vec<u8> {
        let bytes = |word: &u32| match self {
            Order::Little => word.to_le_bytes(),
            Order::Big => word.to_be_bytes(),
        };
        words.iter().flat_map(bytes).collect()
    }

    fn halves(self, halves: &[u16]) -> Vec<u8> {
        let bytes = |half: &u16| match self {
            Order::Little => half.to_le_bytes(),
            Order::Big => half.to_be_bytes(),
        };
        halves.iter().flat_map(bytes).collect()
    }

    fn pcap_header(self, magic: u32, link_type: u32) -> Vec<u8> {
        let version = self.halves(&[2, 4]);
        let rest = self.words(&[0, 0, 65_535, link_type]);
        [self.words(&[magic]), version, rest].concat()
    }

    fn pcap_frame(self, fraction: u32, bytes: &[u8]) -> Vec<u8> {
        let len = bytes.len() as u32;
        let header = self.words(&[SECONDS, fraction, len, len + 10]);
        [&header, bytes].concat()
    }

    fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
        let len = (12 + body.len() + padding.len()) as u32;
        let (head, tail) = (self.words(&[kind, len]), self.words(&[len]));
        [&head, body, &padding, &tail].concat()
    }

    fn section(self) -> Vec<u8> {
        let version = self.halves(&[1, 0]);
        let length = [0xff; 8];
        let body = [&self.words(&[0x1a2b_3c4d])[..], &version, &length].concat();
        self.block(0x0a0d_0d0a, &body)
    }

    fn interface(self, link_type: u16, snap_len: u32, options: &[u8]) -> Vec<u8> {
        let head = self.halves(&[link_type, 0]);
        let body = [&head[..], &self.words(&[snap_len]), options].concat();
        self.block(1, &body)
    }

    /// One option and the end of options.
    fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
        let padding = vec![0; value.len().next_multiple_of(4) - value.len()];
        let head = self.halves(&[code, value.len() as u16]);
        [&head, value, &padding[..], &[0; 4]].concat()
    }

    fn packet(self, interface: u32, ticks: u64, bytes: &[u8]) -> Vec<u8> {
        let len = bytes.len() as u32;
        let (high, low) = ((ticks >> 32) as u32, ticks as u32);
        let head = self.words(&[interface, high, low, len, len + 10]);
        self.block(6, &[&head, bytes].concat())
    }
}

struct Capture {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn capture(bytes: &[u8]) -> Capture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("input.pcap");
    std::fs::write(&path, bytes).unwrap();
    Capture {
        _folder: folder,
        path,
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Every frame, and what the file says of its end.
fn read(bytes: &[u8]) -> (Vec<Seen>, Option<String>) {
    let capture = capture(bytes);
    let mut file = File::open(&capture.path).unwrap();
    let mut seen = Vec::new();
    while let Some(frame) = file.next_frame().unwrap() {
        seen.push((
            frame.time.nanoseconds(),
            frame.wire_len,
            frame.bytes.to_vec(),
            frame.link_type,
            frame.interface,
        ));
    }
    let end = file.damage().map(|damage| short(&damage, &capture));
    (seen, end)
}

fn refusal(bytes: &[u8]) -> String {
    let capture = capture(bytes);
    match File::open(&capture.path) {
        Ok(_) => "opened".to_owned(),
        Err(error) => short(&error, &capture),
    }
}

fn short(error: &CaptureError, capture: &Capture) -> String {
    let sentence = error.to_string();
    let name = capture.path.display().to_string();
    assert!(sentence.contains(&name), "{sentence} names no file");
    sentence.replace(&name, "FILE")
}

#[test]
fn pcap_of_either_order_and_resolution() {
    for order in [Order::Little, Order::Big] {
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
    let order = Order::Little;
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
    let order = Order::Big;
    let bytes = [
        order.pcap_header(0xa1b2_c3d4, 0x2400_0001),
        order.pcap_frame(0, b"x"),
    ]
    .concat();
    assert_eq!(read(&bytes).0[0].3, LinkType::Ethernet);
}

#[test]
fn pcapng_with_several_interfaces_links_and_clocks() {
    for order in [Order::Little, Order::Big] {
        let offset = match order {
            Order::Little => 3_600i64.to_le_bytes(),
            Order::Big => 3_600i64.to_be_bytes(),
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
    let (little, big) = (Order::Little, Order::Big);
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
    let order = Order::Little;
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
    let order = Order::Little;
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

#[test]
fn a_cut_file_yields_what_came_before_at_every_length() {
    let order = Order::Little;
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
    let order = Order::Little;
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
        read(&Order::Little.pcap_header(0xa1b2_c3d4, 1)),
        (vec![], None)
    );
    assert_eq!(read(&Order::Big.section()), (vec![], None));
}

#[test]
fn a_useless_file_is_refused_in_one_sentence() {
    let order = Order::Little;
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
    let sentence = "capture FILE has link type 127 (Wi-Fi), from which no IP packet can be read";
    assert_eq!(refusal(&order.pcap_header(0xa1b2_c3d4, 127)), sentence);
    let wifi = [order.section(), order.interface(127, 0, &[])].concat();
    assert_eq!(refusal(&wifi), sentence);
    let beside_ethernet = [&wifi[..], &order.interface(1, 0, &[])].concat();
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
        let (little, big) = (Order::Little, Order::Big);
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
