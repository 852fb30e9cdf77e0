//! Capture files: pcap and pcapng, of either byte order and any clock resolution, snoop and ERF, compressed or not.
//! Memory is bounded whatever the file says, and a file that ends badly still yields what came before.

mod format;
mod records;

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use pcap_parser::{PcapError, traits::PcapReaderIterator};

use detection::frame::{Frame, LinkType};

use super::{
    CaptureError, Source,
    pcapng_block::{Blocks, Content, Record},
};
use format::{Format, Refusal, recognise};

/// Bytes the buffer may grow to, for pcapng blocks that are not frames (TLS keys, name tables).
const MAX_BUFFER_LEN: usize = 16 << 20;

/// A capture file being read from its beginning.
pub struct File {
    path: PathBuf,
    format: Format,
    failed: Arc<AtomicBool>,
    blocks: Blocks,
    first: Option<Record>,
    /// Bytes of the block last read, still in the buffer because its frame is on loan.
    pending: usize,
    frames: u64,
    end: Option<End>,
}

#[derive(Clone, Copy)]
enum End {
    Whole,
    Cut,
    Damage,
}

impl File {
    /// Opens a capture and reads up to its first frame, so that a file of no use is refused here.
    pub fn open(path: impl AsRef<Path>) -> Result<File, CaptureError> {
        let path = path.as_ref().to_path_buf();
        let input = match fs::File::open(&path) {
            Ok(input) => input,
            Err(source) => return Err(CaptureError::Open { path, source }),
        };
        File::read(path, input)
    }

    /// Reads a capture from anywhere, as [`File::open`] does; errors call it `path`.
    pub fn read(
        path: impl Into<PathBuf>,
        input: impl Read + Send + 'static,
    ) -> Result<File, CaptureError> {
        let path = path.into();
        let failed = Arc::default();
        let format = match recognise(input, &failed) {
            Ok(format) => format,
            Err(Refusal::Read(source)) => return Err(CaptureError::Read { path, source }),
            Err(Refusal::Empty) => return Err(CaptureError::Empty { path }),
            Err(Refusal::Cut) => return Err(CaptureError::Truncated { path, frames: 0 }),
            Err(Refusal::Unknown) => return Err(CaptureError::NotCapture { path }),
            Err(Refusal::Foreign(what, tool)) => {
                return Err(CaptureError::Foreign { path, what, tool });
            }
        };
        let mut file = File {
            path,
            format,
            failed,
            blocks: Blocks::default(),
            first: None,
            pending: 0,
            frames: 0,
            end: None,
        };
        file.first = file.next_record();
        file.refuse_without_ip()?;
        Ok(file)
    }

    /// Says, once [`Source::next_frame`] returned `None`, that the file did not end where it should.
    /// Nothing read before is affected.
    pub fn damage(&self) -> Option<CaptureError> {
        let (path, frames) = (self.path.clone(), self.frames);
        match self.end? {
            End::Whole if !self.failed.load(Relaxed) => None,
            End::Whole | End::Cut => Some(CaptureError::Truncated { path, frames }),
            End::Damage => Some(CaptureError::Damaged { path, frames }),
        }
    }

    /// Frames that have no time of their own, as far as the file was read: they take that of the one before.
    pub fn untimed(&self) -> u64 {
        self.blocks.untimed()
    }

    fn refuse_without_ip(&self) -> Result<(), CaptureError> {
        let mut refused = None;
        let of_records = match &self.format {
            Format::Records(records) => Some(records.layout().link_type()),
            Format::Blocks(_) => None,
        };
        for link_type in self.blocks.link_types().chain(of_records) {
            match link_type {
                LinkType::Other(number) => refused = refused.or(Some(number)),
                _ => return Ok(()),
            }
        }
        let path = self.path.clone();
        refused.map_or(Ok(()), |number| {
            Err(CaptureError::LinkType { path, number })
        })
    }

    fn next_record(&mut self) -> Option<Record> {
        while self.end.is_none() {
            let reader = match &mut self.format {
                Format::Blocks(reader) => reader,
                Format::Records(records) => match records.next() {
                    Ok(record) => return Some(record),
                    Err(end) => {
                        self.end = Some(end);
                        break;
                    }
                },
            };
            reader.consume_noshift(self.pending);
            self.pending = 0;
            match reader.next() {
                Ok((size, block)) => {
                    self.pending = size;
                    match self.blocks.read(&block) {
                        Content::Frame(record) => return Some(record),
                        Content::Other => {}
                        Content::Nonsense => self.end = Some(End::Damage),
                    }
                }
                Err(PcapError::Incomplete(_)) => self.end = refill(reader),
                Err(PcapError::BufferTooSmall) => self.end = grow(reader),
                Err(PcapError::Eof) => self.end = Some(End::Whole),
                Err(PcapError::UnexpectedEof) => self.end = Some(End::Cut),
                Err(_) => self.end = Some(End::Damage),
            }
        }
        None
    }
}

fn refill(reader: &mut impl PcapReaderIterator) -> Option<End> {
    let before = reader.data().len();
    if reader.refill().is_err() {
        Some(End::Cut)
    } else if reader.data().len() == before && !reader.reader_exhausted() {
        // The parser wants more than the full buffer holds: it would ask for ever.
        grow(reader)
    } else {
        None
    }
}

fn grow(reader: &mut impl PcapReaderIterator) -> Option<End> {
    (!reader.grow(MAX_BUFFER_LEN)).then_some(End::Damage)
}

impl Source for File {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        let Some(record) = self.first.take().or_else(|| self.next_record()) else {
            return Ok(None);
        };
        let data = match &self.format {
            Format::Blocks(reader) => reader.data(),
            Format::Records(records) => records.data(),
        };
        let Some(bytes) = data.get(record.range) else {
            self.end = Some(End::Damage);
            return Ok(None);
        };
        self.frames += 1;
        Ok(Some(Frame {
            time: record.time,
            wire_len: record.wire_len,
            bytes,
            link_type: record.link_type,
            interface: record.interface,
        }))
    }
}
