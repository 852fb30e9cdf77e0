//! A pcap file taken apart into its records, to be put together otherwise.
//! Only for the golden captures, which are little-endian.

use std::fs;
use std::ops::Range;

/// Bytes of the file header.
pub const HEADER: usize = 24;
/// Bytes before each frame.
pub const RECORD: usize = 16;

/// A capture and where its records lie.
pub struct Recording {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Each record with its header.
    pub records: Vec<Range<usize>>,
}

impl Recording {
    /// Reads a whole, well-formed capture.
    pub fn read(path: &str) -> Self {
        let bytes = fs::read(path).expect("the capture can be read");
        let magic = u32::from_le_bytes(bytes[..4].try_into().expect("four bytes"));
        assert!(
            matches!(magic, 0xa1b2_c3d4 | 0xa1b2_3c4d),
            "{path} is little-endian pcap"
        );
        let mut records = Vec::new();
        let mut at = HEADER;
        while at < bytes.len() {
            let length = bytes[at + 8..at + 12].try_into().expect("four bytes");
            let end = at + RECORD + u32::from_le_bytes(length) as usize;
            records.push(at..end);
            at = end;
        }
        Self { bytes, records }
    }

    /// A capture of these records.
    pub fn with(&self, records: &[Range<usize>]) -> Vec<u8> {
        let mut bytes = self.bytes[..HEADER].to_vec();
        for record in records {
            bytes.extend_from_slice(&self.bytes[record.clone()]);
        }
        bytes
    }
}
