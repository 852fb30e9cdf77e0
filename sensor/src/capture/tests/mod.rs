//! Capture files written byte by byte, good and bad.
//! Here is the writer; it knows both formats in both byte orders.

mod bad;
mod good;

use std::{io::Write, path::PathBuf};

use flate2::{Compression, write::GzEncoder};

use detection::frame::LinkType;

use super::{CaptureError, Source, file::File};

/// What is checked of a frame: time, wire length, bytes, link type, interface.
type Seen = (i64, u32, Vec<u8>, LinkType, u32);

const SECONDS: u32 = 1_700_000_000;
const TIME: i64 = SECONDS as i64 * 1_000_000_000;

#[derive(Clone, Copy)]
enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    fn words(self, words: &[u32]) -> Vec<u8> {
        let bytes = |word: &u32| match self {
            ByteOrder::Little => word.to_le_bytes(),
            ByteOrder::Big => word.to_be_bytes(),
        };
        words.iter().flat_map(bytes).collect()
    }

    fn halves(self, halves: &[u16]) -> Vec<u8> {
        let bytes = |half: &u16| match self {
            ByteOrder::Little => half.to_le_bytes(),
            ByteOrder::Big => half.to_be_bytes(),
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
