//! Capture files: pcap and pcapng, of either byte order and any clock resolution, gzip'd or not.
//! Memory is bounded whatever the file says, and a file that ends badly still yields what came before.

use std::{
    fs,
    io::{self, Cursor, ErrorKind, Read},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use flate2::read::MultiGzDecoder;
use pcap_parser::{PcapError, create_reader, traits::PcapReaderIterator};

use detection::frame::{Frame, LinkType};

use super::{
    CaptureError, Source,
    block::{Blocks, Content, Record},
};

/// Bytes read ahead to recognise the format; more than any file header takes.
const HEAD_LEN: u64 = 64 * 1024;

/// Bytes buffered at first: several of the largest frames, small enough to stay in a CPU cache.
const BUFFER_LEN: usize = 1 << 20;

/// Bytes the buffer may grow to, for pcapng blocks that are not frames (TLS keys, name tables).
const MAX_BUFFER_LEN: usize = 16 << 20;

/// A capture file being read from its beginning.
pub struct File {
    path: PathBuf,
    reader: Box<dyn PcapReaderIterator + Send>,
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
        let reader = match recognise(input, &failed) {
            Ok(reader) => reader,
            Err(Refusal::Read(source)) => return Err(CaptureError::Read { path, source }),
            Err(Refusal::Empty) => return Err(CaptureError::Empty { path }),
            Err(Refusal::Cut) => return Err(CaptureError::Truncated { path, frames: 0 }),
            Err(Refusal::Unknown) => return Err(CaptureError::NotCapture { path }),
        };
        let mut file = File {
            path,
            reader,
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

    fn refuse_without_ip(&self) -> Result<(), CaptureError> {
        let mut refused = None;
        for link_type in self.blocks.link_types() {
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
            self.reader.consume_noshift(self.pending);
            self.pending = 0;
            match self.reader.next() {
                Ok((size, block)) => {
                    self.pending = size;
                    match self.blocks.read(&block, size) {
                        Content::Frame(record) => return Some(record),
                        Content::Other => {}
                        Content::Nonsense => self.end = Some(End::Damage),
                    }
                }
                Err(PcapError::Incomplete(_)) => self.refill(),
                Err(PcapError::BufferTooSmall) => self.grow(),
                Err(PcapError::Eof) => self.end = Some(End::Whole),
                Err(PcapError::UnexpectedEof) => self.end = Some(End::Cut),
                Err(_) => self.end = Some(End::Damage),
            }
        }
        None
    }

    fn refill(&mut self) {
        let before = self.reader.data().len();
        if self.reader.refill().is_err() {
            self.end = Some(End::Cut);
        } else if self.reader.data().len() == before && !self.reader.reader_exhausted() {
            // The parser wants more than the full buffer holds: it would ask for ever.
            self.grow();
        }
    }

    fn grow(&mut self) {
        if !self.reader.grow(MAX_BUFFER_LEN) {
            self.end = Some(End::Damage);
        }
    }
}

impl Source for File {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        let Some(record) = self.first.take().or_else(|| self.next_record()) else {
            return Ok(None);
        };
        let Some(bytes) = self.reader.data().get(record.range) else {
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

enum Refusal {
    Read(io::Error),
    Empty,
    Cut,
    Unknown,
}

type Parser = Box<dyn PcapReaderIterator + Send>;

/// Looks at the first bytes, undoes gzip, and picks the parser.
fn recognise(
    mut input: impl Read + Send + 'static,
    failed: &Arc<AtomicBool>,
) -> Result<Parser, Refusal> {
    let (head, failure) = read_head(&mut input);
    if let Some(error) = failure {
        return Err(Refusal::Read(error));
    }
    if !head.starts_with(&[0x1f, 0x8b]) {
        return parser(head, input, failed);
    }
    let mut plain = MultiGzDecoder::new(Cursor::new(head).chain(input));
    match read_head(&mut plain) {
        (head, Some(error)) if head.is_empty() => Err(Refusal::Read(error)),
        // A short archive cut in the middle fails here; what it held before the cut is good.
        (head, _) => parser(head, plain, failed),
    }
}

/// The first [`HEAD_LEN`] bytes or the fewer there are, and what kept it from reading more.
fn read_head(input: &mut impl Read) -> (Vec<u8>, Option<io::Error>) {
    let mut head = Vec::new();
    let outcome = input.by_ref().take(HEAD_LEN).read_to_end(&mut head);
    (head, outcome.err())
}

fn parser(
    head: Vec<u8>,
    rest: impl Read + Send + 'static,
    failed: &Arc<AtomicBool>,
) -> Result<Parser, Refusal> {
    let rest = UntilFailure {
        input: rest,
        failed: Arc::clone(failed),
    };
    match head.len() {
        0 => return Err(Refusal::Empty),
        // Too short to tell a format by.
        1..4 => return Err(Refusal::Unknown),
        _ => {}
    }
    create_reader(BUFFER_LEN, Cursor::new(head).chain(rest)).map_err(|error| match error {
        PcapError::Incomplete(_) => Refusal::Cut,
        _ => Refusal::Unknown,
    })
}

/// Ends the file where reading fails, and remembers that it did: a gzip stream that stops before its
/// trailer, or a failing disk. The parser would otherwise drop what it holds, or take a signal for a failure.
struct UntilFailure<R> {
    input: R,
    failed: Arc<AtomicBool>,
}

impl<R: Read> Read for UntilFailure<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.input.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.failed.store(true, Relaxed);
                    return Ok(0);
                }
                read => return read,
            }
        }
    }
}
