//! Several captures as one stream in the order of time: taps side by side, or the parts of a rotated capture.
//! A capture is open only while its time has come; one frame of each that is open is kept.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use anyhow::Result;
use detection::frame::{Frame, LinkType, Timestamp};
use sensor::capture::file::File;
use sensor::capture::{CaptureError, Source};

use super::progress::Bytes;
use super::read;

/// Gives every frame of the captures, with the place of its capture among them, to `take`, the earliest first; of equal
/// times, that of the capture named first. Returns the damage of one that is damaged; that of others is said.
pub fn frames(
    captures: &[PathBuf],
    progress: &mut Bytes,
    mut take: impl FnMut(usize, &Frame<'_>) -> Result<()>,
) -> Result<Option<CaptureError>> {
    if let [alone] = captures {
        return read::frames(alone, progress, |frame| take(0, frame));
    }
    let mut waiting = VecDeque::from(begins(captures, progress)?);
    let mut open: Vec<Head> = Vec::new();
    let mut damage: Option<CaptureError> = None;
    loop {
        let next = open.iter().map(|head| (head.time, head.place)).min();
        if let Some(&(begin, place)) = waiting.front()
            && next.is_none_or(|next| (begin, place) < next)
        {
            waiting.pop_front();
            open.extend(Head::open(&captures[place], place, progress)?);
            continue;
        }
        let Some(next) = next else {
            return Ok(damage);
        };
        let Some(at) = open.iter().position(|head| (head.time, head.place) == next) else {
            return Ok(damage);
        };
        progress.add(open[at].bytes.len());
        take(open[at].place, &open[at].frame())?;
        if !open[at].advance()? {
            let ended = open.remove(at);
            let found = read::end(&ended.file, &captures[ended.place], progress);
            if let Some(earlier) = damage.take_if(|_| found.is_some()) {
                progress.say(&earlier.to_string());
            }
            damage = found.or(damage);
        }
    }
}

/// When each capture begins and where it stands among them, in that order. A name mistyped is found before the work.
fn begins(captures: &[PathBuf], progress: &mut Bytes) -> Result<Vec<(Timestamp, usize)>> {
    let mut begins = Vec::new();
    for (place, path) in captures.iter().enumerate() {
        if let Some(head) = Head::open(path, place, progress)? {
            begins.push((head.time, place));
        }
    }
    begins.sort_unstable();
    Ok(begins)
}

/// A capture and its next frame.
struct Head {
    file: File,
    place: usize,
    time: Timestamp,
    wire_len: u32,
    bytes: Vec<u8>,
    link_type: LinkType,
    interface: u32,
}

impl Head {
    /// A capture at its first frame; nothing where it has none.
    fn open(path: &Path, place: usize, progress: &mut Bytes) -> Result<Option<Self>> {
        let file = match File::open(path) {
            Err(cut @ CaptureError::Truncated { .. }) => {
                progress.say(&cut.to_string());
                return Ok(None);
            }
            opened => opened?,
        };
        let mut head = Self {
            file,
            place,
            time: Timestamp::default(),
            wire_len: 0,
            bytes: Vec::new(),
            link_type: LinkType::Ethernet,
            interface: 0,
        };
        Ok(head.advance()?.then_some(head))
    }

    /// Goes to the next frame; `false` at the end.
    fn advance(&mut self) -> Result<bool> {
        if let Some(frame) = self.file.next_frame()? {
            self.time = frame.time;
            self.wire_len = frame.wire_len;
            self.link_type = frame.link_type;
            self.interface = frame.interface;
            self.bytes.clear();
            self.bytes.extend_from_slice(frame.bytes);
            return Ok(true);
        }
        Ok(false)
    }

    fn frame(&self) -> Frame<'_> {
        Frame {
            time: self.time,
            wire_len: self.wire_len,
            bytes: &self.bytes,
            link_type: self.link_type,
            interface: self.interface,
        }
    }
}
